//! How an output file appears: in order, told what it is, on disk, under its name.
//!
//! ```text
//! runs ─► one run (resort) ─► statistics behind, head in front ─► checksum, fsync ─► rename, fsync of the folder
//! ```

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::ExtractError;
use super::blocks::{section_block, statistics_block};
use super::checksum::{Checksum, Sum};
use super::encode::pcap_header;
use super::hidden::{failed, folder_of, hidden_beside};
use super::notes::NotesOf;
use super::output::Output;
use super::resort::{self, Source};
use super::room::{BelowFloor, Room, copy_step};
use crate::control::CancelToken;
use crate::coverage::Coverage;

/// A published file.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: Option<[u8; 32]>,
}

impl Output {
    /// Puts the file in order, on disk and under its name; `None` when it has no packet. `notes` are what a pcapng file says
    /// of itself.
    pub(super) fn publish(
        mut self,
        notes: Option<&NotesOf>,
        coverage: &Coverage,
        cancel: &CancelToken,
    ) -> Result<Option<Published>, ExtractError> {
        if self.packets() == 0 {
            return Ok(None);
        }
        self.behind.finish().map_err(|source| failed(&self.path, source))?;
        self.sort(cancel)?;
        let mut complete = || -> io::Result<(u64, Option<[u8; 32]>)> {
            self.annotate(notes, coverage)?;
            let file = self.file.as_file();
            if let Some((kind, snaplen)) = self.kind.filter(|(_, snaplen)| *snaplen != self.head_snaplen) {
                file.write_all_at(&pcap_header(kind, snaplen), 0)?;
                hash_again(&mut self.checksum);
            }
            let bytes = file.metadata()?.len();
            let sum = self.checksum.take().map(|checksum| checksum.end(bytes, file)).transpose()?;
            file.sync_data()?;
            Ok((bytes, sum.map(Sum::wait).transpose()?))
        };
        let (bytes, sha256) = complete().map_err(|source| failed(&self.path, source))?;
        self.file.persist(&self.path).map_err(|e| failed(&self.path, e.error))?;
        let folder = folder_of(&self.path);
        File::open(folder).and_then(|f| f.sync_all()).map_err(|source| failed(folder, source))?;
        Ok(Some(Published { path: self.path, bytes, sha256 }))
    }

    /// Makes one run of several.
    fn sort(&mut self, cancel: &CancelToken) -> Result<(), ExtractError> {
        if self.runs.len() <= 1 {
            return Ok(());
        }
        let head = match self.kind {
            Some((kind, snaplen)) => pcap_header(kind, snaplen).to_vec(),
            None => self.section.clone(),
        };
        // It writes the head anew.
        self.head_snaplen = self.kind.map_or(0, |(_, snaplen)| snaplen);
        let interfaces = self.numbering.interfaces();
        let runs = Source { file: &self.file, runs: &self.runs, end: self.len };
        let (file, numbering) =
            resort::sorted(runs, &self.path, &head, interfaces, cancel, self.room.floor())?;
        (self.file, self.numbering) = (file, numbering);
        hash_again(&mut self.checksum);
        Ok(())
    }

    /// Tells what is known at the end: losses behind the packets, notes in front of them.
    fn annotate(&mut self, notes: Option<&NotesOf>, coverage: &Coverage) -> io::Result<()> {
        let Some(notes) = notes.filter(|_| self.has_statistics) else { return Ok(()) };
        let limit = self.limit_hit();
        let interfaces = &self.numbering.interfaces()[..self.interfaces_told];
        let file = self.file.as_file_mut();
        file.seek(SeekFrom::End(0))?;
        for (number, interface) in interfaces.iter().enumerate() {
            file.write_all(&statistics_block(number as u32, interface, coverage, interfaces.len() == 1))?;
        }
        let section = section_block(&notes.of(coverage, limit));
        if section == self.section {
            return Ok(());
        }
        let len = file.metadata()?.len() - self.section.len() as u64;
        if self.limits.max_bytes.is_some_and(|max| len + section.len() as u64 > max) {
            // What was known before the search is not wrong.
            return Ok(());
        }
        if section.len() == self.section.len() {
            file.write_all_at(&section, 0)?;
        } else {
            let mut target = hidden_beside(&self.path)?;
            file.seek(SeekFrom::Start(self.section.len() as u64))?;
            match headed(target.as_file_mut(), &section, file, len, self.room.floor()) {
                // The packets are worth more than what is told of them.
                Err(error) if BelowFloor::of(&error).is_some() => return Ok(()),
                copied => copied?,
            }
            self.file = target;
        }
        hash_again(&mut self.checksum);
        Ok(())
    }
}

/// Writes `section` and the next `len` bytes of `from` to `to`, and leaves so many bytes free.
fn headed(to: &mut File, section: &[u8], from: &File, len: u64, keep_free: u64) -> io::Result<()> {
    let mut room = Room::above(keep_free);
    room.take(section.len() as u64, to)?;
    to.write_all(section)?;
    let mut left = len;
    while left > 0 {
        left -= copy_step(from, left, to, &mut room)?;
    }
    Ok(())
}

/// The first bytes are others now.
fn hash_again(checksum: &mut Option<Checksum>) {
    *checksum = checksum.take().map(|_| Checksum::default());
}
