//! The name by which the program was called, and what hangs on it.

use std::ffi::OsStr;
use std::path::Path;

use crate::exit::Code;

/// Scripts written for npcapextract call the program by that name and expect its manners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guise {
    /// `pcapx-extract`, or any other name.
    Own,
    /// `npcapextract`.
    Npcapextract,
}

impl Guise {
    /// From the first word of the command line.
    pub(crate) fn of(called: &OsStr) -> Self {
        match Path::new(called).file_name() {
            Some(name) if name == "npcapextract" => Self::Npcapextract,
            _ => Self::Own,
        }
    }

    /// How the process ends when no packet matched. Such a script takes anything but 0 for a failure, and looks at the
    /// length of the file to learn that there was nothing.
    pub(crate) fn nothing_matched(self) -> Code {
        match self {
            Self::Own => Code::NothingMatched,
            Self::Npcapextract => Code::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_part_of_the_path_counts() {
        for name in ["npcapextract", "/usr/bin/npcapextract", "./npcapextract"] {
            assert_eq!(Guise::of(OsStr::new(name)), Guise::Npcapextract);
        }
        for name in ["pcapx-extract", "/opt/npcapextract/pcapx-extract", "npcapextract.sh", ""] {
            assert_eq!(Guise::of(OsStr::new(name)), Guise::Own);
        }
    }
}
