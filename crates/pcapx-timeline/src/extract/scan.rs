//! Reads one segment and hands on what matches.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::batch::{Batch, BatchBuilder};
use super::encode::{Encoding, Kind, SNAPLEN_DEFAULT, fits_pcap};
use super::read_ahead::{ReadAhead, is_slow};
use super::{CHECK_EVERY_PACKETS, Candidate, Counts, ExtractError};
use crate::control::Progress;
use crate::coverage::Seen;
use crate::index::Wanted;
use crate::link::LinkType;
use crate::matcher::Matcher;
use crate::packet::PacketKeys;
use crate::query::Query;
use crate::segment::{Ending, Packet, SegmentError, SegmentReader};
use crate::warning::{Warning, WarningKind};
use pcapx_core::time::Timestamp;

/// What a scan says to the merge.
#[derive(Debug)]
pub(super) enum Message {
    /// Packets, not earlier than those of the batch before.
    Batch(Batch),
    /// The segment is read; nothing follows.
    Done(Done),
    /// The query cannot go on.
    Failed(ExtractError),
}

/// What a scan tells at its end.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) counts: Counts,
    pub(super) warnings: Vec<Warning>,
    /// Where all of the segment was read.
    pub(super) seen: Option<Seen>,
}

/// What all scans of a query share.
#[derive(Debug)]
pub(super) struct Shared<'q> {
    pub(super) query: &'q Query<'q>,
    pub(super) matcher: Option<&'q Matcher>,
    pub(super) encoding: &'q Encoding,
    /// Whether a disk has been waited for.
    pub(super) is_cold: AtomicBool,
}

/// Takes what a scan says, and answers whether somebody listens still.
pub(super) type Ear<'e> = dyn Fn(Message) -> bool + 'e;

/// Reads `candidate` to its end. When the merge has stopped listening, the scan stops as well.
pub(super) fn run(shared: &Shared<'_>, candidate: &Candidate<'_>, merge: &Ear<'_>) {
    let mut scan = Scan {
        shared,
        candidate,
        merge,
        batch: BatchBuilder::default(),
        kind: None,
        interfaces: Vec::new(),
        counts: Counts { segments: candidate.is_first().into(), ..Counts::default() },
        unknown_links: BTreeSet::new(),
        span: None,
        is_whole: false,
    };
    let read = scan.read();
    if let Some(piece) = &candidate.piece {
        piece.done();
    }
    let last = match read {
        Ok(warnings) => Message::Done(Done { counts: scan.counts, warnings, seen: scan.seen() }),
        Err(Stop::Unheard) => return,
        Err(Stop::Because(e)) => Message::Failed(e),
    };
    // The merge may have ended by a limit in the meantime.
    let _ = merge(last);
}

/// How a segment ended, when it was read so far, or why it could not be.
type End = Result<Option<Ending>, SegmentError>;

/// Why a scan ends before its segment does.
enum Stop {
    Unheard,
    Because(ExtractError),
}

struct Scan<'s> {
    shared: &'s Shared<'s>,
    candidate: &'s Candidate<'s>,
    merge: &'s Ear<'s>,
    batch: BatchBuilder,
    /// The kind of the packets in `batch`.
    kind: Option<Kind>,
    /// For each interface of the segment: its kind, its number in the output, the snaplen of its packets.
    interfaces: Vec<(Kind, u32, u32)>,
    counts: Counts,
    unknown_links: BTreeSet<LinkType>,
    /// Earliest and latest packet, in the window or not.
    span: Option<(Timestamp, Timestamp)>,
    /// Whether all of the segment is read, by this scan alone.
    is_whole: bool,
}

impl Scan<'_> {
    /// Reads the segment; what is wrong with it becomes a warning.
    fn read(&mut self) -> Result<Vec<Warning>, Stop> {
        let Candidate { segment, .. } = self.candidate;
        let path = &segment.path;
        let opened = match &self.candidate.piece {
            None => segment
                .open()
                .map_err(SegmentError::from)
                .and_then(SegmentReader::new)
                .map(|reader| (reader, false)),
            Some(piece) => piece.open(segment).and_then(|(file, is_listed_state)| {
                SegmentReader::new(file).map(|reader| (reader, is_listed_state))
            }),
        };
        let (mut reader, is_planned) = match opened {
            Ok(opened) => opened,
            Err(e) => return Ok(vec![Warning::of_error(path.clone(), &e)]),
        };
        let end = match self.candidate.ranges() {
            Some(ranges) if is_planned => self.ranges(&mut reader, ranges)?,
            // The file has changed since it was listed: whoever has its first piece reads all of it.
            Some(_) if !self.candidate.is_first() => Ok(None),
            _ => {
                self.is_whole = true;
                self.packets(&mut reader, u64::MAX)?
            }
        };
        Progress::add(&self.shared.query.progress.bytes_read, reader.bytes_read() - self.counts.bytes_read);
        self.counts.bytes_read = reader.bytes_read();
        if let Some(batch) = self.kind.and_then(|kind| self.batch.take(kind, true)) {
            self.send(batch)?;
        }
        Progress::add(&self.shared.query.progress.segments_done, self.candidate.is_last().into());
        let mut warnings = Vec::new();
        match end {
            Err(e) => warnings.push(Warning::of_error(path.clone(), &e)),
            // A file that is being written ends wherever the writer is.
            Ok(Some(Ending::Cut(at))) if !self.may_grow(reader.file()) => {
                warnings.push(Warning { path: path.clone(), kind: WarningKind::CutShort(at) });
            }
            Ok(_) => {}
        }
        for &link in &self.unknown_links {
            warnings.push(Warning { path: path.clone(), kind: WarningKind::LinkTypeUnknown(link) });
        }
        Ok(warnings)
    }

    /// Whether somebody may still be writing to the segment, which is open as `file`, or has done so since it was listed.
    fn may_grow(&self, file: &File) -> bool {
        let segment = self.candidate.segment;
        segment.may_grow(Timestamp::now()) || !segment.is_state_of(file)
    }

    /// Goes through the packets of `ranges`. The inner result is how the segment ended, where a range reaches so far.
    fn ranges(&mut self, reader: &mut SegmentReader, ranges: &[Wanted]) -> Result<End, Stop> {
        // A pcapng file names its interfaces in front of the first packet.
        if reader.pcap_header().is_none()
            && let Err(e) = reader.next_packet()
        {
            return Ok(Err(e));
        }
        let file = reader.file().try_clone();
        let mut ahead = file.as_ref().ok().map(|file| ReadAhead::new(file, ranges));
        let mut end = Ok(None);
        let is_cold = &self.shared.is_cold;
        for (number, Wanted { range, .. }) in ranges.iter().enumerate() {
            if let Some(ahead) = ahead.as_mut().filter(|_| is_cold.load(Ordering::Relaxed)) {
                ahead.advance(number);
            }
            let (begun, read) = (Instant::now(), reader.bytes_read());
            reader.go_to(range.clone());
            end = self.packets(reader, range.end)?;
            if is_slow(reader.bytes_read() - read, begun.elapsed()) {
                is_cold.store(true, Ordering::Relaxed);
            }
            if end.is_err() {
                break;
            }
        }
        Ok(end)
    }

    /// Goes through the packets that begin before `until`. The inner result is how the segment ended, if it did.
    fn packets(&mut self, reader: &mut SegmentReader, until: u64) -> Result<End, Stop> {
        let window = self.shared.query.searched;
        loop {
            if self.counts.packets_scanned.is_multiple_of(CHECK_EVERY_PACKETS) {
                if self.shared.query.cancel.is_cancelled() {
                    return Err(Stop::Because(ExtractError::cancelled(&self.shared.query.cancel)));
                }
                let read = reader.bytes_read();
                Progress::add(&self.shared.query.progress.bytes_read, read - self.counts.bytes_read);
                self.counts.bytes_read = read;
            }
            if reader.next_offset() >= until {
                return Ok(Ok(None));
            }
            let packet = match reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(Ok(reader.ending())),
                Err(e) => return Ok(Err(e)),
            };
            self.counts.packets_scanned += 1;
            let (first, last) = self.span.get_or_insert((packet.time, packet.time));
            (*first, *last) = (packet.time.min(*first), packet.time.max(*last));
            if !window.contains(packet.time) {
                continue;
            }
            self.counts.packets_in_window += 1;
            if let Some(matcher) = self.shared.matcher {
                if !packet.link_type.is_understood() {
                    self.unknown_links.insert(packet.link_type);
                }
                if !matcher.matches(&PacketKeys::of(packet.link_type, packet.data)) {
                    continue;
                }
            }
            self.counts.packets_matched += 1;
            let number = packet.interface as usize;
            if number >= self.interfaces.len() {
                self.add_interfaces(reader);
                // Borrowed again: the interfaces had to be looked at in between.
                let Some(packet) = reader.current_packet() else { continue };
                self.push(&packet)?;
            } else {
                self.push(&packet)?;
            }
            if self.batch.is_full()
                && let Some(batch) = self.kind.and_then(|kind| self.batch.take(kind, false))
            {
                self.send(batch)?;
            }
        }
    }

    /// What is known of the segment, if all of it was read.
    fn seen(&self) -> Option<Seen> {
        let (packets, file_id) = (self.counts.packets_scanned, self.candidate.segment.file_id);
        self.is_whole.then_some(Seen { file_id, packets, span: self.span })
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<(), Stop> {
        let encoding = self.shared.encoding;
        let (kind, number, snaplen) = self.interfaces[packet.interface as usize];
        if !encoding.is_pcapng() && (self.kind.is_some_and(|k| k != kind) || !fits_pcap(packet.time)) {
            return Err(Stop::Because(ExtractError::KindsDiffer));
        }
        self.kind = Some(kind);
        let captured = packet.data.len().min(self.shared.query.snaplen.map_or(usize::MAX, |n| n as usize));
        self.batch.push(packet.time, snaplen, |out| encoding.record(out, packet, captured, kind, number));
        Ok(())
    }

    fn add_interfaces(&mut self, reader: &SegmentReader) {
        let (query, root) = (self.shared.query, self.candidate.segment.root);
        for interface in &reader.interfaces()[self.interfaces.len()..] {
            let number = self.shared.encoding.interface_number(root, interface, query.snaplen);
            let own = if interface.snaplen == 0 { SNAPLEN_DEFAULT } else { interface.snaplen };
            let snaplen = own.min(query.snaplen.unwrap_or(u32::MAX));
            self.interfaces.push((Kind::of(interface), number, snaplen));
        }
    }

    fn send(&self, batch: Batch) -> Result<(), Stop> {
        Progress::add(&self.shared.query.progress.packets_matched, batch.entries.len() as u64);
        if (self.merge)(Message::Batch(batch)) { Ok(()) } else { Err(Stop::Unheard) }
    }
}
