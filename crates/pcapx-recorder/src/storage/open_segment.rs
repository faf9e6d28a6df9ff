//! The segment that is being recorded: its file, its index, and how far both have come.

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::index::IndexWriter;
use pcapx_timeline::link::LinkType;
use pcapx_timeline::packet::PacketKeys;

use super::segment_file::SegmentFile;
use super::statistics::SegmentStatistics;
use super::{SegmentPaths, StorageError};
use crate::bursts::Bursts;
use crate::chunk::Chunk;
use crate::record::{FILE_HEADER_BYTES, RECORD_HEADER_BYTES, RecordForm, RecordHeader};

/// A segment that is being written.
pub(super) struct OpenSegment {
    pub(super) paths: SegmentPaths,
    pub(super) statistics: SegmentStatistics,
    file: SegmentFile,
    index: Index,
    records: Records,
    /// Records that the file does not have to their ends yet, less than a block: where they end, and their times.
    unwritten: Vec<(u64, Timestamp)>,
    /// Where the last record ends that the file has whole.
    whole: u64,
}

/// A segment that is written to its end.
pub(super) struct Finished {
    pub(super) file: SegmentFile,
    /// Where the last record ends.
    pub(super) len: u64,
    pub(super) index: Index,
    pub(super) paths: SegmentPaths,
    pub(super) statistics: SegmentStatistics,
    /// Between which instants it is the recording, where that is known.
    pub(super) recorded: Option<Window>,
}

/// The index of a segment that is being written.
pub(super) enum Index {
    /// None is asked for.
    NotWanted,
    Open(Box<IndexWriter>),
    /// It could not be written; another is made of the finished segment.
    Refused,
}

impl Index {
    /// Begins an index.
    pub(super) fn begin(paths: &SegmentPaths) -> Self {
        match IndexWriter::create(&paths.index) {
            Ok(writer) => Self::Open(Box::new(writer)),
            Err(error) => {
                log::debug!("{:?} gets its index later: {error}", paths.sealed);
                Self::Refused
            }
        }
    }
}

/// Finds the records in the chunks of a segment, one chunk after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records {
    form: RecordForm,
    /// Bytes that were handed over: where the next new byte belongs.
    len: u64,
}

impl OpenSegment {
    pub(super) fn new(file: SegmentFile, index: Index, paths: SegmentPaths, form: RecordForm) -> Self {
        Self {
            paths,
            statistics: SegmentStatistics::default(),
            file,
            index,
            records: Records::first_of(form),
            unwritten: Vec::new(),
            whole: 0,
        }
    }

    /// Writes a chunk. After an error the same chunk may be tried again.
    pub(super) fn write(&mut self, chunk: &Chunk, is_due: bool) -> Result<(), StorageError> {
        self.file
            .write(chunk.bytes(), self.records.place(chunk), is_due)
            .map_err(|source| StorageError::Segment { path: self.paths.open.clone(), source })
    }

    /// Takes in what is new in a chunk that was written: index and counts. Answers the latest time of the records that have
    /// become whole in the file.
    pub(super) fn take_in(&mut self, chunk: &Chunk, bursts: &mut Bursts) -> Option<Timestamp> {
        let written = self.file.written();
        let mut latest = None;
        let mut keep = |end, time| {
            let is_whole = end <= written;
            if is_whole {
                self.whole = end;
                latest = latest.max(Some(time));
            }
            is_whole
        };
        self.unwritten.retain(|&(end, time)| !keep(end, time));
        let link = self.records.form.link_type;
        let mut index = match &mut self.index {
            Index::Open(writer) => writer.builder(),
            Index::NotWanted | Index::Refused => None,
        };
        let mut refused = None;
        for (start, header, data) in self.records.of(chunk) {
            let end = start + (RECORD_HEADER_BYTES + data.len()) as u64;
            if let Some(builder) = &mut index
                && let Err(error) =
                    builder.add((start, end), header.time, link, &PacketKeys::of(link, data), true)
            {
                refused = Some(error);
                index = None;
            }
            bursts.add(header.time, header.original);
            self.statistics.packets += 1;
            self.statistics.wire_bytes += u64::from(header.original);
            if !keep(end, header.time) {
                self.unwritten.push((end, header.time));
            }
        }
        self.records.pass(chunk);
        if let Some(error) = refused {
            log::debug!("{:?} gets its index later: {error}", self.paths.sealed);
            self.index = Index::Refused;
        }
        latest
    }

    /// Where the next chunk goes on.
    pub(super) fn records(&self) -> Records {
        self.records
    }

    /// Whether the file still stands where it was made.
    pub(super) fn is_in_place(&self) -> bool {
        self.file.is_at(&self.paths.open)
    }

    /// Nothing more comes: all that was handed over is written.
    pub(super) fn finish(self, recorded: Option<Window>) -> Finished {
        let Self { paths, statistics, file, index, records, .. } = self;
        Finished { file, len: records.len, index, paths, statistics, recorded }
    }

    /// Nothing more can be written. Answers what the file has whole – without a packet only its paths – and how many packets
    /// that were taken in are lost.
    pub(super) fn cut(mut self) -> (Result<Finished, SegmentPaths>, u64) {
        let lost = self.unwritten.len() as u64;
        self.statistics.packets -= lost;
        if self.statistics.packets == 0 {
            return (Err(self.paths), lost);
        }
        // The index knows of packets that the file will not have.
        let index = match self.index {
            Index::NotWanted => Index::NotWanted,
            Index::Open(_) | Index::Refused => Index::Refused,
        };
        let Self { paths, statistics, file, whole, .. } = self;
        (Ok(Finished { file, len: whole, index, paths, statistics, recorded: None }), lost)
    }
}

impl Records {
    /// Those of a segment that begins with the next chunk.
    pub(crate) fn first_of(form: RecordForm) -> Self {
        Self { form, len: 0 }
    }

    pub(crate) fn link_type(&self) -> LinkType {
        self.form.link_type
    }

    /// Bytes of the segment so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Where a chunk, which is the next one, begins in its segment.
    fn place(&self, chunk: &Chunk) -> u64 {
        self.len - chunk.carried() as u64
    }

    /// The records of the next chunk, but for those carried over: place in the segment, header and bytes.
    pub(crate) fn of<'c>(
        &self,
        chunk: &'c Chunk,
    ) -> impl Iterator<Item = (u64, RecordHeader, &'c [u8])> + use<'c> {
        let (form, place, bytes) = (self.form, self.place(chunk), chunk.bytes());
        let mut at = if self.len == 0 { FILE_HEADER_BYTES } else { chunk.carried() };
        std::iter::from_fn(move || {
            let (header, rest) = bytes.get(at..)?.split_first_chunk::<RECORD_HEADER_BYTES>()?;
            let header = form.read(header);
            let data = rest.get(..header.captured)?;
            let start = place + at as u64;
            at += RECORD_HEADER_BYTES + data.len();
            Some((start, header, data))
        })
    }

    /// Goes on behind a chunk.
    pub(crate) fn pass(&mut self, chunk: &Chunk) {
        self.len = self.place(chunk) + chunk.bytes().len() as u64;
    }

    /// Goes on behind a chunk and answers how many records it brings, and their latest time.
    pub(super) fn pass_over(&mut self, chunk: &Chunk) -> (u64, Option<Timestamp>) {
        let counted = self.of(chunk).fold((0, None), |(records, latest), (_, header, _)| {
            (records + 1, latest.max(Some(header.time)))
        });
        self.pass(chunk);
        counted
    }
}
