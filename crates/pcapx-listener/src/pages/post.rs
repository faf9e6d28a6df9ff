//! The form, sent: the same job as the webhook's question by hand, and then the way to its page.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::http::request::Parts;
use pcapx_core::manifest::Manifest;
use pcapx_http::{Reply, reply};

use super::asked::{Asked, Fields};
use super::form::{Meant, Told};
use super::{OFF, Offer, Pages, is_wanted, rows};
use crate::answer;
use crate::jobs::{Accepted, Held, Origin};
use crate::question::Reader;

/// What a browser calls the fields of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// How long a browser waits for the first answer before it gets a page that tells how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

const ELSEWHERE: &str = "This was not sent by the form on this page, or a proxy hides that it was, or this service is not known by this \
    name (keys host and download_url_base). Nothing has been done.";
const BUSY: &str = "As many extractions run and wait as may. Try again in some seconds.";

/// Whether a POST whose body is no JSON is the form.
pub(crate) fn is_form(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    head.uri.path() == "/"
        && kind.eq_ignore_ascii_case(FORM)
        && is_wanted(&head.headers)
        && matches!(Asked::parse(head.uri.query()), Asked::Form(_))
}

/// What became of the form, for the access line and the audit log.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It was not taken.
    Refused(&'static str),
    /// It is this job.
    Job(Arc<Manifest>),
}

impl Pages {
    /// Takes the form in `body`.
    pub(crate) async fn submit(
        &self,
        head: &Parts,
        body: &[u8],
        origin: Origin,
        reader: &Reader,
        offer: &Offer,
    ) -> (Reply, Sent) {
        let fields = Fields::parse(&String::from_utf8_lossy(body));
        if !offer.names.is_own(&head.headers) {
            return self.refused(StatusCode::FORBIDDEN, fields, ELSEWHERE, "cross-site").await;
        }
        if !offer.by_hand {
            return self
                .refused(StatusCode::FORBIDDEN, Fields::default(), OFF, "questions by hand are off")
                .await;
        }
        let Meant { filter, window } = match fields.meant(&self.shared.zone) {
            Ok(meant) => meant,
            slip @ Err(_) => {
                let told = Told::Looked(slip);
                let page = move |shared: &super::Shared| shared.form(StatusCode::BAD_REQUEST, &fields, &told);
                return (self.made(page).await, Sent::Refused("unclear"));
            }
        };
        let jobs = &self.shared.jobs;
        let Some(place) = jobs.place() else {
            let (mut reply, sent) = self
                .refused(StatusCode::TOO_MANY_REQUESTS, fields, BUSY, "too many concurrent extractions")
                .await;
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return (reply, sent);
        };
        let question = reader.ask(filter, window, fields.format);
        let manifest = match jobs.accept(place, question, origin).await {
            Accepted::Known(manifest) => Arc::from(manifest),
            Accepted::Job(job, Held::Waits) => job.manifest(),
            Accepted::Job(job, _) => job.answered(Some(PATIENCE)).await,
            Accepted::Refused(failure) => {
                let status = answer::failure_status(failure);
                return self.refused(status, fields, answer::failure_text(failure), "refused").await;
            }
        };
        let mut reply = reply::empty(StatusCode::SEE_OTHER);
        let location = format!("./?job={}", rows::encoded(&manifest.name));
        reply.headers_mut().insert(LOCATION, reply::header_text(&location));
        (reply, Sent::Job(manifest))
    }

    async fn refused(
        &self,
        status: StatusCode,
        fields: Fields,
        why: &'static str,
        word: &'static str,
    ) -> (Reply, Sent) {
        (self.made(move |shared| shared.form_refused(status, &fields, why)).await, Sent::Refused(word))
    }
}
