//! Why packets cannot be stored.

use std::io;
use std::path::PathBuf;

/// Why packets cannot be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A segment cannot be created, written or sealed.
    #[error("the segment {path:?} cannot be written: {source}")]
    Segment {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A folder or a link of the layout cannot be made or read.
    #[error("{path:?} cannot be used for recording: {source}")]
    Folder {
        /// The folder or link.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The dump folder was removed, or its volume taken away.
    #[error(
        "{folder:?} is gone: somebody has removed it, or its disk is no longer there; recording can go on when it is back"
    )]
    Vanished {
        /// The dump folder.
        folder: PathBuf,
    },
    /// Another recorder writes to the same folder.
    #[error(
        "another recorder writes to {folder:?} (process {process}): stop it, or record to another folder"
    )]
    InUse {
        /// The dump folder.
        folder: PathBuf,
        /// Its process, as far as it is known.
        process: String,
    },
    /// A segment that is too much cannot be removed.
    #[error(
        "{path:?} is too much for the disk limit and cannot be removed: {source}; the recorder's user has to own it and its folder"
    )]
    NotRemovable {
        /// The segment.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The limit leaves no room for even one segment.
    #[error(
        "the disk limit of {limit} bytes has no room for two segments of {segment} bytes: raise it, or make segments smaller"
    )]
    LimitTooSmall {
        /// The limit in bytes.
        limit: u64,
        /// Bytes of a segment at most.
        segment: u64,
    },
    /// A thread could not be started.
    #[error("no thread to write with: {0}")]
    Thread(io::Error),
}

impl StorageError {
    /// Whether removing something would help.
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::Segment { source, .. } | Self::Folder { source, .. } => is_disk_full(source),
            _ => false,
        }
    }
}

/// Whether removing something would help.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
