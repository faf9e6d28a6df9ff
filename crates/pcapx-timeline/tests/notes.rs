//! What a pcapng answer says of itself, and what other programs make of it.

#![allow(clippy::cast_sign_loss, reason = "the numbers of these tests are small")]

use std::fs;
use std::path::Path;

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::tool;
use pcapx_timeline::coverage::Coverage;
use pcapx_timeline::extract::{LimitHit, Notes};
use pcapx_timeline::index::{Identity, IndexPlace, IndexWriter, Sealed};
use pcapx_timeline::packet::PacketKeys;
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::{Catalog, Extraction, Format, Limits, Query};

const BASE: i64 = 1_772_356_200;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(BASE + secs)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

fn packet(secs: i64) -> Packet {
    let ip = Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(5000, 53).payload(&[1; 40]));
    Packet::new(at(secs), Ethernet::new().carry(&ip))
}

/// A segment whose recorder tells of losses.
fn record(dir: &Path, name: &str, (from, to): (i64, i64), kernel_drops: u64) {
    let path = dir.join(name);
    Pcap::new().nanos().write(&path, &(from..to).map(packet).collect::<Vec<_>>());
    let mut index = IndexWriter::create(&IndexPlace::beside().to_write(&path)).unwrap();
    let mut reader = SegmentReader::open(&path).unwrap();
    loop {
        let start = reader.next_offset();
        let Some(packet) = reader.next_packet().unwrap() else { break };
        let (time, link) = (packet.time, packet.link_type);
        let keys = PacketKeys::of(link, packet.data);
        index.builder().unwrap().add((start, reader.next_offset()), time, link, &keys, true).unwrap();
    }
    let metadata = fs::metadata(&path).unwrap();
    let (segment, end) = (Identity::of(&metadata), metadata.len());
    let (kernel_drops, recorded) = (Some(kernel_drops), Some(window(from, to)));
    let sealed = Sealed { segment, end, is_whole: true, kernel_drops, recorder_drops: Some(1), recorded };
    index.publish(&sealed).unwrap();
}

/// Tells the filter, an alert that does what it should not, and what was covered.
fn notes(coverage: &Coverage, _: Option<LimitHit>) -> Notes {
    let covered: Vec<_> = coverage.covered.iter().map(|span| format!("covered {span}")).collect();
    Notes {
        comments: vec!["filter: udp\nalert: \u{1b}[31mred".into(), covered.join("\n")],
        hardware: Some("probe-7".into()),
        os: Some("Linux 6.18".into()),
        application: None,
        interface: Some("ens18".into()),
    }
}

fn ask(dir: &Path, out: &Path, window: Window, how: impl FnOnce(Query<'_>) -> Query<'_>) -> Extraction {
    let catalog = Catalog::open(&[dir]).unwrap();
    how(catalog.query(None, window).format(Format::Pcapng)).hash(true).write_to(out).unwrap()
}

fn text(tool: &tool::Tool, args: &[&str], path: &Path) -> String {
    let output = tool.run(args.iter().map(AsRef::as_ref).chain([path.as_os_str()]));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn capinfos_and_tshark_show_what_a_file_is() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "a.pcap", (0, 100), 7);
    record(dir.path(), "b.pcap", (100, 200), 2);
    let out = tempfile::tempdir().unwrap();
    let answer = ask(dir.path(), &out.path().join("x.pcap"), window(50, 250), |query| query.notes(notes));
    let path = answer.output.unwrap();
    assert_eq!(path, out.path().join("x.pcapng"));
    assert_eq!(answer.counts.bytes_written, fs::metadata(&path).unwrap().len());

    if let Some(capinfos) = tool::require("capinfos") {
        let told = text(&capinfos, &["-M"], &path);
        for part in [
            "probe-7",
            "Linux 6.18",
            concat!("pcapx ", env!("CARGO_PKG_VERSION")),
            "filter: udp",
            r"alert: \u{1b}[31mred",
            &format!("covered {}", window(50, 200)),
            "Name = ens18",
            "Number of stat entries = 1",
            "Number of packets = 150",
        ] {
            assert!(told.contains(part), "{part:?} is not in\n{told}");
        }
    }
    if let Some(tshark) = tool::require("tshark") {
        let names = text(&tshark, &["-T", "fields", "-e", "frame.interface_name", "-r"], &path);
        assert_eq!(names.lines().collect::<Vec<_>>(), ["ens18"; 150]);
        let full = text(&tshark, &["-V", "-X", "read_format:MIME Files Format", "-r"], &path);
        for part in
            ["Number of Dropped Packets: 11", "Number of Dropped Packets by OS: 9", "Hardware: probe-7"]
        {
            assert!(full.contains(part), "{part:?} is not in\n{full}");
        }
    }
    // Our own reader and the statistics, byte by byte.
    let bytes = fs::read(&path).unwrap();
    let statistics = &bytes[bytes.len() - 76..];
    let word = |at: usize| u32::from_le_bytes(statistics[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(4), word(8)), (5, 76, 0));
    let ticks = |at: usize| i64::from(word(at)) << 32 | i64::from(word(at + 4));
    assert_eq!(
        (ticks(12), ticks(24), ticks(36)),
        (at(200).as_nanos(), at(50).as_nanos(), at(200).as_nanos())
    );
    assert_eq!((word(44), word(48), word(52)), (0x0008_0005, 11, 0), "lost by kernel and recorder");
    assert_eq!((word(56), word(60), word(64)), (0x0008_0007, 9, 0), "by the kernel");
    let mut reader = SegmentReader::open(&path).unwrap();
    let mut count = 0;
    while reader.next_packet().unwrap().is_some() {
        count += 1;
    }
    assert_eq!((count, reader.interfaces()[0].name.as_deref()), (150, Some("ens18")));
}

/// What the search finds out stands in the file, whether it takes more room than what was known before or less.
#[test]
fn notes_are_those_of_the_end() {
    let dir = tempfile::tempdir().unwrap();
    Pcap::new().write(&dir.path().join("a.pcap"), &(0..100).map(packet).collect::<Vec<_>>());
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("x.pcapng");
    for (before, after) in [("short", "a longer comment"), ("a longer comment", "short"), ("same", "SAME")] {
        let notes = move |coverage: &Coverage, _: Option<LimitHit>| {
            // Packets are counted by the search.
            let comment = if coverage.packets_in_segments == 0 { before } else { after };
            Notes { comments: vec![comment.into()], ..Notes::default() }
        };
        let answer = ask(dir.path(), &path, window(0, 1000), |query| query.notes(notes));
        let bytes = fs::read(&path).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds(after) && !holds(before), "{after}");
        assert_eq!(answer.counts.bytes_written, bytes.len() as u64);
        if let Some(sha256sum) = tool::require("sha256sum") {
            let wanted = text(&sha256sum, &[], &path);
            let told = answer.sha256.unwrap();
            assert!((0..32).all(|n| u8::from_str_radix(&wanted[n * 2..n * 2 + 2], 16) == Ok(told[n])));
        }
        let mut reader = SegmentReader::open(&path).unwrap();
        let mut times = Vec::new();
        while let Some(packet) = reader.next_packet().unwrap() {
            times.push(packet.time);
        }
        assert_eq!(times, (0..100).map(at).collect::<Vec<_>>());
    }
}

#[test]
fn an_annotated_answer_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "a.pcap", (0, 100), 7);
    let out = tempfile::tempdir().unwrap();
    let first = ask(dir.path(), &out.path().join("x"), window(0, 150), |query| query.notes(notes));
    record(dir.path(), "b.pcap", (100, 200), 1);
    let previous = first.output.unwrap();
    let second = ask(dir.path(), &previous, window(0, 150), |query| {
        query.notes(notes).continue_from(&previous, at(100))
    });
    assert_eq!((second.counts.packets_matched, second.counts.packets_taken_over), (151, 100));
    let whole = ask(dir.path(), &out.path().join("whole"), window(0, 150), |query| query.notes(notes));
    assert!(fs::read(&previous).unwrap() == fs::read(whole.output.unwrap()).unwrap());
    assert_eq!(second.sha256, whole.sha256);
    // A pcap file becomes pcapng when that is asked for.
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let pcap = out.path().join("y.pcap");
    catalog.query(None, window(0, 150)).write_to(&pcap).unwrap();
    let answer =
        ask(dir.path(), &pcap, window(0, 150), |query| query.notes(notes).continue_from(&pcap, at(100)));
    assert_eq!(answer.sha256, whole.sha256);
}

#[test]
fn a_limit_holds_with_notes_and_statistics() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "a.pcap", (0, 100), 7);
    let out = tempfile::tempdir().unwrap();
    let whole = ask(dir.path(), &out.path().join("x"), window(0, 99), |query| query.notes(notes));
    let len = whole.counts.bytes_written;
    for max in (len - 400..=len).chain([0, 100, 500]) {
        let limits = Limits { max_bytes: Some(max), max_packets: None };
        let answer =
            ask(dir.path(), &out.path().join("x"), window(0, 99), |query| query.notes(notes).limits(limits));
        assert!(answer.counts.bytes_written <= max, "{max}");
        let is_whole = answer.counts.packets_matched == 100;
        assert_eq!(answer.limit_hit, (!is_whole).then_some(LimitHit::Bytes), "{max}");
        assert_eq!(is_whole, max == len, "{max}");
    }
}

/// Interfaces keep their names, and losses are not told of one where they can be another's.
#[test]
fn each_interface_has_its_statistics() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "a.pcap", (0, 50), 7);
    let mut interface = Interface::new();
    interface.name = Some("eth7".into());
    let file = Pcapng::little_endian().interface(interface).packet(0, at(10), &packet(10).data).finish();
    fs::write(dir.path().join("b.pcapng"), file).unwrap();
    let out = tempfile::tempdir().unwrap();
    let answer = ask(dir.path(), &out.path().join("x"), window(0, 49), |query| query.notes(notes));
    let path = answer.output.unwrap();
    let bytes = fs::read(&path).unwrap();
    let statistics = &bytes[bytes.len() - 2 * 52..];
    assert_eq!((statistics[0], statistics[8], statistics[52], statistics[60]), (5, 0, 5, 1));
    if let Some(capinfos) = tool::require("capinfos") {
        let told = text(&capinfos, &["-M"], &path);
        assert!(told.contains("Name = ens18") && told.contains("Name = eth7"), "{told}");
        assert_eq!(told.matches("Number of stat entries = 1").count(), 2, "{told}");
    }
}
