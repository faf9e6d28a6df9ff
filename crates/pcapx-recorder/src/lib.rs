//! Records a Linux interface into rolling capture files, each with its index.
//!
//! ```text
//! interface ─► afpacket::Capture (a ring shared with the kernel) ─┐
//!                                                                 ├─► source::PacketSource; of several: source::Merged
//! capture file ─► source::FileSource ─────────────────────────────┘          │
//!                                                                            ▼
//! capture thread   intake    filter, record headers, where segments end ─► chunks of 1 MiB
//!                                                                            │
//! storage thread   storage   direct writes, index packet by packet ◄─────────┘
//!                            │  room made by retention before a segment begins
//! seal thread                └► fsync ─► rename ─► links ─► index
//! ```
//!
//! Everything behind [`source::PacketSource`] works on a live interface and on a file alike, and needs no privilege to be
//! tested. `unsafe` is denied in the whole crate and allowed in one folder, [`afpacket`].
//!
//! One interface and one thread is the short way: packets go from the ring into chunks in one copy. Several interfaces, or
//! several threads of one, are lanes with a thread each, which filter and copy once more, and are merged by time stamp into
//! the same one recording.
//!
//! Invariants:
//!
//! * The capture thread never waits for a disk while a chunk is free; memory between ring and disk is bounded.
//! * What is visible under a segment's final name is whole and on the disk. One that is being written is `….pcap.tmp`.
//! * A packet that came is in a segment or counted as dropped.
//! * Every packet before the watermark in the status file, [`searchable_up_to`](counters::Counters::searchable_up_to), can be
//!   found, as far as it is ever recorded.
//! * Sealed segments stay within the limit; the one that is being written may come on top.

pub mod afpacket;
mod bursts;
pub mod check;
mod chunk;
pub mod counters;
mod inputs;
pub mod intake;
pub mod losses;
mod manager;
mod metrics;
pub mod options;
pub mod privileges;
pub mod pulse;
pub mod record;
pub mod recording;
pub mod rotation;
pub mod service;
pub mod sieve;
pub mod simulate;
pub mod source;
pub mod status;
pub mod storage;
pub mod terminal;
