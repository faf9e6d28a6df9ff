//! What an extraction can say of the recording, as a manifest tells it.

use std::path::Path;

use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{Segment, Span, Unreadable};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::catalog::SETTLE;
use pcapx_timeline::coverage::{Coverage, EmptyReason};
use pcapx_timeline::warning::{Warning, WarningKind};

/// Segments that a manifest names; a longer window has the number of the others.
const NAMED_SEGMENTS: usize = 1000;
/// Files that could not be read and are named.
const NAMED_UNREADABLE: usize = 100;

/// What is said of them as a whole.
const UNREAD: &str = "files of that time could not be read to their ends: packets can be missing";

/// What is known of the recording within a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// What of the window was recorded.
    pub(crate) covered: Vec<Span>,
    /// What of it was not.
    pub(crate) gaps: Vec<Span>,
    /// Oldest and newest packet of the whole recording.
    pub(crate) recording: Option<Span>,
    /// Packets lost within the window.
    pub(crate) drops: Option<u64>,
    /// The segments of the window.
    pub(crate) segments: Vec<Segment>,
    /// Files that could not be read.
    pub(crate) unreadable: Vec<Unreadable>,
    /// That packets can be missing because of some of them. What nobody reads – archives that stand beside – is not meant.
    pub(crate) unread: Option<String>,
    /// Why nothing was found, if nothing was.
    pub(crate) empty: Option<String>,
}

impl Report {
    /// What `coverage` tells, paths below `timeline`, times of sentences in `zone`.
    pub(super) fn of(coverage: &Coverage, is_empty: bool, timeline: &Path, zone: &LocalZone) -> Self {
        let name = |path: &Path| below(path, timeline);
        let segments = coverage.segments.iter().take(NAMED_SEGMENTS).map(|segment| Segment {
            file: name(&segment.path),
            first: Some(segment.first),
            last: segment.last,
            packets: segment.packets,
        });
        let unreadable = coverage
            .segments_unreadable
            .iter()
            .take(NAMED_UNREADABLE)
            .map(|warning| Unreadable { file: name(&warning.path), reason: reason(warning) });
        let is_unread = coverage
            .segments_unreadable
            .iter()
            .any(|warning| matches!(warning.kind, WarningKind::Unreadable(_) | WarningKind::Damaged(_)));
        Self {
            covered: coverage.covered.iter().copied().map(Span::of).collect(),
            gaps: coverage.gaps.iter().map(|gap| Span { from: gap.from, to: gap.to }).collect(),
            recording: coverage.oldest.zip(coverage.newest).map(|(from, to)| Span { from, to }),
            drops: coverage.drops.total(),
            segments: segments.collect(),
            unreadable: unreadable.collect(),
            unread: is_unread.then(|| UNREAD.to_owned()),
            empty: is_empty.then(|| sentence(&coverage.why_empty(), coverage, timeline, zone)),
        }
    }
}

/// Why nothing was found, in words for people: no path of this machine, local time.
fn sentence(reason: &EmptyReason, coverage: &Coverage, timeline: &Path, zone: &LocalZone) -> String {
    let at = |time: Timestamp| zone.spoken(time);
    match reason {
        EmptyReason::NothingRecorded { .. } if coverage.oldest.is_none() => {
            "nothing is recorded at all".to_owned()
        }
        EmptyReason::NothingRecorded { gap } => {
            format!("nothing was recorded {}", stretch(*gap, coverage.window, zone))
        }
        EmptyReason::RotatedOut { horizon } => {
            let horizon = at(*horizon);
            format!("already rotated out or never recorded, the recording reaches back to {horizon}")
        }
        EmptyReason::NotYetWritten { newest }
            if coverage.window.end() < Timestamp::now().saturating_sub(SETTLE) =>
        {
            format!("nothing was written after {}, is the recorder running?", at(*newest))
        }
        EmptyReason::NotYetWritten { newest } => {
            format!("not yet written, the recording reaches to {}", at(*newest))
        }
        EmptyReason::NothingMatched { packets: 0, segments: 0, .. } => {
            "no packet came in this time".to_owned()
        }
        EmptyReason::NothingMatched { packets, segments, missing } => {
            let files = if *segments == 1 {
                "1 capture file".to_owned()
            } else {
                format!("{segments} capture files")
            };
            let lost = match missing.as_secs() {
                0 => String::new(),
                secs => format!(", {secs} s of the time were not recorded"),
            };
            format!("the filter matched none of {packets} packets in {files}{lost}")
        }
        _ => {
            let files = coverage.segments_unreadable.len();
            let first = coverage.segments_unreadable.first().map(|warning| below(&warning.path, timeline));
            let first = first.unwrap_or_default();
            if files == 1 {
                format!("the capture file {first} could not be read")
            } else {
                format!("{files} capture files could not be read, the first is {first}")
            }
        }
    }
}

fn stretch(gap: Window, window: Window, zone: &LocalZone) -> String {
    if gap == window {
        "in this time".to_owned()
    } else {
        format!("between {} and {}", zone.spoken(gap.start()), zone.spoken(gap.end()))
    }
}

/// A path as readers of the timeline know it.
fn below(path: &Path, timeline: &Path) -> String {
    let known = path.strip_prefix(timeline).ok().or_else(|| path.file_name().map(Path::new));
    known.unwrap_or(path).to_string_lossy().into_owned()
}

/// What is the matter with a file, without its path.
fn reason(warning: &Warning) -> String {
    let (told, path) = (warning.to_string(), format!("{:?} ", warning.path));
    told.strip_prefix(&path).unwrap_or(&told).to_owned()
}
