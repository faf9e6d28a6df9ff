//! From chunks to segments: writing, indexing, sealing.
//!
//! ```text
//! intake ─► Message ─► Store ─► OpenSegment ─► SegmentFile   ….pcap.tmp, direct I/O
//!                        │ │                └► IndexWriter   packet by packet, hidden
//!                        │ └► Retention: room for a segment before it begins
//!                        └─► Sealer: fsync ─► rename ─► links ─► index published
//! ```
//!
//! A segment is visible under its final name when it is on the disk, and its index after it. Sealing has a thread of its
//! own: a disk that takes long to flush does not hold up the next segment.

mod error;
mod layout;
mod lock;
mod open_segment;
mod recovery;
mod retention;
mod sealer;
mod segment_file;
mod statistics;
mod store;
mod tree;
mod volume;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

use crate::chunk::{Chunk, Returns};
use crate::counters::Counters;
use crate::record::RecordForm;
pub use error::StorageError;
pub use layout::{Layout, SegmentPaths};
pub use lock::FolderLock;
pub(crate) use open_segment::Records;
pub use recovery::{Recovered, recover};
pub use retention::Retention;
pub(crate) use retention::{check_limit, limit_bytes};
use sealer::Sealer;
use store::Store;
pub(crate) use volume::Volume;

/// Segments that may wait to be sealed. More than that means that the disk cannot keep up.
const UNSEALED_MOST: usize = 4;

/// What the intake says.
#[derive(Debug)]
pub(crate) enum Message {
    /// A segment begins.
    Begin {
        /// The time of its first packet.
        first: Timestamp,
        form: RecordForm,
        /// Packets that the kernel had dropped before, since the start.
        kernel_drops: u64,
    },
    /// Bytes of it.
    Write {
        chunk: Chunk,
        /// Whether all of it is to be found now; else the next chunk comes soon, and brings what does not fill a block.
        is_due: bool,
        /// Set when no more packets of times before are to be expected.
        quiet_until: Option<Timestamp>,
    },
    /// Nothing has come, and no more packets of times before that are to be expected.
    Quiet(Timestamp),
    /// The segment ends, all of it was due.
    End {
        /// Packets that the kernel dropped while it was recorded.
        kernel_drops: u64,
        /// Between which instants it is the recording, packets or not; `None` where the clock was set back meanwhile.
        recorded: Option<Window>,
    },
}

/// Who makes room on the disk before a segment is written, and when it is full.
pub trait MakeRoom: Send {
    /// Makes room for another segment within the limit, as far as there is something to remove.
    fn make_room(&mut self) -> Result<(), StorageError>;
    /// Removes what is beyond the limit now, since others write to the volume, too.
    fn keep_limit(&mut self) -> Result<(), StorageError>;
    /// The disk is full although the limit is kept: makes what room can be made. `false` when there is nothing left to
    /// remove.
    fn disk_is_full(&mut self) -> Result<bool, StorageError>;
    /// A segment has been begun, for which room was made.
    fn begun(&mut self, paths: &SegmentPaths, first: Timestamp);
    /// A segment that was begun has been sealed.
    fn sealed(&mut self, paths: &SegmentPaths);
    /// A segment that was begun is gone.
    fn lost(&mut self, paths: &SegmentPaths);
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

/// Starts the storage thread. It ends when the sender of messages is gone, or with an error.
pub(crate) fn start<R: MakeRoom + 'static>(
    plan: StoragePlan,
    room: R,
    returns: Returns,
    messages: Receiver<Message>,
    counters: Arc<Counters>,
) -> Result<JoinHandle<Result<(), StorageError>>, StorageError> {
    let sealer = Sealer::start(plan.layout.clone(), UNSEALED_MOST, Arc::clone(&counters))?;
    let mut store = Store::new(plan, room, counters, returns, sealer);
    let work = move || store.run(&messages);
    thread::Builder::new().name("pcapx-storage".into()).spawn(work).map_err(StorageError::Thread)
}

/// A channel for messages: as many as there are chunks, and some that carry none.
pub(crate) fn channel(chunks: usize) -> (SyncSender<Message>, Receiver<Message>) {
    sync_channel(chunks + 4)
}
