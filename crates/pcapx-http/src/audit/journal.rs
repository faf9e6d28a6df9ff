//! The file of an audit log: continued over restarts, begun anew when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pcapx_core::config::Service;
use serde_json::{Map, Value};

use super::chain::{self, Link};
use super::{Act, ROTATE};

/// The service and its group read; only the service writes.
const FILE_MODE: u32 = 0o640;
/// More than any line has: paths and names of clients are bounded long before.
const LONGEST_LINE_BYTES: u64 = 1 << 20;

/// An open audit log.
#[derive(Debug)]
pub(super) struct Journal {
    service: Service,
    path: PathBuf,
    file: File,
    length: u64,
    most_bytes: u64,
    /// The number of this file's first line.
    first: u64,
    link: Link,
}

impl Journal {
    pub(super) fn open(service: Service, folder: &Path, most_bytes: u64) -> io::Result<Self> {
        let path = folder.join(format!("{}.audit.jsonl", service.name()));
        let file = append(&path)?;
        let (link, length) = last(&path)?.unwrap_or((Link::start(), 0));
        let first = if length == 0 { link.seq + 1 } else { first_seq(&path)? };
        let journal = Journal { service, path, file, length, most_bytes, first, link };
        journal.tell("continues");
        Ok(journal)
    }

    /// Writes one line, whole or not at all.
    pub(super) fn write(&mut self, act: &Act) -> io::Result<()> {
        if self.length >= self.most_bytes {
            self.append(&Act::new(ROTATE))?;
            self.rotate()?;
        }
        self.append(act)
    }

    fn append(&mut self, act: &Act) -> io::Result<()> {
        let mut fields = Map::from_iter([
            ("time".to_owned(), Value::from(act.at.to_string())),
            ("service".to_owned(), Value::from(self.service.name())),
        ]);
        fields.extend(act.fields.clone());
        let (line, next) = self.link.next(fields);
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // Half a line would break the chain for ever.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        self.link = next;
        Ok(())
    }

    /// Gives the full file its final name and begins the next; the chain goes on.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let full =
            self.path.with_file_name(format!("{}.audit.{:012}.jsonl", self.service.name(), self.first));
        fs::rename(&self.path, &full)?;
        self.file = append(&self.path)?;
        (self.length, self.first) = (0, self.link.seq + 1);
        self.tell("begins a new file");
        Ok(())
    }

    pub(super) fn close(&self) {
        if let Err(error) = self.file.sync_all() {
            log::error!("audit: {error}");
        }
        self.tell("ends");
    }

    /// Tells the head, so that it is kept in another place as well.
    fn tell(&self, what: &str) {
        log::info!("audit log {what}: head={}:{}", self.link.seq, self.link.hash);
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).read(true).create(true).mode(FILE_MODE).open(path)
}

/// The last line of the file and the file's length. A line that a crash has cut off is no line: it is taken away, and
/// the log says so. `None`: nothing is written yet, in this file; a chain that was rotated away goes on.
fn last(path: &Path) -> io::Result<Option<(Link, u64)>> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut length = file.metadata()?.len();
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LINE_BYTES)))?;
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < tail.len() {
        length -= (tail.len() - whole) as u64;
        log::warn!("audit: the last line was cut off by a crash and is taken away");
        file.set_len(length)?;
        tail.truncate(whole);
    }
    if length == 0 {
        return Ok(rotated_link(path)?.map(|link| (link, 0)));
    }
    let line = tail[..tail.len() - 1].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let read = std::str::from_utf8(line).map_err(|_| "is no text").and_then(chain::read);
    let read = read.map_err(|why| {
        io::Error::other(format!(
            "the last line of {} {why}; verify it, move it away, and start again",
            path.display()
        ))
    })?;
    Ok(Some((read.link, length)))
}

/// The last link of the newest rotated file beside `path`.
fn rotated_link(path: &Path) -> io::Result<Option<Link>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(None);
    };
    let stem = name.trim_end_matches("jsonl");
    let mut rotated: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?.path();
        let other = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_log = entry.extension().is_some_and(|ending| ending == "jsonl");
        if other != name && other.starts_with(stem) && is_log {
            rotated.push(entry);
        }
    }
    rotated.sort();
    match rotated.last() {
        Some(newest) => Ok(last(newest)?.map(|(link, _)| link)),
        None => Ok(None),
    }
}

fn first_seq(path: &Path) -> io::Result<u64> {
    let mut head = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(File::open(path)?.take(LONGEST_LINE_BYTES)), &mut head)?;
    let read = chain::read(head.trim_end());
    read.map(|read| read.link.seq)
        .map_err(|why| io::Error::other(format!("the first line of {} {why}", path.display())))
}
