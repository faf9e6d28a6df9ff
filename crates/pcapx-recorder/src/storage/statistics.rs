//! What is counted of a segment while it is written.

use std::fmt;
use std::time::Duration;

use crate::bursts::Burst;
use crate::losses::Lost;

/// What was counted of a segment while it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentStatistics {
    /// Packets in it.
    pub(crate) packets: u64,
    /// Their bytes on the wire.
    pub(crate) wire_bytes: u64,
    /// Packets that were lost meanwhile.
    pub(crate) lost: Lost,
    /// The slowest write.
    pub(crate) slowest_write: Duration,
    /// The busiest moment.
    pub(crate) burst: Burst,
}

impl SegmentStatistics {
    /// Takes in a write.
    pub(super) fn note(&mut self, took: Duration, burst: Burst) {
        self.slowest_write = self.slowest_write.max(took);
        self.burst = self.burst.or(burst);
    }
}

impl fmt::Display for SegmentStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "packets={} wire_bytes={} kernel_drops={} recorder_drops={} slowest_write_ms={:.1} burst_packets_per_second={} \
             burst_bits_per_second={}",
            self.packets,
            self.wire_bytes,
            self.lost.kernel,
            self.lost.recorder,
            self.slowest_write.as_secs_f64() * 1e3,
            self.burst.packets_per_second(),
            self.burst.bits_per_second(),
        )
    }
}
