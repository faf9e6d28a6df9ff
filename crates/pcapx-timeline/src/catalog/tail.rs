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
    let mut chains = Chains::new(form, &bytes, plausible, end);
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

/// What is known of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Unknown,
    /// No chain leads from here to the end.
    Dead,
    /// So many records stand from here to the end, [`CHAIN_MIN_RECORDS`] or more where it says that, and none has a time.
    Timeless(usize),
}

/// Chains of records to the end of some bytes. Each place is followed once, however many chains lead to it: a tail of tiny
/// records, or of payload that looks like them, costs no more than any other.
struct Chains<'b> {
    form: Form<'b>,
    bytes: &'b [u8],
    plausible: RangeInclusive<Timestamp>,
    end: End,
    /// Where the zeros at the end of the bytes begin.
    zeros: usize,
    places: Vec<Place>,
    /// Places of the chain that is followed, and whether the record there has a time.
    walked: Vec<(usize, bool)>,
    /// Records that were looked at.
    #[cfg(test)]
    looked_at: std::cell::Cell<usize>,
}

impl<'b> Chains<'b> {
    fn new(form: Form<'b>, bytes: &'b [u8], plausible: RangeInclusive<Timestamp>, end: End) -> Self {
        Self {
            form,
            bytes,
            plausible,
            end,
            zeros: bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1),
            places: vec![Place::Unknown; bytes.len()],
            walked: Vec::new(),
            #[cfg(test)]
            looked_at: std::cell::Cell::default(),
        }
    }

    /// Follows records from `start` to the last byte: the latest time of all but the first of them, which could be payload
    /// that looks like a record. `None` unless the chain ends with the bytes.
    fn latest(&mut self, start: usize) -> Option<Timestamp> {
        self.walked.clear();
        let (mut at, mut latest, mut beyond) = (start, None, 0);
        while at < self.bytes.len() {
            if let Place::Timeless(records) = self.places[at] {
                beyond = records;
                break;
            }
            match self.link(at) {
                Some(link) if link.len <= self.bytes.len() - at => {
                    if !self.walked.is_empty() {
                        latest = latest.max(link.time);
                    }
                    self.walked.push((at, link.time.is_some()));
                    at += link.len;
                }
                cut if self.is_end(at, cut.is_some()) => break,
                _ => {
                    self.walked.iter().for_each(|&(place, _)| self.places[place] = Place::Dead);
                    return None;
                }
            }
        }
        let records = self.walked.len() + beyond;
        if latest.is_none() {
            for (n, &(place, has_time)) in self.walked.iter().enumerate() {
                if !has_time {
                    self.places[place] = Place::Timeless((records - n).min(CHAIN_MIN_RECORDS));
                }
            }
        }
        if records >= CHAIN_MIN_RECORDS { latest } else { None }
    }

    /// The record that can stand at `at`.
    fn link(&self, at: usize) -> Option<Link> {
        #[cfg(test)]
        self.looked_at.set(self.looked_at.get() + 1);
        let link = self.form.link(&self.bytes[at..]).filter(|_| self.places[at] != Place::Dead)?;
        link.time.is_none_or(|time| self.plausible.contains(&time)).then_some(link)
    }

    /// Whether a file that grows can end with what stands at `at`: part of a record, or zeros.
    fn is_end(&self, at: usize, is_record: bool) -> bool {
        let rest = self.bytes.len() - at;
        self.end == End::Open && (is_record || rest < PCAP_RECORD_HEADER_BYTES || at >= self.zeros)
    }
}

#[cfg(test)]
mod tests {
    use pcapx_testkit::capture::{Interface as Described, Packet, Pcap, Pcapng};

    use super::*;

    /// The latest time that the bytes behind the head of a capture tell, and how many records were looked at for each byte.
    fn search(capture: &[u8], end: End) -> (Option<Timestamp>, f64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, capture).unwrap();
        let mut reader = SegmentReader::open(&path).unwrap();
        let first = reader.next_packet().unwrap().unwrap().time;
        let form = match reader.pcap_header() {
            Some(header) => Form::Pcap(header),
            None => Form::Pcapng(reader.section().unwrap(), reader.interfaces()),
        };
        let bytes = &capture[reader.next_offset() as usize..];
        let plausible = first.saturating_sub(SEGMENT_SPAN_MAX)..=first.saturating_add(SEGMENT_SPAN_MAX);
        let mut chains = Chains::new(form, bytes, plausible, end);
        let latest = (0..bytes.len()).step_by(form.step()).find_map(|start| chains.latest(start));
        (latest, chains.looked_at.get() as f64 / bytes.len() as f64)
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// Each place begins a chain of thousands of records that breaks at the very end.
    #[test]
    fn a_tail_in_which_everything_looks_like_a_record_is_looked_through_once() {
        let first = Packet { orig_len: 1, ..Packet::new(at(0), Vec::new()) };
        let mut bytes = Pcap::new().encode(&[first]);
        bytes.resize(TAIL_BYTES as usize, 0);
        bytes.extend([0xff; PCAP_RECORD_HEADER_BYTES]);
        let (latest, looked_at) = search(&bytes, End::Whole);
        assert!(latest.is_none() && looked_at <= 2.0, "{latest:?} {looked_at}");
    }

    /// No place begins a record, and each one is asked whether zeros are all that follows.
    #[test]
    fn a_tail_of_zeros_in_front_of_its_last_byte_is_looked_through_once() {
        let mut bytes = Pcap::new().encode(&[Packet::new(at(1_772_356_200), vec![1; 60])]);
        bytes.resize(TAIL_BYTES as usize, 0);
        assert_eq!(search(&bytes, End::Open).0, None, "one record makes no chain");
        bytes.push(1);
        let (latest, looked_at) = search(&bytes, End::Open);
        assert!(latest.is_none() && looked_at <= 2.0, "{latest:?} {looked_at}");
    }

    /// Chains lead to the end, but nothing in them has a time.
    #[test]
    fn a_tail_of_blocks_without_a_time_is_looked_through_once() {
        let file = Pcapng::little_endian().interface(Described::new().resolution(9));
        let mut file = file.packet(0, at(5), &[0; 60]).packet(0, at(7), &[0; 60]);
        for _ in 0..TAIL_BYTES / 12 {
            file = file.block(5, &[]);
        }
        let bytes = file.finish();
        for end in [End::Whole, End::Open] {
            let (latest, looked_at) = search(&bytes, end);
            // The only packet begins the chain.
            assert!(latest.is_none() && looked_at <= 2.0, "{end:?} {latest:?} {looked_at}");
        }
    }

    /// A chain that begins in what another has found to be without times still has its own.
    #[test]
    fn packets_in_front_of_blocks_without_a_time_are_found() {
        let file = Pcapng::little_endian().interface(Described::new().resolution(9));
        let mut file = file.packet(0, at(5), &[0; 60]).packet(0, at(7), &[0; 60]).packet(0, at(6), &[0; 60]);
        for records in 0..5 {
            let expected = if records == 0 { None } else { Some(at(6)) };
            assert_eq!(search(&file.clone().finish(), End::Whole).0, expected, "{records}");
            file = file.block(5, &[]);
        }
    }
}
