//! Capture files: writers for every form a recorder may leave behind, and a strict reader for what tools answer.
//!
//! ```
//! use pcapx_core::time::Timestamp;
//! use pcapx_testkit::capture::{Packet, Pcap};
//!
//! let packets = [Packet::new(Timestamp::from_secs(1), vec![0; 60])];
//! let file = Pcap::new().big_endian().nanos().encode(&packets);
//! assert_eq!(file.len(), 24 + 16 + 60);
//! ```

mod pcap;
mod pcapng;
mod reader;

use pcapx_core::time::Timestamp;

pub use pcap::{Pcap, PcapWriter};
pub use pcapng::{Interface, Pcapng};
pub use reader::{Capture, ReadError, read_pcap};

/// Numbers of link types, as capture files carry them.
pub mod link {
    /// BSD loopback, the family in the byte order of the capturing host.
    pub const NULL: u32 = 0;
    /// Ethernet.
    pub const ETHERNET: u32 = 1;
    /// PPP, the protocol number first or behind `ff 03`.
    pub const PPP: u32 = 9;
    /// IP without a link layer.
    pub const RAW: u32 = 101;
    /// OpenBSD loopback, the family in network order.
    pub const LOOP: u32 = 108;
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: u32 = 113;
    /// IPv4 without a link layer.
    pub const IPV4: u32 = 228;
    /// IPv6 without a link layer.
    pub const IPV6: u32 = 229;
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: u32 = 276;
}

/// One captured packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it was captured.
    pub time: Timestamp,
    /// The bytes that were kept.
    pub data: Vec<u8>,
    /// How many bytes it had on the wire.
    pub orig_len: u32,
}

impl Packet {
    /// A packet that was kept whole.
    pub fn new(time: Timestamp, data: Vec<u8>) -> Self {
        let orig_len = data.len() as u32;
        Self { time, data, orig_len }
    }

    /// The same packet with at most `snaplen` bytes kept.
    #[must_use]
    pub fn cut(mut self, snaplen: usize) -> Self {
        self.data.truncate(snaplen);
        self
    }
}

/// The byte order of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}
