//! Real captures with an index: our packets are those of a scan, and tcpdump's.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use pcapx_core::filter::parse;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::strip;
use pcapx_testkit::tool::{Tcpdump, require_captures};
use pcapx_testkit::trace::Trace;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use crate::asking::{assert_same, index, indexed, packets_of, scanned, scratch};
use crate::chance::effort;
use crate::expression::{expression, term};
use crate::oracle::Subject;
use crate::vocabulary::Vocabulary;
use crate::zoo;

/// Random filters that tcpdump is asked.
const CASES: u32 = 60;

fn captures(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_capture =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "pcap" || ending == "pcapng");
    let mut captures: Vec<_> = entries.filter(is_capture).collect();
    captures.sort();
    captures
}

/// Values of every capture, over which filters are made.
fn vocabulary(path: &Path) -> Vocabulary {
    let (packets, _) = packets_of(path);
    let link = packets.first().map_or(link::ETHERNET, |packet| packet.1.into());
    let frames: Vec<_> = packets.iter().map(|packet| strip::frame(link, &packet.2)).collect();
    Vocabulary::of(link, &frames)
}

#[test]
fn real_captures_answer_as_when_they_are_scanned() {
    let Some(captures_folder) = require_captures() else { return };
    let (mut asked, mut matched, mut packets_left_out) = (0, 0, 0_u64);
    for capture in captures(&captures_folder) {
        let folder = scratch();
        let path = folder.path().join(capture.file_name().unwrap());
        fs::copy(&capture, &path).unwrap();
        index(&path).unwrap();
        let times: Vec<_> = packets_of(&path).0.iter().map(|packet| packet.0).collect();
        let quarter =
            Window::new(times[times.len() / 2], times[times.len() / 2].max(times[times.len() * 3 / 4]));
        for text in vocabulary(&path).filters() {
            let filter = parse(&text).unwrap();
            for window in [Some(Window::ALL), quarter.ok()].into_iter().flatten() {
                let with = indexed(folder.path(), Some(&filter), window);
                let without = scanned(folder.path(), Some(&filter), window);
                assert_eq!(with.unused(), Vec::<&str>::new(), "{capture:?}");
                assert_same(&with, &without, &format!("{capture:?}: {text}"));
                asked += 1;
                matched += u32::from(with.name.is_some());
                packets_left_out +=
                    without.extraction.counts.packets_scanned - with.extraction.counts.packets_scanned;
            }
        }
    }
    eprintln!(
        "{asked} questions, {matched} with an answer; {packets_left_out} packets did not need to be looked at"
    );
    assert!(matched > asked / 4 && packets_left_out > 0);
}

#[test]
fn all_real_captures_together_answer_as_when_they_are_scanned() {
    let Some(captures_folder) = require_captures() else { return };
    let folder = scratch();
    for capture in captures(&captures_folder) {
        let path = folder.path().join(capture.file_name().unwrap());
        fs::copy(&capture, &path).unwrap();
        index(&path).unwrap();
    }
    let filters = vocabulary(&folder.path().join("ndpi-netflix.pcap")).filters();
    for text in &filters {
        let filter = parse(text).unwrap();
        let with = indexed(folder.path(), Some(&filter), Window::ALL);
        let without = scanned(folder.path(), Some(&filter), Window::ALL);
        assert_eq!(with.packets(), without.packets(), "{text}");
        assert_eq!(with.warnings(), without.warnings(), "{text}");
    }
}

/// A trace with the zoo spread over it.
fn traffic() -> Vec<Packet> {
    let mut packets: Vec<_> = Trace::new(21).bytes(3 << 20).packets().collect();
    let zoo = zoo::frames(link::ETHERNET);
    let step = packets.len() / zoo.len();
    for (n, frame) in zoo.into_iter().enumerate() {
        let at = n * (step + 1);
        let time = packets[at].time;
        packets.insert(at, Packet::new(time, frame));
    }
    packets
}

#[test]
fn indexed_traffic_answers_as_tcpdump_does() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let folder = scratch();
    let path = folder.path().join("traffic.pcap");
    Pcap::new().write(&path, &traffic());
    index(&path).unwrap();
    // What hides ports from tcpdump is taken out of the frames that it is asked about.
    let subject = Subject::new(&tcpdump, &path, |link, packet| {
        let packet = strip::packet(link, packet);
        Packet { data: strip::extensions(14, &packet.data), ..packet }
    });
    let config = ProptestConfig {
        failure_persistence: None,
        cases: CASES * effort(),
        rng_seed: RngSeed::Fixed(2),
        ..ProptestConfig::default()
    };
    let matched = Cell::new(0);
    let outcome = TestRunner::new(config).run(&expression(term()), |filter| {
        let text = filter.to_string();
        let filter = parse(&text).unwrap();
        let difference =
            subject.compare(&filter, &text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        let frames: Vec<_> =
            difference.0.iter().chain(&difference.1).take(1).map(|&n| &subject.plain[n]).collect();
        prop_assert!(frames.is_empty(), "{text}: {difference:?}; the first is {frames:02x?}");
        let answer = indexed(&path, Some(&filter), Window::ALL);
        prop_assert_eq!(answer.extraction.counts.segments_without_index, 0);
        matched.set(matched.get() + u32::from(answer.name.is_some()));
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
    assert!(matched.get() > CASES * effort() / 4, "the filters hit too little to prove anything");
}
