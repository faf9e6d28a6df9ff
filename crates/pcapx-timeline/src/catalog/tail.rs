//! The last packet of a large file, from its tail alone.
//!
//! A place from which records chain to the very end of the file is a record's beginning, and a chain that began one record
//! too early – in payload that looks like one – has found the right ones by its second. A file that grows ends inside a
//! record or in zeros; the chain may end there, too, if that is asked for.

use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::segment::{
    Interface, MAX_PACKET_BYTES, PCAP_HEADER_BYTES, PCAP_RECORD_HEADER_BYTES, PcapHeader, Section,
    SegmentReader,
};
use pcapx_core::time::Timestamp;

/// Bytes read at the tail; several packets of any usual size.
const TAIL_BYTES: u64 = 256 * 1024;
/// Records that the chain has to have, so that chance cannot make one.
const CHAIN_MIN_RECORDS: usize = 3;
/// Two packets of one segment are never further apart than this (a year): more is not a time but payload.
const SEGMENT_SPAN_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// How a chain has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With the last byte.
    Whole,
    /// Also inside a record, or in zeros: the file grows.
    Open,
}

/// The latest time among the last records of a file of `len` bytes, of which `reader` has read the first packet, at
/// `first`. `None` where the tail does not tell.
pub(super) fn latest(
    reader: &SegmentReader,
    len: u64,
    first: Timestamp,
    end: End,
) -> io::Result<Option<Timestamp>> {
    let form = match (reader.pcap_header(), reader.section()) {
        (Some(header), _) => Form::Pcap(header),
        (None, Some(section)) => Form::Pcapng(section, reader.interfaces()),
        (None, None) => return Ok(None),
    };
    // Blocks of pcapng begin at multiples of four bytes.
    let from =
        len.saturating_sub(TAIL_BYTES).max(PCAP_HEADER_BYTES as u64).next_multiple_of(form.step() as u64);
    let mut bytes = vec![0; len.saturating_sub(from) as usize];
    match reader.file().read_exact_at(&mut bytes, from) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    // A record that begins this far into the tail is there, if the tail has whole records at all.
    let starts = bytes.len().min(MAX_PACKET_BYTES as usize + PCAP_RECORD_HEADER_BYTES);
    let step = form.step();
    let plausible = first.saturating_sub(SEGMENT_SPAN_MAX)..=first.saturating_add(SEGMENT_SPAN_MAX);
    let is_dead = vec![false; bytes.len()];
    let mut chains = Chains { form, bytes: &bytes, plausible, end, is_dead, walked: Vec::new() };
    Ok((0..starts).step_by(step).find_map(|start| chains.latest(start)))
}

/// What records look like.
#[derive(Clone, Copy, Debug)]
enum Form<'r> {
    Pcap(PcapHeader),
    Pcapng(&'r Section, &'r [Interface]),
}

/// A record that can stand at a place; it may reach beyond what is there.
struct Link {
    len: usize,
    /// `None` for a block that is no packet, or has no time.
    time: Option<Timestamp>,
}

impl Form<'_> {
    fn step(self) -> usize {
        match self {
            Self::Pcap(_) => 1,
            Self::Pcapng(..) => 4,
        }
    }

    fn link(self, bytes: &[u8]) -> Option<Link> {
        match self {
            Self::Pcap(header) => {
                let record = header.record(bytes.first_chunk()?);
                let is_record = record.captured <= MAX_PACKET_BYTES
                    && record.captured <= record.original.max(header.snaplen);
                let len = PCAP_RECORD_HEADER_BYTES + record.captured as usize;
                is_record.then_some(Link { len, time: Some(record.time) })
            }
            Self::Pcapng(section, interfaces) => {
                let (len, time) = section.block_at(bytes, interfaces)?;
                Some(Link { len, time })
            }
        }
    }
}

/// Chains of records to the end of some bytes. Each place is followed once, however many chains lead to it: a tail of tiny
/// records, or of payload that looks like them, costs no more than any other.
struct Chains<'b> {
    form: Form<'b>,
    bytes: &'b [u8],
    plausible: RangeInclusive<Timestamp>,
    end: End,
    /// Places from which no chain leads to the end.
    is_dead: Vec<bool>,
    /// Places of the chain that is followed.
    walked: Vec<usize>,
}

impl Chains<'_> {
    /// Follows records from `start` to the last byte: the latest time of all but the first of them, which could be payload
    /// that looks like a record. `None` unless the chain ends with the bytes.
    fn latest(&mut self, start: usize) -> Option<Timestamp> {
        self.walked.clear();
        let (mut at, mut latest) = (start, None);
        while at < self.bytes.len() {
            match self.link(at) {
                Some(link) if link.len <= self.bytes.len() - at => {
                    if !self.walked.is_empty() {
                        latest = latest.max(link.time);
                    }
                    self.walked.push(at);
                    at += link.len;
                }
                cut if self.is_end(at, cut.is_some()) => break,
                _ => {
                    self.walked.iter().for_each(|&place| self.is_dead[place] = true);
                    return None;
                }
            }
        }
        if self.walked.len() >= CHAIN_MIN_RECORDS { latest } else { None }
    }

    /// The record that can stand at `at`.
    fn link(&self, at: usize) -> Option<Link> {
        let link = self.form.link(&self.bytes[at..]).filter(|_| !self.is_dead[at])?;
        link.time.is_none_or(|time| self.plausible.contains(&time)).then_some(link)
    }

    /// Whether a file that grows can end with what stands at `at`: part of a record, or zeros.
    fn is_end(&self, at: usize, is_record: bool) -> bool {
        let rest = &self.bytes[at..];
        self.end == End::Open
            && (is_record || rest.len() < PCAP_RECORD_HEADER_BYTES || rest.iter().all(|&byte| byte == 0))
    }
}
