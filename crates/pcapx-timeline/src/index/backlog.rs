//! Which segments want an index, and in which order.
//!
//! ```text
//! catalog ─► open questions ─► settled? ─► index there and good? ─► wanted, the newest first
//!            (not yet known      │ no          │ yes
//!             in this state)     ▼             ▼
//!                              later         known: not looked at again until the file changes
//! ```
//!
//! Recorders do not tell when a file is finished. It counts as **settled** when its name is not `….tmp` and either
//! nobody has written to it for a minute, or nobody for two seconds while a newer file stands in the same folder. One that
//! is written to later all the same gets an index that does not count any more, and then a new one.
//!
//! What is known of a file – it has its index, or it can have none – holds for its length and modification time: a look at
//! an unchanged catalog opens no file. Where no index can be written (a folder of others, a full disk) none is tried
//! for a while.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Built, Identity, IndexError, IndexPlace, IndexReader};
use crate::catalog::{Catalog, Segment};
use crate::control::CancelToken;
use crate::segment::SegmentError;
use pcapx_core::time::Timestamp;

/// Nobody writes to a file that was left alone for so long: recorders write many times a minute.
const QUIET: Duration = Duration::from_secs(60);
/// The same where the recorder has gone on to another file: what it held back for this one has been written.
const QUIET_BEHIND_NEWER: Duration = Duration::from_secs(2);
/// After this time a file is tried again that was being changed, or indexed by another process.
const RETRY_CHANGING: Duration = Duration::from_secs(10);
/// The same for a file that cannot be read.
const RETRY_UNREADABLE: Duration = Duration::from_secs(3600);
/// The same for a folder in which no index can be written.
const RETRY_FOLDER: Duration = Duration::from_secs(600);

/// Remembers which segments have their indexes, and tells which one is next.
#[derive(Debug)]
pub struct Backlog {
    place: IndexPlace,
    /// By path, links resolved: an inode is given to another file as soon as its own is gone.
    known: HashMap<PathBuf, Known>,
    /// Paths of segments whose indexes have been found damaged while they were used.
    suspects: HashSet<PathBuf>,
    /// Folders in which no index can be written, and when to try again.
    refused: HashMap<PathBuf, Timestamp>,
}

/// What is known of a file in one state.
#[derive(Debug)]
struct Known {
    file_id: (u64, u64),
    len: u64,
    modified: Timestamp,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It has an index that is good.
    Indexed,
    /// It is no capture that can be read.
    Useless,
    /// Not before this time.
    Later(Timestamp),
}

/// What is to be done with one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Wanted,
    Indexed,
    Growing,
    Left,
}

/// All segments of a catalog, by what is to be done.
#[derive(Clone, Debug, Default)]
pub struct Todo<'c> {
    /// Those that want an index, the newest first.
    pub wanted: Vec<&'c Segment>,
    /// Those that have a good one.
    pub indexed: Vec<&'c Segment>,
    /// Those that may still be written to.
    pub growing: Vec<&'c Segment>,
    /// Those that are left alone: no captures, or tried in vain a short time ago.
    pub left: Vec<&'c Segment>,
}

impl Backlog {
    /// Knows nothing yet. Indexes are looked for, and going to be built, in `place`.
    pub fn new(place: IndexPlace) -> Self {
        Self { place, known: HashMap::new(), suspects: HashSet::new(), refused: HashMap::new() }
    }

    /// Where indexes are looked for.
    pub fn place(&self) -> &IndexPlace {
        &self.place
    }

    /// The newest segment of `catalog` that wants an index at the time `now`. `None` when there is none, or when `cancel`
    /// ends the look: the first one opens every index.
    pub fn next<'c>(
        &mut self,
        catalog: &'c Catalog,
        now: Timestamp,
        cancel: &CancelToken,
    ) -> Option<&'c Segment> {
        let mut open: Vec<&Segment> = Vec::new();
        for segment in catalog.segments() {
            if self.known_answer(segment, now).is_none() {
                open.push(segment);
            }
        }
        open.sort_unstable_by_key(|segment| Reverse(segment.modified));
        open.into_iter()
            .take_while(|_| !cancel.is_cancelled())
            .find(|segment| self.find_out(segment, catalog, now) == Answer::Wanted)
    }

    /// What is to be done with every segment of `catalog`. Ends early when `cancel` says so.
    pub fn todo<'c>(&mut self, catalog: &'c Catalog, now: Timestamp, cancel: &CancelToken) -> Todo<'c> {
        let mut todo = Todo::default();
        for segment in catalog.segments() {
            if cancel.is_cancelled() {
                break;
            }
            let known = self.known_answer(segment, now);
            let list = match known.unwrap_or_else(|| self.find_out(segment, catalog, now)) {
                Answer::Wanted => &mut todo.wanted,
                Answer::Indexed => &mut todo.indexed,
                Answer::Growing => &mut todo.growing,
                Answer::Left => &mut todo.left,
            };
            list.push(segment);
        }
        todo.wanted.sort_unstable_by_key(|segment| Reverse(segment.modified));
        todo
    }

    /// Takes note of how the index of `segment` came out. Returns the folder that refuses to be written to, if that was the
    /// reason and has not been noted yet.
    pub fn note(
        &mut self,
        segment: &Segment,
        result: &Result<Built, IndexError>,
        now: Timestamp,
    ) -> Option<PathBuf> {
        let later = |after: Duration| Verdict::Later(now.saturating_add(after));
        let verdict = match result {
            Ok(_) => {
                self.refused.remove(&self.written_folder(segment));
                Verdict::Indexed
            }
            Err(IndexError::Cancelled) => return None,
            Err(IndexError::Segment(SegmentError::Io(_)) | IndexError::Io(_)) if !segment.file.exists() => {
                later(RETRY_CHANGING)
            }
            Err(IndexError::Segment(SegmentError::Io(_))) => later(RETRY_UNREADABLE),
            Err(IndexError::Segment(_)) => Verdict::Useless,
            Err(IndexError::Io(_)) => {
                let folder = self.written_folder(segment);
                let until = now.saturating_add(RETRY_FOLDER);
                return self.refused.insert(folder.clone(), until).is_none().then_some(folder);
            }
            Err(_) => later(RETRY_CHANGING),
        };
        self.remember(segment, verdict);
        None
    }

    /// The index of the segment at `path` was found damaged while it was used: it is looked at closely, next time.
    pub fn suspect(&mut self, path: PathBuf) {
        self.suspects.insert(path);
    }

    /// Forgets the segments that are not in `catalog` any more; `true` when there were any.
    pub fn forget_gone(&mut self, catalog: &Catalog) -> bool {
        let present: HashSet<&Path> =
            catalog.segments().iter().map(|segment| segment.file.as_path()).collect();
        let known = self.known.len();
        self.known.retain(|file, _| present.contains(file.as_path()));
        self.known.len() < known
    }

    /// What can be told without opening anything.
    fn known_answer(&self, segment: &Segment, now: Timestamp) -> Option<Answer> {
        if segment.is_open {
            return Some(Answer::Growing);
        }
        let refused = || self.refused.get(&self.written_folder(segment));
        if !self.refused.is_empty() && refused().is_some_and(|&until| now < until) {
            return Some(Answer::Left);
        }
        if !self.suspects.is_empty() && self.suspects.contains(&segment.path) {
            return None;
        }
        let known = self.known.get(&segment.file)?;
        if (known.file_id, known.len, known.modified) != (segment.file_id, segment.len, segment.modified) {
            return None;
        }
        match known.verdict {
            Verdict::Indexed => Some(Answer::Indexed),
            Verdict::Useless => Some(Answer::Left),
            Verdict::Later(then) => (now < then).then_some(Answer::Left),
        }
    }

    fn find_out(&mut self, segment: &Segment, catalog: &Catalog, now: Timestamp) -> Answer {
        if !is_settled(segment, catalog, now) {
            return Answer::Growing;
        }
        let identity = Identity { len: segment.len, modified: segment.modified, inode: segment.file_id.1 };
        let is_suspect = self.suspects.remove(&segment.path);
        let found = IndexReader::find(&self.place, &segment.file, &identity);
        if found.and_then(|index| if is_suspect { index.verify() } else { Ok(()) }).is_ok() {
            self.remember(segment, Verdict::Indexed);
            return Answer::Indexed;
        }
        // A suspect is not known to be good any more, even when its turn is over before it is built.
        self.known.remove(&segment.file);
        if is_suspect {
            self.suspects.insert(segment.path.clone());
        }
        Answer::Wanted
    }

    fn remember(&mut self, segment: &Segment, verdict: Verdict) {
        self.suspects.remove(&segment.path);
        let Segment { file_id, len, modified, .. } = *segment;
        self.known.insert(segment.file.clone(), Known { file_id, len, modified, verdict });
    }

    /// What a refusal to write the index of `segment` is remembered for.
    fn written_folder(&self, segment: &Segment) -> PathBuf {
        let beside = || segment.file.parent().unwrap_or(Path::new("/"));
        self.place.folder().unwrap_or_else(beside).to_owned()
    }
}

/// Whether nobody is expected to write to the file any more.
fn is_settled(segment: &Segment, catalog: &Catalog, now: Timestamp) -> bool {
    let is_quiet_for = |time: Duration| segment.modified.saturating_add(time) <= now;
    let has_newer = || {
        let folder = segment.file.parent();
        catalog.segments().iter().any(|other| {
            (other.is_open || other.modified > segment.modified) && other.file.parent() == folder
        })
    };
    !segment.is_open && (is_quiet_for(QUIET) || is_quiet_for(QUIET_BEHIND_NEWER) && has_newer())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::index::index_segment;
    use pcapx_testkit::capture::{Packet, Pcap};

    const NOW: i64 = 1_772_355_600;

    struct Folder {
        dir: tempfile::TempDir,
        backlog: Backlog,
    }

    impl Folder {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), backlog: Backlog::new(IndexPlace::beside()) }
        }

        /// A capture last written to `age` seconds before [`NOW`].
        fn record(&self, name: &str, age: u64) -> PathBuf {
            let path = self.dir.path().join(name);
            Pcap::new().write(&path, &[Packet::new(Timestamp::from_secs(NOW), vec![1; 60])]);
            self.written(name, age);
            path
        }

        fn written(&self, name: &str, age: u64) {
            let file = File::options().write(true).open(self.dir.path().join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(NOW as u64 - age)).unwrap();
        }

        fn catalog(&self) -> Catalog {
            Catalog::open(&[self.dir.path()]).unwrap()
        }

        /// The name of the next one at [`NOW`] and some seconds.
        fn next(&mut self, secs: i64) -> Option<String> {
            let (catalog, now) = (self.catalog(), Timestamp::from_secs(NOW + secs));
            let next = self.backlog.next(&catalog, now, &CancelToken::new());
            next.map(|segment| segment.path.file_name().unwrap().to_string_lossy().into_owned())
        }

        /// Tries to build the index of `name`; returns the folder that refuses it.
        fn build(&mut self, name: &str) -> Option<PathBuf> {
            let catalog = self.catalog();
            let segment = catalog.segments().iter().find(|s| s.path.ends_with(name)).unwrap();
            let place = self.backlog.place().clone();
            let result = index_segment(&segment.path, &place, &CancelToken::new(), |_| {});
            self.backlog.note(segment, &result, Timestamp::from_secs(NOW))
        }
    }

    #[test]
    fn the_newest_settled_segment_is_next() {
        let mut folder = Folder::new();
        for (name, age) in
            [("a.pcap", 500), ("b.pcap", 300), ("c.pcap", 3), ("d.pcap", 1), ("e.pcap.tmp", 900)]
        {
            folder.record(name, age);
        }
        // The one written to a second ago is the newest; behind it, two seconds are enough.
        for name in ["c.pcap", "b.pcap", "a.pcap"] {
            assert_eq!(folder.next(0).as_deref(), Some(name));
            assert_eq!(folder.build(name), None);
        }
        assert_eq!(folder.next(0), None);
        // A file that is open tells that the recorder has gone on; without it, a minute has to pass.
        assert_eq!(folder.next(2).as_deref(), Some("d.pcap"));
        fs::remove_file(folder.dir.path().join("e.pcap.tmp")).unwrap();
        assert_eq!((folder.next(58), folder.next(59).as_deref()), (None, Some("d.pcap")));
    }

    #[test]
    fn a_pass_over_what_is_known_opens_nothing() {
        let mut folder = Folder::new();
        let path = folder.record("a.pcap", 100);
        index_segment(&path, &IndexPlace::beside(), &CancelToken::new(), |_| {}).unwrap();
        assert_eq!(folder.next(0), None);
        // Had it been opened again, it would be missed.
        fs::remove_file(folder.dir.path().join("a.pcap.pcapx")).unwrap();
        assert_eq!(folder.next(0), None);
        folder.written("a.pcap", 99);
        assert_eq!(folder.next(0).as_deref(), Some("a.pcap"), "it has changed");
    }

    #[test]
    fn what_is_no_capture_is_tried_once_until_it_changes() {
        let mut folder = Folder::new();
        fs::write(folder.dir.path().join("notes.txt"), "no capture at all, but long enough").unwrap();
        folder.written("notes.txt", 100);
        assert_eq!(folder.next(0).as_deref(), Some("notes.txt"));
        assert_eq!(folder.build("notes.txt"), None);
        assert_eq!(folder.next(1_000_000), None);
        folder.written("notes.txt", 99);
        assert_eq!(folder.next(0).as_deref(), Some("notes.txt"));
    }

    #[test]
    fn a_folder_that_refuses_is_told_once_and_left_alone_for_a_while() {
        let mut folder = Folder::new();
        // A file stands where the folder would have to be: that stops root, too.
        let index_dir = folder.dir.path().join(".index");
        fs::write(&index_dir, "").unwrap();
        folder.backlog = Backlog::new(IndexPlace::below(&index_dir));
        folder.record("a.pcap", 100);
        folder.record("b.pcap", 200);
        assert_eq!(folder.next(0).as_deref(), Some("a.pcap"));
        assert_eq!(folder.build("a.pcap"), Some(index_dir.clone()));
        assert_eq!((folder.next(0), folder.next(599)), (None, None));
        assert_eq!(folder.next(600).as_deref(), Some("a.pcap"));
        assert_eq!(folder.build("a.pcap"), None, "it has been told");
        fs::remove_file(&index_dir).unwrap();
        assert_eq!(folder.build("a.pcap"), None);
        assert_eq!(folder.next(0).as_deref(), Some("b.pcap"), "it does not refuse any more");
    }

    #[test]
    fn a_suspect_is_looked_at_closely() {
        let mut folder = Folder::new();
        let path = folder.record("a.pcap", 100);
        folder.build("a.pcap");
        folder.backlog.suspect(path.clone());
        assert_eq!(folder.next(0), None, "it is sound");
        // Damage that trailer and directory do not show.
        let index = folder.dir.path().join("a.pcap.pcapx");
        let mut bytes = fs::read(&index).unwrap();
        bytes[9] ^= 1;
        fs::write(&index, bytes).unwrap();
        assert_eq!(folder.next(0), None);
        folder.backlog.suspect(path);
        for _ in 0..2 {
            assert_eq!(folder.next(0).as_deref(), Some("a.pcap"));
        }
        folder.build("a.pcap");
        assert_eq!(folder.next(0), None);
    }

    #[test]
    fn everything_is_counted_once() {
        let mut folder = Folder::new();
        for (name, age) in [("a.pcap", 500), ("b.pcap", 300), ("c.pcap", 0), ("d.pcap.tmp", 0)] {
            folder.record(name, age);
        }
        folder.build("a.pcap");
        let catalog = folder.catalog();
        let todo = folder.backlog.todo(&catalog, Timestamp::from_secs(NOW), &CancelToken::new());
        assert_eq!(
            (todo.wanted.len(), todo.indexed.len(), todo.growing.len(), todo.left.len()),
            (1, 1, 2, 0)
        );
    }

    #[test]
    fn the_gone_are_forgotten() {
        let mut folder = Folder::new();
        let path = folder.record("a.pcap", 500);
        folder.record("b.pcap", 500);
        folder.build("a.pcap");
        assert!(!folder.backlog.forget_gone(&folder.catalog()));
        fs::remove_file(path).unwrap();
        assert!(folder.backlog.forget_gone(&folder.catalog()));
        assert!(!folder.backlog.forget_gone(&folder.catalog()));
    }
}
