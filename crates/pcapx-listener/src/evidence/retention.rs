//! How long evidence stays.
//!
//! ```text
//! every minute: names and lengths of the folder ─► too old? too much in all? ─► the oldest finished evidence goes
//! ```
//!
//! Evidence goes as a whole: its manifest last, so that what is left of an interrupted removal is found and removed next
//! time. Work in progress is never touched, nor is a file that somebody downloads: the file server holds a shared lock on
//! it. What has no manifest – the original's files – counts and goes by its time of writing.
//!
//! What was found last stays however little `retention_max_bytes` is: somebody has just been given the link to it.

use std::collections::BTreeMap;
use std::fmt;
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
    has_capture: bool,
}

/// The newest evidence alone has more bytes than all of it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Oversized {
    name: String,
    bytes: u64,
    /// What all evidence may have.
    pub(crate) limit: u64,
}

impl fmt::Display for Oversized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, bytes, limit } = self;
        write!(
            f,
            "retention_max_bytes is {limit}, less than one piece of evidence: {name} has {bytes} bytes and stays as long as it is the newest"
        )
    }
}

impl Retention {
    /// `None` when everything stays for ever.
    pub(crate) fn new(rules: RetentionRules) -> Option<Self> {
        (rules != RetentionRules::default()).then_some(Self(rules))
    }

    /// Removes what has to go at `now`. For each piece that goes `hold` keeps the folder's names as they are: nobody shall ask
    /// for it anew between our look at it and its end. Tells of the newest evidence where that alone is too much.
    pub(crate) fn apply<G>(
        self,
        folder: &EvidenceFolder,
        now: SystemTime,
        hold: impl Fn() -> G,
    ) -> io::Result<Option<Oversized>> {
        let mut pieces: Vec<_> = pieces(folder)?.into_iter().collect();
        pieces.sort_by(|(a, one), (b, other)| one.written.cmp(&other.written).then_with(|| a.cmp(b)));
        let mut total: u64 = pieces.iter().map(|(_, piece)| piece.bytes).sum();
        let newest = match self.0.max_bytes {
            Some(most) if total > most => newest(folder, &pieces)?,
            _ => None,
        };
        let (mut is_changed, mut oversized) = (false, None);
        for (number, (name, piece)) in pieces.into_iter().enumerate() {
            let age = now.duration_since(piece.written).unwrap_or_default();
            let is_old = self.0.max_age.is_some_and(|most| age > most);
            let is_much = self.0.max_bytes.is_some_and(|most| total > most);
            if !(is_old || is_much) {
                break;
            }
            // What is newer was being worked on a moment ago, and is the newest perhaps by now.
            if !is_old && piece.has_capture && newest.is_none_or(|newest| number >= newest) {
                let limit = self.0.max_bytes.filter(|most| newest == Some(number) && piece.bytes > *most);
                oversized = limit.map(|limit| Oversized { name, bytes: piece.bytes, limit }).or(oversized);
                continue;
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
            is_changed = true;
        }
        if is_changed {
            folder.sync()?;
        }
        Ok(oversized)
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
        let piece = pieces.entry(name).or_insert(Piece {
            files: Vec::new(),
            bytes: 0,
            written,
            has_manifest: false,
            has_capture: false,
        });
        piece.bytes += found.len();
        piece.written = piece.written.max(written);
        piece.has_manifest |= ending == MANIFEST_SUFFIX;
        piece.has_capture |= [".pcapng", ".pcap"].contains(&ending);
        // The manifest goes last.
        let place = if ending == MANIFEST_SUFFIX { piece.files.len() } else { 0 };
        piece.files.insert(place, file);
    }
    Ok(pieces)
}

/// The place of the newest finished evidence with packets, among pieces from the oldest on.
fn newest(folder: &EvidenceFolder, pieces: &[(String, Piece)]) -> io::Result<Option<usize>> {
    for (number, (name, piece)) in pieces.iter().enumerate().rev() {
        if piece.has_capture && !is_open(folder, name, piece)? {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Whether work on it goes on.
fn is_open(folder: &EvidenceFolder, name: &str, piece: &Piece) -> io::Result<bool> {
    Ok(piece.has_manifest && matches!(folder.manifest(name)?, Shelved::Manifest(manifest) if manifest.open))
}

fn is_in_use(folder: &EvidenceFolder, name: &str, piece: &Piece) -> io::Result<bool> {
    if is_open(folder, name, piece)? {
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
