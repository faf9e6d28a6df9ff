//! Reading what stands beside the packets, with a limit on how much.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pcapx_core::digest::{self, Digest};
use pcapx_core::manifest::{DIGEST_SUFFIX, MANIFEST_SUFFIX, Manifest, Outline, State};
use pcapx_core::time::Timestamp;
use pcapx_http::page::Mark;

use super::shelf::{Files, Name};
use crate::folder::{Folder, Found, Patience};

/// The largest manifest that is read: its alert may have 2 MiB, each byte of it escaped.
const MANIFEST_BYTES: u64 = 16 << 20;
/// The largest digest that is read; one of the listener's has some hundred kilobytes.
const DIGEST_BYTES: u64 = 4 << 20;
/// All manifests that are read for the rows of one request, together. Fifty of the usual size have a quarter of a megabyte.
const BUDGET_BYTES: u64 = 32 << 20;

/// Reads for one request, and counts.
#[derive(Debug)]
pub(super) struct Reader<'f> {
    folder: &'f Folder,
    buffer: Vec<u8>,
    /// Manifests that were read.
    pub(super) manifests: u64,
    bytes: u64,
}

/// What a file beside the packets tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told<T> {
    /// This.
    Known(Box<T>),
    /// There is none.
    Nothing,
    /// It is there and cannot be used.
    Damaged,
    /// It was not looked at, since so much was read already.
    Unread,
}

impl<T> Told<T> {
    /// What it tells, if it does.
    pub(super) fn known(&self) -> Option<&T> {
        match self {
            Told::Known(known) => Some(known),
            _ => None,
        }
    }
}

impl<M> Told<M> {
    /// What is said of the evidence whose manifest this is, the same in the list and on its page.
    pub(super) fn mark(&self, state: impl FnOnce(&M) -> (State, bool)) -> Mark {
        match self {
            Told::Known(manifest) => {
                let (state, is_open) = state(manifest);
                Mark::of(state, is_open)
            }
            Told::Damaged => Mark::without_state("manifest damaged"),
            Told::Unread => Mark::without_state("not read"),
            Told::Nothing => Mark::BARE,
        }
    }
}

/// A capture file, as the file system knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capture {
    /// Its name.
    pub(super) file: Vec<u8>,
    /// Its length.
    pub(super) bytes: u64,
    /// When it was written last.
    pub(super) written: Timestamp,
}

impl<'f> Reader<'f> {
    /// Reads in `folder`.
    pub(super) fn new(folder: &'f Folder) -> Self {
        Self { folder, buffer: Vec::new(), manifests: 0, bytes: 0 }
    }

    /// What a list needs of the manifest of `name`.
    pub(super) fn outline(&mut self, name: &Name) -> io::Result<Told<Outline>> {
        if self.bytes >= BUDGET_BYTES {
            return Ok(Told::Unread);
        }
        self.read_manifest(name, Outline::from_json, |outline| &outline.name)
    }

    /// The same for a search, which looks at many, keeps none and has a time of its own.
    pub(super) fn look(&mut self, name: &Name) -> io::Result<Told<Outline>> {
        let before = self.bytes;
        let told = self.read_manifest(name, Outline::from_json, |outline| &outline.name);
        self.bytes = before;
        told
    }

    /// The manifest of `name`.
    pub(super) fn manifest(&mut self, name: &Name) -> io::Result<Told<Manifest>> {
        self.read_manifest(name, Manifest::from_json, |manifest| &manifest.name)
    }

    /// The digest of `name`.
    pub(super) fn digest(&mut self, name: &Name) -> io::Result<Told<Digest>> {
        if !self.read(&name.file(DIGEST_SUFFIX), DIGEST_BYTES)? {
            return Ok(Told::Nothing);
        }
        let read = serde_json::from_slice::<Digest>(&self.buffer);
        let is_known = |digest: &Digest| {
            digest.schema == digest::SCHEMA || digest.schema.starts_with(&format!("{}.", digest::SCHEMA))
        };
        Ok(match read {
            Ok(digest) if is_known(&digest) => Told::Known(Box::new(digest)),
            _ => Told::Damaged,
        })
    }

    /// The capture file `file`, when it is there.
    pub(super) fn capture(&self, file: Vec<u8>) -> io::Result<Option<Capture>> {
        let path = Path::new(std::ffi::OsStr::from_bytes(&file));
        let Found::File(_, stat) = self.folder.find(path, Patience::Endless)? else { return Ok(None) };
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        Ok(Some(Capture { file, bytes, written: Timestamp::from_secs(stat.st_mtime) }))
    }

    /// The capture file of `name` where no manifest tells what it is called.
    pub(super) fn capture_of(&self, name: &Name, files: Files) -> io::Result<Option<Capture>> {
        files.capture().map_or(Ok(None), |suffix| self.capture(name.file(suffix)))
    }

    fn read_manifest<T>(
        &mut self,
        name: &Name,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
        name_of: impl FnOnce(&T) -> &str,
    ) -> io::Result<Told<T>> {
        if !self.read(&name.file(MANIFEST_SUFFIX), MANIFEST_BYTES)? {
            return Ok(Told::Nothing);
        }
        self.manifests += 1;
        self.bytes += self.buffer.len() as u64;
        Ok(match parse(&self.buffer) {
            Ok(told) if name_of(&told) == name.text() => Told::Known(Box::new(told)),
            _ => Told::Damaged,
        })
    }

    /// Reads `file` into the buffer; of one that is too long only so much that it cannot be understood. `false` when it is
    /// not there.
    fn read(&mut self, file: &[u8], most: u64) -> io::Result<bool> {
        let path = Path::new(std::ffi::OsStr::from_bytes(file));
        let Found::File(file, _) = self.folder.find(path, Patience::Endless)? else { return Ok(false) };
        self.buffer.clear();
        File::from(file).take(most).read_to_end(&mut self.buffer)?;
        Ok(true)
    }
}
