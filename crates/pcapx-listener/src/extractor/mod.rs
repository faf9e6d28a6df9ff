//! Who cuts the packets out: our own timeline, or npcapextract.
//!
//! ```text
//!                      ┌─► builtin       pcapx-timeline on a blocking thread ─┐
//! Cut{stem,filter,window}                                                     ├─► Haul │ CutError
//!                      └─► npcapextract  a child in its own process group ────┘
//! ```
//!
//! The choice is made once, at start. Both kinds publish into the output folder by rename, end by themselves at
//! `extractor_timeout`, and end early when asked to.

mod builtin;
mod child;
mod choice;
mod npcapextract;

use pcapx_core::filter::Expr;
use pcapx_core::window::Window;

pub(crate) use builtin::Recording;
pub(crate) use choice::{Choice, ChoiceError};

use self::builtin::Builtin;
use self::npcapextract::Npcapextract;
use crate::cancel::Cancel;
use crate::outcome::Outcome;

/// Which packets are wanted, and what their file shall be called.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The request's id, for the log.
    pub(crate) request: String,
    /// The file's name without its extension.
    pub(crate) stem: String,
    /// Which packets.
    pub(crate) filter: Expr,
    /// Of which time.
    pub(crate) window: Window,
}

/// What an extraction brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Haul {
    /// The published file's name; `None` when nothing matched.
    pub(crate) file: Option<String>,
    /// The file's length.
    pub(crate) bytes: Option<u64>,
    /// Packets in it, where the extractor tells.
    pub(crate) packets: Option<u64>,
    /// What was searched for them, where the extractor tells.
    pub(crate) search: Option<Search>,
}

/// What an extraction has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// Capture files searched.
    pub(crate) segments: u64,
    /// Capture files of the window whose indexes tell that no packet matches.
    pub(crate) excluded: u64,
    /// Capture files that could not be read, or not to their end.
    pub(crate) unread: u64,
    /// Packets looked at: of files with indexes those near a match, of others all.
    pub(crate) scanned: u64,
    /// Those of them that are in the window.
    pub(crate) in_window: u64,
}

/// Why an extraction brought nothing in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CutError {
    /// It took longer than `extractor_timeout`.
    #[error("over the time limit")]
    TimedOut,
    /// The service asked for its end.
    #[error("the service is stopping")]
    Cancelled,
    /// It failed; the text is for the log and may hold whatever a program wrote.
    #[error("{0}")]
    Failed(String),
}

/// The extractor in use.
#[derive(Debug)]
pub(crate) enum Extractor {
    /// Our own.
    Builtin(Builtin),
    /// ntop's.
    Npcapextract(Npcapextract),
}

impl Extractor {
    /// Its name as the configuration spells it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Builtin(_) => "builtin",
            Self::Npcapextract(_) => npcapextract::PROGRAM,
        }
    }

    /// Cuts out what `cut` asks for.
    pub(crate) async fn cut(&self, cut: &Cut, cancel: Cancel) -> Result<Haul, CutError> {
        match self {
            Self::Builtin(builtin) => builtin.cut(cut, cancel).await,
            Self::Npcapextract(external) => external.cut(cut, cancel).await,
        }
    }

    /// What clients are told of `error`.
    pub(crate) const fn outcome_of(&self, error: &CutError) -> Outcome {
        match (self, error) {
            (_, CutError::Cancelled) => Outcome::Cancelled,
            (Self::Builtin(_), CutError::TimedOut) => Outcome::Timeout,
            (Self::Builtin(_), CutError::Failed(_)) => Outcome::Failed,
            (Self::Npcapextract(_), CutError::TimedOut) => Outcome::NpcapextractTimeout,
            (Self::Npcapextract(_), CutError::Failed(_)) => Outcome::NpcapextractFailed,
        }
    }
}
