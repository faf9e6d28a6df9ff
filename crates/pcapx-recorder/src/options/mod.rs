//! n2disk's command line and configuration file, read and resolved.
//!
//! ```text
//! argv ──────────────┐                                       ┌─► Settings ─► what is recorded, where, how much of it
//!                    ├─► Given (option, value, place) ─► resolve
//! n2disk.conf, lines ┘         table::OPTIONS                └─► Warnings, Problems: each with its place
//! ```
//!
//! ```text
//! pcapx-recorder -i ens18 -o /storage/pcaps --disk-limit 80% -I
//! pcapx-recorder /etc/n2disk/n2disk.conf -b 4096
//! ```
//!
//! One table, [`OPTIONS`], holds every option of n2disk
//! ([n2disk user's guide](https://www.ntop.org/guides/n2disk/usage.html)) and ours: its names, its value, and what becomes
//! of it here. One that makes no difference here is named in a warning with what to do instead. One that would change what
//! is recorded or deleted, and is not offered, is an error: to go on without it would not be what was asked for.
//!
//! The configuration file has one option a line, as on the command line, with `=` or a blank before the value:
//!
//! ```text
//! # comments and empty lines are skipped
//! -i=ens18
//! --disk-limit 80%    # a blank and # begin a comment, too
//! -f="host 10.0.0.1"  # quotes around a value belong to the line, not to the value
//! ```
//!
//! Invariants:
//!
//! * An option on the command line replaces all of its kind in the file. Within one of them the last counts, but for `-i`,
//!   which adds, and for `-o` and `-A`, of which there can be one only.
//! * Reading opens the configuration file and nothing else; whether folders, interfaces and users exist is found out by
//!   whoever uses them.
//! * Everything that is wrong is told at once, with the line or the option it is about.
//! * A size in MB counts 1 048 576 bytes, as n2disk's does: its file of `--max-file-len 4096` has 4 294 967 296 bytes and
//!   the one packet that did not fit.

mod error;
mod file;
mod given;
mod help;
mod resolve;
mod settings;
mod slicing;
mod table;
mod value;

use std::ffi::OsString;

pub use error::{OptionsError, Place, Problem, Warning};
pub use help::{ABOUT, MORE};
pub use settings::{Direction, DiskLimit, Input, Settings, Simulation};
pub use slicing::Layer;
pub use table::{Effect, OPTIONS, OptionSpec, Setting, Value};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// To record, or to check whether that could be done.
    Record {
        /// How.
        settings: Box<Settings>,
        /// What is probably not meant so. It stops nothing.
        warnings: Vec<Warning>,
    },
    /// To print this text, the help or the version, and to end.
    Print(String),
}

/// Reads a command line, the name of the program not among its words, and the configuration file that it names.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, OptionsError> {
    let line = given::command_line(words);
    if let Some(text) = line.given.iter().find_map(|given| help::asked(given.option)) {
        return Ok(Asked::Print(text));
    }
    let mut problems = line.problems;
    let mut all = Vec::new();
    if let Some(path) = &line.file {
        let file = match file::read(path) {
            Ok(file) => file,
            Err(error) if problems.is_empty() => return Err(error),
            // The word may be the value of an option that is spelt wrong.
            Err(error) => {
                problems.push(Problem {
                    place: Some(Place::CommandLine),
                    option: "configuration file".to_owned(),
                    reason: error.to_string(),
                });
                return Err(OptionsError::Invalid(problems));
            }
        };
        problems.extend(file.problems);
        all = file.given;
        if let Some(text) = all.iter().find_map(|given| help::asked(given.option)) {
            return Ok(Asked::Print(text));
        }
        // What stands on the command line replaces what stands in the file.
        all.retain(|given| !line.given.iter().any(|other| other.option.replaces(given.option)));
    }
    all.extend(line.given);
    let (settings, warnings) = resolve::resolve(&all, problems)?;
    Ok(Asked::Record { settings: Box::new(settings), warnings })
}
