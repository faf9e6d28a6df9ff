//! The words of a manifest: states, failures, limits, formats.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a piece of evidence has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted and written down; nothing has been searched yet.
    Queued,
    /// What is there is not all: the window is still open, or a limit has cut the answer.
    Partial,
    /// Every packet of the window that was recorded and that matches is in the file.
    Complete,
    /// The window is over, or lies too far ahead to be waited for, and no packet matched.
    NoMatch,
    /// The extraction could not be done.
    Failed,
}

/// Why an extraction could not be done, in the words that programs look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It took longer than `extractor_timeout`.
    Timeout,
    /// npcapextract took longer than `extractor_timeout`.
    NpcapextractTimeout,
    /// npcapextract could not be started, failed, or left no file.
    NpcapextractFailed,
    /// Somebody asked for its end.
    Cancelled,
    /// There is no room for the answer, or less than `min_free_bytes` is left.
    NoSpace,
    /// The output folder cannot be written.
    NotWritable,
    /// The folder of the recording is gone, or closed to us.
    NotReadable,
    /// Anything else; the listener's log has the reason.
    Failed,
}

/// The limit that has cut an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `max_output_bytes`.
    Bytes,
    /// `max_output_packets`.
    Packets,
}

/// The format of a capture file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// libpcap's; pcapng where that cannot hold the packets.
    #[default]
    Pcap,
    /// pcapng, with comments that tell what the file is.
    Pcapng,
}

impl State {
    /// The word in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Partial => "partial",
            Self::Complete => "complete",
            Self::NoMatch => "no_match",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Format {
    /// The word in a manifest, and the ending of a file's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
        }
    }
}

impl Failure {
    /// What people are told.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Timeout => "the extraction took longer than it may",
            Self::NpcapextractTimeout => "npcapextract took longer than it may",
            Self::NpcapextractFailed => "npcapextract failed",
            Self::Cancelled => "the extraction was cancelled",
            Self::NoSpace => "there is not enough free space for evidence",
            Self::NotWritable => "the folder of evidence cannot be written",
            Self::NotReadable => "the recording cannot be read",
            Self::Failed => "the extraction failed",
        }
    }
}

/// A word that names no [`Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected pcap or pcapng")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Pcap, Self::Pcapng].into_iter().find(|format| format.as_str() == word).ok_or(UnknownFormat)
    }
}
