//! A segment is found while its recorder gives it its name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::{Catalog, Timeline};

/// Segments that are recorded while others look.
const SEGMENTS: u64 = 300;

/// A recorder that makes one segment after another, each of one packet, whose time tells its number.
struct Recorder {
    dump: PathBuf,
    timeline: PathBuf,
}

impl Recorder {
    fn new(folder: &Path) -> Self {
        let new = Self { dump: folder.join("dump"), timeline: folder.join("timeline") };
        fs::create_dir_all(&new.dump).unwrap();
        fs::create_dir_all(&new.timeline).unwrap();
        new
    }

    fn begin(&self, number: u64) {
        let name = format!("{}.000000.pcap", 1_700_000_000 + number);
        let open = self.dump.join(&name).with_extension("pcap.tmp");
        let time = Timestamp::from_secs(1_700_000_000 + number.cast_signed());
        Pcap::new().write(&open, &[Packet::new(time, vec![0; 60])]);
        symlink(&open, self.timeline.join(&name).with_extension("pcap.tmp")).unwrap();
    }

    fn seal(&self, number: u64) {
        let name = format!("{}.000000.pcap", 1_700_000_000 + number);
        let (sealed, link) = (self.dump.join(&name), self.timeline.join(&name));
        symlink(&sealed, &link).unwrap();
        fs::rename(sealed.with_extension("pcap.tmp"), &sealed).unwrap();
        fs::remove_file(link.with_extension("pcap.tmp")).unwrap();
    }
}

fn packets(catalog: &Catalog) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("answer.pcap");
    catalog.query(None, Window::ALL).write_to(&answer).unwrap();
    let mut reader = SegmentReader::open(&answer).unwrap();
    let mut packets = 0;
    while reader.next_packet().unwrap().is_some() {
        packets += 1;
    }
    packets
}

#[test]
fn every_segment_is_found_at_every_moment() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path());
    let written = AtomicU64::new(0);
    thread::scope(|scope| {
        let recording = scope.spawn(|| {
            for number in 0..SEGMENTS {
                recorder.begin(number);
                written.store(number + 1, Ordering::SeqCst);
                recorder.seal(number);
            }
        });
        let remembered = Timeline::new([&recorder.timeline]);
        while written.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        while !recording.is_finished() {
            let least = written.load(Ordering::SeqCst);
            let found = packets(&Catalog::open(&[&recorder.timeline]).unwrap());
            assert!(found >= least, "{found} of {least}");
            let least = written.load(Ordering::SeqCst);
            let found = packets(&remembered.catalog().unwrap());
            assert!(found >= least, "{found} of {least}, with what is remembered");
        }
        recording.join().unwrap();
        assert_eq!(packets(&remembered.catalog().unwrap()), SEGMENTS);
    });
}

#[test]
fn what_was_listed_before_it_had_its_name_is_read_after() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path());
    recorder.begin(1);
    for root in [&recorder.timeline, &recorder.dump] {
        let listed = Catalog::open(&[root]).unwrap();
        assert_eq!(packets(&listed), 1);
    }
    let (by_link, by_file) =
        (Catalog::open(&[&recorder.timeline]).unwrap(), Catalog::open(&[&recorder.dump]).unwrap());
    recorder.seal(1);
    assert_eq!((packets(&by_link), packets(&by_file)), (1, 1));
    // Another file in its place is not what was listed.
    let name = recorder.dump.join("1700000001.000000.pcap");
    fs::rename(&name, folder.path().join("away")).unwrap();
    Pcap::new().write(&name, &[]);
    let answer = by_file.query(None, Window::ALL).write_to(&folder.path().join("answer.pcap")).unwrap();
    assert_eq!((answer.output, answer.warnings.len()), (None, 1));
}
