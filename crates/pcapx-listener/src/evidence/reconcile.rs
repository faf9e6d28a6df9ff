//! After an end in the midst of things: what stands under the name of a job, and what its manifest tells of it.
//!
//! | the end came between | what is found | what is done |
//! |---|---|---|
//! | a capture's publication and its manifest | a file that the manifest does not tell of, or not in this length | the manifest tells of it: what was found is not lost, even if the recording has been rotated away since |
//! | a newcomer's manifest and the clearing of its name | a file that stands under `<name>.1` … as well | the name is cleared |

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pcapx_core::manifest::{Manifest, hex};
use sha2::{Digest, Sha256};

use super::EvidenceFolder;
use super::names::aside_names;

/// Bytes that are hashed at a time: more than the disk reads ahead.
const HASH_CHUNK_BYTES: usize = 256 << 10;

impl EvidenceFolder {
    /// Makes `manifest`, of a job that is not done, tell what is there. Nobody else works on the job.
    pub(crate) fn reconcile(&self, manifest: &mut Manifest) -> io::Result<()> {
        if self.capture_bytes(manifest).is_some() {
            return Ok(());
        }
        (manifest.file, manifest.bytes, manifest.packets, manifest.sha256) = (None, None, None, None);
        manifest.searched_up_to = None;
        let mut newest = None;
        for ending in [".pcap", ".pcapng"] {
            let file = format!("{}{ending}", manifest.name);
            let Ok(found) = fs::symlink_metadata(self.path(&file)) else { continue };
            if !found.is_file() {
                continue;
            }
            if self.stands_aside(&manifest.name, ending, &found) {
                fs::remove_file(self.path(&file))?;
                continue;
            }
            let written = found.modified()?;
            if newest.is_none_or(|newest| newest < written) {
                newest = Some(written);
                manifest.sha256 = Some(hex(&sha256(&self.path(&file))?));
                manifest.bytes = Some(found.len());
                manifest.file = Some(file);
            }
        }
        Ok(())
    }

    /// Whether `file` has stepped aside and stands under its old name, `name`, as well.
    fn stands_aside(&self, name: &str, ending: &str, file: &Metadata) -> bool {
        aside_names(name)
            .map_while(|aside| fs::symlink_metadata(self.path(&format!("{aside}.json"))).ok().map(|_| aside))
            .any(|aside| {
                let other = fs::symlink_metadata(self.path(&format!("{aside}{ending}")));
                other.is_ok_and(|other| (other.dev(), other.ino()) == (file.dev(), file.ino()))
            })
    }
}

/// SHA-256 of the file at `path`.
pub(crate) fn sha256(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; HASH_CHUNK_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&buffer[..read]),
        }
    }
}
