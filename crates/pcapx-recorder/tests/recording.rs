//! From a source to segments: what is recorded is what came.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_recorder::counters::Counters;
use pcapx_recorder::intake::IntakePlan;
use pcapx_recorder::options::DiskLimit;
use pcapx_recorder::pulse::{Part, Vitals};
use pcapx_recorder::record::RecordForm;
use pcapx_recorder::recording::record;
use pcapx_recorder::rotation::Rotation;
use pcapx_recorder::sieve::Sieve;
use pcapx_recorder::source::{FileSource, PacketSource};
use pcapx_recorder::storage::{
    Layout, MakeRoom, Retention, SegmentPaths, StorageError, StoragePlan, recover,
};
use pcapx_testkit::capture;
use pcapx_testkit::process::{PATIENCE, poll};
use pcapx_testkit::tool::{self, Tcpdump};
use pcapx_testkit::trace::Trace;
use pcapx_timeline::Catalog;
use pcapx_timeline::index::{Identity, IndexPlace, IndexReader};
use pcapx_timeline::segment::SegmentReader;

const NO_LIMIT: u64 = u64::MAX;

struct Site {
    dir: tempfile::TempDir,
    /// The timeline's name beside the dump folder's; the same for one tree.
    timeline: &'static str,
}

impl Site {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), timeline: "rolling" }
    }

    fn two_trees() -> Self {
        Self { timeline: "timeline", ..Self::new() }
    }

    fn timeline(&self) -> PathBuf {
        self.dir.path().join(self.timeline)
    }

    fn dump(&self) -> PathBuf {
        self.dir.path().join("rolling")
    }

    fn layout(&self) -> Layout {
        std::fs::create_dir_all(self.dump()).unwrap();
        std::fs::create_dir_all(self.timeline()).unwrap();
        Layout::new(self.dump(), Some(self.timeline()), 0o640, 0o750, LocalZone::named("UTC").unwrap())
    }

    fn record(&self, file: &Path, rotation: Rotation, limit: u64) -> Arc<Counters> {
        self.record_stamped(file, rotation, limit, true)
    }

    fn record_stamped(
        &self,
        file: &Path,
        rotation: Rotation,
        limit: u64,
        nanoseconds: bool,
    ) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        let mut source = FileSource::open(file, 65_535).unwrap();
        let form = RecordForm { link_type: source.link_type(), snaplen: 65_535, nanoseconds };
        let reserve = 1 << 20;
        let room =
            Retention::new(self.layout(), DiskLimit::Bytes(limit), reserve, Arc::clone(&counters)).unwrap();
        let plan = StoragePlan { layout: self.layout(), reserve, is_indexed: true };
        let sieve = Sieve { link_type: form.link_type, filter: None, slicing: None, snaplen: form.snaplen };
        let intake = IntakePlan { rotation, form, sieve: Some(sieve) };
        record(&mut source, intake, plan, room, &counters, &AtomicBool::new(false)).unwrap();
        counters
    }

    fn trace(&self, bytes: u64) -> Vec<PathBuf> {
        let trace = Trace::new(7).bytes(bytes);
        trace.write_rolling(&self.dir.path().join("trace"), Duration::from_secs(4000), |_| ()).unwrap().files
    }
}

type Kept = (i64, u32, Vec<u8>);

fn packets(paths: &[PathBuf]) -> Vec<Kept> {
    let mut all = Vec::new();
    for path in paths {
        let mut reader = SegmentReader::open(path).unwrap();
        while let Some(packet) = reader.next_packet().unwrap() {
            all.push((packet.time.as_nanos(), packet.orig_len, packet.data.to_vec()));
        }
    }
    all
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    Catalog::open(&[folder]).unwrap().segments().iter().map(|segment| segment.file.clone()).collect()
}

const MINUTE: Rotation = Rotation { duration: Some(Duration::from_secs(60)), bytes: None, packets: None };

/// A disk that does not answer until it is let go.
struct Hung(std::sync::mpsc::Receiver<()>);

impl MakeRoom for Hung {
    fn make_room(&mut self) -> Result<(), StorageError> {
        let _ = self.0.recv();
        Ok(())
    }

    fn keep_limit(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn disk_is_full(&mut self) -> Result<bool, StorageError> {
        Ok(false)
    }

    fn begun(&mut self, _: &SegmentPaths, _: Timestamp) {}

    fn sealed(&mut self, _: &SegmentPaths) {}

    fn lost(&mut self, _: &SegmentPaths) {}
}

#[test]
fn a_writer_that_hangs_is_noticed() {
    let site = Site::new();
    let trace = site.trace(64 << 10);
    let (counters, (release, hangs)) = (Arc::new(Counters::default()), std::sync::mpsc::channel());
    let mut source = FileSource::open(&trace[0], 65_535).unwrap();
    let form = RecordForm { link_type: source.link_type(), snaplen: 65_535, nanoseconds: true };
    let plan = StoragePlan { layout: site.layout(), reserve: 1 << 20, is_indexed: true };
    let intake = IntakePlan { rotation: MINUTE, form, sieve: None };
    let recording = std::thread::spawn({
        let counters = Arc::clone(&counters);
        move || record(&mut source, intake, plan, Hung(hangs), &counters, &AtomicBool::new(false))
    });
    let mut vitals = Vitals::new(Instant::now());
    // The sealing comes round every two seconds, so whoever does not for five of them hangs.
    let patience = Duration::from_secs(5);
    let hanging = || vitals.hanging(&counters.pulse, Instant::now(), patience);
    let noticed = poll(PATIENCE, hanging).expect("nobody notices");
    assert!(matches!(noticed, Part::Intake | Part::Storage), "{noticed}");
    drop(release);
    recording.join().unwrap().unwrap();
    assert!(packets(&segments(&site.dump())).len() == packets(&trace).len());
}

#[test]
fn every_packet_is_recorded_once_in_segments_that_end_with_the_minute() {
    let site = Site::new();
    let trace = site.trace(8 << 20);
    let counters = site.record(&trace[0], MINUTE, NO_LIMIT);
    let mut recorded = segments(&site.dump());
    recorded.sort();
    assert_eq!(recorded.len(), 60);
    assert!(packets(&recorded) == packets(&trace));
    assert_eq!(counters.segments_sealed.load(Ordering::Relaxed), 60);
    let mut recorded_to = None;
    for path in &recorded {
        let own = packets(std::slice::from_ref(path));
        let (first, last) = (own[0].0, own[own.len() - 1].0);
        let name = format!("{}.{:06}.pcap", first / 1_000_000_000, first % 1_000_000_000 / 1000);
        assert_eq!(path.file_name().unwrap().to_str(), Some(name.as_str()));
        let identity = Identity::of(&std::fs::metadata(path).unwrap());
        let index = IndexReader::find(&IndexPlace::beside(), path, &identity).unwrap();
        index.verify().unwrap();
        // One segment is the recording until the next one is.
        let told = index.summary().recorded.unwrap();
        assert_eq!(told.start().as_nanos(), recorded_to.unwrap_or(first));
        assert!(told.start().as_nanos() <= first && last <= told.end().as_nanos());
        assert_eq!(index.summary().kernel_drops, Some(0));
        recorded_to = Some(told.end().as_nanos());
    }
    assert_eq!(recorded_to, packets(&trace).last().map(|last| last.0));
    // Each has its link, and the way back.
    let links = walk(&site.dump()).into_iter().filter(|path| path.is_symlink()).collect::<Vec<_>>();
    assert_eq!(links.len(), 120);
    assert!(links.iter().all(|link| link.exists()), "a link leads nowhere");
}

#[test]
fn bytes_and_packets_end_segments_too() {
    let site = Site::new();
    let trace = site.trace(2 << 20);
    let rotation = Rotation { duration: None, bytes: Some(300_000), packets: Some(500) };
    site.record(&trace[0], rotation, NO_LIMIT);
    let mut recorded = segments(&site.dump());
    recorded.sort();
    assert!(recorded.len() >= 7);
    for path in &recorded {
        assert!(std::fs::metadata(path).unwrap().len() <= 300_000);
        assert!(packets(std::slice::from_ref(path)).len() <= 500);
    }
    assert!(packets(&recorded) == packets(&trace));
}

#[test]
fn the_oldest_segments_go_and_the_limit_is_kept() {
    let site = Site::new();
    let trace = site.trace(16 << 20);
    let counters = site.record(&trace[0], MINUTE, 4 << 20);
    let mut recorded = segments(&site.dump());
    recorded.sort();
    let all = packets(&trace);
    let kept = packets(&recorded);
    assert!(counters.segments_removed.load(Ordering::Relaxed) > 30);
    assert!(!kept.is_empty() && kept.len() < all.len() / 3);
    assert!(kept[..] == all[all.len() - kept.len()..], "what is kept is the end of what came, without a gap");
    let bytes: u64 = walk(&site.dump())
        .iter()
        .filter_map(|path| std::fs::symlink_metadata(path).ok())
        .map(|m| m.len())
        .sum();
    assert!(bytes <= 5 << 20, "{bytes}");
    assert!(walk(&site.dump()).iter().all(|path| path.exists()), "a link leads nowhere");
}

#[test]
fn a_torn_segment_is_cut_and_published_with_its_index() {
    let site = Site::new();
    let trace = site.trace(1 << 20);
    let layout = site.layout();
    let whole = std::fs::read(&trace[0]).unwrap();
    let all = packets(&trace);
    let name = format!("{}.{:06}.pcap.tmp", all[0].0 / 1_000_000_000, all[0].0 % 1_000_000_000 / 1000);
    for (cut, zeros) in [(0, 0), (10, 0), (0, 4096), (whole.len() - 30, 0), (whole.len() - 24, 4072)] {
        let folder = site.dump().join("1.000000");
        std::fs::create_dir_all(&folder).unwrap();
        let mut bytes = whole[..whole.len() - cut].to_vec();
        bytes.extend(vec![0; zeros]);
        std::fs::write(folder.join(&name), bytes).unwrap();
        let recovered = recover(&layout, true).unwrap();
        let found = packets(&recovered.segments);
        assert!(found[..] == all[..found.len()]);
        let lost = all.len() - found.len();
        assert!(lost <= 1 || cut > 100, "{lost} packets lost");
        assert_eq!(recovered.empty, u64::from(cut > 100));
        assert_eq!(recovered.packets, found.len() as u64);
        for path in &recovered.segments {
            let identity = Identity::of(&std::fs::metadata(path).unwrap());
            IndexReader::find(&IndexPlace::beside(), path, &identity).unwrap().verify().unwrap();
        }
        std::fs::remove_dir_all(site.dump()).unwrap();
        std::fs::create_dir_all(site.dump()).unwrap();
    }
    let catalog = Catalog::open(&[site.dump()]).unwrap();
    assert!(catalog.query(None, Window::ALL).survey().unwrap().segments.is_empty());
}

#[test]
fn wireshark_and_tcpdump_open_every_file() {
    let (Some(capinfos), Some(tshark), Some(tcpdump)) =
        (tool::require("capinfos"), tool::require("tshark"), Tcpdump::require())
    else {
        return;
    };
    for (nanoseconds, precision) in [(true, "nanoseconds (9)"), (false, "microseconds (6)")] {
        let site = Site::new();
        let trace = site.trace(1 << 20);
        let third = Rotation { duration: Some(Duration::from_secs(1200)), bytes: None, packets: None };
        site.record_stamped(&trace[0], third, NO_LIMIT, nanoseconds);
        assert_eq!(segments(&site.dump()).len(), 3);
        for path in segments(&site.dump()) {
            let own = packets(std::slice::from_ref(&path));
            let told = capinfos.run([OsStr::new("-M"), path.as_os_str()]);
            let text = String::from_utf8(told.stdout).unwrap();
            assert!(told.status.success() && told.stderr.is_empty(), "{text}");
            for (name, value) in [
                ("File encapsulation:", "ether"),
                ("File timestamp precision:", precision),
                ("Number of packets:", &own.len().to_string()),
                ("Strict time order:", "True"),
            ] {
                let is_told = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.trim() == value);
                assert!(text.lines().any(is_told), "{name} {value} is not in {text}");
            }
            let fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"].map(OsStr::new);
            let told =
                tshark.run([OsStr::new("-n"), OsStr::new("-r"), path.as_os_str()].into_iter().chain(fields));
            let digits = if nanoseconds { 9 } else { 6 };
            let unit = 10_i64.pow(9 - digits);
            let expected: Vec<_> = own
                .iter()
                .map(|(nanos, len, _)| {
                    let (secs, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / unit * unit);
                    format!("{secs}.{rest:09}\t{len}")
                })
                .collect();
            assert_eq!(String::from_utf8(told.stdout).unwrap().lines().collect::<Vec<_>>(), expected);
            let theirs = tcpdump.read(&path, "").unwrap().packets;
            assert!(theirs.iter().map(|p| (p.time.as_nanos(), p.orig_len, p.data.clone())).eq(own));
        }
    }
}

#[test]
fn links_torn_by_a_power_failure_are_made_again() {
    for site in [Site::new(), Site::two_trees()] {
        let trace = site.trace(1 << 20);
        site.record(&trace[0], MINUTE, NO_LIMIT);
        let links = |site: &Site| -> BTreeMap<PathBuf, PathBuf> {
            let all = walk(&site.dump()).into_iter().chain(walk(&site.timeline()));
            all.filter(|path| path.is_symlink())
                .map(|path| (path.clone(), path.read_link().unwrap()))
                .collect()
        };
        let whole = links(&site);
        assert_eq!(whole.len(), 120);
        // Each link in its turn has one of the ends that a journal without data leaves: none, a part of a name, a folder above.
        for (n, (link, target)) in whole.iter().enumerate() {
            let target = target.to_str().unwrap();
            let torn = match n % 4 {
                0 => None,
                1 => Some(&target[..target.len() - 7]),
                2 => Some(&target[..1]),
                _ => continue,
            };
            std::fs::remove_file(link).unwrap();
            if let Some(torn) = torn {
                std::os::unix::fs::symlink(torn, link).unwrap();
            }
        }
        // One whose segment never came to the disk.
        let lost = whole.keys().find(|link| link.extension().is_some_and(|ending| ending == "pcap")).unwrap();
        let lost = lost.with_file_name("1.000000.pcap");
        std::os::unix::fs::symlink(site.dump().join("1.000000/1.000000.pcap"), &lost).unwrap();

        let recovered = recover(&site.layout(), true).unwrap();
        assert!(links(&site) == whole);
        assert_eq!(recovered.removed, 1);
        assert!(recovered.segments.is_empty());
        assert_eq!(segments(&site.timeline()).len(), 60);
        let again = recover(&site.layout(), true).unwrap();
        assert_eq!((again.mended, again.removed), (0, 0));
    }
}

/// Everything below a folder but folders, links not followed.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { all.extend(walk(&path)) } else { all.push(path) }
    }
    all
}

#[test]
fn several_files_become_one_recording_in_the_order_of_time() {
    let site = Site::new();
    let whole = packets(&site.trace(1 << 20));
    // Dealt out unevenly to three files, each in order.
    let mut hands = [Vec::new(), Vec::new(), Vec::new()];
    for (nth, (time, _, data)) in whole.iter().enumerate() {
        let packet = capture::Packet::new(Timestamp::from_nanos(*time), data.clone());
        hands[nth * nth % 7 % 3].push(packet);
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcapx-recorder"));
    command.args(["-I", "-d", "-s", "0", "-p", "64", "-b", "32", "-6", "1024", "-o"]).arg(site.dump());
    for (nth, hand) in hands.iter().enumerate() {
        let path = site.dir.path().join(format!("{nth}.pcap"));
        capture::Pcap::new().nanos().write(&path, hand);
        command.arg("-i").arg(path);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut recorded = segments(&site.dump());
    recorded.sort();
    assert!(packets(&recorded) == whole, "{}", String::from_utf8_lossy(&output.stderr));
}
