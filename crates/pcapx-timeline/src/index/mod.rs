//! The index of a segment: which parts of it can hold packets that a filter is true of.
//!
//! `FORMAT.md` beside this crate's manifest describes the file byte by byte.
//!
//! ```text
//! packets ─► Builder ─► part ─► IndexWriter ─► SEGMENT.pcapx          (while recording, or from a finished file)
//!            flows × blocks     hidden file, renamed
//!
//! filter, window ─► IndexReader ─► plan ─► ranges of the segment ─► extract reads them and tests every packet
//!                   terms, kinds ─► flows ─► blocks
//! ```
//!
//! Invariants:
//!
//! * Ranges hold every packet that the filter is true of. What an index cannot say is answered with more ranges.
//! * Nothing in an index file is believed before its checksum is right, and no content makes a reader panic, hang, or take
//!   memory beyond the file's own length.
//! * An index counts only for the segment it was built from: length, modification time and inode are compared.
//! * A builder holds at most [`BUILDER_PEAK_BYTES`], however long the segment and whatever its packets.

mod backlog;
mod block;
mod build;
mod builder;
mod chunk;
mod codec;
mod directory;
mod error;
mod flow;
mod kind;
mod part;
mod place;
mod plan;
mod reader;
mod refusal;
mod sweep;
mod term;
mod writer;

pub use backlog::{Backlog, Todo};
pub use build::{Built, index_segment};
pub use builder::{Builder, Sealed};
pub use error::IndexError;
pub use place::{IndexPlace, SIDECAR_SUFFIX};
pub use plan::{Plan, Wanted};
pub use reader::IndexReader;
pub use refusal::Notice;
pub use sweep::{Swept, sweep};
pub use writer::IndexWriter;

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use pcapx_core::time::{NANOS_PER_SEC, Timestamp};
use pcapx_core::window::Window;

/// The format that is written and read.
pub const VERSION: u32 = 1;
/// Bytes of records after which a block ends.
pub const BLOCK_BYTES: u64 = 8 * 1024;
/// The most memory that a builder takes: flows with their hash table, postings, and a part being encoded. Measured on a
/// flood in which every packet is a flow of its own.
pub const BUILDER_PEAK_BYTES: usize = 48 << 20;

/// Flows of a part.
const PART_FLOWS: usize = 1 << 16;
/// Kinds of a part; real links have some dozens.
const PART_KINDS: usize = 1 << 12;
/// Blocks of a part: a gigabyte or more.
const PART_BLOCKS: usize = 1 << 16;
/// Pairs of flow and block of a part, four bytes each in the builder.
const PART_POSTINGS: usize = 1 << 21;
/// A part is not closed for its flows before it has this many bytes of the segment.
const PART_MIN_BYTES: u64 = 16 << 20;
/// A chunk's payload is closed at this length: one page of the file system.
const CHUNK_BYTES: usize = 4096 - chunk::CRC_BYTES;
/// Blocks of a block chunk: about a page.
const CHUNK_BLOCKS: usize = 512;

/// Which state of which file an index was built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Length in bytes.
    pub len: u64,
    /// When it was written last.
    pub modified: Timestamp,
    /// Its inode. The device is left out: its number may change when the machine starts again.
    pub inode: u64,
}

impl Identity {
    /// As the file system tells it.
    pub fn of(metadata: &Metadata) -> Self {
        let modified = metadata.mtime().saturating_mul(NANOS_PER_SEC).saturating_add(metadata.mtime_nsec());
        Self { len: metadata.len(), modified: Timestamp::from_nanos(modified), inode: metadata.ino() }
    }
}

/// What is told of a segment as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Place behind the last whole record.
    pub end: u64,
    /// Whether the segment ends there; otherwise it goes on with a record cut short, or with damage.
    pub is_whole: bool,
    /// Packets.
    pub packets: u64,
    /// Earliest and latest time; `None` without packets.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Packets that the kernel dropped while the segment was recorded, where the recorder knows.
    pub kernel_drops: Option<u64>,
    /// Packets that the recorder dropped itself.
    pub recorder_drops: Option<u64>,
    /// Between which instants the segment is the recording, packets or not, where the recorder tells.
    pub recorded: Option<Window>,
}
