//! Builders that are killed, cancelled, or not alone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Interface, Pcap, Pcapng};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp, Udp};
use pcapx_testkit::trace::Trace;
use pcapx_timeline::index::{IndexError, IndexPlace, SIDECAR_SUFFIX, index_segment};
use pcapx_timeline::segment::SegmentError;
use pcapx_timeline::{CancelToken, Catalog};
use tempfile::TempDir;

use crate::asking::{ask, assert_same, filter, index, indexed, names, scanned, scratch, sidecar};
use crate::chance::{Chance, effort};

/// Names the segment to the child process that indexes it.
const SEGMENT: &str = "PCAPX_TEST_SEGMENT";
/// What the child says when it begins.
const BEGUN: &str = "the builder begins";
/// Builders that are killed.
const KILLS: u32 = 200;

/// A segment of some hundred kilobytes, and what its index has to be.
struct Site {
    folder: TempDir,
    segment: PathBuf,
    index: Vec<u8>,
}

impl Site {
    fn new() -> Self {
        let folder = scratch();
        let segment = folder.path().join("a.pcap");
        let packets: Vec<_> = Trace::new(4).bytes(600_000).packets().collect();
        Pcap::new().write(&segment, &packets);
        index(&segment).unwrap();
        let index = fs::read(sidecar(&segment)).unwrap();
        Self { folder, segment, index }
    }

    fn remove_index(&self) {
        fs::remove_file(sidecar(&self.segment)).unwrap();
    }

    /// Whether a builder has left its work behind.
    fn has_litter(&self) -> bool {
        names(self.folder.path()).iter().any(|name| name.ends_with(".building"))
    }

    #[track_caller]
    fn is_clean_and_indexed(&self) {
        assert_eq!(names(self.folder.path()), ["a.pcap".to_owned(), format!("a.pcap{SIDECAR_SUFFIX}")]);
        assert!(fs::read(sidecar(&self.segment)).unwrap() == self.index, "another index");
    }
}

/// A process that indexes a segment again and again; it is killed when it is dropped.
struct Builder(Child);

impl Builder {
    /// Starts it, and waits until it begins.
    fn start(segment: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "building::a_builder_to_be_killed", "--ignored", "--nocapture"])
            .env(SEGMENT, segment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The harness writes some words of its own before.
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with(BEGUN)), "the builder has not begun");
        Self(child)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(9), "the builder has ended before");
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        // It has been waited for, or is still ours.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the process that the test below kills"]
fn a_builder_to_be_killed() {
    let Some(segment) = std::env::var_os(SEGMENT) else { return };
    println!("{BEGUN}");
    loop {
        index(Path::new(&segment)).unwrap();
    }
}

#[test]
fn what_a_killed_builder_leaves_is_taken_over() {
    let site = Site::new();
    let question = filter("net 10.13.0.0/16 and port 443");
    let right = scanned(site.folder.path(), Some(&question), Window::ALL);
    assert!(right.name.is_some());
    let begun = Instant::now();
    index(&site.segment).unwrap();
    let build_time = begun.elapsed();

    let (mut chance, mut with_litter, mut with_index) = (Chance::new(9), 0, 0);
    for round in 0..KILLS * effort() {
        site.remove_index();
        let builder = Builder::start(&site.segment);
        // Half of them within their first index, the others somewhere in a later one.
        let span = build_time * if round % 2 == 0 { 1 } else { 4 };
        let until = Instant::now() + span.mul_f64(chance.below(1000) as f64 / 1000.0);
        while Instant::now() < until {
            thread::sleep(Duration::from_micros(100));
        }
        builder.kill();
        with_litter += u32::from(site.has_litter());
        with_index += u32::from(sidecar(&site.segment).exists());

        let answer = indexed(site.folder.path(), Some(&question), Window::ALL);
        assert!(answer.bytes == right.bytes, "round {round}");
        assert_eq!(answer.extraction.warnings, [], "round {round}: whatever has a name is whole");
        index(&site.segment).unwrap();
        site.is_clean_and_indexed();
    }
    eprintln!(
        "{} killed, {with_litter} of them with work under way, {with_index} after an index was complete",
        KILLS * effort()
    );
    assert!(with_litter > KILLS / 10 && with_index > KILLS / 10, "{with_litter} {with_index}");
}

#[test]
fn nothing_of_longer_leftovers_gets_into_an_index() {
    let site = Site::new();
    site.remove_index();
    let hidden = site.folder.path().join(format!(".a.pcap{SIDECAR_SUFFIX}.building"));
    fs::write(hidden, vec![0xaa; site.index.len() * 3]).unwrap();
    index(&site.segment).unwrap();
    site.is_clean_and_indexed();
}

#[test]
fn of_several_builders_one_wins() {
    let site = Site::new();
    for round in 0..10 * effort() {
        if round % 2 == 0 {
            site.remove_index();
        }
        let barrier = Barrier::new(4);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let builders: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        index(&site.segment)
                    })
                })
                .collect();
            builders.into_iter().map(|builder| builder.join().unwrap()).collect()
        });
        assert!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");
        assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(IndexError::Busy))), "{outcomes:?}");
        site.is_clean_and_indexed();
    }
}

#[test]
fn a_cancelled_builder_leaves_what_was_there() {
    let site = Site::new();
    for is_indexed in [true, false] {
        if !is_indexed {
            site.remove_index();
        }
        let cancel = CancelToken::new();
        let outcome = index_segment(&site.segment, &IndexPlace::beside(), &cancel, |_| cancel.cancel());
        // The token is looked at now and then: a short segment may be complete before.
        match outcome {
            Err(IndexError::Cancelled) if is_indexed => site.is_clean_and_indexed(),
            Err(IndexError::Cancelled) => assert_eq!(names(site.folder.path()), ["a.pcap"]),
            outcome => {
                outcome.unwrap();
                site.is_clean_and_indexed();
            }
        }
    }
    let cancel = CancelToken::new();
    cancel.cancel();
    let outcome = index_segment(&site.segment, &IndexPlace::beside(), &cancel, |_| ());
    assert!(matches!(outcome, Err(IndexError::Cancelled)), "{outcome:?}");
    assert!(!site.has_litter());
}

#[test]
fn what_is_no_capture_gets_no_index() {
    let folder = scratch();
    for bytes in [
        &b""[..],
        b"\xd4\xc3\xb2\xa1",
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0],
        b"neither fish nor fowl, and long enough",
    ] {
        let path = folder.path().join("a.pcap");
        fs::write(&path, bytes).unwrap();
        assert!(matches!(index(&path), Err(IndexError::Segment(_))));
        assert_eq!(names(folder.path()), ["a.pcap"]);
    }
    assert!(matches!(index(&folder.path().join("gone")), Err(IndexError::Segment(SegmentError::Io(_)))));
    assert!(index(folder.path()).is_err(), "a folder");
}

/// In the byte order of the first section, the record that is cut in the second one would be a packet.
#[test]
fn what_is_cut_in_a_later_section_is_not_read_as_one_of_the_first() {
    let udp = Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(9, 53)));
    let tcp = Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Tcp::new(9, 443)));
    let time = Timestamp::from_secs(1_700_000_000);
    let first = || Pcapng::little_endian().interface(Interface::new());
    let head = first().finish().len();
    let whole = first().packet(0, time, &udp).next_section_big_endian().interface(Interface::new());
    let whole = whole.packet(0, time, &udp).finish();
    let packet = first().packet(0, time, &tcp).finish()[head..].to_vec();
    let folder = scratch();
    let segment = folder.path().join("a.pcapng");
    for (bytes, has_index) in [(whole.clone(), true), ([whole, packet].concat(), false)] {
        fs::write(&segment, bytes).unwrap();
        assert_eq!(index(&segment).is_ok(), has_index);
        for text in ["tcp", "udp"] {
            let filter = filter(text);
            let with = indexed(folder.path(), Some(&filter), Window::ALL);
            assert_same(&with, &scanned(folder.path(), Some(&filter), Window::ALL), text);
        }
    }
}

#[test]
fn an_index_elsewhere_serves_every_way_to_its_segment() {
    let site = Site::new();
    site.remove_index();
    let (indexes, tree) = (scratch(), scratch());
    let link = tree.path().join("2026/03/01");
    fs::create_dir_all(&link).unwrap();
    symlink(&site.segment, link.join("b.pcap")).unwrap();
    symlink(&link, tree.path().join("today")).unwrap();

    let place = IndexPlace::below(indexes.path());
    let built = index_segment(&link.join("b.pcap"), &place, &CancelToken::new(), |_| ()).unwrap();
    assert!(built.path.starts_with(indexes.path()));
    assert_eq!(names(site.folder.path()), ["a.pcap"], "nothing is written beside the segment");
    let question = filter("net 10.13.0.0/16 and port 443");
    for root in [site.folder.path(), tree.path(), &tree.path().join("today"), &site.segment] {
        let catalog = Catalog::open(&[root]).unwrap();
        let answer = ask(&catalog, Some(&question), Window::ALL, Some(place.clone()));
        assert_eq!(answer.extraction.counts.segments_without_index, 0, "{root:?}");
        let without = ask(&catalog, Some(&question), Window::ALL, Some(IndexPlace::beside()));
        assert_eq!(without.extraction.counts.segments_without_index, 1, "{root:?}");
        assert!(answer.bytes == without.bytes && answer.name.is_some());
    }
}
