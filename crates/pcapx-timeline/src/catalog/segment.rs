//! One capture file, and what has been learned of its packets.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::disk::Stat;
use super::folder::QUIET;
use super::probe::{self, Span};
use crate::coverage::Drops;
use crate::index::{Identity, Summary};
use crate::segment::{SegmentError, SegmentReader, open_file};
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};
use pcapx_core::window::Window;

/// One capture file, as the file system describes it.
///
/// A segment is this file in this state: of a file that has another inode, length or time of writing, a
/// [`Timeline`](super::Timeline) makes a new segment. What is learned of its packets is therefore kept with it, and
/// serves all queries that share it.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The first path by which it was found.
    pub path: PathBuf,
    /// The file itself: its path without links.
    pub file: PathBuf,
    /// Which of the catalog's folders it was found in.
    pub root: usize,
    /// Device and inode.
    pub file_id: (u64, u64),
    /// Length in bytes when it was listed.
    pub len: u64,
    /// When it was written last.
    pub modified: Timestamp,
    /// Whether its name says that it is being written (`….tmp`).
    pub is_open: bool,
    /// The time that its name tells, where it is n2disk's `<seconds>.<microseconds>.pcap`.
    pub named_time: Option<Timestamp>,
    /// Of the packets, once somebody has looked.
    learned: OnceLock<Learned>,
}

/// What was learned of a segment's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Learned {
    pub(crate) span: Span,
    /// How many there are, where an index tells.
    pub(crate) packets: Option<u64>,
    /// Between which instants it was recorded, where an index tells.
    pub(crate) recorded: Option<Window>,
    /// What was dropped meanwhile, where an index tells.
    pub(crate) drops: Drops,
}

impl Learned {
    /// What an index tells.
    pub(crate) fn of(summary: &Summary) -> Self {
        let span = match summary.span {
            None => Span::Empty,
            // What stands behind the last whole record may be damage that is to be reported.
            Some((first, last)) => Span::Packets { first, last: summary.is_whole.then_some(last) },
        };
        let drops = Drops { kernel: summary.kernel_drops, recorder: summary.recorder_drops };
        Self { span, packets: summary.is_whole.then_some(summary.packets), recorded: summary.recorded, drops }
    }

    /// What the packets themselves tell.
    pub(crate) fn of_span(span: Span) -> Self {
        Self { span, packets: None, recorded: None, drops: Drops::default() }
    }
}

/// What the file system tells of two segments is the same; what was learned of their packets does not count.
impl PartialEq for Segment {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.file, self.root) == (&other.path, &other.file, other.root)
            && (self.file_id, self.len, self.modified) == (other.file_id, other.len, other.modified)
    }
}

impl Eq for Segment {}

impl Segment {
    pub(super) fn new(root: usize, path: PathBuf, file: PathBuf, stat: &Stat) -> Self {
        let name = path.file_name().unwrap_or_default();
        Self {
            root,
            file,
            file_id: stat.id,
            len: stat.len,
            modified: stat.modified,
            is_open: is_open(name),
            named_time: named_time(name.as_bytes()),
            learned: OnceLock::new(),
            path,
        }
    }

    /// The same file after it was written to.
    pub(super) fn rewritten(&self, stat: &Stat) -> Self {
        Self {
            len: stat.len,
            modified: stat.modified,
            learned: OnceLock::new(),
            path: self.path.clone(),
            file: self.file.clone(),
            ..*self
        }
    }

    /// Whether somebody may still write to it at the time `now`: its name says so, or somebody did in the minute before.
    pub fn may_grow(&self, now: Timestamp) -> bool {
        self.is_open || now < self.modified.saturating_add(QUIET)
    }

    /// What orders segments by age, the oldest first: the time of writing. Where that is the same – copies, file systems that
    /// count in seconds – the time in the name, then the path.
    pub fn age_order(&self) -> (Timestamp, Option<Timestamp>, &Path) {
        (self.modified, self.named_time, &self.path)
    }

    /// Takes over what was learned of the same file in the same state by another path.
    pub(super) fn learn_from(&self, other: &Self) {
        if let Some(learned) = other.learned().filter(|_| self.is_open == other.is_open) {
            self.learn(*learned);
        }
    }

    /// Whether this segment was found by this path, and lies there.
    pub(super) fn is_at(&self, root: usize, path: Parts<'_>, file: Parts<'_>) -> bool {
        self.root == root && path.make(&self.path) && file.make(&self.file)
    }

    /// Opens the file. One that was being written when it was listed may have got its name since.
    pub(crate) fn open(&self) -> io::Result<File> {
        let opened = open_file(&self.path);
        match &opened {
            Err(e) if self.is_open && e.kind() == io::ErrorKind::NotFound => {}
            _ => return opened,
        }
        let is_this = |file: &File| file.metadata().is_ok_and(|m| (m.dev(), m.ino()) == self.file_id);
        match open_file(&self.file.with_extension("")) {
            Ok(file) if is_this(&file) => Ok(file),
            _ => opened,
        }
    }

    /// The span of its packets: as it was learned before, or from the file.
    pub(crate) fn span(&self) -> Result<Span, SegmentError> {
        if let Some(learned) = self.learned() {
            return Ok(learned.span);
        }
        let file = self.open()?;
        let is_listed_state = self.is_state_of(&file);
        let span = probe::span(self, SegmentReader::new(file)?)?;
        if is_listed_state {
            self.learn(Learned::of_span(span));
        }
        Ok(span)
    }

    /// The file in this state, as an index names it.
    pub(crate) fn identity(&self) -> Identity {
        Identity { len: self.len, modified: self.modified, inode: self.file_id.1 }
    }

    /// What is known of its packets without looking.
    pub(crate) fn learned(&self) -> Option<&Learned> {
        self.learned.get()
    }

    /// Keeps what was learned of exactly this file in this state. Of a span whose end is open nothing is kept: the next
    /// query has to look again.
    pub(crate) fn learn(&self, learned: Learned) {
        if !matches!(learned.span, Span::Packets { last: None, .. }) {
            // Who came first has learned the same, or less of the same.
            let _ = self.learned.set(learned);
        }
    }

    /// Whether the open `file` is this segment's, and as it was when it was listed.
    pub(crate) fn is_state_of(&self, file: &File) -> bool {
        file.metadata().is_ok_and(|m| {
            let modified = m.mtime().saturating_mul(NANOS_PER_SEC).saturating_add(m.mtime_nsec());
            ((m.dev(), m.ino()), m.len(), modified) == (self.file_id, self.len, self.modified.as_nanos())
        })
    }
}

/// A path that is not put together yet: comparing needs no memory.
#[derive(Clone, Copy)]
pub(super) struct Parts<'p> {
    pub(super) folder: &'p Path,
    pub(super) name: &'p OsStr,
}

impl<'p> Parts<'p> {
    pub(super) fn of(path: &'p Path) -> Self {
        Self { folder: path.parent().unwrap_or(path), name: path.file_name().unwrap_or_default() }
    }

    pub(super) fn join(self) -> PathBuf {
        self.folder.join(self.name)
    }

    fn make(self, path: &Path) -> bool {
        let (folder, path) = (self.folder.as_os_str().as_bytes(), path.as_os_str().as_bytes());
        // As joining does: nothing comes between where there is nothing before, or a slash already.
        let slash: &[u8] = if folder.is_empty() || folder.ends_with(b"/") { b"" } else { b"/" };
        let above = path.strip_suffix(self.name.as_bytes()).and_then(|above| above.strip_suffix(slash));
        above == Some(folder)
    }
}

/// Whether a name says that its file is being written.
pub(super) fn is_open(name: &OsStr) -> bool {
    name.as_bytes().ends_with(b".tmp")
}

/// The time in a name like `1772356272.123456.pcap`, also with `.tmp` behind.
fn named_time(name: &[u8]) -> Option<Timestamp> {
    let name = std::str::from_utf8(name).ok()?;
    let name = name.strip_suffix(".tmp").unwrap_or(name);
    let (secs, micros) = name.strip_suffix(".pcap")?.split_once('.')?;
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(secs) || !digits(micros) || micros.len() > 6 {
        return None;
    }
    let nanos = micros.parse::<i64>().ok()? * 10_i64.pow(9 - micros.len() as u32);
    Some(Timestamp::from_nanos(secs.parse::<i64>().ok()?.checked_mul(NANOS_PER_SEC)?.checked_add(nanos)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Timeline;
    use pcapx_testkit::capture::{Packet, Pcap};

    #[test]
    fn a_name_tells_a_time_only_in_n2disks_form() {
        let at = |n| Some(Timestamp::from_nanos(n));
        assert_eq!(named_time(b"1591118759.507696.pcap"), at(1_591_118_759_507_696_000));
        assert_eq!(named_time(b"1591118759.5.pcap.tmp"), at(1_591_118_759_500_000_000));
        for other in [
            &b"1591118759.pcap"[..],
            b"x.507696.pcap",
            b"1591118759.507696.pcapng",
            b"-1.5.pcap",
            b"1.+5.pcap",
        ] {
            assert_eq!(named_time(other), None);
        }
        assert_eq!(named_time(b"99999999999999999999.1.pcap"), None);
        assert_eq!(named_time(b"9999999999999999.1.pcap"), None);
    }

    fn only(timeline: &Timeline) -> Arc<Segment> {
        let catalog = timeline.catalog().unwrap();
        let [segment] = catalog.segments() else { panic!("{catalog:?}") };
        Arc::clone(segment)
    }

    #[test]
    fn what_was_learned_of_a_file_is_known_until_the_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (path, timeline) = (dir.path().join("x.pcap"), Timeline::new([dir.path()]));
        let packet = |secs| Packet::new(Timestamp::from_secs(secs), vec![0; 60]);
        let span = |first, last| Span::Packets {
            first: Timestamp::from_secs(first),
            last: Some(Timestamp::from_secs(last)),
        };
        Pcap::new().write(&path, &[packet(1), packet(2)]);
        assert_eq!(only(&timeline).learned().map(|learned| learned.span), None);
        assert_eq!(only(&timeline).span().unwrap(), span(1, 2));
        assert_eq!(only(&timeline).learned().map(|learned| learned.span), Some(span(1, 2)));
        let before = only(&timeline);
        Pcap::new().write(&path, &[packet(1), packet(2), packet(3)]);
        assert_eq!(before.span().unwrap(), span(1, 2), "a snapshot stays as it is");
        assert_eq!(only(&timeline).learned().map(|learned| learned.span), None);
        assert_eq!(only(&timeline).span().unwrap(), span(1, 3));
    }

    #[test]
    fn what_may_go_on_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let (path, timeline) = (dir.path().join("x.pcap.tmp"), Timeline::new([dir.path()]));
        let packet = Packet::new(Timestamp::from_secs(1), vec![0; 60]);
        Pcap::new().write(&path, &[packet]);
        let first = Timestamp::from_secs(1);
        assert_eq!(only(&timeline).span().unwrap(), Span::Packets { first, last: None });
        assert_eq!(only(&timeline).learned().map(|learned| learned.span), None);
    }

    #[test]
    fn a_file_that_has_changed_since_it_was_listed_teaches_nothing_of_the_listed_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, timeline) = (dir.path().join("x.pcap"), Timeline::new([dir.path()]));
        Pcap::new().write(&path, &[]);
        let listed = only(&timeline);
        Pcap::new().write(&path, &[Packet::new(Timestamp::from_secs(1), vec![0; 60])]);
        assert_ne!(listed.span().unwrap(), Span::Empty);
        assert_eq!(listed.learned().map(|learned| learned.span), None);
    }

    #[test]
    fn parts_make_the_path_that_they_join_to() {
        for (folder, name, path) in
            [("/a/b", "c", "/a/b/c"), ("/", "c", "/c"), ("a/", "c", "a/c"), ("", "c", "c")]
        {
            let parts = Parts { folder: Path::new(folder), name: OsStr::new(name) };
            assert_eq!(parts.join(), Path::new(path));
            assert!(parts.make(Path::new(path)), "{path}");
            for other in ["/a/bc", "/a/b/cc", "/a/c", "b/c", "/b/c/c"] {
                assert!(!parts.make(Path::new(other)), "{path} {other}");
            }
        }
    }
}
