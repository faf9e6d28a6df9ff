//! What the kernel writes into a block: a description, then packets, each behind a header of its own
//! ([`if_packet.h`](https://www.kernel.org/doc/html/latest/networking/packet_mmap.html)).
//!
//! ```text
//! block ┬ tpacket_block_desc: packets, place of the first
//!       ├ tpacket3_hdr: place of the next, lengths, time, tag ─ sockaddr_ll: direction ─ gap ─ the packet's bytes
//!       ├ tpacket3_hdr …
//! ```
//!
//! Everything here is safe code on bytes: lengths and places are compared with the block's end before a slice is made of
//! them, although the kernel wrote them.

use std::mem::{offset_of, size_of};
use std::ops::Range;

use libc::{sockaddr_ll, tpacket_block_desc, tpacket_hdr_v1, tpacket3_hdr};
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// Place of a block's status word, by which kernel and reader give the block to each other.
pub(super) const STATUS_AT: usize = DESCRIPTION_AT + offset_of!(tpacket_hdr_v1, block_status);
const DESCRIPTION_AT: usize = offset_of!(tpacket_block_desc, hdr);

/// Ethernet addresses, behind which a tag belongs.
const ADDRESSES_BYTES: usize = 12;
/// A tag: its type, and priority and VLAN.
pub(super) const TAG_BYTES: usize = 4;
/// The type of a tag of which the kernel does not tell it (before Linux 3.14).
const DEFAULT_TAG_TYPE: u16 = 0x8100;

/// What a block's description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) packets: usize,
    pub(super) first: usize,
}

/// A packet found in a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where the next one is, if there is a next one.
    pub(super) next: usize,
    /// Where its bytes are; within the block.
    pub(super) data: Range<usize>,
    pub(super) time: Timestamp,
    /// Whether the time is that of the card's clock.
    pub(super) has_hardware_time: bool,
    /// Bytes on the wire, without the tag.
    pub(super) wire_len: u32,
    /// The tag that the card or the kernel has taken out of it.
    pub(super) tag: Option<[u8; TAG_BYTES]>,
    /// Whether this machine sent it.
    pub(super) is_outgoing: bool,
}

impl Description {
    /// Reads the description at the beginning of a block; `None` when the block is shorter than that.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        Some(Self {
            packets: u32_at(block, DESCRIPTION_AT + offset_of!(tpacket_hdr_v1, num_pkts))? as usize,
            first: u32_at(block, DESCRIPTION_AT + offset_of!(tpacket_hdr_v1, offset_to_first_pkt))? as usize,
        })
    }
}

impl Frame {
    /// Reads the header at `at`; `None` when it or the packet reaches out of the block.
    #[inline]
    pub(super) fn read(block: &[u8], at: usize) -> Option<Self> {
        /// Where `sockaddr_ll` begins: C aligns it to `TPACKET_ALIGNMENT`, which the header's size is a multiple of.
        const ADDRESS_AT: usize = size_of::<tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);
        const HEADER_BYTES: usize = ADDRESS_AT + size_of::<sockaddr_ll>();
        const VARIANT_AT: usize = offset_of!(tpacket3_hdr, hv1);

        // One comparison with the block's end; all the reads below are within this array.
        let header = block.get(at..)?.first_chunk::<HEADER_BYTES>()?;
        let u32 = |at| u32_in(header, at);
        let u16 = |at| u16::from_ne_bytes([header[at], header[at + 1]]);

        let from = at.checked_add(usize::from(u16(offset_of!(tpacket3_hdr, tp_mac))))?;
        let to = from.checked_add(u32(offset_of!(tpacket3_hdr, tp_snaplen)) as usize)?;
        if to > block.len() {
            return None;
        }
        let status = u32(offset_of!(tpacket3_hdr, tp_status));
        let tag = (status & libc::TP_STATUS_VLAN_VALID != 0).then(|| {
            let kind = if status & libc::TP_STATUS_VLAN_TPID_VALID == 0 {
                DEFAULT_TAG_TYPE
            } else {
                u16(VARIANT_AT + offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tpid))
            };
            let [kind_high, kind_low] = kind.to_be_bytes();
            // The kernel has 32 bits for the 16 of priority and VLAN.
            let vlan = u32(VARIANT_AT + offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tci)) as u16;
            let [vlan_high, vlan_low] = vlan.to_be_bytes();
            [kind_high, kind_low, vlan_high, vlan_low]
        });
        // 2^32 s are 4.3e18 ns: the sum fits into 63 bits.
        let nanos = i64::from(u32(offset_of!(tpacket3_hdr, tp_sec))) * NANOS_PER_SEC
            + i64::from(u32(offset_of!(tpacket3_hdr, tp_nsec)));
        Some(Self {
            next: at.checked_add(u32(offset_of!(tpacket3_hdr, tp_next_offset)) as usize)?,
            data: from..to,
            time: Timestamp::from_nanos(nanos),
            has_hardware_time: status & libc::TP_STATUS_TS_RAW_HARDWARE != 0,
            wire_len: u32(offset_of!(tpacket3_hdr, tp_len)),
            tag,
            is_outgoing: header[ADDRESS_AT + offset_of!(sockaddr_ll, sll_pkttype)] == libc::PACKET_OUTGOING,
        })
    }

    /// The packet's bytes with its tag in place, and its length on the wire. `block` is the block that the frame was read
    /// from; the addresses move into the gap in front of them, which `PACKET_RESERVE` has made large enough.
    #[inline]
    pub(super) fn bytes<'a>(&self, block: &'a mut [u8]) -> Option<(&'a [u8], u32)> {
        let Some(tag) = self.tag else { return Some((block.get(self.data.clone())?, self.wire_len)) };
        let wire_len = self.wire_len.saturating_add(TAG_BYTES as u32);
        let from = self.data.start.checked_sub(TAG_BYTES)?;
        let data = block.get_mut(from..self.data.end)?;
        if data.len() < TAG_BYTES + ADDRESSES_BYTES {
            // Cut in front of the tag's place.
            return Some((&data[TAG_BYTES..], wire_len));
        }
        data.copy_within(TAG_BYTES..TAG_BYTES + ADDRESSES_BYTES, 0);
        data[ADDRESSES_BYTES..ADDRESSES_BYTES + TAG_BYTES].copy_from_slice(&tag);
        Some((data, wire_len))
    }
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[inline]
fn u32_in<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header of 48 bytes and an address of 20, as the kernel writes them on every machine of its byte order.
    fn header(next: u32, mac: u16, kept: u32, status: u32, tag: (u32, u16)) -> Vec<u8> {
        let words = [next, 1_700_000_000, 123_456_789, kept, 1500, status];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend(mac.to_ne_bytes());
        bytes.extend([0; 6]);
        bytes.extend(tag.0.to_ne_bytes());
        bytes.extend(tag.1.to_ne_bytes());
        bytes.resize(48 + 10, 0);
        bytes.push(libc::PACKET_OUTGOING);
        bytes.resize(96, 0);
        bytes
    }

    fn block(header: &[u8], data: &[u8]) -> Vec<u8> {
        let mut block = vec![0; 48];
        block[12..16].copy_from_slice(&1_u32.to_ne_bytes());
        block[16..20].copy_from_slice(&48_u32.to_ne_bytes());
        block.extend(header);
        block.extend(data);
        block
    }

    #[test]
    fn a_block_and_a_packet_are_read() {
        let data: Vec<u8> = (0..100).collect();
        let mut block = block(&header(200, 96, 100, 0, (0, 0)), &data);
        assert_eq!(Description::read(&block), Some(Description { packets: 1, first: 48 }));
        let frame = Frame::read(&block, 48).unwrap();
        assert_eq!(frame.next, 248);
        assert_eq!(frame.time, Timestamp::from_nanos(1_700_000_000_123_456_789));
        assert!(frame.is_outgoing && !frame.has_hardware_time);
        assert_eq!(frame.bytes(&mut block), Some((&data[..], 1500)));
    }

    #[test]
    fn a_tag_told_beside_comes_back_into_its_place() {
        let data: Vec<u8> = (0..100).collect();
        let valid = libc::TP_STATUS_VLAN_VALID;
        let typed = valid | libc::TP_STATUS_VLAN_TPID_VALID;
        for (status, kind) in [(typed, [0x88, 0xa8]), (valid, [0x81, 0])] {
            let mut block = block(&header(0, 96, 100, status, (0xb007, 0x88a8)), &data);
            let whole = [&data[..12], &kind, &[0xb0, 0x07], &data[12..]].concat();
            let frame = Frame::read(&block, 48).unwrap();
            assert_eq!(frame.bytes(&mut block), Some((&whole[..], 1504)));
        }
        for kept in 0..=12 {
            let mut block = block(&header(0, 96, kept, typed, (1, 0x8100)), &data);
            let (bytes, wire) = Frame::read(&block, 48).unwrap().bytes(&mut block).unwrap();
            assert_eq!((&bytes[..kept as usize], wire), (&data[..kept as usize], 1504));
        }
    }

    #[test]
    fn what_reaches_out_of_the_block_is_no_packet() {
        let data = [7; 100];
        let whole = block(&header(0, 96, 100, 0, (0, 0)), &data);
        assert!(Frame::read(&whole, 48).is_some());
        assert_eq!(Frame::read(&whole[..whole.len() - 1], 48), None);
        for at in [49, 180, whole.len() - 67, whole.len(), usize::MAX - 10, usize::MAX] {
            assert_eq!(Frame::read(&whole, at), None, "{at}");
        }
        for (mac, kept) in [(97, 100), (96, 101), (96, u32::MAX), (u16::MAX, 0)] {
            assert_eq!(Frame::read(&block(&header(0, mac, kept, 0, (0, 0)), &data), 48), None);
        }
        // A tag with no room in front of it.
        let mut tagged = header(0, 0, 60, libc::TP_STATUS_VLAN_VALID, (1, 0));
        tagged.resize(200, 0);
        assert_eq!(Frame::read(&tagged, 0).unwrap().bytes(&mut tagged), None);
        assert_eq!(Description::read(&whole[..19]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_packet_within_them_or_none(
            mut block in prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => any::<u8>()], 0..400),
            at in 0_usize..500,
        ) {
            let len = block.len();
            if let Some(frame) = Frame::read(&block, at)
                && let Some((data, _)) = frame.bytes(&mut block)
            {
                prop_assert!(data.len() <= len);
            }
        }
    }
}
