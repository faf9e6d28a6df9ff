//! Random filters and windows over random captures: the answer with indexes is the answer of a scan, and both are what a
//! plain look at every packet finds.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use pcapx_core::filter::{Expr, Primitive, parse};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::index::{IndexError, IndexPlace};
use pcapx_timeline::link::LinkType;
use pcapx_timeline::matcher::Matcher;
use pcapx_timeline::packet::PacketKeys;
use pcapx_timeline::{Catalog, Limits};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestError, TestRunner};

use crate::asking::{self, Answer, Told, ask, indexed, packets_of, scanned, scratch};
use crate::chance::{Chance, effort};
use crate::expression::{expression, term};
use crate::generated;

/// Timelines, and questions to each.
const TIMELINES: u32 = 60;
const QUESTIONS: u32 = 30;
/// Packets of a timeline at most; its files then have less than a megabyte each, and a scan looks at all of each.
const PACKETS: usize = 1500;

/// What was asked, and how much of it was any work.
#[derive(Default)]
struct Tally {
    questions: Cell<u64>,
    matched: Cell<u64>,
    blocks: Cell<u64>,
    blocks_read: Cell<u64>,
    excluded: Cell<u64>,
}

fn add(cell: &Cell<u64>, n: u64) {
    cell.set(cell.get() + n);
}

fn question() -> impl Strategy<Value = Expr> {
    let vlan = prop_oneof![Just(None), select(vec![5_u16, 6, 7]).prop_map(Some)].prop_map(Primitive::Vlan);
    expression(prop_oneof![12 => term(), 1 => vlan])
}

/// Begin and end at packets, or a nanosecond beside them.
fn window(times: &[Timestamp]) -> impl Strategy<Value = Window> + use<> {
    let times = times.to_vec();
    let beside = |time: Timestamp, by: i64| Timestamp::from_nanos(time.as_nanos().saturating_add(by));
    let part =
        (any::<Index>(), any::<Index>(), -1..=1_i64, -1..=1_i64).prop_map(move |(one, other, a, b)| {
            let (one, other) = (beside(*one.get(&times), a), beside(*other.get(&times), b));
            Window::new(one.min(other), one.max(other)).unwrap()
        });
    prop_oneof![1 => Just(Window::ALL), 4 => part]
}

/// One to four segments, with an index each unless `is_mixed`.
fn timeline(seed: u64, is_mixed: bool, folder: &Path) -> Vec<PathBuf> {
    let mut chance = Chance::new(seed);
    let segments = 1 + chance.below(4);
    let paths: Vec<_> = (0..segments).map(|number| folder.join(format!("{number}.pcap"))).collect();
    for path in &paths {
        let packets = chance.below(PACKETS / segments);
        fs::write(path, generated::capture(&mut chance, packets)).unwrap();
        if is_mixed && chance.one_in(2) {
            continue;
        }
        match asking::index(path) {
            Ok(built) => assert!(built.summary.packets <= packets_of(path).0.len() as u64),
            // A file that was spoiled in its first bytes.
            Err(IndexError::Segment(_)) => {}
            Err(e) => panic!("{path:?}: {e}"),
        }
    }
    paths
}

/// The packets that a plain look finds, in no order.
fn found(packets: &[Told], filter: &Expr, window: Window) -> Vec<Told> {
    let matcher = Matcher::new(filter);
    let is_asked = |(time, link, data, _): &&Told| {
        window.contains(*time) && matcher.matches(&PacketKeys::of(LinkType(*link), data))
    };
    packets.iter().filter(is_asked).cloned().collect()
}

/// What every form of file can tell of a time.
fn micros(time: Timestamp) -> i64 {
    time.as_nanos().max(0) / 1000
}

/// Packets to be compared, whatever their order.
fn sorted(packets: Vec<Told>) -> Vec<(i64, u16, Vec<u8>, u32)> {
    let mut packets: Vec<_> =
        packets.into_iter().map(|(time, link, data, len)| (micros(time), link, data, len)).collect();
    packets.sort();
    packets
}

/// What is wrong with the answer `with` indexes, the one `without` them and the packets `found` being right.
fn difference(with: &Answer, without: &Answer, found: Vec<Told>) -> Option<String> {
    let (told, scanned) = (with.packets(), without.packets());
    if !with.unused().is_empty() {
        return Some(format!("an index was not used: {:?}", with.unused()));
    }
    if with.warnings() != without.warnings() {
        return Some(format!("it says {:?}, the scan {:?}", with.warnings(), without.warnings()));
    }
    if !with.is_same_file(without) {
        let at = told.iter().zip(&scanned).position(|(one, other)| one != other);
        return Some(format!(
            "{} packets, the scan has {}; they differ at {at:?}",
            told.len(),
            scanned.len()
        ));
    }
    if !told.is_sorted_by_key(|packet| micros(packet.0)) {
        return Some("packets are not in order".to_owned());
    }
    let wanted = found.len();
    (sorted(found) != sorted(told)).then(|| format!("not the {wanted} packets that a plain look finds"))
}

fn check(seed: u64, is_mixed: bool, tally: &Tally) -> Result<(), String> {
    let folder = scratch();
    let paths = timeline(seed, is_mixed, folder.path());
    let packets: Vec<Told> = paths.iter().flat_map(|path| packets_of(path).0).collect();
    let mut times: Vec<_> = packets.iter().map(|packet| packet.0).collect();
    times.push(generated::START);
    // The same snapshot answers all questions: what one has learned of a segment serves the next.
    let catalog = Catalog::open(&[folder.path()]).unwrap();

    let mut config =
        ProptestConfig { failure_persistence: None, cases: QUESTIONS, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(seed);
    }
    let outcome = TestRunner::new(config).run(&(question(), window(&times)), |(filter, window)| {
        let text = filter.to_string();
        let filter = parse(&text).unwrap();
        let with = ask(&catalog, Some(&filter), window, Some(IndexPlace::beside()));
        let without = scanned(folder.path(), Some(&filter), window);
        if let Some(why) = difference(&with, &without, found(&packets, &filter, window)) {
            return Err(TestCaseError::fail(format!("{text} in {window}: {why}")));
        }

        let counts = with.extraction.counts;
        add(&tally.questions, 1);
        add(&tally.matched, u64::from(counts.packets_matched > 0));
        add(&tally.blocks, counts.blocks);
        add(&tally.blocks_read, counts.blocks_read);
        add(&tally.excluded, counts.segments_excluded);
        Ok(())
    });
    outcome.map_err(|error| match error {
        TestError::Abort(why) | TestError::Fail(why, _) => format!("timeline {seed}: {why}"),
    })
}

fn check_all(is_mixed: bool, seeds: std::ops::Range<u64>) {
    let tally = Tally::default();
    let wrong: Vec<_> = seeds.filter_map(|seed| check(seed, is_mixed, &tally).err()).collect();
    let Tally { questions, matched, blocks, blocks_read, excluded } = &tally;
    let (questions, matched) = (questions.get(), matched.get());
    let share = blocks_read.get() as f64 / blocks.get() as f64;
    eprintln!(
        "{questions} questions, {matched} with an answer; of {} blocks asked for, {:.0} % were read; {} segments excluded",
        blocks.get(),
        share * 100.0,
        excluded.get()
    );
    assert!(wrong.is_empty(), "{} timelines:\n{}", wrong.len(), wrong.join("\n"));
    assert!(matched > questions / 4, "the filters hit too little to prove anything");
    assert!(share < 0.8, "the indexes leave out too little to prove anything");
}

#[test]
fn an_answer_with_indexes_is_that_of_a_scan() {
    check_all(false, 0..u64::from(TIMELINES * effort()));
}

#[test]
fn it_does_not_matter_which_segments_have_one() {
    check_all(true, 1_000_000..1_000_000 + u64::from(TIMELINES / 3 * effort()));
}

#[test]
fn limits_end_an_answer_at_the_same_packet() {
    let question = parse("udp or port 443 or ip6").unwrap();
    let mut cut = 0;
    for seed in 3_000_000..3_000_000 + u64::from(20 * effort()) {
        let folder = scratch();
        timeline(seed, false, folder.path());
        let catalog = Catalog::open(&[folder.path()]).unwrap();
        let mut chance = Chance::new(seed);
        for _ in 0..5 {
            let limits = Limits {
                max_packets: Some(1 + chance.below(300) as u64),
                max_bytes: chance.one_in(2).then(|| 200 + chance.below(200_000) as u64),
            };
            let snaplen = 14 + chance.below(200) as u32;
            let [with, without] = [Some(IndexPlace::beside()), None].map(|place| {
                let out = scratch();
                let query = catalog.query(Some(question.clone()), Window::ALL).indexes(place).threads(1);
                let query = query.limits(limits).snaplen(snaplen);
                let extraction = query.write_to(&out.path().join("out.pcap")).unwrap();
                let packets = extraction.output.as_ref().map(|path| packets_of(path));
                (packets, extraction.limit_hit, extraction.counts.packets_matched)
            });
            assert!(with == without, "timeline {seed}: {limits:?}");
            cut += u32::from(with.1.is_some());
        }
    }
    assert!(cut > 0);
}

#[test]
fn everything_of_a_window_comes_with_indexes_too() {
    for seed in 2_000_000..2_000_000 + u64::from(20 * effort()) {
        let folder = scratch();
        let paths = timeline(seed, false, folder.path());
        let mut times: Vec<_> =
            paths.iter().flat_map(|path| packets_of(path).0).map(|packet| packet.0).collect();
        times.sort();
        let Some(&middle) = times.get(times.len() / 2) else { continue };
        for window in
            [Window::ALL, Window::new(middle, middle).unwrap(), Window::new(middle, Timestamp::MAX).unwrap()]
        {
            let (with, without) =
                (indexed(folder.path(), None, window), scanned(folder.path(), None, window));
            assert_eq!(with.packets(), without.packets(), "timeline {seed}");
            assert_eq!(with.warnings(), without.warnings(), "timeline {seed}");
        }
    }
}
