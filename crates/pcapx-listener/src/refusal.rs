//! What a request is told that does not become a job.

use std::fmt;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use pcapx_http::{BodyError, Denied, Reply, reply};

use crate::api;

/// Why a request is turned away. The order is that of the gates.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Neither GET nor POST.
    Method,
    /// Gates 0 and 1.
    Denied(Denied),
    /// Gate 2: no length and not chunked.
    NoLength,
    /// Gate 3, or gate 4 for a chunked body.
    TooLarge,
    /// Gate 4: the body did not arrive whole.
    Body(BodyError),
    /// Gate 4: there are no bytes in it.
    Empty,
    /// Gate 5: not JSON.
    NotJson,
    /// Gate 5: JSON, but no object.
    NotAnObject,
    /// Gate 6: as many jobs run and wait as may.
    Busy,
    /// Gate 7: a question by hand that cannot be understood; the text tells what to do.
    Unclear(String),
    /// Gate 7: a question by hand, and they are switched off.
    NotAllowed,
    /// Gate 1, or gate 5 for POST: another site's page makes a browser ask, or under a name that is none of ours.
    Elsewhere,
}

impl Refusal {
    /// The answer: status, text and, for some, a header.
    pub(crate) fn reply(&self, as_json: bool) -> Reply {
        let (status, text) = match self {
            Self::Denied(denied) if as_json => return document(denied.reply()),
            Self::Denied(denied) => return denied.reply(),
            Self::Unclear(text) => (StatusCode::BAD_REQUEST, text.as_str()),
            Self::NotAllowed => (
                StatusCode::FORBIDDEN,
                "Questions by hand are switched off: allow_ad_hoc, or credentials for the listener, switch them on",
            ),
            Self::Elsewhere => (
                StatusCode::FORBIDDEN,
                "A page of another site asks, or this service is not known by this name (keys host and download_url_base)",
            ),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::NoLength => (StatusCode::LENGTH_REQUIRED, "Missing Content-Length"),
            Self::TooLarge | Self::Body(BodyError::TooLarge { .. }) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "Payload too large")
            }
            Self::Body(BodyError::TimedOut { .. }) => (StatusCode::REQUEST_TIMEOUT, "Request body timeout"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "Incomplete request body"),
            Self::Empty => (StatusCode::BAD_REQUEST, "Empty request body"),
            Self::NotJson => (StatusCode::BAD_REQUEST, "Invalid JSON"),
            Self::NotAnObject => (StatusCode::BAD_REQUEST, "Invalid JSON: not an object"),
            Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "Too many concurrent extractions"),
        };
        let mut reply = if as_json { api::error(status, text) } else { reply::text(status, text.to_owned()) };
        if let Some((name, value)) = self.header() {
            reply.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        reply
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Method => Some((ALLOW, "GET, POST")),
            Self::Busy => Some((RETRY_AFTER, "5")),
            _ => None,
        }
    }
}

/// `reply` with its text in a document; its headers stay.
fn document(mut reply: Reply) -> Reply {
    let status = reply.status();
    let (head, body) = api::error(status, status.canonical_reason().unwrap_or_default()).into_parts();
    *reply.body_mut() = body;
    reply.headers_mut().extend(head.headers);
    reply
}

/// For the log.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("method"),
            Self::Denied(denied) => denied.fmt(f),
            Self::NoLength => f.write_str("no Content-Length"),
            Self::TooLarge => f.write_str("Content-Length over the limit"),
            Self::Body(error) => error.fmt(f),
            Self::Empty => f.write_str("empty body"),
            Self::NotJson => f.write_str("not JSON"),
            Self::NotAnObject => f.write_str("JSON, but not an object"),
            Self::Busy => f.write_str("too many concurrent extractions"),
            Self::Unclear(text) => write!(f, "unclear: {text}"),
            Self::NotAllowed => f.write_str("questions by hand are off"),
            Self::Elsewhere => f.write_str("cross-site"),
        }
    }
}
