//! The file of the segment that is being recorded.
//!
//! Whole blocks are written past the page cache where the file system can do that. Measured were 2 GB in pieces of 1 MiB into
//! reserved room (ext4, two virtual cores, Linux 6.18; medians of three): processor time of the writer for each GB, of the
//! whole machine, how fast one writer is, and what is left in the page cache.
//!
//! | | writer | machine | MB/s | page cache |
//! |---|---|---|---|---|
//! | direct I/O | 0.06 s | 0.2 s | 1380 | nothing |
//! | through the cache, with `sync_file_range` and `fadvise` 8 MB behind | 0.24 s | 0.8 s | 1790 | 8 MB |
//! | through the cache, dropped behind (`RWF_DONTCACHE`, Linux 6.14) | 0.29 s | 0.9 s | 1830 | some MB |
//! | through the cache | 0.94 s | 1.3 s | 1090, then 1.1 s for `fsync` | all 2 GB |
//!
//! So direct I/O: recording copies nothing twice, does not push out what queries read, and at its end there is nothing left
//! to be flushed. That one writer comes to 11 Gbit/s and not to 14 is the price.
//!
//! The bytes that do not fill a block are written through the page cache when they are due, so that a file never has a byte
//! that is not a packet's: padding would be rewritten later, and whoever reads in that moment could see a packet whose bytes
//! are not there yet. Now the file's length says what has come.
//!
//! Room is reserved ahead, so that the disk's map of the file is changed once and not with every write, and a segment that
//! was begun can be finished on a disk that others fill.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate};

use crate::chunk::BLOCK_BYTES;

/// A file that is written from its beginning to its end.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    /// The same, past the page cache, where that is possible.
    direct: Option<File>,
    /// Bytes that are in the file.
    written: u64,
}

impl SegmentFile {
    /// Creates the file and reserves `reserve` bytes. A file of that name is an error: nothing recorded is overwritten.
    pub(super) fn create(path: &Path, mode: u32, reserve: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?;
        let mut direct = OpenOptions::new();
        direct.write(true).custom_flags((OFlags::DIRECT | OFlags::NOFOLLOW).bits().cast_signed());
        // A disk without that much room will say so when it is full.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, reserve);
        Ok(Self { file, direct: direct.open(path).ok(), written: 0 })
    }

    /// Writes `bytes`, which begin in memory and at `at` in the file with a block, behind what is there. What does not fill
    /// a block is left for the next call, which has it again, unless all `is_due`.
    ///
    /// After an error the same call may be made again.
    pub(super) fn write(&mut self, bytes: &[u8], at: u64, is_due: bool) -> io::Result<()> {
        let blocks = bytes.len() - bytes.len() % BLOCK_BYTES;
        if let Some(direct) = &self.direct
            && blocks > 0
        {
            match direct.write_all_at(&bytes[..blocks], at) {
                Ok(()) => self.written = self.written.max(at + blocks as u64),
                // Some file systems take the flag and refuse the write, or want larger blocks.
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => self.direct = None,
                Err(e) => return Err(e),
            }
        }
        if self.direct.is_some() && !is_due {
            return Ok(());
        }
        let news = self.written.saturating_sub(at).min(bytes.len() as u64);
        self.file.write_all_at(&bytes[news as usize..], at + news)?;
        self.written = self.written.max(at + bytes.len() as u64);
        Ok(())
    }

    /// How many bytes the file has: what readers see.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Whether the file still stands at `path`.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let (Ok(ours), Ok(there)) = (self.file.metadata(), fs::symlink_metadata(path)) else { return false };
        (ours.dev(), ours.ino()) == (there.dev(), there.ino())
    }

    /// Ends the file at `len`, gives reserved room back and brings it to the disk.
    pub(super) fn seal(self, len: u64) -> io::Result<File> {
        self.file.set_len(len)?;
        self.file.sync_all()?;
        if self.direct.is_none() {
            // As far as the kernel likes.
            let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
        }
        Ok(self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Pool;

    /// Writes pieces the way the recorder does and looks at the file after each.
    fn write_in_pieces(mut file: SegmentFile, path: &Path, is_direct: bool) {
        let mut pool = Pool::new(2);
        let all: Vec<u8> = (0..3 * BLOCK_BYTES as u32 + 100).map(|n| (n % 251) as u8).collect();
        let mut rest: Vec<u8> = Vec::new();
        let (mut from, mut place) = (0, 0);
        for (to, is_due) in
            [(10, true), (20, true), (BLOCK_BYTES + 7, false), (2 * BLOCK_BYTES, true), (all.len(), true)]
        {
            let mut chunk = pool.take(&rest).unwrap();
            chunk.push(&all[from..to]);
            for _ in 0..2 {
                file.write(chunk.bytes(), place, is_due).unwrap();
            }
            let expected = if is_direct && !is_due { to - to % BLOCK_BYTES } else { to };
            assert!(fs::read(path).unwrap() == all[..expected], "{expected}");
            assert_eq!(file.written(), expected as u64);
            rest = chunk.rest().to_vec();
            place += (chunk.bytes().len() - rest.len()) as u64;
            from = to;
            pool.returns().give(chunk);
        }
        assert!(file.is_at(path));
        file.seal(all.len() as u64).unwrap();
        assert!(fs::read(path).unwrap() == all);
        let on_disk = fs::metadata(path).unwrap().blocks() * 512;
        assert!(on_disk <= 64 * 1024, "{on_disk} bytes of reserved room are kept");
    }

    #[test]
    fn a_file_has_what_was_written_and_never_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let file = SegmentFile::create(&path, 0o640, 1 << 20).unwrap();
        let is_direct = file.direct.is_some();
        write_in_pieces(file, &path, is_direct);
        let path = dir.path().join("b");
        let mut file = SegmentFile::create(&path, 0o640, 1 << 20).unwrap();
        file.direct = None;
        write_in_pieces(file, &path, false);
        let taken = SegmentFile::create(&path, 0o640, 0).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_that_was_moved_or_removed_is_not_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let file = SegmentFile::create(&path, 0o640, 0).unwrap();
        fs::rename(&path, dir.path().join("b")).unwrap();
        assert!(!file.is_at(&path));
        fs::write(&path, b"another").unwrap();
        assert!(!file.is_at(&path));
    }
}
