//! A signal ends the extraction and leaves nothing; a second one does not wait.

use std::process::{Child, Stdio};

use pcapx_testkit::capture::Pcap;
use pcapx_testkit::process::{PATIENCE, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::room::{Room, TEN, arg, drain, names, traffic};

/// So many tests for each packet that an extraction lasts until it is ended.
fn slow_filter() -> String {
    let hosts: Vec<_> = (0..1500).map(|n| format!("1.{}.{}.1", n / 100, n % 100)).collect();
    format!("host {}", hosts.join(" or "))
}

fn busy_room() -> Room {
    let room = Room::empty();
    let packets: Vec<_> = (0..40_000).flat_map(|n| traffic(TEN + n)).collect();
    Pcap::new().write(&room.timeline().join("busy.pcap"), &packets);
    room
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_signal_leaves_no_file_behind() {
    let room = busy_room();
    for (number, which) in [(130, Signal::INT), (143, Signal::TERM)] {
        for output in ["a.pcap", "parts/"] {
            let mut child = room
                .command()
                .args(["-t", arg(&room.timeline()), "-f", &slow_filter(), "-o", output])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // A hidden file says that it is at work.
            let folder = if output == "parts/" { room.out("parts") } else { room.path("out") };
            let is_unfinished = |name: &String| name.starts_with(".pcapx-unfinished-");
            let is_at_work = || (folder.is_dir() && names(&folder).iter().any(is_unfinished)).then_some(());
            poll(PATIENCE, is_at_work).unwrap();
            signal(&child, which);
            let stderr = String::from_utf8(drain(child.stderr.take().unwrap())).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(number), "{stderr}");
            assert!(stderr.contains("ended by signal"), "{stderr}");
        }
        assert!(room.written().is_empty(), "the folder for the parts was made for them and goes with them");
    }
}

#[test]
fn a_second_signal_does_not_wait_for_a_reader() {
    let room = busy_room();
    let spool = room.path("spool");
    std::fs::create_dir(&spool).unwrap();
    let mut child = room
        .command()
        .env("TMPDIR", &spool)
        .args(["-t", arg(&room.timeline()), "-O"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The pipe is full once the spool has no name any more, and nobody reads it.
    let mut has_worked = false;
    let is_pouring = || {
        has_worked |= !names(&spool).is_empty();
        (has_worked && names(&spool).is_empty()).then_some(())
    };
    poll(PATIENCE, is_pouring).unwrap();
    let ended = poll(PATIENCE, || {
        signal(&child, Signal::TERM);
        child.try_wait().unwrap()
    });
    assert_eq!(ended.unwrap().code(), Some(143));
}
