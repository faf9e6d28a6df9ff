//! Pages and completions are whole, and the programs that read them find nothing wrong.

use std::path::{Path, PathBuf};
use std::process::Output;

use pcapx_core::config::KEYS;
use pcapx_manual::{ALL, Made, everything};
use pcapx_testkit::tool;
use tempfile::TempDir;

const DATE: &str = "2026-03-01";

const SECTIONS: [&str; 8] =
    ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"];

fn made(path: &str) -> Made {
    everything(DATE)
        .into_iter()
        .find(|made| made.path == Path::new(path))
        .unwrap_or_else(|| panic!("no {path}"))
}

/// A folder with everything in it, and the files of it whose path has `part`.
fn written(part: &str) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = pcapx_manual::write_below(folder.path(), DATE).unwrap();
    assert_eq!(paths.len(), ALL.len() * 4 + 1);
    let paths: Vec<_> = paths.into_iter().filter(|path| path.to_string_lossy().contains(part)).collect();
    assert!(!paths.is_empty());
    (folder, paths)
}

#[track_caller]
fn nothing_was_found(path: &Path, output: &Output) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{}: {}: {told}", path.display(), output.status);
}

#[test]
fn a_page_has_every_section_and_every_option() {
    for program in ALL {
        let section = program.section;
        let page = made(&format!("share/man/man{section}/{}.{section}", program.name)).content;
        let headings: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .map(|title| title.trim_matches('"'))
            .collect();
        for needed in SECTIONS {
            assert_eq!(
                headings.iter().filter(|title| **title == needed).count(),
                1,
                "{}: {needed}",
                program.name
            );
        }
        let command = program.command();
        for name in command.get_arguments().filter_map(|arg| arg.get_long()) {
            let bold = format!("\\fB\\-\\-{}\\fR", name.replace('-', "\\-"));
            assert!(page.contains(&bold), "{}: --{name}", program.name);
        }
    }
}

#[test]
fn completions_offer_every_option() {
    for program in ALL {
        let name = program.name;
        let command = program.command();
        let offered: Vec<_> = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set())
            .filter_map(|arg| arg.get_long())
            .collect();
        assert!(offered.len() >= 3, "{name}: {offered:?}");
        for (path, dashes) in [
            (format!("share/bash-completion/completions/{name}"), "--"),
            (format!("share/zsh/vendor-completions/_{name}"), "--"),
            (format!("share/fish/vendor_completions.d/{name}.fish"), "-l "),
        ] {
            let script = made(&path).content;
            for option in &offered {
                let is_there = script.match_indices(&format!("{dashes}{option}")).any(|(at, found)| {
                    let next = script[at + found.len()..].chars().next();
                    next.is_none_or(|next| next != '-' && !next.is_alphanumeric())
                });
                assert!(is_there, "{path}: --{option}");
            }
        }
    }
}

#[test]
fn the_configurations_page_has_every_key() {
    let page = made("share/man/man5/pcapx-config.5").content;
    for key in KEYS {
        assert!(page.contains(&format!("\\fB{}\\fR", key.name)), "{}", key.name);
    }
}

#[test]
fn man_renders_every_page_without_a_warning() {
    let Some(man) = tool::require("man") else { return };
    let (_folder, pages) = written("/man/");
    for page in pages {
        let output =
            man.command().env("MANWIDTH", "80").args(["--warnings", "-l"]).arg(&page).output().unwrap();
        nothing_was_found(&page, &output);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("SEE ALSO") && text.contains(DATE), "{}: {text}", page.display());
    }
}

#[test]
fn mandoc_finds_nothing_to_warn_of() {
    let Some(mandoc) = tool::require("mandoc") else { return };
    let (_folder, pages) = written("/man/");
    for page in pages {
        let output = mandoc.command().args(["-T", "lint", "-W", "warning"]).arg(&page).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{}", page.display());
        nothing_was_found(&page, &output);
    }
}

#[test]
fn shells_can_read_their_completions() {
    for (shell, part) in [("bash", "/bash-completion/"), ("zsh", "/zsh/"), ("fish", "/fish/")] {
        let Some(shell) = tool::require(shell) else { continue };
        let (_folder, scripts) = written(part);
        for script in scripts {
            nothing_was_found(&script, &shell.command().arg("-n").arg(&script).output().unwrap());
        }
    }
}
