//! `deploy/files`, the list of what is installed, is whole.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use pcapx_manual::{ALL, everything};

struct Row {
    package: String,
    mode: String,
    file: String,
    target: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rows() -> Vec<Row> {
    let list = fs::read_to_string(repository().join("deploy/files")).unwrap();
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            let [package, mode, file, target] = words.try_into().unwrap_or_else(|_| panic!("{line}"));
            Row { package, mode, file, target }
        })
        .collect()
}

#[track_caller]
fn is_listed(rows: &[Row], file: &str, target: &str, mode: &str) {
    let found = rows.iter().any(|row| row.file == file && row.target == target && row.mode == mode);
    assert!(found, "deploy/files lacks: {mode} {file} {target}");
}

/// Names in a folder of the repository.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(repository().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_program_is_listed_and_has_a_page() {
    let rows = rows();
    let mut programs = 0;
    for folder in ["crates", "examples"] {
        for name in names(folder) {
            let is_program = repository().join(folder).join(&name).join("src/main.rs").is_file();
            // The tool itself is for those who install, and stays with them.
            if is_program && name != "pcapx-manual" {
                programs += 1;
                is_listed(&rows, &format!("bin/{name}"), &format!("/usr/bin/{name}"), "755");
                assert!(ALL.iter().any(|program| program.name == name), "{name} has no page");
            }
        }
    }
    assert_eq!(programs, ALL.len());
}

#[test]
fn every_page_and_completion_is_listed() {
    let rows = rows();
    for made in everything("2026-03-01") {
        let path = made.path.to_str().unwrap();
        is_listed(&rows, &format!("manual/{path}"), &format!("/usr/{path}"), "644");
    }
}

#[test]
fn every_unit_and_every_file_for_monitoring_is_listed() {
    let rows = rows();
    let is_unit = |name: &String| [".service", ".socket", ".target"].iter().any(|kind| name.ends_with(kind));
    let units: Vec<_> = names("deploy").into_iter().filter(is_unit).collect();
    assert!(units.len() >= 6, "{units:?}");
    for name in units {
        is_listed(&rows, &format!("deploy/{name}"), &format!("/usr/lib/systemd/system/{name}"), "644");
    }
    for name in names("deploy/monitoring") {
        is_listed(
            &rows,
            &format!("deploy/monitoring/{name}"),
            &format!("/usr/share/pcapx/monitoring/{name}"),
            "644",
        );
    }
}

#[test]
fn rows_are_unique_their_files_exist_and_their_packages_are_described() {
    let control = fs::read_to_string(repository().join("deploy/debian/control")).unwrap();
    let described: HashSet<_> = control.lines().filter_map(|line| line.strip_prefix("Package: ")).collect();
    let made: HashSet<_> =
        everything("2026-03-01").into_iter().map(|made| format!("manual/{}", made.path.display())).collect();
    let mut targets = HashSet::new();
    for Row { package, file, target, .. } in rows() {
        assert!(described.contains(package.as_str()), "{package}");
        assert!(target.starts_with("/usr/") || target.starts_with("/etc/pcapx/"), "{target}");
        assert!(targets.insert(target.clone()), "{target} is listed twice");
        let exists = match file.strip_prefix("bin/") {
            Some(name) => ALL.iter().any(|program| program.name == name),
            None => made.contains(&file) || repository().join(&file).is_file(),
        };
        assert!(exists, "{file}");
    }
}
