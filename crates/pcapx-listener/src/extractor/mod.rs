//! Who cuts the packets out: our own timeline, or npcapextract.
//!
//! ```text
//!                      ┌─► builtin       pcapx-timeline on a blocking thread ─┐
//! Cut{filter,window}                                                          ├─► Haul │ CutError
//!                      └─► npcapextract  a child in its own process group ────┘
//! ```
//!
//! The choice is made once, at start. Both kinds publish into the output folder by rename, end by themselves at
//! `extractor_timeout`, and end early when asked to.

mod builtin;
mod child;
mod choice;
mod notes;
mod npcapextract;
mod report;

use std::sync::Arc;

use pcapx_core::filter::Expr;
use pcapx_core::manifest::{Directions, Failure, Limit, Manifest, Search, hex};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::query::Limits;

pub(crate) use builtin::Recording;
pub(crate) use choice::{Choice, ChoiceError};

use self::builtin::Builtin;
use self::npcapextract::Npcapextract;
use self::report::Report;
use crate::cancel::Cancel;

/// Which packets are wanted, and what their file shall be called.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// What is known of the evidence: its name, its format, who asked.
    pub(crate) manifest: Arc<Manifest>,
    /// Which packets.
    pub(crate) filter: Expr,
    /// Of which time.
    pub(crate) window: Window,
    /// What is there has all packets before this instant: only what follows is added.
    pub(crate) from: Option<Timestamp>,
    /// Where the file is cut, by an extractor that can.
    pub(crate) limits: Limits,
    /// Bytes that are to stay free on the disk of the evidence.
    pub(crate) keep_free: u64,
    /// Up to when somebody recorded, also while nothing came; where that is known.
    pub(crate) recorded: Option<Timestamp>,
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
    /// Bytes read for it, of capture files and indexes, where the extractor tells.
    pub(crate) read_bytes: u64,
    /// The file's SHA-256.
    pub(crate) sha256: Option<[u8; 32]>,
    /// What went from and to the client, where its addresses are known.
    pub(crate) directions: Option<Directions>,
    /// What is known of the recording; `None` where the extractor does not tell.
    pub(crate) report: Option<Report>,
    /// The limit that has cut the file.
    pub(crate) limit: Option<Limit>,
    /// How long planning, searching and publishing took, in milliseconds.
    pub(crate) took_ms: (u64, u64, u64),
}

/// Why an extraction brought nothing in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CutError {
    /// It took longer than `extractor_timeout`.
    #[error("over the time limit")]
    TimedOut,
    /// Somebody asked for its end.
    #[error("asked to end")]
    Cancelled,
    /// There is no room for the answer.
    #[error("{0}")]
    NoSpace(String),
    /// The output folder cannot be written.
    #[error("{0}")]
    NotWritable(String),
    /// The recording cannot be read at all.
    #[error("{0}")]
    NotReadable(String),
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

impl Haul {
    /// Writes into `manifest` what was brought in. A file that is there already and of which nothing is found any more – it
    /// has been rotated away since – stays.
    pub(crate) fn tell(self, manifest: &mut Manifest) {
        if self.file.is_some() {
            manifest.file = self.file;
            manifest.bytes = self.bytes;
            manifest.packets = self.packets;
            manifest.directions = self.directions;
            manifest.sha256 = self.sha256.map(|hash| hex(&hash));
            manifest.limit = self.limit;
        } else if manifest.file.is_none() {
            manifest.packets = self.packets;
            manifest.limit = self.limit;
        }
        manifest.search = self.search;
        let (mut empty, mut unread) = (None, None);
        if let Some(report) = self.report {
            manifest.covered = report.covered;
            manifest.gaps = report.gaps;
            manifest.recording = report.recording;
            manifest.capture_drops = report.drops;
            manifest.segments = report.segments;
            manifest.unreadable = report.unreadable;
            (empty, unread) = (report.empty, report.unread);
        }
        manifest.reason = match manifest.limit {
            Some(Limit::Bytes) if manifest.file.is_none() => {
                Some("max_output_bytes has no room for the first packet that matched".to_owned())
            }
            Some(Limit::Bytes) => Some("cut off at max_output_bytes".to_owned()),
            Some(Limit::Packets) => Some("cut off at max_output_packets".to_owned()),
            None => empty.or(unread),
        };
        let (plan, search, publish) = self.took_ms;
        manifest.timings.plan_ms += plan;
        manifest.timings.search_ms += search;
        manifest.timings.publish_ms += publish;
        manifest.timings.searches += 1;
    }
}

impl Extractor {
    /// Its name as the configuration spells it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Builtin(_) => "builtin",
            Self::Npcapextract(_) => npcapextract::PROGRAM,
        }
    }

    /// Whether a complete answer can be no better when it is asked for again. An external program is run again, as ever.
    pub(crate) const fn is_exact(&self) -> bool {
        matches!(self, Self::Builtin(_))
    }

    /// Cuts out what `cut` asks for.
    pub(crate) async fn cut(&self, cut: &Cut, cancel: Cancel) -> Result<Haul, CutError> {
        match self {
            Self::Builtin(builtin) => builtin.cut(cut, cancel).await,
            Self::Npcapextract(external) => external.cut(cut, cancel).await,
        }
    }

    /// What clients are told of `error`.
    pub(crate) const fn failure_of(&self, error: &CutError) -> Failure {
        match (self, error) {
            (_, CutError::Cancelled) => Failure::Cancelled,
            (_, CutError::NoSpace(_)) => Failure::NoSpace,
            (_, CutError::NotWritable(_)) => Failure::NotWritable,
            (_, CutError::NotReadable(_)) => Failure::NotReadable,
            (Self::Builtin(_), CutError::TimedOut) => Failure::Timeout,
            (Self::Builtin(_), CutError::Failed(_)) => Failure::Failed,
            (Self::Npcapextract(_), CutError::TimedOut) => Failure::NpcapextractTimeout,
            (Self::Npcapextract(_), CutError::Failed(_)) => Failure::NpcapextractFailed,
        }
    }
}
