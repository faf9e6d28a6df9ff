//! Where a configuration comes from: the file that is found first, and the environment.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::notes::Notes;
use super::written::Written;
use super::{ConfigError, Loaded, resolve};

/// Names the file where no option does.
const FILE_VARIABLE: &str = "PCAPX_CONFIG";
/// Under the working directory, as the repository has it.
const LOCAL_FILE: &str = "config/config.json";
/// Where packages put it.
const SYSTEM_FILE: &str = "/etc/pcapx/config.json";
/// Thousands of `allowed_ips` fit; what is larger is no configuration but a mistake in the path.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// Everything that loading looks at, so that a test can give its own.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file that the user named (`--config`). Nothing else is tried then.
    pub explicit: Option<PathBuf>,
    /// The environment: names and values.
    pub environment: Vec<(OsString, OsString)>,
    /// Where `config/config.json` is looked for; empty is the working directory itself.
    pub working_dir: PathBuf,
    /// The file that is tried last.
    pub system_file: PathBuf,
}

impl Sources {
    /// What this process was given.
    pub fn of_process(explicit: Option<&Path>) -> Self {
        Self {
            explicit: explicit.map(Path::to_path_buf),
            environment: std::env::vars_os().collect(),
            working_dir: PathBuf::new(),
            system_file: PathBuf::from(SYSTEM_FILE),
        }
    }

    /// Finds the file, reads it and lays the environment over it.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let (path, text) = self.find()?;
        let file = object(&path, &text)?;
        let mut notes = Notes::default();
        let written = match Written::merge(&file, &self.environment, &mut notes) {
            Ok(written) => written,
            Err(error) => return Err(ConfigError::Unmergeable { path, source: error.into() }),
        };
        match resolve::config(&written, &mut notes) {
            Some(config) if notes.is_usable() => {
                Ok(Loaded { config, path, warnings: notes.warnings, written })
            }
            _ => Err(ConfigError::Invalid { path, missing: notes.missing, invalid: notes.invalid }),
        }
    }

    /// The first file that exists, with its content.
    fn find(&self) -> Result<(PathBuf, String), ConfigError> {
        let places = self.places();
        for path in &places {
            match read(path) {
                Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                read => return Ok((path.clone(), read?)),
            }
        }
        Err(ConfigError::NotFound { looked_for: places })
    }

    fn places(&self) -> Vec<PathBuf> {
        let named = self.environment.iter().find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
        match (&self.explicit, named) {
            (Some(explicit), _) => vec![explicit.clone()],
            (None, Some((_, named))) => vec![PathBuf::from(named)],
            (None, None) => vec![self.working_dir.join(LOCAL_FILE), self.system_file.clone()],
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    File::open(path)
        .map_err(unreadable)?
        .take(FILE_LIMIT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_LIMIT_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_path_buf(), limit_bytes: FILE_LIMIT_BYTES });
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let mut lines = before.split(|byte| *byte == b'\n');
        ConfigError::Syntax {
            path: path.to_path_buf(),
            line: lines.clone().count(),
            column: lines.next_back().map_or(0, <[u8]>::len) + 1,
            reason: "not UTF-8 text".to_owned(),
        }
    })
}

fn object(path: &Path, text: &str) -> Result<Map<String, Value>, ConfigError> {
    // Some editors put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let not_an_object = |found| ConfigError::NotAnObject { path: path.to_path_buf(), found };
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Array(_)) => Err(not_an_object("a list")),
        Ok(Value::String(_)) => Err(not_an_object("a text")),
        Ok(Value::Number(_)) => Err(not_an_object("a number")),
        Ok(Value::Bool(_)) => Err(not_an_object("true or false")),
        Ok(Value::Null) => Err(not_an_object("null")),
        Err(error) => {
            let told = error.to_string();
            let reason = told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason);
            Err(ConfigError::Syntax {
                path: path.to_path_buf(),
                line: error.line(),
                column: error.column(),
                reason: format!("not JSON: {reason}"),
            })
        }
    }
}
