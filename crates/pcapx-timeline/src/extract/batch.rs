//! Batches: matched packets of one segment, encoded and in order of time.

use std::mem;

use super::BATCH_BYTES;
use super::encode::Kind;
use pcapx_core::time::Timestamp;

/// Records of one segment, sorted by time; ties are in the order of recording.
#[derive(Debug)]
pub(super) struct Batch {
    /// The records one after another, in the order of `entries`.
    pub(super) bytes: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    /// What all of them are.
    pub(super) kind: Kind,
    /// The greatest snaplen among their interfaces.
    pub(super) snaplen: u32,
}

/// A record within a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) time: Timestamp,
    pub(super) start: u32,
    pub(super) len: u32,
}

/// Collects the packets of one segment and cuts them into batches.
///
/// Most segments are in order, and cutting is all there is to do. Where one is not, the latest packets are held back
/// for the next batch: twice as far as any packet has been late so far.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    snaplen: u32,
    latest: Option<Timestamp>,
    /// The most nanoseconds that a packet of this segment came after a later one.
    lateness: i64,
    is_sorted: bool,
}

impl BatchBuilder {
    /// Adds a record that `encode` appends.
    #[inline]
    pub(super) fn push(&mut self, time: Timestamp, snaplen: u32, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        encode(&mut self.bytes);
        if self.entries.is_empty() {
            self.is_sorted = true;
        }
        match self.latest {
            Some(latest) if time < latest => {
                self.is_sorted = false;
                self.lateness = self.lateness.max(latest.as_nanos().saturating_sub(time.as_nanos()));
            }
            _ => self.latest = Some(time),
        }
        self.snaplen = self.snaplen.max(snaplen);
        self.entries.push(Entry { time, start: start as u32, len: (self.bytes.len() - start) as u32 });
    }

    /// Whether it is time to [`take`](Self::take).
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    /// Cuts off a batch; `None` when there is nothing to hand on. The last one of a segment takes everything.
    pub(super) fn take(&mut self, kind: Kind, is_last: bool) -> Option<Batch> {
        if self.entries.is_empty() {
            return None;
        }
        let mut entries = mem::take(&mut self.entries);
        let mut bytes = mem::take(&mut self.bytes);
        if !is_last {
            self.entries.reserve(64);
            self.bytes.reserve(BATCH_BYTES + BATCH_BYTES / 4);
        }
        if !self.is_sorted {
            // Stable: what was recorded first stays first.
            entries.sort_by_key(|e| e.time);
            let mut sorted = Vec::with_capacity(bytes.len());
            for entry in &mut entries {
                let from = entry.start as usize;
                entry.start = sorted.len() as u32;
                sorted.extend_from_slice(&bytes[from..from + entry.len as usize]);
            }
            bytes = sorted;
        }
        if self.lateness > 0 && !is_last {
            self.hold_back(&mut entries, &mut bytes);
        }
        Some(Batch { bytes, entries, kind, snaplen: self.snaplen })
    }

    /// Keeps the latest packets for the next batch, at most half of them.
    fn hold_back(&mut self, entries: &mut Vec<Entry>, bytes: &mut Vec<u8>) {
        let Some(last) = entries.last() else { return };
        let settled = last.time.as_nanos().saturating_sub(self.lateness.saturating_mul(2));
        let cut = entries.partition_point(|e| e.time.as_nanos() <= settled).max(entries.len().div_ceil(2));
        if cut == entries.len() {
            return;
        }
        let base = entries[cut].start;
        self.bytes.extend_from_slice(&bytes[base as usize..]);
        bytes.truncate(base as usize);
        self.entries.extend(entries.drain(cut..).map(|e| Entry { start: e.start - base, ..e }));
        self.is_sorted = true;
    }
}
