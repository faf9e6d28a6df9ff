//! The output file: it grows hidden, within its limits. How it appears is told in [`publish`](super::publish).

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::batch::Batch;
use super::blocks::STATISTICS_MOST_BYTES;
use super::checksum::Checksum;
use super::encode::{Encoding, Kind, Written, pcap_header};
use super::hidden::{failed, hidden_beside, pcapng_name};
use super::numbering::{NUMBER_AT, Numbering};
use super::previous::{Form, Previous};
use super::room::Room;
use super::write_behind::WriteBehind;
use super::{ExtractError, LimitHit};
use crate::control::CancelToken;
use crate::digest::Watcher;
use crate::query::{Limits, Query};
use crate::segment::Interface;
use pcapx_core::time::Timestamp;

/// A capture file in the making. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) file: NamedTempFile,
    pub(super) path: PathBuf,
    pub(super) limits: Limits,
    /// Length of the file.
    pub(super) len: u64,
    packets: u64,
    /// Kind and greatest snaplen of a pcap file's packets.
    pub(super) kind: Option<(Kind, u32)>,
    /// The snaplen that was written at its beginning.
    pub(super) head_snaplen: u32,
    /// The section header of a pcapng file.
    pub(super) section: Vec<u8>,
    /// Whether statistics of its interfaces are to follow.
    pub(super) has_statistics: bool,
    /// The interfaces of a pcapng file, and how many of them it tells.
    pub(super) numbering: Numbering,
    pub(super) interfaces_told: usize,
    /// Where an interface was told for the record that comes next.
    told: Option<u64>,
    /// Where each run of ascending times begins.
    pub(super) runs: Vec<u64>,
    latest: Timestamp,
    limit_hit: Option<LimitHit>,
    pub(super) room: Room,
    pub(super) behind: WriteBehind,
    pub(super) checksum: Option<Checksum>,
    watcher: Option<Watcher>,
}

impl Output {
    /// Begins a hidden file beside `path`. With a `section` header it is a pcapng file.
    pub(super) fn begin(
        path: &Path,
        section: Option<Vec<u8>>,
        watcher: Option<Watcher>,
        query: &Query<'_>,
    ) -> Result<Self, ExtractError> {
        let path = if section.is_some() { pcapng_name(path) } else { path.to_owned() };
        let file = hidden_beside(&path).map_err(|source| failed(&path, source))?;
        Ok(Self {
            file,
            path,
            limits: query.limits,
            len: 0,
            packets: 0,
            kind: None,
            head_snaplen: 0,
            has_statistics: section.is_some() && query.notes.is_some(),
            section: section.unwrap_or_default(),
            numbering: Numbering::default(),
            interfaces_told: 0,
            told: None,
            runs: Vec::new(),
            latest: Timestamp::MAX,
            limit_hit: None,
            room: Room::above(query.keep_free),
            behind: WriteBehind::default(),
            checksum: query.is_hashed.then(Checksum::default),
            watcher,
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
                self.section()?;
                self.numbering = Numbering::going_on(interfaces);
                self.interfaces_told = interfaces.len();
            }
        }
        self.runs.push(self.len);
        let copied = previous.copy(self.file.as_file_mut(), &mut self.room, &self.path, cancel)?;
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
            self.section()?;
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
            self.interfaces_told = self.numbering.interfaces().len();
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
        self.watch(batch, entries);
        self.write(&batch.bytes[first.start as usize..(last.start + last.len) as usize])?;
        Ok(self.limit_hit.is_none())
    }

    /// Tells the watcher of entries that are going to be written.
    fn watch(&mut self, batch: &Batch, entries: Range<usize>) {
        let Some(watcher) = &mut self.watcher else { return };
        let (kind, interfaces) = (self.kind.map(|(kind, _)| kind), self.numbering.interfaces());
        for entry in &batch.entries[entries] {
            let bytes = &batch.bytes[entry.start as usize..(entry.start + entry.len) as usize];
            let Some(record) = Written::of(bytes, kind, interfaces) else { continue };
            watcher.add(entry.time, record.link_type, record.orig_len, record.data);
        }
    }

    /// What was counted on the way.
    pub(super) fn take_watcher(&mut self) -> Option<Watcher> {
        self.watcher.take()
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
            let room = max.saturating_sub(self.len + self.statistics_len());
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

    fn section(&mut self) -> Result<(), ExtractError> {
        let section = std::mem::take(&mut self.section);
        self.write(&section)?;
        self.section = section;
        Ok(())
    }

    /// The most bytes that statistics of the interfaces are going to take.
    fn statistics_len(&self) -> u64 {
        let interfaces = self.numbering.interfaces().len() as u64;
        if self.has_statistics { interfaces * STATISTICS_MOST_BYTES } else { 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExtractError> {
        let (file, len) = (self.file.as_file_mut(), bytes.len() as u64);
        let written = self.room.take(len, file).and_then(|()| file.write_all(bytes));
        written.map_err(|source| failed(&self.path, source))?;
        self.written(len);
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
}
