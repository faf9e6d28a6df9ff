//! Kinds: what flows have in common, addresses and ports aside.

use super::codec::Cursor;
use crate::packet::{MAX_VLANS, Network, PacketKeys, Pair, Ports, Reach};

/// All that [`PacketKeys`] say of a packet but for its addresses and ports. Ethernet addresses are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    network: Header,
    reach: u8,
    ports: PortsKind,
    ethertype: Option<u16>,
    protocol: Option<u8>,
    next_header: Option<u8>,
    vlan_count: u8,
    vlans: [u16; MAX_VLANS],
}

/// Which network header there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Header {
    #[default]
    None,
    V4,
    V6,
    Arp,
    Rarp,
}

/// Which ports there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum PortsKind {
    #[default]
    None,
    Cut,
    Source,
    Both,
}

const HAS_ETHERTYPE: u8 = 1;
const HAS_PROTOCOL: u8 = 2;
const HAS_NEXT_HEADER: u8 = 4;
const VLANS_SHIFT: u32 = 4;

impl Kind {
    #[inline]
    pub(super) fn of(keys: &PacketKeys) -> Self {
        Self {
            network: match keys.network {
                Network::None => Header::None,
                Network::V4(_) => Header::V4,
                Network::V6(_) => Header::V6,
                Network::Arp(_) => Header::Arp,
                Network::Rarp(_) => Header::Rarp,
            },
            reach: keys.reach as u8,
            ports: match keys.ports {
                Ports::None => PortsKind::None,
                Ports::Cut => PortsKind::Cut,
                Ports::Source(_) => PortsKind::Source,
                Ports::Both(_) => PortsKind::Both,
            },
            ethertype: keys.ethertype,
            protocol: keys.protocol,
            next_header: keys.next_header,
            vlan_count: keys.vlan_count,
            vlans: keys.vlans,
        }
    }

    /// The keys of a packet of this kind.
    pub(super) fn keys(&self, addresses: Pair<u128>, ports: Pair<u16>) -> PacketKeys {
        let narrow = Pair { src: addresses.src as u32, dst: addresses.dst as u32 };
        PacketKeys {
            ether: None,
            ethertype: self.ethertype,
            network: match self.network {
                Header::None => Network::None,
                Header::V4 => Network::V4(narrow),
                Header::V6 => Network::V6(addresses),
                Header::Arp => Network::Arp(narrow),
                Header::Rarp => Network::Rarp(narrow),
            },
            protocol: self.protocol,
            next_header: self.next_header,
            ports: match self.ports {
                PortsKind::None => Ports::None,
                PortsKind::Cut => Ports::Cut,
                PortsKind::Source => Ports::Source(ports.src),
                PortsKind::Both => Ports::Both(ports),
            },
            reach: reach(self.reach).unwrap_or_default(),
            vlans: self.vlans,
            vlan_count: self.vlan_count,
        }
    }

    pub(super) fn has_addresses(&self) -> bool {
        self.network != Header::None
    }

    /// Whether addresses are IPv6, 128 bits wide.
    pub(super) fn is_wide(&self) -> bool {
        self.network == Header::V6
    }

    pub(super) fn ports(&self) -> PortsKind {
        self.ports
    }

    /// Whether both ends are known, so that they can be put in order.
    pub(super) fn has_two_ends(&self) -> bool {
        self.reach == Reach::Addresses as u8 && self.ports != PortsKind::Source
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let has = |present: bool, flag: u8| if present { flag } else { 0 };
        out.extend([self.network as u8, self.reach, self.ports as u8]);
        out.push(
            has(self.ethertype.is_some(), HAS_ETHERTYPE)
                | has(self.protocol.is_some(), HAS_PROTOCOL)
                | has(self.next_header.is_some(), HAS_NEXT_HEADER)
                | (self.vlan_count << VLANS_SHIFT),
        );
        out.extend(self.ethertype.iter().flat_map(|n| n.to_le_bytes()));
        out.extend(self.protocol);
        out.extend(self.next_header);
        out.extend(self.vlans[..usize::from(self.vlan_count)].iter().flat_map(|n| n.to_le_bytes()));
    }

    pub(super) fn take(from: &mut Cursor<'_>) -> Option<Self> {
        let network = match from.byte()? {
            0 => Header::None,
            1 => Header::V4,
            2 => Header::V6,
            3 => Header::Arp,
            4 => Header::Rarp,
            _ => return None,
        };
        let reach = from.byte().filter(|&n| reach(n).is_some())?;
        let ports = match from.byte()? {
            0 => PortsKind::None,
            1 => PortsKind::Cut,
            2 => PortsKind::Source,
            3 => PortsKind::Both,
            _ => return None,
        };
        let has = from.byte()?;
        let mut kind = Self { network, reach, ports, vlan_count: has >> VLANS_SHIFT, ..Self::default() };
        if has & HAS_ETHERTYPE != 0 {
            kind.ethertype = Some(from.two()?);
        }
        if has & HAS_PROTOCOL != 0 {
            kind.protocol = Some(from.byte()?);
        }
        if has & HAS_NEXT_HEADER != 0 {
            kind.next_header = Some(from.byte()?);
        }
        for vlan in kind.vlans.get_mut(..usize::from(kind.vlan_count))? {
            *vlan = from.two()?;
        }
        Some(kind)
    }
}

fn reach(number: u8) -> Option<Reach> {
    Some(match number {
        0 => Reach::Nothing,
        1 => Reach::Link,
        2 => Reach::Protocol,
        3 => Reach::Source,
        4 => Reach::Addresses,
        _ => return None,
    })
}
