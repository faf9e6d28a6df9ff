//! Answers that are gone on with: the file is what a search of the whole window would have written.

#![allow(clippy::cast_sign_loss, reason = "the numbers of these tests are small")]

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use pcapx_core::filter::{Expr, parse};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_timeline::coverage::EmptyReason;
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::{Catalog, Extraction, Limits, Query};
use proptest::prelude::*;
use tempfile::TempDir;

const BASE: i64 = 1_772_356_200;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_nanos(BASE * 1_000_000_000 + millis * 1_000_000)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

fn packet(millis: i64, port: u16) -> Packet {
    let ip = Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(port, 53).payload(&[port as u8; 20]));
    Packet::new(at(millis), Ethernet::new().carry(&ip))
}

fn client() -> [IpAddr; 1] {
    [[10, 0, 0, 1].into()]
}

/// Two folders: a timeline, and one for answers.
struct Site {
    timeline: TempDir,
    out: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { timeline: tempfile::tempdir().unwrap(), out: tempfile::tempdir().unwrap() }
    }

    fn put(&self, name: &str, form: Pcap, packets: &[Packet]) {
        form.write(&self.timeline.path().join(name), packets);
    }

    fn ask(&self, name: &str, window: Window, how: impl FnOnce(Query<'_>) -> Query<'_>) -> Extraction {
        let catalog = Catalog::open(&[self.timeline.path()]).unwrap();
        let query = how(catalog.query(Some(filter()), window)).hash(true).client(client()).digest(true);
        let answer = query.write_to(&self.out.path().join(name)).unwrap();
        let left: Vec<_> = names(self.out.path()).into_iter().filter(|name| name.starts_with('.')).collect();
        assert!(left.is_empty(), "{left:?}");
        answer
    }
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

fn filter() -> Expr {
    parse("portrange 1000-2000").unwrap()
}

fn bytes(answer: &Extraction) -> Option<Vec<u8>> {
    answer.output.as_ref().map(|path| fs::read(path).unwrap())
}

/// Packets with their link types and interfaces.
fn packets(path: &Path) -> Vec<(Timestamp, u16, Option<String>, Vec<u8>)> {
    let mut reader = SegmentReader::open(path).unwrap();
    let mut all = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        let (time, link, data, number) =
            (packet.time, packet.link_type.0, packet.data.to_vec(), packet.interface as usize);
        all.push((time, link, reader.interfaces()[number].name.clone(), data));
    }
    all
}

#[test]
fn only_what_is_new_is_searched() {
    let site = Site::new();
    site.put("a.pcap", Pcap::new(), &[packet(0, 1000), packet(100, 1), packet(200, 1001)]);
    let first = site.ask("x.pcap", window(0, 10_000), |query| query);
    assert_eq!((first.counts.packets_matched, first.counts.packets_taken_over), (2, 0));
    // The file is written on, and another one comes.
    site.put("a.pcap", Pcap::new(), &[packet(0, 1000), packet(100, 1), packet(200, 1001), packet(300, 1002)]);
    site.put("b.pcap", Pcap::new(), &[packet(20_000, 1003)]);
    let previous = site.out.path().join("x.pcap");
    let second = site.ask("x.pcap", window(0, 10_000), |query| query.continue_from(&previous, at(250)));
    let counts = second.counts;
    assert_eq!((counts.packets_matched, counts.packets_taken_over, counts.packets_in_window), (3, 2, 1));
    assert_eq!(counts.bytes_written, fs::metadata(&previous).unwrap().len());
    let whole = site.ask("whole.pcap", window(0, 10_000), |query| query);
    assert_eq!(bytes(&second), bytes(&whole));
    assert_eq!((second.sha256, second.coverage), (whole.sha256, whole.coverage));
    assert_eq!(names(site.out.path()).len(), 2);
}

#[test]
fn an_answer_without_packets_is_gone_on_with_too() {
    let site = Site::new();
    site.put("a.pcap", Pcap::new(), &[packet(0, 1)]);
    assert_eq!(site.ask("x.pcap", window(0, 1000), |query| query).output, None);
    site.put("b.pcap", Pcap::new(), &[packet(600, 1000)]);
    let answer = site.ask("x.pcap", window(0, 1000), |query| query.continue_empty(at(500)));
    assert_eq!((answer.counts.packets_matched, answer.counts.packets_in_window), (1, 1));
    assert_eq!(answer.coverage.segments.len(), 2, "of all of the window");
    let nothing = site.ask("y.pcap", window(0, 1000), |query| query.continue_empty(at(700)));
    let Some(EmptyReason::NothingMatched { segments: 2, .. }) = nothing.why_empty() else {
        panic!("{:?}", nothing.why_empty())
    };
}

/// Packets at the instant itself come from the timeline, once.
#[test]
fn the_seam_is_exact() {
    let site = Site::new();
    let all: Vec<_> = (0..10).map(|n| packet(n / 2 * 100, 1000 + n as u16)).collect();
    site.put("a.pcap", Pcap::new(), &all);
    let whole = site.ask("whole.pcap", window(0, 400), |query| query);
    let previous = site.out.path().join("whole.pcap");
    for (from, kept) in [(-50, 0), (0, 0), (1, 2), (200, 4), (201, 6), (400, 8), (500, 8)] {
        let answer = site.ask("x.pcap", window(0, 400), |query| query.continue_from(&previous, at(from)));
        assert_eq!(bytes(&answer), bytes(&whole), "{from}");
        assert_eq!(answer.counts.packets_taken_over, kept, "{from}");
    }
}

#[test]
fn a_packet_of_another_kind_begins_a_pcapng_file_of_everything() {
    let site = Site::new();
    site.put("a.pcap", Pcap::new(), &[packet(0, 1000), packet(100, 1001)]);
    site.ask("x.pcap", window(0, 1000), |query| query);
    let raw = Packet::new(at(500), packet(0, 1002).data[14..].to_vec());
    site.put("b.pcap", Pcap::new().nanos().link_type(link::RAW), std::slice::from_ref(&raw));
    let previous = site.out.path().join("x.pcap");
    let answer = site.ask("x.pcap", window(0, 1000), |query| query.continue_from(&previous, at(300)));
    assert_eq!(answer.output.as_deref(), Some(&*site.out.path().join("x.pcapng")));
    assert_eq!((answer.counts.packets_matched, answer.counts.packets_taken_over), (3, 0));
    // That one is gone on with as it is.
    site.put("c.pcap", Pcap::new(), &[packet(700, 1003)]);
    let previous = answer.output.unwrap();
    let answer = site.ask("x.pcap", window(0, 1000), |query| query.continue_from(&previous, at(600)));
    assert_eq!((answer.counts.packets_matched, answer.counts.packets_taken_over), (4, 3));
    let whole = site.ask("whole.pcap", window(0, 1000), |query| query);
    assert_eq!(packets(&answer.output.unwrap()), packets(&whole.output.unwrap()));
}

#[test]
fn what_is_no_beginning_is_left_alone() {
    let site = Site::new();
    let all = [packet(0, 1000), packet(100, 1001), packet(200, 1002)];
    site.put("a.pcap", Pcap::new(), &all);
    let whole = site.ask("whole.pcap", window(0, 1000), |query| query);
    let good = bytes(&whole).unwrap();
    let previous = site.timeline.path().join(".previous");
    let reversed = Pcap::new().encode(&[packet(100, 1001), packet(0, 1000)]);
    let big_endian = Pcap::new().big_endian().encode(&all[..1]);
    for bad in [&b""[..], b"no capture", &good[..good.len() - 1], &reversed, &big_endian] {
        fs::write(&previous, bad).unwrap();
        let answer = site.ask("x.pcap", window(0, 1000), |query| query.continue_from(&previous, at(150)));
        assert_eq!(bytes(&answer).as_ref(), Some(&good));
        assert_eq!(answer.counts.packets_taken_over, 0);
    }
    fs::remove_file(&previous).unwrap();
    let answer = site.ask("x.pcap", window(0, 1000), |query| query.continue_from(&previous, at(150)));
    assert_eq!(bytes(&answer), Some(good));
}

/// More segments overlap than are open at a time, so that the answer comes out in runs and is sorted at its end.
#[test]
fn interfaces_are_numbered_as_their_packets_come_however_those_were_found() {
    let site = Site::new();
    let put = |until: i64| {
        for n in 0..40 {
            let packets: Vec<_> = (0..50).map(|k| packet(n + k * 40, 1000 + n as u16)).collect();
            let packets: Vec<_> = packets.into_iter().filter(|packet| packet.time < at(until)).collect();
            let form = Pcap::new().snaplen(65_535 + (n % 7) as u32);
            site.put(&format!("{n:02}.pcap"), if n % 2 == 0 { form } else { form.nanos() }, &packets);
        }
    };
    put(1000);
    let first = site.ask("x.pcap", window(0, 2000), |query| query);
    put(3000);
    let previous = first.output.unwrap();
    let second = site.ask("x.pcap", window(0, 2000), |query| query.continue_from(&previous, at(1000)));
    let whole = site.ask("whole.pcap", window(0, 2000), |query| query);
    assert_eq!((whole.counts.packets_matched, second.counts.packets_taken_over), (2000, 1000));
    assert!(bytes(&second) == bytes(&whole), "numbers or places of interfaces differ");
    assert_eq!((second.directions, &second.digest), (whole.directions, &whole.digest));
    let mut reader = SegmentReader::open(&whole.output.unwrap()).unwrap();
    let mut seen = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        let number = packet.interface as usize;
        assert!(
            number <= seen.len(),
            "an interface is told before its first packet, and none before another"
        );
        if number == seen.len() {
            seen.push(packet.time);
            assert_eq!(reader.interfaces().len(), seen.len());
        }
    }
    assert_eq!(seen.len(), 14);
}

/// One segment's share of a random timeline: when, how much out of order, in which form.
#[derive(Clone, Debug)]
struct Share {
    packets: Vec<(i64, bool)>,
    nanos: bool,
    snaplen: u32,
    is_raw: bool,
}

fn share() -> impl Strategy<Value = Share> {
    (prop::collection::vec((0..1000_i64, any::<bool>()), 0..40), any::<bool>(), prop::bool::weighted(0.2))
        .prop_map(|(packets, nanos, is_raw)| Share {
            packets,
            nanos,
            snaplen: 65_535 + u32::from(nanos),
            is_raw,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the segments, wherever the seam, whatever the limits: twice in a row.
    #[test]
    fn equals_a_search_of_the_whole_window(
        shares in prop::collection::vec(share(), 1..5), mixed: bool, is_pcapng: bool,
        (one, other) in (0..1100_i64, 0..1100_i64), (from, to) in (0..300_i64, 700..1000_i64),
        max_packets in prop::option::of(0..60_u64), max_bytes in prop::option::of(100..6000_u64),
    ) {
        let site = Site::new();
        let put = |until: i64| for (n, share) in shares.iter().enumerate() {
            let mut packets: Vec<_> = share.packets.iter().enumerate().map(|(k, &(millis, is_asked))| {
                packet(millis, if is_asked { 1000 + (n * 100 + k) as u16 } else { 1 })
            }).filter(|packet| packet.time < at(until)).collect();
            packets.sort_by_key(|packet| packet.time.as_nanos() / 50_000_000);
            // Without mixing, all are of one kind.
            let of = if mixed { share } else { &shares[0] };
            let mut form = Pcap::new().snaplen(share.snaplen);
            if of.nanos {
                form = form.nanos();
            }
            if of.is_raw {
                form = form.link_type(link::RAW);
                for packet in &mut packets { packet.data.drain(..14); packet.orig_len -= 14; }
            }
            site.put(&format!("{n}.pcap"), form, &packets);
        };
        let (one, other) = (one.min(other), one.max(other));
        let limits = Limits { max_bytes, max_packets };
        let name = if is_pcapng { "x.pcapng" } else { "x.pcap" };
        put(one);
        let first = site.ask(name, window(from, to), |query| query.limits(limits));
        put(other);
        let go_on = |before: &Extraction, from_there: i64| {
            if before.limit_hit.is_some() {
                // Complete as it is.
                return site.ask(name, window(from, to), |query| query.limits(limits));
            }
            site.ask(name, window(from, to), |query| match &before.output {
                Some(path) => query.limits(limits).continue_from(path, at(from_there)),
                None => query.limits(limits).continue_empty(at(from_there)),
            })
        };
        let second = go_on(&first, one);
        put(2000);
        let third = go_on(&second, other);
        let whole = site.ask("whole.pcap", window(from, to), |query| query.limits(limits));
        let whole = if is_pcapng || third.output.as_ref().is_some_and(|p| p.ends_with("x.pcapng")) {
            site.ask("whole.pcapng", window(from, to), |query| query.limits(limits))
        } else {
            whole
        };
        prop_assert_eq!(third.limit_hit, whole.limit_hit);
        prop_assert_eq!(third.counts.packets_matched, whole.counts.packets_matched);
        prop_assert_eq!(third.output.as_deref().map(packets), whole.output.as_deref().map(packets));
        prop_assert_eq!(bytes(&third), bytes(&whole));
        prop_assert_eq!(third.sha256, whole.sha256);
        prop_assert_eq!(third.directions, whole.directions);
        prop_assert_eq!(&third.digest, &whole.digest);
        prop_assert_eq!(third.digest.map(|digest| digest.total.packets), Some(third.counts.packets_matched));
    }
}
