//! What the threads of a recorder tell each other and the world: counters that any thread may read.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use pcapx_core::time::Timestamp;

use crate::bursts::Burst;
use crate::losses::Losses;
use crate::pulse::Pulse;

/// How far packets may be behind what came before them: a block of the ring waits for 50 ms to be filled, queues of several
/// processors are microseconds apart, and a loaded machine is late with either.
pub(crate) const OUT_OF_ORDER: Duration = Duration::from_millis(250);
/// A clock that goes back by more was set back.
const SET_BACK: Duration = Duration::from_secs(2);

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets taken from the source, those that the filter left out included.
    pub packets_received: AtomicU64,
    /// Packets that the filter left out.
    pub packets_filtered: AtomicU64,
    /// Packets that were longer than `--snaplen`.
    pub packets_cut: AtomicU64,
    /// Packets handed over to be written.
    pub packets_recorded: AtomicU64,
    /// Their bytes on the wire.
    pub bytes_recorded: AtomicU64,
    /// Bytes on the wire of the packets received.
    pub bytes_received: AtomicU64,
    /// Packets that the kernel dropped because the ring was full.
    pub kernel_drops: AtomicU64,
    /// How often the ring was full.
    pub ring_freezes: AtomicU64,
    /// Packets that were taken from the ring and could not be stored.
    pub recorder_drops: AtomicU64,
    /// Bytes of segments written.
    pub bytes_written: AtomicU64,
    /// Segments begun and segments sealed.
    pub segments_begun: AtomicU64,
    /// Segments sealed.
    pub segments_sealed: AtomicU64,
    /// Segments removed to make room.
    pub segments_removed: AtomicU64,
    /// Nanoseconds that the slowest write took since somebody looked.
    pub write_nanos_worst: AtomicU64,
    /// How full a ring was at most since somebody looked, in thousandths.
    pub ring_fill_worst: AtomicU64,
    /// The most chunks that were on their way to the disk at once since somebody looked.
    pub chunks_worst: AtomicU64,
    /// The greatest rate of packets over 10 ms since somebody looked, in packets per second.
    pub burst_packets_worst: AtomicU64,
    /// The greatest rate over 10 ms since somebody looked, in bits per second.
    pub burst_bits_worst: AtomicU64,
    /// Nanoseconds since 1970 up to which every packet that is ever recorded can be found; 0 before the first look.
    pub searchable_up_to: AtomicI64,
    /// Nanoseconds since 1970 of the oldest packet kept; 0 when there is none.
    pub oldest_kept: AtomicI64,
    /// Bytes that all segments and indexes take on the disk.
    pub bytes_kept: AtomicU64,
    /// What was lost in segments that are not sealed yet.
    pub losses: Losses,
    /// Whether the threads still do their work.
    pub pulse: Pulse,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Remembers the greatest value since somebody took it.
    pub(crate) fn worst(counter: &AtomicU64, value: u64) {
        counter.fetch_max(value, Ordering::Relaxed);
    }

    /// A chunk with so many new bytes has been written.
    pub(crate) fn written(&self, bytes: usize, took: Duration, burst: Burst) {
        Self::add(&self.bytes_written, bytes as u64);
        Self::worst(&self.write_nanos_worst, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        Self::worst(&self.burst_packets_worst, burst.packets_per_second());
        Self::worst(&self.burst_bits_worst, burst.bits_per_second());
    }

    /// A ring is so full, 0 to 1.
    pub(crate) fn ring_filled(&self, fill: f64) {
        // Nothing is lost: it is not negative, and not more than a thousand.
        #[allow(clippy::cast_sign_loss)]
        Self::worst(&self.ring_fill_worst, (fill * 1000.0) as u64);
    }

    /// All packets before `up_to` can be found that ever will. Told by one thread, which allows for packets that are
    /// [behind](OUT_OF_ORDER).
    pub(crate) fn searchable(&self, up_to: Timestamp) {
        let before = Timestamp::from_nanos(self.searchable_up_to.load(Ordering::Relaxed));
        // What was true once stays true, unless the clock was set back: packets of times that had passed come again.
        if up_to > before || up_to < before.saturating_sub(SET_BACK) {
            self.searchable_up_to.store(up_to.as_nanos(), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searchable_stays_so_unless_the_clock_is_set_back() {
        let counters = Counters::default();
        for (told, expected) in [(100, 100), (99, 100), (101, 101), (98, 98), (97, 98)] {
            counters.searchable(Timestamp::from_secs(told));
            let now = counters.searchable_up_to.load(Ordering::Relaxed);
            assert_eq!(Timestamp::from_nanos(now), Timestamp::from_secs(expected), "told {told}");
        }
    }
}
