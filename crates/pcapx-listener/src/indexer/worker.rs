//! The thread that builds indexes, one file at a time.

use std::path::PathBuf;
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
    roots: Vec<PathBuf>,
    backlog: Backlog,
    ledger: Ledger,
    swept: Option<Instant>,
    is_sweep_due: bool,
    paused: Option<Instant>,
}

impl Worker {
    /// Nothing is known of the timeline at `roots` yet.
    pub(super) fn new(roots: Vec<PathBuf>, place: IndexPlace) -> Self {
        Self {
            roots,
            backlog: Backlog::new(place),
            ledger: Ledger::new(),
            swept: None,
            is_sweep_due: false,
            paused: None,
        }
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

    /// Sweeps when that is due. While the timeline is empty it may not be mounted, and the sweep waits.
    fn sweep(&mut self, catalog: &Catalog, handle: &Handle) {
        self.is_sweep_due |= self.backlog.forget_gone(catalog);
        self.is_sweep_due |= self.swept.is_none_or(|last| last.elapsed() >= SWEEP_EVERY);
        if !self.is_sweep_due || catalog.segments().is_empty() {
            return;
        }
        ledger::tell_swept(sweep(&self.roots, catalog, self.backlog.place(), &handle.token));
        (self.is_sweep_due, self.swept) = (false, Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pcapx_testkit::capture::{Packet, Pcap};

    use super::*;

    #[test]
    fn a_timeline_that_was_empty_for_a_moment_is_swept_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let record = |name: &str| {
            let path = dir.path().join(name);
            Pcap::new().write(&path, &[Packet::new(Timestamp::from_secs(1_739_100_000), vec![1; 60])]);
            let file = fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(300)).unwrap();
            path
        };
        let catalog = || Catalog::open(&[dir.path()]).unwrap();
        let index = dir.path().join("1.pcap.pcapx");
        let (handle, mut worker) =
            (Handle::default(), Worker::new(vec![dir.path().to_owned()], IndexPlace::beside()));
        let first = record("1.pcap");
        worker.sweep(&catalog(), &handle);
        worker.build(&catalog(), &handle);
        assert!(index.is_file());
        fs::remove_file(first).unwrap();
        worker.sweep(&catalog(), &handle);
        assert!(index.is_file(), "the disk may not be mounted");
        record("2.pcap");
        worker.sweep(&catalog(), &handle);
        assert!(!index.exists());
    }
}
