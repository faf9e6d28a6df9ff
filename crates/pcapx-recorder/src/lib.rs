//! Where packets come from: what the recorder is built on.
//!
//! ```text
//! interface ─► afpacket::Capture (a ring shared with the kernel) ─┐
//!                                                                 ├─► PacketSource::wait ─► each(Packet)
//! capture file ─► source::FileSource ─────────────────────────────┘
//! ```
//!
//! Everything behind [`source::PacketSource`] works on a live interface and on a file alike, and needs no privilege to be
//! tested. `unsafe` is denied in the whole crate and allowed in one folder, [`afpacket`].

pub mod afpacket;
pub mod options;
pub mod source;
