//! Pages for people: the recorder and the jobs at a glance, and a form for a question by hand.
//!
//! ```text
//! GET / , Accept: text/html ─► asked ─┬─ overview ◄─ recorder (status file, timeline, disks) │ history ─► charts │ jobs
//!                                     ├─ form     ─── Check, or preview.js while somebody types ─► what it means
//!                                     └─ one job  ◄──────────────────────────────────┐
//! POST /?view=ask, from a form of ours ─► origin ─► form ─► place ─► job ─► 303 ─────┘
//! ```
//!
//! They stand at `/` alone and answer only who names `text/html`: everybody else is told in JSON how the service is used, as
//! ever. They stand behind the listener's gates. A POST is one of these only when its body is no JSON; an alert never is.
//!
//! **Bounds.** A page is made on a reading thread, [`AT_A_TIME`] of them at once: a disk that does not answer keeps no more.

mod asked;
mod charts;
mod form;
mod history;
mod origin;
mod post;
mod recorder;
mod rows;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap};
use maud::{Markup, html};
use pcapx_core::config::Config;
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_http::page::{Foreign, Mark, Page, number, time};
use pcapx_http::{Reply, reply};
use pcapx_timeline::catalog::Timeline;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use self::asked::{Asked, Fields};
use self::charts::Charts;
use self::form::Told;
pub(crate) use self::history::History;
use self::origin::Names;
pub(crate) use self::post::{Sent, is_form};
use self::recorder::Recording;
use self::rows::Links;
use crate::evidence::Shelved;
use crate::indexer;
use crate::jobs::{Brief, Jobs};

/// Pages that are made at once, and so the threads that they may hold.
pub(crate) const AT_A_TIME: usize = 2;
/// Seconds after which the overview is asked for again: as often as the recorder is looked at.
const REFRESH_SECS: u32 = 10;
/// Seconds after which the page of a job is asked for again while more is to come.
const JOB_REFRESH_SECS: u32 = 2;
/// Jobs that are not done and are shown.
const OPEN_SHOWN: usize = 50;
/// What the pages are called.
const PART: &str = "Listener";

/// Makes pages.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    shared: Arc<Shared>,
    turns: Arc<Semaphore>,
}

/// What pages are made of.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) timeline_dir: PathBuf,
    pub(crate) output_dir: PathBuf,
    pub(crate) indexer: Option<indexer::Handle>,
    pub(crate) history: Arc<History>,
    pub(crate) zone: LocalZone,
}

/// What of the configuration they show; another one brings other ones.
#[derive(Debug)]
pub(crate) struct Offer {
    links: Links,
    by_hand: bool,
    queue: usize,
    names: Names,
}

impl Offer {
    /// What `config` has.
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        let (by_hand, queue) = (config.allow_ad_hoc, config.max_queued_extractions);
        Arc::new(Self { links: Links::new(config), by_hand, queue, names: Names::new(config) })
    }

    /// Whether a browser says that another site's page makes it send this.
    pub(crate) fn is_elsewhere(&self, headers: &HeaderMap) -> bool {
        self.names.is_elsewhere(headers)
    }

    /// Whether no other site's page makes a browser read this.
    pub(crate) fn may_read(&self, headers: &HeaderMap) -> bool {
        self.names.may_read(headers)
    }
}

/// Whether a page is wanted: whoever names `text/html`, and does not want JSON besides.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = values.flat_map(|value| value.split(',')).collect();
    let has = |kind: &str| {
        ranges.iter().any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_kind = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(kind));
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            is_kind && quality.is_none_or(|quality| quality.parse().is_ok_and(|quality: f32| quality > 0.0))
        })
    };
    has("text/html") && !has("application/json")
}

impl Pages {
    /// Pages of these.
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// The zone in which they tell times.
    pub(crate) fn zone(&self) -> LocalZone {
        self.shared.zone.clone()
    }

    /// What the recorder has done; somebody has to keep it.
    pub(crate) fn history(&self) -> Arc<History> {
        Arc::clone(&self.shared.history)
    }

    /// The page that `query` asks for.
    pub(crate) async fn answer(&self, query: Option<&str>, offer: &Arc<Offer>) -> Reply {
        let (asked, offer) = (Asked::parse(query), Arc::clone(offer));
        self.made(move |shared| shared.answer(&asked, &offer)).await
    }

    async fn made(&self, make: impl FnOnce(&Shared) -> Reply + Send + 'static) -> Reply {
        let shared = Arc::clone(&self.shared);
        // Nobody closes the semaphore.
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let work = move || {
            // Whoever went away meanwhile has this thread all the same, so the turn is the thread's.
            let _turn = turn;
            make(&shared)
        };
        // A panic has been logged where it happened.
        let reply = spawn_blocking(work).await;
        reply.unwrap_or_else(|_| reply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal error"))
    }
}

impl Shared {
    fn answer(&self, asked: &Asked, offer: &Offer) -> Reply {
        match asked {
            Asked::Overview { is_live } => self.overview(*is_live, offer),
            Asked::Form(_) if !offer.by_hand => {
                self.form_refused(StatusCode::FORBIDDEN, &Fields::default(), OFF)
            }
            Asked::Form(fields) => {
                let told = |fields: &Fields| Told::Looked(fields.meant(&self.zone));
                let timed = fields.timed(&self.zone, Timestamp::now());
                let told = if fields.is_blank() { Told::Nothing } else { told(&timed) };
                self.form(StatusCode::OK, &timed, &told)
            }
            Asked::Job { name: None, .. } => self.nothing(),
            Asked::Job { name: Some(name), is_live } => {
                self.job(name, *is_live, offer).unwrap_or_else(|error| {
                    log::error!("output_dir: manifests cannot be read: {error}");
                    reply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
                })
            }
        }
    }

    fn look(&self, now: Timestamp) -> Recording {
        let catalog = self.timeline.catalog().ok();
        let backlog = self.indexer.as_ref().map(indexer::Handle::backlog);
        Recording::look(&self.timeline_dir, catalog.as_deref(), backlog, &self.output_dir, now)
    }

    fn overview(&self, is_live: bool, offer: &Offer) -> Reply {
        let now = Timestamp::now();
        let recording = self.look(now);
        let samples = self.history.samples(charts::begin(now), now);
        let charts = Charts::new(samples, self.history.since(), now);
        let body = html! {
            (recording.head(&self.zone))
            div.actions {
                @if offer.by_hand { a.button.first href="?view=ask" { "Ask for packets" } }
                @if is_live { a.button href="?still" { "Stop refreshing" } } @else { a.button href="./" { "Keep up to date" } }
            }
            (recording.figures(&charts, &self.zone))
            @if recording.is_told() || charts.told_lost().is_some() { (charts.markup(&self.zone)) }
            (recording.room())
            (self.all_jobs(offer))
        };
        self.page(StatusCode::OK, "Recorder", is_live.then_some(REFRESH_SECS), body)
    }

    fn all_jobs(&self, offer: &Offer) -> Markup {
        let ((running, waiting), seats) = (self.jobs.load(), self.jobs.seats());
        let open: Vec<_> = self.jobs.open().iter().map(|job| Brief::of(&job.manifest())).collect();
        let ended = self.jobs.ended_last();
        html! {
            section {
                h2 { "Jobs" }
                p {
                    (number::count(running as u64)) " running of at most " (number::count(seats as u64)) ", "
                    (number::count(waiting as u64)) " waiting of at most " (number::count(offer.queue as u64)) ", "
                    (number::count(open.len() as u64)) " not done."
                }
                @if !open.is_empty() { (rows::table("Jobs that are not done", open.iter().take(OPEN_SHOWN), &offer.links, &self.zone)) }
            }
            section {
                h2 { "Last answers" }
                @if ended.last.is_empty() { p.quiet { "None since the listener was started." } }
                @else { (rows::table("Jobs that have ended", &ended.last, &offer.links, &self.zone)) }
            }
            @if !ended.failed.is_empty() {
                section {
                    h2 { "Last failures" }
                    (rows::table("Jobs that have failed", &ended.failed, &offer.links, &self.zone))
                }
            }
        }
    }

    fn form(&self, status: StatusCode, fields: &Fields, told: &Told) -> Reply {
        // How far back is of interest only beside a window.
        let oldest =
            matches!(told, Told::Looked(Ok(_))).then(|| self.look(Timestamp::now()).oldest).flatten();
        let body = form::markup(fields, told, &self.zone, oldest);
        let (title, zone, refresh) = ("Ask for packets", &self.zone, None);
        Page { title, part: PART, zone, refresh, script: Some(form::PREVIEW), body }.reply(status)
    }

    fn form_refused(&self, status: StatusCode, fields: &Fields, why: &'static str) -> Reply {
        self.form(status, fields, &Told::Refused(why))
    }

    fn job(&self, name: &str, is_live: bool, offer: &Offer) -> io::Result<Reply> {
        let manifest = match self.jobs.job(name) {
            Some(job) => job.manifest(),
            None => match self.jobs.folder().manifest(name)? {
                Shelved::Manifest(manifest) => Arc::from(manifest),
                Shelved::Nothing | Shelved::Damaged(_) => return Ok(self.nothing()),
            },
        };
        let job = Brief::of(&manifest);
        let refresh = (is_live && job.open).then_some(JOB_REFRESH_SECS);
        let body = html! {
            p.small { a href="./" { "← Recorder and jobs" } }
            div.lead.split { h1 { (rows::title(&job)) } (Mark::of(job.state, job.open).markup()) }
            p.lead { code { (Foreign::new(&job.filter).bounded(2000)) } }
            @if job.open {
                div.note.open role="status" {
                    p {
                        "Packets are still being collected."
                        @if refresh.is_some() { " " a href={ "?job=" (rows::encoded(name)) "&still" } { "Stop refreshing" } }
                    }
                }
            }
            @if let Some(reason) = &job.reason { div.note { p { (Foreign::new(reason).bounded(1000)) } } }
            div.actions {
                @if let Some(file) = &job.file { a.button.first href=(offer.links.file(file)) { "Download" } }
                @if let Some(page) = offer.links.page(name) { a.button href=(page) { "Look at it" } }
                @if offer.by_hand { a.button href="?view=ask" { "Ask again" } }
            }
            dl.figures {
                div { dt { "Packets" } dd { @match job.packets { Some(packets) => (number::count(packets)), None => "–" } } }
                div { dt { "File" } dd { @match job.bytes { Some(bytes) => (number::bytes(bytes)), None => "–" } } }
            }
            section {
                h2 { "Asked for" }
                dl.facts {
                    div { dt { "Time" } dd { (time::span(&self.zone, manifest.asked.from, manifest.asked.to)) } }
                    div { dt { "Name" } dd { code { (Foreign::new(name)) } } }
                    div { dt { "Asked at" } dd { (time::instant(&self.zone, job.asked_at)) } }
                }
            }
        };
        Ok(self.page(StatusCode::OK, name, refresh, body))
    }

    fn nothing(&self) -> Reply {
        let body = html! {
            h1 { "There is no job of this name" }
            p.lead { a href="./" { "Recorder and jobs" } }
        };
        self.page(StatusCode::NOT_FOUND, "Not found", None, body)
    }

    fn page(&self, status: StatusCode, title: &str, refresh: Option<u32>, body: Markup) -> Reply {
        Page { title, part: PART, zone: &self.zone, refresh, script: None, body }.reply(status)
    }
}

/// Why there is no form.
const OFF: &str = "Questions by hand are switched off. The key allow_ad_hoc, or credentials for the listener, switch them on.";

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_page_is_for_those_who_name_html() {
        let wants = |accept: &'static str| {
            is_wanted(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert!(!is_wanted(&HeaderMap::new()));
        for accept in [
            "text/html",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "Text/HTML; q=0.5",
        ] {
            assert!(wants(accept), "{accept}");
        }
        for accept in [
            "*/*",
            "",
            "text/*",
            "application/json",
            "application/json, text/html",
            "text/html;q=0",
            "text/plain",
            "text/htmlx",
        ] {
            assert!(!wants(accept), "{accept}");
        }
    }
}
