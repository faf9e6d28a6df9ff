//! Background indexing: files are indexed as the recorder finishes them, so that a job reads little more than its answer.
//!
//! ```text
//! lookout (a thread) ── every few seconds: the timeline's catalog ──► worker (a thread, idle priority)
//!                                                                      │  backlog: which file is next? the newest
//! jobs ── an index was damaged or stale ─────────────────────────────► │  index_segment ─► SEGMENT.pcapx
//!                                                                      └─ sweep: indexes whose files are gone
//! ```
//!
//! No job waits for it. Only the worker reads capture files, and it gets the processor and the disk when nobody else wants
//! them; for that very reason it holds no lock that a job takes. The timeline's is the lookout's business, whose looks keep
//! the timeline fresh for jobs, besides. Work that a stop interrupts leaves nothing behind; what a crash leaves is taken
//! over or swept later.

mod idle;
mod ledger;
mod worker;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pcapx_core::config::Config;
use pcapx_timeline::catalog::{Catalog, Timeline};
use pcapx_timeline::control::CancelToken;
use pcapx_timeline::index::IndexPlace;

use worker::Worker;

/// Time between two looks at the timeline. A file counts as finished two seconds after the next one has begun at the
/// earliest, so looking more often finds nothing sooner.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How long the end of the threads is waited for. They end within milliseconds unless a disk does not answer.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Indexes in doubt that are remembered until the worker takes them; more of them are told again by later jobs.
const SUSPECTS_KEPT: usize = 1000;
/// Where systemd has made a folder for the service's own data (`StateDirectory=`).
const STATE_VARIABLE: &str = "STATE_DIRECTORY";
/// The folder of indexes in it.
const STATE_FOLDER: &str = "index";

/// Where `config` wants indexes, looking at the environment that systemd gives.
pub(crate) fn place(config: &Config) -> IndexPlace {
    let state = || {
        let folders = std::env::var_os(STATE_VARIABLE)?;
        // Several are separated by colons.
        let first = std::env::split_paths(&folders).next()?;
        first.is_absolute().then(|| first.join(STATE_FOLDER))
    };
    config.index_dir.clone().or_else(state).map_or_else(IndexPlace::beside, IndexPlace::below)
}

/// `place` in words.
pub(crate) fn describe(place: &IndexPlace) -> String {
    match place.folder() {
        None => "indexes stand beside the files".to_owned(),
        Some(folder) => format!("indexes stand below {}", folder.display()),
    }
}

/// Both threads. They are ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Indexer {
    handle: Handle,
}

/// What jobs and the service's stop hold of the indexer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handle {
    desk: Arc<Desk>,
    token: CancelToken,
    backlog: Arc<AtomicUsize>,
}

/// Where the threads meet.
#[derive(Debug, Default)]
struct Desk {
    papers: Mutex<Papers>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Papers {
    /// The newest catalog, until the worker takes it.
    catalog: Option<Arc<Catalog>>,
    /// Segments whose indexes a job could not use.
    suspects: Vec<PathBuf>,
    /// Threads that have not ended.
    running: usize,
}

impl Indexer {
    /// Begins to index `timeline` into `place`.
    pub(crate) fn start(timeline: Arc<Timeline>, place: IndexPlace) -> io::Result<Self> {
        let handle = Handle::default();
        // From here on, an error ends what has been started.
        let indexer = Self { handle: handle.clone() };
        let (lookout, roots) = (handle.clone(), timeline.roots().to_vec());
        handle.spawn("pcapx-lookout", move || lookout.look_out(&timeline))?;
        let worker = handle.clone();
        handle.spawn("pcapx-indexer", move || {
            idle::enter();
            Worker::new(roots, place).run(&worker);
        })?;
        Ok(indexer)
    }

    /// What others may hold of it.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.handle.stop();
        let papers = self.handle.papers();
        let running = |papers: &mut Papers| papers.running > 0;
        let waited = self.handle.desk.changed.wait_timeout_while(papers, STOP_GRACE, running);
        if waited.is_ok_and(|(papers, _)| papers.running > 0) {
            log::warn!("indexing: a disk does not answer; its thread is left alone");
        }
    }
}

impl Handle {
    /// Tells that a job could not use the indexes of these segments. They are looked at soon.
    pub(crate) fn suspect(&self, segments: impl IntoIterator<Item = PathBuf>) {
        let mut papers = self.papers();
        let room = SUSPECTS_KEPT.saturating_sub(papers.suspects.len());
        papers.suspects.extend(segments.into_iter().take(room));
        if !papers.suspects.is_empty() {
            self.desk.changed.notify_all();
        }
    }

    /// Files that waited for an index when the worker looked last.
    pub(crate) fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Ends the work within milliseconds, and does not wait for that.
    pub(crate) fn stop(&self) {
        self.token.cancel();
        // Taken for a moment, so that no thread is between looking at the token and waiting.
        drop(self.papers());
        self.desk.changed.notify_all();
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let present = Present::new(self.desk.clone());
        thread::Builder::new().name(name.into()).spawn(move || {
            let _present = present;
            work();
        })?;
        Ok(())
    }

    /// Refreshes the catalog until the stop.
    fn look_out(&self, timeline: &Timeline) {
        while !self.token.is_cancelled() {
            let catalog = timeline.catalog();
            let mut papers = self.papers();
            match catalog {
                Ok(catalog) => {
                    papers.catalog = Some(catalog);
                    self.desk.changed.notify_all();
                }
                // Whoever asks for packets is told; here it would be told for ever.
                Err(error) => log::debug!("indexing: {error}"),
            }
            // A new suspect is due at once.
            let is_quiet = |papers: &mut Papers| !self.token.is_cancelled() && papers.suspects.is_empty();
            let waited = self.desk.changed.wait_timeout_while(papers, LOOK_EVERY, is_quiet);
            drop(waited);
        }
    }

    /// The next catalog and the segments in doubt, waited for; `None` at the stop.
    fn wait(&self) -> Option<(Arc<Catalog>, Vec<PathBuf>)> {
        let is_idle = |papers: &mut Papers| !self.token.is_cancelled() && papers.catalog.is_none();
        let waited = self.desk.changed.wait_while(self.papers(), is_idle);
        let mut papers = waited.unwrap_or_else(PoisonError::into_inner);
        let catalog = papers.catalog.take().filter(|_| !self.token.is_cancelled())?;
        Some((catalog, std::mem::take(&mut papers.suspects)))
    }

    /// Whether a newer catalog is there.
    fn has_news(&self) -> bool {
        self.papers().catalog.is_some()
    }

    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.desk.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a thread as running until it is dropped, however that comes.
struct Present(Arc<Desk>);

impl Present {
    fn new(desk: Arc<Desk>) -> Self {
        desk.papers.lock().unwrap_or_else(PoisonError::into_inner).running += 1;
        Self(desk)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.papers.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
        self.0.changed.notify_all();
    }
}
