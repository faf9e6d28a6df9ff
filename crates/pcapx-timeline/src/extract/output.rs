//! The output file: hidden while it grows, published when it is complete.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::batch::Batch;
use super::checksum::{Checksum, Sum};
use super::encode::{Encoding, Kind, pcap_header, section_block};
use super::numbering::{NUMBER_AT, Numbering};
use super::previous::{Form, Previous};
use super::write_behind::WriteBehind;
use super::{ExtractError, LimitHit, resort};
use crate::control::CancelToken;
use crate::query::{Limits, Query};
use crate::segment::Interface;
use pcapx_core::time::Timestamp;

/// Hidden files of unfinished output begin with this, whoever left them behind.
pub const UNFINISHED_PREFIX: &str = ".pcapx-unfinished-";
/// Owner writes, group reads: as n2disk's files.
pub(super) const FILE_MODE: u32 = 0o640;

/// A capture file in the making. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Output {
    file: NamedTempFile,
    path: PathBuf,
    limits: Limits,
    /// Length of the file.
    len: u64,
    packets: u64,
    /// Kind and greatest snaplen of a pcap file's packets.
    kind: Option<(Kind, u32)>,
    /// The snaplen that was written at its beginning.
    head_snaplen: u32,
    /// The interfaces of a pcapng file.
    numbering: Numbering,
    /// Where an interface was told for the record that comes next.
    told: Option<u64>,
    /// Where each run of ascending times begins.
    runs: Vec<u64>,
    latest: Timestamp,
    limit_hit: Option<LimitHit>,
    behind: WriteBehind,
    checksum: Option<Checksum>,
}

/// A published file.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: Option<[u8; 32]>,
}

impl Output {
    /// Begins a hidden file beside `path`.
    pub(super) fn begin(path: &Path, encoding: &Encoding, query: &Query<'_>) -> Result<Self, ExtractError> {
        let path = if encoding.is_pcapng() { pcapng_name(path) } else { path.to_owned() };
        let file = hidden_beside(&path).map_err(|source| failed(&path, source))?;
        Ok(Self {
            file,
            path,
            limits: query.limits,
            len: 0,
            packets: 0,
            kind: None,
            head_snaplen: 0,
            numbering: Numbering::default(),
            told: None,
            runs: Vec::new(),
            latest: Timestamp::MAX,
            limit_hit: None,
            behind: WriteBehind::default(),
            checksum: query.is_hashed.then(Checksum::default),
        })
    }

    /// Begins the file with what stays of a previous answer.
    pub(super) fn take_over(
        &mut self,
        previous: &Previous,
        cancel: &CancelToken,
    ) -> Result<(), ExtractError> {
        match &previous.form {
            Form::Pcap(kind, snaplen) => self.pcap_head(*kind, *snaplen)?,
            Form::Pcapng(interfaces) => {
                self.write(&section_block())?;
                self.numbering = Numbering::going_on(interfaces);
            }
        }
        self.runs.push(self.len);
        let copied = previous.copy(self.file.as_file_mut(), &self.path, cancel)?;
        self.written(copied);
        self.packets = previous.packets;
        self.latest = previous.latest;
        self.limit_hit = previous.limit_hit;
        Ok(())
    }

    /// Appends entries of a batch. Returns whether there is room for more.
    pub(super) fn append(
        &mut self,
        batch: &mut Batch,
        entries: Range<usize>,
        encoding: &Encoding,
    ) -> Result<bool, ExtractError> {
        if !encoding.is_pcapng() {
            self.kind(batch)?;
            return self.append_as_is(batch, entries);
        }
        if self.len == 0 {
            self.write(&section_block())?;
        }
        let mut from = entries.start;
        for n in entries.clone() {
            let at = batch.entries[n].start as usize + NUMBER_AT;
            let Some(&own) = batch.bytes.get(at..).and_then(|bytes| bytes.first_chunk()) else { continue };
            let own = u32::from_le_bytes(own);
            let number = if let Some(number) = self.numbering.number(own) {
                number
            } else {
                if !self.append_as_is(batch, from..n)? {
                    return Ok(false);
                }
                from = n;
                let Some(interface) = encoding.interface(own) else { continue };
                let Some(number) = self.tell(own, interface, batch, n)? else { return Ok(false) };
                number
            };
            batch.bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        self.append_as_is(batch, from..entries.end)
    }

    /// Tells the interface of entry `n`, if the entry still fits behind that. Its number, if so.
    fn tell(
        &mut self,
        own: u32,
        interface: Interface,
        batch: &Batch,
        n: usize,
    ) -> Result<Option<u32>, ExtractError> {
        let begun = self.len;
        let (number, block) = self.numbering.assign(own, interface);
        self.len += block.len() as u64;
        let fits = !self.within_limits(batch, n..n + 1).is_empty();
        self.len = begun;
        if fits {
            self.write(&block)?;
            self.told = self.told.or(Some(begun));
        }
        Ok(fits.then_some(number))
    }

    /// Appends entries that stand in the batch as in the file.
    fn append_as_is(&mut self, batch: &Batch, entries: Range<usize>) -> Result<bool, ExtractError> {
        let entries = self.within_limits(batch, entries);
        let (Some(first), Some(last)) = (batch.entries.get(entries.start), entries.clone().last()) else {
            return Ok(self.limit_hit.is_none());
        };
        let last = batch.entries[last];
        let begun = self.told.take().unwrap_or(self.len);
        if self.runs.is_empty() || first.time < self.latest {
            self.runs.push(begun);
        }
        self.latest = last.time;
        self.packets += entries.len() as u64;
        self.write(&batch.bytes[first.start as usize..(last.start + last.len) as usize])?;
        Ok(self.limit_hit.is_none())
    }

    /// The entries that still fit.
    fn within_limits(&mut self, batch: &Batch, entries: Range<usize>) -> Range<usize> {
        let mut end = entries.end;
        if let Some(max) = self.limits.max_packets {
            let room = usize::try_from(max.saturating_sub(self.packets)).unwrap_or(usize::MAX);
            if entries.len() > room {
                self.limit_hit = Some(LimitHit::Packets);
                end = entries.start + room;
            }
        }
        if let Some(max) = self.limits.max_bytes {
            let Some(base) = batch.entries.get(entries.start).map(|e| u64::from(e.start)) else {
                return entries;
            };
            let room = max.saturating_sub(self.len);
            let fit = batch.entries[entries.start..end]
                .partition_point(|e| u64::from(e.start) + u64::from(e.len) - base <= room);
            if entries.start + fit < end {
                self.limit_hit = Some(LimitHit::Bytes);
                end = entries.start + fit;
            }
        }
        entries.start..end
    }

    /// Takes note of the batch's kind and snaplen.
    fn kind(&mut self, batch: &Batch) -> Result<(), ExtractError> {
        match &mut self.kind {
            None => self.pcap_head(batch.kind, batch.snaplen),
            Some((kind, snaplen)) if *kind == batch.kind => {
                *snaplen = batch.snaplen.max(*snaplen);
                Ok(())
            }
            Some(_) => Err(ExtractError::KindsDiffer),
        }
    }

    fn pcap_head(&mut self, kind: Kind, snaplen: u32) -> Result<(), ExtractError> {
        self.kind = Some((kind, snaplen));
        self.head_snaplen = snaplen;
        self.write(&pcap_header(kind, snaplen))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExtractError> {
        self.file.as_file_mut().write_all(bytes).map_err(|source| failed(&self.path, source))?;
        self.written(bytes.len() as u64);
        Ok(())
    }

    /// The file has `bytes` more.
    fn written(&mut self, bytes: u64) {
        self.len += bytes;
        self.behind.written(bytes, self.file.as_file());
        if let Some(checksum) = &mut self.checksum {
            checksum.written(self.len, self.file.as_file());
        }
    }

    /// Packets written.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// The limit that was met.
    pub(super) fn limit_hit(&self) -> Option<LimitHit> {
        self.limit_hit
    }

    /// Puts the file in order, on disk and under its name; `None` when it has no packet.
    pub(super) fn publish(mut self, cancel: &CancelToken) -> Result<Option<Published>, ExtractError> {
        if self.packets == 0 {
            return Ok(None);
        }
        self.behind.finish().map_err(|source| failed(&self.path, source))?;
        if self.runs.len() > 1 {
            let head = match self.kind {
                Some((kind, snaplen)) => pcap_header(kind, snaplen).to_vec(),
                None => section_block(),
            };
            // It writes the head anew.
            self.head_snaplen = self.kind.map_or(0, |(_, snaplen)| snaplen);
            self.file = resort::sorted(
                self.file,
                &self.path,
                &head,
                &self.runs,
                self.len,
                self.numbering.interfaces(),
                cancel,
            )?;
            self.checksum = self.checksum.take().map(|_| Checksum::default());
        }
        let mut sync = || -> io::Result<(u64, Option<[u8; 32]>)> {
            let file = self.file.as_file();
            if let Some((kind, snaplen)) = self.kind.filter(|(_, snaplen)| *snaplen != self.head_snaplen) {
                file.write_all_at(&pcap_header(kind, snaplen), 0)?;
                // Its first bytes are others now.
                self.checksum = self.checksum.take().map(|_| Checksum::default());
            }
            let bytes = file.metadata()?.len();
            let sum = self.checksum.take().map(|checksum| checksum.end(bytes, file)).transpose()?;
            file.sync_data()?;
            Ok((bytes, sum.map(Sum::wait).transpose()?))
        };
        let (bytes, sha256) = sync().map_err(|source| failed(&self.path, source))?;
        self.file.persist(&self.path).map_err(|e| failed(&self.path, e.error))?;
        let folder = folder_of(&self.path);
        File::open(folder).and_then(|f| f.sync_all()).map_err(|source| failed(folder, source))?;
        Ok(Some(Published { path: self.path, bytes, sha256 }))
    }
}

/// A new hidden file in the folder of `path`, readable by the group.
pub(super) fn hidden_beside(path: &Path) -> io::Result<NamedTempFile> {
    if fs::metadata(path).is_ok_and(|m| m.is_dir()) {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    fs::metadata(folder_of(path))?;
    tempfile::Builder::new()
        .prefix(UNFINISHED_PREFIX)
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(folder_of(path))
        // The library's error names the hidden file; the caller names the file that was asked for.
        .map_err(|error| io::Error::from(error.kind()))
}

pub(super) fn failed(path: &Path, source: io::Error) -> ExtractError {
    ExtractError::Output { path: path.to_owned(), source }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `name.pcap` becomes `name.pcapng`; another name gets `.pcapng` behind it.
fn pcapng_name(path: &Path) -> PathBuf {
    match path.extension().and_then(|e| e.to_str()) {
        Some("pcapng") => path.to_owned(),
        Some("pcap") => path.with_extension("pcapng"),
        _ => {
            let mut name = path.as_os_str().to_owned();
            name.push(".pcapng");
            name.into()
        }
    }
}
