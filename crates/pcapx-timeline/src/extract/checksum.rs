//! SHA-256 of the output file, ready about when the file is.
//!
//! What was written is read back while it is in the page cache. For a small file that takes microseconds, at its end. A
//! larger one is followed by a thread, which has little left to do when the last packet is written, and does it while the
//! disk is waited for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};

/// Files below this are hashed at once: a thread would cost as much.
const SMALL_BYTES: u64 = 256 * 1024;
/// Bytes hashed at a time: they fit into a second-level cache.
const READ_BYTES: usize = 256 * 1024;

/// The hash of a file that grows.
#[derive(Debug, Default)]
pub(super) struct Checksum {
    worker: Option<Worker>,
}

#[derive(Debug)]
struct Worker {
    /// Bytes of the file that are there to be hashed.
    written: Arc<AtomicU64>,
    wake: SyncSender<()>,
    thread: JoinHandle<io::Result<[u8; 32]>>,
}

/// The hash of a file that is complete.
#[derive(Debug)]
pub(super) enum Sum {
    Known([u8; 32]),
    Coming(JoinHandle<io::Result<[u8; 32]>>),
}

impl Checksum {
    /// The file has `len` bytes now. None of them changes any more.
    pub(super) fn written(&mut self, len: u64, file: &File) {
        if len < SMALL_BYTES {
            return;
        }
        if self.worker.is_none() {
            self.worker = Worker::start(file).ok();
        }
        if let Some(worker) = &self.worker {
            worker.written.store(len, Ordering::Release);
            // One that is at work looks again when it is done.
            let _ = worker.wake.try_send(());
        }
    }

    /// The file is complete and has `len` bytes.
    pub(super) fn end(mut self, len: u64, file: &File) -> io::Result<Sum> {
        self.written(len, file);
        match self.worker.take() {
            Some(Worker { thread, .. }) => Ok(Sum::Coming(thread)),
            // Small, or there is no thread to be had.
            None => Follower::new(file.try_clone()?).end(|| len).map(Sum::Known),
        }
    }
}

/// Nobody wants to know: the thread ends, and with it the last hold on the file, whose room may be needed at once.
impl Drop for Checksum {
    fn drop(&mut self) {
        if let Some(Worker { written, wake, thread }) = self.worker.take() {
            written.store(0, Ordering::Release);
            drop(wake);
            // What it says is of no use any more.
            let _ = thread.join();
        }
    }
}

impl Sum {
    /// Waits until it is known.
    pub(super) fn wait(self) -> io::Result<[u8; 32]> {
        match self {
            Self::Known(sum) => Ok(sum),
            Self::Coming(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }
}

impl Worker {
    fn start(file: &File) -> io::Result<Self> {
        let mut follower = Follower::new(file.try_clone()?);
        let (wake, woken) = sync_channel(1);
        let written = Arc::new(AtomicU64::new(0));
        let up_to = Arc::clone(&written);
        let work = move || {
            while woken.recv().is_ok() {
                follower.go_to(|| up_to.load(Ordering::Acquire))?;
            }
            follower.end(|| up_to.load(Ordering::Acquire))
        };
        let thread = thread::Builder::new().name("pcapx-hash".into()).spawn(work)?;
        Ok(Self { written, wake, thread })
    }
}

/// Reads and hashes a file from its beginning.
struct Follower {
    file: File,
    hasher: Sha256,
    at: u64,
    bytes: Vec<u8>,
}

impl Follower {
    fn new(file: File) -> Self {
        Self { file, hasher: Sha256::new(), at: 0, bytes: Vec::new() }
    }

    /// Goes to where `end` is, which is asked again and again.
    fn go_to(&mut self, end: impl Fn() -> u64) -> io::Result<()> {
        while let Some(left) = end().checked_sub(self.at).filter(|left| *left > 0) {
            let n = left.min(READ_BYTES as u64) as usize;
            if self.bytes.len() < n {
                self.bytes.resize(n, 0);
            }
            self.file.read_exact_at(&mut self.bytes[..n], self.at)?;
            self.hasher.update(&self.bytes[..n]);
            self.at += n as u64;
        }
        Ok(())
    }

    fn end(mut self, len: impl Fn() -> u64) -> io::Result<[u8; 32]> {
        self.go_to(len)?;
        Ok(self.hasher.finalize().into())
    }
}
