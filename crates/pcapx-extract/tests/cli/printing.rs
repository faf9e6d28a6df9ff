//! Packets as text.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use pcapx_testkit::tool::{Tcpdump, require_captures};

use crate::room::{Room, arg, drain, run};

#[test]
fn the_first_packets_are_printed_in_local_time() {
    let room = Room::new();
    let ran =
        run(room.command().env("TZ", "Europe/Warsaw").args(["--print", "4", "-t"]).arg(room.timeline()));
    assert_eq!(
        ran.lines(),
        [
            "2026-03-01 10:00:00.000000  10.0.0.10:40000 → 10.0.0.20:443  TCP  154 bytes",
            "2026-03-01 10:00:00.250000  10.0.0.10:40001 → 10.0.0.53:53  UDP  76 bytes  vlan 7",
            "2026-03-01 10:00:00.500000  [2001:db8::5]:40002 → [2001:db8::6]:443  TCP  74 bytes",
            "2026-03-01 10:00:01.000000  10.0.0.10:40000 → 10.0.0.20:443  TCP  154 bytes",
        ]
    );
    ran.ended(0).says("printed: the first 4 packets, more match");
    assert!(room.written().is_empty());
}

#[test]
fn printing_beside_a_file_writes_all_of_it() {
    let room = Room::new();
    let ran =
        room.extract(&["-f", "udp", "--print", "2", "-o", "a.pcap"]).ended(0).says("a.pcap: 240 packets");
    assert_eq!(ran.lines().len(), 2);
    assert_eq!(room.read("a.pcap").len(), 240);
    let ran = room.run(&["-a", arg(&room.out("a.pcap")), "--print", "1000"]).ended(0);
    assert_eq!(ran.lines().len(), 240);
    ran.says("printed: 240 packets, all that match");
}

#[test]
fn printing_goes_on_through_parts() {
    let room = Room::new();
    let ran =
        room.extract(&["-f", "udp", "-N", "3", "-e", "2026-03-01 09:00:08", "--print", "8", "-o", "parts/"]);
    let seconds: Vec<_> = ran.lines().iter().map(|line| line[17..19].to_owned()).collect();
    assert_eq!(seconds, ["00", "01", "02", "03", "04", "05", "06", "07"]);
}

#[test]
fn nothing_to_print_ends_with_1() {
    let ran = Room::new().extract(&["-f", "host 192.0.2.1", "--print", "5"]).ended(1);
    assert_eq!(ran.stdout, b"");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let room = Room::new();
    let mut child = room
        .command()
        .args(["--print", "1000", "-a", arg(&room.recorded()[0])])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut stdout = BufReader::with_capacity(64, child.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    drop(stdout);
    let stderr = String::from_utf8(drain(child.stderr.take().unwrap())).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert!(first.starts_with("2026-03-01 09:00:00.000000  10.0.0.10:40000"), "{first}");
}

#[test]
fn every_packet_of_real_captures_has_a_line() {
    let (Some(tcpdump), Some(captures)) = (Tcpdump::require(), require_captures()) else { return };
    let room = Room::empty();
    let mut compared = 0;
    for entry in fs::read_dir(captures).unwrap() {
        let path = entry.unwrap().path();
        let is_capture = path.extension().is_some_and(|e| e == "pcap" || e == "pcapng");
        // What tcpdump cannot write again (several link types in one file) has no count to compare with.
        let Some(Ok(capture)) = is_capture.then(|| tcpdump.read(&path, "")) else { continue };
        let ran = room.run(&["--print", "100000", "-a", arg(&path)]);
        assert_eq!(ran.lines().len(), capture.packets.len(), "{}: {}", path.display(), ran.stderr);
        assert_eq!(ran.code, i32::from(capture.packets.is_empty()), "{}", path.display());
        compared += 1;
    }
    eprintln!("{compared} captures compared");
    assert!(compared > 0);
}
