//! The gates that a request passes, in the order of the wire contract. The first that does not open answers.
//!
//! | # | shut when | status | body | header |
//! |---|---|---|---|---|
//! | – | neither GET nor POST | 405 | `Method not allowed` | `Allow: GET, POST` |
//! | 0 | the client's address not allowed | 403 | `Forbidden` | |
//! | 1 | credentials wrong or missing | 401 | `Unauthorized` | `WWW-Authenticate` |
//! | – | a page of another site makes a browser ask; for POST after gate 5 | 403 | why | |
//! | 2 | no `Content-Length`, not chunked | 411 | `Missing Content-Length` | |
//! | 3 | `Content-Length` over 2 MiB | 413 | `Payload too large` | |
//! | 4 | body empty, cut short (400), stalled (408), chunked and over 2 MiB (413) | 400 | `Empty request body` … | |
//! | 5 | not JSON, or no object | 400 | `Invalid JSON` … | |
//! | 6 | as many jobs run and wait as may | 429 | `Too many concurrent extractions` | `Retry-After: 5` |
//! | 7 | never: what became of the job | 200 | its text | `X-Result`, the same text |
//!
//! Any path will do. GET passes gates 0 and 1 and is then told how the service is used, or at `/`, where it wants HTML,
//! shown a page; `GET /healthz` and `/readyz` pass none, `/metrics` its own. `/jobs` is for
//! programs, see [`api`]; what is no JSON may be a form that [`pages`] understands. Who accepts JSON alone gets every answer as a document, with a status that tells what
//! became of the job.
//! A `Content-Length` that is no number never gets here: the HTTP library answers 400 by itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use pcapx_core::config::Config;
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{Failure, Manifest};
use pcapx_core::time::Timestamp;
use pcapx_http::audit::Act;
use pcapx_http::{Context, Current, Front, Handler, Reply, Request, reply};
use serde_json::{Map, Value};

use crate::answer::{self, Answers};
use crate::api::{self, Route};
use crate::jobs::{Accepted, Held, Job, Jobs, NoFilterLine, Origin, word};
use crate::pages::{self, Offer, Pages, Sent};
use crate::query::{Query, plain_path};
use crate::question::{Asked, Reader};
use crate::refusal::Refusal;
use crate::usage;

/// The largest alert: 2 MiB, as the original had it.
const BODY_LIMIT_BYTES: usize = 2 << 20;
/// How long an alert may take to arrive. Real ones have a few kilobytes; the largest needs 1.7 Mbit/s.
const BODY_TIME: Duration = Duration::from_secs(10);
/// What the clients of this service are asked to authenticate for.
pub(crate) const REALM: &str = "pcap-extractor";
/// The header that repeats the outcome's text.
const X_RESULT: HeaderName = HeaderName::from_static("x-result");
/// What the webhook is told of an alert that no filter can be made of.
const NO_FILTER: &str = "NO BPF FILTER";

/// Answers every request of the listener.
#[derive(Debug)]
pub(crate) struct Gates {
    front: Arc<Front>,
    jobs: Arc<Jobs>,
    pages: Pages,
    zone: LocalZone,
    port: u16,
    terms: Current<Terms>,
}

/// How questions are read and answered; another configuration brings others.
#[derive(Debug)]
struct Terms {
    reader: Reader,
    answers: Answers,
    offer: Arc<Offer>,
    patience: Option<Duration>,
    usage: Bytes,
}

impl Terms {
    fn new(config: &Config, zone: &LocalZone, port: u16) -> Self {
        Self {
            reader: Reader::new(config, zone.clone()),
            answers: Answers::new(config, zone.clone()),
            offer: Offer::new(config),
            patience: config.reply_within,
            usage: usage::document(config, port).into(),
        }
    }
}

impl Gates {
    /// Gates in front of `jobs`, behind `port`.
    pub(crate) fn new(config: &Config, port: u16, front: Arc<Front>, jobs: Arc<Jobs>, pages: Pages) -> Self {
        let zone = pages.zone();
        let terms = Current::new(Terms::new(config, &zone, port));
        Self { front, jobs, pages, zone, port, terms }
    }

    /// Takes over what of `config` can change while the service runs.
    pub(crate) fn adopt(&self, config: &Config) {
        self.terms.set(Terms::new(config, &self.zone, self.port));
        self.jobs.adopt(config);
    }

    async fn pass(&self, request: Request, context: &Context, as_json: bool) -> Result<Reply, Refusal> {
        let (head, body) = request.into_parts();
        let terms = self.terms.get();
        let path = plain_path(head.uri.path());
        if let Some(house) = self.front.house(path)
            && let Some(reply) = self.front.keep_house(house, &head.method, &head.headers, context).await
        {
            return Ok(reply);
        }
        let route = Route::of(path).filter(|_| head.method != Method::POST);
        if head.method != Method::GET && head.method != Method::POST && route.is_none() {
            return Err(Refusal::Method);
        }

        // 0. An address that may ask.
        self.front.door().address(context).map_err(Refusal::Denied)?;

        // 1. Credentials, before anything that a client sent is looked at.
        let identity =
            self.front.door().credentials(&head.headers, context).await.map_err(Refusal::Denied)?;
        let user = identity.to_string();
        context.note("user", &user);
        // A browser sends credentials by itself, whoever made the page that asks. The form of a page has an answer of its own.
        let is_reading = matches!(head.method, Method::GET | Method::HEAD);
        if is_reading && !terms.offer.may_read(&head.headers)
            || head.method == Method::DELETE && terms.offer.is_elsewhere(&head.headers)
        {
            return Err(Refusal::Elsewhere);
        }
        if let Some(route) = route {
            if head.method == Method::DELETE {
                context.audit(Act::new("cancel").with("user", user.as_str()).with("evidence", bounded(path)));
            }
            return Ok(api::answer(&self.jobs, &terms.answers, &route, &head.method, head.uri.query()).await);
        }
        if head.method == Method::GET && head.uri.path() == "/" && pages::is_wanted(&head.headers) {
            return Ok(self.pages.answer(head.uri.query(), &terms.offer).await);
        }
        if head.method == Method::GET {
            return Ok(reply::json(StatusCode::OK, terms.usage.clone()));
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

        // 5. A JSON object; what is none may be a form of ours.
        let object = match object(&body) {
            Err(_) if pages::is_form(&head) => {
                return Ok(self.form(&head, &body, &terms, origin(context, &user), context).await);
            }
            object => object?,
        };
        drop(body);
        if terms.offer.is_elsewhere(&head.headers) {
            return Err(Refusal::Elsewhere);
        }

        // 6. A free place, to run or to wait; it is given back when the job has been done.
        let place = self.jobs.place().ok_or(Refusal::Busy)?;

        // 7. The job.
        let query = Query::parse(head.uri.path(), head.uri.query());
        let origin = origin(context, &user);
        let question = match terms.reader.read(object, &query, origin.at) {
            Asked::Question(question) => *question,
            Asked::Unclear(text) => return Err(Refusal::Unclear(text)),
            Asked::NotAllowed => return Err(Refusal::NotAllowed),
            Asked::NoFilter { about, mode, window, refused } => {
                let line = NoFilterLine {
                    origin: &origin,
                    about: &about,
                    mode: mode.as_str(),
                    window,
                    refused: &refused,
                };
                log::info!("{line}");
                context.note("outcome", "no-filter");
                return Ok(if as_json {
                    api::error(StatusCode::UNPROCESSABLE_ENTITY, NO_FILTER)
                } else {
                    result(NO_FILTER)
                });
            }
        };
        let manifest = match self.jobs.accept(place, question, origin).await {
            Accepted::Known(manifest) => Arc::from(manifest),
            Accepted::Job(job, seating) => self.hold(&job, &seating, query.wait, terms.patience).await,
            Accepted::Refused(failure) => {
                context.note("outcome", "refused");
                return Ok(refused(failure, as_json));
            }
        };
        note_job(context, &user, &manifest);
        Ok(if as_json { terms.answers.document(&manifest) } else { result(&terms.answers.text(&manifest)) })
    }

    /// Answers the form of a page.
    async fn form(
        &self,
        head: &Parts,
        body: &[u8],
        terms: &Terms,
        origin: Origin,
        context: &Context,
    ) -> Reply {
        let user = origin.user.clone();
        let (reply, sent) = self.pages.submit(head, body, origin, &terms.reader, &terms.offer).await;
        match sent {
            Sent::Refused(why) => context.note("refused", why),
            Sent::Job(manifest) => note_job(context, &user, &manifest),
        }
        reply
    }

    /// Holds the answer until something has been found out – who waits for a seat is told at once – or, where `wait` asks
    /// for it, until the job has ended; but never for longer than the caller can wait.
    async fn hold(
        &self,
        job: &Arc<Job>,
        seating: &Held,
        wait: Option<Duration>,
        patience: Option<Duration>,
    ) -> Arc<Manifest> {
        match wait {
            Some(wait) => tokio::select! {
                manifest = job.ended(wait) => manifest,
                // What is left to wait for is done after the restart.
                () = self.jobs.stopped() => job.answered(patience).await,
            },
            None if matches!(seating, Held::Waits) => job.manifest(),
            None => tokio::select! {
                manifest = job.answered(patience) => manifest,
                // It was cancelled, and is done after the restart.
                () = self.jobs.given_up() => job.manifest(),
            },
        }
    }
}

/// Who asks, now.
fn origin(context: &Context, user: &str) -> Origin {
    Origin {
        request: context.request_id().to_owned(),
        peer: context.client(),
        user: user.to_owned(),
        at: Timestamp::now(),
    }
}

/// What became of a question, for the access line and the audit log.
fn note_job(context: &Context, user: &str, manifest: &Manifest) {
    context.note("outcome", word(manifest));
    context.note("evidence", &manifest.name);
    let act = Act::new("extract").with("user", user).with("evidence", manifest.name.as_str());
    let act = act.with("filter", bounded(&manifest.filter)).with("result", word(manifest));
    context.audit(act.with("packets", manifest.packets));
}

/// Text of a client for the audit log, not longer than a line should be.
fn bounded(text: &str) -> String {
    const MOST_CHARS: usize = 1000;
    text.chars().take(MOST_CHARS).collect()
}

/// The answer to a webhook.
fn result(text: &str) -> Reply {
    let header = answer::header_value(text);
    let mut reply = reply::text(StatusCode::OK, text.to_owned());
    reply.headers_mut().insert(X_RESULT, header);
    reply
}

fn refused(failure: Failure, as_json: bool) -> Reply {
    let text = answer::failure_text(failure);
    if as_json { api::error(answer::failure_status(failure), text) } else { result(text) }
}

impl Handler for Gates {
    async fn handle(&self, request: Request, context: Context) -> Reply {
        let as_json = answer::wants_json(request.headers());
        match self.pass(request, &context, as_json).await {
            Ok(reply) => reply,
            Err(refusal) => {
                context.note("refused", &refusal);
                if let Refusal::Denied(denied) = &refusal {
                    denied.audit(&context);
                }
                refusal.reply(as_json)
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
