//! What is wrong with options (problems) and what is odd about them (warnings).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How much of a refused text a message repeats, in characters.
const EXCERPT_CHARS: usize = 60;

/// Why options are of no use. `Display` has a line for each problem.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The configuration file cannot be read.
    #[error("{}: the configuration file cannot be read: {source}", shown(.path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The place named for a configuration file has a folder, a pipe or a device.
    #[error("{}: not a file; the one word without a dash is the configuration file", shown(.path))]
    NotAFile {
        /// The place.
        path: PathBuf,
    },
    /// The file is larger than any configuration.
    #[error("{}: larger than {limit_bytes} bytes, this is no configuration", shown(.path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit_bytes: u64,
    },
    /// Everything that is wrong with what was written.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the command line.
    CommandLine,
    /// In a configuration file.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
    },
}

/// One thing that is wrong. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is written; `None` for what is written nowhere.
    pub place: Option<Place>,
    /// The option as it is written, or the word that is none.
    pub option: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Something that is probably not meant so, or has no effect. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it is written; `None` for what is written nowhere.
    pub place: Option<Place>,
    /// The option as it is written.
    pub option: String,
    /// What is odd, and what to do instead.
    pub reason: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Line { path, number } => write!(f, "{}:{number}", shown(path)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        told(f, self.place.as_ref(), &self.option, &self.reason)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        told(f, self.place.as_ref(), &self.option, &self.reason)
    }
}

fn told(f: &mut fmt::Formatter<'_>, place: Option<&Place>, option: &str, reason: &str) -> fmt::Result {
    if let Some(place @ Place::Line { .. }) = place {
        write!(f, "{place}: ")?;
    }
    write!(f, "{option}: {reason}")
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// A path on one line, whatever its name holds.
fn shown(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}

/// A text with its control characters escaped.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// What a message repeats of a text that somebody wrote: on one line and not too long.
pub(super) fn excerpt(text: &str) -> String {
    let mut excerpt = one_line(&text.chars().take(EXCERPT_CHARS).collect::<String>());
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        excerpt.push('…');
    }
    excerpt
}
