//! How the caller of a query stops it and watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Ends a running query from another thread, or at a deadline. Clones end the same query.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl CancelToken {
    /// A token that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that also takes effect at `deadline`.
    pub fn with_deadline(deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..Self::default() }
    }

    /// Ends the query within milliseconds; it leaves no file behind.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// What [`cancel`](Self::cancel) sets, for those who cannot call it: a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancelled)
    }

    /// Whether the query is to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.is_past_deadline()
    }

    /// Whether the deadline has passed.
    pub fn is_past_deadline(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Counts that grow while a query runs; any thread may read them.
#[derive(Debug, Default)]
pub struct Progress {
    /// Segments that the query has to read.
    pub segments_total: AtomicU64,
    /// Segments read to their end.
    pub segments_done: AtomicU64,
    /// Bytes that those segments have.
    pub bytes_total: AtomicU64,
    /// Bytes read.
    pub bytes_read: AtomicU64,
    /// Packets that the filter is true of.
    pub packets_matched: AtomicU64,
}

impl Progress {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Back to the start of reading: the query runs again.
    pub(crate) fn rewind(&self) {
        for counter in [&self.segments_done, &self.bytes_read, &self.packets_matched] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}
