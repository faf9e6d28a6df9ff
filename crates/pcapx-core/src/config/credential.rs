//! Secrets that the service manager hands over as files (systemd's `LoadCredential=`).
//!
//! A file of a secret key's name in `$CREDENTIALS_DIRECTORY` is that key's value; a line end at its end does not
//! count, as an editor puts one there. Other files are other people's.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use config::{Map, Value};

use super::keys::KEYS;
use super::notes::Notes;

/// Where systemd says that the files are.
const FOLDER_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// No password, token or hash is as long.
const LIMIT_BYTES: u64 = 16 << 10;

/// The secrets in the folder that `environment` names, by key.
pub(super) fn values(environment: &[(OsString, OsString)], notes: &mut Notes) -> Map<String, Value> {
    let mut values = Map::new();
    let folder = environment.iter().find(|(name, value)| name == FOLDER_VARIABLE && !value.is_empty());
    let Some((_, folder)) = folder else { return values };
    for key in KEYS.iter().filter(|key| key.secret) {
        let origin = || Some(format!("the credential {}", key.name));
        match read(&Path::new(folder).join(key.name)) {
            Ok(text) => {
                values.insert(key.name.to_owned(), Value::new(origin().as_ref(), text));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => notes.refuse(key, origin(), format!("cannot be read: {error}")),
        }
    }
    values
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LIMIT_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LIMIT_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too long"));
    }
    if let Some(line) = text.strip_suffix('\n') {
        text.truncate(line.strip_suffix('\r').unwrap_or(line).len());
    }
    Ok(text)
}
