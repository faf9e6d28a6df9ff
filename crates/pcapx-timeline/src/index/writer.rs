//! Writes an index to a hidden file and gives it its name when it is complete.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::builder::{Builder, Sealed};
use super::refusal::is_full;
use super::{IndexError, Summary, place};

/// Bytes written at once.
const WRITE_BYTES: usize = 64 * 1024;
/// Owner writes, group reads: as the segments.
const FILE_MODE: u32 = 0o640;
/// How often the hidden file may have got its name between being opened and being locked.
const LOCK_ATTEMPTS: usize = 8;

/// An index in the making. Dropped before it is [published](Self::publish), it leaves nothing behind.
///
/// The hidden name follows from the final one, and whoever writes holds a lock on the file: two builders of one segment do
/// not disturb each other, and what a builder that was killed has left is taken over by the next.
#[derive(Debug)]
pub struct IndexWriter {
    builder: Option<Builder<BufWriter<File>>>,
    hidden: PathBuf,
    path: PathBuf,
    /// Holds the lock until the file has its name or is gone.
    _lock: File,
    is_published: bool,
}

impl IndexWriter {
    /// Begins the index that is to stand at `path`; its folder is created if need be.
    pub fn create(path: &Path) -> Result<Self, IndexError> {
        let hidden = place::building(path);
        let folder = hidden.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        for _ in 0..LOCK_ATTEMPTS {
            // Neither a link nor a pipe of that name is ours: the one would lead elsewhere, the other would wait.
            let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(FILE_MODE)
                .custom_flags(flags)
                .open(&hidden)
                .map_err(|error| cannot_be(folder, error))?;
            if !file.metadata()?.is_file() {
                return Err(IndexError::Occupied(io::ErrorKind::AlreadyExists.into()));
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(IndexError::Busy),
                Err(TryLockError::Error(e)) => return Err(e.into()),
            }
            let is_ours = fs::metadata(&hidden).is_ok_and(|named| {
                file.metadata().is_ok_and(|open| (open.dev(), open.ino()) == (named.dev(), named.ino()))
            });
            if is_ours {
                file.set_len(0)?;
                // The same open file, and so the same lock.
                let lock = file.try_clone()?;
                let builder = Some(Builder::new(BufWriter::with_capacity(WRITE_BYTES, file))?);
                return Ok(Self { builder, hidden, path: path.to_owned(), _lock: lock, is_published: false });
            }
        }
        Err(IndexError::Busy)
    }

    /// What takes the packets.
    pub fn builder(&mut self) -> Option<&mut Builder<impl io::Write + use<>>> {
        self.builder.as_mut()
    }

    /// Completes the index, makes it durable and gives it its name. Returns what it says and its length.
    pub fn publish(mut self, sealed: &Sealed) -> Result<(Summary, u64), IndexError> {
        let Some(builder) = self.builder.take() else { return Err(IndexError::Cancelled) };
        let (out, summary) = builder.finish(sealed)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_data()?;
        let len = file.metadata()?.len();
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::rename(&self.hidden, &self.path).map_err(|error| cannot_be(folder, error))?;
        self.is_published = true;
        File::open(folder)?.sync_all()?;
        Ok((summary, len))
    }
}

/// Why a file cannot be created or named in `folder`: for a reason of its own, or for one that no file can be there.
fn cannot_be(folder: &Path, error: io::Error) -> IndexError {
    match tempfile::tempfile_in(folder) {
        Ok(_) if !is_full(&error) => IndexError::Occupied(error),
        _ => IndexError::Write(error),
    }
}

impl Drop for IndexWriter {
    fn drop(&mut self) {
        // Still locked, so it is ours to remove. When that fails, the next builder takes it over.
        if !self.is_published {
            let _ = fs::remove_file(&self.hidden);
        }
    }
}
