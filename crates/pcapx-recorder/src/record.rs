//! The bytes of a segment: pcap, little-endian
//! ([draft-ietf-opsawg-pcap](https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/)).

use pcapx_core::time::{NANOS_PER_SEC, Timestamp};
use pcapx_timeline::link::LinkType;

/// Bytes of the file header.
pub const FILE_HEADER_BYTES: usize = 24;
/// Bytes in front of each packet.
pub const RECORD_HEADER_BYTES: usize = 16;

const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
const SECOND_NANOS: u64 = NANOS_PER_SEC.cast_unsigned();
const VERSION_MAJOR: u16 = 2;
const VERSION_MINOR: u16 = 4;

/// What all records of a segment have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordForm {
    /// What the packets begin with.
    pub link_type: LinkType,
    /// The most bytes kept of a packet.
    pub snaplen: u32,
    /// Whether time stamps count nanoseconds; microseconds otherwise.
    pub nanoseconds: bool,
}

/// A record's header, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) time: Timestamp,
    pub(crate) captured: usize,
    /// Bytes on the wire.
    pub(crate) original: u32,
}

impl RecordForm {
    /// The header of a file.
    pub fn file_header(self) -> [u8; FILE_HEADER_BYTES] {
        let mut header = [0; FILE_HEADER_BYTES];
        let magic = if self.nanoseconds { MAGIC_NANOS } else { MAGIC_MICROS };
        header[0..4].copy_from_slice(&magic.to_le_bytes());
        header[4..6].copy_from_slice(&VERSION_MAJOR.to_le_bytes());
        header[6..8].copy_from_slice(&VERSION_MINOR.to_le_bytes());
        header[16..20].copy_from_slice(&self.snaplen.to_le_bytes());
        header[20..24].copy_from_slice(&u32::from(self.link_type.0).to_le_bytes());
        header
    }

    /// The header of a record. Times that a pcap file cannot hold – before 1970, after 2106 – become the nearest it can.
    #[inline]
    pub fn record_header(self, time: Timestamp, captured: u32, original: u32) -> [u8; RECORD_HEADER_BYTES] {
        let nanos = time.as_nanos().clamp(0, i64::from(u32::MAX) * NANOS_PER_SEC + NANOS_PER_SEC - 1);
        let nanos = nanos.cast_unsigned();
        let (secs, rest) = (nanos / SECOND_NANOS, nanos % SECOND_NANOS);
        let fraction = if self.nanoseconds { rest } else { rest / 1000 };
        // Made in registers: put together in memory and read back, it would wait until the packet before is copied.
        let times = secs | fraction << 32;
        let lengths = u64::from(captured) | u64::from(original) << 32;
        (u128::from(times) | u128::from(lengths) << 64).to_le_bytes()
    }

    /// Reads what [`record_header`](Self::record_header) has written.
    #[inline]
    pub(crate) fn read(self, header: &[u8; RECORD_HEADER_BYTES]) -> RecordHeader {
        let field =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let unit = if self.nanoseconds { 1 } else { 1000 };
        let nanos = i64::from(field(0)) * NANOS_PER_SEC + i64::from(field(4)) * unit;
        RecordHeader { time: Timestamp::from_nanos(nanos), captured: field(8) as usize, original: field(12) }
    }
}
