//! The output folder: where evidence is made under a hidden name and shown under its own.
//!
//! ```text
//! .pcapx-listener-<pid>-<n>-<stem>.pcap  ── sync, chmod 0640, rename, sync the folder ──►  <stem>.pcap
//! ```
//!
//! The fileserver reads the same folder and never serves hidden names, so nobody downloads half a file. A
//! hidden file lives as long as its [`Hidden`] guard; what a crash leaves behind is removed at the next start.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use pcapx_timeline::extract::UNFINISHED_PREFIX;
use rustix::fs::Access;

/// How the hidden names of this service begin.
const HIDDEN_PREFIX: &str = ".pcapx-listener-";
/// Hidden names that a crash can leave behind: those of this service, and those of a query of the timeline.
const STALE_PREFIXES: [&str; 2] = [HIDDEN_PREFIX, UNFINISHED_PREFIX];
/// Owner writes, the group – the fileserver – reads.
pub(super) const FILE_MODE: u32 = 0o640;
/// The same for the folder.
const FOLDER_MODE: u32 = 0o750;

/// The output folder, which this service alone writes.
#[derive(Debug)]
pub(crate) struct EvidenceFolder {
    path: PathBuf,
    serial: AtomicU64,
}

/// A file that nobody shall see yet; removed when dropped, whether or not it came into being.
#[derive(Debug)]
pub(crate) struct Hidden {
    path: PathBuf,
}

impl EvidenceFolder {
    /// Whether the folder is there (`true`) or can be created (`false`); an error when neither, or when no files can
    /// be made in it. Changes nothing.
    pub(crate) fn probe(path: &Path) -> io::Result<bool> {
        let absolute = std::path::absolute(path)?;
        for ancestor in absolute.ancestors() {
            match fs::metadata(ancestor) {
                Ok(found) if !found.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
                Ok(_) => {
                    rustix::fs::access(ancestor, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
                    return Ok(ancestor == absolute);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Creates the folder when it is not there, and clears away hidden files of an earlier run.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)?;
        Self::probe(path)?;
        let stale = sweep(path)?;
        if stale > 0 {
            log::info!("output_dir: unfinished files of an earlier run removed: {stale}");
        }
        let folder = Self { path: path.to_owned(), serial: AtomicU64::new(0) };
        let second = folder.clear_second_names()?;
        if second > 0 {
            log::info!("output_dir: second names that an earlier run has left removed: {second}");
        }
        Ok(folder)
    }

    /// Where the published file `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.path
    }

    /// A hidden name for a file of the evidence called `stem`, not used before by this process.
    pub(crate) fn hidden(&self, stem: &str, suffix: &str) -> Hidden {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let name = format!("{HIDDEN_PREFIX}{}-{serial}-{stem}{suffix}", std::process::id());
        Hidden { path: self.path.join(name) }
    }

    /// Gives `hidden` its final `name`, replacing an older file of that name in one step.
    pub(crate) fn publish(&self, hidden: &Hidden, name: &str) -> io::Result<()> {
        self.publish_open(&File::open(&hidden.path)?, hidden, name)
    }

    /// The same for a file that is open already.
    pub(super) fn publish_open(&self, file: &File, hidden: &Hidden, name: &str) -> io::Result<()> {
        self.replace(file, hidden, name)?;
        self.sync()
    }

    /// Gives a file that is open the name of one that is there: a loss of power leaves the one or the other, both whole.
    pub(super) fn replace(&self, file: &File, hidden: &Hidden, name: &str) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.sync_all()?;
        fs::rename(&hidden.path, self.path.join(name))
    }

    /// What was renamed, linked or removed stays so over a loss of power.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Hidden {
    /// The guard of a hidden file that stands at `path` already.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the file is to be written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let removed = match fs::symlink_metadata(&self.path) {
            // A program that was asked for a file may have left a folder.
            Ok(left) if left.is_dir() => fs::remove_dir_all(&self.path),
            _ => fs::remove_file(&self.path),
        };
        match removed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => log::warn!("cannot remove {}: {error}", self.path.display()),
        }
    }
}

/// What was to be removed or linked may be gone already.
pub(super) fn gone_or(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn sweep(folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let stale = STALE_PREFIXES.iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
        if stale && !entry.file_type()?.is_dir() {
            match fs::remove_file(entry.path()) {
                Ok(()) => removed += 1,
                Err(error) => log::warn!("cannot remove {}: {error}", entry.path().display()),
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_writable_when_it_or_its_nearest_ancestor_is() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(EvidenceFolder::probe(root.path()).unwrap());
        assert!(!EvidenceFolder::probe(&root.path().join("a/b/c")).unwrap());
        assert_eq!(EvidenceFolder::probe(&file).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(EvidenceFolder::probe(&file.join("a")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert!(!root.path().join("a").exists(), "nothing is created");
    }

    #[test]
    fn the_folder_is_made_and_old_hidden_files_go() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("storage/alerts");
        EvidenceFolder::open(&path).unwrap();
        for name in
            [".pcapx-listener-1-0-x.pcap", ".pcapx-unfinished-Ab3", ".other.pcap", "20260301_091112_a.pcap"]
        {
            fs::write(path.join(name), b"x").unwrap();
        }
        EvidenceFolder::open(&path).unwrap();
        assert_eq!(names(&path), [".other.pcap", "20260301_091112_a.pcap"]);
    }

    #[test]
    fn published_in_one_step_with_the_group_s_right_to_read() {
        let root = tempfile::tempdir().unwrap();
        let folder = EvidenceFolder::open(root.path()).unwrap();
        fs::write(root.path().join("a.pcap"), b"old").unwrap();
        let hidden = folder.hidden("a", ".pcap");
        fs::write(hidden.path(), b"new").unwrap();
        folder.publish(&hidden, "a.pcap").unwrap();
        drop(hidden);
        assert_eq!(names(root.path()), ["a.pcap"]);
        assert_eq!(fs::read(root.path().join("a.pcap")).unwrap(), b"new");
        let mode = fs::metadata(root.path().join("a.pcap")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
    }

    #[test]
    fn an_unpublished_file_goes_with_its_guard() {
        let root = tempfile::tempdir().unwrap();
        let folder = EvidenceFolder::open(root.path()).unwrap();
        let (one, other) = (folder.hidden("a", ".pcap"), folder.hidden("a", ".pcap"));
        assert_ne!(one.path(), other.path());
        fs::write(one.path(), b"half").unwrap();
        drop((one, other));
        assert!(names(root.path()).is_empty());
    }
}
