//! Where the index of a segment stands.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What the name of an index ends in, behind the whole name of its segment.
pub const SIDECAR_SUFFIX: &str = ".pcapx";
/// What the hidden name of one that is being built ends in.
const BUILDING_SUFFIX: &str = ".building";

/// Where indexes are looked for and written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPlace {
    folder: Option<PathBuf>,
}

impl IndexPlace {
    /// Beside their segments.
    pub fn beside() -> Self {
        Self::default()
    }

    /// Below `folder`, under the whole path of the segment. Those beside segments are still read: a recorder writes there.
    pub fn below(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()) }
    }

    /// The folder below which indexes are written; `None` when they stand beside their segments.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Where the index of `file` is written to. `file` is an absolute path with links resolved, so that every way to a
    /// segment leads to the same index.
    pub fn to_write(&self, file: &Path) -> PathBuf {
        match &self.folder {
            None => beside(file),
            Some(folder) => {
                let below = file.strip_prefix("/").unwrap_or(file);
                beside(&folder.join(below))
            }
        }
    }

    /// Where it may be found, the likeliest first.
    pub fn to_read(&self, file: &Path) -> impl Iterator<Item = PathBuf> {
        let own = self.folder.as_ref().map(|_| self.to_write(file));
        own.into_iter().chain([beside(file)])
    }

    /// The segment to which an index beside it belongs, finished or being built; `None` for other files.
    pub fn segment_of(index: &Path) -> Option<PathBuf> {
        Some(index.with_file_name(segment_name(index.file_name()?)?))
    }
}

fn beside(file: &Path) -> PathBuf {
    with_name(file, |name| {
        let mut name = name.to_owned();
        name.push(SIDECAR_SUFFIX);
        name
    })
}

/// The hidden name of the index that is to be published as `path`.
pub(super) fn building(path: &Path) -> PathBuf {
    with_name(path, |name| {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(BUILDING_SUFFIX);
        hidden
    })
}

/// The segment's name in the name of an index or of one being built; `None` for other files.
pub(super) fn segment_name(name: &OsStr) -> Option<&OsStr> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = name.as_bytes();
    let published = bytes.strip_suffix(SIDECAR_SUFFIX.as_bytes());
    let hidden = || {
        bytes
            .strip_suffix(BUILDING_SUFFIX.as_bytes())
            .and_then(|bytes| bytes.strip_suffix(SIDECAR_SUFFIX.as_bytes()))
            .and_then(|bytes| bytes.strip_prefix(b"."))
    };
    published.or_else(hidden).filter(|bytes| !bytes.is_empty()).map(OsStr::from_bytes)
}

fn with_name(path: &Path, change: impl FnOnce(&OsStr) -> OsString) -> PathBuf {
    path.with_file_name(change(path.file_name().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_the_name_of_its_segment() {
        let file = Path::new("/storage/pcaps/0/17.pcap");
        let (beside, below) = (IndexPlace::beside(), IndexPlace::below("/var/lib/pcapx"));
        assert_eq!(beside.to_write(file), Path::new("/storage/pcaps/0/17.pcap.pcapx"));
        assert_eq!(below.to_write(file), Path::new("/var/lib/pcapx/storage/pcaps/0/17.pcap.pcapx"));
        assert_eq!(below.to_read(file).collect::<Vec<_>>(), [below.to_write(file), beside.to_write(file)]);
        assert_eq!(beside.to_read(file).count(), 1);
    }

    #[test]
    fn names_lead_back_to_the_segment() {
        let hidden = building(Path::new("/x/17.pcap.pcapx"));
        assert_eq!(hidden, Path::new("/x/.17.pcap.pcapx.building"));
        for name in ["17.pcap.pcapx", ".17.pcap.pcapx.building"] {
            assert_eq!(segment_name(OsStr::new(name)), Some(OsStr::new("17.pcap")));
            assert_eq!(IndexPlace::segment_of(&Path::new("/x").join(name)), Some("/x/17.pcap".into()));
        }
        for name in ["17.pcap", ".pcapx", "17.pcap.idx", ".building", "17.pcap.building"] {
            assert_eq!(segment_name(OsStr::new(name)), None, "{name}");
        }
    }
}
