//! Walks folders for capture files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Segment, TimelineError};
use crate::warning::{Warning, WarningKind};
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// Folders deeper than this below a root are not looked into: n2disk's tree is five deep, and the walk is recursive.
const MAX_DEPTH: usize = 100;

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    pub(super) segments: Vec<Segment>,
    pub(super) warnings: Vec<Warning>,
    files: HashSet<(u64, u64)>,
    folders: HashSet<(u64, u64)>,
}

impl Discovery {
    /// Adds everything below `path`.
    pub(super) fn add_root(&mut self, root: usize, path: PathBuf) -> Result<(), TimelineError> {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(source) => return Err(TimelineError::Root { path, source }),
        };
        if !metadata.is_dir() {
            self.add(root, path, &metadata);
            return Ok(());
        }
        let entries = match sorted_entries(&path) {
            Ok(entries) => entries,
            Err(source) => return Err(TimelineError::Root { path, source }),
        };
        if self.folders.insert((metadata.dev(), metadata.ino())) {
            self.walk(root, entries, 1);
        }
        Ok(())
    }

    fn walk(&mut self, root: usize, entries: Vec<PathBuf>, depth: usize) {
        for path in entries {
            if is_passed_over(path.file_name().unwrap_or_default()) {
                continue;
            }
            // Follows links: a timeline's entries are links to the dump folder.
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(e) => {
                    let is_link = fs::symlink_metadata(&path).is_ok_and(|m| m.is_symlink());
                    match (e.kind(), is_link) {
                        (io::ErrorKind::NotFound, true) => self.warn(path, WarningKind::DanglingLink),
                        // Retention runs beside us: what has gone since the folder was read is no longer there.
                        (io::ErrorKind::NotFound, false) => {}
                        _ => self.warn(path, WarningKind::Unreadable(e.to_string())),
                    }
                    continue;
                }
            };
            if metadata.is_dir() {
                if !self.folders.insert((metadata.dev(), metadata.ino())) {
                    continue;
                }
                if depth >= MAX_DEPTH {
                    self.warn(path, WarningKind::TooDeep);
                    continue;
                }
                match sorted_entries(&path) {
                    Ok(inner) => self.walk(root, inner, depth + 1),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => self.warn(path, WarningKind::Unreadable(e.to_string())),
                }
            } else {
                self.add(root, path, &metadata);
            }
        }
    }

    fn add(&mut self, root: usize, path: PathBuf, metadata: &Metadata) {
        if metadata.is_file() && self.files.insert((metadata.dev(), metadata.ino())) {
            let name = path.file_name().unwrap_or_default().as_bytes();
            let modified =
                metadata.mtime().saturating_mul(NANOS_PER_SEC).saturating_add(metadata.mtime_nsec());
            self.segments.push(Segment {
                root,
                file_id: (metadata.dev(), metadata.ino()),
                len: metadata.len(),
                modified: Timestamp::from_nanos(modified),
                is_open: name.ends_with(b".tmp"),
                named_time: named_time(name),
                file: fs::canonicalize(&path).unwrap_or_else(|_| path.clone()),
                path,
            });
        }
    }

    fn warn(&mut self, path: PathBuf, kind: WarningKind) {
        self.warnings.push(Warning { path, kind });
    }
}

fn sorted_entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort_unstable();
    Ok(entries)
}

/// Names that are never segments: hidden ones (unfinished output, our own files) and what n2disk puts beside a segment.
fn is_passed_over(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".")
        || name.ends_with(b".idx")
        || name.ends_with(b".pcapx")
        || name.ends_with(b".timeline")
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
    use super::*;

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
}
