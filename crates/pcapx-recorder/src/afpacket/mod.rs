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
//! [`Capture`] is one ring; [`Lasting`] opens it anew when its interface was removed and has come back. Rings of one
//! [`Group`] share an interface's packets.
//!
//! **Tags.** A card or the kernel takes the outer VLAN tag out of a packet and tells it beside. It is put back where it
//! was, within the ring: addresses move four bytes to the front, so that a packet stays one slice.
//!
//! **Counts.** Received packets and dropped ones make up all packets that reached the interface. What the card itself lost
//! is not among them (`ip -s link`).
//!
//! **Why a ring of our own.** Measured were processor time per million packets, each copied into a buffer as a record,
//! and what the alternatives do with a packet: 256 MB of ring, virtual interfaces, Linux 6.18 on two cores that others used
//! too, sent at 300 000 to 600 000 packets per second; medians of 7 runs in turns.
//!
//! | | 60 bytes | 733 bytes (mean of a trace) |
//! |---|---|---|
//! | this | 0.021 s | 0.094 s |
//! | `netring` 0.11 | 0.016 s | 0.100 s |
//! | `pcap` 2 (libpcap 1.10) | 0.049 s | 0.178 s |
//!
//! `pcap` costs twice as much and hands out packets one by one, without the blocks. `netring` costs the same – it is the
//! copy that costs – but leaves out the tags that the kernel tells beside and does not tell an interface that is down or
//! gone, and its plain iterator may hand out packets of a block that the kernel has back.
//!
//! **Blocks of 1 MiB.** 256 KiB cost up to a half more; 4 MiB save 5 ns of a small packet and nothing of a usual one, but a
//! block handed over because of its age is used up whole: with them the same ring bears a reader that stops for a quarter
//! of the time.
#![allow(unsafe_code)]

mod capture;
mod clock;
mod group;
mod interface;
mod lasting;
mod layout;
mod mapping;
mod options;
mod sender;
mod socket;

pub use capture::Capture;
pub(crate) use capture::bear;
pub use group::Group;
pub(crate) use interface::set_up;
pub use lasting::Lasting;
pub use options::CaptureOptions;
pub use sender::Sender;
