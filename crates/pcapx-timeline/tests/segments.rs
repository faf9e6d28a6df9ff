//! Every form a segment can have is read to the same packets, and everything else is told by name.

#![allow(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "the numbers of these tests are small")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng, link};
use pcapx_timeline::link::LinkType;
use pcapx_timeline::segment::{Ending, MAX_PACKET_BYTES, SegmentError, SegmentReader};
use proptest::prelude::*;

/// Microseconds only, so that every format can hold them.
fn packets() -> Vec<Packet> {
    (0..50_u8)
        .map(|n| {
            let time = Timestamp::from_nanos(1_772_356_272_000_000_000 + i64::from(n) * 1_000_001_000);
            Packet::new(time, vec![n; 60 + usize::from(n) * 7])
        })
        .collect()
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

type Read = (Vec<Packet>, Result<Option<Ending>, SegmentError>);

fn read(path: &Path) -> Read {
    let mut reader = match SegmentReader::open(path) {
        Ok(reader) => reader,
        Err(e) => return (Vec::new(), Err(e)),
    };
    let mut packets = Vec::new();
    loop {
        match reader.next_packet() {
            Ok(Some(p)) => packets.push(Packet { time: p.time, data: p.data.to_vec(), orig_len: p.orig_len }),
            Ok(None) => return (packets, Ok(reader.ending())),
            Err(e) => return (packets, Err(e)),
        }
    }
}

fn read_bytes(bytes: &[u8]) -> Read {
    let dir = tempfile::tempdir().unwrap();
    read(&file(dir.path(), "segment", bytes))
}

#[test]
fn pcap_in_every_precision_and_byte_order() {
    for form in Pcap::forms() {
        let (read, end) = read_bytes(&form.encode(&packets()));
        assert_eq!(read, packets(), "{form:?}");
        assert_eq!(end.unwrap(), Some(Ending::Whole));
    }
}

#[test]
fn pcapng_with_several_interfaces_sections_and_resolutions() {
    for big in [false, true] {
        let mut ng = if big { Pcapng::big_endian() } else { Pcapng::little_endian() };
        ng = ng
            .interface(Interface::new())
            .interface(Interface::new().resolution(9))
            .interface(Interface::new().resolution(9).offset_secs(1_000_000_000))
            .interface(Interface::new().resolution(0b1001_1110).link_type(link::RAW))
            .block(4, &[0; 8])
            .block(0x0bad, &vec![7; 400_000]);
        let wanted = packets();
        for (n, p) in wanted.iter().enumerate() {
            ng = ng.packet(n as u32 % 3, p.time, &p.data).block(5, &[0; 12]);
        }
        ng = if big { ng.next_section_little_endian() } else { ng.next_section_big_endian() };
        ng = ng.interface(Interface::new().resolution(9).link_type(link::LINUX_SLL));
        for p in &wanted {
            ng = ng.packet(0, p.time, &p.data);
        }
        let (read, end) = read_bytes(&ng.finish());
        assert_eq!(read, [wanted.clone(), wanted].concat());
        assert_eq!(end.unwrap(), Some(Ending::Whole));
    }
}

#[test]
fn pcapng_packets_know_their_interface_across_sections() {
    let t = Timestamp::from_secs(5);
    let bytes = Pcapng::little_endian()
        .interface(Interface::new().link_type(link::RAW))
        .packet(0, t, &[1])
        .next_section_big_endian()
        .interface(Interface::new().link_type(link::LINUX_SLL2))
        .interface(Interface::new().link_type(link::ETHERNET))
        .packet(1, t, &[2])
        .packet(0, t, &[3])
        .finish();
    let dir = tempfile::tempdir().unwrap();
    let mut reader = SegmentReader::open(&file(dir.path(), "x", &bytes)).unwrap();
    let mut links = Vec::new();
    while let Some(p) = reader.next_packet().unwrap() {
        links.push((p.data[0], p.link_type, p.interface));
    }
    assert_eq!(links, [(1, LinkType::RAW, 0), (2, LinkType::ETHERNET, 2), (3, LinkType::LINUX_SLL2, 1)]);
    assert_eq!(reader.interfaces().len(), 3);
}

#[test]
fn pcapng_simple_and_obsolete_packet_blocks() {
    let t = Timestamp::from_nanos(1_500_000_000);
    let bytes = Pcapng::little_endian()
        .interface(Interface::new().snaplen(10))
        .obsolete_packet(0, 7, t, &[9; 5])
        .simple_packet(&[8; 33])
        .packet_in_units(0, 2_000_000, &[7; 3], 1500, "seen at the door")
        .finish();
    let (read, end) = read_bytes(&bytes);
    let wanted = [
        Packet { time: t, data: vec![9; 5], orig_len: 5 },
        Packet { time: Timestamp::from_nanos(0), data: vec![8; 10], orig_len: 33 },
        Packet { time: Timestamp::from_secs(2), data: vec![7; 3], orig_len: 1500 },
    ];
    assert_eq!(read, wanted);
    assert_eq!(end.unwrap(), Some(Ending::Whole));
}

#[test]
fn snapped_packets_keep_their_length_on_the_wire() {
    let (read, _) = read_bytes(&Pcap::new().snaplen(64).encode(&packets()));
    for (got, wanted) in read.iter().zip(packets()) {
        assert_eq!((got.data.len(), got.orig_len), (wanted.data.len().min(64), wanted.orig_len));
    }
}

/// Cut anywhere, a file gives all whole records in front of the cut, and says where it was cut.
#[test]
fn a_file_cut_at_any_byte_gives_its_whole_records() {
    let packets = &packets()[..6];
    let ng = packets
        .iter()
        .fold(Pcapng::little_endian().interface(Interface::new()), |ng, p| ng.packet(0, p.time, &p.data));
    for whole in [Pcap::new().encode(packets), Pcap::new().big_endian().nanos().encode(packets), ng.finish()]
    {
        let dir = tempfile::tempdir().unwrap();
        let mut last = 0;
        for len in 0..=whole.len() {
            let (read, end) = read(&file(dir.path(), "cut", &whole[..len]));
            assert_eq!(read, packets[..read.len()]);
            assert!(read.len() >= last, "a longer file gave fewer packets");
            last = read.len();
            match end {
                Ok(Some(Ending::Cut(at))) => assert!(at < len as u64),
                Ok(Some(Ending::Whole)) => {}
                Ok(None) => panic!("no ending at {len}"),
                Err(SegmentError::TooShort { bytes }) => assert_eq!(bytes, len as u64),
                Err(e) => panic!("{len}: {e}"),
            }
        }
        assert_eq!(last, packets.len());
    }
}

#[test]
fn a_growing_file_is_read_on_from_where_it_ended() {
    let packets = packets();
    let bytes = Pcap::new().encode(&packets);
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "grows.pcap.tmp", &bytes[..24]);
    let mut reader = SegmentReader::open(&path).unwrap();
    let mut out = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let mut seen = 0;
    for piece in bytes[24..].chunks(97) {
        out.write_all(piece).unwrap();
        while let Some(p) = reader.next_packet().unwrap() {
            assert_eq!((p.time, p.data), (packets[seen].time, &packets[seen].data[..]));
            seen += 1;
        }
    }
    assert_eq!((seen, reader.ending()), (packets.len(), Some(Ending::Whole)));
}

#[test]
fn what_is_no_capture_is_told_by_name() {
    let error = |bytes: &[u8]| read_bytes(bytes).1.unwrap_err().to_string();
    assert_eq!(error(b""), "holds 0 bytes, less than a file header");
    assert_eq!(error(b"abc"), "holds 3 bytes, less than a file header");
    assert_eq!(error(&Pcap::new().header()[..20]), "holds 20 bytes, less than a file header");
    assert_eq!(
        error(b"hello, world: nothing to see here"),
        "is not a capture file (it begins with 0x68656c6c)"
    );
    assert!(error(&[0x1f, 0x8b, 8, 0, 0, 0]).starts_with("is compressed with gzip"));
    assert!(error(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0]).starts_with("is compressed with zstd"));
}

#[test]
fn zeros_behind_the_last_record_are_no_packets() {
    for zeros in [16, 4096, 3 << 20] {
        let mut bytes = Pcap::new().encode(&packets());
        let data = bytes.len() as u64;
        bytes.resize(bytes.len() + zeros, 0);
        let (read, end) = read_bytes(&bytes);
        assert_eq!((read, end.unwrap()), (packets(), Some(Ending::Cut(data))));
    }
}

#[test]
fn a_record_of_impossible_length_ends_the_file_at_its_offset() {
    let mut bytes = Pcap::new().encode(&packets()[..2]);
    let at = bytes.len() as u64;
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 1, 2, 3]);
    let (read, end) = read_bytes(&bytes);
    assert_eq!(read.len(), 2);
    assert!(matches!(end, Err(SegmentError::Damaged { offset, .. }) if offset == at));
}

#[test]
fn a_simple_packet_block_of_impossible_length_is_damage() {
    let begin = Pcapng::little_endian().interface(Interface::new());
    let offset = begin.clone().finish().len() as u64;
    let longest = vec![7; MAX_PACKET_BYTES as usize];
    let (read, end) = read_bytes(&begin.clone().simple_packet(&longest).finish());
    assert_eq!((read[0].data.len(), end.unwrap()), (longest.len(), Some(Ending::Whole)));
    let (read, end) = read_bytes(&begin.simple_packet(&[longest, vec![7]].concat()).finish());
    assert!(read.is_empty());
    assert!(matches!(end, Err(SegmentError::Damaged { offset: at, .. }) if at == offset), "{end:?}");
}

#[test]
fn a_damaged_block_ends_the_file_at_its_offset() {
    let good = Pcapng::little_endian()
        .interface(Interface::new())
        .packet(0, Timestamp::from_secs(1), &[1; 8])
        .finish();
    let damage: [(&str, Vec<u8>); 5] = [
        ("length 8", [6_u32, 8, 8].iter().flat_map(|w| w.to_le_bytes()).collect()),
        ("length 13", [6_u32, 13, 0, 0].iter().flat_map(|w| w.to_le_bytes()).collect()),
        ("length 2 GiB", [6_u32, 0x8000_0000, 0, 0].iter().flat_map(|w| w.to_le_bytes()).collect()),
        ("two lengths", [6_u32, 32, 0, 0, 0, 0, 0, 36].iter().flat_map(|w| w.to_le_bytes()).collect()),
        ("interface 9", [6_u32, 32, 9, 0, 0, 0, 0, 32].iter().flat_map(|w| w.to_le_bytes()).collect()),
    ];
    for (what, block) in damage {
        let (read, end) = read_bytes(&[good.clone(), block].concat());
        assert_eq!(read.len(), 1, "{what}");
        assert!(
            matches!(end, Err(SegmentError::Damaged { offset, .. }) if offset == good.len() as u64),
            "{what}"
        );
    }
}

fn flipped(mut bytes: Vec<u8>, flips: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, value) in flips {
        let at = at.index(bytes.len());
        bytes[at] ^= value;
    }
    bytes
}

proptest! {
    /// No bytes make the reader panic, run for ever, or hand out more than the file holds.
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600), magic in 0..6_usize) {
        let heads: [&[u8]; 6] = [&[], &[0xd4, 0xc3, 0xb2, 0xa1], &[0xa1, 0xb2, 0x3c, 0x4d], &[0x0a, 0x0d, 0x0d, 0x0a],
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a], &[0xa1, 0xb2, 0xc3, 0xd4]];
        let bytes = [heads[magic], &bytes[..]].concat();
        let (packets, _) = read_bytes(&bytes);
        prop_assert!(packets.iter().map(|p| p.data.len()).sum::<usize>() <= bytes.len());
    }

    /// The same for files that are nearly right.
    #[test]
    fn damaged_files_are_answered(flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..8), ng: bool) {
        let packets = &packets()[..8];
        let bytes = if ng {
            packets.iter().fold(Pcapng::little_endian().interface(Interface::new().resolution(9)), |f, p| f.packet(0, p.time, &p.data)).finish()
        } else {
            Pcap::new().encode(packets)
        };
        let bytes = flipped(bytes, &flips);
        let (read, _) = read_bytes(&bytes);
        prop_assert!(read.iter().map(|p| p.data.len()).sum::<usize>() <= bytes.len());
    }
}
