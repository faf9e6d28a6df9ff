//! A disk of 64 MB that is full, by the recorder's own hand and by others'.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pcapx_testkit::process::{PATIENCE, poll};
use pcapx_timeline::index::{Identity, IndexPlace, IndexReader};

use crate::apart::{apart, mount_disk};
use crate::kept::{State, assert_contiguous, assert_sound, numbers, sealed};
use crate::recorder::Place;
use crate::traffic::Traffic;

const MB: u64 = 1 << 20;

/// A disk of 64 MB, and a folder beside it.
fn disk() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    mount_disk(&disk, 64);
    (folder, disk)
}

/// Writes to somebody else's file until it has so many bytes or the disk is full. Answers how many it has.
fn fill(file: &Path, bytes: u64) -> u64 {
    let mut file = File::options().create(true).append(true).open(file).unwrap();
    while file.metadata().unwrap().len() < bytes {
        match file.write(&[0; 16 * 1024]) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::StorageFull => break,
            Err(e) => panic!("{e}"),
        }
    }
    file.metadata().unwrap().len()
}

#[test]
fn a_disk_that_the_recorder_fills_is_recorded_on() {
    apart("full::a_disk_that_the_recorder_fills_is_recorded_on", || {
        let (folder, disk) = disk();
        let place = Place::one_tree(&disk).log_in(folder.path());
        let recorder = place.record("-6 100% -p 4");
        let traffic = Traffic::start(20_000, 1400);
        let status = recorder.wait_for_status(|status| status.segments_removed > 10);
        assert_eq!((status.kernel_drops, status.recorder_drops), (0, 0), "{}", recorder.log());
        let sent = traffic.stop();
        recorder.wait_for_status(|status| status.packets_recorded == sent);
        let (code, log) = recorder.stop();
        assert_eq!(code, Some(0), "{log}");
        // What is kept is the end of what came, and as much as the disk holds.
        let kept = numbers(&sealed(&place.dump));
        assert_eq!(assert_contiguous(&kept).1, sent - 1);
        assert!(kept.len() as u64 * 1400 > 50 * MB, "{} packets", kept.len());
        assert_sound(&place, State::AtRest);
    });
}

#[test]
fn a_recording_becomes_less_when_others_fill_the_volume() {
    apart("full::a_recording_becomes_less_when_others_fill_the_volume", || {
        let (folder, disk) = disk();
        let place = Place::one_tree(&disk).log_in(folder.path());
        let recorder = place.record("-6 80% -p 2");
        let traffic = Traffic::start(10_000, 1400);
        recorder.wait_for_status(|status| status.segments_removed > 0);
        // As fast as there is room.
        let filled = poll(PATIENCE, || (fill(&disk.join("others"), 30 * MB) >= 30 * MB).then_some(()));
        assert!(filled.is_some(), "{}", recorder.log());
        // 80 % of 64 MB are for all.
        let status = recorder.wait_for_status(|status| status.bytes_kept <= 23 * MB);
        assert_eq!((status.kernel_drops, status.recorder_drops), (0, 0), "{}", recorder.log());
        let sent = traffic.stop();
        recorder.wait_for_status(|status| status.packets_recorded == sent);
        let (code, log) = recorder.stop();
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(assert_contiguous(&numbers(&sealed(&place.dump))).1, sent - 1);
        assert_sound(&place, State::AtRest);
    });
}

#[test]
fn packets_are_counted_while_there_is_no_room_and_recorded_when_there_is() {
    apart("full::packets_are_counted_while_there_is_no_room_and_recorded_when_there_is", || {
        let (folder, disk) = disk();
        let place = Place::two_trees(&disk).log_in(folder.path());
        let recorder = place.record("-6 50 -p 2");
        let traffic = Traffic::start(5000, 1400);
        recorder.wait_for_status(|status| status.segments_sealed > 3);
        // Somebody takes whatever the recorder makes room for, until nothing is left to be made.
        let others = disk.join("others");
        let full = poll(PATIENCE, || {
            fill(&others, u64::MAX);
            recorder.log().contains("packets are dropped until there is room").then_some(())
        });
        assert!(full.is_some(), "{}", recorder.log());
        fs::remove_file(&others).unwrap();
        recorder.wait_for_log("there is room again");
        // All packets from here on are recorded; a status that knows of them knows of all that were dropped.
        let from = traffic.sent();
        let before = recorder.wait_for_status(|status| status.packets_received > from);
        assert!(before.recorder_drops > 0);
        // The segment with which it goes on tells of them, unless it is sealed by then.
        assert!(
            before.unsealed.iter().all(|open| [0, before.recorder_drops].contains(&open.recorder_drops)),
            "{before:?}"
        );
        recorder.wait_for_status(|status| status.packets_recorded > from + 5000);
        let sent = traffic.stop();
        let status = recorder.wait_for_status(|status| status.packets_received == sent);
        assert_eq!((status.kernel_drops, status.recorder_drops), (0, before.recorder_drops));
        let (code, log) = recorder.stop();
        assert_eq!(code, Some(0), "{log}");
        assert_sound(&place, State::AtRest);

        // What is not there was removed, from the beginning on, or is counted: by the recorder, and in the indexes.
        let segments = sealed(&place.dump);
        let kept = numbers(&segments);
        let resumed = kept.windows(2).rposition(|pair| pair[1] != pair[0] + 1).map_or(0, |at| at + 1);
        assert!(kept[resumed] < from && kept[kept.len() - 1] == sent - 1, "{kept:?}");
        let told: u64 = segments
            .iter()
            .filter_map(|path| {
                let identity = Identity::of(&fs::metadata(path).unwrap());
                let index = IndexReader::find(&IndexPlace::beside(), path, &identity).unwrap();
                index.summary().recorder_drops
            })
            .sum();
        assert_eq!(told, status.recorder_drops);
    });
}
