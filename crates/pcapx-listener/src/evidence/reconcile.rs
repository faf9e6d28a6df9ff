//! After an end in the midst of things: what stands in the folder, and what manifests tell of it.
//!
//! | the end came between | what is found | what is done |
//! |---|---|---|
//! | a capture's publication and its manifest | a file that the manifest does not tell of, or not in this form | the manifest tells of it: what was found is not lost, even if the recording has been rotated away since |
//! | a newcomer's manifest and the clearing of its name | files that stand beside under `<name>.1` … as well | the name is cleared |
//! | a second name and its manifest, or the other way round | a file that no manifest tells of, and that has another name of which one tells | the second name goes |
//!
//! A file that has no other name stays, whatever it is.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pcapx_core::manifest::{DIGEST_SUFFIX, MANIFEST_SUFFIX, Manifest, hex};
use pcapx_timeline::segment::SegmentReader;
use sha2::{Digest, Sha256};

use super::folder::gone_or;
use super::{EvidenceFolder, Shelved};

/// Bytes that are hashed at a time: more than the disk reads ahead.
const HASH_CHUNK_BYTES: usize = 256 << 10;
/// How the files of evidence end that a manifest tells of.
const ENDINGS: [&str; 3] = [DIGEST_SUFFIX, ".pcapng", ".pcap"];

impl EvidenceFolder {
    /// Makes `manifest`, of a job that is not done, tell what is there. Nobody else works on the job.
    pub(crate) fn reconcile(&self, manifest: &mut Manifest) -> io::Result<()> {
        self.clear_links(manifest)?;
        let mut found = Vec::new();
        for ending in [".pcap", ".pcapng"] {
            let file = format!("{}{ending}", manifest.name);
            if let Ok(about) = fs::symlink_metadata(self.path(&file))
                && about.is_file()
            {
                found.push((about.modified()?, file, about.len()));
            }
        }
        found.sort();
        let Some((_, file, bytes)) = found.pop() else {
            manifest.forget_capture();
            return Ok(());
        };
        let sha256 = hex(&sha256(&self.path(&file))?);
        if (manifest.file.as_ref(), manifest.sha256.as_ref()) != (Some(&file), Some(&sha256)) {
            manifest.forget_capture();
            manifest.packets = packets(&self.path(&file));
        }
        (manifest.file, manifest.bytes, manifest.sha256) = (Some(file), Some(bytes), Some(sha256));
        // What is left has another form: the newer one has its packets, and some of another kind.
        found.iter().try_for_each(|(_, older, _)| gone_or(fs::remove_file(self.path(older))))
    }

    /// Clears the name of `manifest` of what has stepped aside, is another question's, and stands under its old name as well.
    fn clear_links(&self, manifest: &Manifest) -> io::Result<()> {
        for ending in ENDINGS {
            let path = self.path(&format!("{}{ending}", manifest.name));
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            let is_other = |aside: String| {
                let other = fs::symlink_metadata(self.path(&format!("{aside}{ending}")));
                other.is_ok_and(|other| inode(&other) == inode(&found))
                    && !matches!(self.manifest(&aside), Ok(Shelved::Manifest(of)) if of.question == manifest.question)
            };
            if found.nlink() > 1 && self.asides(&manifest.name).any(is_other) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Removes second names that no manifest tells of. Nobody else works in the folder.
    pub(super) fn clear_second_names(&self) -> io::Result<usize> {
        let mut names = HashSet::new();
        for entry in fs::read_dir(self.root())? {
            names.extend(entry?.file_name().into_string());
        }
        let told = |file: &str| {
            let name = ENDINGS.into_iter().find_map(|ending| file.strip_suffix(ending));
            name.map(|name| names.contains(&format!("{name}{MANIFEST_SUFFIX}")))
        };
        let is_hidden = |file: &str| file.starts_with('.');
        let linked = |file: &&String| -> Option<((u64, u64), String)> {
            let found = fs::symlink_metadata(self.path(file)).ok()?;
            (found.is_file() && found.nlink() > 1).then(|| (inode(&found), (*file).clone()))
        };
        let untold = names.iter().filter(|file| !is_hidden(file) && told(file) == Some(false));
        let untold: Vec<_> = untold.filter_map(|file| linked(&file)).collect();
        if untold.is_empty() {
            return Ok(0);
        }
        let others = names.iter().filter(|file| told(file) == Some(true));
        let others: HashSet<_> = others.filter_map(|file| linked(&file)).map(|(inode, _)| inode).collect();
        let mut removed = 0;
        for (inode, file) in untold {
            if others.contains(&inode) {
                fs::remove_file(self.path(&file))?;
                removed += 1;
            }
        }
        Ok(removed)
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

/// Packets of the capture at `path`; `None` where it cannot be read to its end.
fn packets(path: &Path) -> Option<u64> {
    let mut reader = SegmentReader::open(path).ok()?;
    let mut packets = 0;
    while reader.next_packet().ok()?.is_some() {
        packets += 1;
    }
    Some(packets)
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
