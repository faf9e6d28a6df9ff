//! `--explain`: the plan and the cost of a search.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::room::{Room, expected};

/// The number in front of `words` on a line of its own.
fn number(text: &str, words: &str) -> u64 {
    let (_, plan) = text.split_once("plan\n").unwrap();
    let Some(line) = plan.lines().find(|line| line.contains(words)) else {
        panic!("no {words:?} in\n{plan}")
    };
    let before = line.split(words).next().unwrap();
    before.split_whitespace().next_back().unwrap().parse().unwrap()
}

#[test]
fn the_plan_says_what_became_of_every_file() {
    let room = Room::indexed();
    let window = ["-b", "2026-03-01 09:01:10", "-e", "2026-03-01 09:02:10", "--explain"];
    let ran = room.extract(&[&window[..], &["-f", "udp port 53", "-o", "a.pcap"]].concat()).ended(0);
    let said = &ran.stderr;
    assert_eq!(number(said, " in the timeline"), 4);
    assert_eq!(number(said, " outside of the window"), 2);
    assert_eq!(number(said, " searched by their indexes"), 2);
    assert_eq!(number(said, " searched as a whole"), 0);
    assert!(number(said, " bytes read") > 0);
    assert!(said.contains(" in the window and tested, 60 matched"), "{said}");
    for step in ["\n  list ", "\n  plan ", "\n  search ", "\n  publish "] {
        assert!(said.contains(step), "{said}");
    }
    assert_eq!(room.read("a.pcap"), expected(70, 129, &[1]));

    let ran = room.extract(&[&window[..], &["-f", "host 192.0.2.1"]].concat()).ended(1);
    assert_eq!(number(&ran.stderr, " excluded by their indexes"), 2);
    assert!(ran.stderr.contains("\n  files    0 bytes read\n"), "{}", ran.stderr);
    ran.says("nothing matched: no packet of 2 files is in the window and matches the filter");
}

#[test]
fn reasons_are_told_for_files_searched_as_a_whole() {
    let room = Room::indexed();
    let [stale, missing, open, growing] = &room.recorded()[..] else { panic!("four files") };
    let file = fs::File::options().append(true).open(stale).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(200)).unwrap();
    fs::remove_file(format!("{}.pcapx", missing.display())).unwrap();
    fs::rename(open, format!("{}.tmp", open.display())).unwrap();
    fs::File::options().append(true).open(growing).unwrap().set_modified(SystemTime::now()).unwrap();
    let ran = room.extract(&["-f", "udp", "--explain"]).ended(0);
    let said = &ran.stderr;
    assert_eq!(number(said, " searched by their indexes"), 0);
    assert_eq!(number(said, " searched as a whole"), 4);
    assert_eq!(said.matches(" was searched as a whole: ").count(), 1, "{said}");
    let ran = ran
        .says("\n             1: there is no index\n")
        .says("\n             2: the file is being written\n");
    ran.says("\n             1: the index is of an earlier state of the file\n").says("warning: ");

    let ran = room.extract(&["-f", "udp", "--explain", "--no-index"]).ended(0);
    ran.says("\n             4: indexes are not to be used\n").says("\n  indexes  0 bytes read\n");
}

#[test]
fn nothing_stays_of_an_answer_that_was_only_explained() {
    let room = Room::indexed();
    let spool = room.path("spool");
    fs::create_dir(&spool).unwrap();
    let mut command = room.command();
    let command =
        command.env("TMPDIR", &spool).args(["--explain", "-v0", "-f", "udp", "-t"]).arg(room.timeline());
    let ran = crate::room::run(command).ended(0);
    assert!(ran.stderr.starts_with("plan\n"), "{}", ran.stderr);
    assert!(ran.stdout.is_empty() && room.written().is_empty());
    assert!(crate::room::names(&spool).is_empty());

    let plain = room.extract(&["-f", "udp", "-O"]).ended(0).stdout;
    let ran = room.extract(&["-f", "udp", "-O", "--explain"]).ended(0);
    assert!(!plain.is_empty() && ran.stdout == plain, "standard output has the packets and nothing else");
    room.extract(&["--explain"]).ended(0).says("found: 720 packets, written nowhere");
}
