//! What is remembered of one folder: the names in it, and what stands behind those that somebody has asked for.
//!
//! A folder's times change when a name in it is added, taken away or replaced, so a folder that looks as it did is not
//! listed again – unless its time of writing is so close to the moment of the listing that a later change could bear
//! the same time ([`RACY`]). Its times do not change when one of its files is written to. Which files are looked at
//! again is told in [`timeline`](super::timeline).

use std::ffi::OsStr;
use std::ffi::OsString;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use super::disk::{Disk, Failure, FileId, Kind, Listed, Stat};
use super::plan::numbered_below;
use super::segment::is_open;
use pcapx_core::time::Timestamp;

/// A change this soon after another can bear the same time: file systems count in steps of up to 2 s (FAT).
const RACY: Duration = Duration::from_secs(2);
/// What has not been written to for this long is finished: recorders write at least once in some seconds, or rotate.
pub(crate) const QUIET: Duration = Duration::from_secs(60);

/// A folder, by its path without links.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) real: PathBuf,
    /// Of `real`, the bytes of the nearest folder above whose own name is no number, if this one's name is a number.
    pub(super) numbered_below: Option<usize>,
    /// The folder that it was found in on the way from a root; `None` for a root, and where only links lead.
    pub(super) parent: Option<FileId>,
    /// The pass that remembered it.
    pub(super) since: u64,
    /// The pass that last had a use for it.
    pub(super) wanted: u64,
    /// The pass that last looked at it.
    pub(super) checked: u64,
    /// Whether that pass has found it quiet and as before.
    pub(super) is_calm: bool,
    /// Sorted by name.
    pub(super) entries: Vec<Entry>,
    /// Why there are none, if it is that.
    pub(super) failure: Option<Failure>,
    pub(super) stat: Stat,
    looked: Timestamp,
    /// When the listing was begun; `None` when there has to be another.
    listed: Option<Timestamp>,
    /// What can change without a change of the folder's times; `None` when it has to be gathered anew.
    restless: Option<Restless>,
}

/// Positions of entries that are looked at again.
#[derive(Debug)]
struct Restless {
    /// All files that somebody has asked for, oldest first: those at the ends are looked at.
    by_age: Vec<u32>,
    /// Those that are looked at each time.
    always: Vec<u32>,
}

/// A name in a folder, and what stands behind it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: OsString,
    inode: u64,
    pub(super) kind: Kind,
    pub(super) found: Found,
}

/// What stands behind a name.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// Nobody has asked for it yet.
    Unseen,
    /// A file in this folder, as it was at that time.
    File(Stat, Timestamp),
    Folder(FileId),
    /// A link to a name in a folder that is remembered, too: what it leads to is found there.
    Way(Place, OsString),
    /// What cannot be remembered otherwise is looked at each time.
    Direct(Result<Stat, Failure>),
    Nothing,
}

/// A folder at the path where it was remembered. One that was moved is remembered anew, and no way leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: FileId,
    /// The pass that remembered it.
    pub(super) since: u64,
}

/// What a pass has found to be different.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Names have come, gone or got another meaning.
    pub(super) names: bool,
    /// Files that were written to.
    pub(super) files: Vec<Stat>,
}

impl Folder {
    /// A folder whose names are not known yet.
    pub(super) fn new(real: PathBuf, stat: Stat, now: Timestamp, pass: u64) -> Self {
        Self {
            numbered_below: numbered_below(&real),
            real,
            parent: None,
            since: pass,
            wanted: pass,
            checked: 0,
            is_calm: false,
            entries: Vec::new(),
            failure: None,
            stat,
            looked: now,
            listed: None,
            restless: None,
        }
    }

    pub(super) fn position(&self, name: &OsStr) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name.as_os_str().cmp(name)).ok()
    }

    /// Whether there is no such folder any more.
    pub(super) fn is_gone(&self) -> bool {
        self.failure == Some(Failure::Gone)
    }

    /// Whether its names are known.
    pub(super) fn is_listed(&self) -> bool {
        self.listed.is_some()
    }

    /// Whether there is something in it that is looked at each time.
    pub(super) fn is_restless(&self) -> bool {
        self.failure.is_some() || self.entries.iter().any(Entry::is_restless)
    }

    pub(super) fn set_found(&mut self, index: usize, found: Found) {
        self.restless = None;
        self.entries[index].found = found;
    }

    /// Reads the names; what stands behind those that stayed is still known. Tells whether all are the same.
    pub(super) fn list(&mut self, disk: &mut Disk, now: Timestamp) -> bool {
        let (names, failure) = match disk.list(&self.real) {
            Ok(names) => (names, None),
            Err(e) => (Vec::new(), Some(Failure::of(&e))),
        };
        let mut is_same = names.len() == self.entries.len() && failure == self.failure;
        self.listed = failure.is_none().then_some(now);
        self.failure = failure;
        let mut known = mem::take(&mut self.entries).into_iter().peekable();
        self.entries = Vec::with_capacity(names.len());
        for Listed { name, inode, kind } in names {
            while known.next_if(|entry| entry.name < name).is_some() {}
            let entry = match known.next_if(|entry| entry.name == name) {
                Some(entry) if (entry.inode, entry.kind) == (inode, kind) => entry,
                _ => {
                    is_same = false;
                    Entry { name, inode, kind, found: Found::Unseen }
                }
            };
            self.entries.push(entry);
        }
        if !is_same {
            self.restless = None;
        }
        is_same
    }

    /// Looks at the folder and at those of its files that can have changed; at all of them if the look is a `full` one.
    /// Tells whether nothing was different and the folder had been quiet before.
    pub(super) fn check(
        &mut self,
        disk: &mut Disk,
        now: Timestamp,
        is_full: bool,
        changes: &mut Changes,
    ) -> bool {
        let was_quiet = is_quiet(&self.stat, self.looked);
        let stat = match disk.stat(&self.real) {
            Ok(stat) if stat.id == self.stat.id && stat.kind == Kind::Folder => stat,
            // Gone, or another: the walk finds out.
            _ => {
                changes.names = true;
                self.listed = None;
                self.failure = Some(Failure::Gone);
                return false;
            }
        };
        let is_touched = stat != self.stat;
        let is_racy = self.listed.is_none_or(|listed| self.stat.modified >= listed.saturating_sub(RACY));
        (self.stat, self.looked) = (stat, now);
        let mut is_unexplained = false;
        if is_touched || is_racy {
            let is_same = self.list(disk, now);
            changes.names |= is_touched || !is_same;
            // A file whose name and inode went to the next one: nothing but looking tells.
            is_unexplained = is_touched && is_same;
        }
        let is_calm = self.check_files(disk, now, is_full || is_unexplained, changes);
        is_calm && was_quiet && !is_touched
    }

    /// Looks at files, from both ends of their ages; tells whether nothing was different.
    fn check_files(&mut self, disk: &mut Disk, now: Timestamp, is_full: bool, changes: &mut Changes) -> bool {
        let mut restless = self.restless.take().unwrap_or_else(|| self.restless());
        let by_age = &mut restless.by_age;
        let mut is_same = true;
        let mut newest = by_age.len();
        while newest > 0 {
            newest -= 1;
            let was_quiet = matches!(&self.entries[by_age[newest] as usize].found,
                Found::File(stat, looked) if is_quiet(stat, *looked));
            let is_file_same = self.look_again(by_age[newest], disk, now, changes);
            is_same &= is_file_same;
            if is_file_same && was_quiet && !is_full {
                break;
            }
        }
        let mut oldest = 0;
        while oldest < newest {
            oldest += 1;
            if self.look_again(by_age[oldest - 1], disk, now, changes) {
                break;
            }
            is_same = false;
        }
        for &n in &restless.always {
            if !by_age[newest..].contains(&n) && !by_age[..oldest].contains(&n) {
                is_same &= self.look_again(n, disk, now, changes);
            }
        }
        if !is_same {
            by_age.sort_by_key(|&n| self.modified(n));
        }
        self.restless = Some(restless);
        is_same
    }

    fn restless(&self) -> Restless {
        let of = |is: fn(&Entry) -> bool| {
            (0..self.entries.len() as u32).filter(move |&n| is(&self.entries[n as usize])).collect()
        };
        let mut by_age: Vec<u32> = of(|entry| matches!(entry.found, Found::File(..)));
        by_age.sort_by_key(|&n| self.modified(n));
        Restless { by_age, always: of(Entry::is_restless) }
    }

    fn look_again(&mut self, n: u32, disk: &mut Disk, now: Timestamp, changes: &mut Changes) -> bool {
        let entry = &mut self.entries[n as usize];
        let result = disk.stat(&self.real.join(&entry.name)).map_err(|e| Failure::of(&e));
        match (&mut entry.found, result) {
            (Found::Direct(before), result) if *before == result => return true,
            (Found::File(before, looked), Ok(stat)) if (before.id, before.kind) == (stat.id, stat.kind) => {
                *looked = now;
                if *before == stat {
                    return true;
                }
                *before = stat;
                changes.files.push(stat);
            }
            (found, result) => {
                if result == Err(Failure::Gone) {
                    self.listed = None;
                }
                *found = Found::Unseen;
                changes.names = true;
            }
        }
        false
    }

    fn modified(&self, n: u32) -> Timestamp {
        match &self.entries[n as usize].found {
            Found::File(stat, _) => stat.modified,
            _ => Timestamp::MIN,
        }
    }
}

impl Entry {
    /// Whether it is looked at each time.
    fn is_restless(&self) -> bool {
        match self.found {
            Found::File(..) => is_open(&self.name),
            Found::Direct(_) => true,
            _ => false,
        }
    }
}

/// Whether something had not been written to for a while when it was looked at.
fn is_quiet(stat: &Stat, looked: Timestamp) -> bool {
    stat.modified < looked.saturating_sub(QUIET)
}
