//! Manifests on the disk.
//!
//! A manifest is written whole under a hidden name, synced, and renamed: whoever reads it reads one state or the next. The
//! alert in it can have two megabytes, so nobody keeps it in memory: what is rewritten takes the alert of the file before.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use pcapx_core::digest::Digest;
use pcapx_core::manifest::{DIGEST_SUFFIX, MANIFEST_SUFFIX, Manifest};

use super::aside::digest_file;
use super::folder::{FILE_MODE, gone_or};
use super::{EvidenceFolder, Hidden};

/// The largest manifest that is read: an alert of 2 MiB, each byte of it escaped, and what we tell of it.
const LARGEST_BYTES: u64 = 16 << 20;

/// What stands under a manifest's name.
#[derive(Debug)]
pub(crate) enum Shelved {
    /// Nothing.
    Nothing,
    /// A manifest.
    Manifest(Box<Manifest>),
    /// Something that is none; the reason is for the log.
    Damaged(String),
}

impl EvidenceFolder {
    /// The manifest called `name`, with its alert.
    pub(crate) fn manifest(&self, name: &str) -> io::Result<Shelved> {
        let file = match File::open(self.path(&manifest_file(name))) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Shelved::Nothing),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST_BYTES).read_to_end(&mut bytes)?;
        Ok(match Manifest::from_json(&bytes) {
            Ok(manifest) if manifest.name == name => Shelved::Manifest(Box::new(manifest)),
            Ok(manifest) => Shelved::Damaged(format!("it is the manifest of {:?}", manifest.name)),
            Err(reason) => Shelved::Damaged(reason),
        })
    }

    /// Whether something stands where the manifest called `name` would.
    pub(super) fn has_manifest(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(&manifest_file(name))).is_ok()
    }

    /// Writes `manifest` as it is, its alert included.
    pub(crate) fn write(&self, manifest: &Manifest) -> io::Result<()> {
        let (file, hidden) = self.hide(manifest)?;
        self.publish_open(&file, &hidden, &manifest_file(&manifest.name))
    }

    /// Writes `manifest`, which has no alert in it, with the alert that its file has. A loss of power may bring that file
    /// back: it is of a job that is open, and true, and what is missing is done again.
    pub(crate) fn rewrite(&self, manifest: &Manifest) -> io::Result<()> {
        match self.manifest(&manifest.name)? {
            Shelved::Manifest(before) if before.alert.is_some() => {
                let (file, hidden) = self.hide(&Manifest { alert: before.alert, ..manifest.clone() })?;
                self.replace(&file, &hidden, &manifest_file(&manifest.name))
            }
            Shelved::Manifest(_) | Shelved::Nothing | Shelved::Damaged(_) => self.write(manifest),
        }
    }

    /// Writes `manifest` under a hidden name.
    fn hide(&self, manifest: &Manifest) -> io::Result<(File, Hidden)> {
        let hidden = self.hidden(&manifest.name, MANIFEST_SUFFIX);
        let mut file = File::options().write(true).create_new(true).mode(FILE_MODE).open(hidden.path())?;
        file.write_all(&manifest.to_json())?;
        Ok((file, hidden))
    }

    /// Writes the digest of the evidence called `name`. It is not brought to the disk: what a loss of power takes is a picture,
    /// and no evidence.
    pub(crate) fn write_digest(&self, name: &str, digest: &Digest) -> io::Result<()> {
        let hidden = self.hidden(name, DIGEST_SUFFIX);
        let mut file = File::options().write(true).create_new(true).mode(FILE_MODE).open(hidden.path())?;
        file.write_all(&serde_json::to_vec(digest)?)?;
        fs::rename(hidden.path(), self.path(&digest_file(name)))
    }

    /// Removes the digest of the evidence called `name`: it is that of an earlier capture.
    pub(crate) fn forget_digest(&self, name: &str) {
        if let Err(error) = gone_or(fs::remove_file(self.path(&digest_file(name)))) {
            log::warn!("the digest of {name} is out of date and cannot be removed: {error}");
        }
    }

    /// The names of all manifests, the newest alert last: names begin with the alert's time.
    pub(crate) fn manifest_names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root())? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().filter(|name| !name.ends_with(DIGEST_SUFFIX)) else { continue };
            if let Some(name) = name.strip_suffix(MANIFEST_SUFFIX).filter(|name| Manifest::is_name(name)) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Length of the capture of `manifest`; `None` when there is none, or not the one that the manifest tells of.
    pub(crate) fn capture_bytes(&self, manifest: &Manifest) -> Option<u64> {
        let found = fs::symlink_metadata(self.path(manifest.file.as_ref()?)).ok()?;
        (found.is_file() && manifest.bytes.is_none_or(|bytes| bytes == found.len())).then_some(found.len())
    }
}

/// The file of the manifest called `name`.
pub(super) fn manifest_file(name: &str) -> String {
    format!("{name}{MANIFEST_SUFFIX}")
}
