//! Queries over folders of segments: which packets come out, in which order and form, and what is said beside them.

#![allow(clippy::cast_sign_loss, reason = "the numbers of these tests are small")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use pcapx_core::filter::{Expr, parse};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Capture, Interface, Packet, Pcap, Pcapng, link, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp, Udp};
use pcapx_testkit::tool;
use pcapx_timeline::extract::{ExtractError, LimitHit};
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::warning::WarningKind;
use pcapx_timeline::{CancelToken, Catalog, Extraction, Limits, Progress};
use proptest::prelude::*;
use tempfile::TempDir;

const BASE_SECS: i64 = 1_772_356_200;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_nanos(BASE_SECS * 1_000_000_000 + millis * 1_000_000)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

/// A packet at `millis`; host and port tell who it is.
fn packet(millis: i64, host: u8, port: u16) -> Packet {
    let network =
        Ipv4::new([10, 0, 0, host], [10, 0, 1, 1]).carry(&Tcp::new(port, 443).payload(&millis.to_be_bytes()));
    Packet::new(at(millis), Ethernet::new().carry(&network))
}

fn put(dir: &Path, name: &str, packets: &[Packet]) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Pcap::new().write(&path, packets);
    path
}

/// Nobody has written to the file for an hour.
fn finish(path: &Path) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

fn filter(text: &str) -> Expr {
    parse(text).unwrap()
}

struct Answer {
    extraction: Extraction,
    capture: Option<Capture>,
    /// Keeps the output's folder.
    folder: TempDir,
}

fn ask(timeline: &Path, filter: Option<Expr>, window: Window) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&[timeline]).unwrap();
    let extraction = catalog.query(filter, window).write_to(&folder.path().join("out.pcap")).unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, extraction.output.iter().cloned().collect::<Vec<_>>(), "something else was left behind");
    let capture = extraction
        .output
        .as_ref()
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .map(|path| read_pcap(&fs::read(path).unwrap()).unwrap());
    Answer { extraction, capture, folder }
}

fn packets(answer: &Answer) -> &[Packet] {
    answer.capture.as_ref().map_or(&[], |c| &c.packets)
}

#[test]
fn packets_of_the_window_that_match_come_out_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<Packet> = (0..100).map(|n| packet(n * 100, (n % 3) as u8, 1000 + n as u16)).collect();
    put(dir.path(), "a.pcap", &all[..40]);
    put(dir.path(), "b.pcap", &all[40..]);
    let answer = ask(dir.path(), Some(filter("tcp and host 10.0.0.1 and port 443")), window(1000, 8000));
    let wanted: Vec<Packet> =
        all.iter().filter(|p| p.data[29] == 1 && p.time >= at(1000) && p.time <= at(8000)).cloned().collect();
    assert_eq!(packets(&answer), wanted);
    let counts = answer.extraction.counts;
    assert_eq!((counts.segments, counts.segments_skipped), (2, 0));
    assert_eq!(
        (counts.packets_scanned, counts.packets_in_window, counts.packets_matched),
        (100, 71, wanted.len() as u64)
    );
    let output = answer.extraction.output.unwrap();
    assert_eq!(counts.bytes_written, fs::metadata(&output).unwrap().len());
    assert_eq!(fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o640 & !umask());
    assert_eq!(answer.extraction.warnings, []);
}

fn umask() -> u32 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(line.trim(), 8).unwrap()
}

#[test]
fn nothing_matched_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.pcap", &[packet(0, 1, 1)]);
    let answer = ask(dir.path(), Some(filter("host 192.0.2.1")), Window::ALL);
    assert_eq!((answer.extraction.output.as_ref(), answer.extraction.counts.packets_in_window), (None, 1));
    let answer = ask(dir.path(), None, window(60_000, 70_000));
    assert_eq!((answer.extraction.output.as_ref(), answer.extraction.counts.segments_skipped), (None, 1));
    drop(answer.folder);
}

#[test]
fn n2disks_layout_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("{BASE_SECS}.000000");
    let real = put(dir.path(), &format!("{name}/{name}.pcap"), &[packet(0, 1, 1), packet(10, 1, 2)]);
    fs::write(real.with_extension("pcap.idx"), b"ntop's own").unwrap();
    let tree = dir.path().join("2026/03/01/10/10");
    fs::create_dir_all(&tree).unwrap();
    symlink(&real, tree.join(format!("{name}.pcap"))).unwrap();
    symlink(tree.join(format!("{name}.pcap")), real.with_extension("pcap.timeline")).unwrap();
    symlink("../../../../..", tree.join("around")).unwrap();
    let next = format!("{}.500000", BASE_SECS + 1);
    let open = put(dir.path(), &format!("{next}/{next}.pcap.tmp"), &[packet(1500, 1, 3)]);
    fs::OpenOptions::new()
        .append(true)
        .open(&open)
        .and_then(|mut f| std::io::Write::write_all(&mut f, &[0; 9]))
        .unwrap();
    let answer = ask(dir.path(), None, Window::ALL);
    assert_eq!(packets(&answer), [packet(0, 1, 1), packet(10, 1, 2), packet(1500, 1, 3)]);
    assert_eq!(answer.extraction.warnings, [], "a segment that is being written may end anywhere");
}

#[test]
fn a_file_of_any_name_may_be_torn_or_empty_while_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let whole = Pcap::new().encode(&[packet(0, 1, 1), packet(10, 1, 2)]);
    let files = [("torn.pcap", whole.len() - 1), ("empty.pcap", 0), ("begun.pcap", 7), ("headed.pcap", 24)];
    for (name, len) in files {
        fs::write(dir.path().join(name), &whole[..len]).unwrap();
    }
    let pcapng = Pcapng::little_endian().interface(Interface::new());
    let pcapng =
        pcapng.packet(0, at(20), &packet(20, 1, 3).data).packet(0, at(30), b"not yet whole").finish();
    fs::write(dir.path().join("torn.pcapng"), &pcapng[..pcapng.len() - 9]).unwrap();
    let is_told = |told: &[&str]| {
        let answer = ask(dir.path(), Some(filter("host 10.0.0.1")), Window::ALL);
        assert_eq!(answer.extraction.counts.packets_matched, 2);
        let mut names: Vec<_> =
            answer.extraction.warnings.iter().map(|w| w.path.file_name().unwrap()).collect();
        names.sort();
        assert_eq!(names, told, "{:?}", answer.extraction.warnings);
    };
    is_told(&[]);
    for (name, _) in files {
        finish(&dir.path().join(name));
    }
    is_told(&["begun.pcap", "empty.pcap", "torn.pcap"]);
    finish(&dir.path().join("torn.pcapng"));
    is_told(&["begun.pcap", "empty.pcap", "torn.pcap", "torn.pcapng"]);
}

#[test]
fn a_file_that_has_grown_since_it_was_listed_may_be_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = put(dir.path(), "a.pcap", &[packet(0, 1, 1)]);
    finish(&path);
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let whole = Pcap::new().encode(&[packet(0, 1, 1), packet(10, 1, 2)]);
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    finish(&path);
    let out = tempfile::tempdir().unwrap();
    let extraction = catalog.query(None, Window::ALL).write_to(&out.path().join("out.pcap")).unwrap();
    assert_eq!((extraction.counts.packets_matched, &extraction.warnings[..]), (1, &[][..]));
}

#[test]
fn what_cannot_be_used_is_named_and_the_rest_is_searched() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "good.pcap", &[packet(0, 1, 1)]);
    fs::write(dir.path().join("empty.pcap"), b"").unwrap();
    fs::write(dir.path().join("garbage.pcap"), b"neither fish nor fowl, and long enough").unwrap();
    fs::write(dir.path().join("packed.npcap"), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4]).unwrap();
    symlink("gone.pcap", dir.path().join("link.pcap")).unwrap();
    let whole = Pcap::new().encode(&[packet(5, 1, 2), packet(6, 1, 3)]);
    fs::write(dir.path().join("torn.pcap"), &whole[..whole.len() - 1]).unwrap();
    let mut damaged = Pcap::new().encode(&[packet(7, 1, 4)]);
    damaged.extend([0xff; 16]);
    fs::write(dir.path().join("damaged.pcap"), &damaged).unwrap();
    Pcap::new().link_type(147).write(&dir.path().join("user0.pcap"), &[packet(8, 1, 5)]);
    fs::write(dir.path().join(".hidden.pcap"), b"not looked at").unwrap();
    for name in ["empty.pcap", "torn.pcap"] {
        finish(&dir.path().join(name));
    }

    let answer = ask(dir.path(), Some(filter("host 10.0.0.1")), Window::ALL);
    assert_eq!(packets(&answer), [packet(0, 1, 1), packet(5, 1, 2), packet(7, 1, 4)]);
    let mut told: Vec<(String, String)> = answer
        .extraction
        .warnings
        .iter()
        .map(|w| (w.path.file_name().unwrap().to_str().unwrap().to_owned(), w.to_string()))
        .collect();
    told.sort();
    let names: Vec<&str> = told.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(
        names,
        [
            "damaged.pcap",
            "empty.pcap",
            "garbage.pcap",
            "link.pcap",
            "packed.npcap",
            "torn.pcap",
            "user0.pcap"
        ]
    );
    for ((_, text), part) in told.iter().zip([
        "is damaged at byte",
        "holds 0 bytes",
        "is not a capture file",
        "is a link to a file that is gone",
        "is compressed with gzip",
        "ends inside the record at byte",
        "has packets of link type 147",
    ]) {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn folders_are_searched_deep_down_and_not_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |depth| (0..depth).fold(dir.path().to_owned(), |path: PathBuf, _| path.join("d"));
    fs::create_dir_all(folder(120)).unwrap();
    put(&folder(60), "a.pcap", &[packet(0, 1, 1)]);
    put(&folder(110), "b.pcap", &[packet(0, 1, 2)]);
    let answer = ask(dir.path(), None, Window::ALL);
    assert_eq!(packets(&answer), [packet(0, 1, 1)]);
    assert!(matches!(&answer.extraction.warnings[..], [w] if w.kind == WarningKind::TooDeep));
}

#[test]
fn an_unreadable_segment_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = put(dir.path(), "closed.pcap", &[packet(0, 1, 1)]);
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        tool::skipped("permissions do not bind this user");
        return;
    }
    let answer = ask(dir.path(), None, Window::ALL);
    assert!(matches!(&answer.extraction.warnings[..], [w] if matches!(w.kind, WarningKind::Unreadable(_))));
}

#[test]
fn a_missing_timeline_is_an_error_that_names_it() {
    let error = Catalog::open(&["/nonexistent/rolling"]).unwrap_err().to_string();
    assert!(error.starts_with("the timeline \"/nonexistent/rolling\" cannot be read"), "{error}");
}

#[test]
fn several_timelines_are_merged_by_time() {
    let (a, b, out) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(a.path(), "x.pcap", &[packet(0, 1, 1), packet(20, 1, 2), packet(40, 1, 3)]);
    put(b.path(), "x.pcap", &[packet(10, 2, 1), packet(20, 2, 2), packet(50, 2, 3)]);
    let catalog = Catalog::open(&[a.path(), b.path()]).unwrap();
    let path = out.path().join("both.pcap");
    catalog.query(None, Window::ALL).write_to(&path).unwrap();
    let times: Vec<_> = read_pcap(&fs::read(path).unwrap()).unwrap().packets;
    let wanted = [
        packet(0, 1, 1),
        packet(10, 2, 1),
        packet(20, 1, 2),
        packet(20, 2, 2),
        packet(40, 1, 3),
        packet(50, 2, 3),
    ];
    assert_eq!(times, wanted);
}

#[test]
fn precision_and_link_type_of_the_segments_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let p = Packet::new(Timestamp::from_nanos(at(0).as_nanos() + 123_456_789), vec![0x45; 40]);
    Pcap::new()
        .nanos()
        .big_endian()
        .link_type(link::RAW)
        .snaplen(1500)
        .write(&dir.path().join("a"), std::slice::from_ref(&p));
    let answer = ask(dir.path(), None, Window::ALL);
    let bytes = fs::read(answer.extraction.output.as_ref().unwrap()).unwrap();
    assert_eq!(bytes[..4], 0xa1b2_3c4d_u32.to_le_bytes());
    assert_eq!(bytes[16..20], 1500_u32.to_le_bytes());
    assert_eq!(bytes[20..24], link::RAW.to_le_bytes());
    assert_eq!(packets(&answer), [p]);
}

#[test]
fn segments_of_different_kinds_become_a_pcapng_file_with_an_interface_each() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "ethernet.pcap", &[packet(0, 1, 1), packet(2, 1, 2)]);
    let raw = Ipv4::new([10, 0, 0, 1], [10, 0, 1, 1]).carry(&Udp::new(1, 2).payload(b"raw"));
    let raw = Packet::new(Timestamp::from_nanos(at(1).as_nanos() + 789), raw.bytes.clone());
    Pcap::new().nanos().link_type(link::RAW).write(&dir.path().join("raw.pcap"), std::slice::from_ref(&raw));
    let answer = ask(dir.path(), Some(filter("host 10.0.0.1")), Window::ALL);
    let output = answer.extraction.output.clone().unwrap();
    assert_eq!(output.file_name().unwrap(), "out.pcapng");
    let mut reader = SegmentReader::open(&output).unwrap();
    let mut got = Vec::new();
    while let Some(p) = reader.next_packet().unwrap() {
        got.push((p.time, p.link_type.0, p.data.to_vec()));
    }
    let ethernet = |p: Packet| (p.time, 1, p.data);
    assert_eq!(got, [ethernet(packet(0, 1, 1)), (raw.time, 101, raw.data), ethernet(packet(2, 1, 2))]);
    assert_eq!(reader.interfaces().len(), 2);
    assert_eq!(answer.extraction.counts.packets_matched, 3);
    // Only what matches counts: with the raw packet filtered away the answer is plain pcap.
    assert_eq!(packets(&ask(dir.path(), Some(filter("tcp")), Window::ALL)).len(), 2);
}

#[test]
fn who_names_a_pcapng_file_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.pcap", &[packet(0, 1, 1)]);
    let path = dir.path().join("out.pcapng");
    let extraction = Catalog::open(&[dir.path()]).unwrap().query(None, Window::ALL).write_to(&path).unwrap();
    assert_eq!(extraction.output.as_ref(), Some(&path));
    assert_eq!(fs::read(&path).unwrap()[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    let mut reader = SegmentReader::open(&path).unwrap();
    assert_eq!(reader.next_packet().unwrap().unwrap().data, packet(0, 1, 1).data);
}

#[test]
fn a_pcapng_segment_keeps_its_interfaces_names_when_written_as_pcapng() {
    let dir = tempfile::tempdir().unwrap();
    let mut interface = Interface::new().resolution(9);
    interface.name = Some("eth7".into());
    let bytes = Pcapng::big_endian()
        .interface(interface)
        .interface(Interface::new().link_type(link::RAW))
        .packet(0, at(1), &[1; 60])
        .packet(1, at(2), &[0x45; 20])
        .finish();
    fs::write(dir.path().join("x.pcapng"), bytes).unwrap();
    let answer = ask(dir.path(), None, Window::ALL);
    let mut reader = SegmentReader::open(answer.extraction.output.as_ref().unwrap()).unwrap();
    while reader.next_packet().unwrap().is_some() {}
    let names: Vec<_> = reader.interfaces().iter().map(|i| (i.name.as_deref(), i.link_type.0)).collect();
    assert_eq!(names, [(Some("eth7"), 1), (None, 101)]);
}

#[test]
fn limits_cut_at_a_packet_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<Packet> = (0..20).map(|n| packet(n, 1, 1)).collect();
    put(dir.path(), "a.pcap", &all);
    let record = 16 + all[0].data.len() as u64;
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("out.pcap");
    let run = |limits| {
        let catalog = Catalog::open(&[dir.path()]).unwrap();
        let extraction = catalog.query(None, Window::ALL).limits(limits).write_to(&path).unwrap();
        (extraction.limit_hit, extraction.counts.packets_matched, extraction.counts.bytes_written)
    };
    let bytes = |n| Limits { max_bytes: Some(n), max_packets: None };
    let packets = |n| Limits { max_bytes: None, max_packets: Some(n) };
    assert_eq!(run(packets(7)), (Some(LimitHit::Packets), 7, 24 + 7 * record));
    assert_eq!(run(packets(20)), (None, 20, 24 + 20 * record));
    assert_eq!(run(bytes(24 + 7 * record)), (Some(LimitHit::Bytes), 7, 24 + 7 * record));
    assert_eq!(run(bytes(24 + 8 * record - 1)), (Some(LimitHit::Bytes), 7, 24 + 7 * record));
    assert_eq!(run(bytes(24 + 20 * record)), (None, 20, 24 + 20 * record));
}

#[test]
fn snaplen_cuts_packets_and_stands_in_the_header() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.pcap", &[packet(0, 1, 1)]);
    let path = dir.path().join("out.cap");
    Catalog::open(&[dir.path()]).unwrap().query(None, Window::ALL).snaplen(34).write_to(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes[16..20], 34_u32.to_le_bytes());
    assert_eq!(read_pcap(&bytes).unwrap().packets, [packet(0, 1, 1).cut(34)]);
}

#[test]
fn a_cancelled_query_leaves_the_old_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.pcap", &[packet(0, 1, 1)]);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("out.pcap");
    fs::write(&path, b"evidence of yesterday").unwrap();
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let token = CancelToken::new();
    token.cancel();
    let error = catalog.query(None, Window::ALL).cancel(token).write_to(&path).unwrap_err();
    assert!(matches!(error, ExtractError::Cancelled));
    let token = CancelToken::with_deadline(Instant::now());
    let error = catalog.query(None, Window::ALL).cancel(token).write_to(&path).unwrap_err();
    assert!(matches!(error, ExtractError::DeadlinePassed));
    assert_eq!(fs::read(&path).unwrap(), b"evidence of yesterday");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
}

#[test]
fn an_output_folder_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.pcap", &[packet(0, 1, 1)]);
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let error = catalog.query(None, Window::ALL).write_to(&dir.path().join("no/such/out.pcap")).unwrap_err();
    let (error, path) = (error.to_string(), dir.path().join("no/such/out.pcap"));
    assert_eq!(
        error,
        format!("the output {path:?} cannot be written: No such file or directory (os error 2)")
    );
}

#[test]
fn progress_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = put(dir.path(), "a.pcap", &(0..9000).map(|n| packet(n, 1, 1)).collect::<Vec<_>>());
    let progress = Arc::new(Progress::default());
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    catalog
        .query(None, Window::ALL)
        .progress(progress.clone())
        .write_to(&dir.path().join("out.pcap"))
        .unwrap();
    let len = fs::metadata(path).unwrap().len();
    let got = |c: &std::sync::atomic::AtomicU64| c.load(Ordering::Relaxed);
    assert_eq!((got(&progress.segments_total), got(&progress.segments_done)), (1, 1));
    assert_eq!((got(&progress.bytes_total), got(&progress.bytes_read)), (len, len));
    assert_eq!(got(&progress.packets_matched), 9000);
}

/// More overlapping segments than are merged at a time, and packets far out of order within them.
#[test]
fn whatever_order_the_segments_are_in_the_answer_is_sorted() {
    let dir = tempfile::tempdir().unwrap();
    let mut wanted = Vec::new();
    for segment in 0..90_i64 {
        // Each segment spans the same hour, every fourth one backwards.
        let mut packets: Vec<Packet> =
            (0..40).map(|n| packet(n * 90_000 + segment * 7 % 11, 1, (segment * 64 + n) as u16)).collect();
        if segment % 4 == 0 {
            packets.reverse();
        }
        put(dir.path(), &format!("{segment:03}.pcap"), &packets);
        wanted.extend(packets);
    }
    let answer = ask(dir.path(), None, Window::ALL);
    let got = packets(&answer);
    assert_eq!(got.len(), wanted.len());
    assert!(got.windows(2).all(|w| w[0].time <= w[1].time), "not in order of time");
    let sorted = |mut v: Vec<Packet>| {
        v.sort_by(|a, b| (a.time, &a.data).cmp(&(b.time, &b.data)));
        v
    };
    assert_eq!(sorted(got.to_vec()), sorted(wanted));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The answer is what a stable sort of everything by time gives, whatever the order within and across segments.
    #[test]
    fn equals_a_stable_sort_of_all_packets(
        segments in prop::collection::vec(prop::collection::vec((0..20_000_i64, 0..4_u8, 0..900_usize), 1..400), 1..6),
        from in 0..20_000_i64, span in 0..20_000_i64, threads in 1..4_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut files: Vec<(i64, String, Vec<Packet>)> = Vec::new();
        for (n, times) in segments.iter().enumerate() {
            let packets: Vec<Packet> = times.iter().map(|&(millis, host, size)| {
                let network = Ipv4::new([10, 0, 0, host], [10, 0, 1, n as u8]).carry(&Udp::new(1, 2).payload(&vec![host; size]));
                Packet::new(at(millis), Ethernet::new().carry(&network))
            }).collect();
            let name = format!("{n}.pcap");
            put(dir.path(), &name, &packets);
            files.push((times.iter().map(|t| t.0).min().unwrap(), name, packets));
        }
        files.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let window = window(from, from + span);
        let mut wanted: Vec<Packet> = files.into_iter().flat_map(|f| f.2)
            .filter(|p| window.contains(p.time) && p.data[29] == 1).collect();
        wanted.sort_by_key(|p| p.time);
        let out = dir.path().join(".out").join("o.pcap");
        fs::create_dir(out.parent().unwrap()).unwrap();
        let catalog = Catalog::open(&[dir.path()]).unwrap();
        let extraction = catalog.query(Some(filter("src host 10.0.0.1")), window).threads(threads).write_to(&out).unwrap();
        let got = match &extraction.output { Some(path) => read_pcap(&fs::read(path).unwrap()).unwrap().packets, None => Vec::new() };
        prop_assert_eq!(got, wanted);
    }
}
