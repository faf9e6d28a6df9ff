//! An answer that is gone on with: its packets up to an instant become the beginning of a new file.
//!
//! ```text
//! previous file   head │ records before `from` │ records from `from` on, statistics
//!                      └──────────┬────────────┘
//! new file        head │ the same bytes        │ packets of the query from `from` on
//! ```
//!
//! The previous file is read to find that place and to count, and copied within the kernel, which on some file systems
//! copies nothing. It is believed as little as any other file: one that is damaged, out of order, or of a form that is
//! not written here is no beginning, and the query is answered from the timeline alone.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::blocks::STATISTICS_MOST_BYTES;
use super::encode::{Kind, pcap_header};
use super::hidden::failed;
use super::room::{Room, copy_step};
use super::{CHECK_EVERY_PACKETS, ExtractError, LimitHit};
use crate::control::CancelToken;
use crate::digest::Watcher;
use crate::query::{Limits, Query};
use crate::segment::{BYTE_ORDER_MAGIC, Ending, Interface, PCAP_HEADER_BYTES, SegmentReader};
use pcapx_core::time::Timestamp;

/// The part of a previous answer that stays.
#[derive(Debug)]
pub(super) struct Previous {
    file: File,
    pub(super) form: Form,
    /// Where the first block behind the head begins, and where the last record that stays ends.
    start: u64,
    end: u64,
    pub(super) packets: u64,
    /// The time of its last packet.
    pub(super) latest: Timestamp,
    /// The limit that lets no more packets stay.
    pub(super) limit_hit: Option<LimitHit>,
}

/// What a file is as a whole.
#[derive(Debug)]
pub(super) enum Form {
    /// All packets of one kind; the greatest snaplen.
    Pcap(Kind, u32),
    /// The interfaces of the packets that stay.
    Pcapng(Vec<Interface>),
}

impl Previous {
    /// The answer at `path`, nothing of which stays yet; `None` where that cannot be the beginning of a new one.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let reader = SegmentReader::open(path).ok()?;
        let file = reader.file().try_clone().ok()?;
        let (form, start) = form(&file, &reader)?;
        Some(Self { file, form, start, end: start, packets: 0, latest: Timestamp::MIN, limit_hit: None })
    }

    /// Finds the packets that stay: those before what `query` searches, as far as limits allow in a file whose head has
    /// `head` bytes, and tells `watcher` of them. `None` where the file is damaged, out of order, or more than one section of pcapng.
    pub(super) fn keep(
        mut self,
        query: &Query<'_>,
        head: u64,
        mut watcher: Option<&mut Watcher>,
    ) -> Result<Option<Self>, ExtractError> {
        let Ok(mut reader) = self.file.try_clone().map_err(Into::into).and_then(SegmentReader::new) else {
            return Ok(None);
        };
        let mut interfaces = 0;
        loop {
            if self.packets.is_multiple_of(CHECK_EVERY_PACKETS) && query.cancel.is_cancelled() {
                return Err(ExtractError::cancelled(&query.cancel));
            }
            let Ok(time) = reader.next_packet().map(|packet| packet.map(|packet| packet.time)) else {
                return Ok(None);
            };
            let time = match time {
                None if reader.ending() == Some(Ending::Whole) => break,
                None => return Ok(None),
                Some(time) if time < self.latest => return Ok(None),
                Some(time) if time >= query.searched.start() => break,
                Some(time) => time,
            };
            let known = if self.is_pcapng() { reader.interfaces().len() } else { 0 };
            let statistics = if query.notes.is_some() { known as u64 * STATISTICS_MOST_BYTES } else { 0 };
            let len = head + (reader.next_offset() - self.start) + statistics;
            self.limit_hit = self.limit(query.limits, len);
            if self.limit_hit.is_some() {
                break;
            }
            if let (Some(watcher), Some(packet)) = (&mut watcher, reader.current_packet()) {
                watcher.add(packet.time, packet.link_type, packet.orig_len, packet.data);
            }
            self.latest = time;
            self.packets += 1;
            self.end = reader.next_offset();
            interfaces = known;
        }
        if let Form::Pcapng(known) = &mut self.form {
            known.extend_from_slice(&reader.interfaces()[..interfaces]);
        }
        // Interfaces of a further section are numbered anew.
        let is_one = reader.section().is_none_or(|section| section.count() == 1);
        Ok(is_one.then_some(self))
    }

    pub(super) fn is_pcapng(&self) -> bool {
        matches!(self.form, Form::Pcapng(_))
    }

    /// The limit that a further record would break with which the file has `len` bytes.
    fn limit(&self, limits: Limits, len: u64) -> Option<LimitHit> {
        if limits.max_packets.is_some_and(|max| self.packets >= max) {
            Some(LimitHit::Packets)
        } else {
            limits.max_bytes.is_some_and(|max| len > max).then_some(LimitHit::Bytes)
        }
    }

    /// Appends what stays to `to`, which has its head and `room`. Returns the bytes.
    pub(super) fn copy(
        &self,
        to: &mut File,
        room: &mut Room,
        path: &Path,
        cancel: &CancelToken,
    ) -> Result<u64, ExtractError> {
        let failed = |source| failed(path, source);
        let mut from = &self.file;
        from.seek(SeekFrom::Start(self.start)).map_err(failed)?;
        let len = self.end - self.start;
        let mut left = len;
        while left > 0 {
            if cancel.is_cancelled() {
                return Err(ExtractError::cancelled(cancel));
            }
            left -= copy_step(from, left, to, room).map_err(failed)?;
        }
        Ok(len)
    }
}

/// What the file is, if it is one as they are written here, and where its head ends.
fn form(file: &File, reader: &SegmentReader) -> Option<(Form, u64)> {
    let mut head = [0; PCAP_HEADER_BYTES];
    file.read_exact_at(&mut head, 0).ok()?;
    if let Some(header) = reader.pcap_header() {
        let kind = Kind::of(&header.interface());
        let is_ours = pcap_header(kind, header.snaplen) == head;
        return is_ours.then_some((Form::Pcap(kind, header.snaplen), PCAP_HEADER_BYTES as u64));
    }
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    (word(8) == BYTE_ORDER_MAGIC).then_some((Form::Pcapng(Vec::new()), word(4).into()))
}
