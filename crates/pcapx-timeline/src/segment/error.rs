//! Why a segment, or the rest of one, cannot be read.

use std::io;

/// Why a segment, or the rest of one, cannot be read.
///
/// The path is not part of the sentence: whoever opened the file knows it and puts it in front.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The operating system refused.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file has no bytes yet, or fewer than a file header.
    #[error("holds {bytes} bytes, less than a file header")]
    TooShort {
        /// Length of the file.
        bytes: u64,
    },
    /// The first bytes are those of no capture format.
    #[error("is not a capture file (it begins with {magic:#010x})")]
    NotACapture {
        /// The first four bytes, read as big-endian.
        magic: u32,
    },
    /// The first bytes are those of a format that needs other tools.
    #[error("is {what}: unpack or convert it to pcap to have it searched")]
    Unsupported {
        /// The format, as a noun.
        what: &'static str,
    },
    /// What stands at `offset` cannot be a record. All packets before it are good.
    #[error("is damaged at byte {offset}: {what}; what follows is not read")]
    Damaged {
        /// Place in the file.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
}

impl SegmentError {
    /// For files of our own making: what their reader stumbles over is a fault of the disk.
    pub(crate) fn into_io(self) -> io::Error {
        match self {
            Self::Io(e) => e,
            other => io::Error::other(other),
        }
    }
}
