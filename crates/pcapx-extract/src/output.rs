//! Writes an answer to its target.
//!
//! A file is the timeline's own work: it appears when it is complete. What the timeline cannot write to – standard output,
//! a name that has to stay as it is – gets a finished file.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pcapx_timeline::extract::UNFINISHED_PREFIX;
use pcapx_timeline::{Extraction, Limits, Query};
use tempfile::TempDir;

use crate::failure::Failure;
use crate::guise::Guise;
use crate::interrupt::Interrupt;
use crate::target::{Target, folder_of};

/// A pcap file without packets: Ethernet, microseconds, snap length 262 144.
const EMPTY_PCAP: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
/// Owner writes, group reads: as the files with packets.
const FILE_MODE: u32 = 0o640;
/// The same for a folder.
const FOLDER_MODE: u32 = 0o750;
/// Bytes handed to a stream between two looks at the signals.
const POUR_BYTES: usize = 64 * 1024;

/// How answers are written, whatever they are.
#[derive(Debug)]
pub(crate) struct Output<'o> {
    pub(crate) target: &'o Target,
    pub(crate) guise: Guise,
    /// Whether a capture without packets is wanted when nothing matched.
    pub(crate) empty: bool,
    pub(crate) interrupt: &'o Interrupt,
}

/// A written answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) extraction: Extraction,
    /// Its capture files in the order of time; none where a stream took them.
    pub(crate) files: Vec<PathBuf>,
    /// The folder of files that are not to stay.
    _spool: Option<TempDir>,
}

impl Answer {
    fn of(extraction: Extraction, files: Vec<PathBuf>) -> Self {
        Self { extraction, files, _spool: None }
    }
}

impl Output<'_> {
    /// Runs `query` and writes what it finds.
    pub(crate) fn write(&self, query: Query<'_>) -> Result<Answer, Failure> {
        match self.target {
            Target::File(path) if self.guise == Guise::Npcapextract => self.exact_file(query, path),
            Target::File(path) => self.file(query, path),
            Target::Parts { folder, prefix, limits } => self.parts(query, folder, prefix, *limits),
            Target::Stdout => self.stream(query, io::stdout().lock(), &Failure::Stdout),
            Target::Device(path) => self.device(query, path),
            Target::Listing { packets } => self.listing(query, *packets),
            Target::Nowhere => self.nowhere(query),
        }
    }

    fn file(&self, query: Query<'_>, path: &Path) -> Result<Answer, Failure> {
        let extraction = self.run(query, path)?;
        let files = extraction.output.iter().cloned().collect();
        if extraction.output.is_none() && self.empty {
            publish(path, &EMPTY_PCAP)?;
        }
        Ok(Answer::of(extraction, files))
    }

    /// A file of exactly this name, in any case.
    fn exact_file(&self, query: Query<'_>, path: &Path) -> Result<Answer, Failure> {
        let folder = folder_of(path);
        let failed = |source| Failure::Output { path: path.to_owned(), source };
        let stage = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempdir_in(folder).map_err(failed)?;
        let mut extraction = self.run(query, &stage.path().join("answer.pcap"))?;
        let Some(written) = extraction.output.replace(path.to_owned()) else {
            extraction.output = None;
            publish(path, if self.empty { &EMPTY_PCAP } else { &[] })?;
            return Ok(Answer::of(extraction, Vec::new()));
        };
        fs::rename(written, path).and_then(|()| File::open(folder)?.sync_all()).map_err(failed)?;
        Ok(Answer::of(extraction, vec![path.to_owned()]))
    }

    fn parts(
        &self,
        query: Query<'_>,
        folder: &Path,
        prefix: &str,
        limits: Limits,
    ) -> Result<Answer, Failure> {
        let failed = |source| Failure::Output { path: folder.to_owned(), source };
        let is_new = match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(error)),
        };
        if let Some(path) = earlier_part(folder, prefix).map_err(failed)? {
            return Err(Failure::PartsPresent(path));
        }
        let answer = query.write_parts(folder, prefix, limits).map_err(|error| self.interrupt.explain(error));
        if is_new && answer.is_err() {
            // Not when something has come into it meanwhile; and the error to tell is the first one.
            let _ = fs::remove_dir(folder);
        }
        let answer = answer?;
        if answer.parts.is_empty() && self.empty {
            publish(&folder.join(format!("{prefix}00001.pcap")), &EMPTY_PCAP)?;
        }
        let files = answer.parts.into_iter().map(|part| part.path).collect();
        Ok(Answer::of(answer.extraction, files))
    }

    fn device(&self, query: Query<'_>, path: &Path) -> Result<Answer, Failure> {
        let failed = |source| Failure::Output { path: path.to_owned(), source };
        let device = OpenOptions::new().write(true).open(path).map_err(failed)?;
        self.stream(query, device, &failed)
    }

    /// Writes to what takes bytes and nothing else.
    fn stream(
        &self,
        query: Query<'_>,
        to: impl Write,
        failed: &dyn Fn(io::Error) -> Failure,
    ) -> Result<Answer, Failure> {
        let spool = spool()?;
        let in_spool = |source| Failure::Spool { path: std::env::temp_dir(), source };
        let extraction = self.run(query, &spool.path().join("answer.pcap"))?;
        match &extraction.output {
            Some(path) => {
                let file = File::open(path).map_err(in_spool)?;
                // Open, but without a name: it goes when the process does, whatever its reader does to us.
                spool.close().map_err(in_spool)?;
                self.pour(file, to, failed)?;
            }
            None if self.empty => self.pour(&EMPTY_PCAP[..], to, failed)?,
            None => {}
        }
        Ok(Answer::of(extraction, Vec::new()))
    }

    fn pour(
        &self,
        mut from: impl Read,
        mut to: impl Write,
        failed: &dyn Fn(io::Error) -> Failure,
    ) -> Result<(), Failure> {
        let mut buffer = vec![0; POUR_BYTES];
        loop {
            self.interrupt.check()?;
            let n = match from.read(&mut buffer) {
                Ok(0) => return to.flush().map_err(failed),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => return Err(Failure::Spool { path: std::env::temp_dir(), source }),
            };
            to.write_all(&buffer[..n]).map_err(failed)?;
        }
    }

    fn listing(&self, query: Query<'_>, packets: u64) -> Result<Answer, Failure> {
        let spool = spool()?;
        let query = query.limits(Limits { max_packets: Some(packets), max_bytes: None });
        let mut extraction = self.run(query, &spool.path().join("answer.pcap"))?;
        let files = extraction.output.take().into_iter().collect();
        Ok(Answer { extraction, files, _spool: Some(spool) })
    }

    fn nowhere(&self, query: Query<'_>) -> Result<Answer, Failure> {
        let spool = spool()?;
        let extraction = self.run(query, &spool.path().join("answer.pcap"))?;
        Ok(Answer::of(extraction, Vec::new()))
    }

    fn run(&self, query: Query<'_>, path: &Path) -> Result<Extraction, Failure> {
        query.write_to(path).map_err(|error| self.interrupt.explain(error))
    }
}

/// A folder for files that are needed for a moment.
fn spool() -> Result<TempDir, Failure> {
    let spool = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempdir();
    spool.map_err(|source| Failure::Spool { path: std::env::temp_dir(), source })
}

/// Writes a small file that appears when it is complete.
fn publish(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED_PREFIX)
            .permissions(Permissions::from_mode(FILE_MODE))
            .tempfile_in(folder_of(path))?;
        file.write_all(bytes)?;
        file.persist(path)?.sync_data()
    };
    write().map_err(|source| Failure::Output { path: path.to_owned(), source })
}

/// A file in `folder` that an answer with this prefix has left.
fn earlier_part(folder: &Path, prefix: &str) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
        let number = number.strip_suffix(".pcap").or_else(|| number.strip_suffix(".pcapng"));
        if number.is_some_and(|n| n.len() >= 5 && n.bytes().all(|b| b.is_ascii_digit())) {
            return Ok(Some(folder.join(name)));
        }
    }
    Ok(None)
}
