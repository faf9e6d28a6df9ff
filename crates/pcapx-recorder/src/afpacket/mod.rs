//! Packets from a Linux interface: a packet socket and a ring of blocks that kernel and reader share (`TPACKET_V3`).
//!
//! ```text
//! interface ─► Socket (filter, direction, stamps, group) ─► Mapping ─ acquire ─► Block ─► layout::Frame ─► Packet
//!                                                              └──── release ◄──┘ (dropped)
//! ```
//!
//! This folder is the only place of the workspace with `unsafe`: system calls with structures (`socket`, `interface`)
//! and the shared memory (`mapping`). What the kernel writes is taken apart by safe code (`layout`).
//!
//! **Tags.** A card or the kernel takes the outer VLAN tag out of a packet and tells it beside. It is put back where it
//! was, within the ring: addresses move four bytes to the front, so that a packet stays one slice.
//!
//! **Counts.** Received packets and dropped ones make up all packets that reached the interface. What the card itself lost
//! is not among them (`ip -s link`).

#![allow(unsafe_code)]

mod capture;
mod clock;
mod interface;
mod layout;
mod mapping;
mod options;
mod sender;
mod socket;

pub use capture::Capture;
pub use options::CaptureOptions;
pub use sender::Sender;
