//! Options and packet slicing: what is read, what is refused, and what of a packet is kept.

mod lines;
mod random;
mod shipped;
mod slicing;

use std::ffi::OsString;
use std::fs;

use pcapx_recorder::options::{self, Asked, OptionsError, Settings, Warning};

/// Reads the words of a command line, of which none has a blank.
fn read(words: &str) -> Result<Asked, OptionsError> {
    options::read(words.split_whitespace().map(OsString::from))
}

/// Reads a configuration file of that text, and words beside it.
fn read_file(text: impl AsRef<[u8]>, words: &str) -> Result<Asked, OptionsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n2disk.conf");
    fs::write(&path, text).unwrap();
    let words = words.split_whitespace().map(OsString::from);
    options::read(std::iter::once(path.into_os_string()).chain(words))
}

/// The settings and warnings of what is right.
#[track_caller]
fn settings(asked: Result<Asked, OptionsError>) -> (Settings, Vec<Warning>) {
    match asked.unwrap_or_else(|error| panic!("{error}")) {
        Asked::Record { settings, warnings } => (*settings, warnings),
        Asked::Print(text) => panic!("printed {text}"),
    }
}

/// What is told of what is wrong, a line each; without the folder of the file.
#[track_caller]
fn told(asked: Result<Asked, OptionsError>) -> Vec<String> {
    let error = asked.expect_err("is refused").to_string();
    error
        .lines()
        .map(|line| line.rsplit_once("/n2disk.conf").map_or(line, |(_, behind)| behind).to_owned())
        .collect()
}
