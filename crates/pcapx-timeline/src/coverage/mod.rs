//! Coverage: what of the asked window the timeline has, and what it has lost.
//!
//! ```text
//! segments of the window ─► recorded spans ─► joined ─► covered ─┐
//! and those next to it                          └─────► gaps     ├─► Coverage ─► why an answer is empty
//! indexes, scans ─► packets, drops; extremes ─► horizon ─────────┘
//! ```
//!
//! It is gathered while the query looks at its segments, and costs a few look-ups beside that: nothing is read that the
//! query would not read, but for the ends of at most four segments.
//!
//! **What counts as recorded.** Of a segment whose index tells between which instants it was recorded, exactly that span,
//! with or without packets. Of any other one the span of its packets. A recorder that does not say so leaves no sign of
//! a quiet link: two segments whose packets are at most [`GAP_TOLERANCE`] apart are taken for one recording, and where
//! they are further apart there is a [`Gap`], although it may be that nothing came. A pause within a segment is no gap.
//!
//! **Where the timeline begins and ends.** Of times before the [oldest](Coverage::oldest) packet and after the
//! [newest](Coverage::newest) nothing is known: they are gaps of a [kind](GapKind) of their own. Who knows that the
//! recording is complete up to a later instant than the newest packet tells the query
//! ([`Query::complete_up_to`](crate::Query::complete_up_to)).

mod draft;
mod empty;
mod gathered;
mod spans;
mod troubled;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use draft::{Draft, Seen};
pub use empty::EmptyReason;

use crate::warning::Warning;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// Segments whose packets are no further apart are one recording, where no recorder tells it. Links that carry
/// traffic worth recording are never quiet for that long, and no recorder is started again that fast unseen.
pub const GAP_TOLERANCE: Duration = Duration::from_secs(10);

/// What of a window the timeline has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// What was asked for.
    pub window: Window,
    /// The segments that were recorded in the window, in the order of their first packets.
    pub segments: Vec<SegmentCoverage>,
    /// The stretches of the window that were recorded, in order; none touches the next.
    pub covered: Vec<Window>,
    /// The others, in order.
    pub gaps: Vec<Gap>,
    /// What was lost while the segments of the window were recorded. Segments are the smallest unit: what was lost in
    /// the part of one that lies outside of the window counts as well.
    pub drops: Drops,
    /// The time of the oldest packet of the whole timeline: the horizon.
    pub oldest: Option<Timestamp>,
    /// The time of its newest packet.
    pub newest: Option<Timestamp>,
    /// Files that can hold packets of the window and cannot be used, or not to their end, and why.
    pub segments_unreadable: Vec<Warning>,
    /// Packets of the segments of the window, those outside of it included, as far as they were counted.
    pub packets_in_segments: u64,
}

/// A segment of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentCoverage {
    /// The file.
    pub path: PathBuf,
    /// Its length when it was listed.
    pub bytes: u64,
    /// Its earliest packet.
    pub first: Timestamp,
    /// Its latest packet, where that is known.
    pub last: Option<Timestamp>,
    /// How many packets it has: told by its index, or counted where all of it was read.
    pub packets: Option<u64>,
    /// Between which instants it was recorded, where its recorder tells.
    pub recorded: Option<Window>,
    /// What was lost meanwhile.
    pub drops: Drops,
    /// Whether it is being written: its name says so, or it is the newest and was written to in the last minute.
    pub is_growing: bool,
    /// Whether an index told what to read of it.
    pub is_indexed: bool,
}

/// Packets that were lost, where somebody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Dropped by the kernel.
    pub kernel: Option<u64>,
    /// Dropped by the recorder.
    pub recorder: Option<u64>,
}

/// A stretch of the window in which nothing was recorded. Its ends belong to what stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last instant before it.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// Where it lies.
    pub kind: GapKind,
}

/// Where a gap lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapKind {
    /// Before the oldest packet: rotated out, or never recorded.
    BeforeOldest,
    /// Between segments: nobody recorded, or what was recorded has been removed or cannot be read.
    Between,
    /// After the newest packet: not written yet, or nobody records.
    AfterNewest,
}

impl Gap {
    /// How long it is.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.to.as_nanos().abs_diff(self.from.as_nanos()))
    }
}

impl Drops {
    /// All that is known to be lost; `None` where nobody knows.
    pub fn total(&self) -> Option<u64> {
        match (self.kernel, self.recorder) {
            (None, None) => None,
            (kernel, recorder) => Some(kernel.unwrap_or(0).saturating_add(recorder.unwrap_or(0))),
        }
    }

    fn add(&mut self, other: Self) {
        let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        self.kernel = add(self.kernel, other.kernel);
        self.recorder = add(self.recorder, other.recorder);
    }
}

impl Coverage {
    /// Of a timeline that has nothing.
    pub(crate) fn none(window: Window) -> Self {
        Self {
            window,
            segments: Vec::new(),
            covered: Vec::new(),
            gaps: Vec::new(),
            drops: Drops::default(),
            oldest: None,
            newest: None,
            segments_unreadable: Vec::new(),
            packets_in_segments: 0,
        }
    }

    /// Whether all of the window was recorded, and everything of it can be read.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.segments_unreadable.is_empty()
    }

    /// How much of the window was not recorded.
    pub fn missing(&self) -> Duration {
        self.gaps.iter().map(Gap::duration).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Why no packet is in the answer, if none is.
    pub fn why_empty(&self) -> EmptyReason {
        EmptyReason::of(self)
    }
}

impl Default for Coverage {
    fn default() -> Self {
        Self::none(Window::ALL)
    }
}
