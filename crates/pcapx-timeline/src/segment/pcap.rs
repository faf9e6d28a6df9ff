//! The classic capture format ([draft-ietf-opsawg-pcap](https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/)):
//! a 24-byte header, then records of 16 bytes and the packet.
//!
//! A header is checked once by [`PcapHeader::parse`]; the records are read with the byte order and the unit that it
//! found.

use super::buffer::Buffer;
use super::reader::{Record, Step};
use super::{Interface, MAX_PACKET_BYTES, Resolution, SegmentError};
use crate::link::LinkType;
use pcapx_core::time::Timestamp;

/// Bytes of the file header.
pub const HEADER_BYTES: usize = 24;
/// Bytes in front of each packet.
pub const RECORD_HEADER_BYTES: usize = 16;

/// Magic number of microsecond files, in the byte order of the writer.
pub(crate) const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
/// Magic number of nanosecond files, in the byte order of the writer.
pub(crate) const MAGIC_NANOS: u32 = 0xa1b2_3c4d;

/// What the file header tells, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PcapHeader {
    big_endian: bool,
    /// Nanoseconds in a unit of the second time field: 1000 or 1.
    unit_nanos: u32,
    pub(crate) snaplen: u32,
    pub(crate) link_type: LinkType,
}

/// A record header, not yet compared with anything else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordHeader {
    pub(crate) time: Timestamp,
    pub(crate) captured: u32,
    pub(crate) original: u32,
}

impl PcapHeader {
    /// Checks a file header; `None` when the magic number is another's.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let magic = [bytes[0], bytes[1], bytes[2], bytes[3]];
        let (big_endian, unit_nanos) = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (MAGIC_MICROS, _) => (false, 1000),
            (MAGIC_NANOS, _) => (false, 1),
            (_, MAGIC_MICROS) => (true, 1000),
            (_, MAGIC_NANOS) => (true, 1),
            _ => return None,
        };
        let header = Self { big_endian, unit_nanos, snaplen: 0, link_type: LinkType(0) };
        Some(Self {
            snaplen: header.u32(bytes, 16),
            // The upper half tells the length of a frame check sequence; the type is the lower half.
            link_type: LinkType(header.u32(bytes, 20) as u16),
            ..header
        })
    }

    /// The one interface of the file.
    pub(crate) fn interface(&self) -> Interface {
        let resolution = if self.unit_nanos == 1 { Resolution::NANOS } else { Resolution::MICROS };
        Interface::of_pcap(self.link_type, self.snaplen, resolution)
    }

    #[inline]
    fn u32<const N: usize>(&self, bytes: &[u8; N], at: usize) -> u32 {
        let four = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }

    /// Reads a record header; any sixteen bytes give one.
    #[inline]
    pub(crate) fn record(&self, bytes: &[u8; RECORD_HEADER_BYTES]) -> RecordHeader {
        // 2^32 s are 4.3e18 ns and 2^32 µs are 4.3e12 ns: the sum fits into 63 bits.
        let nanos = i64::from(self.u32(bytes, 0)) * 1_000_000_000
            + i64::from(self.u32(bytes, 4)) * i64::from(self.unit_nanos);
        RecordHeader {
            time: Timestamp::from_nanos(nanos),
            captured: self.u32(bytes, 8),
            original: self.u32(bytes, 12),
        }
    }

    /// The next record of `buffer`, which stands at a record's first byte.
    #[inline]
    pub(crate) fn next(&self, buffer: &mut Buffer) -> Result<Step, SegmentError> {
        let offset = buffer.offset();
        let head = buffer.peek(RECORD_HEADER_BYTES)?;
        let Some(head) = head.first_chunk() else {
            return Ok(if head.is_empty() { Step::End } else { Step::Cut });
        };
        // Nobody captures an empty packet at the epoch: these are bytes of a preallocated file, or of one that a power
        // loss has left longer than its data.
        if *head == [0; RECORD_HEADER_BYTES] {
            return Ok(Step::Cut);
        }
        let record = self.record(head);
        if record.captured > MAX_PACKET_BYTES {
            return Err(SegmentError::Damaged { offset, what: "a packet cannot be that long" });
        }
        let whole = RECORD_HEADER_BYTES + record.captured as usize;
        if buffer.peek(whole)?.len() < whole {
            return Ok(Step::Cut);
        }
        Ok(Step::Packet(Record {
            time: record.time,
            interface: 0,
            orig_len: record.original,
            from: RECORD_HEADER_BYTES,
            to: whole,
            whole_len: whole as u64,
        }))
    }
}
