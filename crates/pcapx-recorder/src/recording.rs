//! One recording: a source, its intake, its storage.
//!
//! ```text
//! caller's thread: intake ── chunks ──► storage thread ──► seal thread
//!                     ▲                    │
//!                     └── written chunks ──┘
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use crate::chunk::{CHUNK_BYTES, Pool, Returns};
use crate::counters::Counters;
use crate::intake::{self, Ended, IntakePlan};
use crate::source::{PacketSource, SourceError};
use crate::storage::{self, MakeRoom, Message, StorageError, StoragePlan};

/// Chunks of one megabyte between the ring and the disk.
pub const CHUNKS: usize = 16;
/// Their bytes, which are part of the buffer that is asked for.
pub const CHUNKS_BYTES: u64 = (CHUNKS * CHUNK_BYTES) as u64;

/// The thread that stores, and how it ends.
pub(crate) type StorageThread = JoinHandle<Result<(), StorageError>>;

/// Why a recording has failed. What was recorded before is sealed, where the disk allows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The source gives no packets any more.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Packets cannot be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Records what `source` gives until `stop` is set or the source is at its end, and returns when the last segment is sealed.
pub fn record<S: PacketSource, R: MakeRoom + 'static>(
    source: &mut S,
    intake_plan: IntakePlan,
    storage_plan: StoragePlan,
    room: R,
    counters: &Arc<Counters>,
    stop: &AtomicBool,
) -> Result<(), RecordError> {
    record_into(source, intake_plan, counters, stop, |returns, messages| {
        storage::start(storage_plan, room, returns, messages, Arc::clone(counters))
    })
}

/// The same, to any storage.
pub(crate) fn record_into<S: PacketSource>(
    source: &mut S,
    intake_plan: IntakePlan,
    counters: &Arc<Counters>,
    stop: &AtomicBool,
    start: impl FnOnce(Returns, Receiver<Message>) -> Result<StorageThread, StorageError>,
) -> Result<(), RecordError> {
    let pool = Pool::new(CHUNKS);
    let (sender, messages) = storage::channel(CHUNKS);
    let thread = start(pool.returns(), messages)?;
    let ended = intake::run(source, intake_plan, pool, sender, Arc::clone(counters), stop);
    let stored = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    stored?;
    match ended {
        Ended::Source(error) => Err(error.into()),
        Ended::AtEnd | Ended::Storage => Ok(()),
    }
}
