//! Buffers that files are read into, used again and again.
//!
//! A fresh buffer costs a page fault for each of its pages, which is as much work as copying the bytes through it.
//!
//! A buffer is held for as long as its client takes to receive it, and thousands of clients may take their time. So only some
//! of the buffers that are out at a time are large; downloads beyond those are slower and have small ones.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Size of a large buffer: what is read at once, and what a download holds in memory.
pub(crate) const BUFFER_BYTES: usize = 256 << 10;
/// Size of a small one: no less than hyper asks for before it has written anything, so that a download holds one of them.
const SMALL_BYTES: usize = 32 << 10;
/// Large buffers that may be out at a time: 32 MiB.
const MOST_LARGE: usize = 128;
/// Free buffers kept for the next read: 8 MiB.
const MOST_FREE: usize = 32;

/// The free buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Large ones.
    free: Mutex<Vec<Box<[u8]>>>,
    /// How many large ones are out.
    large: AtomicUsize,
}

/// A buffer of [`BUFFER_BYTES`], or of fewer when many are out; free again when dropped.
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    home: Arc<Buffers>,
}

impl Buffers {
    /// A buffer with any content.
    pub(crate) fn take(self: &Arc<Self>) -> Buffer {
        if self.large.fetch_add(1, Ordering::Relaxed) >= MOST_LARGE {
            self.large.fetch_sub(1, Ordering::Relaxed);
            return Buffer { bytes: vec![0; SMALL_BYTES].into_boxed_slice(), home: Arc::clone(self) };
        }
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = free.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice());
        Buffer { bytes, home: Arc::clone(self) }
    }
}

impl Buffer {
    /// The first `length` bytes, without copying them.
    pub(crate) fn freeze(self, length: usize) -> Bytes {
        Bytes::from_owner(self).slice(..length)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() < BUFFER_BYTES {
            return;
        }
        self.home.large.fetch_sub(1, Ordering::Relaxed);
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST_FREE {
            free.push(mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_bytes_are_gone() {
        let buffers = Arc::new(Buffers::default());
        let free = || buffers.free.lock().unwrap().len();
        let mut buffer = buffers.take();
        buffer[..3].copy_from_slice(b"abc");
        let bytes = buffer.freeze(3);
        let part = bytes.slice(1..);
        drop(bytes);
        assert_eq!((part.as_ref(), free()), (&b"bc"[..], 0));
        drop(part);
        assert_eq!(free(), 1);
        let many: Vec<_> = (0..MOST_FREE + 5).map(|_| buffers.take()).collect();
        assert_eq!(free(), 0);
        drop(many);
        assert_eq!(free(), MOST_FREE);
    }

    #[test]
    fn of_many_buffers_few_are_large() {
        let buffers = Arc::new(Buffers::default());
        let mut many: Vec<_> = (0..4096).map(|_| buffers.take()).collect();
        let bytes: usize = many.iter().map(|buffer| buffer.len()).sum();
        assert_eq!(bytes, MOST_LARGE * BUFFER_BYTES + (4096 - MOST_LARGE) * SMALL_BYTES);
        many.drain(..10);
        let large = (0..20).map(|_| buffers.take()).filter(|buffer| buffer.len() == BUFFER_BYTES);
        many.extend(large.collect::<Vec<_>>());
        assert_eq!(many.len(), 4096);
        drop(many);
        assert_eq!(buffers.large.load(Ordering::Relaxed), 0);
    }
}
