//! How an earlier answer about an alert makes room for another question, and how it comes back.
//!
//! ```text
//! makes room   link <name>.1.* ─► write <name>.1.json ─► write the newcomer's <name>.json ─► unlink the old <name>.*
//! comes back   write <name>.json: open, no file ─► unlink <name>.* ─► link <name>.* ─► write <name>.json as it was
//!              ─► unlink <name>.1.json ─► unlink <name>.1.*
//! ```
//!
//! At no instant a manifest that is done tells of another's packets, and at no instant there are packets without a second
//! name. An end in between leaves a link that no manifest tells of, or one under a manifest that is open; both are known
//! by their inode, and the next start takes them away, see [`reconcile`](super::reconcile).

use std::fs;
use std::io;

use pcapx_core::manifest::{DIGEST_SUFFIX, Manifest, State};

use super::EvidenceFolder;
use super::folder::gone_or;
use super::manifests::manifest_file;

impl EvidenceFolder {
    /// Gives `earlier` a name beside its own, from where its old name can be taken. Returns it under its new name.
    pub(crate) fn step_aside(&self, earlier: &Manifest) -> io::Result<Manifest> {
        let moved = renamed(earlier, &self.free_aside(&earlier.name)?);
        let done = self.link(earlier, &moved).and_then(|()| self.write(&moved));
        if let Err(error) = done {
            if !self.has_manifest(&moved.name) {
                // Nothing has moved. An error of this is less than the one that is told.
                let _ = self.vacate(&moved);
            }
            return Err(error);
        }
        Ok(moved)
    }

    /// Takes capture and digest of `earlier` away from its name: another's manifest stands there, or none.
    pub(crate) fn vacate(&self, earlier: &Manifest) -> io::Result<()> {
        for file in [earlier.file.clone(), Some(digest_file(&earlier.name))].into_iter().flatten() {
            gone_or(fs::remove_file(self.path(&file)))?;
        }
        self.sync()
    }

    /// Gives evidence that had stepped `aside` the name of `earlier`, which has stepped aside itself. Returns it under
    /// that name.
    pub(crate) fn come_back(&self, aside: &Manifest, earlier: &Manifest) -> io::Result<Manifest> {
        let back = renamed(aside, &earlier.name);
        let mut coming = back.clone();
        coming.forget_capture();
        (coming.state, coming.open, coming.finished) = (State::Queued, true, None);
        (coming.failure, coming.reason) = (None, None);
        self.write(&coming)?;
        self.vacate(earlier)?;
        self.link(aside, &back)?;
        self.write(&back)?;
        fs::remove_file(self.path(&manifest_file(&aside.name)))?;
        self.vacate(aside)?;
        Ok(back)
    }

    /// Gives the files of `one` the names that they have in `other`, too. What somebody has removed stays away.
    fn link(&self, one: &Manifest, other: &Manifest) -> io::Result<()> {
        let digests = Some((digest_file(&one.name), digest_file(&other.name)));
        let captures = one.file.clone().zip(other.file.clone());
        for (from, to) in captures.into_iter().chain(digests) {
            gone_or(fs::hard_link(self.path(&from), self.path(&to)))?;
        }
        Ok(())
    }
}

/// The file of the digest of the evidence called `name`.
pub(super) fn digest_file(name: &str) -> String {
    format!("{name}{DIGEST_SUFFIX}")
}

fn renamed(manifest: &Manifest, name: &str) -> Manifest {
    let ending = |file: &String| file.strip_prefix(&manifest.name).unwrap_or(".pcap").to_owned();
    let file = manifest.file.as_ref().map(|file| format!("{name}{}", ending(file)));
    Manifest { name: name.to_owned(), file, ..manifest.clone() }
}
