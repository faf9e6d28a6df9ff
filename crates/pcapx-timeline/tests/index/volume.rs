//! Segments with more flows, kinds and blocks than a part of an index takes.

use std::fs::File;
use std::io::{Seek, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp, Udp};
use pcapx_timeline::index::{Identity, IndexReader};

use crate::asking::{assert_same, filter, index, indexed, scanned, scratch, sidecar};
use crate::generated::START;

/// Flows of a part, as the format's description has it.
const PART_FLOWS: u32 = 65_536;
/// Bytes that a part has before it is closed for its flows.
const PART_MIN_BYTES: usize = 16 << 20;
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn at(number: usize) -> Timestamp {
    Timestamp::from_nanos(START.as_nanos() + number as i64 * 1000)
}

/// Packets from as many senders as there are packets.
fn flood(senders: std::ops::Range<u32>) -> impl Iterator<Item = Vec<u8>> {
    senders.map(|sender| {
        let from = Ipv4Addr::from_bits(0x0a00_0000 + sender);
        Ethernet::new().carry(&Ipv4::new(from, SERVER).carry(&Tcp::new(1024 + sender as u16 % 60_000, 80)))
    })
}

/// One conversation in full frames, so many bytes of it.
fn bulk(bytes: usize) -> impl Iterator<Item = Vec<u8>> {
    let (client, server) = (Ipv4Addr::new(172, 16, 0, 1), Ipv4Addr::new(172, 16, 0, 2));
    let frame =
        Ethernet::new().carry(&Ipv4::new(client, server).carry(&Udp::new(4500, 4500).payload(&[0; 1400])));
    std::iter::repeat_n(frame, bytes / 1400)
}

fn write(path: &Path, frames: impl Iterator<Item = Vec<u8>>) -> usize {
    let packets: Vec<_> = frames.enumerate().map(|(number, frame)| Packet::new(at(number), frame)).collect();
    Pcap::new().write(path, &packets);
    packets.len()
}

#[test]
fn flows_beyond_the_limit_of_a_part_are_found() {
    let folder = scratch();
    let path = folder.path().join("flood.pcap");
    // The first part: all it takes but one, for what fills it, then flows that it cannot list, then none until it is full; the second part is quiet.
    let beyond = PART_FLOWS + 8000;
    let frames =
        bulk(2000).chain(flood(0..beyond)).chain(bulk(PART_MIN_BYTES)).chain(flood(beyond..beyond + 2000));
    let packets = write(&path, frames);
    let built = index(&path).unwrap();
    assert_eq!(built.summary.packets, packets as u64);
    let reader = IndexReader::open(&sidecar(&path), &Identity::of(&path.metadata().unwrap())).unwrap();
    reader.verify().unwrap();

    let last = Window::new(at(packets - 1000), at(packets - 1000)).unwrap();
    let sender = |number: u32| format!("src host {}", Ipv4Addr::from_bits(0x0a00_0000 + number));
    let questions = [
        // The first and the last of the flows that are listed, then those that are not, then those of the next part.
        (sender(0), Window::ALL, 1),
        (sender(PART_FLOWS - 2), Window::ALL, 1),
        (sender(PART_FLOWS - 1), Window::ALL, 1),
        (format!("{} and tcp dst port 80", sender(beyond - 1)), Window::ALL, 1),
        (sender(beyond), Window::ALL, 1),
        (sender(beyond + 1999), Window::ALL, 1),
        ("host 203.0.113.9".to_owned(), Window::ALL, 0),
        (format!("not host {SERVER} and not udp"), Window::ALL, 0),
        ("tcp".to_owned(), last, 1),
        ("net 10.1.0.0/20".to_owned(), Window::ALL, 4096),
    ];
    for (text, window, wanted) in &questions {
        let filter = filter(text);
        let with = indexed(folder.path(), Some(&filter), *window);
        let without = scanned(folder.path(), Some(&filter), *window);
        assert_same(&with, &without, text);
        assert_eq!(with.extraction.counts.packets_matched, *wanted, "{text}");
        let counts = with.extraction.counts;
        assert!(counts.blocks_read < counts.blocks / 2, "{text}: {counts:?}");
    }
    // What is not listed is read for every question.
    let miss = indexed(folder.path(), Some(&filter("host 203.0.113.9")), Window::ALL);
    assert!(miss.extraction.counts.blocks_read > 20);
}

#[test]
fn kinds_beyond_the_limit_of_a_part_are_found() {
    let folder = scratch();
    let path = folder.path().join("tags.pcap");
    let network = Ipv4::new([10, 0, 0, 1], SERVER).carry(&Udp::new(53, 53).payload(&[0; 60]));
    let tagged = (0..5000_u16).map(|n| Ethernet::new().qinq(n / 100, n % 100).carry(&network));
    write(&path, bulk(2000).chain(tagged).chain(bulk(1 << 20)));
    index(&path).unwrap();
    for (text, wanted) in [
        ("vlan 0", 149),
        ("vlan 40 and vlan 99", 1),
        ("vlan 49", 149),
        ("vlan 100", 0),
        ("vlan 3 and not vlan 4", 147),
    ] {
        let filter = filter(text);
        let with = indexed(folder.path(), Some(&filter), Window::ALL);
        assert_same(&with, &scanned(folder.path(), Some(&filter), Window::ALL), text);
        assert_eq!(with.extraction.counts.packets_matched, wanted, "{text}");
        assert!(with.extraction.counts.blocks_read < with.extraction.counts.blocks, "{text}");
    }
}

/// What nobody reads costs no more than its head: the file is mostly a hole.
#[test]
fn places_beyond_four_gigabytes_are_found() {
    const HOLE_BYTES: u32 = 3 << 30;
    let folder = scratch();
    let path = folder.path().join("wide.pcapng");
    let mut file = File::create(&path).unwrap();
    let head = Pcapng::little_endian().interface(Interface::new()).finish();
    file.write_all(&head).unwrap();
    for group in 0..3_usize {
        let frames = flood(group as u32 * 1000..group as u32 * 1000 + 500).enumerate();
        let packets = frames.fold(Pcapng::little_endian().interface(Interface::new()), |file, (n, frame)| {
            file.packet(0, at(group * 1000 + n), &frame)
        });
        file.write_all(&packets.finish()[head.len()..]).unwrap();
        let block = [0x0bad, HOLE_BYTES].map(u32::to_le_bytes);
        file.write_all(block.as_flattened()).unwrap();
        file.seek_relative(i64::from(HOLE_BYTES) - 12).unwrap();
        file.write_all(&HOLE_BYTES.to_le_bytes()).unwrap();
    }
    drop(file);
    index(&path).unwrap();
    for (sender, wanted) in
        [("10.0.0.0", 1), ("10.0.3.232", 1), ("10.0.7.208", 1), ("10.0.9.195", 1), ("10.0.9.196", 0)]
    {
        let filter = filter(&format!("host {sender} and tcp"));
        let with = indexed(folder.path(), Some(&filter), Window::ALL);
        assert_same(&with, &scanned(folder.path(), Some(&filter), Window::ALL), sender);
        let counts = with.extraction.counts;
        assert_eq!((counts.packets_matched, counts.segments_without_index), (wanted, 0), "{sender}");
        assert!(counts.bytes_read < 2 << 20, "{sender}: {counts:?}");
    }
}

#[test]
fn segments_without_packets_have_an_index() {
    let folder = scratch();
    let path = folder.path().join("empty.pcap");
    Pcap::new().write(&path, &[]);
    assert_eq!(index(&path).unwrap().summary.span, None);
    let answer = indexed(folder.path(), None, Window::ALL);
    assert_same(&answer, &scanned(folder.path(), None, Window::ALL), "everything");
    assert_eq!(answer.extraction.counts.segments_skipped, 1);
}

#[test]
fn damage_in_front_of_the_first_packet_is_told() {
    let folder = scratch();
    let path = folder.path().join("damaged.pcap");
    let bytes = [&Pcap::new().encode(&[])[..], &[0xff; 64]].concat();
    std::fs::write(&path, bytes).unwrap();
    assert!(index(&path).is_err());
    let question = filter("host 10.0.0.1");
    let answer = indexed(folder.path(), Some(&question), Window::ALL);
    assert_same(&answer, &scanned(folder.path(), Some(&question), Window::ALL), "damaged");
    assert!(matches!(&answer.extraction.warnings[..], [w] if w.kind.may_hide_packets()));
}

#[test]
fn the_longest_name_a_segment_can_have_needs_no_index() {
    let folder = scratch();
    let path = folder.path().join("x".repeat(255));
    write(&path, flood(0..10));
    assert!(index(&path).is_err(), "a name longer than the file system takes");
    let answer = indexed(folder.path(), Some(&filter("host 10.0.0.1")), Window::ALL);
    assert_eq!((answer.extraction.counts.packets_matched, answer.unused()), (1, vec![]));
    assert_eq!(crate::asking::names(folder.path()).len(), 1);
}
