//! Records a Linux interface into rolling capture files, each with its index.
//!
//! ```text
//! interface ─► afpacket::Capture (a ring shared with the kernel) ─┐
//!                                                                 ├─► source::PacketSource
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
//! Invariants:
//!
//! * The capture thread never waits for a disk while a chunk is free; memory between ring and disk is bounded.
//! * What is visible under a segment's final name is whole and on the disk. One that is being written is `….pcap.tmp`.
//! * A packet that came is in a segment or counted as dropped.

pub mod afpacket;
mod bursts;
mod chunk;
pub mod counters;
pub mod intake;
pub mod options;
pub mod record;
pub mod recording;
pub mod rotation;
pub mod service;
pub mod source;
pub mod status;
pub mod storage;
