//! Packet keys: the addresses, ports and protocols by which a packet is found.
//!
//! [`PacketKeys::of`] takes a packet apart from its first byte to its ports:
//!
//! ```text
//! link header ─► tags: 802.1Q, 802.1ad, MPLS, PPPoE ─► IPv4 (options) ─────────────┐
//!   Ethernet, SLL, raw, loopback,                      IPv6 (extension headers) ───┴─► ports of TCP, UDP, SCTP
//!   PPP, Cisco HDLC                                    ARP, RARP
//! ```
//!
//! Only what a filter can ask for is kept, nothing is allocated, and any bytes are answered without a panic. A snapped
//! packet may end before a field that a filter asks for: [`Reach`] tells how far the captured bytes go, so that such a
//! question has no answer instead of a wrong one.
//!
//! A packet inside another (GRE, VXLAN, IP in IP) is not looked at: keys are those of the outermost IP header, as for
//! tcpdump.

mod ip;
mod layers;
mod link;

pub(crate) use layers::Layers;

use crate::link::LinkType;

/// Tags kept of one packet; deeper ones are passed but not remembered.
pub const MAX_VLANS: usize = 4;

/// What a filter can ask of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketKeys {
    /// Ethernet addresses, where the link has them.
    pub ether: Option<Pair<[u8; 6]>>,
    /// Type of what follows link header and tags; `None` for what has no EtherType.
    pub ethertype: Option<u16>,
    /// The network header.
    pub network: Network,
    /// Protocol above IP, behind all extension headers. Later fragments have it too.
    pub protocol: Option<u8>,
    /// IPv6: what the fixed header says follows it, an extension header or the protocol.
    pub next_header: Option<u8>,
    /// Ports of TCP, UDP and SCTP.
    pub ports: Ports,
    /// How far the captured bytes reach.
    pub reach: Reach,
    /// VLAN identifiers, outermost first; `vlan_count` of them are set.
    pub vlans: [u16; MAX_VLANS],
    /// How many tags the packet has (those beyond [`MAX_VLANS`] are not counted).
    pub vlan_count: u8,
}

/// Sender's and receiver's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair<T> {
    /// The sender's.
    pub src: T,
    /// The receiver's.
    pub dst: T,
}

/// The network header and its addresses; those that [`Reach`] does not cover are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// No header that has addresses.
    #[default]
    None,
    /// IPv4.
    V4(Pair<u32>),
    /// IPv6.
    V6(Pair<u128>),
    /// ARP: sender's and target's protocol address.
    Arp(Pair<u32>),
    /// Reverse ARP: the same.
    Rarp(Pair<u32>),
}

/// The ports, as far as they were captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// There are none: another protocol, or a later fragment.
    #[default]
    None,
    /// The packet has them, its captured bytes end before.
    Cut,
    /// The captured bytes end behind the sender's.
    Source(u16),
    /// Both.
    Both(Pair<u16>),
}

/// How far the captured bytes of a packet reach, in the order of the headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Not to the end of the link header.
    #[default]
    Nothing,
    /// The link header with its tags.
    Link,
    /// The protocol field of the IP header.
    Protocol,
    /// The sender's network address.
    Source,
    /// Both network addresses, or all there is of another protocol.
    Addresses,
}

impl PacketKeys {
    /// Takes apart a packet of link type `link`, of which `data` was kept.
    #[inline]
    pub fn of(link: LinkType, data: &[u8]) -> Self {
        Walk::through(link, data).keys
    }

    /// VLAN identifiers, outermost first.
    pub fn vlans(&self) -> &[u16] {
        &self.vlans[..usize::from(self.vlan_count).min(MAX_VLANS)]
    }
}

/// Keys in the making.
#[derive(Debug, Default)]
struct Walk {
    keys: PacketKeys,
    /// Where the network header begins, if there is one.
    network_at: usize,
}

impl Walk {
    #[inline]
    fn through(link: LinkType, data: &[u8]) -> Self {
        let mut walk = Self::default();
        link::dissect(&mut walk, link, data);
        walk
    }
}

/// Big-endian reads that answer `None` where the captured bytes end.
pub(crate) mod read {
    #[inline]
    pub(crate) fn u8(bytes: &[u8], at: usize) -> Option<u8> {
        bytes.get(at).copied()
    }

    #[inline]
    pub(crate) fn u16(bytes: &[u8], at: usize) -> Option<u16> {
        Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
    }

    #[inline]
    pub(crate) fn u32(bytes: &[u8], at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
    }

    #[inline]
    pub(crate) fn u128(bytes: &[u8], at: usize) -> Option<u128> {
        Some(u128::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
    }
}
