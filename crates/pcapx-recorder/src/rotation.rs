//! When a segment ends.

use std::time::Duration;

use pcapx_core::time::Timestamp;

/// A clock that is set back by more than this begins a new segment: times of one segment stay close to their order.
const SET_BACK: Duration = Duration::from_secs(2);

/// The limits of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The longest time from the first packet to the last. Segments end at multiples of it since 1970, so that those of
    /// several recorders meet.
    pub duration: Option<Duration>,
    /// The most bytes of its file, if that is more than one packet.
    pub bytes: Option<u64>,
    /// The most packets.
    pub packets: Option<u64>,
}

/// A segment that is being written, as far as its end depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// When it ends; packets of that time belong to the next.
    end: Timestamp,
    latest: Timestamp,
    bytes: u64,
    packets: u64,
}

impl Rotation {
    /// The segment that begins with a packet at `first`; its file has `bytes` in front of the packet.
    pub(crate) fn begin(&self, first: Timestamp, bytes: u64) -> Extent {
        let end = self.duration.map_or(Timestamp::MAX, |duration| {
            let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX).max(1);
            let into = first.as_nanos().rem_euclid(nanos);
            Timestamp::from_nanos(first.as_nanos().saturating_sub(into).saturating_add(nanos))
        });
        Extent { end, latest: first, bytes, packets: 0 }
    }

    /// Whether a record of `bytes` with a packet at `time` belongs to the next segment.
    #[inline]
    pub(crate) fn ends_before(&self, extent: &Extent, time: Timestamp, bytes: u64) -> bool {
        extent.packets > 0
            && (time >= extent.end
                || time < extent.latest.saturating_sub(SET_BACK)
                || self.bytes.is_some_and(|most| extent.bytes + bytes > most)
                || self.packets.is_some_and(|most| extent.packets >= most))
    }
}

impl Extent {
    /// A record of `bytes` with a packet at `time` is in it.
    #[inline]
    pub(crate) fn add(&mut self, time: Timestamp, bytes: u64) {
        self.latest = self.latest.max(time);
        self.bytes += bytes;
        self.packets += 1;
    }

    /// Whether its time is over, packets or not.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Rotation =
        Rotation { duration: Some(Duration::from_secs(300)), bytes: Some(1000), packets: Some(3) };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn segments_end_at_multiples_of_their_duration() {
        let mut extent = EVERY.begin(at(301), 24);
        extent.add(at(301), 100);
        assert!(!EVERY.ends_before(&extent, Timestamp::from_nanos(599_999_999_999), 100));
        assert!(EVERY.ends_before(&extent, at(600), 100));
        assert!(extent.is_over(at(600)) && !extent.is_over(at(599)));
    }

    #[test]
    fn bytes_and_packets_end_a_segment_but_never_an_empty_one() {
        let mut extent = EVERY.begin(at(0), 24);
        assert!(
            !EVERY.ends_before(&extent, at(0), 5000),
            "a packet larger than the limit has a segment of its own"
        );
        extent.add(at(0), 500);
        assert!(!EVERY.ends_before(&extent, at(0), 476));
        assert!(EVERY.ends_before(&extent, at(0), 477));
        extent.add(at(1), 10);
        extent.add(at(2), 10);
        assert!(EVERY.ends_before(&extent, at(2), 1));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_a_segment() {
        let mut extent = EVERY.begin(at(100), 24);
        extent.add(at(100), 10);
        assert!(!EVERY.ends_before(&extent, at(98), 10), "receive queues are a little apart");
        assert!(EVERY.ends_before(&extent, at(97), 10));
    }
}
