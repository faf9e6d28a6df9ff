//! Which span of time a segment covers, learned from a few of its packets.
//!
//! The first packet is at the head. The last one is found from the tail: a place from which record headers chain to
//! the very end of the file is a record's beginning, and a chain that began one record too early has found the right
//! ones by its second. A small file is read whole instead. Where the tail tells nothing (a record cut short, pcapng,
//! a file that grows) the end is open and the segment is searched.
//!
//! The order of packets within a segment is that of the capture, which is nearly that of time: receive queues of one
//! card are a little apart. [`SLACK`] covers that. A clock that was set back further within one large segment is not
//! seen here.

use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::Segment;
use crate::segment::{
    Ending, MAX_PACKET_BYTES, PCAP_HEADER_BYTES, PCAP_RECORD_HEADER_BYTES, PcapHeader, RecordHeader,
    SegmentError, SegmentReader,
};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// How far packets of one segment may be out of order: queues and kernel buffers hold packets for milliseconds.
pub(crate) const SLACK: Duration = Duration::from_secs(2);
/// Files up to this length are read whole: that costs no more than two reads at far places.
const READ_WHOLE_BYTES: u64 = 1 << 20;
/// Bytes read at the tail; several packets of any usual size.
const TAIL_BYTES: u64 = 256 * 1024;
/// Records that the chain at the tail has to have, so that chance cannot make one.
const CHAIN_MIN_RECORDS: usize = 3;
/// Two packets of one segment are never further apart than this (a year): more is not a time but payload.
const SEGMENT_SPAN_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// The span of a segment's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// There is no packet yet.
    Empty,
    /// Earliest and latest; `None` where the end is not known.
    Packets { first: Timestamp, last: Option<Timestamp> },
}

impl Span {
    /// Whether packets of `window` can be among them.
    pub(crate) fn may_overlap(&self, window: Window) -> bool {
        match *self {
            Self::Empty => false,
            Self::Packets { first, last } => window.overlaps(
                first.saturating_sub(SLACK),
                last.map_or(Timestamp::MAX, |last| last.saturating_add(SLACK)),
            ),
        }
    }
}

/// Whether name and modification time agree that `segment` lies outside of `window`, so that it need not be opened.
///
/// Neither is believed alone: a copied file has a later time, a renamed one any name.
pub(crate) fn is_outside_by_name(segment: &Segment, window: Window) -> bool {
    let Some(named) = segment.named_time else { return false };
    if named > segment.modified {
        return false;
    }
    let (first, last) = (named.saturating_sub(SLACK), segment.modified.saturating_add(SLACK));
    !segment.is_open && !window.overlaps(first, last)
}

/// Looks at head and tail of the file that `reader` has just opened.
pub(crate) fn span(segment: &Segment, mut reader: SegmentReader) -> Result<Span, SegmentError> {
    let header = reader.pcap_header();
    let len = reader.file().metadata()?.len();
    let mut first: Option<Timestamp> = None;
    let mut last = first;
    let is_whole_read = len <= READ_WHOLE_BYTES;
    let mut is_damaged = false;
    loop {
        // Damage further on does not spoil what stands before it; the search will report it.
        let packet = match reader.next_packet() {
            Ok(packet) => packet,
            Err(SegmentError::Damaged { .. }) if first.is_some() => {
                is_damaged = true;
                break;
            }
            Err(e) => return Err(e),
        };
        let Some(packet) = packet else { break };
        first = Some(first.map_or(packet.time, |t| t.min(packet.time)));
        last = last.max(Some(packet.time));
        if !is_whole_read {
            break;
        }
    }
    let Some(first) = first else { return Ok(Span::Empty) };
    let is_growing = segment.is_open || matches!(reader.ending(), Some(Ending::Cut(_)));
    let last = match header {
        // Packets may have stood behind the damage.
        _ if is_growing || is_damaged => None,
        _ if is_whole_read => last,
        Some(header) => tail(&header, reader.file(), len, first, End::Whole)?,
        None => None,
    };
    Ok(Span::Packets { first, last })
}

/// Times of the first packet and of the last whole one, of a file that may be growing as well; `None` where nothing tells
/// them. It costs as much as [`span`], whatever the length of the file.
pub(crate) fn ends(segment: &Segment) -> Option<(Timestamp, Timestamp)> {
    let Ok(Span::Packets { first, last }) = segment.span() else { return None };
    let growing_end = || {
        let mut reader = SegmentReader::open(&segment.path).ok()?;
        let len = reader.file().metadata().ok()?.len();
        if len <= READ_WHOLE_BYTES {
            let mut last = None;
            while let Ok(Some(packet)) = reader.next_packet() {
                last = last.max(Some(packet.time));
            }
            return last;
        }
        tail(&reader.pcap_header()?, reader.file(), len, first, End::Open).ok()?
    };
    Some((first, last.or_else(growing_end)?))
}

/// How a chain of records has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With the last byte.
    Whole,
    /// Also inside a record, or in zeros: the file grows.
    Open,
}

/// The latest time among the last records of a pcap file.
fn tail(
    header: &PcapHeader,
    file: &std::fs::File,
    len: u64,
    first: Timestamp,
    end: End,
) -> io::Result<Option<Timestamp>> {
    let from = len.saturating_sub(TAIL_BYTES).max(PCAP_HEADER_BYTES as u64);
    let mut bytes = vec![0; (len - from) as usize];
    match file.read_exact_at(&mut bytes, from) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    // A record that begins this far into the tail is there, if the tail has whole records at all.
    let starts = bytes.len().min(MAX_PACKET_BYTES as usize + PCAP_RECORD_HEADER_BYTES);
    let mut chains = Chains::new(header, &bytes, first, end);
    Ok((0..starts).find_map(|start| chains.latest(start)))
}

/// Chains of records to the end of some bytes. Each place is followed once, however many chains lead to it: a tail of tiny
/// records, or of payload that looks like them, costs no more than any other.
struct Chains<'b> {
    header: &'b PcapHeader,
    bytes: &'b [u8],
    plausible: RangeInclusive<Timestamp>,
    end: End,
    /// Places from which no chain leads to the end.
    is_dead: Vec<bool>,
    /// Places of the chain that is followed.
    walked: Vec<usize>,
}

impl<'b> Chains<'b> {
    fn new(header: &'b PcapHeader, bytes: &'b [u8], first: Timestamp, end: End) -> Self {
        let plausible = first.saturating_sub(SEGMENT_SPAN_MAX)..=first.saturating_add(SEGMENT_SPAN_MAX);
        Self { header, bytes, plausible, end, is_dead: vec![false; bytes.len()], walked: Vec::new() }
    }

    /// Follows records from `start` to the last byte: the latest time of all but the first of them, which could be payload
    /// that looks like a record. `None` unless the chain ends with the bytes.
    fn latest(&mut self, start: usize) -> Option<Timestamp> {
        self.walked.clear();
        let (mut at, mut latest) = (start, None);
        while at < self.bytes.len() {
            let Some(record) = self.record(at) else {
                if self.is_end(at) {
                    break;
                }
                self.walked.iter().for_each(|&place| self.is_dead[place] = true);
                return None;
            };
            if !self.walked.is_empty() {
                latest = latest.max(Some(record.time));
            }
            self.walked.push(at);
            at += PCAP_RECORD_HEADER_BYTES + record.captured as usize;
        }
        if self.walked.len() >= CHAIN_MIN_RECORDS { latest } else { None }
    }

    /// The record at `at`, if it can be one that ends within the bytes.
    fn record(&self, at: usize) -> Option<RecordHeader> {
        let bytes = &self.bytes[at..];
        let record = self.header.record(bytes.first_chunk()?);
        let is_record = !self.is_dead[at]
            && self.can_be(&record)
            && PCAP_RECORD_HEADER_BYTES + record.captured as usize <= bytes.len();
        is_record.then_some(record)
    }

    fn can_be(&self, record: &RecordHeader) -> bool {
        record.captured <= MAX_PACKET_BYTES
            && record.captured <= record.original.max(self.header.snaplen)
            && self.plausible.contains(&record.time)
    }

    /// Whether a file that grows can end with what stands at `at`: part of a record, or zeros.
    fn is_end(&self, at: usize) -> bool {
        if self.end == End::Whole || self.is_dead[at] {
            return false;
        }
        let bytes = &self.bytes[at..];
        if bytes.iter().all(|&byte| byte == 0) {
            return true;
        }
        match bytes.first_chunk() {
            None => true,
            Some(head) => {
                let record = self.header.record(head);
                self.can_be(&record) && PCAP_RECORD_HEADER_BYTES + record.captured as usize > bytes.len()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "the numbers of these tests are small")]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::catalog::Catalog;
    use pcapx_testkit::capture::{Packet, Pcap};
    use proptest::prelude::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_772_356_200 + secs)
    }

    fn span_of(path: &Path) -> Span {
        let catalog = Catalog::open(&[path]).unwrap();
        span(&catalog.segments()[0], SegmentReader::open(path).unwrap()).unwrap()
    }

    /// More than [`READ_WHOLE_BYTES`], so that head and tail are all that is looked at.
    fn large() -> Vec<Packet> {
        (0..2000).map(|n| Packet::new(at(n), vec![n as u8; 900])).collect()
    }

    #[test]
    fn the_last_packet_of_a_large_file_is_found_from_its_tail() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap");
        for form in Pcap::forms() {
            let bytes = form.encode(&large());
            assert!(bytes.len() as u64 > READ_WHOLE_BYTES);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(span_of(&path), Span::Packets { first: at(0), last: Some(at(1999)) });
            // Cut inside the last record, the end is open.
            std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
            assert_eq!(span_of(&path), Span::Packets { first: at(0), last: None });
        }
    }

    /// Each of the 262 144 places begins a chain of thousands of records that breaks at the very end.
    #[test]
    fn a_tail_in_which_everything_looks_like_a_record_is_looked_through_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap");
        let first = Packet { orig_len: 1, ..Packet::new(Timestamp::from_secs(0), Vec::new()) };
        let mut bytes = Pcap::new().encode(&[first]);
        bytes.resize(READ_WHOLE_BYTES as usize + 1, 0);
        bytes.extend([0xff; PCAP_RECORD_HEADER_BYTES]);
        std::fs::write(&path, &bytes).unwrap();
        let begun = Instant::now();
        let span = span_of(&path);
        assert_eq!(span, Span::Packets { first: Timestamp::from_secs(0), last: None });
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_small_file_is_read_whole_whatever_its_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap");
        let packets: Vec<_> = [5, 9, 1, 7].map(|n| Packet::new(at(n), vec![0; 60])).into();
        Pcap::new().write(&path, &packets);
        assert_eq!(span_of(&path), Span::Packets { first: at(1), last: Some(at(9)) });
        Pcap::new().write(&path, &[]);
        assert_eq!(span_of(&path), Span::Empty);
    }

    #[test]
    fn a_file_that_is_being_written_has_no_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap.tmp");
        Pcap::new().write(&path, &large());
        assert_eq!(span_of(&path), Span::Packets { first: at(0), last: None });
    }

    #[test]
    fn a_name_is_believed_only_with_the_files_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1772356200.000000.pcap");
        Pcap::new().write(&path, &[Packet::new(at(0), vec![0; 60])]);
        let written = |secs: i64| {
            let time = std::time::UNIX_EPOCH + Duration::from_secs((1_772_356_200 + secs) as u64);
            std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
            Catalog::open(&[path.as_path()]).unwrap().segments()[0].clone()
        };
        let asked = Window::new(at(1000), at(2000)).unwrap();
        assert!(is_outside_by_name(&written(300), asked), "written from 0 to 300");
        assert!(!is_outside_by_name(&written(1500), asked), "written from 0 to 1500");
        assert!(
            !is_outside_by_name(&written(-10), asked),
            "written before its name's time: the name is wrong"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// Whatever packets are made of – also of bytes that look like records – the tail tells the last time or nothing.
        #[test]
        fn the_tail_tells_the_last_time_or_nothing(
            sizes in prop::collection::vec(0..1500_usize, 900..1400), nanos: bool, decoy: bool,
        ) {
            let form = if nanos { Pcap::new().nanos() } else { Pcap::new() };
            let record = form.encode(&[Packet::new(at(-40), vec![0; 4])])[24..].to_vec();
            let packets: Vec<_> = sizes.iter().enumerate().map(|(n, &size)| {
                let data = if decoy { record.iter().copied().cycle().take(size).collect() } else { vec![n as u8; size] };
                Packet::new(at(n as i64), data)
            }).collect();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.pcap");
            form.write(&path, &packets);
            let Span::Packets { last, .. } = span_of(&path) else { panic!("no span") };
            prop_assert!(last.is_none_or(|t| t == at(sizes.len() as i64 - 1)), "{last:?}");
        }
    }
}
