//! Segments: the capture files of a timeline, read one packet after another.
//!
//! [`SegmentReader`] reads pcap (µs and ns, both byte orders) and pcapng (any number of interfaces, any time
//! resolution, both byte orders, sections of different byte order one after another). It needs no more of a file
//! than the bytes in front of it, so a file that is still being written reads up to its last whole record.
//!
//! ```text
//! file ─pread─► Buffer ─► pcap::next / pcapng::next ─► Packet { time, data, … }
//! ```
//!
//! What ends a file is told, not guessed: [`Ending`] is `Whole` when the last record ends with the file, `Cut`
//! when the file ends inside a record or goes on with zeros (a crash, or a writer in mid-record) and a
//! [`SegmentError::Damaged`] when what stands at an offset cannot be a record. All packets before that place are good.
//!
//! Limits: a record of more than [`MAX_PACKET_BYTES`] is damage, as it is for libpcap.

mod buffer;
mod error;
mod interface;
mod pcap;
mod pcapng;
mod reader;

pub use error::SegmentError;
pub use interface::{Interface, Resolution};
pub use pcap::{HEADER_BYTES as PCAP_HEADER_BYTES, RECORD_HEADER_BYTES as PCAP_RECORD_HEADER_BYTES};
pub(crate) use pcap::{MAGIC_MICROS, MAGIC_NANOS, PcapHeader};
pub(crate) use pcapng::{BYTE_ORDER_MAGIC, Section, block_type as pcapng_block};
pub(crate) use reader::open_file;
pub use reader::{Ending, Packet, SegmentReader};

/// The most bytes one packet can have: libpcap's `MAXIMUM_SNAPLEN`.
pub const MAX_PACKET_BYTES: u32 = 256 * 1024;
