//! The rolling capture on disk: which segments there are, what is in them, and how matching packets get out.
//!
//! ```text
//! folders ─► catalog::Catalog ─► query::Query ─► extract ─► one capture file + Extraction (counts, warnings)
//!            every file once      filter, window,   │
//!                                 limits            └─ segment::SegmentReader ─► packet::PacketKeys ─► matcher::Matcher
//! ```
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use pcapx_core::{filter, window::Window};
//! use pcapx_timeline::Catalog;
//!
//! let catalog = Catalog::open(&["/storage/pcaps/rolling"])?;
//! let answer = catalog.query(None, Window::ALL).write_to("/tmp/all.pcap".as_ref())?;
//! println!("{} packets", answer.counts.packets_matched);
//! # Ok(()) }
//! ```
//!
//! Invariants:
//!
//! * A file of a timeline is only ever read. Nothing in it is believed: lengths are checked before they are used, and no
//!   content makes a query panic, hang, or read outside of the file.
//! * A query fails only when its answer cannot be written or its caller ends it. A segment that cannot be used, or not
//!   to its end, is named in a [`warning::Warning`].
//! * An output file appears under its name when it is complete, and not before.
//! * Times are nanoseconds in UTC. There is no local time here.
//!
//! What a filter means is told in [`matcher`]. It stands here and not beside the expression, because it is a statement
//! about bytes.

pub mod catalog;
pub mod control;
pub mod coverage;
pub mod digest;
pub mod extract;
pub mod index;
pub mod link;
pub mod matcher;
pub mod packet;
pub mod query;
pub mod recorder;
pub mod segment;
pub mod warning;

pub use catalog::{Catalog, Timeline};
pub use control::{CancelToken, Progress};
pub use coverage::Coverage;
pub use extract::{ExtractError, Extraction};
pub use query::{Format, Limits, Query};
