//! The busiest moments: what a rate over a second does not show.

use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// A moment: long enough to hold packets at any rate worth recording, short enough for what overflows a card's buffer.
const MOMENT_NANOS: i64 = 10_000_000;
const MOMENTS_PER_SECOND: u64 = (NANOS_PER_SEC / MOMENT_NANOS).unsigned_abs();

/// The most that came within 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Burst {
    packets: u64,
    bytes: u64,
}

impl Burst {
    pub(crate) fn packets_per_second(self) -> u64 {
        self.packets * MOMENTS_PER_SECOND
    }

    pub(crate) fn bits_per_second(self) -> u64 {
        self.bytes * 8 * MOMENTS_PER_SECOND
    }

    /// The greater of each; the two need not have come at once.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { packets: self.packets.max(other.packets), bytes: self.bytes.max(other.bytes) }
    }
}

/// Counts packets moment by moment.
#[derive(Debug, Default)]
pub(crate) struct Bursts {
    /// When the moment begins, in nanoseconds since 1970.
    begins: i64,
    now: Burst,
    most: Burst,
}

impl Bursts {
    /// Counts a packet of `bytes` on the wire.
    #[inline]
    pub(crate) fn add(&mut self, time: Timestamp, bytes: u32) {
        let nanos = time.as_nanos();
        if !(0..MOMENT_NANOS).contains(&nanos.wrapping_sub(self.begins)) {
            self.most = self.most.or(self.now);
            self.now = Burst::default();
            self.begins = nanos - nanos.rem_euclid(MOMENT_NANOS);
        }
        self.now.packets += 1;
        self.now.bytes += u64::from(bytes);
    }

    /// The most since somebody took it.
    pub(crate) fn take(&mut self) -> Burst {
        std::mem::take(&mut self.most).or(self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_moment_is_told_as_a_rate() {
        let mut bursts = Bursts::default();
        let at = Timestamp::from_nanos;
        for (nanos, bytes) in [
            (0, 100),
            (9_999_999, 100),
            (10_000_000, 60),
            (10_000_001, 60),
            (12_000_000, 60),
            (20_000_000, 1000),
        ] {
            bursts.add(at(1_700_000_000_000_000_000 + nanos), bytes);
        }
        let burst = bursts.take();
        assert_eq!((burst.packets_per_second(), burst.bits_per_second()), (300, 800_000));
        assert_eq!(bursts.take(), Burst { packets: 1, bytes: 1000 });
        // A clock that is set back begins another moment.
        bursts.add(at(-1), 10);
        bursts.add(at(-2), 10);
        assert_eq!(bursts.take().packets_per_second(), 200);
    }
}
