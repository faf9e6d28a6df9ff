//! Opens an index and believes it only as far as it proves itself.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::chunk::{self, CRC_BYTES, Extent};
use super::directory::{Directory, LEAST_BYTES, MARK, TRAILER_BYTES, Trailer};
use super::{Identity, IndexError, IndexPlace, Summary};

/// Bytes read at the end of an index: trailer and, for most segments, the whole directory.
const TAIL_BYTES: u64 = 4096;

/// An index that is of this segment, in this state, with a directory that is right.
#[derive(Debug)]
pub struct IndexReader {
    file: File,
    pub(super) directory: Directory,
    bytes_read: Cell<u64>,
    /// The end of the file, from `tail_at` on: of a small index, all that there is to read.
    tail: Vec<u8>,
    tail_at: u64,
}

impl IndexReader {
    /// Opens the index of `file`, which is in the state `segment`.
    pub fn find(place: &IndexPlace, file: &Path, segment: &Identity) -> Result<Self, IndexError> {
        let mut why = IndexError::Missing;
        for path in place.to_read(file) {
            match Self::open(&path, segment) {
                Ok(reader) => return Ok(reader),
                Err(IndexError::Missing) => {}
                Err(e) => why = e,
            }
        }
        Err(why)
    }

    /// Opens the index at `path`.
    pub fn open(path: &Path, segment: &Identity) -> Result<Self, IndexError> {
        // A pipe of that name would let the opener wait for ever.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(e) if is_nowhere(&e) => return Err(IndexError::Missing),
            Err(e) => return Err(IndexError::Read(e)),
        };
        let metadata = file.metadata().map_err(IndexError::Read)?;
        if !metadata.is_file() {
            return Err(IndexError::damaged(0));
        }
        let len = metadata.len();
        if len < LEAST_BYTES {
            return Err(IndexError::damaged(len));
        }
        let mut tail = vec![0; len.min(TAIL_BYTES) as usize];
        let tail_at = len - tail.len() as u64;
        read_exact(&file, &mut tail, tail_at)?;
        let trailer = tail.last_chunk::<TRAILER_BYTES>().ok_or(IndexError::damaged(len))?;
        let trailer = Trailer::decode(trailer, len)?;
        if trailer.segment != *segment {
            return Err(IndexError::Stale);
        }
        let mut bytes_read = tail.len() as u64;
        let Extent { at, len } = trailer.directory;
        let mut long = Vec::new();
        let chunk = if let Some(chunk) = within(&tail, tail_at, trailer.directory) {
            chunk
        } else {
            long.resize(len as usize + CRC_BYTES, 0);
            read_exact(&file, &mut long, at)?;
            bytes_read += long.len() as u64;
            &long[..]
        };
        let damaged = IndexError::damaged(at);
        if !chunk::verify(chunk, at) {
            return Err(damaged);
        }
        let directory = Directory::decode(&chunk[..len as usize], at).ok_or(damaged)?;
        Ok(Self { file, directory, bytes_read: Cell::new(bytes_read), tail, tail_at })
    }

    /// What the index tells of its segment as a whole.
    pub fn summary(&self) -> &Summary {
        &self.directory.summary
    }

    /// Bytes read of the index so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }

    /// Checks the first bytes, too, and every chunk: for those who want to know whether an index is sound.
    pub fn verify(&self) -> Result<(), IndexError> {
        let mut mark = [0; MARK.len()];
        read_exact(&self.file, &mut mark, 0)?;
        if mark != MARK {
            return Err(IndexError::damaged(0));
        }
        self.plan(None, pcapx_core::window::Window::ALL)?;
        for part in &self.directory.parts {
            self.verify_part(part)?;
        }
        Ok(())
    }

    /// Reads a chunk into `bytes`.
    pub(super) fn chunk(&self, extent: Extent, bytes: &mut Vec<u8>) -> Result<(), IndexError> {
        if let Some(chunk) = within(&self.tail, self.tail_at, extent) {
            if !chunk::verify(chunk, extent.at) {
                return Err(IndexError::damaged(extent.at));
            }
            bytes.clear();
            bytes.extend_from_slice(&chunk[..chunk.len() - CRC_BYTES]);
            return Ok(());
        }
        self.bytes_read.set(self.bytes_read.get() + extent.len + CRC_BYTES as u64);
        chunk::read(&self.file, extent, bytes)
    }
}

/// A chunk with its checksum, if all of it lies in `tail`, which begins at `tail_at`.
fn within(tail: &[u8], tail_at: u64, extent: Extent) -> Option<&[u8]> {
    let from = usize::try_from(extent.at.checked_sub(tail_at)?).ok()?;
    let to = usize::try_from(extent.end()?.checked_sub(tail_at)?).ok()?;
    tail.get(from..to)
}

/// Whether there is no such file, nor can be one.
fn is_nowhere(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

fn read_exact(file: &File, bytes: &mut [u8], at: u64) -> Result<(), IndexError> {
    match file.read_exact_at(bytes, at) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(IndexError::damaged(at)),
        other => other.map_err(IndexError::Read),
    }
}
