//! Why a query gave no answer.

use std::io;
use std::path::PathBuf;

use crate::control::CancelToken;

/// Why a query gave no answer. No file is left behind, and what stood under the output's name stands there still.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The caller's token ended it.
    #[error("the extraction was cancelled")]
    Cancelled,
    /// The deadline of the caller's token passed.
    #[error("the extraction did not end in time")]
    DeadlinePassed,
    /// The output cannot be written.
    #[error("the output {path:?} cannot be written: {source}")]
    Output {
        /// The file or its folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// There would be less free space on the volume than [is to be kept](crate::query::Query::keep_free).
    #[error("the output {path:?} has no room: less than {floor} bytes would be left free")]
    NoRoom {
        /// The file or its folder.
        path: PathBuf,
        /// The floor, in bytes.
        floor: u64,
    },
    /// A thread of the extraction could not be started.
    #[error("no thread to read with: {0}")]
    Thread(io::Error),
    /// Packets of different kinds were found for a format that holds one kind. Not seen outside of this crate: the
    /// query runs again for another format.
    #[error("packets of different link types or precisions do not fit into one pcap file")]
    #[doc(hidden)]
    KindsDiffer,
}

impl ExtractError {
    pub(crate) fn cancelled(token: &CancelToken) -> Self {
        if token.is_past_deadline() { Self::DeadlinePassed } else { Self::Cancelled }
    }
}
