//! What is wrong with a configuration (errors) and what is odd about it (warnings).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no configuration. `Display` is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no file at any of the places.
    #[error("no configuration file: looked for {}", paths(.looked_for))]
    NotFound {
        /// The places, in the order they were tried.
        looked_for: Vec<PathBuf>,
    },
    /// The file is there and cannot be read.
    #[error("{}: cannot be read: {source}", shown(.path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than any configuration.
    #[error("{}: larger than {limit_bytes} bytes, this is no configuration", shown(.path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit_bytes: u64,
    },
    /// The file is not JSON.
    #[error("{}: line {line}, column {column}: {reason}", shown(.path))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes; 0 where the line is empty.
        column: usize,
        /// What was expected there.
        reason: String,
    },
    /// The file is JSON, but not an object.
    #[error("{}: line 1, column 1: expected an object {{\"key\": value, …}}, found {found}", shown(.path))]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// What it is instead, for example `a list`.
        found: &'static str,
    },
    /// The file and the environment could not be laid over each other.
    #[error("{}: cannot be merged with the environment: {source}", shown(.path))]
    Unmergeable {
        /// The file.
        path: PathBuf,
        /// What the merging library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file was read, but its content is of no use. Everything that is wrong is listed.
    #[error("{}: {}", shown(.path), problems(.missing, .invalid))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The required keys that stand neither in the file nor in the environment.
        missing: Vec<&'static str>,
        /// The keys whose values cannot be used.
        invalid: Vec<Problem>,
    },
}

/// One value that cannot be used, or not as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key.
    pub key: &'static str,
    /// Where the value stands, if not under that key in the file: an environment variable or an older key.
    pub from: Option<String>,
    /// What is wrong, on one line; the value of a secret key is not repeated.
    pub reason: String,
}

/// Something that is probably not what its author meant. It stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The file holds a key that nobody reads.
    UnknownKey {
        /// As it stands in the file.
        key: String,
        /// The known key that looks like it.
        similar: Option<&'static str>,
    },
    /// The environment holds a variable with our prefix that nobody reads.
    UnknownVariable {
        /// Its name.
        name: String,
        /// The known variable that looks like it.
        similar: Option<String>,
    },
    /// A value was bent to what the key allows, or works otherwise than it looks.
    Value(Problem),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)?;
        if let Some(from) = &self.from {
            write!(f, " (from {from})")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { key, similar } => {
                write!(f, "unknown key {key:?} is ignored")?;
                similar.map_or(Ok(()), |similar| write!(f, ": did you mean {similar:?}?"))
            }
            Self::UnknownVariable { name, similar } => {
                write!(f, "unknown environment variable {name:?} is ignored")?;
                similar.as_ref().map_or(Ok(()), |similar| write!(f, ": did you mean {similar:?}?"))
            }
            Self::Value(problem) => problem.fmt(f),
        }
    }
}

/// The path on one line, whatever its name holds.
fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for c in path.to_string_lossy().chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn paths(looked_for: &[PathBuf]) -> String {
    looked_for.iter().map(|path| shown(path)).collect::<Vec<_>>().join(", ")
}

fn problems(missing: &[&str], invalid: &[Problem]) -> String {
    let missing = match missing {
        [] => None,
        [key] => Some(format!("missing required key {key}")),
        keys => Some(format!("missing required keys {}", keys.join(", "))),
    };
    missing.into_iter().chain(invalid.iter().map(Problem::to_string)).collect::<Vec<_>>().join("; ")
}
