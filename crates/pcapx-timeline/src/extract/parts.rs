//! An answer in several files, each within limits.
//!
//! ```text
//! query ─► the whole answer, in order ─► cut where a limit is met ─► parts ─► published together
//!          └──────────────── a hidden folder beside them ────────────────┘
//! ```
//!
//! Only the whole answer is in order for certain, so it is written first and cut then: the disk needs room for it twice.
//! Names are given at the end, when the number of parts tells how many digits let all names sort in the order of time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::blocks::{interface_block, section_block};
use super::hidden::{FILE_MODE, UNFINISHED_PREFIX, failed};
use super::notes::Notes;
use super::room::{Room, Roomy};
use super::{BATCH_BYTES, CHECK_EVERY_PACKETS, ExtractError, Extraction};
use crate::query::{Limits, Query};
use crate::segment::{PCAP_HEADER_BYTES, SegmentError, SegmentReader};

/// Digits of a part's number; there are more only where more parts need them.
const NUMBER_DIGITS: usize = 5;

/// What a query has written to several files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartedExtraction {
    /// The sums; its `output` is the folder.
    pub extraction: Extraction,
    /// The files in the order of time; none when nothing matched.
    pub parts: Vec<Part>,
}

/// One file of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Packets in it.
    pub packets: u64,
    /// Its length.
    pub bytes: u64,
}

pub(crate) fn run(
    query: &Query<'_>,
    folder: &Path,
    prefix: &str,
    limits: Limits,
) -> Result<PartedExtraction, ExtractError> {
    let in_folder = |source| failed(folder, source);
    // Whatever ends this function takes the hidden folder with it.
    let hidden = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempdir_in(folder).map_err(in_folder)?;
    // Nobody gets the whole file.
    let query = &query.clone().hash(false);
    let mut extraction = super::run(query, &hidden.path().join("whole.pcap"))?;
    let Some(whole) = extraction.output.take() else {
        return Ok(PartedExtraction { extraction, parts: Vec::new() });
    };
    let mut parts =
        Cutter::new(&whole, hidden.path(), limits, query.keep_free).map_err(in_folder)?.cut(query, folder)?;
    let extension = whole.extension().unwrap_or_default().to_string_lossy();
    publish(&mut parts, folder, prefix, &extension)?;
    extraction.output = Some(folder.to_owned());
    extraction.counts.bytes_written = parts.iter().map(|part| part.bytes).sum();
    Ok(PartedExtraction { extraction, parts })
}

/// Gives all parts their names; when one cannot have its name, none has.
fn publish(parts: &mut [Part], folder: &Path, prefix: &str, extension: &str) -> Result<(), ExtractError> {
    let digits = parts.len().to_string().len().max(NUMBER_DIGITS);
    for n in 0..parts.len() {
        let path = folder.join(format!("{prefix}{:0digits$}.{extension}", n + 1));
        if let Err(source) = fs::rename(&parts[n].path, &path) {
            for part in &parts[..n] {
                // What cannot be taken back stays; the error is told in any case.
                let _ = fs::remove_file(&part.path);
            }
            return Err(failed(&path, source));
        }
        parts[n].path = path;
    }
    File::open(folder).and_then(|f| f.sync_all()).map_err(|source| failed(folder, source))
}

/// Goes through the whole answer and begins a new part where the last one is full.
struct Cutter<'c> {
    reader: SegmentReader,
    hidden: &'c Path,
    limits: Limits,
    /// Bytes that are to stay free.
    keep_free: u64,
    head: Head,
    parts: Vec<Part>,
}

/// What every part begins with.
enum Head {
    Pcap([u8; PCAP_HEADER_BYTES]),
    /// A section; the interfaces follow as they come to be known.
    Pcapng,
}

/// The part that is being written.
struct Open {
    out: BufWriter<Roomy>,
    part: Part,
    /// Interface blocks written to it.
    interfaces: usize,
}

impl<'c> Cutter<'c> {
    fn new(whole: &Path, hidden: &'c Path, limits: Limits, keep_free: u64) -> io::Result<Self> {
        let reader = SegmentReader::open(whole).map_err(SegmentError::into_io)?;
        let head = if reader.pcap_header().is_some() {
            let mut header = [0; PCAP_HEADER_BYTES];
            reader.file().read_exact_at(&mut header, 0)?;
            Head::Pcap(header)
        } else {
            Head::Pcapng
        };
        Ok(Self { reader, hidden, limits, keep_free, head, parts: Vec::new() })
    }

    fn cut(mut self, query: &Query<'_>, folder: &Path) -> Result<Vec<Part>, ExtractError> {
        let failed = |source| failed(folder, source);
        let mut open: Option<Open> = None;
        let mut records = 0_u64;
        while self.reader.next_packet().map_err(|e| failed(SegmentError::into_io(e)))?.is_some() {
            if records.is_multiple_of(CHECK_EVERY_PACKETS) && query.cancel.is_cancelled() {
                return Err(ExtractError::cancelled(&query.cancel));
            }
            records += 1;
            let mut part = match open.take() {
                Some(part) if part.has_room(&self) => part,
                full => {
                    self.close(full).map_err(failed)?;
                    self.begin().map_err(failed)?
                }
            };
            part.append(&self).map_err(failed)?;
            open = Some(part);
        }
        self.close(open).map_err(failed)?;
        Ok(self.parts)
    }

    fn begin(&self) -> io::Result<Open> {
        let path = self.hidden.join(format!("part-{}", self.parts.len()));
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path)?;
        let part = Part { path, packets: 0, bytes: 0 };
        let roomy = Roomy { file, room: Room::above(self.keep_free) };
        let mut open = Open { out: BufWriter::with_capacity(BATCH_BYTES, roomy), part, interfaces: 0 };
        match &self.head {
            Head::Pcap(header) => open.write(header)?,
            Head::Pcapng => open.write(&section_block(&Notes::default()))?,
        }
        Ok(open)
    }

    fn close(&mut self, open: Option<Open>) -> io::Result<()> {
        if let Some(open) = open {
            open.out.into_inner().map_err(io::IntoInnerError::into_error)?.file.sync_data()?;
            self.parts.push(open.part);
        }
        Ok(())
    }

    /// Interface blocks that a part with `written` of them still needs; a pcap file has none.
    fn interface_blocks(&self, written: usize) -> Vec<Vec<u8>> {
        let interfaces = self.reader.interfaces();
        match self.head {
            Head::Pcapng if written < interfaces.len() => {
                interfaces[written..].iter().map(interface_block).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Open {
    /// Whether the reader's record still fits; the first one of a part always does.
    fn has_room(&self, cutter: &Cutter<'_>) -> bool {
        let blocks: usize = cutter.interface_blocks(self.interfaces).iter().map(Vec::len).sum();
        let more = (blocks + cutter.reader.current_record().len()) as u64;
        self.part.packets == 0
            || (cutter.limits.max_packets.is_none_or(|max| self.part.packets < max)
                && cutter.limits.max_bytes.is_none_or(|max| self.part.bytes + more <= max))
    }

    fn append(&mut self, cutter: &Cutter<'_>) -> io::Result<()> {
        for block in cutter.interface_blocks(self.interfaces) {
            self.write(&block)?;
            self.interfaces += 1;
        }
        self.part.packets += 1;
        self.write(cutter.reader.current_record())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.part.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}
