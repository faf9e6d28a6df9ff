//! The shelf: which evidence there is, kept up to date at the price of what has changed.
//!
//! ```text
//! request ─► refresh ─► what the kernel has told since the last time ─► names
//!                   └─► the folder itself, as a whole: at first, when events were lost, when nobody tells
//! ```
//!
//! What is not served has no place here: links that lead out of the folder or nowhere, and what is no file.
//!
//! Names are remembered, and of those that tell no time when the file was written: a bounded number of bytes, see [`names`]. A folder is listed again
//!
//! * when it is another one, or the kernel has lost events;
//! * when its time of change is another one and no event told why: on network file systems the kernel hears of nothing
//!   that other machines do;
//! * without a watch, also when the folder was written to less than [`QUIET`] before it was listed: a second change could
//!   bear the same time.

mod names;
mod watch;

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use rustix::fs::{FileType, Mode, OFlags, RawDir, Stat, fstat, lstat, open, stat};
use rustix::io::Errno;

use names::Names;
pub(crate) use names::{Cursor, Files, Name, Slice, Stamp};
use watch::{Change, Heard, Watch};

use crate::folder::{Folder, Found, Patience};

/// File systems tell times of change in steps; the coarsest is FAT's.
const QUIET: Duration = Duration::from_secs(2);
/// Names that are taken at once to be looked at: a millisecond's, for which others wait.
const LOOKED_AT_ONCE: usize = 5000;
/// Room for the entries of one read of a folder.
const LISTING_BUFFER_BYTES: usize = 256 << 10;

/// The zone of the times with which the listener's names begin.
static LOCAL: LazyLock<LocalZone> = LazyLock::new(LocalZone::system);

/// The names of all evidence in one folder.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    names: Names,
    watch: Option<Watch>,
    known: Option<Known>,
    looks: Looks,
}

/// The folder as it was when its names were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    id: (u64, u64),
    changed: (i64, u64),
    /// Whether a later change would bear another time.
    is_settled: bool,
}

/// How much work it was so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    /// Listings of the whole folder.
    pub(crate) listings: u64,
    /// Changes that the kernel told of.
    pub(crate) changes: u64,
}

impl Shelf {
    /// The shelf in `folder`, which need not be there yet. Looks at nothing.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, state: Mutex::default() }
    }

    /// At most `most` names from `cursor` on, as they are now. A folder that is not there has none. May wait for the disk.
    pub(crate) fn slice(&self, cursor: &Cursor, most: usize) -> io::Result<Slice> {
        Ok(self.refreshed()?.names.slice(cursor, most))
    }

    /// The newest `most` names of those that are older than the cursor and for which `is_it` says so. Asks it for each name, at a
    /// tenth of a microsecond or so, and lets others at the shelf meanwhile.
    pub(crate) fn find(
        &self,
        cursor: &Cursor,
        most: usize,
        mut is_it: impl FnMut(&Name) -> bool,
    ) -> io::Result<Vec<(Name, Files)>> {
        let (mut found, mut cursor) = (Vec::new(), cursor.clone());
        loop {
            let names = self.refreshed()?.names.older(&cursor, LOOKED_AT_ONCE);
            let Some((last, _)) = names.last() else { return Ok(found) };
            cursor = Cursor::Before(last.clone());
            found.extend(names.into_iter().filter(|(name, _)| is_it(name)).take(most - found.len()));
            if found.len() == most {
                return Ok(found);
            }
        }
    }

    /// The files of one name, as they are now.
    pub(crate) fn files(&self, name: &Name) -> io::Result<Option<Files>> {
        Ok(self.refreshed()?.names.files(name))
    }

    /// The work so far.
    pub(crate) fn looks(&self) -> Looks {
        self.state().looks
    }

    fn refreshed(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        match state.refresh(&self.folder) {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {
                *state = State { looks: state.looks, ..State::default() }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refresh(&mut self, folder: &PathBuf) -> Result<(), Errno> {
        let heard = self.hear(folder);
        let now = stat(folder)?;
        let is_same = self.known.is_some_and(|known| known.id == id(&now));
        let is_unchanged = self.known.is_some_and(|known| known.changed == changed(&now));
        let is_known = match heard {
            Heard::Lost => false,
            // A change after the first hearing is heard now.
            Heard::All(0) if self.watch.is_some() && !is_unchanged => {
                matches!(self.hear(folder), Heard::All(1..))
            }
            Heard::All(_) if self.watch.is_some() => true,
            Heard::All(_) => is_unchanged && self.known.is_some_and(|known| known.is_settled),
        };
        if !(is_same && is_known) || self.names.has_room_again() {
            return self.list(folder);
        }
        self.known = self.known.map(|known| Known { changed: changed(&now), ..known });
        Ok(())
    }

    /// Takes over what the kernel has told.
    fn hear(&mut self, folder: &Path) -> Heard {
        let Some(watch) = &self.watch else { return Heard::All(0) };
        let heard = watch.hear(|name, change| match change {
            // The kernel does not tell what came.
            Change::Came if !is_served(folder, name, FileType::Unknown) => self.names.went(name),
            Change::Came => self.names.came(name, written(folder, name)),
            Change::Went => self.names.went(name),
        });
        if let Heard::All(changes) = heard {
            self.looks.changes += changes;
        }
        heard
    }

    /// Reads the whole folder. The watch comes first, so that no change falls between the two.
    fn list(&mut self, folder: &PathBuf) -> Result<(), Errno> {
        (self.names, self.known) = (Names::default(), None);
        self.watch = Watch::new(folder)
            .inspect_err(|error| {
                log::debug!("output_dir: it cannot be watched and is listed at each change: {error}");
            })
            .ok();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let place = open(folder, flags, Mode::empty())?;
        let found = fstat(&place)?;
        self.looks.listings += 1;
        let mut buffer = Vec::with_capacity(LISTING_BUFFER_BYTES);
        let mut entries = RawDir::new(&place, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = CStr::to_bytes(entry.file_name());
            if is_served(folder, name, entry.file_type()) {
                self.names.came(name, written(folder, name));
            }
        }
        self.known = Some(Known { id: id(&found), changed: changed(&found), is_settled: is_settled(&found) });
        Ok(())
    }
}

/// Whether `name`, which is of `kind` as far as that is known, is a file that can be had.
fn is_served(folder: &Path, name: &[u8], kind: FileType) -> bool {
    let name = Path::new(OsStr::from_bytes(name));
    let looked = || lstat(folder.join(name)).map(|stat| FileType::from_raw_mode(stat.st_mode));
    let kind = if kind == FileType::Unknown { looked().unwrap_or(kind) } else { kind };
    match kind {
        FileType::RegularFile => true,
        FileType::Symlink => {
            let found = Folder::new(folder.to_owned()).find(name, Patience::Endless);
            matches!(found, Ok(Found::File(..)))
        }
        _ => false,
    }
}

/// When the file `name` was written, where its name tells no time: only then somebody has to ask for it.
fn written(folder: &Path, name: &[u8]) -> Option<Stamp> {
    if Name::new(name).is_dated() || names::belongs(name).is_none() {
        return None;
    }
    let stat = stat(folder.join(OsStr::from_bytes(name))).ok()?;
    let at = Timestamp::from_secs(stat.st_mtime);
    Stamp::new(LOCAL.compact(at).as_bytes())
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn changed(stat: &Stat) -> (i64, u64) {
    (stat.st_mtime, stat.st_mtime_nsec)
}

fn is_settled(stat: &Stat) -> bool {
    let changed = u64::try_from(stat.st_mtime).unwrap_or(0);
    let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(changed));
    age.is_ok_and(|age| age > QUIET)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn newest(shelf: &Shelf) -> Vec<String> {
        let slice = shelf.slice(&Cursor::Newest, 9).unwrap();
        slice.names.iter().map(|(name, _)| name.text().into_owned()).collect()
    }

    #[test]
    fn what_comes_and_goes_is_seen_at_the_price_of_the_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a.pcap"), "").unwrap();
        fs::create_dir(path("folder.pcap")).unwrap();
        let shelf = Shelf::new(dir.path().to_owned());
        assert_eq!(newest(&shelf), ["a"]);
        fs::write(path(".hidden"), "").unwrap();
        fs::rename(path(".hidden"), path("b.pcap")).unwrap();
        fs::hard_link(path("b.pcap"), path("c.pcap")).unwrap();
        fs::create_dir(path("d.pcap")).unwrap();
        assert_eq!(newest(&shelf), ["c", "b", "a"]);
        fs::remove_file(path("a.pcap")).unwrap();
        fs::rename(path("b.pcap"), path(".b")).unwrap();
        assert_eq!(newest(&shelf), ["c"]);
        if shelf.state().watch.is_none() {
            eprintln!("SKIPPED: this system has no watch to spare; the folder was listed instead");
            return;
        }
        assert_eq!(shelf.looks(), Looks { listings: 1, changes: 9 });
        assert_eq!(shelf.files(&Name::new(b"c")).unwrap(), Some(Files { pcap: true, ..Files::default() }));
    }

    #[test]
    fn what_is_not_served_is_not_there() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("alerts");
        fs::create_dir(&folder).unwrap();
        fs::write(dir.path().join("secret.pcap"), "secret").unwrap();
        let shelf = Shelf::new(folder.clone());
        let fill = |prefix: &str| {
            let name = |name: &str| folder.join(format!("{prefix}-{name}.pcap"));
            fs::write(name("file"), "").unwrap();
            symlink(format!("{prefix}-file.pcap"), name("inside")).unwrap();
            symlink("../secret.pcap", name("out")).unwrap();
            symlink(name("file"), name("absolute")).unwrap();
            symlink("missing", name("dangling")).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, name("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        };
        // What stands there, and what the kernel tells of.
        fill("a");
        assert_eq!(newest(&shelf), ["a-inside", "a-file"]);
        fill("b");
        assert_eq!(newest(&shelf), ["b-inside", "b-file", "a-inside", "a-file"]);
        // What was a file and is none any more.
        fs::remove_file(folder.join("b-file.pcap")).unwrap();
        symlink("../secret.pcap", folder.join("b-file.pcap")).unwrap();
        assert!(!newest(&shelf).contains(&"b-file".to_owned()));
    }

    #[test]
    fn a_folder_that_nobody_tells_of_is_listed_when_it_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().to_owned());
        assert!(newest(&shelf).is_empty());
        shelf.state().watch = None;
        let now = SystemTime::now();
        let age = |secs| {
            let at = now - Duration::from_secs(secs);
            fs::File::open(dir.path()).unwrap().set_modified(at).unwrap();
        };
        for (number, settled) in [(2, false), (3, true), (3, true)] {
            if number == 2 {
                fs::write(dir.path().join("a.pcap"), "").unwrap();
            }
            age(if settled { 100 } else { 0 });
            assert_eq!(newest(&shelf), ["a"]);
            // As on a file system that has no events.
            shelf.state().watch = None;
            assert_eq!(shelf.looks().listings, number);
        }
    }

    #[test]
    fn a_folder_may_come_later_and_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("alerts");
        let shelf = Shelf::new(place.clone());
        assert!(newest(&shelf).is_empty());
        fs::create_dir(&place).unwrap();
        fs::write(place.join("a.pcap"), "").unwrap();
        assert_eq!(newest(&shelf), ["a"]);
        fs::rename(&place, dir.path().join("old")).unwrap();
        assert!(newest(&shelf).is_empty());
        fs::create_dir(&place).unwrap();
        fs::write(place.join("b.pcap"), "").unwrap();
        assert_eq!(newest(&shelf), ["b"]);
        fs::remove_dir_all(&place).unwrap();
        assert!(newest(&shelf).is_empty());
    }

    #[test]
    fn lost_events_are_made_good() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().to_owned());
        assert!(newest(&shelf).is_empty());
        // More than the queue of a watch has room for by default.
        for number in 0..9000 {
            let (hidden, name) =
                (dir.path().join(".x"), dir.path().join(format!("20260301_{number:06}_a.pcap")));
            fs::write(&hidden, "").unwrap();
            fs::rename(hidden, name).unwrap();
        }
        let slice = shelf.slice(&Cursor::Newest, 1).unwrap();
        assert_eq!((slice.total, slice.names[0].0.time().as_deref()), (9000, Some("2026-03-01 00:89:99")));
    }
}
