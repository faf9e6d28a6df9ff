//! The bytes of a file on their way to a client, in constant memory.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::buffers::{Buffer, Buffers};

/// Streams a part of an open file, one buffer at a time.
///
/// What the page cache holds is copied at once; the rest is read on a blocking thread. The next buffer is filled when
/// the network has taken the former one; the kernel reads ahead on disk meanwhile.
///
/// The file stays the one that was opened, whatever happens to its name. When it turns out shorter than it was, the
/// stream fails: the client sees a broken download, never made-up bytes.
pub(crate) struct Download {
    file: Arc<OwnedFd>,
    buffers: Arc<Buffers>,
    /// Offset of the next byte to hand on.
    next: u64,
    /// Bytes not handed on yet.
    unsent: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Download {
    /// `length` bytes of `file` from offset `start`.
    pub(crate) fn new(file: OwnedFd, start: u64, length: u64, buffers: Arc<Buffers>) -> Self {
        Download { file: Arc::new(file), buffers, next: start, unsent: length, reading: None }
    }

    fn handed_on(&mut self, bytes: Bytes) -> Frame<Bytes> {
        self.next += bytes.len() as u64;
        self.unsent -= bytes.len() as u64;
        Frame::data(bytes)
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.unsent == 0 {
            return Poll::Ready(None);
        }
        let reading = match &mut this.reading {
            Some(reading) => reading,
            none => {
                let mut buffer = this.buffers.take();
                let length = this.unsent.min(buffer.len() as u64) as usize;
                let filled = read_cached(&this.file, this.next, &mut buffer[..length]);
                if filled == length {
                    let frame = this.handed_on(buffer.freeze(length));
                    return Poll::Ready(Some(Ok(frame)));
                }
                let (file, start) = (Arc::clone(&this.file), this.next);
                none.insert(spawn_blocking(move || read_rest(&file, start, buffer, filled, length)))
            }
        };
        let read = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        this.reading = None;
        Poll::Ready(Some(read.map(|bytes| this.handed_on(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.unsent == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.unsent)
    }
}

/// Reads `length` bytes from offset `start`, when all of them are in memory and fit a buffer.
pub(crate) fn read_if_cached(
    file: &OwnedFd,
    start: u64,
    length: usize,
    buffers: &Arc<Buffers>,
) -> Option<Bytes> {
    let mut buffer = buffers.take();
    let filled = read_cached(file, start, buffer.get_mut(..length)?);
    (filled == length).then(|| buffer.freeze(length))
}

/// Reads exactly `length` bytes from offset `start`, when they fit a buffer and can be read. Blocks.
pub(crate) fn read(file: &OwnedFd, start: u64, length: usize, buffers: &Arc<Buffers>) -> Option<Bytes> {
    let buffer = buffers.take();
    (length <= buffer.len()).then(|| read_rest(file, start, buffer, 0, length).ok()).flatten()
}

/// Copies what the page cache holds; returns how much that is. Does not block. Where a file system cannot tell, that
/// is nothing.
fn read_cached(file: &OwnedFd, start: u64, bytes: &mut [u8]) -> usize {
    preadv2(file, &mut [IoSliceMut::new(bytes)], start, ReadWriteFlags::NOWAIT).unwrap_or(0)
}

fn read_rest(
    file: &OwnedFd,
    start: u64,
    mut buffer: Buffer,
    mut filled: usize,
    length: usize,
) -> io::Result<Bytes> {
    while filled < length {
        match pread(file, &mut buffer[filled..length], start + filled as u64) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")),
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(buffer.freeze(length))
}
