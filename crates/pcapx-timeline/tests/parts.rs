//! Answers in several files: cut where a limit is met, named in order, published together or not at all.

use std::fs;
use std::path::Path;

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap, link, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_timeline::extract::{ExtractError, PartedExtraction};
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::{CancelToken, Catalog, Limits};

const START: i64 = 1_700_000_000;

fn packet(second: i64, payload: usize) -> Packet {
    let frame = Ethernet::new()
        .carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(9, 53).payload(&vec![7; payload])));
    Packet::new(Timestamp::from_secs(START + second), frame)
}

fn parts(timeline: &Path, out: &Path, limits: Limits) -> PartedExtraction {
    let catalog = Catalog::open(&[timeline]).unwrap();
    catalog.query(None, Window::ALL).write_parts(out, "x-", limits).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn packets_are_counted_into_parts() {
    let (timeline, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let packets: Vec<_> = (0..7).map(|n| packet(n, 10)).collect();
    // Two segments that interleave: only the merged answer is in order.
    let (even, odd): (Vec<_>, Vec<_>) = packets.iter().cloned().partition(|p| p.time.as_secs() % 2 == 0);
    Pcap::new().write(&timeline.path().join("a.pcap"), &even);
    Pcap::new().write(&timeline.path().join("b.pcap"), &odd);
    let answer = parts(timeline.path(), out.path(), Limits { max_packets: Some(3), max_bytes: None });
    assert_eq!(names(out.path()), ["x-00001.pcap", "x-00002.pcap", "x-00003.pcap"]);
    assert_eq!(answer.parts.iter().map(|p| p.packets).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(answer.extraction.output.as_deref(), Some(out.path()));
    assert_eq!(answer.extraction.counts.packets_matched, 7);
    let mut read = Vec::new();
    let mut bytes = 0;
    for part in &answer.parts {
        let file = fs::read(&part.path).unwrap();
        assert_eq!(file.len() as u64, part.bytes);
        bytes += part.bytes;
        read.extend(read_pcap(&file).unwrap().packets);
    }
    assert_eq!(read, packets);
    assert_eq!(answer.extraction.counts.bytes_written, bytes);
}

#[test]
fn no_part_is_longer_than_its_limit_unless_one_packet_is() {
    let (timeline, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Records of 16 + 42 + 100 bytes, and one of 16 + 42 + 1000.
    let packets: Vec<_> =
        [100, 100, 1000, 100, 100, 100].into_iter().zip(0..).map(|(n, t)| packet(t, n)).collect();
    Pcap::new().write(&timeline.path().join("a.pcap"), &packets);
    let room_for_two = 24 + 2 * (16 + 42 + 100);
    let answer =
        parts(timeline.path(), out.path(), Limits { max_bytes: Some(room_for_two), max_packets: None });
    assert_eq!(answer.parts.iter().map(|p| p.packets).collect::<Vec<_>>(), [2, 1, 2, 1]);
    assert_eq!(answer.parts[0].bytes, room_for_two);
    assert_eq!(answer.parts[1].bytes, 24 + 16 + 42 + 1000);
}

#[test]
fn every_part_of_a_mixed_answer_names_its_interfaces() {
    let (timeline, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let packets: Vec<_> = (0..4).map(|n| packet(n, 10)).collect();
    let raw: Vec<_> =
        (4..8).map(|n| Packet::new(packet(n, 10).time, packet(n, 10).data[14..].to_vec())).collect();
    Pcap::new().write(&timeline.path().join("a.pcap"), &packets);
    Pcap::new().link_type(link::RAW).write(&timeline.path().join("b.pcap"), &raw);
    let answer = parts(timeline.path(), out.path(), Limits { max_packets: Some(3), max_bytes: None });
    assert_eq!(names(out.path()), ["x-00001.pcapng", "x-00002.pcapng", "x-00003.pcapng"]);
    let mut read = Vec::new();
    for part in &answer.parts {
        let mut reader = SegmentReader::open(&part.path).unwrap();
        while let Some(packet) = reader.next_packet().unwrap() {
            read.push((packet.time, packet.link_type.0, packet.data.to_vec()));
        }
    }
    let ethernet = packets.into_iter().map(|p| (p.time, 1, p.data));
    let expected: Vec<_> = ethernet.chain(raw.into_iter().map(|p| (p.time, 101, p.data))).collect();
    assert_eq!(read, expected);
}

#[test]
fn nothing_is_left_when_nothing_is_written() {
    let (timeline, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Pcap::new().write(&timeline.path().join("a.pcap"), &[packet(0, 10), packet(1, 10)]);
    let catalog = Catalog::open(&[timeline.path()]).unwrap();
    let one = Limits { max_packets: Some(1), max_bytes: None };

    let none = Window::new(Timestamp::from_secs(0), Timestamp::from_secs(1)).unwrap();
    let answer = catalog.query(None, none).write_parts(out.path(), "", one).unwrap();
    assert!(answer.parts.is_empty() && answer.extraction.output.is_none());
    assert!(names(out.path()).is_empty());

    let cancelled = CancelToken::new();
    cancelled.cancel();
    let query = catalog.query(None, Window::ALL).cancel(cancelled);
    assert!(matches!(query.write_parts(out.path(), "", one), Err(ExtractError::Cancelled)));
    assert!(names(out.path()).is_empty());

    // The second part's name is taken by a folder: the first one is taken back.
    fs::create_dir(out.path().join("00002.pcap")).unwrap();
    let refused = catalog.query(None, Window::ALL).write_parts(out.path(), "", one);
    assert!(matches!(refused, Err(ExtractError::Output { path, .. }) if path.ends_with("00002.pcap")));
    assert_eq!(names(out.path()), ["00002.pcap"]);
}

#[test]
fn a_survey_names_what_will_be_read() {
    let timeline = tempfile::tempdir().unwrap();
    Pcap::new().write(&timeline.path().join("a.pcap"), &[packet(0, 10)]);
    Pcap::new().write(&timeline.path().join("b.pcap"), &[packet(1000, 10)]);
    fs::write(timeline.path().join("c.pcap"), b"no capture at all, this one").unwrap();
    let catalog = Catalog::open(&[timeline.path()]).unwrap();
    let late = Window::new(Timestamp::from_secs(START + 900), Timestamp::MAX).unwrap();
    let query = catalog.query(None, late);
    let survey = query.survey().unwrap();
    assert_eq!(survey.segments.len(), 1);
    assert!(survey.segments[0].path.ends_with("b.pcap"));
    assert_eq!((survey.segments_skipped, survey.warnings.len()), (1, 1));
}
