//! The file system that the recording shares with others.

use std::path::Path;

use rustix::fs::statvfs;

use super::StorageError;

/// A file system, as it is filled at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Bytes that it can hold.
    pub(crate) total: u64,
    /// Bytes that it holds, whoever wrote them.
    pub(crate) used: u64,
    /// Bytes that an ordinary user can add.
    pub(crate) free: u64,
}

impl Volume {
    /// The file system of a folder.
    pub(crate) fn of(folder: &Path) -> Result<Self, StorageError> {
        let stat = statvfs(folder)
            .map_err(|e| StorageError::Folder { path: folder.to_owned(), source: e.into() })?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Self {
            total: bytes(stat.f_blocks),
            used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
            free: bytes(stat.f_bavail),
        })
    }
}
