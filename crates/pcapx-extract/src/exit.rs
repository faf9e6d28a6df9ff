//! Exit codes: one table, printed by `--help` and used by everything that ends the process.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Packets were written, printed, or their files listed; files have their indexes.
    Done,
    /// No packet matched; there was no file to index.
    NothingMatched,
    /// The command line is wrong.
    Usage,
    /// A timeline or capture cannot be read.
    Unreadable,
    /// The output cannot be written.
    Unwritable,
    /// The system refuses something else: a thread, a signal handler.
    System,
    /// A signal of this number ended it.
    Interrupted(u8),
}

/// What `--help` says about each of them.
pub const TABLE: &str = "\
Exit codes:
  0    packets were written (printed, listed); --index: the files have indexes
  1    no packet matched; called as npcapextract: 0; --index: no capture file
  2    the command line is wrong: option, time, filter, window
  3    a timeline or capture file cannot be read
  4    the output, or an index, cannot be written
  5    the system refuses something else
  130  ended by SIGINT (Ctrl-C), 143 by SIGTERM; no unfinished file is left";

/// What a shell adds to the number of the signal that ended a process.
const SIGNAL_BASE: u8 = 128;

impl Code {
    /// As the parent process sees it.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NothingMatched => 1,
            Self::Usage => 2,
            Self::Unreadable => 3,
            Self::Unwritable => 4,
            Self::System => 5,
            Self::Interrupted(signal) => SIGNAL_BASE.saturating_add(signal),
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        code.number().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code() {
        let codes = [
            Code::Done,
            Code::NothingMatched,
            Code::Usage,
            Code::Unreadable,
            Code::Unwritable,
            Code::System,
            Code::Interrupted(2),
        ];
        let lines: Vec<_> = TABLE.lines().skip(1).collect();
        assert_eq!(lines.len(), codes.len());
        for (line, code) in lines.iter().zip(codes) {
            assert_eq!(line.split_whitespace().next(), Some(code.number().to_string().as_str()));
        }
    }
}
