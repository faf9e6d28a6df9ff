//! The memory that kernel and reader share, and the two words by which they hand its blocks to each other.

use std::io;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{MapFlags, ProtFlags};

use super::layout::STATUS_AT;
use super::socket::Socket;

/// A ring of blocks, mapped.
///
/// Invariant: `start` is a mapping of `blocks * block_bytes` bytes, readable and writable, until this is dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    block_bytes: usize,
    blocks: usize,
    /// The block that is filled next, or is being filled.
    next: usize,
}

// SAFETY: the mapping belongs to nobody else in this process, and its memory to no thread in particular.
unsafe impl Send for Mapping {}

/// A block that the kernel has filled and leaves alone until it is given back, which happens when this is dropped.
#[derive(Debug)]
pub(super) struct Block<'ring> {
    start: NonNull<u8>,
    len: usize,
    ring: PhantomData<&'ring mut Mapping>,
}

impl Mapping {
    /// Maps a socket's ring of `blocks` blocks of `block_bytes` each.
    pub(super) fn new(socket: &Socket, block_bytes: usize, blocks: usize) -> io::Result<Self> {
        let len = block_bytes.checked_mul(blocks).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without an address asked for, the kernel maps where nothing else is.
        let start = unsafe { rustix::mm::mmap(ptr::null_mut(), len, access, MapFlags::SHARED, socket, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, block_bytes, blocks, next: 0 })
    }

    /// The next block, once the kernel has filled it or left it because of its age.
    pub(super) fn next_block(&mut self) -> Option<Block<'_>> {
        // SAFETY: `next < blocks`, by the line at the end of this function, so the sum stays within the mapping.
        let start = unsafe { self.start.add(self.next * self.block_bytes) };
        // SAFETY: a whole block begins at `start`, and nobody else in this process has one of this mapping: a `Block`
        // borrows it.
        let is_ours = unsafe { acquire(start) };
        if !is_ours {
            return None;
        }
        self.next = (self.next + 1) % self.blocks;
        Some(Block { start, len: self.block_bytes, ring: PhantomData })
    }
}

impl Mapping {
    /// How many of the blocks are filled and wait, as a part of all.
    pub(super) fn fill(&self) -> f64 {
        // The kernel fills blocks in their order and they are given back in it: those that wait follow one another.
        let (mut from, mut to) = (0, self.blocks);
        while from < to {
            let middle = from.midpoint(to);
            let nth = (self.next + middle) % self.blocks;
            // SAFETY: `nth < blocks`, by the line above, so the sum stays within the mapping.
            let start = unsafe { self.start.add(nth * self.block_bytes) };
            // SAFETY: a whole block begins at `start`, and nobody in this process has one of this mapping: a `Block` borrows
            // it for itself.
            let is_ours = unsafe { acquire(start) };
            (from, to) = if is_ours { (middle + 1, to) } else { (from, middle) };
        }
        from as f64 / self.blocks as f64
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: by the invariant this is the mapping made in `new`; a `Block`, which borrows it, cannot be alive.
        let unmapped =
            unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.block_bytes * self.blocks) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

impl Block<'_> {
    /// The whole block, its description first.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `next_block` made this from a block of the mapping, which is borrowed until this is dropped; by its
        // status, which `acquire` has read, the kernel neither reads nor writes it before `release`.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        // SAFETY: the block is ours until here, and `bytes` lends no longer than this lives.
        unsafe { release(self.start) };
    }
}

/// Whether the kernel has handed a block over. If so, all that it wrote there before is seen by what follows.
///
/// # Safety
/// A whole block of a mapped ring begins at `block`.
unsafe fn acquire(block: NonNull<u8>) -> bool {
    // SAFETY: by this function's promise `STATUS_AT` and three more bytes are within the mapping.
    let status = unsafe { block.add(STATUS_AT) }.cast();
    // SAFETY: the mapping begins at a page, blocks are whole pages long and `STATUS_AT` is a multiple of 4: the word is
    // aligned. No slice of the block is alive, and the kernel writes the word as a whole.
    let status = unsafe { AtomicU32::from_ptr(status.as_ptr()) };
    status.load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
}

/// Hands a block back to the kernel. All that was read from it before was read before the kernel writes there again.
///
/// # Safety
/// A whole block of a mapped ring begins at `block`; `acquire` has said that it is ours, and no slice of it is alive.
unsafe fn release(block: NonNull<u8>) {
    // SAFETY: by this function's promise `STATUS_AT` and three more bytes are within the mapping.
    let status = unsafe { block.add(STATUS_AT) }.cast();
    // SAFETY: as in `acquire`.
    let status = unsafe { AtomicU32::from_ptr(status.as_ptr()) };
    status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
}
