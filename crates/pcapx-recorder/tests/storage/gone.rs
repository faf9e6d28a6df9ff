//! Folders that are taken away or cannot be written: a word about it, an exit code, and a restart that goes on.

use std::fs;

use crate::apart::{apart, mount_disk, run};
use crate::kept::{State, assert_contiguous, assert_sound, numbers, sealed};
use crate::recorder::Place;
use crate::traffic::Traffic;

/// What the program says when its folder is not to be written to.
const STORAGE_FAILED: i32 = 4;
/// What it says when another recorder has the folder.
const IN_USE: i32 = 5;

#[test]
fn a_dump_folder_that_vanishes_ends_the_recorder_and_a_restart_goes_on() {
    apart("gone::a_dump_folder_that_vanishes_ends_the_recorder_and_a_restart_goes_on", || {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::two_trees(folder.path());
        let recorder = place.record("-6 64 -p 4 -t 1");
        let traffic = Traffic::start(500, 200);
        recorder.wait_for_status(|status| status.segments_sealed > 1);
        fs::rename(&place.dump, folder.path().join("elsewhere")).unwrap();
        let (code, log) = recorder.end();
        assert_eq!(code, Some(STORAGE_FAILED), "{log}");
        assert!(log.contains("dump\" is gone"), "{log}");
        // As a service manager would.
        let from = traffic.sent();
        let recorder = place.record("-6 64 -p 4 -t 1");
        recorder.wait_for_status(|status| status.segments_sealed > 1);
        let sent = traffic.stop();
        assert!(sent > from);
        let (code, log) = recorder.stop();
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(assert_contiguous(&numbers(&sealed(&place.dump))).1, sent - 1);
        assert_sound(&place, State::AtRest);
    });
}

#[test]
fn a_segment_that_is_removed_while_it_is_written_costs_its_packets() {
    apart("gone::a_segment_that_is_removed_while_it_is_written_costs_its_packets", || {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::two_trees(folder.path());
        let recorder = place.record("-6 64 -p 4 -t 1");
        let traffic = Traffic::start(500, 200);
        recorder.wait_for_status(|status| status.segments_sealed > 1);
        // All segments at once, as a person may do who wants to start anew.
        for entry in fs::read_dir(&place.dump).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            }
        }
        let dropped = recorder.wait_for_status(|status| status.recorder_drops > 0).recorder_drops;
        recorder.wait_for_status(|status| status.segments_sealed > 3);
        let sent = traffic.stop();
        let (code, log) = recorder.stop();
        assert_eq!(code, Some(0), "{log}");
        // It may have been full at that moment.
        let told = ["was removed while it was written", "was removed before it had its name"];
        assert!(told.iter().any(|told| log.contains(told)), "{log}");
        let (first, last) = assert_contiguous(&numbers(&sealed(&place.dump)));
        assert!(first >= dropped && last == sent - 1, "{first}, {dropped} dropped, {last} of {sent}");
    });
}

#[test]
fn a_disk_that_can_only_be_read_ends_the_recorder() {
    apart("gone::a_disk_that_can_only_be_read_ends_the_recorder", || {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        mount_disk(&disk, 64);
        let place = Place::two_trees(&disk).log_in(folder.path());
        let recorder = place.record("-6 20 -p 4");
        recorder.wait_for_status(|status| status.searchable_up_to.is_some());
        run("mount", &format!("-o remount,ro {}", disk.display()));
        let traffic = Traffic::start(500, 200);
        let (code, log) = recorder.end();
        assert_eq!(code, Some(STORAGE_FAILED), "{log}");
        assert!(log.contains("Read-only file system"), "{log}");
        let (code, log) = place.launch("-6 20 -p 4").end();
        assert_eq!(code, Some(STORAGE_FAILED), "{log}");
        assert!(log.contains("Read-only file system"), "{log}");
        run("mount", &format!("-o remount,rw {}", disk.display()));
        let recorder = place.record("-6 20 -p 4");
        recorder.wait_for_status(|status| status.packets_recorded > 500);
        drop(traffic);
        assert_eq!(recorder.stop().0, Some(0));
        assert_sound(&place, State::AtRest);
    });
}

#[test]
fn a_second_recorder_of_a_folder_is_told_who_the_first_is() {
    apart("gone::a_second_recorder_of_a_folder_is_told_who_the_first_is", || {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::two_trees(folder.path());
        let first = place.record("-6 64 -p 4");
        let beside = tempfile::tempdir().unwrap();
        // Either folder is enough.
        let other_dump = Place { dump: beside.path().join("dump"), ..place.clone() };
        for second in [place.clone(), other_dump] {
            let second = second.log_in(beside.path());
            let (code, log) = second.launch("-6 64 -p 4").end();
            assert_eq!(code, Some(IN_USE), "{log}");
            assert!(log.contains(&format!("(process {})", first.pid())), "{log}");
        }
        assert_eq!(first.stop().0, Some(0));
    });
}
