//! The choice of the extractor, made once at start.
//!
//! `auto` takes npcapextract when the program is on `PATH` *and* ntop's indexes (`*.pcap.idx`) stand in the
//! timeline: without indexes it would find nothing. The look for them is bounded, because a timeline can hold
//! months of files; what a recorder with indexes wrote shows within the first folders.

use std::fmt;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pcapx_core::config::{Config, ExtractorChoice};
use pcapx_core::local::LocalZone;

use super::Extractor;
use super::builtin::{Builtin, Recording};
use super::npcapextract::{self, Npcapextract};
use crate::evidence::EvidenceFolder;

/// Directory entries that the look for indexes takes in: some hours of a busy recorder's files.
const LOOK_ENTRIES: usize = 4096;
/// Folders below the timeline: `YYYY/MM/DD/HH/M0` has five.
const LOOK_DEPTH: usize = 8;
/// How ntop's index files are called.
const INDEX_SUFFIX: &str = ".pcap.idx";

/// Which extractor is used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    program: Option<PathBuf>,
    reason: &'static str,
}

/// The extractor that the configuration demands is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("extractor: npcapextract is demanded, but no program of that name is on PATH")]
pub(crate) struct ChoiceError;

impl Choice {
    /// Chooses as `config` says, looking at `PATH` and the timeline.
    pub(crate) fn make(config: &Config) -> Result<Self, ChoiceError> {
        let find = || npcapextract::find(std::env::var_os("PATH").as_deref());
        let builtin = |reason| Self { program: None, reason };
        Ok(match config.extractor {
            ExtractorChoice::Builtin => builtin("as configured"),
            ExtractorChoice::Npcapextract => {
                Self { program: Some(find().ok_or(ChoiceError)?), reason: "as configured" }
            }
            ExtractorChoice::Auto => match find() {
                None => builtin("npcapextract is not on PATH"),
                Some(_) if !has_indexes(&config.timeline_dir) => {
                    builtin("npcapextract is on PATH, but no ntop indexes stand in the timeline")
                }
                program => Self { program, reason: "it is on PATH and ntop indexes stand in the timeline" },
            },
        })
    }

    /// Whether it is our own extractor, which makes use of our indexes.
    pub(crate) const fn is_builtin(&self) -> bool {
        self.program.is_none()
    }

    /// The extractor that was chosen.
    pub(crate) fn build(
        self,
        config: &Config,
        zone: &LocalZone,
        evidence: Arc<EvidenceFolder>,
        recording: Recording,
    ) -> Extractor {
        let limit = config.extractor_timeout;
        match self.program {
            None => {
                let zone = zone.clone();
                Extractor::Builtin(Builtin { recording, limit, evidence, zone, named: Arc::default() })
            }
            Some(program) => Extractor::Npcapextract(Npcapextract {
                program,
                timeline: config.timeline_dir.clone(),
                limit,
                zone: zone.clone(),
                evidence,
            }),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            None => write!(f, "builtin ({})", self.reason),
            Some(program) => write!(f, "{} ({})", program.display(), self.reason),
        }
    }
}

/// Whether an index of ntop's stands below `timeline`, or beside a capture file that a link there leads to.
fn has_indexes(timeline: &Path) -> bool {
    let mut left = LOOK_ENTRIES;
    let mut folders = vec![(timeline.to_owned(), 0)];
    // Depth first: the way to the first capture file is short even where the tree is wide.
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            if left == 0 {
                return false;
            }
            left -= 1;
            if is_index(&entry) || leads_to_indexed(&entry) {
                return true;
            }
            if depth < LOOK_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    false
}

fn is_index(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().ends_with(INDEX_SUFFIX)
}

/// In n2disk's timeline tree there are only links; the indexes stand in the dump folder, beside the targets.
fn leads_to_indexed(entry: &DirEntry) -> bool {
    let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
    if !is_link || !entry.file_name().to_string_lossy().ends_with(".pcap") {
        return false;
    }
    fs::canonicalize(entry.path()).is_ok_and(|target| {
        let mut index = target.into_os_string();
        index.push(".idx");
        Path::new(&index).exists()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn indexes_are_found_beside_files_and_behind_links() {
        let root = tempfile::tempdir().unwrap();
        let (dump, timeline) = (root.path().join("dump/1.0"), root.path().join("timeline"));
        let leaf = timeline.join("2026/03/01/10/10");
        fs::create_dir_all(&dump).unwrap();
        fs::create_dir_all(&leaf).unwrap();
        fs::write(dump.join("1.0.pcap"), b"").unwrap();
        symlink(dump.join("1.0.pcap"), leaf.join("1.0.pcap")).unwrap();
        assert!(!has_indexes(&timeline) && !has_indexes(&dump) && !has_indexes(Path::new("/nonexistent")));

        fs::write(dump.join("1.0.pcap.idx"), b"").unwrap();
        assert!(has_indexes(&timeline), "through the link");
        assert!(has_indexes(&root.path().join("dump")), "beside the file");
    }

    #[test]
    fn the_look_ends_in_a_loop_of_links_and_in_a_deep_tree() {
        let root = tempfile::tempdir().unwrap();
        symlink(root.path(), root.path().join("loop.pcap")).unwrap();
        let deep = (0..=LOOK_DEPTH).fold(root.path().to_owned(), |folder, _| folder.join("d"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("1.pcap.idx"), b"").unwrap();
        assert!(!has_indexes(root.path()));
    }

    #[test]
    fn the_program_is_the_first_executable_on_path() {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<_> = ["none", "plain", "folder", "good"].map(|name| root.path().join(name)).into();
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        fs::write(folders[1].join("npcapextract"), b"").unwrap();
        fs::create_dir(folders[2].join("npcapextract")).unwrap();
        let path = std::env::join_paths(&folders).unwrap();
        assert_eq!(npcapextract::find(Some(&path)), None);

        let program = folders[3].join("npcapextract");
        fs::write(&program, b"").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(npcapextract::find(Some(&path)), Some(program));
        assert_eq!(npcapextract::find(None), None);
    }
}
