//! One recorder for a folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::StorageError;

/// The file that is locked; its text is the process that holds it.
const LOCK_NAME: &str = ".pcapx-recorder.lock";
const LOCK_MODE: u32 = 0o640;

/// Held while a recorder writes to a folder; whoever dies lets go of it.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Locks `folder`, or tells who has it.
    pub fn take(folder: &Path) -> Result<Self, StorageError> {
        let path = folder.join(LOCK_NAME);
        let failed = |source| StorageError::Folder { path: PathBuf::from(&path), source };
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(LOCK_MODE).open(&path);
        drop(made.map_err(failed)?);
        // Open to be read only: a disk that is to be remounted so must not be in use for writing.
        let file = File::open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(e)) => return Err(failed(e)),
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // Whatever the file says is only for people to read.
                let _ = file.take(20).read_to_string(&mut process);
                let process = if process.trim().is_empty() { "unknown" } else { process.trim() };
                return Err(StorageError::InUse { folder: folder.to_owned(), process: process.to_owned() });
            }
        }
        // On a full disk nobody is told.
        let _ = fs::write(&path, format!("{}\n", std::process::id()));
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_recorder_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = FolderLock::take(dir.path()).unwrap();
        let second = FolderLock::take(dir.path()).unwrap_err().to_string();
        assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
        drop(first);
        FolderLock::take(dir.path()).unwrap();
    }
}
