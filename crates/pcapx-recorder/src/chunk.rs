//! Chunks: the memory in which packets travel from the ring to the disk.
//!
//! Direct I/O wants memory, file places and lengths that are multiples of the disk's block. A chunk is such a piece of
//! memory; it stands for a piece of a file that begins at a multiple, too. What does not fill its last block is carried
//! over: it stands at the beginning of the next chunk again, with what has come since behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    /// Bytes at the beginning that the chunk before has had, too.
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

    /// Whether there is anything that no chunk before has had.
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

/// A bounded number of chunks that go round: filled, written, and filled again. This is the intake's end.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Receiver<Chunk>,
    /// Free ones that were received, the one that was given back last at the end: it is taken first, since more of it is in
    /// the processor's caches.
    spare: Vec<Chunk>,
    returns: Returns,
}

/// The storage's end of a pool: where written chunks are given back.
#[derive(Clone, Debug)]
pub(crate) struct Returns {
    chunks: SyncSender<Chunk>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Chunks that are not free.
    taken: AtomicUsize,
    is_segment_refused: AtomicBool,
}

impl Pool {
    pub(crate) fn new(chunks: usize) -> Self {
        let (give_back, free) = sync_channel(chunks);
        for _ in 0..chunks {
            // There is room for as many as there are.
            let _ = give_back.send(Chunk::new());
        }
        let spare = Vec::with_capacity(chunks);
        Self { free, spare, returns: Returns { chunks: give_back, shared: Arc::default() } }
    }

    /// An empty chunk that begins with `rest`; waits while all are on their way. The ring keeps packets in the meantime.
    pub(crate) fn take(&mut self, rest: &[u8]) -> Option<Chunk> {
        self.spare.extend(self.free.try_iter());
        let mut chunk = match self.spare.pop() {
            Some(chunk) => chunk,
            None => self.free.recv().ok()?,
        };
        self.returns.shared.taken.fetch_add(1, Ordering::Relaxed);
        chunk.clear();
        chunk.push(rest);
        chunk.carried = rest.len();
        Some(chunk)
    }

    /// Chunks that are not free.
    pub(crate) fn taken(&self) -> usize {
        self.returns.shared.taken.load(Ordering::Relaxed)
    }

    /// Whether the segment under way cannot go on; told once.
    pub(crate) fn is_segment_refused(&self) -> bool {
        self.returns.shared.is_segment_refused.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn returns(&self) -> Returns {
        self.returns.clone()
    }
}

impl Returns {
    /// Gives a chunk back.
    pub(crate) fn give(&self, chunk: Chunk) {
        self.shared.taken.fetch_sub(1, Ordering::Relaxed);
        // Nobody takes chunks any more when the intake has ended.
        let _ = self.chunks.send(chunk);
    }

    /// The segment under way cannot go on, and another may: the intake is to begin one.
    pub(crate) fn refuse_segment(&self) {
        self.shared.is_segment_refused.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_aligned_and_tells_what_the_next_one_begins_with() {
        let mut pool = Pool::new(1);
        let mut chunk = pool.take(b"rest").unwrap();
        chunk.push(&[7; BLOCK_BYTES]);
        assert_eq!(chunk.bytes().as_ptr().align_offset(BLOCK_BYTES), 0);
        assert_eq!(&chunk.bytes()[..5], b"rest\x07");
        assert_eq!((chunk.rest(), chunk.carried()), (&[7; 4][..], 4));
    }

    #[test]
    fn chunks_go_round_and_forget_what_they_held() {
        let mut pool = Pool::new(1);
        let mut chunk = pool.take(&[]).unwrap();
        chunk.push(&vec![9; CHUNK_BYTES]);
        assert_eq!((chunk.room(), chunk.rest()), (0, &[][..]));
        pool.returns().give(chunk);
        let chunk = pool.take(b"x").unwrap();
        assert_eq!((chunk.bytes(), chunk.has_news(), pool.taken()), (&b"x"[..], false, 1));
    }

    #[test]
    fn what_was_given_back_last_is_taken_first() {
        let mut pool = Pool::new(3);
        let (first, second) = (pool.take(&[]).unwrap(), pool.take(&[]).unwrap());
        let memory = |chunk: &Chunk| chunk.memory.as_ptr();
        let (one, other) = (memory(&first), memory(&second));
        pool.returns().give(second);
        pool.returns().give(first);
        assert_eq!(memory(&pool.take(&[]).unwrap()), one);
        assert_eq!(memory(&pool.take(&[]).unwrap()), other);
        assert_eq!(pool.taken(), 2);
    }

    #[test]
    fn a_refused_segment_is_told_once() {
        let pool = Pool::new(1);
        pool.returns().refuse_segment();
        assert!(pool.is_segment_refused() && !pool.is_segment_refused());
    }
}
