//! The next generation format ([draft-ietf-opsawg-pcapng](https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/)):
//! blocks of a type, a length, a body padded to four bytes, and the length again.
//!
//! Read are section headers, interface descriptions and the three kinds of packet blocks. Every other block is passed
//! over without being read.

use super::buffer::Buffer;
use super::reader::{Record, Step};
use super::{Interface, MAX_PACKET_BYTES, Resolution, SegmentError};
use crate::link::LinkType;
use pcapx_core::time::Timestamp;

/// Block types.
pub(crate) mod block_type {
    /// Section header; reads the same in both byte orders.
    pub(crate) const SECTION: u32 = 0x0a0d_0d0a;
    /// Interface description.
    pub(crate) const INTERFACE: u32 = 1;
    /// The packet block of the first drafts.
    pub(crate) const OLD_PACKET: u32 = 2;
    /// Simple packet: no time stamp.
    pub(crate) const SIMPLE_PACKET: u32 = 3;
    /// Interface statistics.
    pub(crate) const STATISTICS: u32 = 5;
    /// Enhanced packet.
    pub(crate) const ENHANCED_PACKET: u32 = 6;
}

/// Value of a section header's byte-order field in the section's byte order.
pub(crate) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type, length and the length again: the least that a block can be.
const BLOCK_MIN_BYTES: u64 = 12;
/// Interface descriptions and packet blocks above this are damage: a packet, its head and a generous 64 KiB of options.
const READ_BLOCK_MAX_BYTES: u64 = MAX_PACKET_BYTES as u64 + 128 * 1024;
/// More interfaces than this in one file are damage, not a file that somebody made.
const MAX_INTERFACES: usize = 65_536;

/// Where in the file we are: the section's byte order, and which interfaces it has.
#[derive(Debug, Default)]
pub(crate) struct Section {
    big_endian: bool,
    /// Number within the whole file of the section's first interface.
    first_interface: usize,
    /// How many section headers were seen.
    count: u32,
    /// Place in the file of the block that was passed over last.
    passed_at: u64,
}

impl Section {
    /// Inside a little-endian file of one section.
    pub(crate) fn resume(&mut self) {
        *self = Self { big_endian: false, first_interface: 0, count: 1, passed_at: 0 };
    }

    /// Length and time of the block that can stand at the beginning of `bytes`, which may end inside it. `None` for what is
    /// none, for a packet that nothing is known of, and for the beginning of another section.
    pub(crate) fn block_at(
        &self,
        bytes: &[u8],
        interfaces: &[Interface],
    ) -> Option<(usize, Option<Timestamp>)> {
        let head = bytes.first_chunk::<8>()?;
        let (kind, len) = (self.u32(head, 0), self.u32(head, 4) as usize);
        // Interfaces, packets of three kinds, names, statistics, and those for system events, secrets and processes.
        let is_block = matches!(kind, 1..=6 | 9 | 10 | 0x8000_0001);
        if !is_block || len < BLOCK_MIN_BYTES as usize || len % 4 != 0 || len as u64 > READ_BLOCK_MAX_BYTES {
            return None;
        }
        let Some(block) = bytes.get(..len) else { return Some((len, None)) };
        if self.u32(block, len - 4) as usize != len {
            return None;
        }
        let known = &interfaces[self.first_interface.min(interfaces.len())..];
        let body = &block[8..len - 4];
        let time = match kind {
            block_type::ENHANCED_PACKET => Some(self.enhanced(body, known)?.time),
            block_type::OLD_PACKET => Some(self.old(body, known)?.time),
            _ => None,
        };
        Some((len, time))
    }

    /// How many section headers were seen.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Place in the file of the block that was passed over last, unread and perhaps reaching beyond the file's end.
    pub(crate) fn passed_at(&self) -> u64 {
        self.passed_at
    }

    /// The next packet, going past all other blocks.
    pub(crate) fn next(
        &mut self,
        buffer: &mut Buffer,
        interfaces: &mut Vec<Interface>,
    ) -> Result<Step, SegmentError> {
        loop {
            let offset = buffer.offset();
            let damaged = |what| SegmentError::Damaged { offset, what };
            let head = buffer.peek(12)?;
            let Some(&head) = head.first_chunk::<12>() else {
                return Ok(if head.is_empty() { Step::End } else { Step::Cut });
            };
            if self.u32(&head, 0) == block_type::SECTION {
                self.big_endian = match u32::from_le_bytes([head[8], head[9], head[10], head[11]]) {
                    BYTE_ORDER_MAGIC => false,
                    m if m.swap_bytes() == BYTE_ORDER_MAGIC => true,
                    _ => return Err(damaged("a section header without a byte order")),
                };
                self.first_interface = interfaces.len();
                self.count = self.count.saturating_add(1);
            } else if self.count == 0 {
                return Err(damaged("a block before the first section header"));
            }
            let kind = self.u32(&head, 0);
            let len = u64::from(self.u32(&head, 4));
            if len < BLOCK_MIN_BYTES || len % 4 != 0 {
                return Err(damaged("a block of impossible length"));
            }
            let is_read = matches!(
                kind,
                block_type::INTERFACE
                    | block_type::OLD_PACKET
                    | block_type::SIMPLE_PACKET
                    | block_type::ENHANCED_PACKET
            );
            if !is_read {
                self.passed_at = offset;
                buffer.skip(len);
                continue;
            }
            if len > READ_BLOCK_MAX_BYTES {
                return Err(damaged("a block of impossible length"));
            }
            let block = buffer.peek(len as usize)?;
            if (block.len() as u64) < len {
                return Ok(Step::Cut);
            }
            let body = &block[8..block.len() - 4];
            if self.u32(block, block.len() - 4) != len as u32 {
                return Err(damaged("the two lengths of a block differ"));
            }
            let known = &interfaces[self.first_interface.min(interfaces.len())..];
            let packet = match kind {
                block_type::INTERFACE => {
                    let interface = self.interface(body).ok_or_else(|| damaged("an interface cut short"))?;
                    if interfaces.len() >= MAX_INTERFACES {
                        return Err(damaged("too many interfaces"));
                    }
                    interfaces.push(interface);
                    buffer.skip(len);
                    continue;
                }
                block_type::ENHANCED_PACKET => self.enhanced(body, known),
                block_type::OLD_PACKET => self.old(body, known),
                _ => self.simple(body, known),
            };
            let mut record = packet.ok_or_else(|| damaged("a packet block that contradicts itself"))?;
            record.interface += self.first_interface as u32;
            record.whole_len = len;
            return Ok(Step::Packet(record));
        }
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        let four = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or([0; 4]);
        if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }

    fn u16(&self, bytes: &[u8], at: usize) -> u16 {
        let two = bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).unwrap_or([0; 2]);
        if self.big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) }
    }

    /// Interface description: link type, reserved, snaplen, options.
    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let mut options = body.get(8..)?;
        let mut interface =
            Interface::of_pcap(LinkType(self.u16(body, 0)), self.u32(body, 4), Resolution::MICROS);
        // Option: code, length, value padded to four bytes. What does not fit ends the list.
        while options.len() >= 4 {
            let (code, len) = (self.u16(options, 0), usize::from(self.u16(options, 2)));
            let Some(value) = options.get(4..4 + len) else { break };
            match (code, value) {
                (0, _) => break,
                (2, name) => interface.name = Some(String::from_utf8_lossy(name).into_owned()),
                (9, &[octet, ..]) => interface.resolution = Resolution::from_octet(octet),
                (14, _) if len == 8 => {
                    let (a, b) = (u64::from(self.u32(value, 0)), u64::from(self.u32(value, 4)));
                    let raw = if self.big_endian { a << 32 | b } else { b << 32 | a };
                    interface.offset_secs = raw.cast_signed();
                }
                _ => {}
            }
            options = options.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        }
        Some(interface)
    }

    /// Enhanced packet: interface, time high, time low, captured, original, packet, options.
    fn enhanced(&self, body: &[u8], interfaces: &[Interface]) -> Option<Record> {
        let number = self.u32(body, 0);
        let ticks = u64::from(self.u32(body, 4)) << 32 | u64::from(self.u32(body, 8));
        self.packet(body, interfaces, number, ticks, 12)
    }

    /// Old packet: interface (16 bits), drops (16 bits), then as the enhanced one.
    fn old(&self, body: &[u8], interfaces: &[Interface]) -> Option<Record> {
        let number = u32::from(self.u16(body, 0));
        let ticks = u64::from(self.u32(body, 4)) << 32 | u64::from(self.u32(body, 8));
        self.packet(body, interfaces, number, ticks, 12)
    }

    fn packet(
        &self,
        body: &[u8],
        interfaces: &[Interface],
        number: u32,
        ticks: u64,
        lengths_at: usize,
    ) -> Option<Record> {
        let interface = interfaces.get(number as usize)?;
        let (captured, orig_len) = (self.u32(body, lengths_at), self.u32(body, lengths_at + 4));
        let from = lengths_at + 8;
        let to = from.checked_add(captured as usize)?;
        if captured > MAX_PACKET_BYTES || to > body.len() {
            return None;
        }
        let time = interface.resolution.time(ticks, interface.offset_secs);
        // Places are counted from the block's first byte; its body begins at 8.
        Some(Record { time, interface: number, orig_len, from: 8 + from, to: 8 + to, whole_len: 0 })
    }

    /// Simple packet: original length, then as much of the packet as the first interface's snaplen keeps. It has no
    /// time stamp; the epoch stands for that.
    fn simple(&self, body: &[u8], interfaces: &[Interface]) -> Option<Record> {
        let interface = interfaces.first()?;
        let orig_len = self.u32(body, 0);
        let kept = if interface.snaplen == 0 { orig_len } else { orig_len.min(interface.snaplen) };
        let captured = (kept as usize).min(body.len().checked_sub(4)?);
        if captured > MAX_PACKET_BYTES as usize {
            return None;
        }
        let time = Timestamp::from_nanos(0);
        Some(Record { time, interface: 0, orig_len, from: 12, to: 12 + captured, whole_len: 0 })
    }
}
