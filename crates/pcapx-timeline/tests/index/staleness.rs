//! Segments that are no longer what they were when they were indexed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_timeline::Catalog;
use pcapx_timeline::catalog::Timeline;
use pcapx_timeline::index::{IndexError, IndexPlace, index_segment};
use pcapx_timeline::warning::WarningKind;
use tempfile::TempDir;

use crate::asking::{
    Answer, ask, assert_same, filter, finish, index, indexed, names, scanned, scratch, sidecar,
};
use crate::generated::START;

/// Packets of `host`, 300 bytes each, so many of them that they make a few blocks.
fn packets(host: u8) -> Vec<Packet> {
    let frame = |n: usize| {
        let network = Ipv4::new([10, 0, 0, host], [10, 0, 0, 100 + (n / 100) as u8]);
        Ethernet::new().carry(&network.carry(&Udp::new(1000 + n as u16, 53).payload(&[0; 258])))
    };
    (0..400)
        .map(|n| Packet::new(Timestamp::from_nanos(START.as_nanos() + n as i64 * 1_000_000), frame(n)))
        .collect()
}

/// A timeline of one segment, with packets of host 1 and the index of them.
struct Site {
    folder: TempDir,
    segment: PathBuf,
    timeline: Timeline,
}

impl Site {
    fn new() -> Self {
        let folder = scratch();
        let segment = folder.path().join("a.pcap");
        Pcap::new().write(&segment, &packets(1));
        let site = Self { timeline: Timeline::new([folder.path()]), folder, segment };
        finish(&site.segment);
        index(&site.segment).unwrap();
        // What is learned of the segment now must not outlive it.
        site.ask("host 10.0.0.101");
        site
    }

    fn modified(&self) -> SystemTime {
        self.segment.metadata().unwrap().modified().unwrap()
    }

    fn set_modified(&self, time: SystemTime) {
        File::options().write(true).open(&self.segment).unwrap().set_modified(time).unwrap();
    }

    /// The answer of a timeline that was asked before; one that is listed anew answers the same.
    fn ask(&self, text: &str) -> Answer {
        let filter = filter(text);
        let catalog = self.timeline.catalog().unwrap();
        let answer = ask(&catalog, Some(&filter), Window::ALL, Some(IndexPlace::beside()));
        assert_same(&answer, &scanned(self.folder.path(), Some(&filter), Window::ALL), text);
        let anew = indexed(self.folder.path(), Some(&filter), Window::ALL);
        assert_eq!((&answer.bytes, answer.unused()), (&anew.bytes, anew.unused()), "{text}");
        answer
    }

    /// The index is seen to be of another state, for whatever is asked, and a new one is believed again.
    #[track_caller]
    fn is_stale(&self, what: &str) {
        for text in ["host 10.0.0.1", "host 10.0.0.2", "host 10.0.0.101 and udp port 1150", "tcp"] {
            let answer = self.ask(text);
            assert_eq!(answer.unused(), ["the index is of an earlier state of the file"], "{what}: {text}");
        }
        index(&self.segment).unwrap();
        let answer = self.ask("host 10.0.0.1 and port 1250");
        assert_eq!(answer.extraction.warnings, [], "{what}");
        assert_eq!(answer.extraction.counts.segments_without_index, 0, "{what}");
    }
}

fn replace(path: &Path, packets: &[Packet]) {
    let beside = path.with_extension("new");
    Pcap::new().write(&beside, packets);
    fs::rename(beside, path).unwrap();
}

#[test]
fn an_unchanged_segment_is_read_by_its_index() {
    let site = Site::new();
    let counts = site.ask("host 10.0.0.101 and udp port 1150").extraction.counts;
    assert_eq!((counts.packets_matched, counts.segments_without_index), (1, 0));
    assert!(counts.blocks_read == 1 && counts.blocks > 4, "{counts:?}");
}

#[test]
fn a_segment_replaced_under_its_name_is_noticed() {
    let site = Site::new();
    let modified = site.modified();
    replace(&site.segment, &packets(2));
    // Length and time are those of the first one; the file is another.
    site.set_modified(modified);
    site.is_stale("replaced");
}

#[test]
fn a_segment_that_has_grown_is_noticed() {
    let site = Site::new();
    let modified = site.modified();
    let more = Pcap::new().encode(&packets(2));
    let grown = [fs::read(&site.segment).unwrap(), more[24..].to_vec()].concat();
    fs::write(&site.segment, grown).unwrap();
    site.set_modified(modified);
    site.is_stale("grown");
}

#[test]
fn a_segment_that_grows_is_no_reason_to_complain() {
    let site = Site::new();
    let more = Pcap::new().encode(&packets(2));
    let grown = [fs::read(&site.segment).unwrap(), more[24..].to_vec()].concat();
    fs::write(&site.segment, grown).unwrap();
    let answer = site.ask("host 10.0.0.2");
    assert_eq!((answer.packets().len(), answer.unused()), (400, vec![]));
    assert_eq!(answer.extraction.counts.segments_without_index, 1);
}

#[test]
fn a_segment_that_was_truncated_is_noticed() {
    for record in [1, 200] {
        let site = Site::new();
        let modified = site.modified();
        let bytes = 24 + record * (16 + packets(1)[0].data.len() as u64);
        File::options().write(true).open(&site.segment).unwrap().set_len(bytes).unwrap();
        site.set_modified(modified);
        site.is_stale("truncated");
    }
}

#[test]
fn a_segment_rewritten_in_place_is_noticed_by_its_time() {
    for (is_later, by) in [
        (true, Duration::from_nanos(1)),
        (false, Duration::from_nanos(1)),
        (false, Duration::from_secs(86_400)),
    ] {
        let site = Site::new();
        let modified = site.modified();
        let before = site.segment.metadata().unwrap().len();
        fs::write(&site.segment, Pcap::new().encode(&packets(2))).unwrap();
        assert_eq!(site.segment.metadata().unwrap().len(), before);
        site.set_modified(if is_later { modified + by } else { modified - by });
        site.is_stale("rewritten");
    }
}

#[test]
fn times_before_1970_tell_states_apart_too() {
    let site = Site::new();
    site.set_modified(SystemTime::UNIX_EPOCH - Duration::new(5, 1));
    site.is_stale("a time before 1970");
    site.set_modified(SystemTime::UNIX_EPOCH - Duration::new(5, 2));
    site.is_stale("another one");
}

#[test]
fn what_changes_between_listing_and_reading_is_read_as_it_is() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("replaced", |path| replace(path, &packets(2))),
        ("truncated", |path| {
            File::options().write(true).open(path).unwrap().set_len(24 + 316 * 100).unwrap();
        }),
        ("emptied", |path| File::options().write(true).open(path).unwrap().set_len(24).unwrap()),
        ("cut", |path| File::options().write(true).open(path).unwrap().set_len(24 + 315 * 100).unwrap()),
        ("grown", |path| {
            let more = Pcap::new().encode(&packets(2));
            fs::write(path, [fs::read(path).unwrap(), more[24..].to_vec()].concat()).unwrap();
        }),
    ];
    for (what, change) in changes {
        for text in ["host 10.0.0.101", "host 10.0.0.1", "host 10.0.0.2", "not port 1300"] {
            let site = Site::new();
            let listed = Catalog::open(&[site.folder.path()]).unwrap();
            let filter = filter(text);
            let before = ask(&listed, Some(&filter), Window::ALL, None);
            change(&site.segment);
            let after = scanned(site.folder.path(), Some(&filter), Window::ALL);
            let answer = ask(&listed, Some(&filter), Window::ALL, Some(IndexPlace::beside()));
            // Where the index tells that there is nothing, that is what the segment was when it was listed.
            let is_before = before.name.is_none() && answer.name.is_none();
            assert!(is_before || answer.packets() == after.packets(), "{what}: {text}");
        }
    }
}

#[test]
fn a_segment_that_vanishes_after_listing_is_named() {
    let site = Site::new();
    let listed = Catalog::open(&[site.folder.path()]).unwrap();
    fs::remove_file(&site.segment).unwrap();
    let answer = ask(&listed, Some(&filter("host 10.0.0.1")), Window::ALL, Some(IndexPlace::beside()));
    assert!(matches!(&answer.extraction.warnings[..], [w] if w.kind == WarningKind::Vanished));
}

#[test]
fn an_index_that_vanishes_costs_time_only() {
    let site = Site::new();
    let listed = Catalog::open(&[site.folder.path()]).unwrap();
    fs::remove_file(sidecar(&site.segment)).unwrap();
    let answer = ask(&listed, Some(&filter("host 10.0.0.1")), Window::ALL, Some(IndexPlace::beside()));
    assert_eq!((answer.extraction.counts.packets_matched, answer.extraction.warnings.len()), (400, 0));
}

#[test]
fn a_segment_that_changes_while_it_is_indexed_gets_no_index() {
    for is_indexed in [false, true] {
        let site = Site::new();
        let old = fs::read(sidecar(&site.segment)).unwrap();
        if !is_indexed {
            fs::remove_file(sidecar(&site.segment)).unwrap();
        }
        let mut is_changed = false;
        let outcome =
            index_segment(&site.segment, &IndexPlace::beside(), &pcapx_timeline::CancelToken::new(), |_| {
                if !std::mem::replace(&mut is_changed, true) {
                    let file = File::options().append(true).open(&site.segment).unwrap();
                    std::io::Write::write_all(&mut &file, &[0; 50]).unwrap();
                }
            });
        assert!(is_changed && matches!(outcome, Err(IndexError::Stale)), "{outcome:?}");
        let left: &[&str] = if is_indexed { &["a.pcap", "a.pcap.pcapx"] } else { &["a.pcap"] };
        assert_eq!(names(site.folder.path()), left);
        if is_indexed {
            assert_eq!(fs::read(sidecar(&site.segment)).unwrap(), old);
        }
    }
}

#[test]
fn another_version_of_the_format_is_not_read() {
    let site = Site::new();
    let sound = fs::read(sidecar(&site.segment)).unwrap();
    let trailer = sound.len() - 64;
    for version in [0_u32, 2, 3, u32::MAX] {
        let mut bytes = sound.clone();
        bytes[trailer + 12..trailer + 16].copy_from_slice(&version.to_le_bytes());
        let sum = crc32fast::hash(&bytes[trailer..trailer + 52]);
        bytes[trailer + 52..trailer + 56].copy_from_slice(&sum.to_le_bytes());
        fs::write(sidecar(&site.segment), bytes).unwrap();
        let answer = site.ask("host 10.0.0.1 and port 1250");
        let unused = answer.unused();
        assert!(unused.len() == 1 && unused[0].contains(&format!("version {version}")), "{unused:?}");
    }
}
