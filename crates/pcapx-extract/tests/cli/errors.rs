//! What is wrong is said, with what to do about it, and told by the exit code.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use pcapx_testkit::capture::Pcap;
use pcapx_testkit::tool;

use crate::room::{Room, TEN, arg, run, traffic};

#[test]
fn a_refused_filter_is_marked() {
    let ran = Room::new().extract(&["-f", "host 10.0.0.1 adn port 80", "-o", "a.pcap"]).ended(2);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(
        lines[0].starts_with("error: the filter (-f) is not understood, position 15: "),
        "{}",
        ran.stderr
    );
    assert_eq!(lines[1..], ["  host 10.0.0.1 adn port 80", "                ^"]);
}

#[test]
fn a_refused_time_tells_the_forms() {
    let room = Room::new();
    room.extract(&["-b", "noon", "-o", "a"])
        .ended(2)
        .says("-b: \"noon\" is not a time: write \"YYYY-MM-DD hh:mm:ss\"");
    room.extract(&["-e", "2026-02-30 00:00:00", "-o", "a"])
        .ended(2)
        .says("-e: \"2026-02-30 00:00:00\" is not on the");
    room.extract(&["-b", "1772355600000", "-o", "a"]).ended(2).says("seconds since 1970 have ten digits");
}

#[test]
fn a_reversed_window_says_so_in_local_time() {
    let room = Room::new();
    let ran = run(room.command().env("TZ", "Europe/Warsaw").arg("-t").arg(room.timeline()).args([
        "-b",
        "2026-03-01 11:00:00",
        "-e",
        "2026-03-01 10:00:00",
        "-o",
        "a.pcap",
    ]));
    ran.ended(2)
        .says("(-e 2026-03-01 10:00:00) before it begins (-b 2026-03-01 11:00:00), Europe/Warsaw time");
}

#[test]
fn a_missing_place_is_asked_for() {
    let room = Room::new();
    room.run(&["-o", "a.pcap"]).ended(2).says("give -t DIR");
    room.extract(&[]).ended(2).says("give -o FILE");
    room.extract(&["--no-such-option"]).ended(2).says("--no-such-option");
}

#[test]
fn a_missing_timeline_ends_with_3() {
    let room = Room::new();
    let ran = room.run(&["-t", arg(&room.path("gone")), "-o", "a.pcap"]).ended(3);
    ran.says("gone\" cannot be read: No such file").says("check the path given with -t");
}

#[test]
fn a_named_file_that_is_no_capture_ends_with_3() {
    let room = Room::empty();
    fs::write(room.out("text"), b"this is a text and no capture").unwrap();
    room.run(&["-a", "text", "-o", "a.pcap"]).ended(3).says("the file \"text\" is not a capture file");
    room.run(&["-a", "none", "-o", "a.pcap"]).ended(3).says("the file \"none\" cannot be read");
    assert_eq!(room.written(), ["text"]);
}

#[test]
fn an_output_that_cannot_be_written_ends_with_4() {
    let room = Room::new();
    room.extract(&["-o", "none/a.pcap"]).ended(4).says("none/a.pcap\" cannot be written: No such file");
    room.extract(&["-N", "5", "-o", "none/deeper/"])
        .ended(4)
        .says("none/deeper/\" cannot be written: No such file");
    assert!(room.written().is_empty());
}

#[test]
fn files_that_cannot_be_searched_are_named() {
    let room = Room::empty();
    let packets: Vec<_> = (0..3).flat_map(|n| traffic(TEN + n)).collect();
    let mut cut = Pcap::new().encode(&packets);
    cut.truncate(cut.len() - 5);
    fs::write(room.timeline().join("cut.pcap"), cut).unwrap();
    let cut = fs::File::options().append(true).open(room.timeline().join("cut.pcap")).unwrap();
    cut.set_modified(SystemTime::now() - Duration::from_secs(300)).unwrap();
    fs::write(room.timeline().join("notes.txt"), b"these are notes and no capture").unwrap();
    symlink("nowhere.pcap", room.timeline().join("dangling.pcap")).unwrap();
    let ran = room.extract(&["-o", "a.pcap"]).ended(0);
    let ran = ran
        .says("dangling.pcap\" is a link to a file that is gone")
        .says("notes.txt\" is not a capture file")
        .says("cut.pcap\" ends inside the record at byte");
    // None of them has whole packets that were not looked at.
    assert!(!ran.stderr.contains("\n  warnings "), "{}", ran.stderr);
    assert_eq!(room.read("a.pcap"), packets[..8]);

    let mut torn = Pcap::new().encode(&packets);
    let second = 24 + 16 + packets[0].data.len();
    torn[second + 8..second + 12].fill(0xff);
    fs::write(room.timeline().join("torn.pcap"), torn).unwrap();
    let ran = room.extract(&["-o", "b.pcap"]).ended(0);
    ran.says("torn.pcap\" ").says("\n  warnings 1: not every file could be searched to its end");
}

#[test]
fn many_warnings_are_counted() {
    let room = Room::empty();
    for n in 0..20 {
        fs::write(room.timeline().join(format!("{n}.txt")), b"these are notes and no capture").unwrap();
    }
    let ran = room.extract(&["-o", "a.pcap"]).ended(1);
    assert_eq!(ran.stderr.matches("is not a capture file").count(), 8);
    let ran = ran.says("12 more files have warnings, -v names them");
    ran.says("no file that reaches into the window can be read (20 warnings)");
    let ran = room.extract(&["-o", "a.pcap", "-v"]).ended(1);
    assert_eq!(ran.stderr.matches("is not a capture file").count(), 20);
}

#[test]
fn help_tells_examples_and_exit_codes() {
    let room = Room::empty();
    let long = room.run(&["--help"]).ended(0);
    let text = String::from_utf8(long.stdout).unwrap();
    for part in
        ["Examples:", "Exit codes:", "130", "Called as npcapextract", "-0, --empty", "without effect here"]
    {
        assert!(text.contains(part), "{part}");
    }
    let short = String::from_utf8(room.run(&["-h"]).ended(0).stdout).unwrap();
    assert!(short.contains("Exit codes:") && short.len() < text.len());
}

#[test]
fn a_terminal_gets_a_progress_bar_and_no_capture() {
    let Some(script) = tool::require("script") else { return };
    let room = Room::new();
    let on_terminal = |args: &str| {
        let program = env!("CARGO_BIN_EXE_pcapx-extract");
        let line = format!("{program} -t {} {args}", arg(&room.timeline()));
        let mut command = script.command();
        command.args(["-qec", &line, "/dev/null"]).current_dir(room.path("out")).env("TERM", "xterm");
        run(&mut command)
    };
    let ran = on_terminal("-o a.pcap").ended(0);
    let shown = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(shown.contains(" files, ") && shown.contains("a.pcap: 720 packets"), "{shown}");
    let ran = on_terminal("-O").ended(2);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("standard output is a terminal"));
    assert!(!room.extract(&["-o", "a.pcap"]).ended(0).stderr.contains(" files, "));
}
