//! Jobs: from a question to evidence.
//!
//! ```text
//! place ─► accept ─► manifest on the disk ─► first search ─► over? ── yes ─► complete │ no_match │ failed
//!  │          └─ known already: its manifest    (a seat)      │                              ▲
//!  └─ none: 429                                               no: partial, open              │
//!                                                             └─► follow ─► over ─► last search
//! restart: every open manifest goes on where it stands        (no seat)            (one at a time)
//! ```
//!
//! What must hold:
//!
//! * A job is written down before it is worked on, and goes on after a restart. Its client may leave.
//! * `max_concurrent_extractions` seats, each for one first search. An open window holds none while it waits; the searches
//!   that complete windows run one at a time beside them, so that no alert is turned away for them.
//! * Manifests are the only state. What is in memory is what is being done.
//! * A capture is published before the manifest that tells of it, and replaced as a whole.

mod conclusion;
mod desk;
mod job;
mod line;
mod reach;
mod recent;
mod recover;
mod register;
mod run;
mod unwritten;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pcapx_core::config::{Completion, Config};
use pcapx_core::manifest::{Failure, Manifest};
use pcapx_http::Current;
use pcapx_timeline::query::Limits;
use tokio::sync::{Notify, Semaphore, watch};

pub(crate) use desk::Place;
use desk::{Desk, Seat};
use job::Hold;
pub(crate) use job::{Brief, Job};
use line::JobLine;
pub(crate) use line::{NoFilterLine, word};
pub(crate) use reach::Reach;
pub(crate) use recent::Ended;
use recent::Recent;
pub(crate) use register::Origin;

use crate::evidence::{EvidenceFolder, Retention, RetentionRules};
use crate::extractor::Extractor;
use crate::metrics::Figures;
use crate::question::Question;

/// Searches that complete open windows at a time.
const COMPLETIONS_AT_A_TIME: usize = 1;

/// Runs jobs and knows those that are not done.
#[derive(Debug)]
pub(crate) struct Jobs {
    desk: Arc<Desk>,
    /// Jobs that are not done, by name.
    active: Mutex<HashMap<String, Arc<Job>>>,
    /// Held while a name is found and taken.
    names: Mutex<()>,
    completions: Semaphore,
    extractor: Extractor,
    folder: Arc<EvidenceFolder>,
    reach: Arc<Reach>,
    rules: Current<Rules>,
    figures: Figures,
    recent: Recent,
    /// Something was finished; retention may have work.
    finished: Notify,
    stopping: watch::Sender<bool>,
    cancelled: watch::Sender<bool>,
    /// Whether all jobs are known that an earlier run has left.
    taken_up: watch::Sender<bool>,
}

/// What the configuration wants of jobs.
#[derive(Clone, Copy, Debug)]
struct Rules {
    completion: Completion,
    min_free_bytes: u64,
    limits: Limits,
    retention: Option<Retention>,
}

impl Rules {
    fn of(config: &Config) -> Self {
        let retention =
            RetentionRules { max_age: config.retention_max_age, max_bytes: config.retention_max_bytes };
        Self {
            completion: config.completion,
            min_free_bytes: config.min_free_bytes,
            limits: Limits { max_bytes: config.max_output_bytes, max_packets: config.max_output_packets },
            retention: Retention::new(retention),
        }
    }
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A job that is being done.
    Job(Arc<Job>, Held),
    /// It has been answered before.
    Known(Box<Manifest>),
    /// It cannot be written down.
    Refused(Failure),
}

/// What the answer to an accepted question has to do with a seat.
#[derive(Debug)]
pub(crate) enum Held {
    /// The job has one.
    Seat,
    /// The job waits for one.
    Waits,
    /// A job that does the same has one; this place is kept for as long as its answer is waited for, so that no more clients
    /// wait than there are places.
    Joined(#[expect(dead_code, reason = "held until dropped")] Place),
}

impl Jobs {
    /// Jobs as `config` wants them, none running yet.
    pub(crate) fn new(
        config: &Config,
        extractor: Extractor,
        folder: Arc<EvidenceFolder>,
        reach: Arc<Reach>,
    ) -> Arc<Self> {
        Arc::new(Self {
            desk: Desk::new(config.max_concurrent_extractions.get(), config.max_queued_extractions),
            active: Mutex::default(),
            names: Mutex::default(),
            completions: Semaphore::new(COMPLETIONS_AT_A_TIME),
            extractor,
            folder,
            reach,
            rules: Current::new(Rules::of(config)),
            figures: Figures::default(),
            recent: Recent::default(),
            finished: Notify::new(),
            stopping: watch::Sender::new(false),
            cancelled: watch::Sender::new(false),
            taken_up: watch::Sender::new(false),
        })
    }

    /// Takes over what of `config` can change while jobs run: what is searched from now on is searched by it.
    pub(crate) fn adopt(&self, config: &Config) {
        self.rules.set(Rules::of(config));
        self.finished.notify_one();
    }

    /// A place for one more job; `None` when as many run and wait as may.
    pub(crate) fn place(&self) -> Option<Place> {
        self.desk.place()
    }

    /// Makes a job of `question` in `place`, or finds its answer.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        place: Place,
        question: Question,
        origin: Origin,
    ) -> Accepted {
        let jobs = Arc::clone(self);
        let registered = tokio::task::spawn_blocking(move || jobs.register(&question, &origin)).await;
        // A panic has been logged where it happened.
        let Ok(registered) = registered else { return Accepted::Refused(Failure::Failed) };
        match registered {
            register::Registered::Known(manifest) => Accepted::Known(manifest),
            register::Registered::Refused(failure) => Accepted::Refused(failure),
            register::Registered::Joined(job) => {
                let held = match place {
                    Place::Seat(seat) if job.is_searched() => Held::Joined(Place::Seat(seat)),
                    // It waits itself, for this seat perhaps.
                    Place::Seat(_) | Place::Number(_) => Held::Waits,
                };
                Accepted::Job(job, held)
            }
            register::Registered::New(job) => match place {
                Place::Seat(seat) => {
                    self.work(seat, Arc::clone(&job));
                    Accepted::Job(job, Held::Seat)
                }
                Place::Number(number) => {
                    if let Some(seat) = number.wait(Arc::clone(&job)) {
                        self.serve(seat);
                    }
                    Accepted::Job(job, Held::Waits)
                }
            },
        }
    }

    /// The job called `name`, when it is not done.
    pub(crate) fn job(&self, name: &str) -> Option<Arc<Job>> {
        self.active().get(name).cloned()
    }

    /// The job that answers the question of this identity, when it is not done.
    fn job_of(&self, question: &str) -> Option<Arc<Job>> {
        self.active().values().find(|job| job.manifest().question == question).cloned()
    }

    /// All jobs that are not done, in the order in which they were asked for.
    pub(crate) fn open(&self) -> Vec<Arc<Job>> {
        let mut jobs: Vec<_> = self.active().values().cloned().collect();
        jobs.sort_by_key(|job| job.manifest().request.at);
        jobs
    }

    /// The folder of all evidence.
    pub(crate) fn folder(&self) -> &Arc<EvidenceFolder> {
        &self.folder
    }

    /// Whether the disk of all evidence has the room that has to be free before a search.
    pub(crate) fn have_room(&self) -> bool {
        self.folder.has_room(self.rules.get().min_free_bytes)
    }

    /// Jobs that run and jobs that wait for a seat.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.desk.running(), self.desk.waiting())
    }

    /// Jobs that may run at once.
    pub(crate) fn seats(&self) -> usize {
        self.desk.seats()
    }

    /// What is counted of jobs.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Jobs that have ended last.
    pub(crate) fn ended_last(&self) -> Ended {
        self.recent.told()
    }

    /// From now on nothing is begun that a restart can do as well: who waits goes on waiting, on the disk.
    pub(crate) fn stop(&self) {
        self.desk.close();
        self.stopping.send_replace(true);
    }

    /// Asks every running search to end, now and later; their jobs go on after a restart.
    pub(crate) fn cancel(&self) {
        self.cancelled.send_replace(true);
        self.stop();
        for job in self.active().values() {
            job.cancel();
        }
    }

    /// Returns once the service is stopping.
    pub(crate) async fn stopped(&self) {
        // An error would mean that nobody can stop it any more.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Returns once running searches are cancelled and have had a moment to end.
    pub(crate) async fn given_up(&self) {
        // An error would mean that nobody can cancel them any more.
        let _ = self.cancelled.subscribe().wait_for(|cancelled| *cancelled).await;
        self.ended().await;
    }

    /// Returns once no search runs.
    pub(crate) async fn ended(&self) {
        self.desk.empty().await;
        // Nobody closes the semaphore.
        drop(self.completions.acquire().await);
    }

    /// Leads who waits to seats that were not needed.
    pub(crate) async fn usher(self: Arc<Self>) {
        loop {
            let seat = self.desk.vacancy().await;
            self.serve(seat);
        }
    }

    /// Removes evidence by the rules of retention, each minute and when there is more of it.
    pub(crate) async fn keep_in_bounds(self: Arc<Self>) {
        const EVERY: Duration = Duration::from_secs(60);
        const AT_MOST_EVERY: Duration = Duration::from_secs(1);
        // The limit of which it was told that it is too small.
        let mut told = None;
        loop {
            if let Some(retention) = self.rules.get().retention {
                let jobs = Arc::clone(&self);
                let work =
                    move || retention.apply(&jobs.folder, std::time::SystemTime::now(), || jobs.hold_names());
                // A panic has been logged where it happened.
                match tokio::task::spawn_blocking(work).await {
                    Ok(Ok(Some(oversized))) if told != Some(oversized.limit) => {
                        log::warn!("{oversized}");
                        told = Some(oversized.limit);
                    }
                    Ok(Err(error)) => log::warn!("output_dir: old evidence cannot be removed: {error}"),
                    Ok(Ok(_)) | Err(_) => {}
                }
            }
            tokio::time::sleep(AT_MOST_EVERY).await;
            // Neither way of being woken is an error.
            drop(tokio::time::timeout(EVERY, self.finished.notified()).await);
        }
    }

    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Keeps names from being found and taken.
    fn hold_names(&self) -> MutexGuard<'_, ()> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn active(&self) -> MutexGuard<'_, HashMap<String, Arc<Job>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job is done.
    fn forget(&self, job: &Arc<Job>) {
        self.active().retain(|_, known| !Arc::ptr_eq(known, job));
        self.finished.notify_one();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pcapx_core::manifest::{Requested, Span};
    use pcapx_core::time::Timestamp;

    use super::*;

    /// A manifest called `name`, of a job that has just been accepted.
    pub(crate) fn manifest(name: &str) -> Manifest {
        let at = Timestamp::from_secs(1_739_100_000);
        let request =
            Requested { id: "0-1".to_owned(), at, peer: "127.0.0.1".to_owned(), user: "-".to_owned() };
        let asked = Span { from: at, to: at };
        Manifest {
            extractor: "builtin".to_owned(),
            question: name.to_owned(),
            subject: name.to_owned(),
            ..Manifest::accepted(name.to_owned(), "host 10.0.0.1".to_owned(), asked, request)
        }
    }

    /// A job called `name`.
    pub(crate) fn job(name: &str) -> Arc<Job> {
        Job::new(manifest(name))
    }
}
