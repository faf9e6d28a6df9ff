//! What a catalog asks the file system, and how often it asks.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::warning::WarningKind;
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// Device and inode.
pub(super) type FileId = (u64, u64);

/// How often a [`Timeline`](super::Timeline) has asked the file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Files and folders looked at (`stat`).
    pub stats: u64,
    /// Folders listed.
    pub listings: u64,
    /// Links followed: their text read, or a path freed of links.
    pub links: u64,
}

/// The file system, counting.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) looks: Looks,
}

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    /// Sockets, pipes, devices: never a segment.
    Other,
}

/// What the file system tells of a file or folder, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) id: FileId,
    pub(super) kind: Kind,
    pub(super) len: u64,
    pub(super) modified: Timestamp,
    /// When anything about it changed last. Unlike `modified` it cannot be set, so it tells of copies that keep times.
    pub(super) changed: Timestamp,
}

/// What a listing tells of one name.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: OsString,
    pub(super) inode: u64,
    pub(super) kind: Kind,
}

/// Why nothing is known of what a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is not there any more: retention runs beside us.
    Gone,
    /// It is there and closed to us.
    Unreadable(String),
}

impl Disk {
    pub(super) fn stat(&mut self, path: &Path) -> Result<Stat, io::Error> {
        self.looks.stats += 1;
        let metadata = fs::metadata(path)?;
        let time = |secs: i64, nanos| {
            Timestamp::from_nanos(secs.saturating_mul(NANOS_PER_SEC).saturating_add(nanos))
        };
        Ok(Stat {
            id: (metadata.dev(), metadata.ino()),
            kind: Kind::of(metadata.file_type()),
            len: metadata.len(),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// The names in a folder, sorted.
    pub(super) fn list(&mut self, folder: &Path) -> Result<Vec<Listed>, io::Error> {
        self.looks.listings += 1;
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Asks the file system only where the listing does not tell; what has gone meanwhile is left out.
            let Ok(kind) = entry.file_type() else { continue };
            names.push(Listed { inode: entry.ino(), kind: Kind::of(kind), name: entry.file_name() });
        }
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(names)
    }

    /// The text of a link.
    pub(super) fn read_link(&mut self, link: &Path) -> Result<PathBuf, io::Error> {
        self.looks.links += 1;
        fs::read_link(link)
    }

    /// `path` without links in it.
    pub(super) fn real_path(&mut self, path: &Path) -> Result<PathBuf, io::Error> {
        self.looks.links += 1;
        fs::canonicalize(path)
    }
}

impl Kind {
    fn of(kind: FileType) -> Self {
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Folder
        } else if kind.is_symlink() {
            Self::Link
        } else {
            Self::Other
        }
    }
}

impl Failure {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            _ => Self::Unreadable(error.to_string()),
        }
    }

    /// How it is told of an entry; `None` where there is nothing to tell.
    pub(super) fn warning(self, is_link: bool) -> Option<WarningKind> {
        match self {
            Self::Gone => is_link.then_some(WarningKind::DanglingLink),
            Self::Unreadable(why) => Some(WarningKind::Unreadable(why)),
        }
    }
}

/// A map by file, hashed in a few steps: numbers that the file system gives away one after another need no more.
pub(super) type ById<T> = HashMap<FileId, T, BuildHasherDefault<IdHasher>>;

/// Mixes the two numbers of a [`FileId`].
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, n: u64) {
        // The constant is 2^64 by the golden ratio; the upper half tells more of the product than the lower one.
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}
