//! All that a timeline remembers of the file system, and how it is brought up to date.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{ById, Disk, FileId, Kind, Stat};
use super::folder::{Changes, Folder, Place, QUIET};
use super::plan::Plan;
use super::segment::Segment;
use super::{Catalog, TimelineError, walk};
use pcapx_core::time::Timestamp;

/// What a timeline remembers. A new one remembers nothing and finds out all.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) disk: Disk,
    /// What is being done now, counted: tells what has been done already this time.
    pub(super) pass: u64,
    pub(super) now: Timestamp,
    /// Folders that were walked into or that links lead to.
    pub(super) folders: ById<Folder>,
    /// Where paths lead to that links name: a path with its links, the folder there.
    pub(super) ways: HashMap<PathBuf, Place>,
    pub(super) known: ById<Known>,
    pub(super) roots: Vec<Stat>,
    plan: Plan,
    snapshot: Option<Arc<Catalog>>,
    full_look: Option<Timestamp>,
}

/// A file that the catalog shows.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) segment: Arc<Segment>,
    /// More than a segment tells: also when anything about the file changed.
    pub(super) stat: Stat,
    /// Where it stands among the segments.
    pub(super) index: usize,
    pub(super) pass: u64,
}

impl Known {
    /// Of the same file after it was written to.
    pub(super) fn rewrite(&mut self, stat: &Stat) {
        self.stat = *stat;
        self.segment = Arc::new(self.segment.rewritten(stat));
    }
}

impl Memory {
    /// What is below `roots` at `now`. After an error or a panic half-way the next call finds out all.
    pub(super) fn refresh(
        &mut self,
        roots: &[PathBuf],
        now: Timestamp,
    ) -> Result<Arc<Catalog>, TimelineError> {
        self.pass += 1;
        self.now = now;
        let before = self.snapshot.take();
        let is_full = self.full_look.is_none_or(|last| now < last || now >= last.saturating_add(QUIET));
        let mut changes = Changes { names: is_full || before.is_none(), files: Vec::new() };
        changes.names |= roots.len() != self.roots.len();
        for (root, before) in roots.iter().zip(&self.roots) {
            changes.names |= match self.disk.stat(root) {
                // What is in a folder is looked at as for every folder.
                Ok(stat) if stat.kind == Kind::Folder => stat.id != before.id,
                Ok(stat) => stat != *before,
                Err(_) => true,
            };
        }
        self.check_folders(is_full, &mut changes);
        let snapshot = match before {
            Some(before) if !changes.names => self.rewritten(before, &changes.files),
            before => {
                // With a full look, only paths without links are known to lead where they led.
                let folders = &self.folders;
                self.ways.retain(|path, place| {
                    let folder = folders.get(&place.id).filter(|folder| folder.since == place.since);
                    folder.is_some_and(|folder| !is_full || folder.real == *path)
                });
                let found = walk::walk(self, roots, is_full)?;
                self.plan = Plan::make(&self.folders, &self.roots);
                let is_same = |catalog: &Arc<Catalog>| {
                    catalog.warnings == found.warnings
                        && catalog.segments.len() == found.segments.len()
                        && catalog.segments.iter().zip(&found.segments).all(|(a, b)| Arc::ptr_eq(a, b))
                };
                before.filter(is_same).unwrap_or_else(|| Arc::new(found))
            }
        };
        if is_full {
            self.full_look = Some(now);
        }
        self.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    fn check_folders(&mut self, is_full: bool, changes: &mut Changes) {
        if is_full {
            let all: Vec<FileId> = self.folders.keys().copied().collect();
            for id in all {
                self.check(id, true, changes);
            }
            return;
        }
        let plan = std::mem::take(&mut self.plan);
        plan.carry_out(|id| self.check(id, false, changes));
        self.plan = plan;
    }

    /// Looks at a folder, and at those above it, where new ones are made; at each once in a pass. Tells whether nothing
    /// was different in the folder itself and it had been quiet.
    fn check(&mut self, id: FileId, is_full: bool, changes: &mut Changes) -> bool {
        let Some(folder) = self.folders.get_mut(&id) else { return false };
        if folder.checked == self.pass {
            return folder.is_calm;
        }
        folder.checked = self.pass;
        let is_calm = folder.check(&mut self.disk, self.now, is_full, changes);
        folder.is_calm = is_calm;
        let parent = folder.parent;
        if folder.is_gone() {
            self.folders.remove(&id);
        }
        if let Some(parent) = parent {
            self.check(parent, is_full, changes);
        }
        is_calm
    }

    /// The catalog with the new states of `files`, which stand where they stood.
    fn rewritten(&mut self, before: Arc<Catalog>, files: &[Stat]) -> Arc<Catalog> {
        let mut segments: Option<Vec<Arc<Segment>>> = None;
        for stat in files {
            let Some(known) = self.known.get_mut(&stat.id) else { continue };
            if known.stat == *stat {
                continue;
            }
            known.rewrite(stat);
            segments.get_or_insert_with(|| before.segments.clone())[known.index] = Arc::clone(&known.segment);
        }
        match segments {
            Some(segments) => Arc::new(Catalog { segments, warnings: before.warnings.clone() }),
            None => before,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn age(path: &Path, secs: u64) {
        File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
    }

    fn lens(memory: &mut Memory, root: &Path, now: Timestamp) -> Vec<u64> {
        let catalog = memory.refresh(&[root.to_owned()], now).unwrap();
        catalog.segments().iter().map(|segment| segment.len).collect()
    }

    #[test]
    fn what_nobody_expects_is_seen_a_minute_later() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        for folder in ["root", "one", "two"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            fs::write(root.join(name), b"x").unwrap();
            age(&root.join(name), 1000 + n as u64);
        }
        fs::write(dir.path().join("one/x"), b"xy").unwrap();
        fs::write(dir.path().join("two/x"), b"xyz").unwrap();
        symlink("one", dir.path().join("way")).unwrap();
        symlink("../way/x", root.join("d")).unwrap();
        age(&root, 2000);
        let (mut memory, now) = (Memory::default(), Timestamp::now());
        assert_eq!(lens(&mut memory, &root, now), [1, 1, 1, 2]);
        // A file of middle age, and a link on the way of another.
        fs::write(root.join("b"), b"xxxx").unwrap();
        age(&root.join("b"), 1001);
        fs::remove_file(dir.path().join("way")).unwrap();
        symlink("two", dir.path().join("way")).unwrap();
        let soon = now.saturating_add(Duration::from_secs(59));
        assert_eq!(lens(&mut memory, &root, soon), [1, 1, 1, 2], "nobody looks there");
        assert_eq!(lens(&mut memory, &root, now.saturating_add(QUIET)), [1, 4, 1, 3]);
        // The clock was set back: nobody knows how long ago the last look was.
        fs::write(root.join("b"), b"xxxxx").unwrap();
        age(&root.join("b"), 1001);
        assert_eq!(lens(&mut memory, &root, now), [1, 5, 1, 3]);
    }

    #[test]
    fn a_folder_that_was_just_written_to_is_listed_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let (mut memory, written) = (Memory::default(), 1_772_000_000);
        age(dir.path(), written);
        let at = |secs: u64| Timestamp::from_secs((written + secs).cast_signed());
        lens(&mut memory, dir.path(), at(1));
        assert_eq!(memory.disk.looks.listings, 1);
        lens(&mut memory, dir.path(), at(2));
        assert_eq!(
            memory.disk.looks.listings, 2,
            "a change after the first listing could bear the same time"
        );
        lens(&mut memory, dir.path(), at(3));
        assert_eq!(memory.disk.looks.listings, 3, "nor is two seconds enough");
        lens(&mut memory, dir.path(), at(4));
        assert_eq!(memory.disk.looks.listings, 3);
    }
}
