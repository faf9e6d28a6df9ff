//! Why an answer has no packets.

use std::fmt;
use std::time::Duration;

use super::{Coverage, GapKind};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// Why an answer has no packets. `Display` is half a sentence, to be put behind "no packets matched".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmptyReason {
    /// Nobody recorded then.
    NothingRecorded {
        /// The stretch without a recording that the window lies in, as far as it lies in the window.
        gap: Window,
    },
    /// The window ends before the oldest packet that is left.
    RotatedOut {
        /// The oldest packet of the timeline.
        horizon: Timestamp,
    },
    /// The window begins after the newest packet that is written.
    NotYetWritten {
        /// The newest packet of the timeline.
        newest: Timestamp,
    },
    /// The filter is true of no packet of the window.
    NothingMatched {
        /// Packets of the window's segments, as far as they were counted.
        packets: u64,
        /// Segments of the window.
        segments: u64,
        /// How much of the window was not recorded.
        missing: Duration,
    },
    /// What the window's segments hold cannot be told.
    Unreadable {
        /// How many of them.
        segments: u64,
        /// The first of them and why.
        first: String,
    },
}

impl EmptyReason {
    pub(super) fn of(coverage: &Coverage) -> Self {
        let Coverage { window, gaps, segments, .. } = coverage;
        let unreadable = || {
            let first = coverage.segments_unreadable.first()?;
            let segments = coverage.segments_unreadable.len() as u64;
            Some(Self::Unreadable { segments, first: first.to_string() })
        };
        // A part of the recording that cannot be read is there; what was never part of it may be an archive.
        if coverage.segments_unreadable.iter().any(|warning| warning.kind.is_lost())
            && let Some(reason) = unreadable()
        {
            return reason;
        }
        let whole = (coverage.covered.is_empty() && segments.is_empty()).then(|| gaps.first()).flatten();
        match (whole.map(|gap| gap.kind), coverage.oldest, coverage.newest) {
            (Some(GapKind::BeforeOldest), Some(horizon), _) => return Self::RotatedOut { horizon },
            (Some(GapKind::AfterNewest), _, Some(newest)) => return Self::NotYetWritten { newest },
            _ => {}
        }
        if let Some(reason) = unreadable() {
            return reason;
        }
        if segments.is_empty() && coverage.covered.is_empty() {
            return Self::NothingRecorded { gap: *window };
        }
        Self::NothingMatched {
            packets: coverage.packets_in_segments,
            segments: segments.len() as u64,
            missing: coverage.missing(),
        }
    }
}

impl fmt::Display for EmptyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingRecorded { gap } => {
                write!(f, "nothing was recorded between {} and {}", gap.start(), gap.end())
            }
            Self::RotatedOut { horizon } => {
                write!(f, "the window lies before the oldest packet that is kept, of {horizon}")
            }
            Self::NotYetWritten { newest } => {
                write!(f, "the window lies after the newest packet that is written, of {newest}")
            }
            Self::NothingMatched { packets: 0, segments: 0, .. } => {
                f.write_str("no packet came in the window")
            }
            Self::NothingMatched { packets, segments, missing } => {
                write!(f, "the filter is true of none of {packets} packets in {segments} segments")?;
                if missing.is_zero() {
                    return Ok(());
                }
                write!(f, "; {:.3} s of the window were not recorded", missing.as_secs_f64())
            }
            Self::Unreadable { segments: 1, first } => write!(f, "a segment cannot be used: {first}"),
            Self::Unreadable { segments, first } => {
                write!(f, "{segments} segments cannot be used, the first: {first}")
            }
        }
    }
}
