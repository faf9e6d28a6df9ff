//! `--check`, and what is shown on a terminal.

use std::fs;
use std::process::{Command, Output};

use pcapx_testkit::process::{PATIENCE, Running, Signal, poll};
use pcapx_testkit::tool;

use crate::apart::{apart, run};
use crate::recorder::Place;
use crate::traffic::Traffic;

fn check(words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcapx-recorder"));
    command.arg("--check").args(words.split_whitespace()).output().unwrap()
}

#[test]
fn what_can_be_recorded_is_told_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("a/b");
    let output = check(&format!("-i lo -o {} -A /tmp -b 64 -6 2000", dump.display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("--interface=lo\n"));
    assert!(!dump.exists());
}

#[test]
fn everything_that_stands_in_the_way_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"x").unwrap();
    let words = format!(
        "-i none,no-such.pcap -o {0}/dump -A {0} -b 9999999 -6 9 -p 10 -u nobody-of-that-name",
        file.display()
    );
    let output = check(&words);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    for problem in [
        "there is no interface \"none\"",
        "\"no-such.pcap\" cannot be read",
        "more than half of this machine's memory",
        "file/dump\" cannot be used for recording: not a directory",
        "file\" cannot be used for recording: not a directory",
        "no room for two segments",
        "nobody-of-that-name",
    ] {
        assert!(errors.contains(problem), "{problem}:\n{errors}");
    }
}

#[test]
fn an_interface_that_is_down_is_set_up_where_that_is_asked_for() {
    apart("checking::an_interface_that_is_down_is_set_up_where_that_is_asked_for", || {
        run("ip", "link set lo down");
        let folder = tempfile::tempdir().unwrap();
        let place = Place::one_tree(folder.path());
        let recorder = place.record("-6 64 -p 4 --link-up");
        assert!(run("ip", "link show lo").contains("LOWER_UP"));
        let traffic = Traffic::start(500, 100);
        recorder.wait_for_status(|status| status.packets_recorded > 10);
        drop(traffic);
        assert_eq!(recorder.stop().0, Some(0));
    });
}

#[test]
fn a_terminal_has_one_line_that_changes() {
    apart("checking::a_terminal_has_one_line_that_changes", || {
        let Some(script) = tool::require("script") else { return };
        let folder = tempfile::tempdir().unwrap();
        let (dump, shown) = (folder.path().join("dump"), folder.path().join("shown"));
        let recorder = env!("CARGO_BIN_EXE_pcapx-recorder");
        let line = format!("exec {recorder} -i lo -o {} -b 64 -6 64 -p 4", dump.display());
        let mut terminal =
            Running::spawn(script.command().args(["-q", "-e", "-f", "-c", &line]).arg(&shown)).unwrap();
        let read = || String::from_utf8_lossy(&fs::read(&shown).unwrap_or_default()).into_owned();
        let lines = poll(PATIENCE, || (read().matches("dropped 0").count() >= 3).then(&read));
        let lines = lines.unwrap_or_else(|| panic!("{:?}", read()));
        assert_eq!(lines.matches('\n').count(), 2, "one of script's own and one of the log: {lines:?}");
        assert!(
            lines.contains("\r\x1b[2K0 pkt/s 0 bit/s  dropped 0  ring 0%  oldest -  disk 0 B of 64.0 MiB"),
            "{lines:?}"
        );
        terminal.signal(Signal::TERM);
        assert!(terminal.wait(PATIENCE).is_some());
    });
}
