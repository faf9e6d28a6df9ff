//! What is told on standard error, and how much of it.

use std::fmt::{Arguments, Display};
use std::io::{self, Write};

use pcapx_timeline::warning::Warning;

/// Warnings told one by one unless more is asked for; a folder of foreign files would give thousands.
const WARNINGS_TOLD: usize = 8;

/// The level of `-v`: npcapextract's 0 to 6.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice(u8);

impl Voice {
    pub(crate) fn new(level: u8) -> Self {
        Self(level)
    }

    /// Whether warnings and notes are told.
    fn warns(self) -> bool {
        self.0 >= 1
    }

    /// Whether summary and progress are shown.
    pub(crate) fn sums_up(self) -> bool {
        self.0 >= 2
    }

    /// Whether each file is named.
    pub(crate) fn names_files(self) -> bool {
        self.0 >= 3
    }

    /// Which of the libraries' log lines are shown, as `env_logger` names it.
    pub(crate) fn log_level(self) -> &'static str {
        match self.0 {
            0 => "error",
            1..=4 => "warn",
            5 => "debug",
            _ => "trace",
        }
    }

    /// Something the user may not have expected.
    pub(crate) fn note(self, note: &dyn Display) {
        if self.warns() {
            tell(format_args!("note: {note}"));
        }
    }

    /// Files that could not be used, or not to their end.
    pub(crate) fn warnings(self, warnings: &[Warning]) {
        if !self.warns() {
            return;
        }
        let told = if self.names_files() { warnings.len() } else { WARNINGS_TOLD };
        for warning in warnings.iter().take(told) {
            tell(format_args!("warning: {warning}"));
        }
        if warnings.len() > told {
            let left = warnings.len() - told;
            tell(format_args!("warning: {left} more files have warnings, -v names them"));
        }
    }
}

/// Writes a line to standard error. Nobody can be told that this cannot be written, and no answer is worse for it.
pub(crate) fn tell(line: Arguments<'_>) {
    // In one piece: standard error has no buffer, and a summary is a hundred pieces of text.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
