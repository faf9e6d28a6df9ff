//! Called as npcapextract by a script that was written for that program: success is exit code 0 and a file longer than 0.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use pcapx_testkit::capture::{Packet, Pcap, link};

use crate::room::{Ran, Room, TEN, expected, run, traffic};

/// The argument vector of the original listener, the program found on `PATH`, the clock in Warsaw.
fn npcapextract(room: &Room, begin: &str, end: &str, filter: &str) -> Command {
    let bin = room.path("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_pcapx-extract"), bin.join("npcapextract")).unwrap();
    }
    let mut command = Command::new("npcapextract");
    command.env("PATH", &bin).env("TZ", "Europe/Warsaw").env_remove("PCAPX_LOG").stdin(Stdio::null());
    command.arg("-t").arg(room.timeline()).args(["-b", begin, "-e", end, "-f", filter, "-o"]);
    command.arg(room.out("20260301_100200_alert_12345.pcap"));
    command
}

const NAME: &str = "20260301_100200_alert_12345.pcap";
const FILTER: &str = "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443";

fn minute(room: &Room, filter: &str) -> Ran {
    run(&mut npcapextract(room, "2026-03-01 10:01:30", "2026-03-01 10:02:29", filter))
}

#[test]
fn the_contracts_command_line_gives_the_windows_packets() {
    let room = Room::new();
    let ran = minute(&room, FILTER).ended(0);
    assert_eq!(ran.stdout, b"");
    assert_eq!(room.written(), [NAME]);
    assert_eq!(room.read(NAME), expected(90, 149, &[0]));
    assert_eq!(fs::metadata(room.out(NAME)).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn nothing_matched_is_success_with_an_empty_file() {
    let room = Room::new();
    fs::write(room.out(NAME), b"an older answer").unwrap();
    let ran = minute(&room, "host 192.0.2.1").ended(0).says("nothing matched");
    assert_eq!(ran.stdout, b"");
    assert_eq!(room.written(), [NAME]);
    assert_eq!(fs::metadata(room.out(NAME)).unwrap().len(), 0);
}

#[test]
fn an_empty_capture_is_written_on_demand() {
    let room = Room::new();
    run(npcapextract(&room, "2026-03-01 09:00:00", "2026-03-01 09:30:00", FILTER).arg("-0")).ended(0);
    assert_eq!(fs::read(room.out(NAME)).unwrap(), Pcap::new().encode(&[]));
}

#[test]
fn a_failure_is_no_success_and_leaves_no_file() {
    let room = Room::new();
    minute(&room, "host and").ended(2).says("not understood");
    run(&mut npcapextract(&room, "yesterday", "2026-03-01 10:02:29", FILTER))
        .ended(2)
        .says("-b: \"yesterday\"");
    fs::rename(room.timeline(), room.path("elsewhere")).unwrap();
    minute(&room, FILTER).ended(3).says("timeline");
    assert!(room.written().is_empty());
}

#[test]
fn the_file_has_its_name_whatever_its_format() {
    let room = Room::new();
    let raw = traffic(TEN + 100).map(|p| Packet::new(p.time, p.data[14..].to_vec()));
    Pcap::new().link_type(link::RAW).write(&room.timeline().join("raw.pcap"), &raw[..1]);
    minute(&room, FILTER).ended(0);
    assert_eq!(room.written(), [NAME]);
    assert_eq!(fs::read(room.out(NAME)).unwrap()[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
}

#[test]
fn options_of_npcapextract_that_mean_nothing_here_do_no_harm() {
    let room = Room::new();
    let ran = run(npcapextract(&room, "2026-03-01 10:01:30", "2026-03-01 10:02:29", FILTER)
        .args(["-i", "x.idx", "-g", "1", "-u", "nobody", "-v", "1"]));
    let ran = ran.ended(0).says("-i has no effect").says("-g has no effect").says("-u has no effect");
    assert_eq!(ran.stderr.lines().count(), 3);
    assert_eq!(room.read(NAME).len(), 60);
}
