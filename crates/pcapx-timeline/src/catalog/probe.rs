//! Which span of time a segment covers, learned from a few of its packets.
//!
//! The first packet is at the head, the last one is found from [its tail](super::tail). A small file is read whole
//! instead. Where the tail tells nothing (a record cut short, a file that grows) the end is open and the segment is
//! searched.
//!
//! The order of packets within a segment is that of the capture, which is nearly that of time: receive queues of one
//! card are a little apart. [`SLACK`] covers that. A clock that was set back further within one large segment is not
//! seen here.

use std::time::Duration;

use super::Segment;
use super::tail::{self, End};
use crate::segment::{Ending, SegmentError, SegmentReader};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// How far packets of one segment may be out of order: queues and kernel buffers hold packets for milliseconds.
pub(crate) const SLACK: Duration = Duration::from_secs(2);
/// Files up to this length are read whole: that costs no more than two reads at far places.
const READ_WHOLE_BYTES: u64 = 1 << 20;
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
    let last = match () {
        // Packets may have stood behind the damage.
        () if is_growing || is_damaged => None,
        () if is_whole_read => last,
        () => tail::latest(&reader, len, first, End::Whole)?,
    };
    Ok(Span::Packets { first, last })
}

/// Times of the first packet and of the last whole one, of a file that may be growing as well; `None` where nothing tells
/// them. It costs as much as [`span`], whatever the length of the file.
pub(crate) fn ends(segment: &Segment) -> Option<(Timestamp, Timestamp)> {
    let Ok(Span::Packets { first, last }) = segment.span() else { return None };
    let growing_end = || {
        let mut reader = SegmentReader::new(segment.open().ok()?).ok()?;
        let len = reader.file().metadata().ok()?.len();
        if len <= READ_WHOLE_BYTES {
            let mut last = None;
            while let Ok(Some(packet)) = reader.next_packet() {
                last = last.max(Some(packet.time));
            }
            return last;
        }
        // A pcapng file names its interfaces in front of the first packet.
        reader.next_packet().ok()?;
        tail::latest(&reader, len, first, End::Open).ok()?
    };
    Some((first, last.or_else(growing_end)?))
}

#[cfg(test)]
#[allow(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "the numbers of these tests are small")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::catalog::Catalog;
    use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng};
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

    #[test]
    fn the_last_packet_of_a_large_pcapng_file_is_found_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcapng");
        let interface = || Interface::new().resolution(9);
        for order in [Pcapng::little_endian, Pcapng::big_endian] {
            // Names, statistics and simple packets stand between and behind.
            let mut file = order().interface(interface()).interface(Interface::new());
            for (n, packet) in large().into_iter().enumerate() {
                file = file.packet((n % 2) as u32, packet.time, &packet.data).block(4, &[0; 4]);
            }
            let file = file.simple_packet(&[1; 60]).block(5, &[0; 12]);
            let bytes = file.clone().finish();
            assert!(bytes.len() as u64 > READ_WHOLE_BYTES);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(span_of(&path), Span::Packets { first: at(0), last: Some(at(1999)) });
            let ends = || ends(&Catalog::open(&[&path]).unwrap().segments()[0]);
            for cut in [1, 24 + 40, 24 + 72 + 16 + 20] {
                std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
                assert_eq!(span_of(&path), Span::Packets { first: at(0), last: None });
                let last = if cut > 100 { 1998 } else { 1999 };
                assert_eq!(ends(), Some((at(0), at(last))), "{cut}");
            }
            // Of another section nothing is known, nor of an interface that is named further on.
            for more in [
                file.clone().next_section_big_endian().interface(interface()).packet(0, at(5000), &[0; 60]),
                file.interface(interface()).packet(2, at(5000), &[0; 60]),
            ] {
                std::fs::write(&path, more.finish()).unwrap();
                assert_eq!(span_of(&path), Span::Packets { first: at(0), last: None });
            }
        }
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
