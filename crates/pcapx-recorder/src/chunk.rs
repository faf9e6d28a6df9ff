//! Chunks: the memory in which packets travel from the ring to the disk.
//!
//! Direct I/O wants memory, file places and lengths that are multiples of the disk's block. A chunk is such a piece of
//! memory; it stands for a piece of a file that begins at a multiple, too. What does not fill its last block is written with
//! zeros behind it, and again, with what has come since, at the beginning of the next chunk.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What memory, places and lengths are multiples of: the largest block of usual disks, and a page.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Room of a chunk: large enough for a disk to be busy with, small enough for a second-level cache.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// A piece of a segment, in memory.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Never grows, so that what is aligned stays so.
    memory: Box<[u8]>,
    /// Where the first multiple lies.
    start: usize,
    len: usize,
    /// Bytes at the beginning that the chunk before has brought to the disk already.
    carried: usize,
}

impl Chunk {
    fn new() -> Self {
        let memory = vec![0; CHUNK_BYTES + BLOCK_BYTES].into_boxed_slice();
        // At most one less than the alignment, which is what there is more of.
        let start = memory.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        Self { memory, start, len: 0, carried: 0 }
    }

    /// Whole bytes, the carried ones among them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    /// Where the bytes begin that no chunk before has had.
    pub(crate) fn carried(&self) -> usize {
        self.carried
    }

    /// Whether there is anything that has not been brought to the disk.
    pub(crate) fn has_news(&self) -> bool {
        self.len > self.carried
    }

    pub(crate) fn room(&self) -> usize {
        CHUNK_BYTES - self.len
    }

    /// Appends bytes for which there is [`room`](Self::room).
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let at = self.start + self.len;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All bytes, with zeros up to a multiple: what is written to the disk.
    pub(crate) fn padded(&mut self) -> &[u8] {
        let end = self.len.next_multiple_of(BLOCK_BYTES);
        let (from, to) = (self.start + self.len, self.start + end);
        self.memory[from..to].fill(0);
        &self.memory[self.start..to]
    }

    /// Bytes of the last block, where it is not full: they go into the next chunk as well.
    pub(crate) fn rest(&self) -> &[u8] {
        let whole = self.len - self.len % BLOCK_BYTES;
        &self.bytes()[whole..]
    }

    /// Forgets what it carries: the next byte is the first of another file.
    pub(crate) fn start_anew(&mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        self.len = 0;
        self.carried = 0;
    }
}

/// A bounded number of chunks that go round: filled, written, and filled again.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Receiver<Chunk>,
    give_back: SyncSender<Chunk>,
}

impl Pool {
    pub(crate) fn new(chunks: usize) -> Self {
        let (give_back, free) = sync_channel(chunks);
        for _ in 0..chunks {
            // There is room for as many as there are.
            let _ = give_back.send(Chunk::new());
        }
        Self { free, give_back }
    }

    /// An empty chunk that begins with `rest`; waits while all are on their way. The ring keeps packets in the meantime.
    pub(crate) fn take(&self, rest: &[u8]) -> Option<Chunk> {
        let mut chunk = self.free.recv().ok()?;
        chunk.clear();
        chunk.push(rest);
        chunk.carried = rest.len();
        Some(chunk)
    }

    /// Where written chunks are given back.
    pub(crate) fn returns(&self) -> SyncSender<Chunk> {
        self.give_back.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_aligned_and_padded_with_zeros() {
        let pool = Pool::new(1);
        let mut chunk = pool.take(b"rest").unwrap();
        chunk.push(&[7; BLOCK_BYTES]);
        let padded = chunk.padded();
        assert_eq!(padded.as_ptr().align_offset(BLOCK_BYTES), 0);
        assert_eq!(padded.len(), 2 * BLOCK_BYTES);
        assert_eq!(&padded[..4], b"rest");
        assert!(padded[4 + BLOCK_BYTES..].iter().all(|&byte| byte == 0));
        assert_eq!((chunk.rest(), chunk.carried()), (&[7; 4][..], 4));
    }

    #[test]
    fn chunks_go_round_and_forget_what_they_held() {
        let pool = Pool::new(1);
        let mut chunk = pool.take(&[]).unwrap();
        chunk.push(&vec![9; CHUNK_BYTES]);
        assert_eq!(chunk.room(), 0);
        pool.returns().send(chunk).unwrap();
        let mut chunk = pool.take(b"x").unwrap();
        assert_eq!((chunk.bytes(), chunk.has_news()), (&b"x"[..], false));
        assert!(chunk.padded()[1..].iter().all(|&byte| byte == 0));
    }
}
