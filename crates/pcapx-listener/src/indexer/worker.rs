//! The thread that builds indexes, one file at a time.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::catalog::Catalog;
use pcapx_timeline::index::{Backlog, IndexPlace, Swept, index_segment, sweep};

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
    /// Whether the timeline had no file at the last sweep.
    was_empty: bool,
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
            was_empty: false,
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
        let wanted = self.backlog.todo(catalog, Timestamp::now(), &handle.token).wanted.len();
        handle.backlog.store(wanted, Ordering::Relaxed);
        while let Some(segment) = self.backlog.next(catalog, Timestamp::now(), &handle.token) {
            let result = index_segment(&segment.path, &place, &handle.token, |_| {});
            self.ledger.add(segment, &result);
            // Each that was tried waits no more, and one that came meanwhile is counted at the next look.
            let counted = handle.backlog.load(Ordering::Relaxed);
            handle.backlog.store(counted.saturating_sub(1), Ordering::Relaxed);
            if let Some(notice) = self.backlog.note(segment, &result, Timestamp::now()) {
                ledger::tell(&notice, &place, &result);
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

    /// Sweeps when that is due. While the timeline is empty, what is in the index folder is not looked at: that is made up for.
    fn sweep(&mut self, catalog: &Catalog, handle: &Handle) {
        let is_empty = catalog.segments().is_empty();
        self.is_sweep_due |= self.backlog.forget_gone(catalog);
        self.is_sweep_due |= self.swept.is_none_or(|last| last.elapsed() >= SWEEP_EVERY);
        self.is_sweep_due |= self.was_empty && !is_empty;
        if self.is_sweep_due {
            let swept = sweep(&self.roots, catalog, self.backlog.place(), &handle.token);
            ledger::tell_swept(swept);
            if swept != Swept::default() {
                self.backlog.room_was_made();
            }
            if is_empty && !self.was_empty {
                ledger::tell_empty(self.backlog.place());
            }
            (self.is_sweep_due, self.swept, self.was_empty) = (false, Some(Instant::now()), is_empty);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use pcapx_testkit::capture::{Packet, Pcap};

    use super::*;

    /// A timeline, and what works on it.
    struct Site {
        dir: tempfile::TempDir,
        handle: Handle,
        worker: Worker,
    }

    impl Site {
        fn new(place: impl FnOnce(&Path) -> IndexPlace) -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("rolling")).unwrap();
            let worker = Worker::new(vec![dir.path().join("rolling")], place(dir.path()));
            Self { dir, handle: Handle::default(), worker }
        }

        fn record(&self, name: &str) -> PathBuf {
            let path = self.dir.path().join("rolling").join(name);
            Pcap::new().write(&path, &[Packet::new(Timestamp::from_secs(1_739_100_000), vec![1; 60])]);
            let file = fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(300)).unwrap();
            path
        }

        fn index(&self, segment: &Path) -> PathBuf {
            self.worker.backlog.place().to_write(&fs::canonicalize(segment).unwrap())
        }

        fn catalog(&self) -> Catalog {
            Catalog::open(&[self.dir.path().join("rolling")]).unwrap()
        }

        fn sweep(&mut self) {
            self.worker.sweep(&self.catalog(), &self.handle);
        }

        fn build(&mut self) {
            self.worker.build(&self.catalog(), &self.handle);
        }
    }

    #[test]
    fn a_timeline_that_was_empty_for_a_moment_is_swept_all_the_same() {
        let mut site = Site::new(|dir| IndexPlace::below(dir.join("index")));
        let first = site.record("1.pcap");
        let index = site.index(&first);
        site.sweep();
        site.build();
        assert!(index.is_file());
        fs::remove_file(first).unwrap();
        site.sweep();
        assert!(index.is_file(), "the disk may not be mounted");
        site.record("2.pcap");
        site.sweep();
        assert!(!index.exists());
    }

    #[test]
    fn the_index_of_a_file_that_was_never_looked_at_goes_too() {
        let mut site = Site::new(|_| IndexPlace::beside());
        let old = site.record("1.pcap");
        let index = site.index(&old);
        site.build();
        // The service starts again, and has newer files to index before it comes to the old one.
        site.worker = Worker::new(vec![site.dir.path().join("rolling")], IndexPlace::beside());
        site.sweep();
        fs::remove_file(old).unwrap();
        site.sweep();
        assert!(!index.exists());
    }
}
