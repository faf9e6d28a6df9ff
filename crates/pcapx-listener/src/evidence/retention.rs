//! How long evidence stays.
//!
//! ```text
//! every minute: names and lengths of the folder ─► too old? too much in all? ─► the oldest finished evidence goes
//! ```
//!
//! Evidence goes as a whole: its manifest last, so that what is left of an interrupted removal is found and removed next
//! time. Work in progress is never touched, nor is a file that somebody downloads: the file server holds a shared lock on
//! it. What has no manifest – the original's files – counts and goes by its time of writing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::time::{Duration, SystemTime};

use pcapx_core::manifest::{DIGEST_SUFFIX, MANIFEST_SUFFIX};
use rustix::fs::{FlockOperation, flock};

use super::folder::gone_or;
use super::{EvidenceFolder, Shelved};

/// When evidence goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetentionRules {
    /// When it is older than this; `None` is never.
    pub(crate) max_age: Option<Duration>,
    /// When all of it has more bytes than this.
    pub(crate) max_bytes: Option<u64>,
}

/// Applies the rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention(RetentionRules);

/// The files of one piece of evidence.
#[derive(Debug)]
struct Piece {
    files: Vec<String>,
    bytes: u64,
    written: SystemTime,
    has_manifest: bool,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Pieces of evidence.
    pub(crate) pieces: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

impl Retention {
    /// `None` when everything stays for ever.
    pub(crate) fn new(rules: RetentionRules) -> Option<Self> {
        (rules != RetentionRules::default()).then_some(Self(rules))
    }

    /// Removes what has to go at `now`. For each piece that goes `hold` keeps the folder's names as they are: nobody shall ask
    /// for it anew between our look at it and its end.
    pub(crate) fn apply<G>(
        self,
        folder: &EvidenceFolder,
        now: SystemTime,
        hold: impl Fn() -> G,
    ) -> io::Result<Removed> {
        let mut pieces: Vec<_> = pieces(folder)?.into_iter().collect();
        pieces.sort_by(|(a, one), (b, other)| one.written.cmp(&other.written).then_with(|| a.cmp(b)));
        let mut total: u64 = pieces.iter().map(|(_, piece)| piece.bytes).sum();
        let mut removed = Removed::default();
        for (name, piece) in pieces {
            let age = now.duration_since(piece.written).unwrap_or_default();
            let is_old = self.0.max_age.is_some_and(|most| age > most);
            let is_much = self.0.max_bytes.is_some_and(|most| total > most);
            if !(is_old || is_much) {
                break;
            }
            {
                let _names = hold();
                if is_in_use(folder, &name, &piece)? {
                    continue;
                }
                remove(folder, &piece)?;
            }
            let why = if is_old { "older than retention_max_age_days" } else { "over retention_max_bytes" };
            log::info!("evidence removed: {name}, {} bytes, {why}", piece.bytes);
            total -= piece.bytes;
            removed.pieces += 1;
            removed.bytes += piece.bytes;
        }
        if removed.pieces > 0 {
            folder.sync()?;
        }
        Ok(removed)
    }
}

/// All evidence, by name.
fn pieces(folder: &EvidenceFolder) -> io::Result<BTreeMap<String, Piece>> {
    let mut pieces = BTreeMap::<String, Piece>::new();
    for entry in fs::read_dir(folder.root())? {
        let entry = entry?;
        let Ok(file) = entry.file_name().into_string() else { continue };
        let endings = [DIGEST_SUFFIX, MANIFEST_SUFFIX, ".pcapng", ".pcap"];
        let ending = endings.into_iter().find(|ending| file.ends_with(ending));
        let Some(ending) = ending.filter(|_| !file.starts_with('.')) else { continue };
        let Ok(found) = entry.metadata() else { continue };
        if !found.is_file() {
            continue;
        }
        let name = file[..file.len() - ending.len()].to_owned();
        let written = found.modified()?;
        let piece =
            pieces.entry(name).or_insert(Piece { files: Vec::new(), bytes: 0, written, has_manifest: false });
        piece.bytes += found.len();
        piece.written = piece.written.max(written);
        piece.has_manifest |= ending == MANIFEST_SUFFIX;
        // The manifest goes last.
        let place = if ending == MANIFEST_SUFFIX { piece.files.len() } else { 0 };
        piece.files.insert(place, file);
    }
    Ok(pieces)
}

fn is_in_use(folder: &EvidenceFolder, name: &str, piece: &Piece) -> io::Result<bool> {
    if piece.has_manifest
        && let Shelved::Manifest(manifest) = folder.manifest(name)?
        && manifest.open
    {
        return Ok(true);
    }
    for file in &piece.files {
        match File::open(folder.path(file)) {
            Ok(file) if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() => return Ok(true),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(false)
}

fn remove(folder: &EvidenceFolder, piece: &Piece) -> io::Result<()> {
    piece.files.iter().try_for_each(|file| gone_or(fs::remove_file(folder.path(file))))
}
