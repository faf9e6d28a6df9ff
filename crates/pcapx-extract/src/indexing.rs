//! `--index`: builds the indexes that are missing, several files at a time, and removes those of folders whose files are gone.

use std::collections::HashSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::catalog::Segment;
use pcapx_timeline::index::{Backlog, Built, IndexError, IndexPlace, Swept, Todo, index_segment, sweep};
use pcapx_timeline::segment::{SegmentError, SegmentReader};
use pcapx_timeline::{Catalog, Progress};

use crate::args::Args;
use crate::exit::Code;
use crate::failure::Failure;
use crate::index_place;
use crate::interrupt::Interrupt;
use crate::progress::{Bar, Work};
use crate::voice::{Voice, tell};

/// Failures told one by one unless more is asked for.
const FAILURES_TOLD: usize = 8;

/// Builds what is missing of the indexes of folders and files that the command line names.
pub(crate) fn run(args: &Args, interrupt: &Interrupt, voice: Voice) -> Result<Code, Failure> {
    let place = index_place::for_writing(args);
    let (folders, files): (Vec<_>, Vec<_>) = args.index.iter().cloned().partition(|path| path.is_dir());
    // In a folder, what is no capture is passed over. A file that is named is meant, and finished.
    for path in &files {
        SegmentReader::open(path).map_err(|source| Failure::NotACapture { path: path.clone(), source })?;
    }
    let (named, found) = (Catalog::open(&files)?, Catalog::open(&folders)?);
    let mut backlog = Backlog::new(place.clone());
    let mut todo = backlog.todo(&named, Timestamp::MAX, &interrupt.token);
    let more = backlog.todo(&found, Timestamp::now(), &interrupt.token);
    let meant: HashSet<_> = named.segments().iter().map(|segment| segment.file_id).collect();
    for (all, more) in [
        (&mut todo.wanted, more.wanted),
        (&mut todo.indexed, more.indexed),
        (&mut todo.growing, more.growing),
    ] {
        all.extend(more.into_iter().filter(|segment| !meant.contains(&segment.file_id)));
    }
    voice.warnings(found.warnings());

    let begun = Instant::now();
    let threads =
        args.threads.map_or_else(|| thread::available_parallelism().map_or(1, Into::into), Into::into);
    let threads = threads.min(todo.wanted.len()).max(1);
    let tally = build(&todo.wanted, &place, threads, interrupt, voice);
    let swept = sweep(&folders, &found, &place, &interrupt.token);
    interrupt.check()?;
    tally.tell_failures(&place, voice);
    if voice.sums_up() {
        tell(format_args!(
            "{}",
            Report { tally: &tally, todo: &todo, place: &place, swept, threads, took: begun.elapsed() }
        ));
    }
    Ok(tally.code(&todo))
}

/// Builds the indexes of `wanted`, `threads` at a time.
fn build(
    wanted: &[&Segment],
    place: &IndexPlace,
    threads: usize,
    interrupt: &Interrupt,
    voice: Voice,
) -> Tally {
    let progress = Arc::new(Progress::default());
    progress.segments_total.store(wanted.len() as u64, Ordering::Relaxed);
    progress.bytes_total.store(wanted.iter().map(|segment| segment.len).sum(), Ordering::Relaxed);
    let _bar = if voice.sums_up() { Bar::show(&progress, Work::Indexing) } else { None };
    let (next, is_disk_full, tally) =
        (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Tally::default()));
    let work = || {
        while let Some(segment) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            if interrupt.token.is_cancelled() || is_disk_full.load(Ordering::Relaxed) {
                return;
            }
            let read = |bytes| {
                progress.bytes_read.fetch_add(bytes, Ordering::Relaxed);
            };
            let built = index_segment(&segment.path, place, &interrupt.token, read);
            if matches!(&built, Err(IndexError::Write(e)) if e.kind() == ErrorKind::StorageFull) {
                is_disk_full.store(true, Ordering::Relaxed);
            }
            progress.segments_done.fetch_add(1, Ordering::Relaxed);
            tally.lock().unwrap_or_else(PoisonError::into_inner).add(segment, built);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system has no more threads, those there are do the work.
            if thread::Builder::new().name("pcapx-index".into()).spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What has come of it so far.
#[derive(Debug, Default)]
struct Tally {
    files: u64,
    packets: u64,
    segment_bytes: u64,
    index_bytes: u64,
    /// Files that are no captures.
    foreign: u64,
    /// Files whose index could not be built, with the sentence that says why.
    failures: Vec<(PathBuf, String)>,
    is_unreadable: bool,
    is_unwritable: bool,
}

impl Tally {
    fn add(&mut self, segment: &Segment, built: Result<Built, IndexError>) {
        let error = match built {
            Ok(built) => {
                self.files += 1;
                self.packets += built.summary.packets;
                self.segment_bytes += built.segment_bytes;
                self.index_bytes += built.index_bytes;
                return;
            }
            Err(IndexError::Cancelled) => return,
            Err(error) => error,
        };
        let why = match &error {
            // Rotation was faster.
            _ if !segment.file.exists() => return,
            IndexError::Segment(SegmentError::Io(e)) => {
                self.is_unreadable = true;
                format!("cannot be read: {e}")
            }
            IndexError::Segment(_) => {
                self.foreign += 1;
                return;
            }
            IndexError::Stale => "is being written to: it has no index yet".to_owned(),
            IndexError::Busy => "is being indexed by another process".to_owned(),
            IndexError::Write(e) => {
                self.is_unwritable = true;
                format!("gets no index, it cannot be written: {e}")
            }
            IndexError::Occupied(e) => {
                self.is_unwritable = true;
                format!("gets no index, its name cannot be used where it would stand: {e}")
            }
            error => format!("gets no index: {error}"),
        };
        self.failures.push((segment.path.clone(), why));
    }

    fn tell_failures(&self, place: &IndexPlace, voice: Voice) {
        let told = if voice.names_files() { self.failures.len() } else { FAILURES_TOLD };
        for (path, why) in self.failures.iter().take(told) {
            voice.note(&format_args!("{path:?} {why}"));
        }
        if self.failures.len() > told {
            voice.note(&format_args!(
                "{} more files have no index, -v names them",
                self.failures.len() - told
            ));
        }
        if self.is_unwritable && place.folder().is_none() {
            voice.note(
                &"--index-dir DIR puts indexes into a folder of your own; give it to later searches, too",
            );
        }
    }

    fn code(&self, todo: &Todo<'_>) -> Code {
        match self {
            Self { is_unwritable: true, .. } => Code::Unwritable,
            Self { is_unreadable: true, .. } => Code::Unreadable,
            // There is nothing at all.
            tally
                if tally.files == 0
                    && todo.indexed.is_empty()
                    && todo.growing.is_empty()
                    && tally.failures.is_empty() =>
            {
                Code::NothingMatched
            }
            _ => Code::Done,
        }
    }
}

/// The closing summary.
struct Report<'r> {
    tally: &'r Tally,
    todo: &'r Todo<'r>,
    place: &'r IndexPlace,
    swept: Swept,
    threads: usize,
    took: Duration,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, todo, place, swept, threads, took } = self;
        let secs = took.as_secs_f64();
        let is_nothing = todo.indexed.is_empty() && todo.growing.is_empty() && tally.failures.is_empty();
        match tally.files {
            0 if is_nothing => {
                f.write_str("nothing to index: no capture file")?;
            }
            0 => f.write_str("nothing was indexed")?,
            1 => write!(f, "indexed: 1 file, {} packets", tally.packets)?,
            files => write!(f, "indexed: {files} files, {} packets", tally.packets)?,
        }
        if tally.files > 0 {
            let share = 100.0 * tally.index_bytes as f64 / tally.segment_bytes.max(1) as f64;
            write!(
                f,
                "\n  bytes    {} captured, {} of indexes: {share:.3} %",
                tally.segment_bytes, tally.index_bytes
            )?;
            match place.folder() {
                None => f.write_str("\n  place    beside the files")?,
                Some(folder) => write!(f, "\n  place    below {}", folder.display())?,
            }
            let rate = tally.packets as f64 / secs.max(1e-9) / 1e6;
            write!(f, "\n  speed    {rate:.2} million packets/s, {threads} at a time")?;
        }
        for (count, what) in [
            (todo.indexed.len() as u64, "had their indexes"),
            (todo.growing.len() as u64, "left out: they may still be written to"),
            (tally.foreign, "left out: no captures that can be read"),
            (tally.failures.len() as u64, "failed"),
            (
                swept.indexes + swept.unfinished,
                "removed: indexes of files that are gone, or that nobody finishes",
            ),
        ] {
            if count > 0 {
                write!(f, "\n  others   {count} {what}")?;
            }
        }
        write!(f, "\n  took     {secs:.3} s")
    }
}
