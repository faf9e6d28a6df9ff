//! What the threads of a recorder tell each other and the world: counters that any thread may read.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use pcapx_core::time::Timestamp;

/// Counts since the start. Each field is written by one thread.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets taken from the source, those that the filter left out included.
    pub packets_received: AtomicU64,
    /// Packets that the filter left out.
    pub packets_filtered: AtomicU64,
    /// Packets handed over to be written.
    pub packets_recorded: AtomicU64,
    /// Their bytes on the wire.
    pub bytes_received: AtomicU64,
    /// Packets that the kernel dropped because the ring was full.
    pub kernel_drops: AtomicU64,
    /// How often the ring was full.
    pub ring_freezes: AtomicU64,
    /// Bytes of segments written.
    pub bytes_written: AtomicU64,
    /// Segments begun and segments sealed.
    pub segments_begun: AtomicU64,
    /// Segments sealed.
    pub segments_sealed: AtomicU64,
    /// Segments removed to make room.
    pub segments_removed: AtomicU64,
    /// Nanoseconds that the slowest write of the last second took.
    pub write_nanos_worst: AtomicU64,
    /// Nanoseconds since 1970 up to which every packet that came can be found; 0 before the first look.
    pub searchable_up_to: AtomicI64,
    /// Nanoseconds since 1970 of the oldest packet kept; 0 when there is none.
    pub oldest_kept: AtomicI64,
    /// Bytes that all segments and indexes take on the disk.
    pub bytes_kept: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Remembers the greatest value since somebody took it.
    pub(crate) fn worst(counter: &AtomicU64, value: u64) {
        counter.fetch_max(value, Ordering::Relaxed);
    }

    pub(crate) fn searchable(&self, up_to: Timestamp) {
        self.searchable_up_to.fetch_max(up_to.as_nanos(), Ordering::Relaxed);
    }
}
