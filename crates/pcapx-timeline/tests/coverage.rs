//! What an answer says beside its packets: what of the window was recorded, why it is empty, and its checksum.

#![allow(clippy::cast_sign_loss, reason = "the numbers of these tests are small")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use pcapx_core::filter::parse;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp};
use pcapx_testkit::tool;
use pcapx_timeline::coverage::{Coverage, EmptyReason, Gap, GapKind};
use pcapx_timeline::index::{Identity, IndexPlace, IndexWriter, Sealed, index_segment};
use pcapx_timeline::packet::PacketKeys;
use pcapx_timeline::recorder::Unsealed;
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::{CancelToken, Catalog, Extraction, Limits, Timeline};

const BASE: i64 = 1_772_356_200;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(BASE + secs)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

fn gap(from: i64, to: i64, kind: GapKind) -> Gap {
    Gap { from: at(from), to: at(to), kind }
}

fn packet(secs: i64) -> Packet {
    let ip = Ipv4::new([10, 0, 0, 1], [10, 0, 1, 1]).carry(&Tcp::new(1000, 443).payload(&[7; 300]));
    Packet::new(at(secs), Ethernet::new().carry(&ip))
}

/// A packet a second.
fn put(dir: &Path, name: &str, from: i64, to: i64) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Pcap::new().write(&path, &(from..=to).map(packet).collect::<Vec<_>>());
    path
}

/// As n2disk names it, and written to last when its last packet came.
fn put_named(dir: &Path, from: i64, to: i64) -> PathBuf {
    let path = put(dir, &format!("{}.000000.pcap", BASE + from), from, to);
    let modified = UNIX_EPOCH + Duration::from_secs((BASE + to) as u64);
    File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
    path
}

fn ask(dir: &Path, filter: &str, window: Window) -> Extraction {
    let out = tempfile::tempdir().unwrap();
    let filter = (!filter.is_empty()).then(|| parse(filter).unwrap());
    Catalog::open(&[dir]).unwrap().query(filter, window).write_to(&out.path().join("x.pcap")).unwrap()
}

fn coverage(dir: &Path, window: Window) -> Coverage {
    let covered = ask(dir, "", window).coverage;
    let none = ask(dir, "host 192.0.2.1", window).coverage;
    assert_eq!(none, covered, "the filter has nothing to do with it");
    covered
}

#[test]
fn segments_gaps_and_horizon_of_another_recorders_files() {
    let dir = tempfile::tempdir().unwrap();
    let files = [(0, 99), (100, 199), (260, 299), (309, 400)]
        .map(|(from, to)| put(dir.path(), &format!("{from}.pcap"), from, to));
    let of = |window| {
        let coverage = coverage(dir.path(), window);
        assert_eq!((coverage.oldest, coverage.newest), (Some(at(0)), Some(at(400))));
        let names: Vec<usize> = coverage
            .segments
            .iter()
            .map(|segment| files.iter().position(|file| *file == segment.path).unwrap())
            .collect();
        assert!(
            coverage.segments.iter().all(|segment| segment.drops.total().is_none() && !segment.is_indexed)
        );
        (names, coverage)
    };
    let (names, all) = of(window(50, 350));
    assert_eq!(names, [0, 1, 2, 3]);
    assert_eq!(all.covered, [window(50, 199), window(260, 350)]);
    assert_eq!(all.gaps, [gap(199, 260, GapKind::Between)]);
    assert_eq!(all.missing(), Duration::from_secs(61));
    assert_eq!(all.packets_in_segments, 100 + 100 + 40 + 92, "all were read");
    assert_eq!((all.segments[2].first, all.segments[2].last), (at(260), Some(at(299))));
    assert_eq!(all.segments[2].bytes, fs::metadata(&files[2]).unwrap().len());

    let (names, inside) = of(window(120, 130));
    assert_eq!((names, inside.covered, inside.gaps), (vec![1], vec![window(120, 130)], vec![]));
    // Between two segments that are one recording.
    let (names, between) = of(window(302, 305));
    assert_eq!((names, between.covered, between.gaps), (vec![], vec![window(302, 305)], vec![]));
    let (_, ends) = of(window(-10, 410));
    assert_eq!(
        ends.gaps,
        [
            gap(-10, 0, GapKind::BeforeOldest),
            gap(199, 260, GapKind::Between),
            gap(400, 410, GapKind::AfterNewest)
        ]
    );
    let (_, all) = of(Window::ALL);
    assert_eq!(all.gaps, [gap(199, 260, GapKind::Between)]);
    assert!(!all.is_complete());
}

/// Of most files of a large timeline, only name and time of writing are looked at.
#[test]
fn neighbours_known_by_name_only_are_asked_when_it_matters() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..20 {
        // Recorders come to write a while after the last packet.
        put_named(dir.path(), n * 100, n * 100 + 80);
    }
    let of = |window| {
        let coverage = coverage(dir.path(), window);
        assert_eq!((coverage.oldest, coverage.newest), (Some(at(0)), Some(at(1980))));
        (coverage.segments.len(), coverage.gaps)
    };
    assert_eq!(of(window(310, 370)), (1, vec![]));
    assert_eq!(of(window(385, 395)), (0, vec![gap(385, 395, GapKind::Between)]));
    assert_eq!(of(window(350, 450)), (2, vec![gap(380, 400, GapKind::Between)]));
    assert_eq!(of(window(-50, 10)), (1, vec![gap(-50, 0, GapKind::BeforeOldest)]));
    assert_eq!(of(window(3000, 3001)), (0, vec![gap(3000, 3001, GapKind::AfterNewest)]));
}

#[test]
fn an_index_tells_the_packets_of_a_segment_without_a_scan() {
    let dir = tempfile::tempdir().unwrap();
    let path = put(dir.path(), "a.pcap", 0, 999);
    index_segment(&path, &IndexPlace::beside(), &CancelToken::new(), |_| ()).unwrap();
    let answer = ask(dir.path(), "host 192.0.2.1", window(10, 20));
    assert_eq!(answer.counts.packets_scanned, 0);
    let [segment] = &answer.coverage.segments[..] else { panic!("{:?}", answer.coverage) };
    assert_eq!((segment.packets, segment.last, segment.is_indexed), (Some(1000), Some(at(999)), true));
    assert_eq!(
        answer.why_empty(),
        Some(EmptyReason::NothingMatched { packets: 1000, segments: 1, missing: Duration::ZERO })
    );
}

/// A segment as a recorder of ours leaves it: `packets` a second apart, recorded from `from` to `to`.
fn record(dir: &Path, packets: (i64, i64), (from, to): (i64, i64), drops: u64) -> PathBuf {
    let path = put(dir, &format!("{}.000000.pcap", BASE + packets.0), packets.0, packets.1);
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
    let sealed = Sealed {
        segment: Identity::of(&metadata),
        end: metadata.len(),
        is_whole: true,
        kernel_drops: Some(drops),
        recorder_drops: Some(1),
        recorded: Some(window(from, to)),
    };
    index.publish(&sealed).unwrap();
    path
}

#[test]
fn a_recorder_that_tells_leaves_no_gap_when_the_link_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing came from 50 to 290; the recorder was stopped from 300 to 305.
    record(dir.path(), (0, 50), (-10, 100), 5);
    record(dir.path(), (290, 295), (100, 300), 0);
    record(dir.path(), (310, 350), (305, 360), 2);
    let timeline = Timeline::new([dir.path()]);
    let of = |window| {
        let catalog = timeline.catalog().unwrap();
        let answer =
            catalog.query(Some(parse("host 192.0.2.1").unwrap()), window).write_to(&dir.path().join("x"));
        let Coverage { segments, covered, gaps, drops, oldest, newest, .. } = answer.unwrap().coverage;
        assert_eq!((oldest, newest), (Some(at(0)), Some(at(350))));
        assert!(segments.iter().all(|segment| segment.recorded.is_some() && segment.packets.is_some()));
        (segments.len(), covered, gaps, (drops.kernel, drops.recorder, drops.total()))
    };
    let lost = |kernel: u64, recorder: u64| (Some(kernel), Some(recorder), Some(kernel + recorder));
    for _ in 0..2 {
        // Asked again, the segments are known without a look at their indexes.
        let missing = vec![gap(300, 305, GapKind::Between)];
        assert_eq!(
            of(window(20, 320)),
            (3, vec![window(20, 300), window(305, 320)], missing.clone(), lost(7, 3))
        );
        assert_eq!(of(window(60, 90)), (1, vec![window(60, 90)], vec![], lost(5, 1)));
        assert_eq!(of(window(80, 200)), (2, vec![window(80, 200)], vec![], lost(5, 2)));
        assert_eq!(
            of(window(301, 303)),
            (0, vec![], vec![gap(301, 303, GapKind::Between)], (None, None, None))
        );
        assert_eq!(
            of(window(-20, -5)),
            (1, vec![window(-10, -5)], vec![gap(-20, -10, GapKind::BeforeOldest)], lost(5, 1))
        );
        assert_eq!(
            of(window(355, 370)),
            (1, vec![window(355, 360)], vec![gap(360, 370, GapKind::AfterNewest)], lost(2, 1))
        );
    }
    let reason = ask(dir.path(), "", window(60, 90)).why_empty();
    assert_eq!(
        reason,
        Some(EmptyReason::NothingMatched { packets: 51, segments: 1, missing: Duration::ZERO })
    );
    let reason = ask(dir.path(), "", window(301, 303)).why_empty();
    assert_eq!(reason, Some(EmptyReason::NothingRecorded { gap: window(301, 303) }));
}

#[test]
fn each_reason_for_an_empty_answer() {
    let dir = tempfile::tempdir().unwrap();
    let why = |filter, window| {
        let reason = ask(dir.path(), filter, window).why_empty().unwrap();
        let text = reason.to_string();
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text:?}");
        (reason, text)
    };
    let (reason, text) = why("", window(0, 10));
    assert_eq!(reason, EmptyReason::NothingRecorded { gap: window(0, 10) });
    assert_eq!(
        text,
        "nothing was recorded between 2026-03-01T09:10:00.000000000Z and 2026-03-01T09:10:10.000000000Z"
    );
    put(dir.path(), "a.pcap", 100, 200);
    put(dir.path(), "b.pcap", 300, 400);
    assert_eq!(why("", window(220, 280)).0, EmptyReason::NothingRecorded { gap: window(220, 280) });
    assert_eq!(why("", window(0, 50)).0, EmptyReason::RotatedOut { horizon: at(100) });
    assert_eq!(why("", window(500, 600)).0, EmptyReason::NotYetWritten { newest: at(400) });
    let (reason, text) = why("host 192.0.2.1", window(150, 350));
    let missing = Duration::from_secs(100);
    assert_eq!(reason, EmptyReason::NothingMatched { packets: 202, segments: 2, missing });
    assert_eq!(
        text,
        "the filter is true of none of 202 packets in 2 segments; 100.000 s of the window were not recorded"
    );
    let whole = Pcap::new().encode(&[packet(205), packet(206)]);
    fs::write(dir.path().join("c.pcap"), [&whole[..], &[0xff; 16]].concat()).unwrap();
    let (reason, text) = why("host 192.0.2.1", window(150, 350));
    assert!(matches!(reason, EmptyReason::Unreadable { segments: 1, .. }), "{reason:?}");
    assert!(text.starts_with("a segment cannot be used: ") && text.contains("is damaged at byte"), "{text}");
}

/// However short it is: a pause between two files is none where a third was, of which nothing can be read.
#[test]
fn what_cannot_be_read_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    put_named(dir.path(), 0, 100);
    let path = put_named(dir.path(), 102, 104);
    put_named(dir.path(), 106, 200);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let whole = fs::read(&path).unwrap();
    let spoil = |from: usize| {
        let bytes = [&whole[..from], &vec![0xff; whole.len() - from][..]].concat();
        fs::write(&path, bytes).unwrap();
        File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
    };
    assert!(coverage(dir.path(), window(50, 150)).is_complete());
    let record = (whole.len() - 24) / 3;
    for (from, gap_from) in [(24, 100), (24 + record, 102), (24 + 2 * record, 103)] {
        spoil(from);
        let Coverage { covered, gaps, segments_unreadable, .. } =
            ask(dir.path(), "", window(50, 150)).coverage;
        assert_eq!(gaps, [gap(gap_from, 106, GapKind::Between)], "from byte {from} on");
        assert_eq!(covered, [window(50, gap_from), window(106, 150)]);
        assert_eq!(segments_unreadable.len(), 1, "{segments_unreadable:?}");
    }
    // Of another time it matters to nobody.
    assert!(coverage(dir.path(), window(150, 180)).is_complete());
    assert!(coverage(dir.path(), window(10, 90)).is_complete());
}

#[test]
fn who_knows_more_than_the_packets_tell_closes_the_gap_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.pcap", 0, 100);
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let out = dir.path().join("out/x.pcap");
    let ask = |window, up_to| catalog.query(None, window).complete_up_to(at(up_to)).write_to(&out).unwrap();
    fs::create_dir(dir.path().join("out")).unwrap();
    assert_eq!(ask(window(50, 300), 200).coverage.gaps, [gap(200, 300, GapKind::AfterNewest)]);
    assert!(ask(window(50, 300), 300).coverage.is_complete());
    let quiet = ask(window(150, 250), 300);
    assert_eq!(
        quiet.why_empty(),
        Some(EmptyReason::NothingMatched { packets: 0, segments: 0, missing: Duration::ZERO })
    );
    assert_eq!(quiet.why_empty().unwrap().to_string(), "no packet came in the window");
}

/// The recorder's word stands for a file of its own that has no index, and for no other.
#[test]
fn what_a_segment_without_an_index_lacks_is_told_by_its_recorder() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    record(dir.path(), (0, 100), (0, 100), 2);
    put(dir.path(), &format!("{}.000000.pcap.tmp", BASE + 101), 101, 200);
    let unsealed = |secs: i64, kernel_drops| Unsealed {
        file: format!("{}.000000.pcap", BASE + secs),
        kernel_drops,
        recorder_drops: 10,
    };
    let drops = |window, unsealed| {
        let catalog = Catalog::open(&[dir.path()]).unwrap();
        let query = catalog.query(None, window).unsealed(unsealed);
        query.write_to(&out.path().join("x.pcap")).unwrap().coverage.drops.total()
    };
    let all = window(50, 150);
    assert_eq!(drops(all, vec![unsealed(101, 400)]), Some(413));
    assert_eq!(drops(window(120, 150), vec![unsealed(101, 400)]), Some(410), "the first is not of that time");
    assert_eq!(drops(window(20, 50), vec![unsealed(101, 400)]), Some(3), "nor is the second");
    assert_eq!(drops(window(120, 150), vec![unsealed(101, 0)]), Some(10));
    assert_eq!(drops(window(120, 150), vec![unsealed(102, 400)]), None, "another file");
    assert_eq!(drops(all, vec![unsealed(0, 400)]), Some(3), "its index knows better");
    assert_eq!(drops(window(120, 150), vec![]), None);
}

#[test]
fn the_newest_packet_is_found_in_a_file_that_grows() {
    let dir = tempfile::tempdir().unwrap();
    // More than is read as a whole.
    let path = put(dir.path(), "a.pcap.tmp", 0, 5000);
    let whole = fs::read(&path).unwrap();
    for (end, last) in [(0, 5000), (5, 4999), (16 + 100, 4999)] {
        for zeros in [0, 3, 4096] {
            let mut bytes = whole[..whole.len() - end].to_vec();
            if end == 0 {
                bytes.resize(bytes.len() + zeros, 0);
            }
            fs::write(&path, &bytes).unwrap();
            let coverage = coverage(dir.path(), window(-20, -10));
            assert_eq!((coverage.oldest, coverage.newest), (Some(at(0)), Some(at(last))));
            let [segment] = &ask(dir.path(), "", window(0, 10)).coverage.segments[..] else { panic!() };
            assert!(segment.is_growing);
            assert_eq!(segment.last, Some(at(last)));
        }
    }
}

#[test]
fn a_limit_leaves_the_coverage_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..30 {
        put(dir.path(), &format!("{n}.pcap"), n * 100, n * 100 + 99);
    }
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let out = tempfile::tempdir().unwrap();
    let limits = Limits { max_packets: Some(1), max_bytes: None };
    let answer = catalog.query(None, Window::ALL).limits(limits).write_to(&out.path().join("x")).unwrap();
    let unlimited = coverage(dir.path(), Window::ALL);
    assert_eq!((answer.coverage.covered, answer.coverage.gaps), (unlimited.covered, vec![]));
    assert_eq!(answer.coverage.segments.len(), 30);
}

/// The sum of the file as it is on disk, whichever way it came about.
#[test]
fn the_checksum_is_that_of_the_file() {
    let Some(sha256sum) = tool::require("sha256sum") else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let check = |what: &str, name: &str| {
        let catalog = Catalog::open(&[dir.path()]).unwrap();
        let answer = catalog.query(None, Window::ALL).hash(true).write_to(&out.path().join(name)).unwrap();
        let output = answer.output.unwrap();
        let text = String::from_utf8(sha256sum.run([&output]).stdout).unwrap();
        let wanted: Vec<u8> =
            (0..32).map(|n| u8::from_str_radix(&text[n * 2..n * 2 + 2], 16).unwrap()).collect();
        assert_eq!(answer.sha256.unwrap()[..], wanted, "{what}");
        assert_eq!(catalog.query(None, Window::ALL).write_to(&output).unwrap().sha256, None);
        fs::metadata(output).unwrap().len()
    };
    put(dir.path(), "a.pcap", 0, 9);
    assert!(check("small", "x.pcap") < 10_000);
    put(dir.path(), "b.pcap", 10, 9999);
    assert!(check("large", "x.pcap") > 3_000_000);
    check("pcapng", "x.pcapng");
    Pcap::new().snaplen(100_000).write(&dir.path().join("c.pcap"), &[packet(20_000)]);
    put(dir.path(), "a.pcap", 0, 9);
    check("a header that is written anew", "x.pcap");
    let back: Vec<Packet> = (0..3000).map(|n| packet(n * 7 % 3000)).collect();
    Pcap::new().write(&dir.path().join("d.pcap"), &back);
    check("packets out of order", "x.pcap");
    Pcap::new().nanos().link_type(link::RAW).write(&dir.path().join("e.pcap"), &[packet(30_000)]);
    check("kinds that differ", "x.pcap");
}
