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

use super::numbering::{NUMBER_AT, Numbering};
use super::output::{failed, hidden_beside};
use super::{BATCH_BYTES, CHECK_EVERY_PACKETS, ExtractError};
use crate::control::CancelToken;
use crate::segment::{Interface, SegmentError, SegmentReader};
use pcapx_core::time::Timestamp;

/// Runs merged at a time: their buffers take up to a megabyte each.
const FAN_IN: usize = 32;

/// A file that is merged: where its runs begin, and where the last one ends.
struct Source<'s> {
    file: &'s NamedTempFile,
    runs: &'s [u64],
    end: u64,
}

/// What is the same for every pass.
struct Pass<'p> {
    path: &'p Path,
    /// File header or section header.
    head: &'p [u8],
    /// Of a pcapng file.
    interfaces: &'p [Interface],
    cancel: &'p CancelToken,
}

/// Merges the runs of `file`, which begin at `runs` and end at `end`, into a new hidden file beside `path`.
pub(super) fn sorted(
    mut file: NamedTempFile,
    path: &Path,
    head: &[u8],
    runs: &[u64],
    end: u64,
    interfaces: &[Interface],
    cancel: &CancelToken,
) -> Result<NamedTempFile, ExtractError> {
    let pass = Pass { path, head, interfaces, cancel };
    let (mut runs, mut end) = (runs.to_vec(), end);
    while runs.len() > 1 {
        let (next, next_runs, next_end) = pass.merge(&Source { file: &file, runs: &runs, end })?;
        (file, runs, end) = (next, next_runs, next_end);
    }
    Ok(file)
}

impl Pass<'_> {
    /// Merges each group of [`FAN_IN`] runs into one: the new file, its runs and its length.
    fn merge(&self, source: &Source<'_>) -> Result<(NamedTempFile, Vec<u64>, u64), ExtractError> {
        let failed = |source| failed(self.path, source);
        let mut target = hidden_beside(self.path).map_err(failed)?;
        let mut out = BufWriter::with_capacity(BATCH_BYTES, target.as_file_mut());
        out.write_all(self.head).map_err(failed)?;
        let mut len = self.head.len() as u64;
        let mut runs = Vec::new();
        for group in (0..source.runs.len()).step_by(FAN_IN) {
            runs.push(len);
            len += self.merge_group(source, group, &mut out)?;
        }
        out.flush().map_err(failed)?;
        drop(out);
        Ok((target, runs, len))
    }

    /// Merges the runs from number `first` on; returns the bytes written.
    fn merge_group(
        &self,
        source: &Source<'_>,
        first: usize,
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
        let is_last = source.runs.len() <= FAN_IN;
        let mut numbering = (is_last && !self.interfaces.is_empty()).then(Numbering::default);
        let (mut written, mut records) = (0, 0_u64);
        while let Some(Reverse((_, number))) = heads.pop() {
            records += 1;
            if records.is_multiple_of(CHECK_EVERY_PACKETS) && self.cancel.is_cancelled() {
                return Err(ExtractError::cancelled(self.cancel));
            }
            let cursor = &mut cursors[number];
            let record = cursor.reader.current_record();
            written += match &mut numbering {
                None => out.write_all(record).map(|()| record.len()),
                Some(numbering) => self.write_numbered(record, numbering, out),
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
