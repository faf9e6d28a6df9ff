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
//! for a while, as [`refusal`](super::refusal) tells.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::refusal::Refusals;
use super::{Built, Identity, IndexError, IndexPlace, IndexReader, Notice};
use crate::catalog::{Catalog, Segment};
use crate::control::CancelToken;
use crate::segment::SegmentError;
use pcapx_core::time::Timestamp;

/// Nobody writes to a file that was left alone for so long where the recorder has gone on to another one: what it held back
/// for this one has been written.
const QUIET_BEHIND_NEWER: Duration = Duration::from_secs(2);
/// After this time a file is tried again that was being changed, or indexed by another process.
const RETRY_CHANGING: Duration = Duration::from_secs(10);
/// The same for a file that cannot be read, or of which alone the index cannot be written.
const RETRY_UNUSABLE: Duration = Duration::from_secs(3600);

/// Remembers which segments have their indexes, and tells which one is next.
#[derive(Debug)]
pub struct Backlog {
    place: IndexPlace,
    /// By path, links resolved: an inode is given to another file as soon as its own is gone.
    known: HashMap<PathBuf, Known>,
    /// Paths of segments whose indexes have been found damaged while they were used.
    suspects: HashSet<PathBuf>,
    /// Where no index can be written.
    refusals: Refusals,
    /// Finished segments that the catalog had when it was asked for gone ones.
    seen: Vec<Arc<Segment>>,
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
    /// Not from the one time to the other. A clock that was set back ends it.
    Later(Timestamp, Timestamp),
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
        Self {
            place,
            known: HashMap::new(),
            suspects: HashSet::new(),
            refusals: Refusals::default(),
            seen: Vec::new(),
        }
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
        self.refusals.look_for_room();
        let mut open: Vec<&Segment> = Vec::new();
        for segment in catalog.segments() {
            if self.known_answer(segment, now).is_none() {
                open.push(segment);
            }
        }
        open.sort_unstable_by_key(|segment| Reverse(segment.age_order()));
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
        todo.wanted.sort_unstable_by_key(|segment| Reverse(segment.age_order()));
        todo
    }

    /// Takes note of how the index of `segment` came out. Returns what is to be told of the place where it was to stand.
    pub fn note(
        &mut self,
        segment: &Segment,
        result: &Result<Built, IndexError>,
        now: Timestamp,
    ) -> Option<Notice> {
        let later = |after: Duration| Verdict::Later(now, now.saturating_add(after));
        let verdict = match result {
            Ok(_) => {
                self.remember(segment, Verdict::Indexed);
                return self.refusals.lift(&self.place, segment);
            }
            Err(IndexError::Cancelled) => return None,
            Err(IndexError::Segment(SegmentError::Io(_)) | IndexError::Write(_))
                if !segment.file.exists() =>
            {
                later(RETRY_CHANGING)
            }
            Err(IndexError::Segment(SegmentError::Io(_)) | IndexError::Occupied(_)) => later(RETRY_UNUSABLE),
            Err(IndexError::Segment(_)) => Verdict::Useless,
            Err(IndexError::Write(error)) => return self.refusals.note(&self.place, segment, error, now),
            Err(_) => later(RETRY_CHANGING),
        };
        self.remember(segment, verdict);
        None
    }

    /// Indexes were removed: there may be room now where there was none.
    pub fn room_was_made(&mut self) {
        self.refusals.room_was_made();
    }

    /// The index of the segment at `path` was found damaged while it was used: it is looked at closely, next time.
    pub fn suspect(&mut self, path: PathBuf) {
        self.suspects.insert(path);
    }

    /// Forgets the segments that are not in `catalog` any more; `true` when a finished one that was in it the last time is
    /// gone, whether anything was known of it or not.
    pub fn forget_gone(&mut self, catalog: &Catalog) -> bool {
        let finished = catalog.segments().iter().filter(|segment| !segment.is_open);
        if finished.clone().map(Arc::as_ptr).eq(self.seen.iter().map(Arc::as_ptr)) {
            return false;
        }
        let present: HashSet<&Path> =
            catalog.segments().iter().map(|segment| segment.file.as_path()).collect();
        let is_gone = self.seen.iter().any(|segment| !present.contains(segment.file.as_path()));
        self.known.retain(|file, _| present.contains(file.as_path()));
        if !self.refusals.is_empty() {
            self.refusals.forget_gone(&present.iter().filter_map(|file| file.parent()).collect());
        }
        self.seen = finished.cloned().collect();
        is_gone
    }

    /// What can be told without opening anything.
    fn known_answer(&self, segment: &Segment, now: Timestamp) -> Option<Answer> {
        if segment.is_open {
            return Some(Answer::Growing);
        }
        if !self.refusals.is_empty() && self.refusals.holds(&self.place, segment, now) {
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
            Verdict::Later(since, until) => (since..until).contains(&now).then_some(Answer::Left),
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
}

/// Whether nobody is expected to write to the file any more.
fn is_settled(segment: &Segment, catalog: &Catalog, now: Timestamp) -> bool {
    let is_behind = || {
        let (folder, age) = (segment.file.parent(), segment.age_order());
        catalog
            .segments()
            .iter()
            .any(|other| (other.is_open || other.age_order() > age) && other.file.parent() == folder)
    };
    let is_left_alone = segment.modified.saturating_add(QUIET_BEHIND_NEWER) <= now;
    !segment.may_grow(now) || (!segment.is_open && is_left_alone && is_behind())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::ErrorKind;
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

        /// Tries to build the index of `name` at [`NOW`].
        fn build(&mut self, name: &str) -> Option<Notice> {
            let place = self.backlog.place().clone();
            let result = index_segment(&self.dir.path().join(name), &place, &CancelToken::new(), |_| {});
            self.note(name, 0, &result)
        }

        fn note(&mut self, name: &str, secs: i64, result: &Result<Built, IndexError>) -> Option<Notice> {
            let catalog = self.catalog();
            let segment = catalog.segments().iter().find(|s| s.path.ends_with(name)).unwrap();
            self.backlog.note(segment, result, Timestamp::from_secs(NOW + secs))
        }

        /// As if the index of `name` could not be written.
        fn fail(&mut self, name: &str, secs: i64, error: ErrorKind) -> Option<Notice> {
            self.note(name, secs, &Err(IndexError::Write(error.into())))
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
        assert_eq!(folder.build("a.pcap"), Some(Notice::Refused(index_dir.clone())));
        assert_eq!((folder.next(0), folder.next(599)), (None, None));
        assert_eq!(folder.next(600).as_deref(), Some("a.pcap"));
        assert_eq!(folder.build("a.pcap"), None, "it has been told");
        assert_eq!(folder.next(-1).as_deref(), Some("a.pcap"), "the clock was set back");
        fs::remove_file(&index_dir).unwrap();
        assert_eq!(folder.build("a.pcap"), Some(Notice::Resumed(index_dir)));
        assert_eq!(folder.next(0).as_deref(), Some("b.pcap"), "it does not refuse any more");
        assert_eq!(folder.build("b.pcap"), None);
    }

    #[test]
    fn folders_that_refuse_alike_are_told_once() {
        let mut folder = Folder::new();
        let root = folder.dir.path().to_owned();
        for name in ["a/1.pcap", "b/2.pcap", "c/3.pcap"] {
            fs::create_dir(root.join(&name[..1])).unwrap();
            folder.record(name, 100);
        }
        let refused = Notice::Refused(fs::canonicalize(root.join("a")).unwrap());
        assert_eq!(folder.fail("a/1.pcap", 0, ErrorKind::ReadOnlyFilesystem), Some(refused));
        assert_eq!(folder.fail("b/2.pcap", 0, ErrorKind::ReadOnlyFilesystem), None);
        let other = Notice::Refused(fs::canonicalize(root.join("c")).unwrap());
        assert_eq!(folder.fail("c/3.pcap", 0, ErrorKind::PermissionDenied), Some(other));
        assert_eq!(folder.next(599), None);
        // One that takes indexes again is a reason to try those that refused alike.
        assert_eq!(folder.build("a/1.pcap"), None, "another refuses still");
        assert_eq!(folder.next(0).as_deref(), Some("2.pcap"));
        let resumed = Notice::Resumed(fs::canonicalize(root.join("b")).unwrap());
        assert_eq!(folder.build("b/2.pcap"), Some(resumed));
        assert_eq!(folder.next(0), None, "that one has another reason");
        // Of a folder that is gone there is nothing to be told again.
        fs::remove_dir_all(root.join("c")).unwrap();
        folder.backlog.forget_gone(&folder.catalog());
        assert!(folder.fail("b/2.pcap", 0, ErrorKind::PermissionDenied).is_some());
    }

    #[test]
    fn a_full_disk_is_tried_when_there_is_room() {
        let mut folder = Folder::new();
        for name in ["a/1.pcap", "b/2.pcap"] {
            fs::create_dir(folder.dir.path().join(&name[..1])).unwrap();
            folder.record(name, 100);
        }
        assert!(folder.fail("a/1.pcap", 0, ErrorKind::StorageFull).is_some());
        assert_eq!(folder.next(599), None, "both folders are on the disk");
        folder.backlog.room_was_made();
        assert_eq!(folder.next(0).as_deref(), Some("2.pcap"));
        assert_eq!(folder.fail("b/2.pcap", 10, ErrorKind::StorageFull), None, "it has been told");
        assert_eq!((folder.next(609), folder.next(610).as_deref()), (None, Some("2.pcap")));
        folder.backlog.refusals.forget_room();
        assert_eq!(folder.next(10).as_deref(), Some("2.pcap"), "there is more room than before");
    }

    #[test]
    fn a_file_that_alone_cannot_be_indexed_stops_no_other() {
        let mut folder = Folder::new();
        let long = "x".repeat(248) + ".pcap";
        folder.record(&long, 100);
        folder.record("a.pcap", 200);
        folder.record("b.pcap", 300);
        fs::create_dir(folder.dir.path().join(".a.pcap.pcapx.building")).unwrap();
        fs::create_dir(folder.dir.path().join("b.pcap.pcapx")).unwrap();
        for name in [&long[..], "a.pcap", "b.pcap"] {
            assert_eq!(folder.next(0).as_deref(), Some(name));
            assert_eq!(folder.build(name), None);
        }
        folder.record("c.pcap", 400);
        assert_eq!(folder.next(0).as_deref(), Some("c.pcap"));
        folder.build("c.pcap");
        assert_eq!((folder.next(3599), folder.next(3600)), (None, Some(long)));
    }

    #[test]
    fn of_files_written_to_at_the_same_time_the_name_tells_the_newest() {
        let mut folder = Folder::new();
        for name in ["9.5.pcap", "10.5.pcap", "10.25.pcap", "b.pcap", "a.pcap"] {
            folder.record(name, 3);
        }
        let mut order = Vec::new();
        while let Some(name) = folder.next(0) {
            folder.build(&name);
            order.push(name);
        }
        // The newest may still be written to: nobody knows of a newer one.
        assert_eq!(order, ["10.25.pcap", "9.5.pcap", "b.pcap", "a.pcap"]);
        assert_eq!(folder.next(57).as_deref(), Some("10.5.pcap"));
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
        for name in ["a.pcap", "b.pcap", "c.pcap", "d.pcap.tmp"] {
            folder.record(name, 500);
        }
        folder.build("a.pcap");
        let mut is_gone = |name: &str| {
            if !name.is_empty() {
                fs::remove_file(folder.dir.path().join(name)).unwrap();
            }
            let catalog = folder.catalog();
            folder.backlog.forget_gone(&catalog)
        };
        assert!(!is_gone(""));
        assert!(is_gone("a.pcap"));
        assert!(!is_gone(""));
        assert!(is_gone("b.pcap"), "nothing was known of it, and it may have had an index all the same");
        assert!(!is_gone("d.pcap.tmp"), "it never had one");
    }
}
