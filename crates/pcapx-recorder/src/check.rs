//! Whether a recording can begin as it is set, without beginning it.
//!
//! What only the service may do – open a packet socket, become somebody else – is not tried: whoever checks need not be it.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

use crate::afpacket::bear;
use crate::options::{Input, Settings};
use crate::privileges::Account;
use crate::recording::CHUNKS_BYTES;
use crate::source::{FileSource, SourceError};
use crate::storage::{StorageError, check_limit};

/// What stands in the way, a sentence each; nothing when the recording can begin.
pub fn problems(settings: &Settings) -> Vec<String> {
    let mut problems: Vec<String> =
        settings.inputs.iter().filter_map(|input| input_problem(input).err()).collect();
    if settings.inputs.iter().any(|input| matches!(input, Input::Interface(_))) {
        let ring = settings.buffer_bytes.saturating_sub(CHUNKS_BYTES);
        let ring = usize::try_from(ring).unwrap_or(usize::MAX);
        problems.extend(bear(ring).err().map(|error| error.to_string()));
    }
    let folders = std::iter::once(&settings.dump).chain(&settings.timeline);
    let mut folders: Vec<_> = folders.collect();
    folders.dedup();
    for folder in folders {
        match place(folder) {
            Ok(()) => {}
            Err(source) => {
                problems.push(StorageError::Folder { path: folder.clone(), source }.to_string());
            }
        }
    }
    if let Some(there) = settings.dump.ancestors().find(|folder| folder.is_dir()) {
        let limit = check_limit(settings.disk_limit, there, settings.file_bytes);
        problems.extend(limit.err().map(|error| error.to_string()));
    }
    if let Some(user) = &settings.user {
        problems.extend(Account::find(user).err().map(|error| error.to_string()));
    }
    problems
}

fn input_problem(input: &Input) -> Result<(), String> {
    match input {
        Input::File(path) => FileSource::open(path, u32::MAX).map(|_| ()).map_err(|error| error.to_string()),
        Input::Interface(name) => {
            let system = |what| {
                let interface = name.clone();
                move |source: rustix::io::Errno| {
                    SourceError::System { interface, what, source: source.into() }.to_string()
                }
            };
            // Any socket can be asked for an interface.
            let any = socket(AddressFamily::INET, SocketType::DGRAM, None)
                .or_else(|_| socket(AddressFamily::UNIX, SocketType::DGRAM, None))
                .map_err(system("open a socket"))?;
            match netdevice::name_to_index(&any, name) {
                Ok(_) => Ok(()),
                Err(_) => Err(SourceError::NoSuchInterface { interface: name.clone() }.to_string()),
            }
        }
    }
}

/// Whether a folder can be written to, or made.
fn place(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok());
    let Some(there) = there.filter(|there| !there.as_os_str().is_empty()) else {
        // Relative, of which nothing is there yet.
        return Ok(access(".", Access::WRITE_OK | Access::EXEC_OK)?);
    };
    if !fs::metadata(there)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(access(there, Access::WRITE_OK | Access::EXEC_OK)?)
}
