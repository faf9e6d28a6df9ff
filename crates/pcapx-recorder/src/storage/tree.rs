//! Everything below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders deeper than this are not looked into: the timeline's are five deep.
const MAX_DEPTH: usize = 8;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Link,
    /// A folder with nothing in it.
    Empty,
}

/// Shows everything below `folder`, links not followed. What vanishes meanwhile is passed over.
pub(super) fn walk(folder: &Path, see: &mut impl FnMut(PathBuf, Kind)) -> io::Result<()> {
    go(folder, 0, see).map(|_| ())
}

/// Answers whether there was anything.
fn go(folder: &Path, depth: usize, see: &mut impl FnMut(PathBuf, Kind)) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(e) if depth > 0 && e.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    let mut has_any = false;
    for entry in entries {
        let entry = entry?;
        has_any = true;
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_file() {
            see(entry.path(), Kind::File);
        } else if kind.is_symlink() {
            see(entry.path(), Kind::Link);
        } else if kind.is_dir() && depth < MAX_DEPTH && !go(&entry.path(), depth + 1, see)? {
            see(entry.path(), Kind::Empty);
        }
    }
    Ok(has_any)
}
