//! The thread that builds indexes, one file at a time.

use std::path::PathBuf;
use std::slice;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::catalog::Catalog;
use pcapx_timeline::index::{Backlog, IndexPlace, index_segment, sweep};

use super::Handle;
use super::ledger::{self, Ledger};

/// A sweep is due when a file has gone, and so often in any case: a file may have gone while nobody watched.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// The shortest time between two lines of totals at a pause: a recorder that finishes a file every second has one each.
const PAUSE_EVERY: Duration = Duration::from_secs(10);

/// Everything the thread knows.
#[derive(Debug)]
pub(super) struct Worker {
    root: PathBuf,
    backlog: Backlog,
    ledger: Ledger,
    swept: Option<Instant>,
    paused: Option<Instant>,
}

impl Worker {
    /// Nothing is known of the timeline at `root` yet.
    pub(super) fn new(root: PathBuf, place: IndexPlace) -> Self {
        Self { root, backlog: Backlog::new(place), ledger: Ledger::new(), swept: None, paused: None }
    }

    /// Works until the stop.
    pub(super) fn run(mut self, handle: &Handle) {
        while let Some((catalog, suspects)) = handle.wait() {
            for path in suspects {
                self.backlog.suspect(path);
            }
            self.sweep(&catalog, handle);
            self.build(&catalog, handle);
        }
        self.ledger.totals(true);
    }

    /// Builds what is missing, the newest first, until a newer catalog is there: it may have a newer file.
    fn build(&mut self, catalog: &Catalog, handle: &Handle) {
        let place = self.backlog.place().clone();
        while let Some(segment) = self.backlog.next(catalog, Timestamp::now(), &handle.token) {
            let result = index_segment(&segment.path, &place, &handle.token, |_| {});
            self.ledger.add(segment, &result);
            if let Some(folder) = self.backlog.note(segment, &result, Timestamp::now()) {
                ledger::tell_refusal(&folder, &place, &result);
            }
            if handle.has_news() {
                self.ledger.totals(false);
                return;
            }
        }
        let is_pause = self.paused.is_none_or(|last| last.elapsed() >= PAUSE_EVERY);
        if is_pause {
            self.paused = Some(Instant::now());
        }
        self.ledger.totals(is_pause);
    }

    fn sweep(&mut self, catalog: &Catalog, handle: &Handle) {
        let has_gone = self.backlog.forget_gone(catalog);
        if has_gone || self.swept.is_none_or(|last| last.elapsed() >= SWEEP_EVERY) {
            let place = self.backlog.place().clone();
            ledger::tell_swept(sweep(slice::from_ref(&self.root), catalog, &place, &handle.token));
            self.swept = Some(Instant::now());
        }
    }
}
