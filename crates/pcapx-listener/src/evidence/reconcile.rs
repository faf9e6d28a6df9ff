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
use super::names::stood_aside_from;
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

    /// Removes the second names of evidence that was about to step aside: no manifest tells of `<name>.1.pcap`, but one of
    /// `<name>.pcap`, which is the same file. Links of any other name are somebody's own. Nobody else works in the folder.
    pub(super) fn clear_second_names(&self) -> io::Result<usize> {
        let mut names = HashSet::new();
        for entry in fs::read_dir(self.root())? {
            names.extend(entry?.file_name().into_string());
        }
        let is_told = |name: &str| names.contains(&format!("{name}{MANIFEST_SUFFIX}"));
        let mut removed = 0;
        for file in names.iter().filter(|file| !file.starts_with('.')) {
            let ending = ENDINGS.into_iter().find(|ending| file.ends_with(ending));
            let Some((name, ending)) = ending.and_then(|ending| Some((file.strip_suffix(ending)?, ending)))
            else {
                continue;
            };
            if let Some(first) = stood_aside_from(name)
                && is_told(first)
                && !is_told(name)
                && self.is_one_file(file, &format!("{first}{ending}"))
            {
                match gone_or(fs::remove_file(self.path(file))) {
                    Ok(()) => removed += 1,
                    // It is no lie, and no reason not to start.
                    Err(error) => log::warn!("output_dir: {file} cannot be removed: {error}"),
                }
            }
        }
        Ok(removed)
    }

    /// Whether two names are names of one file.
    fn is_one_file(&self, one: &str, other: &str) -> bool {
        let found = |file: &str| fs::symlink_metadata(self.path(file)).ok().filter(Metadata::is_file);
        found(one).is_some_and(|one| found(other).is_some_and(|other| inode(&one) == inode(&other)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_move_has_begun_are_second_names() {
        let dir = tempfile::tempdir().unwrap();
        let at = |file: &str| dir.path().join(file);
        fs::write(at("a.json"), "{}").unwrap();
        fs::write(at("a.pcap"), "packets").unwrap();
        fs::write(at("b.pcap"), "of nobody").unwrap();
        for link in ["a.1.pcap", "a.12.pcap", "a.01.pcap", "a.kept.pcap", "court.pcap", "a.pcapng"] {
            fs::hard_link(at("a.pcap"), at(link)).unwrap();
        }
        fs::hard_link(at("b.pcap"), at("b.1.pcap")).unwrap();
        fs::write(at("a.2.pcap"), "packets of its own").unwrap();
        fs::hard_link(at("a.pcap"), at("a.3.pcap")).unwrap();
        fs::write(at("a.3.json"), "{}").unwrap();
        EvidenceFolder::open(dir.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let expected = [
            "a.01.pcap",
            "a.2.pcap",
            "a.3.json",
            "a.3.pcap",
            "a.json",
            "a.kept.pcap",
            "a.pcap",
            "a.pcapng",
            "b.1.pcap",
            "b.pcap",
            "court.pcap",
        ];
        assert_eq!(left, expected);
    }
}
