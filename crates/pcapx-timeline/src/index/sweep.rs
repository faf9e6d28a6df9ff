//! Removes indexes whose segments are gone: rotation takes the segment and knows nothing of its index.
//!
//! What is removed has the name of an index – `SEGMENT.pcapx`, `.SEGMENT.pcapx.building` – *and* its mark inside, and
//! either no segment or, if it is unfinished, no builder. A disk that is not mounted looks like a disk without segments. An
//! index beside its segment is then as far away as the segment itself; of those in a folder of their own nothing is removed
//! for a timeline of which the catalog has no segment.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::IndexPlace;
use super::directory::MARK;
use super::place::{self, SIDECAR_SUFFIX};
use crate::catalog::Catalog;
use crate::control::CancelToken;

/// An unfinished index of a segment that is there is left alone for so long after it was written to, even if nobody holds it:
/// its builder opens it before locking it. Most likely the next one takes it over.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);
/// Folders deeper than this are not looked into, as in the catalog.
const MAX_DEPTH: usize = 100;

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Indexes whose segments are gone.
    pub indexes: u64,
    /// Indexes that nobody is going to finish.
    pub unfinished: u64,
    /// Folders of the index folder that were empty.
    pub folders: u64,
}

/// Removes indexes without segments: beside the segments below `roots` and, if `place` has a folder, there. `catalog` is
/// what the roots hold now.
///
/// What cannot be looked at or removed stays; the next sweep tries again.
pub fn sweep(roots: &[PathBuf], catalog: &Catalog, place: &IndexPlace, cancel: &CancelToken) -> Swept {
    let index_folder = place.folder().and_then(|folder| fs::canonicalize(folder).ok());
    let roots: Vec<_> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
    let mut sweep =
        Sweep { present: Present::of(&roots, catalog), index_folder, swept: Swept::default(), cancel };
    for root in &roots {
        sweep.beside(root, 0);
    }
    for folder in sweep.present.folders.clone() {
        sweep.folder(&folder, &[&folder]);
    }
    if let Some(folder) = sweep.index_folder.clone() {
        sweep.below(&folder, Path::new("/"), 0);
    }
    sweep.swept
}

/// Where segments stand, and so where their indexes are looked after. All paths without links.
#[derive(Debug, Default)]
struct Present {
    /// Roots that have a segment below them.
    roots: BTreeSet<PathBuf>,
    /// Folders of segments outside of all roots, to which links lead.
    folders: BTreeSet<PathBuf>,
    /// The folders around those: a recorder removes whole folders.
    around: BTreeSet<PathBuf>,
}

impl Present {
    fn of(roots: &[PathBuf], catalog: &Catalog) -> Self {
        let mut present = Self::default();
        for segment in catalog.segments() {
            let Some(folder) = segment.file.parent() else { continue };
            if let Some(root) = roots.iter().find(|root| folder.starts_with(root)) {
                present.roots.insert(root.clone());
            } else {
                present.folders.insert(folder.to_owned());
                let around = folder.parent().filter(|around| around.parent().is_some());
                present.around.extend(around.map(Path::to_owned));
            }
        }
        present
    }

    /// Whether a segment in `folder` would be there, had it not been rotated away.
    fn covers(&self, folder: &Path) -> bool {
        folder
            .ancestors()
            .any(|f| self.roots.contains(f) || self.folders.contains(f) || self.around.contains(f))
    }
}

struct Sweep<'s> {
    present: Present,
    /// What stands below it does not stand beside its segment.
    index_folder: Option<PathBuf>,
    swept: Swept,
    cancel: &'s CancelToken,
}

impl Sweep<'_> {
    /// `folder` and all below it, links not followed: an index stands beside the segment itself.
    fn beside(&mut self, folder: &Path, depth: usize) {
        // Where the index folder is the root itself, this may be a folder of it.
        let in_index_folder = self.index_folder.as_ref().and_then(|index| folder.strip_prefix(index).ok());
        let elsewhere = in_index_folder.map(|below| Path::new("/").join(below));
        let segments: Vec<_> = [folder].into_iter().chain(elsewhere.as_deref()).collect();
        for inner in self.folder(folder, &segments) {
            if depth < MAX_DEPTH && self.index_folder.as_ref() != Some(&inner) {
                self.beside(&inner, depth + 1);
            }
        }
    }

    /// `folder` of the index folder, which stands for `segments`, and all below it. An empty one goes.
    fn below(&mut self, folder: &Path, segments: &Path, depth: usize) {
        let covered: &[_] = if self.present.covers(segments) { &[segments] } else { &[] };
        for inner in self.folder(folder, covered) {
            let Some(name) = inner.file_name().filter(|_| depth < MAX_DEPTH) else { continue };
            self.below(&inner, &segments.join(name), depth + 1);
            if self.present.covers(&segments.join(name)) && is_empty(&inner) && fs::remove_dir(&inner).is_ok()
            {
                self.swept.folders += 1;
            }
        }
    }

    /// The indexes of one folder, whose segments stand in one of `segments`; nothing is done where that is none. Returns the
    /// folders in it.
    fn folder(&mut self, folder: &Path, segments: &[&Path]) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        let Ok(entries) = fs::read_dir(folder) else { return folders };
        for entry in entries.flatten() {
            if self.cancel.is_cancelled() {
                return Vec::new();
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && !segments.is_empty() => self.entry(&entry, segments),
                _ => {}
            }
        }
        folders
    }

    fn entry(&mut self, entry: &DirEntry, segments: &[&Path]) {
        let name = entry.file_name();
        let Some(segment) = place::segment_name(&name) else { return };
        let is_gone = segments.iter().all(|folder| is_gone(&folder.join(segment)));
        let is_finished = name.as_encoded_bytes().ends_with(SIDECAR_SUFFIX.as_bytes());
        if is_finished {
            let is_orphan = is_gone && is_index(&entry.path()).unwrap_or(false);
            self.swept.indexes += u64::from(is_orphan && fs::remove_file(entry.path()).is_ok());
        } else {
            let idle_for = if is_gone { Duration::ZERO } else { ABANDONED_AFTER };
            self.swept.unfinished += u64::from(remove_abandoned(&entry.path(), idle_for).unwrap_or(false));
        }
    }
}

/// Whether there is certainly no such file. An error is no certainty.
fn is_gone(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => false,
        Err(e) => matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Whether a file has the mark of an index at its beginning or, being damaged there, at its end.
fn is_index(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let at_end = file.metadata()?.len().saturating_sub(MARK.len() as u64);
    Ok(has_mark(&file, 0) || has_mark(&file, at_end))
}

fn has_mark(file: &File, at: u64) -> bool {
    let mut mark = [0; MARK.len()];
    file.read_exact_at(&mut mark, at).is_ok() && mark == MARK
}

/// Removes an unfinished index that nobody has written to for `idle_for`, unless somebody builds it. The lock is held until it
/// is gone, so that nobody begins.
fn remove_abandoned(path: &Path, idle_for: Duration) -> io::Result<bool> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let metadata = file.metadata()?;
    let age = SystemTime::now().duration_since(metadata.modified()?).unwrap_or_default();
    let is_ours = metadata.len() == 0 || has_mark(&file, 0);
    if age < idle_for || !is_ours || file.try_lock().is_err() {
        return Ok(false);
    }
    // Its builder may have finished it before it was locked here, and another one begun.
    let named = fs::symlink_metadata(path)?;
    if (named.dev(), named.ino()) != (metadata.dev(), metadata.ino()) {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::index_segment;
    use pcapx_core::time::Timestamp;
    use pcapx_testkit::capture::{Packet, Pcap};

    struct Timeline {
        dir: tempfile::TempDir,
        place: IndexPlace,
    }

    impl Timeline {
        /// Segments `0/1.pcap`, `0/2.pcap` and `1/3.pcap`, each with its index.
        fn new(place: impl FnOnce(&Path) -> IndexPlace) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let place = place(&fs::canonicalize(dir.path()).unwrap());
            let timeline = Self { dir, place };
            for name in ["0/1.pcap", "0/2.pcap", "1/3.pcap"] {
                let path = timeline.path(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                Pcap::new().write(&path, &[Packet::new(Timestamp::from_secs(1_772_355_600), vec![1; 60])]);
                index_segment(&path, &timeline.place, &CancelToken::new(), |_| {}).unwrap();
            }
            timeline
        }

        fn root(&self) -> PathBuf {
            self.dir.path().join("rolling")
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root().join(name)
        }

        fn index(&self, name: &str) -> PathBuf {
            self.place.to_write(&fs::canonicalize(self.dir.path()).unwrap().join("rolling").join(name))
        }

        fn sweep(&self) -> Swept {
            let catalog = Catalog::open(&[self.root()]).unwrap();
            sweep(&[self.root()], &catalog, &self.place, &CancelToken::new())
        }
    }

    fn beside(_: &Path) -> IndexPlace {
        IndexPlace::beside()
    }

    fn below(dir: &Path) -> IndexPlace {
        IndexPlace::below(dir.join("index"))
    }

    /// Inside the timeline, where it must not be taken for a folder of segments.
    fn inside(dir: &Path) -> IndexPlace {
        IndexPlace::below(dir.join("rolling/index"))
    }

    fn unfinished(timeline: &Timeline, name: &str, age: Duration) -> PathBuf {
        let path = place::building(&timeline.index(name));
        fs::write(&path, MARK).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path
    }

    #[test]
    fn an_index_goes_with_its_segment() {
        for place in [beside, below, inside] {
            let timeline = Timeline::new(place);
            assert_eq!(timeline.sweep(), Swept::default(), "nothing is gone");
            fs::remove_file(timeline.path("0/1.pcap")).unwrap();
            assert_eq!(timeline.sweep(), Swept { indexes: 1, ..Swept::default() });
            assert!(!timeline.index("0/1.pcap").exists());
            assert!(timeline.index("0/2.pcap").exists() && timeline.index("1/3.pcap").exists());
        }
    }

    #[test]
    fn empty_folders_of_the_index_folder_go_too() {
        let timeline = Timeline::new(below);
        fs::remove_dir_all(timeline.path("1")).unwrap();
        assert_eq!(timeline.sweep(), Swept { indexes: 1, folders: 1, ..Swept::default() });
        assert!(!timeline.index("1/3.pcap").parent().unwrap().exists());
    }

    #[test]
    fn a_timeline_without_segments_may_be_a_disk_that_is_not_mounted() {
        let timeline = Timeline::new(below);
        fs::remove_dir_all(timeline.root()).unwrap();
        fs::create_dir(timeline.root()).unwrap();
        assert_eq!(timeline.sweep(), Swept::default());
        assert!(timeline.index("0/1.pcap").exists());
    }

    #[test]
    fn what_stands_beside_goes_with_the_last_segment() {
        let timeline = Timeline::new(beside);
        for name in ["0/1.pcap", "0/2.pcap", "1/3.pcap"] {
            fs::remove_file(timeline.path(name)).unwrap();
        }
        assert_eq!(timeline.sweep(), Swept { indexes: 3, ..Swept::default() });
    }

    #[test]
    fn the_timeline_may_be_the_index_folder() {
        let timeline = Timeline::new(|dir| IndexPlace::below(dir.join("rolling")));
        assert_eq!(timeline.sweep(), Swept::default());
        fs::remove_file(timeline.path("0/1.pcap")).unwrap();
        assert_eq!(timeline.sweep(), Swept { indexes: 1, ..Swept::default() });
        assert!(timeline.index("0/2.pcap").exists() && timeline.index("1/3.pcap").exists());
    }

    #[test]
    fn indexes_of_other_timelines_are_not_looked_after() {
        let timeline = Timeline::new(below);
        let other = timeline.dir.path().join("index/other/disk/9.pcap.pcapx");
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::copy(timeline.index("0/1.pcap"), &other).unwrap();
        assert_eq!(timeline.sweep(), Swept::default());
        assert!(other.exists());
    }

    #[test]
    fn other_files_are_never_touched() {
        let timeline = Timeline::new(beside);
        let others =
            ["0/notes.pcapx", "0/.pcapx", "0/9.pcap.idx", "0/.x.building", "0/.9.pcap.pcapx.building"];
        for name in others {
            fs::write(timeline.path(name), "mine").unwrap();
        }
        let old = File::options().write(true).open(timeline.path(others[4])).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        std::os::unix::fs::symlink(timeline.index("0/1.pcap"), timeline.path("0/link.pcap.pcapx")).unwrap();
        assert_eq!(timeline.sweep(), Swept::default());
        assert!(others.iter().all(|name| timeline.path(name).exists()));
    }

    #[test]
    fn an_unfinished_index_goes_when_nobody_builds_it() {
        let timeline = Timeline::new(below);
        let hour = Duration::from_secs(3600);
        let (old, held) = (unfinished(&timeline, "0/1.pcap", hour), unfinished(&timeline, "0/2.pcap", hour));
        let young = unfinished(&timeline, "1/3.pcap", Duration::ZERO);
        let lock = File::open(&held).unwrap();
        lock.lock().unwrap();
        assert_eq!(timeline.sweep(), Swept { unfinished: 1, ..Swept::default() });
        assert!(!old.exists() && held.exists() && young.exists());
        drop(lock);
        assert_eq!(timeline.sweep(), Swept { unfinished: 1, ..Swept::default() });
    }

    #[test]
    fn an_unfinished_index_goes_with_its_segment() {
        for place in [beside, below] {
            let timeline = Timeline::new(place);
            let (gone, held) = ("0/1.pcap", "0/2.pcap");
            let young = [gone, held].map(|name| unfinished(&timeline, name, Duration::ZERO));
            let lock = File::open(&young[1]).unwrap();
            lock.lock().unwrap();
            for name in [gone, held] {
                fs::remove_file(timeline.path(name)).unwrap();
                fs::remove_file(timeline.index(name)).unwrap();
            }
            assert_eq!(timeline.sweep().unfinished, 1);
            assert!(!young[0].exists() && young[1].exists());
            drop(lock);
            assert_eq!(timeline.sweep().unfinished, 1);
        }
    }

    #[test]
    fn a_folder_to_which_only_links_lead_is_swept() {
        let timeline = Timeline::new(beside);
        let tree = timeline.dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        std::os::unix::fs::symlink(timeline.path("0/2.pcap"), tree.join("2.pcap")).unwrap();
        fs::remove_file(timeline.path("0/1.pcap")).unwrap();
        let catalog = Catalog::open(&[&tree]).unwrap();
        let swept = sweep(&[tree], &catalog, &timeline.place, &CancelToken::new());
        assert_eq!(swept, Swept { indexes: 1, ..Swept::default() });
        assert!(!timeline.index("0/1.pcap").exists());
    }
}
