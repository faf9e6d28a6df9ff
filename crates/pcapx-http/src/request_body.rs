//! Reading what a client sends, with a limit on size and on time.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use prometheus_client::metrics::counter::Counter;
use tokio::time::{Instant, timeout_at};

/// A request as handlers get it.
pub type Request = hyper::Request<RequestBody>;

/// Why a request's body could not be read.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// More bytes than the handler takes, announced or sent.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The client stopped sending half-way, with the connection still open.
    #[error("the body was not complete in time; {received} bytes had arrived")]
    TimedOut {
        /// Bytes that had arrived.
        received: usize,
    },
    /// The client closed the connection, or its sending side, before the body's end.
    #[error("the client went away after {received} bytes of the body")]
    Gone {
        /// Bytes that had arrived.
        received: usize,
    },
    /// The chunked coding is broken.
    #[error("the body's chunked coding is broken")]
    Malformed,
}

/// The body of a request, not read yet.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    unread: Arc<AtomicBool>,
    received: Counter,
}

impl RequestBody {
    /// The body, and a flag that stays up until all of it was read.
    pub(crate) fn new(incoming: Incoming, received: Counter) -> (Self, Arc<AtomicBool>) {
        let unread = Arc::new(AtomicBool::new(!incoming.is_end_stream()));
        (RequestBody { incoming, unread: Arc::clone(&unread), received }, unread)
    }

    /// Length in bytes that `Content-Length` announced; 0 without a body, `None` for a chunked one.
    pub fn declared_length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// Reads the whole body: at most `limit` bytes, all of them within `within`.
    ///
    /// A body that announces more than `limit` is refused before a byte of it is read.
    pub async fn read(mut self, limit: usize, within: Duration) -> Result<Bytes, BodyError> {
        if self.incoming.size_hint().lower() > limit as u64 {
            return Err(BodyError::TooLarge { limit });
        }
        let deadline = Instant::now() + within;
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        loop {
            let received = first.len() + whole.len();
            let frame = match timeout_at(deadline, self.incoming.frame()).await {
                Err(_) => return Err(BodyError::TimedOut { received }),
                Ok(None) => break,
                Ok(Some(Err(error))) => return Err(reading_failed(&error, received)),
                Ok(Some(Ok(frame))) => frame,
            };
            // Trailers say nothing to us.
            let Ok(data) = frame.into_data() else { continue };
            self.received.inc_by(data.len() as u64);
            if received + data.len() > limit {
                return Err(BodyError::TooLarge { limit });
            }
            // Most bodies come in one piece, which is handed on uncopied.
            if received == 0 {
                first = data;
            } else {
                whole.extend_from_slice(&std::mem::take(&mut first));
                whole.extend_from_slice(&data);
            }
        }
        self.unread.store(false, Ordering::Relaxed);
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }
}

fn reading_failed(error: &hyper::Error, received: usize) -> BodyError {
    let kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        // How hyper reports chunk sizes that are no numbers, or too large ones.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => BodyError::Malformed,
        _ => BodyError::Gone { received },
    }
}
