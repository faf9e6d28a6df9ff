//! Capture files: whatever their bytes are, they are read once, to an end, and every time to the same one.
//!
//! Held against three readings: one of the whole file, one of a file that grows while it is read, and for pcap one by
//! the strict reader of the tests, which shares no code with ours.

use std::io::Write as _;

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{ReadError, read_pcap};
use pcapx_timeline::link::LinkType;
use pcapx_timeline::segment::{
    Ending, MAX_PACKET_BYTES, PCAP_HEADER_BYTES, PCAP_RECORD_HEADER_BYTES, SegmentError, SegmentReader,
};

use crate::memory;
use crate::stretch::Stretched;

/// Longer than the largest read and than the longest record; short enough for some thousand files in a second.
const MAX_FILE_BYTES: usize = 1 << 20;
/// The least that a packet takes in any of the formats: a simple packet block without a byte of it.
const MIN_RECORD_BYTES: usize = 16;

/// Reads the capture file that `input` stands for.
pub fn check(input: &[u8]) {
    let Stretched { bytes, place, .. } = Stretched::new(input, MAX_FILE_BYTES);
    let whole = Reading::of(&bytes);
    whole.check(&bytes);
    growing(&bytes, place, &whole);
    if bytes.first() != Some(&0x0a) {
        as_the_strict_reader(&bytes, &whole);
    }
}

/// A packet, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    time: Timestamp,
    data: Vec<u8>,
    orig_len: u32,
    link_type: LinkType,
    interface: u32,
}

/// How reading came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// The header was refused.
    Refused(String),
    Ended(Ending),
    Damaged(u64, &'static str),
}

/// All that one pass over a file gives.
#[derive(Debug)]
struct Reading {
    packets: Vec<Packet>,
    end: End,
}

impl Reading {
    fn of(bytes: &[u8]) -> Self {
        let mut reader = match SegmentReader::new(memory::file(bytes)) {
            Ok(reader) => reader,
            Err(error) => return Self { packets: Vec::new(), end: End::Refused(error.to_string()) },
        };
        let mut packets = Vec::new();
        let end = drain(&mut reader, bytes.len(), &mut packets);
        assert_eq!(drain(&mut reader, bytes.len(), &mut packets), end, "asked again, the end is another");
        Self { packets, end }
    }

    /// What holds for every file.
    fn check(&self, bytes: &[u8]) {
        let kept: usize = self.packets.iter().map(|packet| packet.data.len()).sum();
        let least = self.packets.len() * MIN_RECORD_BYTES + kept;
        assert!(least <= bytes.len(), "{least} bytes of packets in a file of {}", bytes.len());
        let is_pcap = bytes.first() != Some(&0x0a);
        let end = match self.end {
            End::Refused(_) => return,
            End::Ended(Ending::Whole) => bytes.len() as u64,
            End::Ended(Ending::Cut(at)) | End::Damaged(at, _) => at,
        };
        assert!(end <= bytes.len() as u64, "ends at {end}, behind the file's end");
        if is_pcap {
            let records = self.packets.len() * PCAP_RECORD_HEADER_BYTES + kept;
            assert_eq!(end, (PCAP_HEADER_BYTES + records) as u64, "what was read does not end where it says");
        } else {
            assert!(
                end.is_multiple_of(4) || self.end == End::Ended(Ending::Whole),
                "{end} is no block's place"
            );
        }
    }
}

/// Reads what is left of a file that has `len` bytes by now.
fn drain(reader: &mut SegmentReader, len: usize, packets: &mut Vec<Packet>) -> End {
    let end = loop {
        assert!(packets.len() <= len / MIN_RECORD_BYTES, "more packets than the file has room for");
        match reader.next_packet() {
            Ok(Some(packet)) => {
                assert!(packet.data.len() <= MAX_PACKET_BYTES as usize, "a packet of {}", packet.data.len());
                packets.push(Packet {
                    time: packet.time,
                    data: packet.data.to_vec(),
                    orig_len: packet.orig_len,
                    link_type: packet.link_type,
                    interface: packet.interface,
                });
            }
            Ok(None) => break End::Ended(reader.ending().expect("an end that is told")),
            Err(SegmentError::Damaged { offset, what }) => break End::Damaged(offset, what),
            Err(error) => panic!("a file in memory cannot be read: {error}"),
        }
        let (last, again) = (packets.last(), reader.current_packet());
        assert_eq!(last.map(|packet| packet.data.as_slice()), again.map(|packet| packet.data));
    };
    assert!(reader.current_packet().is_none(), "a packet behind the last one");
    assert!(reader.bytes_read() <= len as u64, "{} of {len} bytes read", reader.bytes_read());
    for packet in &*packets {
        let interface = &reader.interfaces()[packet.interface as usize];
        assert_eq!(interface.link_type, packet.link_type);
    }
    end
}

/// A file that has `place` bytes when it is opened, and all of them later, gives the same packets.
fn growing(bytes: &[u8], place: usize, whole: &Reading) {
    let mut file = memory::file(&bytes[..place]);
    let mut reader = match SegmentReader::new(file.try_clone().expect("a second handle")) {
        Ok(reader) => reader,
        Err(SegmentError::TooShort { bytes }) => {
            assert_eq!(bytes, place as u64);
            return;
        }
        Err(error) => return assert_eq!(whole.end, End::Refused(error.to_string())),
    };
    let mut packets = Vec::new();
    let mut end = drain(&mut reader, place, &mut packets);
    if matches!(end, End::Ended(_)) {
        file.write_all(&bytes[place..]).expect("room in memory");
        end = drain(&mut reader, bytes.len(), &mut packets);
    }
    assert_eq!(end, whole.end, "grown from {place} bytes, the file ends otherwise");
    assert_eq!(packets, whole.packets, "grown from {place} bytes, the file has other packets");
}

/// The strict reader knows no damage: it reads until the file ends, and so must we up to the place where we stop.
fn as_the_strict_reader(bytes: &[u8], whole: &Reading) {
    match read_pcap(bytes) {
        Ok(strict) => {
            assert!(!matches!(whole.end, End::Refused(_)), "refused: {:?}", whole.end);
            assert!(whole.packets.len() <= strict.packets.len());
            for (ours, theirs) in whole.packets.iter().zip(&strict.packets) {
                let theirs = (theirs.time, &theirs.data, theirs.orig_len, strict.link);
                assert_eq!((ours.time, &ours.data, ours.orig_len, u32::from(ours.link_type.0)), theirs);
            }
            match (strict.packets.get(whole.packets.len()), &whole.end) {
                (None, End::Ended(Ending::Whole)) => {}
                // Sixteen zeros, as in a preallocated file.
                (Some(next), End::Ended(Ending::Cut(_))) => {
                    assert_eq!((next.time.as_nanos(), next.data.len(), next.orig_len), (0, 0, 0));
                }
                (Some(next), End::Damaged(..)) => assert!(next.data.len() > MAX_PACKET_BYTES as usize),
                (next, end) => panic!("{end:?}, and the strict reader goes on with {next:?}"),
            }
        }
        Err(ReadError::Cut { offset }) => match whole.end {
            End::Ended(Ending::Cut(at)) | End::Damaged(at, _) => assert!(at <= offset as u64),
            ref end => panic!("{end:?} of a file that is cut at {offset}"),
        },
        Err(ReadError::NoPcap) => assert!(matches!(whole.end, End::Refused(_)), "{:?}", whole.end),
    }
}
