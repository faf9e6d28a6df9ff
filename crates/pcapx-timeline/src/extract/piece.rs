//! Pieces: parts of a segment, so that several threads can read one.

use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalog::Segment;
use crate::index::{Plan, Wanted};
use crate::segment::SegmentError;

/// Some of the ranges that a plan names.
#[derive(Debug)]
pub(super) struct Piece {
    planned: Arc<Planned>,
    ranges: Range<usize>,
}

/// A planned segment. All its pieces read the same open file, whatever happens to its name in the meantime.
#[derive(Debug)]
struct Planned {
    plan: Plan,
    file: Mutex<Option<Opened>>,
    /// Pieces that are not read yet; the file is closed behind the last one.
    left: AtomicUsize,
}

#[derive(Debug)]
struct Opened {
    file: File,
    is_listed_state: bool,
}

impl Piece {
    /// Everything that `plan` names.
    pub(super) fn all(plan: Plan) -> Self {
        let ranges = 0..plan.ranges.len();
        Self {
            planned: Arc::new(Planned { plan, file: Mutex::new(None), left: AtomicUsize::new(1) }),
            ranges,
        }
    }

    /// Cuts it where the ranges of a piece come to `bytes`.
    pub(super) fn cut(self, bytes: u64) -> Vec<Self> {
        let Self { planned, ranges } = self;
        let (mut pieces, mut from, mut sum) = (Vec::new(), ranges.start, 0);
        for number in ranges.clone() {
            let Range { start, end } = planned.plan.ranges[number].range;
            sum += end.saturating_sub(start);
            if sum >= bytes || number + 1 == ranges.end {
                pieces.push(Self { planned: Arc::clone(&planned), ranges: from..number + 1 });
                (from, sum) = (number + 1, 0);
            }
        }
        planned.left.store(pieces.len(), Ordering::Relaxed);
        pieces
    }

    /// What it is to read.
    pub(super) fn ranges(&self) -> &[Wanted] {
        &self.planned.plan.ranges[self.ranges.clone()]
    }

    /// Bytes that are going to be read of it.
    pub(super) fn bytes(&self) -> u64 {
        let len = |wanted: &Wanted| wanted.range.end.saturating_sub(wanted.range.start);
        self.ranges().iter().map(len).fold(0, u64::saturating_add)
    }

    pub(super) fn is_last(&self) -> bool {
        self.ranges.end == self.planned.plan.ranges.len()
    }

    /// The file, and whether the plan holds for it: whether it is in the state in which it was listed.
    pub(super) fn open(&self, segment: &Segment) -> Result<(File, bool), SegmentError> {
        let mut opened = self.planned.file.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.is_none() {
            let file = segment.open()?;
            let is_listed_state = segment.is_state_of(&file);
            *opened = Some(Opened { file, is_listed_state });
        }
        let Some(Opened { file, is_listed_state }) = opened.as_ref() else {
            return Err(SegmentError::TooShort { bytes: 0 });
        };
        Ok((file.try_clone()?, *is_listed_state))
    }

    /// The piece is read, or is not going to be.
    pub(super) fn done(&self) {
        if self.planned.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.planned.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}
