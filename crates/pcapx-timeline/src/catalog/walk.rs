//! From the roots through what is remembered: which segments there are, in which order.
//!
//! Names are taken in their order, folders are gone into where they stand among them, and links are followed; each
//! file and each folder counts once, where it is met first. What is not known yet is looked at on the way.

use std::collections::HashSet;
use std::collections::hash_map::Entry as Slot;
use std::ffi::OsStr;
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{ById, Failure, FileId, Kind, Stat};
use super::folder::{Entry, Found};
use super::memory::{Known, Memory};
use super::resolve::Target;
use super::segment::{Parts, Segment, is_open};
use super::{Catalog, TimelineError};
use crate::warning::{Warning, WarningKind};

/// Folders deeper than this below a root are not looked into: n2disk's tree is five deep, and the walk is recursive.
const MAX_DEPTH: usize = 100;

/// Finds all segments below `roots`; with a `full` look it is made sure of links, too, that they lead where they led.
pub(super) fn walk(memory: &mut Memory, roots: &[PathBuf], is_full: bool) -> Result<Catalog, TimelineError> {
    let found = Findings { known: mem::take(&mut memory.known), pass: memory.pass, ..Findings::default() };
    let mut walk = Walk { memory, is_full, visited: HashSet::new(), found };
    let result = walk.roots(roots);
    let Findings { mut known, catalog, pass, .. } = walk.found;
    known.retain(|_, known| known.pass == pass);
    memory.known = known;
    result?;
    memory.folders.retain(|_, folder| folder.wanted == pass);
    Ok(catalog)
}

struct Walk<'m> {
    memory: &'m mut Memory,
    is_full: bool,
    visited: HashSet<FileId>,
    found: Findings,
}

impl Walk<'_> {
    fn roots(&mut self, roots: &[PathBuf]) -> Result<(), TimelineError> {
        self.memory.roots.clear();
        for (number, root) in roots.iter().enumerate() {
            self.found.root = number;
            self.root(root).map_err(|source| TimelineError::Root { path: root.clone(), source })?;
        }
        Ok(())
    }

    fn root(&mut self, path: &Path) -> io::Result<()> {
        let stat = self.memory.disk.stat(path)?;
        self.memory.roots.push(stat);
        match stat.kind {
            Kind::File => {
                let file = self.memory.disk.real_path(path)?;
                self.found.add(&stat, Parts::of(path), Parts::of(&file));
            }
            Kind::Folder => {
                if !self.memory.folders.contains_key(&stat.id) {
                    let real = self.memory.disk.real_path(path)?;
                    self.memory.remember(real, stat);
                }
                match self.list(stat.id, None) {
                    Some(Failure::Gone) => return Err(io::ErrorKind::NotFound.into()),
                    Some(Failure::Unreadable(why)) => return Err(io::Error::other(why)),
                    None if self.visited.insert(stat.id) => self.folder(stat.id, path, 1),
                    None => {}
                }
            }
            Kind::Link | Kind::Other => {}
        }
        Ok(())
    }

    /// Sees to it that the names in a folder are known; tells why they are not.
    fn list(&mut self, id: FileId, parent: Option<FileId>) -> Option<Failure> {
        let Memory { folders, disk, pass, now, .. } = &mut *self.memory;
        let Some(folder) = folders.get_mut(&id) else { return Some(Failure::Gone) };
        folder.wanted = *pass;
        folder.parent = parent;
        if !folder.is_listed() {
            folder.list(disk, *now);
        }
        folder.failure.clone()
    }

    fn folder(&mut self, id: FileId, path: &Path, depth: usize) {
        let mut next = 0;
        while let Some(index) = self.known_files(id, next, path) {
            next = index + 1;
            let Some(entry) = self.entry(id, index) else { break };
            let (is_link, was_way) = (entry.kind == Kind::Link, matches!(entry.found, Found::Way(..)));
            let mut target = self.memory.resolve(id, index);
            if self.is_full && was_way && !self.memory.leads_to(id, index, &target) {
                self.memory.look(id, index);
                target = self.memory.resolve(id, index);
            }
            match target {
                Target::Nothing => {}
                Target::File(stat, at) => self.file(&stat, at, id, index, path),
                Target::Failed(Failure::Gone) if self.renamed(id, index, path) => {}
                Target::Failed(failure) => {
                    if let (Some(kind), Some(entry)) = (failure.warning(is_link), self.entry(id, index)) {
                        let path = path.join(&entry.name);
                        self.found.catalog.warnings.push(Warning { path, kind });
                    }
                }
                Target::Folder(inner) => {
                    let Some(entry) = self.entry(id, index) else { break };
                    let path = path.join(&entry.name);
                    self.inner(inner, id, path, depth);
                }
            }
        }
    }

    /// Adds the files from an entry on, up to one of which more has to be found out than is remembered.
    fn known_files(&mut self, id: FileId, from: usize, path: &Path) -> Option<usize> {
        let folder = self.memory.folders.get(&id)?;
        for (index, entry) in folder.entries.iter().enumerate().skip(from) {
            match &entry.found {
                _ if is_passed_over(&entry.name) => {}
                Found::Nothing => {}
                Found::File(stat, _) => {
                    let name = entry.name.as_os_str();
                    self.found.add(stat, Parts { folder: path, name }, Parts { folder: &folder.real, name });
                }
                _ => return Some(index),
            }
        }
        None
    }

    fn inner(&mut self, id: FileId, parent: FileId, path: PathBuf, depth: usize) {
        if !self.visited.insert(id) {
            return;
        }
        if depth >= MAX_DEPTH {
            self.found.catalog.warnings.push(Warning { path, kind: WarningKind::TooDeep });
            return;
        }
        match self.list(id, Some(parent)) {
            None => self.folder(id, &path, depth + 1),
            Some(failure) => {
                let warning = failure.warning(false).map(|kind| Warning { path, kind });
                self.found.catalog.warnings.extend(warning);
            }
        }
    }

    /// Adds what the entry shows: a file that stands `at` some entry, or one of which only the link is known.
    fn file(&mut self, stat: &Stat, at: Option<(FileId, usize)>, id: FileId, index: usize, folder: &Path) {
        let folders = &self.memory.folders;
        let parts = |(id, index): (FileId, usize)| {
            let folder = folders.get(&id)?;
            Some(Parts { folder: &folder.real, name: &folder.entries.get(index)?.name })
        };
        let Some(entry) = parts((id, index)) else { return };
        let path = Parts { folder, name: entry.name };
        let real;
        let file = if let Some(at) = at {
            parts(at)
        } else {
            real = self.memory.disk.real_path(&entry.join()).unwrap_or_else(|_| entry.join());
            Some(Parts::of(&real))
        };
        if let Some(file) = file {
            self.found.add(stat, path, file);
        }
    }

    /// Looks for a segment that its recorder renames at this moment, and adds it. Between two looks at two folders, the one
    /// may tell of its new name already, the other still of the old one.
    fn renamed(&mut self, id: FileId, index: usize, folder: &Path) -> bool {
        let Some(entry) = self.entry(id, index) else { return false };
        let named = folder.join(&entry.name);
        let sealed = is_open(&entry.name).then(|| named.with_extension(""));
        let linked = (entry.kind == Kind::Link).then_some(named);
        for path in sealed.into_iter().chain(linked) {
            if let Ok(stat) = self.memory.disk.stat(&path)
                && stat.kind == Kind::File
            {
                let real = self.memory.disk.real_path(&path).unwrap_or_else(|_| path.clone());
                self.found.add(&stat, Parts::of(&path), Parts::of(&real));
                return true;
            }
        }
        false
    }

    fn entry(&self, id: FileId, index: usize) -> Option<&Entry> {
        self.memory.folders.get(&id)?.entries.get(index)
    }
}

/// What has been found so far.
#[derive(Default)]
struct Findings {
    root: usize,
    pass: u64,
    catalog: Catalog,
    /// From earlier walks, and from this one.
    known: ById<Known>,
}

impl Findings {
    /// Adds a file, unless it was met before.
    fn add(&mut self, stat: &Stat, path: Parts<'_>, file: Parts<'_>) {
        let new = || Arc::new(Segment::new(self.root, path.join(), file.join(), stat));
        let segments = &mut self.catalog.segments;
        let known = match self.known.entry(stat.id) {
            Slot::Vacant(slot) => slot.insert(Known { segment: new(), stat: *stat, index: 0, pass: 0 }),
            Slot::Occupied(slot) => slot.into_mut(),
        };
        if known.pass == self.pass {
            // Another name of the same file, which may have been looked at later.
            if known.stat.changed < stat.changed {
                known.rewrite(stat);
                segments[known.index] = Arc::clone(&known.segment);
            }
            return;
        }
        if known.stat != *stat || !known.segment.is_at(self.root, path, file) {
            let segment = new();
            if known.stat == *stat {
                segment.learn_from(&known.segment);
            }
            (known.segment, known.stat) = (segment, *stat);
        }
        (known.pass, known.index) = (self.pass, segments.len());
        segments.push(Arc::clone(&known.segment));
    }
}

/// Names that are never segments: hidden ones (unfinished output, our own files), indexes, and what n2disk puts beside
/// a segment.
fn is_passed_over(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".")
        || [&b".idx"[..], b".timeline", b".pcapx"].iter().any(|ending| name.ends_with(ending))
}
