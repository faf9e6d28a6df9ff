//! The TCP stream under hyper: writing that stalls comes to an end, closing lets the client read the last answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::slots::{Busy, Slot};

/// How long a closing connection waits for the client's next bytes, or for its close.
const LINGER_SILENCE: Duration = Duration::from_secs(1);
/// How long a closing connection swallows bytes altogether.
const LINGER: Duration = Duration::from_secs(10);
/// How much a closing connection swallows: an upload that was refused for its size, within reason.
const LINGER_BYTES: usize = 64 << 20;
/// Bytes swallowed at once.
const SWALLOW_BYTES: usize = 16 << 10;

/// How often a connection is looked at on which bytes wait to be read: they hide its end from whoever waits for that.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) struct Stream {
    tcp: Arc<TcpStream>,
    slot: Arc<Slot>,
    write_stall: Duration,
    /// Present while the client's window is full.
    stalled: Option<Busy>,
    timer: Pin<Box<Sleep>>,
    closing: Option<Closing>,
}

/// A connection that somebody looks at while hyper has its stream.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<TcpStream>);

impl Wire {
    /// Waits until the client has closed the connection, or at least its sending side: which of the two cannot be told.
    pub(crate) async fn closed(&self) {
        loop {
            match self.0.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => sleep(LOOK).await,
                _ => return,
            }
        }
    }
}

/// Our sending side is closed; the client's bytes are swallowed until one of the bounds is met.
struct Closing {
    end: Instant,
    bytes_left: usize,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, slot: Arc<Slot>, write_stall: Duration) -> Self {
        let timer = Box::pin(sleep(write_stall));
        Stream { tcp: Arc::new(tcp), slot, write_stall, stalled: None, timer, closing: None }
    }

    /// What tells when the client goes.
    pub(crate) fn wire(&self) -> Wire {
        Wire(Arc::clone(&self.tcp))
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            match self.tcp.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            match send(&self.tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    /// The first byte that the client sends, which stays to be read; `None` when it sends nothing more.
    pub(crate) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.tcp.peek(&mut byte).await? == 1).then_some(byte[0]))
    }

    /// Watches the outcome of a write: when nothing can be written for `write_stall`, that is an error.
    fn watched<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        if self.stalled.is_none() {
            self.stalled = Some(self.slot.busy());
            self.timer.as_mut().reset(Instant::now() + self.write_stall);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client stopped reading")))
    }

    fn poll_swallow(&mut self, cx: &mut Context<'_>, mut closing: Closing) -> Poll<io::Result<()>> {
        let mut swallowed = [0; SWALLOW_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut swallowed);
            match self.poll_receive(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && closing.bytes_left > 0 => {
                    closing.bytes_left = closing.bytes_left.saturating_sub(buffer.filled().len());
                    self.timer.as_mut().reset(closing.end.min(Instant::now() + LINGER_SILENCE));
                }
                // The client closed too, is gone, or sends more than we swallow.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    let over = self.timer.as_mut().poll(cx);
                    self.closing = Some(closing);
                    return over.map(Ok);
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_receive(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = self.poll_send(cx, |tcp| tcp.try_write(bytes));
        self.watched(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.poll_send(cx, |tcp| tcp.try_write_vectored(pieces));
        self.watched(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel has everything already.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let closing = if let Some(closing) = this.closing.take() {
            closing
        } else {
            match shutdown(&*this.tcp, Shutdown::Write) {
                // The client has reset it.
                Ok(()) | Err(Errno::NOTCONN) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
            this.stalled = None;
            this.timer.as_mut().reset(Instant::now() + LINGER_SILENCE);
            Closing { end: Instant::now() + LINGER, bytes_left: LINGER_BYTES }
        };
        this.poll_swallow(cx, closing)
    }
}
