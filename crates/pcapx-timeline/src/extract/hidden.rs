//! Hidden files: what an output is before it is complete.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::ExtractError;
use super::room::BelowFloor;

/// Hidden files of unfinished output begin with this, whoever left them behind.
pub const UNFINISHED_PREFIX: &str = ".pcapx-unfinished-";
/// Owner writes, group reads: as n2disk's files.
pub(super) const FILE_MODE: u32 = 0o640;

/// A new hidden file in the folder of `path`, readable by the group.
pub(super) fn hidden_beside(path: &Path) -> io::Result<NamedTempFile> {
    if fs::metadata(path).is_ok_and(|m| m.is_dir()) {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    fs::metadata(folder_of(path))?;
    tempfile::Builder::new()
        .prefix(UNFINISHED_PREFIX)
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(folder_of(path))
        // The library's error names the hidden file; the caller names the file that was asked for.
        .map_err(|error| io::Error::from(error.kind()))
}

pub(super) fn failed(path: &Path, source: io::Error) -> ExtractError {
    let path = path.to_owned();
    match BelowFloor::of(&source) {
        Some(BelowFloor { floor }) => ExtractError::NoRoom { path, floor },
        None => ExtractError::Output { path, source },
    }
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `name.pcap` becomes `name.pcapng`; another name gets `.pcapng` behind it.
pub(super) fn pcapng_name(path: &Path) -> PathBuf {
    match path.extension().and_then(|e| e.to_str()) {
        Some("pcapng") => path.to_owned(),
        Some("pcap") => path.with_extension("pcapng"),
        _ => {
            let mut name = path.as_os_str().to_owned();
            name.push(".pcapng");
            name.into()
        }
    }
}
