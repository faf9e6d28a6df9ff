//! A sliding view of a file: positional reads into one buffer, records handed out as slices of it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes asked of the kernel at once by whoever reads on and on: half of a usual second-level cache. Of 16 KiB … 1 MiB
/// on the trace of the scan bench, this cost the least processor time (0.27 s for 2 GB, 64 KiB: 0.34 s).
const READ_MAX_BYTES: usize = 1 << 20;
/// Bytes of the first read at a place, each following one is twice as large: who looks at a file's head only reads little.
const READ_FIRST_BYTES: usize = 32 * 1024;

/// Bytes of a file from [`offset`](Self::offset) on, as many as were asked for.
///
/// Invariant: `bytes[pos..end]` are the file's bytes at `offset() ..`, and `end <= bytes.len()`.
#[derive(Debug)]
pub(crate) struct Buffer {
    file: File,
    bytes: Vec<u8>,
    pos: usize,
    end: usize,
    /// Place in the file of `bytes[end]`: where the next read begins.
    next_read: u64,
    /// Bytes read so far, skipped ones not counted.
    read_total: u64,
    /// Bytes to ask for next.
    read_size: usize,
    /// Place in the file up to which is read on; beyond it only what is asked for.
    read_until: u64,
}

impl Buffer {
    /// Reads `file` from its first byte, whatever its cursor says.
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            bytes: Vec::new(),
            pos: 0,
            end: 0,
            next_read: 0,
            read_total: 0,
            read_size: READ_FIRST_BYTES,
            read_until: u64::MAX,
        }
    }

    /// Place in the file of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.next_read - (self.end - self.pos) as u64
    }

    /// Bytes read from the file so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read_total
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The next `n` bytes, or fewer where the file ends before.
    #[inline]
    pub(crate) fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        if self.end - self.pos < n {
            self.fill(n)?;
        }
        let have = self.end.min(self.pos.saturating_add(n));
        Ok(&self.bytes[self.pos..have])
    }

    /// The bytes between `from` and `to` past the current place, which a [`peek`](Self::peek) has brought in.
    #[inline]
    pub(crate) fn peeked(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(self.pos + from..self.pos + to).unwrap_or_default()
    }

    /// Goes past the next `n` bytes, reading nothing that is not in the buffer.
    #[inline]
    pub(crate) fn skip(&mut self, n: u64) {
        let have = self.end - self.pos;
        if n <= have as u64 {
            self.pos += n as usize;
        } else {
            self.seek(self.offset().saturating_add(n));
        }
    }

    /// Goes to `offset`.
    pub(crate) fn seek(&mut self, offset: u64) {
        self.pos = 0;
        self.end = 0;
        self.next_read = offset;
        self.read_size = READ_FIRST_BYTES;
        self.read_until = u64::MAX;
    }

    /// Goes to the beginning of `range`, all of which is going to be read, and nothing behind it.
    pub(crate) fn seek_range(&mut self, range: Range<u64>) {
        // What is in the buffer already is kept.
        let ahead =
            range.start.checked_sub(self.offset()).filter(|&ahead| ahead <= (self.end - self.pos) as u64);
        match ahead {
            Some(ahead) => self.pos += ahead as usize,
            None => self.seek(range.start),
        }
        self.read_size = READ_MAX_BYTES;
        self.read_until = range.end;
    }

    #[cold]
    fn fill(&mut self, n: usize) -> io::Result<()> {
        self.bytes.copy_within(self.pos..self.end, 0);
        self.end -= self.pos;
        self.pos = 0;
        let wanted = usize::try_from(self.read_until.saturating_sub(self.next_read)).unwrap_or(usize::MAX);
        let room = n.max(self.read_size.min(self.end.saturating_add(wanted)));
        self.read_size = (self.read_size * 2).min(READ_MAX_BYTES);
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
        while self.end < n {
            match self.file.read_at(&mut self.bytes[self.end..room], self.next_read) {
                Ok(0) => break,
                Ok(got) => {
                    self.end += got;
                    self.next_read += got as u64;
                    self.read_total += got as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
