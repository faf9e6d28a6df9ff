//! Building indexes by hand, and that answers are the same with and without.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use pcapx_testkit::capture::Pcap;
use pcapx_testkit::process::{PATIENCE, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::room::{Room, TEN, arg, drain, names, run, traffic};

/// Where the index of `segment` stands.
fn sidecar(segment: &Path) -> PathBuf {
    let mut name = segment.as_os_str().to_owned();
    name.push(".pcapx");
    name.into()
}

/// How many files below `folder` have a name with `part` in it.
fn count(folder: &Path, part: &str) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                count(&entry.path(), part)
            } else {
                usize::from(entry.file_name().to_string_lossy().contains(part))
            }
        })
        .sum()
}

#[test]
fn what_is_missing_is_built_beside_the_files_once() {
    let room = Room::new();
    room.finish();
    let timeline = room.timeline();
    let ran = room.run(&["--index", arg(&timeline), "--threads", "3"]).ended(0);
    let ran = ran.says("indexed: 4 files, 720 packets\n").says("beside the files").says(", 3 at a time");
    assert!(ran.stdout.is_empty());
    assert!(room.recorded().iter().all(|path| sidecar(path).is_file()));
    assert_eq!(count(&timeline, ".pcapx"), 4, "none beside the links");

    let again = || room.run(&["--index", arg(&timeline)]).ended(0);
    again().says("nothing was indexed\n  others   4 had their indexes\n");
    let index = sidecar(&room.recorded()[1]);
    let bytes = fs::read(&index).unwrap();
    fs::write(&index, &bytes[..bytes.len() - 1]).unwrap();
    fs::remove_file(sidecar(&room.recorded()[2])).unwrap();
    again().says("indexed: 2 files, 360 packets\n").says("  others   2 had their indexes\n");
    assert_eq!(fs::read(&index).unwrap(), bytes);
}

#[test]
fn indexes_of_files_that_are_gone_are_removed() {
    let room = Room::indexed();
    let (gone, kept) = (&room.recorded()[1], &room.recorded()[2]);
    fs::remove_file(gone).unwrap();
    let ran = room.run(&["--index", arg(&room.timeline())]).ended(0);
    ran.says("  others   1 removed: indexes of files that are gone");
    assert!(!sidecar(gone).exists() && sidecar(kept).exists());
    // A file that is named says nothing of its folder.
    fs::remove_file(kept).unwrap();
    room.run(&["--index", arg(&room.recorded()[0])]).ended(0);
    assert!(sidecar(kept).exists());
}

#[test]
fn answers_are_the_same_with_and_without() {
    let room = Room::indexed();
    let window = ["-b", "2026-03-01 09:00:30", "-e", "2026-03-01 09:02:10"];
    for filter in
        ["host 10.0.0.10", "udp port 53", "ip6", "vlan 7", "not tcp", "host 192.0.2.1", "net 10.0.0.0/26"]
    {
        for window in [&window[..], &[]] {
            let answer = |option: &[&str]| {
                let _ = fs::remove_file(room.out("a.pcap"));
                let ran = room.extract(&[&["-f", filter, "-o", "a.pcap"], window, option].concat());
                (ran.code, fs::read(room.out("a.pcap")).ok())
            };
            assert_eq!(answer(&[]), answer(&["--no-index"]), "{filter}");
        }
    }
}

#[test]
fn indexes_may_stand_in_a_folder_of_their_own() {
    let room = Room::new();
    room.finish();
    let (timeline, folder) = (room.timeline(), room.path("index"));
    let ran = room.run(&["--index", arg(&timeline), "--index-dir", arg(&folder)]).ended(0);
    ran.says(&format!("below {}", folder.display()));
    assert_eq!((count(&timeline, ".pcapx"), count(&folder, ".pcapx")), (0, 4));
    let explained = |command: &mut std::process::Command| {
        run(command.args(["-f", "host 192.0.2.1", "--explain", "-t"]).arg(&timeline)).ended(1)
    };
    explained(room.command().arg("--index-dir").arg(&folder))
        .says("\n           4 excluded by their indexes");
    explained(room.command().env("PCAPX_INDEX_DIR", &folder))
        .says("\n           4 excluded by their indexes");
    explained(room.command().env("PCAPX_INDEX_DIR", "")).says("\n             4: there is no index");
}

#[test]
fn a_file_that_may_be_written_to_waits_unless_it_is_named() {
    let room = Room::new();
    let timeline = room.timeline();
    let ran = room.run(&["--index", arg(&timeline)]).ended(0);
    ran.says("nothing was indexed\n  others   4 left out: they may still be written to\n");
    let named = &room.recorded()[0];
    let ran = room.run(&["--index", arg(named), "--index", arg(&timeline)]).ended(0);
    ran.says("indexed: 1 file, 180 packets\n").says("  others   3 left out");
    assert!(sidecar(named).is_file());
}

#[test]
fn what_cannot_be_indexed_has_its_exit_code() {
    let room = Room::empty();
    let timeline = room.timeline();
    room.run(&["--index", arg(&timeline)]).ended(1).says("nothing to index: no capture file");
    room.run(&["--index", "/nonexistent"]).ended(3).says("/nonexistent");
    let notes = timeline.join("notes.txt");
    fs::write(&notes, "no capture, but long enough for one").unwrap();
    room.run(&["--index", arg(&notes)]).ended(3).says("notes.txt");

    let room = Room::new();
    room.finish();
    // A file stands where the folder would have to be: that stops root, too.
    fs::write(room.path("index"), "").unwrap();
    let ran = room.run(&["--index", arg(&room.timeline()), "--index-dir", arg(&room.path("index"))]).ended(4);
    let ran = ran.says("gets no index, it cannot be written: ");
    assert!(!ran.stderr.contains("--index-dir DIR puts"), "one was given: {}", ran.stderr);
    // So does a folder where the index would have to be.
    fs::create_dir(sidecar(&room.recorded()[0])).unwrap();
    let ran = room.run(&["--index", arg(&room.timeline())]).ended(4).says("indexed: 3 files");
    ran.says("gets no index, its name cannot be used where it would stand: ")
        .says("--index-dir DIR puts indexes");
    room.run(&["--index", "x", "-t", "y"]).ended(2);
    // npcapextract's letter for an index is not taken for ours.
    room.run(&["-i", "x.idx", "-a", arg(&room.recorded()[0]), "-o", "a.pcap"])
        .ended(0)
        .says("-i has no effect");
}

#[test]
fn a_signal_leaves_no_unfinished_index() {
    let room = Room::empty();
    let packets: Vec<_> = (0..150_000).flat_map(|n| traffic(TEN + n)).collect();
    let segment = room.timeline().join("busy.pcap");
    Pcap::new().write(&segment, &packets);
    for (code, signal) in [(130, Signal::INT), (143, Signal::TERM)] {
        let mut child = room
            .command()
            .args([OsStr::new("--index"), segment.as_os_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let is_at_work =
            || names(&room.timeline()).iter().any(|name| name.ends_with(".building")).then_some(());
        poll(PATIENCE, is_at_work).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let stderr = String::from_utf8(drain(child.stderr.take().unwrap())).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{stderr}");
        assert_eq!(names(&room.timeline()), ["busy.pcap"]);
    }
}
