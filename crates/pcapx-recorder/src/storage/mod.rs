//! From chunks to segments: writing, indexing, sealing.
//!
//! ```text
//! intake ─► Message ─► Storage ─► SegmentFile   ….pcap.tmp, direct I/O
//!                        │    └─► IndexWriter   packet by packet, hidden
//!                        └─► Sealer: fsync ─► rename ─► links ─► index published
//! ```
//!
//! A segment is visible under its final name when it is on the disk, and its index after it. Sealing has a thread of its
//! own: a disk that takes long to flush does not hold up the next segment.

mod error;
mod layout;
mod lock;
mod recovery;
mod retention;
mod sealer;
mod segment_file;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::index::{IndexError, IndexWriter};
use pcapx_timeline::packet::PacketKeys;

use crate::chunk::Chunk;
use crate::counters::Counters;
use crate::record::{FILE_HEADER_BYTES, RECORD_HEADER_BYTES, RecordForm};
pub use error::StorageError;
pub use layout::{Layout, SegmentPaths};
pub use lock::FolderLock;
pub use recovery::{Recovered, recover};
pub use retention::Retention;
use sealer::{Finished, Sealer};
use segment_file::SegmentFile;

/// Segments that may wait to be sealed. More than one means that the disk cannot keep up.
const UNSEALED_MOST: usize = 2;

/// What the intake says.
#[derive(Debug)]
pub(crate) enum Message {
    /// A segment begins.
    Begin { first: Timestamp, form: RecordForm },
    /// Bytes of it. All packets up to `up_to` are in this chunk or have been handed over before.
    Write { chunk: Chunk, up_to: Timestamp },
    /// Nothing has come until then.
    Quiet(Timestamp),
    /// The segment ends.
    End(SegmentEnd),
}

/// What is known of a segment at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    pub(crate) packets: u64,
    /// Packets that the kernel dropped while it was recorded.
    pub(crate) kernel_drops: u64,
    /// Between which instants it is the recording, packets or not; `None` where the clock was set back meanwhile.
    pub(crate) recorded: Option<Window>,
}

/// Who makes room on the disk before a segment is written, and when it is full.
pub trait MakeRoom: Send {
    /// Makes room for `bytes` more within the limit.
    fn make_room(&mut self, bytes: u64) -> Result<(), StorageError>;
    /// The disk is full although the limit is kept: makes what room can be made. `false` when there is nothing left to
    /// remove.
    fn disk_is_full(&mut self) -> Result<bool, StorageError>;
    /// A segment has been sealed.
    fn sealed(&mut self, paths: &SegmentPaths);
}

/// How segments are stored.
#[derive(Clone, Debug)]
pub struct StoragePlan {
    /// Where files and links go, and with which rights.
    pub layout: Layout,
    /// Bytes reserved for a segment when it begins.
    pub reserve: u64,
    /// Whether segments get an index.
    pub is_indexed: bool,
}

/// The segment that is being written.
struct Open {
    file: SegmentFile,
    index: Option<IndexWriter>,
    paths: SegmentPaths,
    form: RecordForm,
}

/// The storage thread's state.
struct Storage<R> {
    plan: StoragePlan,
    room: R,
    counters: Arc<Counters>,
    chunks: SyncSender<Chunk>,
    sealer: Sealer,
    open: Option<Open>,
}

/// Starts the storage thread. It ends when the sender of messages is gone, or with an error.
pub(crate) fn start<R: MakeRoom + 'static>(
    plan: StoragePlan,
    room: R,
    chunks: SyncSender<Chunk>,
    messages: Receiver<Message>,
    counters: Arc<Counters>,
) -> Result<JoinHandle<Result<(), StorageError>>, StorageError> {
    let sealer = Sealer::start(plan.layout.clone(), UNSEALED_MOST, Arc::clone(&counters))?;
    let mut storage = Storage { plan, room, counters, chunks, sealer, open: None };
    let work = move || {
        let written = storage.follow(&messages);
        // What is written to its end is sealed whatever happened behind it.
        written.and(storage.sealer.finish())
    };
    thread::Builder::new().name("pcapx-storage".into()).spawn(work).map_err(StorageError::Thread)
}

/// A channel for messages: as many as there are chunks, and some that carry none.
pub(crate) fn channel(chunks: usize) -> (SyncSender<Message>, Receiver<Message>) {
    sync_channel(chunks + 4)
}

impl<R: MakeRoom> Storage<R> {
    fn follow(&mut self, messages: &Receiver<Message>) -> Result<(), StorageError> {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Begin { first, form } => self.begin(first, form)?,
                Message::Write { chunk, up_to } => {
                    self.write(chunk)?;
                    self.counters.searchable(up_to);
                }
                Message::Quiet(up_to) => self.counters.searchable(up_to),
                Message::End(end) => self.end(end)?,
            }
        }
        Ok(())
    }

    fn begin(&mut self, first: Timestamp, form: RecordForm) -> Result<(), StorageError> {
        for paths in self.sealer.sealed() {
            self.room.sealed(&paths);
        }
        self.room.make_room(self.plan.reserve)?;
        let (file, paths) = loop {
            match self.plan.layout.create(first, self.plan.reserve) {
                Ok(created) => break created,
                Err(error) if error.is_disk_full() && self.room.disk_is_full()? => {}
                Err(error) => return Err(error),
            }
        };
        let index = self.plan.is_indexed.then(|| IndexWriter::create(&paths.index)).transpose();
        let index = index.unwrap_or_else(|error| {
            log::warn!("{:?} gets no index: {error}", paths.sealed);
            None
        });
        Counters::add(&self.counters.segments_begun, 1);
        self.open = Some(Open { file, index, paths, form });
        Ok(())
    }

    fn write(&mut self, mut chunk: Chunk) -> Result<(), StorageError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let begun = Instant::now();
        let before = open.file.len() - chunk.carried() as u64;
        loop {
            match open.file.write(&mut chunk) {
                Ok(()) => break,
                Err(source) => {
                    let error = StorageError::Segment { path: open.paths.open.clone(), source };
                    // While room is made, the ring takes what comes, and the kernel counts what it drops.
                    if !(error.is_disk_full() && self.room.disk_is_full()?) {
                        return Err(error);
                    }
                }
            }
        }
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Counters::worst(&self.counters.write_nanos_worst, nanos);
        Counters::add(&self.counters.bytes_written, (chunk.len() - chunk.carried()) as u64);
        if let Some(index) = &mut open.index
            && let Err(error) = add_packets(index, open.form, &chunk, before)
        {
            log::warn!("{:?} gets no index: {error}", open.paths.sealed);
            open.index = None;
        }
        // Nobody takes chunks any more when the intake has ended.
        let _ = self.chunks.send(chunk);
        Ok(())
    }

    fn end(&mut self, end: SegmentEnd) -> Result<(), StorageError> {
        let Some(Open { file, index, paths, .. }) = self.open.take() else { return Ok(()) };
        let SegmentEnd { kernel_drops, recorded, .. } = end;
        self.sealer.seal(Finished { file, index, paths, kernel_drops, recorded })
    }
}

/// Gives the packets of a chunk, which begins at `place` of its segment, to the index.
fn add_packets(
    index: &mut IndexWriter,
    form: RecordForm,
    chunk: &Chunk,
    place: u64,
) -> Result<(), IndexError> {
    let Some(builder) = index.builder() else { return Ok(()) };
    let bytes = chunk.bytes();
    let mut at = chunk.carried();
    if place + at as u64 == 0 {
        at = FILE_HEADER_BYTES;
    }
    while let Some((header, rest)) = bytes.get(at..).and_then(|rest| rest.split_first_chunk()) {
        let header = form.read(header);
        let Some(data) = rest.get(..header.captured) else { break };
        let end = at + RECORD_HEADER_BYTES + header.captured;
        let keys = PacketKeys::of(form.link_type, data);
        builder.add((place + at as u64, place + end as u64), header.time, form.link_type, &keys, true)?;
        at = end;
    }
    Ok(())
}
