//! Whatever happens to the folders, a timeline that remembers shows what a new look at everything shows.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcapx_timeline::{Catalog, Timeline};
use proptest::prelude::*;
use proptest::sample::Index;

/// Something that happens below the root. Which file, folder or link it happens to is chosen among those there are.
#[derive(Clone, Debug)]
enum Step {
    /// A new file, possibly one that says that it is being written.
    Create {
        folder: Index,
        name: u8,
        is_open: bool,
        is_old: bool,
    },
    /// The file of a folder that was written to last grows.
    GrowNewest {
        folder: Index,
    },
    /// A file that says that it is being written grows.
    GrowOpen {
        file: Index,
    },
    /// A ring begins its oldest file anew.
    ReuseOldest {
        folder: Index,
    },
    /// A finished file gets another in its place.
    Replace {
        file: Index,
        is_old: bool,
    },
    Delete {
        file: Index,
    },
    Rename {
        file: Index,
        folder: Index,
        name: u8,
    },
    MakeFolder {
        folder: Index,
        name: u8,
    },
    MoveFolder {
        folder: Index,
        into: Index,
        name: u8,
    },
    RemoveFolder {
        folder: Index,
    },
    LinkFile {
        folder: Index,
        name: u8,
        file: Index,
        is_relative: bool,
    },
    LinkFolder {
        folder: Index,
        name: u8,
        target: Index,
    },
    LinkLink {
        folder: Index,
        name: u8,
        link: Index,
    },
    LinkNowhere {
        folder: Index,
        name: u8,
        wanted: u8,
    },
    Unlink {
        link: Index,
    },
    HardLink {
        folder: Index,
        name: u8,
        file: Index,
    },
    /// Nothing more is going on in a folder for long.
    Rest {
        folder: Index,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use Step::*;
    let i = any::<Index>;
    let name = || 0..12_u8;
    let step = prop_oneof![
        6 => (i(), name(), any::<bool>(), any::<bool>())
            .prop_map(|(folder, name, is_open, is_old)| Create { folder, name, is_open, is_old }),
        4 => i().prop_map(|folder| GrowNewest { folder }),
        3 => i().prop_map(|file| GrowOpen { file }),
        4 => i().prop_map(|folder| ReuseOldest { folder }),
        2 => (i(), any::<bool>()).prop_map(|(file, is_old)| Replace { file, is_old }),
        3 => i().prop_map(|file| Delete { file }),
        2 => (i(), i(), name()).prop_map(|(file, folder, name)| Rename { file, folder, name }),
        3 => (i(), name()).prop_map(|(folder, name)| MakeFolder { folder, name }),
        1 => (i(), i(), name()).prop_map(|(folder, into, name)| MoveFolder { folder, into, name }),
        1 => i().prop_map(|folder| RemoveFolder { folder }),
        3 => (i(), name(), i(), any::<bool>())
            .prop_map(|(folder, name, file, is_relative)| LinkFile { folder, name, file, is_relative }),
        1 => (i(), name(), i()).prop_map(|(folder, name, target)| LinkFolder { folder, name, target }),
        1 => (i(), name(), i()).prop_map(|(folder, name, link)| LinkLink { folder, name, link }),
        1 => (i(), name(), name()).prop_map(|(folder, name, wanted)| LinkNowhere { folder, name, wanted }),
        2 => i().prop_map(|link| Unlink { link }),
        1 => (i(), name(), i()).prop_map(|(folder, name, file)| HardLink { folder, name, file }),
        4 => i().prop_map(|folder| Rest { folder }),
    ];
    prop::collection::vec(step, 1..60)
}

/// The folders in which everything happens: `timeline`, which is looked at, and `dump`, into which links lead.
struct World {
    base: PathBuf,
    /// Gives each old file and folder a time of its own.
    clock: u64,
}

impl World {
    fn paths(&self, is: impl Fn(&fs::FileType) -> bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut todo = vec![self.base.join("dump"), self.base.join("timeline")];
        while let Some(folder) = todo.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    todo.push(entry.path());
                }
                if is(&kind) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = self.paths(fs::FileType::is_dir);
        folders.extend([self.base.join("dump"), self.base.join("timeline")]);
        folders
    }

    fn folder(&self, index: Index) -> PathBuf {
        index.get(&self.folders()).clone()
    }

    fn file(&self, index: Index) -> Option<PathBuf> {
        let files = self.paths(fs::FileType::is_file);
        (!files.is_empty()).then(|| index.get(&files).clone())
    }

    fn link(&self, index: Index) -> Option<PathBuf> {
        let links = self.paths(fs::FileType::is_symlink);
        (!links.is_empty()).then(|| index.get(&links).clone())
    }

    /// The files of a folder, oldest first. Where two are as old, nobody knows which of them a recorder means.
    fn by_age(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.symlink_metadata().unwrap().is_file())
            .map(|path| (path.metadata().unwrap().modified().unwrap(), path))
            .collect();
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }

    /// What is the newest in one folder may be of any age in another.
    fn has_one_name(path: &PathBuf) -> bool {
        fs::metadata(path).unwrap().nlink() == 1
    }

    /// Nothing is written to it for a minute.
    fn age(&mut self, path: &Path) {
        self.clock += 1;
        let time = UNIX_EPOCH + Duration::from_secs(1_772_000_000 + self.clock);
        File::open(path).unwrap().set_modified(time).unwrap();
    }

    fn write(path: &Path, bytes: usize) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(&vec![7; bytes]).unwrap();
    }

    /// Does what the step says, as far as it can be done: names may be taken, and there may be no file yet.
    fn take(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Create { folder, name, is_open, is_old } => {
                let ending = if *is_open { "pcap.tmp" } else { "pcap" };
                let path = self.folder(*folder).join(format!("{name}.{ending}"));
                if path.symlink_metadata().is_err() {
                    Self::write(&path, 10);
                    if *is_old {
                        self.age(&path);
                    }
                }
            }
            Step::GrowNewest { folder } => {
                let path = Self::by_age(&self.folder(*folder)).pop().filter(Self::has_one_name)?;
                Self::write(&path, 1);
                self.age(&path);
            }
            Step::GrowOpen { file } => {
                let is_open = |path: &PathBuf| path.extension().is_some_and(|e| e == "tmp");
                let path = self.file(*file).filter(is_open).filter(Self::has_one_name)?;
                Self::write(&path, 1);
            }
            Step::ReuseOldest { folder } => {
                let path = Self::by_age(&self.folder(*folder)).into_iter().next();
                let path = path.filter(Self::has_one_name)?;
                File::create(&path).unwrap();
                self.age(&path);
            }
            Step::Replace { file, is_old } => {
                let (path, new) = (self.file(*file)?, self.base.join("new"));
                Self::write(&new, 20);
                if *is_old {
                    self.age(&new);
                }
                fs::rename(new, path).unwrap();
            }
            Step::Delete { file } => fs::remove_file(self.file(*file)?).unwrap(),
            Step::Rename { file, folder, name } => {
                let to = self.folder(*folder).join(format!("{name}.pcap"));
                if !to.is_dir() {
                    fs::rename(self.file(*file)?, to).unwrap();
                }
            }
            Step::MakeFolder { folder, name } => {
                let _ = fs::create_dir(self.folder(*folder).join(name.to_string()));
            }
            Step::MoveFolder { folder, into, name } => {
                // Into itself it does not go, and where something stands neither; the two folders stay.
                let (from, to) = (self.folder(*folder), self.folder(*into).join(name.to_string()));
                if from.parent() != Some(&self.base) && to.symlink_metadata().is_err() {
                    let _ = fs::rename(from, to);
                }
            }
            Step::RemoveFolder { folder } => {
                let folder = self.folder(*folder);
                if folder.parent() != Some(&self.base) {
                    fs::remove_dir_all(folder).unwrap();
                }
            }
            Step::LinkFile { folder, name, file, is_relative } => {
                let (folder, file) = (self.folder(*folder), self.file(*file)?);
                let to_base = folder.strip_prefix(&self.base).unwrap().components().map(|_| "..");
                let relative = to_base.collect::<PathBuf>().join(file.strip_prefix(&self.base).unwrap());
                let target = if *is_relative { relative } else { file };
                let _ = symlink(target, folder.join(format!("{name}.link.pcap")));
            }
            Step::LinkFolder { folder, name, target } => {
                let _ = symlink(self.folder(*target), self.folder(*folder).join(format!("{name}.way")));
            }
            Step::LinkLink { folder, name, link } => {
                let _ = symlink(self.link(*link)?, self.folder(*folder).join(format!("{name}.link")));
            }
            Step::LinkNowhere { folder, name, wanted } => {
                let target = format!("{wanted}/{wanted}.pcap");
                let _ = symlink(target, self.folder(*folder).join(format!("{name}.link")));
            }
            Step::Unlink { link } => fs::remove_file(self.link(*link)?).unwrap(),
            Step::HardLink { folder, name, file } => {
                let _ = fs::hard_link(self.file(*file)?, self.folder(*folder).join(format!("{name}.pcap")));
            }
            Step::Rest { folder } => {
                let folder = self.folder(*folder);
                for file in Self::by_age(&folder) {
                    // What already is at rest stays as it is.
                    if file.metadata().unwrap().modified().unwrap()
                        > SystemTime::now() - Duration::from_secs(60)
                    {
                        self.age(&file);
                    }
                }
                self.age(&folder);
            }
        }
        Some(())
    }
}

/// A file as the plainest of walks shows it: path, device and inode, length.
type Shown = (PathBuf, (u64, u64), u64);

/// The plainest of walks; also tells the paths of what leads nowhere.
fn naive(roots: &[PathBuf]) -> (Vec<Shown>, Vec<PathBuf>) {
    fn walk(folder: &Path, seen: &mut HashSet<(u64, u64)>, found: &mut (Vec<Shown>, Vec<PathBuf>)) {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            match fs::metadata(&path) {
                Err(_) => found.1.push(path),
                Ok(m) if !seen.insert((m.dev(), m.ino())) => {}
                Ok(m) if m.is_dir() => walk(&path, seen, found),
                Ok(m) => found.0.push((path, (m.dev(), m.ino()), m.len())),
            }
        }
    }
    let (mut found, mut seen) = (Default::default(), HashSet::new());
    for root in roots {
        let m = fs::metadata(root).unwrap();
        if seen.insert((m.dev(), m.ino())) {
            walk(root, &mut seen, &mut found);
        }
    }
    found
}

fn shown(catalog: &Catalog) -> (Vec<Shown>, Vec<PathBuf>) {
    let files = catalog.segments().iter().map(|s| (s.path.clone(), s.file_id, s.len)).collect();
    (files, catalog.warnings().iter().map(|w| w.path.clone()).collect())
}

fn equals_a_new_look(steps: &[Step], roots: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let base = fs::canonicalize(dir.path()).unwrap();
    for folder in ["dump", "timeline"] {
        fs::create_dir(base.join(folder)).unwrap();
    }
    let roots: Vec<_> = roots.iter().map(|root| base.join(root)).collect();
    let timeline = Timeline::new(roots.clone());
    let mut world = World { base, clock: 0 };
    for step in steps {
        world.take(step);
        let (remembered, new) = (timeline.catalog().unwrap(), Catalog::open(&roots).unwrap());
        assert_eq!(*remembered, new, "after {step:?}");
        for segment in new.segments() {
            assert_eq!(segment.file, fs::canonicalize(&segment.path).unwrap());
        }
        assert_eq!(shown(&new), naive(&roots), "after {step:?}");
        assert_eq!(*timeline.catalog().unwrap(), new, "once more after {step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_timeline_equals_a_new_look(steps in steps()) {
        equals_a_new_look(&steps, &["timeline"]);
    }

    /// n2disk's layout as shipped: links and what they lead to are below the same folder.
    #[test]
    fn links_and_files_below_one_root(steps in steps()) {
        equals_a_new_look(&steps, &["."]);
    }

    #[test]
    fn two_roots(steps in steps()) {
        equals_a_new_look(&steps, &["timeline", "dump"]);
    }
}
