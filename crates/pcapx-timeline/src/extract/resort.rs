//! Sorts an output file that has come out as more than one run.
//!
//! The file itself is what is merged: each run is read with a buffer of its own, and the earliest record goes first; of
//! equals that of the earlier run. No more than [`FAN_IN`] runs are open at a time; a file of more is merged in
//! several passes. The last pass numbers the interfaces of a pcapng file as their packets come now.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::hidden::{failed, hidden_beside};
use super::numbering::{NUMBER_AT, Numbering};
use super::room::{Room, Roomy};
use super::{BATCH_BYTES, CHECK_EVERY_PACKETS, ExtractError};
use crate::control::CancelToken;
use crate::segment::{Interface, SegmentError, SegmentReader};
use pcapx_core::time::Timestamp;

/// Runs merged at a time: their buffers take up to a megabyte each.
const FAN_IN: usize = 32;

/// A file that is merged: where its runs begin, and where the last one ends.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) file: &'s NamedTempFile,
    pub(super) runs: &'s [u64],
    pub(super) end: u64,
}

/// What a pass has made.
struct Merged {
    file: NamedTempFile,
    runs: Vec<u64>,
    end: u64,
    numbering: Numbering,
}

/// What is the same for every pass.
struct Pass<'p> {
    path: &'p Path,
    /// File header or section header.
    head: &'p [u8],
    /// Of a pcapng file.
    interfaces: &'p [Interface],
    cancel: &'p CancelToken,
    /// Bytes that are to stay free.
    keep_free: u64,
}

/// Merges the runs of `source` into a new hidden file beside `path`. Returns it and, of a pcapng file, its interfaces.
pub(super) fn sorted(
    source: Source<'_>,
    path: &Path,
    head: &[u8],
    interfaces: &[Interface],
    cancel: &CancelToken,
    keep_free: u64,
) -> Result<(NamedTempFile, Numbering), ExtractError> {
    let pass = Pass { path, head, interfaces, cancel, keep_free };
    let mut merged = pass.merge(&source)?;
    while merged.runs.len() > 1 {
        merged = pass.merge(&Source { file: &merged.file, runs: &merged.runs, end: merged.end })?;
    }
    Ok((merged.file, merged.numbering))
}

impl Pass<'_> {
    /// Merges each group of [`FAN_IN`] runs into one.
    fn merge(&self, source: &Source<'_>) -> Result<Merged, ExtractError> {
        let failed = |source| failed(self.path, source);
        let hidden = hidden_beside(self.path).map_err(failed)?;
        let file = hidden.as_file().try_clone().map_err(failed)?;
        // Better told before hours of merging than behind them.
        Room::above(self.keep_free).take(source.end, &file).map_err(failed)?;
        let roomy = Roomy { file, room: Room::above(self.keep_free) };
        let mut out = BufWriter::with_capacity(BATCH_BYTES, roomy);
        out.write_all(self.head).map_err(failed)?;
        let mut end = self.head.len() as u64;
        let (mut runs, mut numbering) = (Vec::new(), Numbering::default());
        for group in (0..source.runs.len()).step_by(FAN_IN) {
            runs.push(end);
            end += self.merge_group(source, group, &mut numbering, &mut out)?;
        }
        out.flush().map_err(failed)?;
        Ok(Merged { file: hidden, runs, end, numbering })
    }

    /// Merges the runs from number `first` on; returns the bytes written.
    fn merge_group(
        &self,
        source: &Source<'_>,
        first: usize,
        numbering: &mut Numbering,
        out: &mut impl Write,
    ) -> Result<u64, ExtractError> {
        let failed = |source| failed(self.path, source);
        let mut cursors = Vec::new();
        let mut heads = BinaryHeap::new();
        for number in first..source.runs.len().min(first + FAN_IN) {
            let end = source.runs.get(number + 1).copied().unwrap_or(source.end);
            let file = source.file.as_file().try_clone().map_err(failed)?;
            let mut cursor =
                Cursor::new(file, source.runs[number], end, self.interfaces.to_vec()).map_err(failed)?;
            if let Some(time) = cursor.advance().map_err(failed)? {
                heads.push(Reverse((time, cursors.len())));
            }
            cursors.push(cursor);
        }
        // The last pass, which makes one run, numbers them.
        let is_numbered = source.runs.len() <= FAN_IN && !self.interfaces.is_empty();
        let (mut written, mut records) = (0, 0_u64);
        while let Some(Reverse((_, number))) = heads.pop() {
            records += 1;
            if records.is_multiple_of(CHECK_EVERY_PACKETS) && self.cancel.is_cancelled() {
                return Err(ExtractError::cancelled(self.cancel));
            }
            let cursor = &mut cursors[number];
            let record = cursor.reader.current_record();
            written += if is_numbered {
                self.write_numbered(record, numbering, out)
            } else {
                out.write_all(record).map(|()| record.len())
            }
            .map_err(failed)? as u64;
            if let Some(time) = cursor.advance().map_err(failed)? {
                heads.push(Reverse((time, number)));
            }
        }
        Ok(written)
    }

    /// Writes a record of pcapng with its interface's new number, and the interface before the first of its records.
    fn write_numbered(
        &self,
        record: &[u8],
        numbering: &mut Numbering,
        out: &mut impl Write,
    ) -> io::Result<usize> {
        let (Some((front, rest)), Some(packet)) =
            (record.split_at_checked(NUMBER_AT), record.get(NUMBER_AT + 4..))
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let own = rest.first_chunk().map_or(0, |number| u32::from_le_bytes(*number));
        let (number, block) = match (numbering.number(own), self.interfaces.get(own as usize)) {
            (Some(number), _) => (number, Vec::new()),
            (None, Some(interface)) => numbering.assign(own, interface.clone()),
            (None, None) => return Err(io::ErrorKind::InvalidData.into()),
        };
        for part in [&block, front, &number.to_le_bytes(), packet] {
            out.write_all(part)?;
        }
        Ok(block.len() + record.len())
    }
}

/// Goes through one run.
struct Cursor {
    reader: SegmentReader,
    end: u64,
}

impl Cursor {
    fn new(file: File, start: u64, end: u64, interfaces: Vec<Interface>) -> io::Result<Self> {
        let mut reader = SegmentReader::new(file).map_err(SegmentError::into_io)?;
        reader.resume(start, interfaces);
        Ok(Self { reader, end })
    }

    /// The time of the next record.
    fn advance(&mut self) -> io::Result<Option<Timestamp>> {
        if self.reader.next_offset() >= self.end {
            return Ok(None);
        }
        Ok(self.reader.next_packet().map_err(SegmentError::into_io)?.map(|packet| packet.time))
    }
}
