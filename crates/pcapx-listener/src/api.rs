//! Jobs for programs: what there is, how far it has come, and the end of one.
//!
//! | request | answer |
//! |---|---|
//! | `GET /jobs` | the newest, `limit` of them (100, at most 1000), `before` a name; `open=true`: those that are not done; 400 |
//! | `GET /jobs/NAME` | the manifest; 404 |
//! | `DELETE /jobs/NAME` | the job ends with what it has; 409 when it has ended, 404 |
//!
//! Jobs are listed by name, and so by the time of their alerts. All of it stands behind the listener's credentials. A service
//! that has just begun answers when it knows what an earlier run has left, or with 503 when that takes long.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use pcapx_core::manifest::Manifest;
use pcapx_http::Reply;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::answer::{Answers, json_reply};
use crate::evidence::{EvidenceFolder, Shelved};
use crate::jobs::Jobs;

/// The path of all jobs.
const PATH: &str = "/jobs";
/// Jobs of one page, where nobody asks for another number.
const PAGE: usize = 100;
/// The most jobs of one page.
const PAGE_MOST: usize = 1000;
/// How long a question waits for a service that has just begun to know what an earlier run has left.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of a job is waited for.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// All of them.
    List,
    /// One of them.
    One(String),
}

impl Route {
    /// The route of `path`; `None` when it leads elsewhere.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix(PATH)? {
            "" | "/" => Some(Self::List),
            rest => Some(Self::One(decoded(rest.strip_prefix('/')?))),
        }
    }

    /// The methods it has.
    const fn allow(&self) -> &'static str {
        match self {
            Self::List => "GET",
            Self::One(_) => "GET, DELETE",
        }
    }
}

/// Answers a request about jobs; `None` when the route has another method, which is not for us.
pub(crate) async fn answer(
    jobs: &Arc<Jobs>,
    answers: &Answers,
    route: &Route,
    method: &Method,
    query: Option<&str>,
) -> Reply {
    if !jobs.knows_all(START_PATIENCE).await {
        return not_yet();
    }
    let answered = match (route, method) {
        (Route::List, &Method::GET) => list(jobs, answers, query).await,
        (Route::One(name), &Method::GET) => one(jobs, answers, name).await,
        (Route::One(name), &Method::DELETE) => return cancel(jobs, answers, name).await,
        _ => {
            let mut reply = error(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static(route.allow()));
            return reply;
        }
    };
    answered.unwrap_or_else(|cause| {
        log::error!("output_dir: manifests cannot be read: {cause}");
        error(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
    })
}

/// An error for programs.
pub(crate) fn error(status: StatusCode, text: &str) -> Reply {
    json_reply(status, &json!({ "error": text }))
}

/// Which jobs are to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    limit: usize,
    /// Those that are not done, in the order in which they were asked for.
    open: bool,
    /// Those whose names come before this one.
    before: Option<String>,
}

impl Page {
    /// The page that `query` asks for, or what is wrong with it. What it has beside that is passed over.
    fn of(query: Option<&str>) -> Result<Self, &'static str> {
        let mut page = Self { limit: PAGE, open: false, before: None };
        for (name, value) in query.unwrap_or("").split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decoded(value);
            match name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=PAGE_MOST).contains(limit));
                    page.limit = limit.ok_or("limit: expected a number from 1 to 1000")?;
                }
                "open" => page.open = value.parse().map_err(|_| "open: expected true or false")?,
                "before" if Manifest::is_name(&value) => page.before = Some(value),
                "before" => return Err("before: expected the name of a job"),
                _ => {}
            }
        }
        Ok(page)
    }
}

async fn list(jobs: &Arc<Jobs>, answers: &Answers, query: Option<&str>) -> io::Result<Reply> {
    let page = match Page::of(query) {
        Ok(page) => page,
        Err(text) => return Ok(error(StatusCode::BAD_REQUEST, text)),
    };
    let (listed, next): (Vec<Value>, Option<String>) = if page.open {
        (jobs.open().iter().take(page.limit).map(|job| summary(answers, &job.manifest())).collect(), None)
    } else {
        let (folder, answers) = (Arc::clone(jobs.folder()), answers.clone());
        spawn_blocking(move || shelved(&folder, &answers, page)).await.map_err(io::Error::other)??
    };
    let (running, waiting) = jobs.load();
    let document = json!({ "running": running, "waiting": waiting, "jobs": listed, "next": next });
    Ok(json_reply(StatusCode::OK, &document))
}

/// A page of what the folder has, and the name that the next page comes before.
fn shelved(
    folder: &EvidenceFolder,
    answers: &Answers,
    page: Page,
) -> io::Result<(Vec<Value>, Option<String>)> {
    let mut names = folder.manifest_names()?;
    if let Some(before) = page.before {
        names.truncate(names.partition_point(|name| *name < before));
    }
    let first = names.len().saturating_sub(page.limit);
    let next = (first > 0).then(|| names[first].clone());
    let mut listed = Vec::new();
    for name in names.drain(first..).rev() {
        if let Shelved::Manifest(manifest) = folder.manifest(&name)? {
            listed.push(summary(answers, &manifest));
        }
    }
    Ok((listed, next))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A job in a list.
fn summary(answers: &Answers, manifest: &Manifest) -> Value {
    json!({
        "name": manifest.name,
        "state": manifest.state,
        "open": manifest.open,
        "reason": manifest.reason,
        "url": manifest.file.as_ref().map(|file| answers.link(file)),
        "packets": manifest.packets,
        "bytes": manifest.bytes,
        "filter": manifest.filter,
        "asked": manifest.asked,
        "about": manifest.about,
        "requested_at": manifest.request.at,
    })
}

async fn one(jobs: &Arc<Jobs>, answers: &Answers, name: &str) -> io::Result<Reply> {
    if !Manifest::is_name(name) {
        return Ok(not_found());
    }
    let (folder, asked) = (Arc::clone(jobs.folder()), name.to_owned());
    let found = spawn_blocking(move || folder.manifest(&asked)).await.map_err(io::Error::other)??;
    Ok(match found {
        Shelved::Nothing => not_found(),
        Shelved::Damaged(reason) => {
            log::warn!("the manifest of {name} cannot be read: {reason}");
            error(StatusCode::INTERNAL_SERVER_ERROR, "The manifest of this job is damaged")
        }
        Shelved::Manifest(manifest) => {
            let mut reply = answers.document(&manifest);
            // The document is there, whatever it tells.
            *reply.status_mut() = StatusCode::OK;
            reply
        }
    })
}

async fn cancel(jobs: &Arc<Jobs>, answers: &Answers, name: &str) -> Reply {
    let Some(job) = jobs.job(name) else {
        return match one(jobs, answers, name).await {
            Ok(found) if found.status() == StatusCode::OK => {
                error(StatusCode::CONFLICT, "This job has ended already")
            }
            Ok(other) => other,
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
        };
    };
    log::info!("job name={name} is asked to end");
    jobs.end(&job).await;
    let manifest = job.ended(END_PATIENCE).await;
    let mut reply = answers.document(&manifest);
    *reply.status_mut() = if manifest.open { StatusCode::ACCEPTED } else { StatusCode::OK };
    reply
}

fn not_yet() -> Reply {
    let text = "Jobs of an earlier run are still being taken up";
    let mut reply = error(StatusCode::SERVICE_UNAVAILABLE, text);
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(START_PATIENCE.as_secs()));
    reply
}

fn not_found() -> Reply {
    error(StatusCode::NOT_FOUND, "There is no job of this name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_exact() {
        assert_eq!(Route::of("/jobs"), Some(Route::List));
        assert_eq!(Route::of("/jobs/"), Some(Route::List));
        assert_eq!(Route::of("/jobs/a_1.2"), Some(Route::One("a_1.2".to_owned())));
        assert_eq!(Route::of("/jobs/a%5f1"), Some(Route::One("a_1".to_owned())));
        for path in ["/", "/extract", "/jobsx", "/job", "/x/jobs"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }

    #[test]
    fn a_page_is_what_was_asked_for_or_refused() {
        let page =
            |limit, open, before: Option<&str>| Ok(Page { limit, open, before: before.map(str::to_owned) });
        assert_eq!(Page::of(None), page(PAGE, false, None));
        assert_eq!(Page::of(Some("limit=7&x=y&open=true")), page(7, true, None));
        assert_eq!(Page::of(Some("before=a%5F1&limit=1000")), page(1000, false, Some("a_1")));
        for query in ["limit=0", "limit=1001", "limit=", "open=yes", "open=", "before=", "before=..%2Fx"] {
            assert!(Page::of(Some(query)).is_err(), "{query}");
        }
    }
}
