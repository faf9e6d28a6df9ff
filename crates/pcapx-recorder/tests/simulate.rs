//! `--simulate` measures and leaves nothing behind.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use pcapx_testkit::process::{PATIENCE, Running, Signal, poll};

/// Starts a simulation, ends it once it has begun to measure, and gives what it prints.
fn simulate(words: &str, folder: &Path) -> String {
    let (log, table) = (folder.join("log"), folder.join("table"));
    let mut process = Running::spawn(
        Command::new(env!("CARGO_BIN_EXE_pcapx-recorder"))
            .args(words.split(' '))
            .stdout(File::create(&table).unwrap())
            .stderr(File::create(&log).unwrap()),
    )
    .unwrap();
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let has_begun = poll(PATIENCE, || read(&log).contains("usual packets for 10 s").then_some(()));
    assert!(has_begun.is_some(), "{}", read(&log));
    process.signal(Signal::INT);
    let status = process.wait(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", read(&log));
    read(&table)
}

/// The words of the row of usual packets.
fn row(table: &str) -> Vec<&str> {
    let row = table.lines().find(|line| line.starts_with("usual packets"));
    row.unwrap_or_else(|| panic!("no row:\n{table}")).split_whitespace().skip(2).collect()
}

#[test]
fn what_the_disk_takes_is_measured_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    let table = simulate(&format!("--simulate disk -I -p 1 -o {}", dump.display()), folder.path());
    assert!(table.starts_with("disk: made-up packets written to "), "{table}");
    assert_eq!(row(&table).last(), Some(&"0"), "{table}");
    assert_eq!(fs::read_dir(&dump).unwrap().count(), 0, "something is left behind");
}

#[test]
fn what_is_possible_without_a_disk_is_measured_without_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    for words in ["--simulate core", "-e 4 -I"] {
        let table = simulate(words, folder.path());
        assert!(table.starts_with("core: made-up packets taken and thrown away"), "{table}");
        assert_eq!(row(&table).last(), Some(&"0"), "{table}");
    }
}
