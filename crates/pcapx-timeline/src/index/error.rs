//! Why an index is not used.

use std::io;

/// Why an index is not used. The segment is scanned instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// There is none.
    #[error("there is no index")]
    Missing,
    /// The segment has changed since: length, modification time or inode are others.
    #[error("the index is of an earlier state of the file")]
    Stale,
    /// Its format is another.
    #[error("the index has version {version} of the format, this program reads version {known}", known = super::VERSION)]
    Version {
        /// What its trailer says.
        version: u32,
    },
    /// What stands at `offset` of the index cannot stand there.
    #[error("the index is damaged at byte {offset}")]
    Damaged {
        /// Place in the index file.
        offset: u64,
    },
    /// Another process is building it.
    #[error("another process is building the index")]
    Busy,
    /// It is there, and the operating system does not let it be read.
    #[error("the index cannot be read: {0}")]
    Read(io::Error),
    /// No index can be written where it is to stand: a folder that refuses, a full disk.
    #[error("the index cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The folder takes files, but not this one under its names: they are too long, or taken by something else.
    #[error("the index cannot be written under its name, while its folder takes other files: {0}")]
    Occupied(io::Error),
    /// The segment itself cannot be indexed.
    #[error(transparent)]
    Segment(#[from] crate::segment::SegmentError),
    /// The caller has ended it.
    #[error("the indexing was cancelled")]
    Cancelled,
}

impl IndexError {
    pub(super) fn damaged(offset: u64) -> Self {
        Self::Damaged { offset }
    }
}
