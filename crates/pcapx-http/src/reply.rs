//! Answers: plain text, JSON, or a body that is produced while it is sent.

use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};

use crate::access::Entry;

/// An answer with a body of ours.
pub type Reply = hyper::Response<ReplyBody>;

/// `text/plain` with exactly `body`, and its `Content-Length`.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    with_type(status, HeaderValue::from_static("text/plain"), body.into())
}

/// `application/json` with exactly `body`, and its `Content-Length`.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    with_type(status, HeaderValue::from_static("application/json"), body.into())
}

/// Headers only. No `Content-Length` is set: 304 and HEAD answers have their own rules for it.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(ReplyBody::empty());
    *reply.status_mut() = status;
    reply
}

fn with_type(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Reply {
    let length = HeaderValue::from(body.len());
    let mut reply = Reply::new(ReplyBody::full(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply.headers_mut().insert(CONTENT_LENGTH, length);
    reply
}

/// `text` as a header value: characters that a header must not carry – control characters and everything beyond
/// ASCII – become `\xNN` or `\u{…}`.
pub fn header_text(text: &str) -> HeaderValue {
    let as_it_is = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if as_it_is && let Ok(value) = HeaderValue::from_str(text) {
        return value;
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        // Writing into a String cannot fail.
        let _ = match character {
            ' '..='~' => write!(escaped, "{character}"),
            control if control.is_ascii() => write!(escaped, "\\x{:02x}", u32::from(control)),
            other => write!(escaped, "\\u{{{:x}}}", u32::from(other)),
        };
    }
    // Printable ASCII only, which every header value may be.
    HeaderValue::from_str(&escaped).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The body of a [`Reply`]. When it is dropped – sent to its end, or given up – the access line is written.
pub struct ReplyBody {
    content: Content,
    entry: Option<Entry>,
}

enum Content {
    Full(Option<Bytes>),
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>),
}

impl ReplyBody {
    /// No bytes.
    pub fn empty() -> Self {
        ReplyBody { content: Content::Full(None), entry: None }
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        ReplyBody { content: Content::Full((!bytes.is_empty()).then_some(bytes)), entry: None }
    }

    /// Bytes produced while the answer is sent. An error ends the connection: the client sees that the answer is
    /// incomplete. A body that says its end with `is_end_stream` is logged as complete even when nobody polls it
    /// for the final `None`, which hyper does not do once `Content-Length` bytes are out.
    pub fn stream(body: impl Body<Data = Bytes, Error = io::Error> + Send + 'static) -> Self {
        ReplyBody { content: Content::Stream(Box::pin(body)), entry: None }
    }

    /// The access line to write when this body is dropped.
    pub(crate) fn log_with(&mut self, entry: Entry) {
        self.entry = Some(entry);
    }
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplyBody").field("length", &self.size_hint().exact()).finish_non_exhaustive()
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = match &mut self.content {
            Content::Full(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Content::Stream(stream) => match stream.as_mut().poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return Poll::Pending,
            },
        };
        if let Some(entry) = &mut self.entry {
            match &frame {
                Some(Ok(frame)) => entry.sent(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(error)) => entry.failed(error),
                None => entry.complete(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Full(bytes) => bytes.is_none(),
            Content::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Content::Stream(stream) => stream.size_hint(),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        let ended = self.is_end_stream();
        if let Some(entry) = &mut self.entry
            && ended
        {
            entry.complete();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_carries_exact_bytes_and_length() {
        let reply = text(StatusCode::FORBIDDEN, "Forbidden");
        assert_eq!(reply.status(), 403);
        assert_eq!(reply.headers()[CONTENT_TYPE], "text/plain");
        assert_eq!(reply.headers()[CONTENT_LENGTH], "9");
        assert_eq!(reply.body().size_hint().exact(), Some(9));
    }

    #[test]
    fn header_text_keeps_ascii_and_escapes_the_rest() {
        assert_eq!(header_text("ERROR: x"), "ERROR: x");
        assert_eq!(header_text("a\r\nSet-Cookie: b\u{142}"), "a\\x0d\\x0aSet-Cookie: b\\u{142}");
    }
}
