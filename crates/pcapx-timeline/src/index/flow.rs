//! Flows: the two ends of a conversation, and chunks of them.

use std::ops::Range;

use super::CHUNK_BYTES;
use super::codec::{Cursor, Put};
use super::kind::{Kind, PortsKind};
use crate::packet::{Network, PacketKeys, Pair, Ports};

/// What tells flows of one kind apart, in their order: port A, address A, address B, port B.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends {
    pub(super) port_a: u16,
    pub(super) a: u128,
    pub(super) b: u128,
    pub(super) port_b: u16,
}

/// Which end has sent packets; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Senders(u8);

impl Senders {
    pub(super) const A: Self = Self(1);
    pub(super) const B: Self = Self(2);

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A flow as it is read from a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) ends: Ends,
    pub(super) senders: Senders,
}

impl Ends {
    /// The ends of a packet of `kind`, and which of them has sent it.
    #[inline]
    pub(super) fn of(kind: &Kind, keys: &PacketKeys) -> (Self, Senders) {
        let addresses = match keys.network {
            Network::None => Pair::default(),
            Network::V4(pair) | Network::Arp(pair) | Network::Rarp(pair) => {
                Pair { src: pair.src.into(), dst: pair.dst.into() }
            }
            Network::V6(pair) => pair,
        };
        let ports = match keys.ports {
            Ports::None | Ports::Cut => Pair::default(),
            Ports::Source(src) => Pair { src, dst: 0 },
            Ports::Both(pair) => pair,
        };
        let is_turned = kind.has_two_ends() && (ports.dst, addresses.dst) < (ports.src, addresses.src);
        if is_turned {
            (Self { port_a: ports.dst, a: addresses.dst, b: addresses.src, port_b: ports.src }, Senders::B)
        } else {
            (Self { port_a: ports.src, a: addresses.src, b: addresses.dst, port_b: ports.dst }, Senders::A)
        }
    }
}

impl Flow {
    /// The keys of its packets: those from A to B, and those from B to A.
    pub(super) fn keys(&self, kind: &Kind) -> [Option<PacketKeys>; 2] {
        let Ends { port_a, a, b, port_b } = self.ends;
        let forth = || kind.keys(Pair { src: a, dst: b }, Pair { src: port_a, dst: port_b });
        let back = || kind.keys(Pair { src: b, dst: a }, Pair { src: port_b, dst: port_a });
        [(self.senders.0 & 1 != 0).then(forth), (self.senders.0 & 2 != 0).then(back)]
    }
}

const HAS_PORT_A: u8 = 1;
const HAS_ADDRESS_A: u8 = 2;
const SENDERS_SHIFT: u32 = 2;

/// Collects flows of one kind, in order, until a chunk is full.
#[derive(Debug, Default)]
pub(super) struct FlowChunkBuilder {
    bytes: Vec<u8>,
    before: Ends,
}

impl FlowChunkBuilder {
    /// Adds a flow, unless the chunk has some and would grow beyond its size.
    pub(super) fn push(&mut self, kind: &Kind, flow: &Flow, blocks: &[u32]) -> bool {
        let (start, before) = (self.bytes.len(), self.before);
        let Ends { port_a, a, b, port_b } = flow.ends;
        let has_port = matches!(kind.ports(), PortsKind::Source | PortsKind::Both) && port_a != before.port_a;
        let has_address = kind.has_addresses() && a != before.a;
        let out = &mut self.bytes;
        out.push(
            if has_port { HAS_PORT_A } else { 0 }
                | if has_address { HAS_ADDRESS_A } else { 0 }
                | (flow.senders.0 << SENDERS_SHIFT),
        );
        if has_port {
            out.put_u64((port_a - before.port_a).into());
        }
        if has_address {
            out.put_signed(a.wrapping_sub(before.a));
        }
        if kind.has_addresses() {
            out.put_signed(b.wrapping_sub(before.b));
        }
        if kind.ports() == PortsKind::Both {
            out.extend(port_b.to_le_bytes());
        }
        out.put_list(blocks);
        if start > 0 && out.len() > CHUNK_BYTES {
            out.truncate(start);
            return false;
        }
        self.before = flow.ends;
        true
    }

    /// The chunk's payload, if it has any; the builder begins anew.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        self.before = Ends::default();
        (!self.bytes.is_empty()).then(|| std::mem::take(&mut self.bytes))
    }
}

/// Goes through the flows of a chunk; `each` answers where the runs of a flow's blocks are to go, if anywhere.
/// `None` when the chunk cannot be one.
pub(super) fn read_flows<F: FnMut(Range<u32>)>(
    kind: &Kind,
    payload: &[u8],
    blocks: u32,
    mut each: impl FnMut(&Flow) -> bool,
    mut run: F,
) -> Option<()> {
    let mut from = Cursor(payload);
    let mut ends = Ends::default();
    while !from.is_at_end() {
        let head = from.byte()?;
        if head & HAS_PORT_A != 0 {
            ends.port_a = ends.port_a.checked_add(u16::try_from(from.varint()?).ok()?)?;
        }
        if head & HAS_ADDRESS_A != 0 {
            ends.a = ends.a.wrapping_add(from.signed()?);
        }
        if kind.has_addresses() {
            ends.b = ends.b.wrapping_add(from.signed()?);
        }
        if kind.ports() == PortsKind::Both {
            ends.port_b = from.two()?;
        }
        let flow = Flow { ends, senders: Senders((head >> SENDERS_SHIFT) & 3) };
        let is_wanted = each(&flow);
        from.list(blocks, |blocks| {
            if is_wanted {
                run(blocks);
            }
        })?;
    }
    Some(())
}
