//! Tells the kernel what is going to be read, so that a disk works while packets are tested.
//!
//! What is in the page cache needs no advice, and advice costs as much as reading it. So nothing is said before a read has
//! been slow.

use std::collections::VecDeque;
use std::fs::File;
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::fs::{Advice, fadvise};

use super::Candidate;
use crate::index::Wanted;

/// Bytes asked for ahead of the place that is being read: a disk's queue is full with less.
const AHEAD_BYTES: u64 = 4 << 20;
/// Of a segment that is read whole, its beginning is enough: the kernel reads ahead itself from there.
const HEAD_BYTES: u64 = 1 << 20;

/// Whether reading and testing `bytes` has taken so long that a disk was waited for: from the page cache it takes a third of
/// a nanosecond a byte, while the fastest disks need 50 µs for anything.
pub(super) fn is_slow(bytes: u64, took: Duration) -> bool {
    took > Duration::from_micros(50) + Duration::from_nanos(bytes)
}

/// Goes a little ahead of a reader through the ranges of a plan.
///
/// Advice is all this is: whatever the kernel makes of it, the ranges can be read.
#[derive(Debug)]
pub(super) struct ReadAhead<'r> {
    file: &'r File,
    ranges: &'r [Wanted],
    /// Lengths of the ranges that were asked for and are not read yet.
    asked: VecDeque<u64>,
    asked_bytes: u64,
    /// The next range to be asked for.
    next: usize,
    is_random_told: bool,
}

impl<'r> ReadAhead<'r> {
    pub(super) fn new(file: &'r File, ranges: &'r [Wanted]) -> Self {
        Self { file, ranges, asked: VecDeque::new(), asked_bytes: 0, next: 0, is_random_told: false }
    }

    /// The range `number` is going to be read now; those before it have been.
    pub(super) fn advance(&mut self, number: usize) {
        if self.next < number {
            self.next = number;
        } else {
            self.asked_bytes -= self.asked.pop_front().unwrap_or_default();
        }
        if !self.is_random_told && self.ranges.len() > 1 {
            // What lies between the ranges is not wanted.
            let _ = fadvise(self.file, 0, None, Advice::Random);
            self.is_random_told = true;
        }
        while self.asked_bytes < AHEAD_BYTES
            && let Some(Wanted { range, .. }) = self.ranges.get(self.next)
        {
            let len = (range.end - range.start).min(AHEAD_BYTES);
            ask(self.file, range.start, len);
            self.asked.push_back(len);
            self.asked_bytes += len;
            self.next += 1;
        }
    }
}

/// Asks for what is going to be read first of `candidate`.
pub(super) fn ask_for_head(candidate: &Candidate<'_>) {
    let Ok(file) = candidate.segment.open() else { return };
    match candidate.ranges() {
        Some(ranges) => ReadAhead::new(&file, ranges).advance(0),
        None => ask(&file, 0, HEAD_BYTES),
    }
}

fn ask(file: &File, at: u64, len: u64) {
    let _ = fadvise(file, at, NonZeroU64::new(len), Advice::WillNeed);
}
