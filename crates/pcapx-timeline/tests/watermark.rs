//! How far recordings of others are complete, as their files tell.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng};
use pcapx_timeline::Catalog;
use pcapx_timeline::catalog::{Basis, REORDER, SETTLE, Watermark};
use pcapx_timeline::recorder::{RecorderStatus, STATUS_NAME};

const BASE: i64 = 1_772_356_200;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_nanos(BASE * 1_000_000_000 + millis * 1_000_000)
}

/// A file with packets at `millis`, and so many bytes of its last one missing, written to last at `modified`.
fn put(dir: &Path, name: &str, millis: &[i64], missing: usize, modified: i64) {
    let packets: Vec<_> = millis.iter().map(|&millis| Packet::new(at(millis), vec![1; 60])).collect();
    let mut bytes = if name.ends_with("ng") {
        let file = Pcapng::little_endian().interface(Interface::new().resolution(9));
        packets.iter().fold(file, |file, packet| file.packet(0, packet.time, &packet.data)).finish()
    } else {
        Pcap::new().encode(&packets)
    };
    bytes.truncate(bytes.len() - missing);
    fs::write(dir.join(name), bytes).unwrap();
    touch(dir, name, modified);
}

fn touch(dir: &Path, name: &str, modified: i64) {
    let modified = UNIX_EPOCH + Duration::from_nanos(at(modified).as_nanos().unsigned_abs());
    File::options().append(true).open(dir.join(name)).unwrap().set_modified(modified).unwrap();
}

fn watermark(dir: &Path, now: i64) -> (Basis, i64) {
    let catalog = Catalog::open(&[dir]).unwrap();
    let Watermark { up_to, basis } = Watermark::of(dir, &catalog, at(now));
    assert_eq!(catalog.complete_up_to(at(now)).is_some(), !catalog.segments().is_empty());
    (basis, (up_to.as_nanos() - at(0).as_nanos()) / 1_000_000)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

#[test]
fn a_later_packet_shows_that_the_earlier_ones_are_there() {
    let reorder = millis(REORDER);
    for name in ["a.pcap", "a.pcapng", "a.pcap.tmp"] {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), name, &[0, 1000, 5000], 0, 5100);
        assert_eq!(watermark(dir.path(), 5200), (Basis::Packets, 5000 - reorder), "{name}");
        // The last packet is on its way.
        put(dir.path(), name, &[0, 1000, 5000], 7, 5100);
        assert_eq!(watermark(dir.path(), 5200), (Basis::Packets, 1000 - reorder), "{name}");
        // Of a clock that was set back nothing is believed.
        assert_eq!(watermark(dir.path(), 300), (Basis::Packets, 300), "{name}");
    }
}

#[test]
fn after_a_while_without_writing_nothing_is_held_back() {
    let dir = tempfile::tempdir().unwrap();
    let settle = millis(SETTLE);
    assert_eq!(watermark(dir.path(), 0), (Basis::Quiet, -settle));
    put(dir.path(), "a.pcap", &[0, 1000], 0, 1100);
    assert_eq!(watermark(dir.path(), 1100 + settle - 1).0, Basis::Packets);
    assert_eq!(watermark(dir.path(), 1100 + settle), (Basis::Quiet, 1100));
    assert_eq!(watermark(dir.path(), 1_000_000), (Basis::Quiet, 1_000_000 - settle));
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    assert_eq!(
        Watermark::of(dir.path(), &catalog, at(1_000_000)).recorded_up_to(),
        None,
        "nobody may record"
    );
}

#[test]
fn a_file_that_was_rotated_away_holds_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let reorder = millis(REORDER);
    put(dir.path(), "a.pcap", &[0, 1900], 0, 1950);
    put(dir.path(), "b.pcap", &[2000, 3900], 0, 3950);
    // Created, and nothing is in it yet.
    put(dir.path(), "c.pcap", &[], 0, 4000);
    fs::write(dir.path().join("d.pcap"), b"").unwrap();
    touch(dir.path(), "d.pcap", 4000);
    assert_eq!(watermark(dir.path(), 4100), (Basis::Packets, 3900 - reorder));
    put(dir.path(), "c.pcap", &[4000, 4050], 0, 4060);
    assert_eq!(watermark(dir.path(), 4100), (Basis::Packets, 4050 - reorder));
}

#[test]
fn of_several_recorders_the_slowest_counts() {
    let dir = tempfile::tempdir().unwrap();
    let reorder = millis(REORDER);
    put(dir.path(), "eth1.pcap", &[0, 9000], 0, 9000);
    put(dir.path(), "eth2.pcap", &[500, 3000], 0, 3100);
    assert_eq!(watermark(dir.path(), 9100), (Basis::Packets, 3000 - reorder));
    // It has not written for so long that it holds nothing back.
    assert_eq!(watermark(dir.path(), 3100 + millis(SETTLE)), (Basis::Packets, 9000 - reorder));
}

#[test]
fn our_own_recorder_knows_better_as_long_as_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.pcap.tmp", &[0, 1000], 0, 1100);
    let mut status: RecorderStatus = serde_json::from_str(
        r#"{"program":"pcapx-recorder","process":1,"started_at_ns":0,"written_at_ns":0,"running":true}"#,
    )
    .unwrap();
    status.written_at = at(5000);
    status.searchable_up_to = Some(at(4900));
    status.write(dir.path()).unwrap();
    assert_eq!(watermark(dir.path(), 5100), (Basis::Recorder, 4900));
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    assert_eq!(Watermark::of(dir.path(), &catalog, at(5100)).recorded_up_to(), Some(at(4900)));
    // It was killed.
    assert_eq!(watermark(dir.path(), 60_000).0, Basis::Quiet);
    status.running = false;
    status.write(dir.path()).unwrap();
    assert_eq!(watermark(dir.path(), 5100).0, Basis::Packets);
    fs::write(dir.path().join(STATUS_NAME), b"{").unwrap();
    assert_eq!(watermark(dir.path(), 5100).0, Basis::Packets);
}

#[test]
fn a_recording_reaches_back_to_its_oldest_packet_whenever_its_files_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let oldest = || Catalog::open(&[dir.path()]).unwrap().oldest();
    assert_eq!(oldest(), None);
    // A name is believed, a file without packets and one that is none tell nothing.
    put(dir.path(), "1772356190.000000.pcap", &[], 0, 9_000);
    assert_eq!(oldest(), Some(at(-10_000)));
    fs::write(dir.path().join("none.pcap"), "nonsense").unwrap();
    put(dir.path(), "empty.pcap", &[], 0, -90_000);
    // The newer file was copied first.
    put(dir.path(), "a.pcap", &[-3000, -2000], 0, 500_000);
    put(dir.path(), "b.pcapng", &[-20_000, -19_000], 0, 600_000);
    assert_eq!(oldest(), Some(at(-20_000)));
    // Of many that nobody knows the first that were written are looked at; the others the next time.
    for number in 0..40 {
        put(dir.path(), &format!("m{number}.pcap"), &[-30_000 - number], 0, 700_000 + number);
    }
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let first = catalog.oldest().unwrap();
    assert!(first <= at(-30_000) && first > at(-30_039), "{first}");
    assert_eq!(catalog.oldest(), Some(at(-30_039)));
}
