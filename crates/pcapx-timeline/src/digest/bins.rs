//! Packets over time.

use super::Direction;
use pcapx_core::digest::{self, Amount, Bin};
use pcapx_core::time::Timestamp;

/// The most bins: a chart has no more columns. Twelve minutes have a bin for each second.
const BINS_MOST: usize = 1024;

/// Bins of 2ⁿ seconds that begin at multiples of their width since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Bins {
    /// n.
    shift: u32,
    /// How many widths after 1970 the first one begins.
    first: i64,
    counts: Vec<Bin>,
}

impl Bins {
    #[inline]
    pub(super) fn add(&mut self, time: Timestamp, direction: Direction, bytes: u64) {
        let secs = time.as_secs();
        let at = (secs >> self.shift).wrapping_sub(self.first);
        let bin = match usize::try_from(at).ok().and_then(|at| self.counts.get_mut(at)) {
            Some(bin) => bin,
            None => self.make_room(secs),
        };
        let amount = match direction {
            Direction::FromClient => &mut bin.from_client,
            Direction::ToClient => &mut bin.to_client,
            Direction::Other => &mut bin.other,
        };
        amount.packets += 1;
        amount.bytes += bytes;
    }

    /// The bin of a time that none of them has yet.
    #[cold]
    fn make_room(&mut self, secs: i64) -> &mut Bin {
        if self.counts.is_empty() {
            self.first = secs >> self.shift;
            self.counts.push(Bin::default());
        }
        loop {
            let at = secs >> self.shift;
            let low = self.first.min(at);
            // Widths after the lowest bin, of the new one and of those that there are.
            let (place, before) = (at.abs_diff(low) as usize, self.first.abs_diff(low) as usize);
            let len = (before + self.counts.len()).max(place + 1);
            if len <= BINS_MOST {
                self.counts.splice(0..0, std::iter::repeat_n(Bin::default(), before));
                self.counts.resize(len, Bin::default());
                self.first = low;
                return &mut self.counts[place];
            }
            self.widen();
        }
    }

    /// Makes one bin of each two.
    fn widen(&mut self) {
        // Where the first one is the second of two, it is alone.
        let is_alone = self.first & 1 == 1;
        let counts = std::mem::take(&mut self.counts);
        for (n, bin) in counts.into_iter().enumerate() {
            if n == 0 || (n + usize::from(is_alone)).is_multiple_of(2) {
                self.counts.push(bin);
            } else if let Some(to) = self.counts.last_mut() {
                add(&mut to.from_client, bin.from_client);
                add(&mut to.to_client, bin.to_client);
                add(&mut to.other, bin.other);
            }
        }
        self.first >>= 1;
        self.shift += 1;
    }

    pub(super) fn finish(self) -> digest::Bins {
        let start = (!self.counts.is_empty()).then(|| Timestamp::from_secs(self.first << self.shift));
        digest::Bins { start, width_ms: 1000 << self.shift, counts: self.counts }
    }
}

pub(super) fn add(to: &mut Amount, more: Amount) {
    to.packets += more.packets;
    to.bytes += more.bytes;
}

#[cfg(test)]
#[allow(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "the numbers of these tests are small")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Whatever the times and their order: few bins, nothing lost, everything in its place.
        #[test]
        fn every_packet_is_in_the_bin_of_its_time(
            times in prop::collection::vec(prop_oneof![-20..2000_i64, -9_000_000_000..9_000_000_000_i64], 1..200),
            is_narrow: bool,
        ) {
            let times: Vec<i64> = times.into_iter().map(|t| if is_narrow { t % 700 } else { t }).collect();
            let mut bins = Bins::default();
            for &secs in &times {
                bins.add(Timestamp::from_secs(secs), Direction::ToClient, 7);
            }
            let bins = bins.finish();
            let width = (bins.width_ms / 1000) as i64;
            let start = bins.start.unwrap().as_secs();
            prop_assert!(bins.counts.len() <= 1024 && width.count_ones() == 1 && start.rem_euclid(width) == 0);
            let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            if last - first < 512 {
                prop_assert_eq!(width, 1);
            }
            prop_assert!(bins.counts[0].to_client.packets > 0 && bins.counts.last().unwrap().to_client.packets > 0);
            let mut wanted = BTreeMap::new();
            for secs in times {
                *wanted.entry((secs.div_euclid(width) - start / width) as usize).or_insert(0) += 1;
            }
            for (n, bin) in bins.counts.iter().enumerate() {
                let packets = wanted.get(&n).copied().unwrap_or(0);
                prop_assert_eq!(bin.to_client, Amount { packets, bytes: packets * 7 });
                prop_assert_eq!((bin.from_client, bin.other), <(Amount, Amount)>::default());
            }
        }
    }
}
