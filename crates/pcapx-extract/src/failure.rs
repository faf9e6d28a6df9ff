//! Why there is no answer: each error's sentence and its exit code.

use std::io;
use std::path::PathBuf;

use pcapx_core::local::LocalZone;
use pcapx_core::window::WindowReversed;
use pcapx_timeline::catalog::TimelineError;
use pcapx_timeline::extract::ExtractError;
use pcapx_timeline::segment::SegmentError;

use crate::exit::Code;
use crate::marked_filter::RefusedFilter;
use crate::time::TimeError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(&'static str),
    #[error("{option}: {source}")]
    Time { option: &'static str, source: TimeError },
    #[error(transparent)]
    Filter(#[from] RefusedFilter),
    #[error("the window ends (-e {end}) before it begins (-b {begin}), {zone} time: exchange -b and -e")]
    WindowReversed { begin: String, end: String, zone: String },
    #[error(
        "{0}\ncheck the path given with -t; n2disk's folders are open to the user n2disk and the group ntop alone"
    )]
    Timeline(#[from] TimelineError),
    #[error("the file {path:?} {source}")]
    NotACapture { path: PathBuf, source: SegmentError },
    #[error("{0}")]
    Extract(ExtractError),
    #[error("{path:?} cannot be written: {source}")]
    Output { path: PathBuf, source: io::Error },
    #[error(
        "the answer cannot be kept in {path:?} until it is complete: {source}\nset TMPDIR to a folder with room"
    )]
    Spool { path: PathBuf, source: io::Error },
    #[error("standard output cannot be written: {0}")]
    Stdout(io::Error),
    #[error(
        "{0:?} is of an earlier answer, which would mix with this one: choose another folder or prefix (-x)"
    )]
    PartsPresent(PathBuf),
    #[error("ended by signal {0}")]
    Interrupted(u8),
    #[error("signals cannot be watched: {0}")]
    Signals(io::Error),
}

impl Failure {
    pub(crate) fn window_reversed(reversed: WindowReversed, zone: &LocalZone) -> Self {
        let (begin, end) = (zone.spoken(reversed.start), zone.spoken(reversed.end));
        Self::WindowReversed { begin, end, zone: zone.to_string() }
    }

    /// How the process ends.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Usage(_) | Self::Time { .. } | Self::Filter(_) | Self::WindowReversed { .. } => Code::Usage,
            Self::Timeline(_) | Self::NotACapture { .. } => Code::Unreadable,
            Self::Extract(ExtractError::Output { .. } | ExtractError::NoRoom { .. })
            | Self::Output { .. }
            | Self::Spool { .. }
            | Self::Stdout(_)
            | Self::PartsPresent(_) => Code::Unwritable,
            Self::Extract(_) | Self::Signals(_) => Code::System,
            Self::Interrupted(signal) => Code::Interrupted(*signal),
        }
    }
}
