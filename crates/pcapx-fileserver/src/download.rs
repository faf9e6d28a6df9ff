//! The bytes of a file on their way to a client, in constant memory.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes read at once. Two of these are in memory for a download: one being read, one being sent.
const CHUNK_BYTES: u64 = 256 << 10;

/// Streams a part of an open file. Reads happen on blocking threads, one ahead of the network.
///
/// The file stays the one that was opened, whatever happens to its name. When it turns out shorter than it was, the
/// stream fails: the client sees a broken download, never made-up bytes.
pub(crate) struct Download {
    file: Arc<OwnedFd>,
    /// Offset of the first byte that nobody reads yet.
    next: u64,
    /// Bytes that nobody reads yet.
    unread: u64,
    /// Bytes not handed on yet.
    unsent: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Download {
    /// `length` bytes of `file` from offset `start`.
    pub(crate) fn new(file: OwnedFd, start: u64, length: u64) -> Self {
        Download { file: Arc::new(file), next: start, unread: length, unsent: length, reading: None }
    }

    fn read_ahead(&mut self) {
        let length = self.unread.min(CHUNK_BYTES);
        if length > 0 {
            let (file, start) = (Arc::clone(&self.file), self.next);
            self.reading = Some(spawn_blocking(move || read(&file, start, length)));
            self.next += length;
            self.unread -= length;
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.reading.is_none() {
            self.read_ahead();
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        self.reading = None;
        if let Ok(bytes) = &read {
            self.unsent -= bytes.len() as u64;
            self.read_ahead();
        }
        Poll::Ready(Some(read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.unsent == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.unsent)
    }
}

/// Reads exactly `length` bytes from offset `start`. Blocks.
pub(crate) fn read(file: &OwnedFd, start: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = start + bytes.len() as u64;
        match pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The vector may have been given more room than was asked for.
    bytes.truncate(length);
    Ok(Bytes::from(bytes))
}
