//! The file of the segment that is being recorded.
//!
//! It is written past the page cache where the file system can do that: recording copies nothing twice and does not push
//! out what queries read. Room is reserved ahead, so that the disk's map of the file is changed once and not with every
//! write. A file that is being written ends with zeros up to a block; sealed, it ends with its last packet.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, OFlags, fallocate};

use crate::chunk::Chunk;

/// A file that is written from its beginning to its end.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    file: File,
    /// Whether it goes past the page cache.
    is_direct: bool,
    /// Bytes of the segment, padding not counted.
    len: u64,
}

impl SegmentFile {
    /// Creates the file and reserves `reserve` bytes. A file of that name is an error: nothing recorded is overwritten.
    pub(crate) fn create(path: &Path, mode: u32, reserve: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        let file = options.open(path)?;
        // Opened once more, since a file system that cannot do it would have refused to create the file.
        let direct = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::DIRECT.bits().cast_signed())
            .open(path);
        let (file, is_direct) = match direct {
            Ok(direct) => (direct, true),
            Err(_) => (file, false),
        };
        // A disk without that much room will say so when it is full.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, reserve);
        Ok(Self { file, is_direct, len: 0 })
    }

    /// Writes a chunk behind what is there; what the chunk has carried over stands there already.
    pub(crate) fn write(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        let at = self.len - chunk.carried() as u64;
        match self.file.write_all_at(chunk.padded(), at) {
            Err(e) if self.is_direct && e.kind() == io::ErrorKind::InvalidInput => {
                // Some file systems take the flag and refuse the write, or want larger blocks.
                self.leave_direct()?;
                self.file.write_all_at(chunk.padded(), at)?;
            }
            written => written?,
        }
        self.len = at + chunk.len() as u64;
        Ok(())
    }

    fn leave_direct(&mut self) -> io::Result<()> {
        let flags = rustix::fs::fcntl_getfl(&self.file)? - OFlags::DIRECT;
        rustix::fs::fcntl_setfl(&self.file, flags)?;
        self.is_direct = false;
        Ok(())
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Cuts padding and reserved room off and brings the file to the disk.
    pub(crate) fn seal(self) -> io::Result<File> {
        self.file.set_len(self.len)?;
        self.file.sync_all()?;
        Ok(self.file)
    }
}
