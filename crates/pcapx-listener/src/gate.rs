//! The gates that a request passes, in the order of the wire contract. The first that does not open answers.
//!
//! | # | shut when | status | body | header |
//! |---|---|---|---|---|
//! | – | neither GET nor POST | 405 | `Method not allowed` | `Allow: GET, POST` |
//! | 0 | the client's address not allowed | 403 | `Forbidden` | |
//! | 1 | credentials wrong or missing | 401 | `Unauthorized` | `WWW-Authenticate` |
//! | 2 | no `Content-Length`, not chunked | 411 | `Missing Content-Length` | |
//! | 3 | `Content-Length` over 2 MiB | 413 | `Payload too large` | |
//! | 4 | body empty, cut short (400), stalled (408), chunked and over 2 MiB (413) | 400 | `Empty request body` … | |
//! | 5 | not JSON, or no object | 400 | `Invalid JSON` … | |
//! | 6 | as many jobs run as may | 429 | `Too many concurrent extractions` | `Retry-After: 5` |
//! | 7 | never: the job's outcome | 200 | the outcome's text | `X-Result`, the same text |
//!
//! Any path will do. GET passes gates 0 and 1 and is then told how the service is used; `GET /healthz` passes none.
//! A `Content-Length` that is no number never gets here: the HTTP library answers 400 by itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};
use hyper::{Method, StatusCode};
use pcapx_core::config::Config;
use pcapx_http::{Context, Front, Handler, Reply, Request, reply};
use serde_json::{Map, Value};

use crate::job::{Jobs, Order};
use crate::outcome::{self, Links, Outcome};
use crate::query::{Query, plain_path};
use crate::refusal::Refusal;
use crate::usage;

/// The largest alert: 2 MiB, as the original had it.
const BODY_LIMIT_BYTES: usize = 2 << 20;
/// How long an alert may take to arrive. Real ones have a few kilobytes; the largest needs 1.7 Mbit/s.
const BODY_TIME: Duration = Duration::from_secs(10);
/// What the clients of this service are asked to authenticate for.
pub(crate) const REALM: &str = "pcap-extractor";
/// The path that needs no credentials.
const HEALTH_PATH: &str = "/healthz";
/// The header that repeats the outcome's text.
const X_RESULT: HeaderName = HeaderName::from_static("x-result");

/// Answers every request of the listener.
#[derive(Debug)]
pub(crate) struct Gates {
    front: Arc<Front>,
    jobs: Arc<Jobs>,
    links: Links,
    usage: Bytes,
}

impl Gates {
    /// Gates in front of `jobs`, behind `port`.
    pub(crate) fn new(config: &Config, port: u16, front: Arc<Front>, jobs: Arc<Jobs>) -> Self {
        Self { front, jobs, links: Links::new(config), usage: usage::document(config, port).into() }
    }

    async fn pass(&self, request: Request, context: &Context) -> Result<Reply, Refusal> {
        let (head, body) = request.into_parts();
        if head.method == Method::GET && plain_path(head.uri.path()) == HEALTH_PATH {
            return Ok(reply::text(StatusCode::OK, "ok"));
        }
        if head.method != Method::GET && head.method != Method::POST {
            return Err(Refusal::Method);
        }

        // 0. An address that may ask.
        self.front.door().address(context).map_err(Refusal::Denied)?;

        // 1. Credentials, before anything that a client sent is looked at.
        let identity =
            self.front.door().credentials(&head.headers, context).await.map_err(Refusal::Denied)?;
        let user = identity.to_string();
        context.note("user", &user);
        if head.method == Method::GET {
            return Ok(reply::json(StatusCode::OK, self.usage.clone()));
        }

        // 2. A length, or chunks that carry their own.
        if !has_length(&head.headers) {
            return Err(Refusal::NoLength);
        }

        // 3. Not too much announced.
        if body.declared_length().is_some_and(|length| length > BODY_LIMIT_BYTES as u64) {
            return Err(Refusal::TooLarge);
        }

        // 4. A body that arrives, whole and in time.
        let body = body.read(BODY_LIMIT_BYTES, BODY_TIME).await.map_err(Refusal::Body)?;
        if body.is_empty() {
            return Err(Refusal::Empty);
        }

        // 5. A JSON object.
        let alert = object(&body)?;
        drop(body);

        // 6. A free place; it is given back when the job ends.
        let permit = self.jobs.try_permit().ok_or(Refusal::Busy)?;

        // 7. The job.
        let query = Query::parse(head.uri.path(), head.uri.query());
        let (request, peer) = (context.request_id().to_owned(), context.client());
        let job = self.jobs.start(permit, Order { request, peer, user, query, alert });
        // A job that panicked has been logged by the panic hook.
        let outcome = job.await.unwrap_or(Outcome::Failed);
        context.note("outcome", outcome.word());
        Ok(self.result(&outcome))
    }

    fn result(&self, outcome: &Outcome) -> Reply {
        let text = outcome.text(&self.links);
        let header = outcome::header_value(&text);
        let mut reply = reply::text(StatusCode::OK, text);
        reply.headers_mut().insert(X_RESULT, header);
        reply
    }
}

impl Handler for Gates {
    async fn handle(&self, request: Request, context: Context) -> Reply {
        match self.pass(request, &context).await {
            Ok(reply) => reply,
            Err(refusal) => {
                context.note("refused", &refusal);
                refusal.reply()
            }
        }
    }
}

fn has_length(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    // Some senders put a byte order mark in front.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::NotAnObject),
        Err(_) => Err(Refusal::NotJson),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_an_alert() {
        assert_eq!(object(br#"{"id": 1}"#).unwrap().len(), 1);
        assert_eq!(object(b"\xef\xbb\xbf{}").unwrap().len(), 0);
        for text in ["[]", "null", "1", "\"{}\"", "true"] {
            assert!(matches!(object(text.as_bytes()), Err(Refusal::NotAnObject)), "{text}");
        }
        let deep = "[".repeat(100_000);
        for text in ["", " ", "{", "{}{}", "{'id': 1}", "NaN", "\u{feff}", &deep] {
            assert!(matches!(object(text.as_bytes()), Err(Refusal::NotJson)), "{text:.20}");
        }
        assert!(matches!(object(b"{\"id\": \"\xff\"}"), Err(Refusal::NotJson)));
    }
}
