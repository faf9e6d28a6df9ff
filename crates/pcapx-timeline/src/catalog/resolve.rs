//! What a name stands for, through links.
//!
//! A link is read once: the folder that it leads to is remembered like those that are walked into, and from then on
//! what happens to the file there is seen without looking at the link. What does not work that way – a target in a
//! folder that is missing or may not be listed, a circle – is looked at directly, each time.

use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::disk::{Failure, FileId, Kind, Stat};
use super::folder::{Folder, Found, Place};
use super::memory::Memory;

/// So many links in a row are followed: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// What stands at the end of all links.
#[derive(Debug)]
pub(super) enum Target {
    /// A file: the folder that it lies in and its number there, where they are remembered.
    File(Stat, Option<(FileId, usize)>),
    /// A folder, which is remembered.
    Folder(FileId),
    Failed(Failure),
    Nothing,
}

impl Memory {
    /// What an entry of a folder stands for. Looks where nobody has looked yet.
    pub(super) fn resolve(&mut self, folder: FileId, index: usize) -> Target {
        let (mut at, mut n) = (folder, index);
        // A look and a step for each link.
        for _ in 0..2 * MAX_LINKS + 2 {
            let Some(entry) = self.folders.get(&at).and_then(|folder| folder.entries.get(n)) else { break };
            match &entry.found {
                Found::File(stat, _) => return Target::File(*stat, Some((at, n))),
                Found::Nothing => return Target::Nothing,
                Found::Direct(result) => {
                    let result = result.clone();
                    return self.direct(at, n, result);
                }
                &Found::Folder(id) if self.folders.contains_key(&id) => return self.want(id),
                &Found::Way(place @ Place { id, .. }, ref name) if self.is_there(place) => {
                    let position = self.folders.get(&id).and_then(|folder| folder.position(name));
                    self.want(id);
                    match position {
                        Some(position) => (at, n) = (id, position),
                        None => return Target::Failed(Failure::Gone),
                    }
                }
                Found::Unseen | Found::Folder(_) | Found::Way(..) => self.look(at, n),
            }
        }
        self.look_directly(folder, index)
    }

    /// Finds out anew what stands behind an entry, the way of a link included.
    pub(super) fn look(&mut self, at: FileId, n: usize) {
        let Some((path, kind)) = self.path(at, n) else { return };
        let found = match kind {
            Kind::Other => Found::Nothing,
            Kind::Link => match self.way(&path) {
                Some((folder, name)) => Found::Way(folder, name),
                None => Found::Direct(self.stat(&path)),
            },
            Kind::File | Kind::Folder => match self.stat(&path) {
                Ok(stat) if stat.kind == Kind::File => Found::File(stat, self.now),
                Ok(stat) if stat.kind == Kind::Folder => Found::Folder(self.remember(path, stat)),
                Ok(_) => Found::Nothing,
                failed => Found::Direct(failed),
            },
        };
        self.set_found(at, n, found);
    }

    /// Whether the file system, too, follows the link to `target`.
    pub(super) fn leads_to(&mut self, at: FileId, n: usize, target: &Target) -> bool {
        let Some((path, _)) = self.path(at, n) else { return false };
        match (self.stat(&path), target) {
            (Ok(stat), Target::File(known, _)) => stat.id == known.id,
            (Ok(stat), Target::Folder(id)) => stat.id == *id,
            (Ok(stat), Target::Nothing) => stat.kind == Kind::Other,
            (Ok(_), Target::Failed(_)) => false,
            (Err(failure), target) => matches!(target, Target::Failed(known) if *known == failure),
        }
    }

    /// Adds a folder, unless it is remembered already.
    pub(super) fn remember(&mut self, real: PathBuf, stat: Stat) -> FileId {
        if let Entry::Vacant(slot) = self.folders.entry(stat.id) {
            // Links mostly name the path without links.
            self.ways.insert(real.clone(), Place { id: stat.id, since: self.pass });
            slot.insert(Folder::new(real, stat, self.now, self.pass));
        }
        stat.id
    }

    fn is_there(&self, place: Place) -> bool {
        self.folders.get(&place.id).is_some_and(|folder| folder.since == place.since)
    }

    /// The folder that a link leads into, and the name there.
    fn way(&mut self, link: &Path) -> Option<(Place, OsString)> {
        let target = self.disk.read_link(link).ok()?;
        let name = target.file_name()?;
        // A path that ends in `/` or `/.` means a folder only.
        if !target.as_os_str().as_bytes().ends_with(name.as_bytes()) {
            return None;
        }
        let path = link.parent()?.join(target.parent()?);
        let known = self.ways.get(&path).copied().filter(|&place| self.is_there(place));
        let id = if let Some(place) = known {
            place.id
        } else {
            let real = self.disk.real_path(&path).ok()?;
            let stat = self.stat(&real).ok().filter(|stat| stat.kind == Kind::Folder)?;
            self.remember(real, stat)
        };
        let folder = self.folders.get_mut(&id)?;
        let place = Place { id, since: folder.since };
        if known.is_none() {
            self.ways.insert(path, place);
        }
        if !folder.is_listed() {
            folder.list(&mut self.disk, self.now);
        }
        folder.failure.is_none().then(|| (place, name.to_owned()))
    }

    fn look_directly(&mut self, at: FileId, n: usize) -> Target {
        let Some((path, _)) = self.path(at, n) else { return Target::Nothing };
        let result = self.stat(&path);
        self.set_found(at, n, Found::Direct(result.clone()));
        self.direct(at, n, result)
    }

    /// The target of an entry that is looked at directly.
    fn direct(&mut self, at: FileId, n: usize, result: Result<Stat, Failure>) -> Target {
        match result {
            Err(failure) => Target::Failed(failure),
            Ok(stat) if stat.kind == Kind::File => Target::File(stat, None),
            Ok(stat) if stat.kind == Kind::Folder => {
                if !self.folders.contains_key(&stat.id) {
                    let Some((path, _)) = self.path(at, n) else { return Target::Nothing };
                    let real = self.disk.real_path(&path).unwrap_or(path);
                    self.remember(real, stat);
                }
                self.want(stat.id)
            }
            Ok(_) => Target::Nothing,
        }
    }

    fn want(&mut self, id: FileId) -> Target {
        if let Some(folder) = self.folders.get_mut(&id) {
            folder.wanted = self.pass;
        }
        Target::Folder(id)
    }

    fn path(&self, at: FileId, n: usize) -> Option<(PathBuf, Kind)> {
        let folder = self.folders.get(&at)?;
        let entry = folder.entries.get(n)?;
        Some((folder.real.join(&entry.name), entry.kind))
    }

    fn set_found(&mut self, at: FileId, n: usize, found: Found) {
        if let Some(folder) = self.folders.get_mut(&at) {
            folder.set_found(n, found);
        }
    }

    fn stat(&mut self, path: &Path) -> Result<Stat, Failure> {
        self.disk.stat(path).map_err(|e| Failure::of(&e))
    }
}
