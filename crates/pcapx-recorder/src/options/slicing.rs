//! Packet slicing: how many bytes of a packet are its headers.
//!
//! ```text
//! link header ─► tags: 802.1Q, 802.1ad, MPLS, PPPoE │ IPv4 (options), IPv6 (extension headers), ARP │ TCP, UDP, SCTP, ICMP
//!                                        Layer::Link┘                                Layer::Network┘      Layer::Transport┘
//! ```
//!
//! Headers are walked as [`PacketKeys`](pcapx_timeline::packet::PacketKeys) walks them, so that slicing takes no search its
//! keys: sliced behind the transport header, a packet has those it had; behind the network header, all but its ports.
//!
//! Lengths in headers are not believed beyond the packet's end, and any bytes are answered without a panic. What stands
//! behind the last header that is understood is cut off; where the captured bytes end inside a header, all are kept.

use pcapx_core::filter::ethertype::{ARP, IPV4, IPV6, RARP};
use pcapx_core::filter::ipproto;
use pcapx_timeline::link::LinkType;

/// 802.1Q, 802.1ad and the latter's number before there was a standard.
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// MPLS labels (RFC 3032, RFC 5332).
const MPLS_TAGS: [u16; 2] = [0x8847, 0x8848];
/// PPPoE session (RFC 2516).
const PPPOE: u16 = 0x8864;
/// PPP's numbers (RFC 1332, RFC 5072, RFC 3032), and its optional address and control bytes (RFC 1662).
const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;
const PPP_MPLS: u16 = 0x0281;
const PPP_ADDRESS_CONTROL: u16 = 0xff03;

/// The shortest headers of IPv4 and TCP, and the only ones of the others, in bytes.
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const ARP_BYTES: usize = 28;
const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const SCTP_BYTES: usize = 12;
const ICMP_BYTES: usize = 8;

/// IPv6 extension headers (RFC 8200, RFC 4302), and how many of them are walked.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MAX_EXTENSIONS: usize = 8;

/// The last header of a packet that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The link header with all tags.
    Link,
    /// The header of IPv4 with its options, IPv6 with its extension headers, or ARP.
    Network,
    /// The header of TCP with its options, UDP, SCTP or ICMP. Later fragments have none.
    Transport,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 3] = [Self::Link, Self::Network, Self::Transport];

    /// The layer's number, 2 to 4.
    pub const fn number(self) -> u8 {
        match self {
            Self::Link => 2,
            Self::Network => 3,
            Self::Transport => 4,
        }
    }

    /// How many bytes of a packet are kept: up to the end of this layer's header, or of the last one below it that there
    /// is. Never more than `data` has. Packets of a link type that is not understood are kept whole: where their headers
    /// end is not known.
    #[inline]
    pub fn kept(self, link: LinkType, data: &[u8]) -> usize {
        let Some((follows, at)) = link_header(link, data) else { return data.len() };
        let end = match (self, follows) {
            (Self::Link, _) | (_, Follows::Other) => Some(at),
            // The byte that tells so.
            (_, Follows::NoIp) => Some(at + 1),
            (_, Follows::V4) => v4(self, data, at),
            (_, Follows::V6) => v6(self, data, at),
            (_, Follows::Arp) => arp(data, at),
        };
        end.unwrap_or(data.len()).min(data.len())
    }
}

/// What stands behind the link header and its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    V4,
    V6,
    Arp,
    /// Where only IP can be told, something else.
    NoIp,
    Other,
}

fn byte(data: &[u8], at: usize) -> Option<u8> {
    data.get(at).copied()
}

fn word(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

/// What follows the link header, and where; `None` for a link type that is not understood. What is cut off in front of the
/// network header ends with the captured bytes.
#[inline]
fn link_header(link: LinkType, data: &[u8]) -> Option<(Follows, usize)> {
    let follows = match link {
        LinkType::ETHERNET => word(data, 12).and_then(|ethertype| typed(ethertype, data, 14)),
        LinkType::LINUX_SLL => word(data, 14).and_then(|ethertype| typed(ethertype, data, 16)),
        LinkType::LINUX_SLL2 => word(data, 0).and_then(|ethertype| typed(ethertype, data, 20)),
        LinkType::C_HDLC => word(data, 2).and_then(|ethertype| typed(ethertype, data, 4)),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
            Some((by_version(data, 0), 0))
        }
        LinkType::PPP | LinkType::PPP_HDLC => {
            ppp(data, if word(data, 0) == Some(PPP_ADDRESS_CONTROL) { 2 } else { 0 })
        }
        _ => return None,
    };
    Some(follows.unwrap_or((Follows::Other, data.len())))
}

/// Goes through tags from an EtherType whose payload begins at `at`.
#[inline]
fn typed(mut ethertype: u16, data: &[u8], mut at: usize) -> Option<(Follows, usize)> {
    while VLAN_TAGS.contains(&ethertype) {
        ethertype = word(data, at + 2)?;
        at += 4;
    }
    match ethertype {
        IPV4 => Some((Follows::V4, at)),
        IPV6 => Some((Follows::V6, at)),
        ARP | RARP => Some((Follows::Arp, at)),
        PPPOE => ppp(data, at + 6),
        _ if MPLS_TAGS.contains(&ethertype) => mpls(data, at),
        _ => Some((Follows::Other, at)),
    }
}

/// PPP with its protocol number at `at`.
fn ppp(data: &[u8], at: usize) -> Option<(Follows, usize)> {
    match word(data, at)? {
        PPP_IPV4 => Some((Follows::V4, at + 2)),
        PPP_IPV6 => Some((Follows::V6, at + 2)),
        PPP_MPLS => mpls(data, at + 2),
        _ => Some((Follows::Other, at + 2)),
    }
}

/// A stack of labels at `at`, of which the last one has the lowest bit of its third byte set.
fn mpls(data: &[u8], mut at: usize) -> Option<(Follows, usize)> {
    loop {
        let label = data.get(at..)?.first_chunk::<4>()?;
        at += 4;
        if label[2] & 1 != 0 {
            return Some((by_version(data, at), at));
        }
    }
}

/// Four bytes of protocol family in either byte order; IPv6 has another number on each system.
fn loopback(data: &[u8]) -> Option<(Follows, usize)> {
    let family = u32::from_be_bytes(*data.first_chunk()?);
    let follows = match family.min(family.swap_bytes()) {
        2 => Follows::V4,
        10 | 24 | 28 | 30 => Follows::V6,
        _ => Follows::Other,
    };
    Some((follows, 4))
}

/// IP that nothing announces but its first nibble.
fn by_version(data: &[u8], at: usize) -> Follows {
    match byte(data, at).map(|first| first >> 4) {
        Some(4) => Follows::V4,
        Some(6) => Follows::V6,
        _ => Follows::NoIp,
    }
}

/// The end of what is kept of an IPv4 packet at `at`.
#[inline]
fn v4(layer: Layer, data: &[u8], at: usize) -> Option<usize> {
    let behind = at + usize::from(byte(data, at)? & 0x0f) * 4;
    // A header that calls itself shorter than it can be has its addresses nevertheless.
    let end = behind.max(at + IPV4_BYTES);
    let is_later_fragment = word(data, at + 6)? & 0x1fff != 0;
    if layer == Layer::Network || is_later_fragment {
        return Some(end);
    }
    Some(transport(byte(data, at + 9)?, data, behind)?.max(end))
}

/// The end of what is kept of an IPv6 packet at `at`.
#[inline]
fn v6(layer: Layer, data: &[u8], at: usize) -> Option<usize> {
    let mut next = byte(data, at + 6)?;
    let mut at = at + IPV6_BYTES;
    for _ in 0..MAX_EXTENSIONS {
        let header = at;
        // The lengths are in units of eight bytes, the authentication header's in units of four; neither counts the
        // first eight.
        at += match next {
            HOP_BY_HOP | ROUTING | DESTINATION => (usize::from(byte(data, at + 1)?) + 1) * 8,
            AUTHENTICATION => (usize::from(byte(data, at + 1)?) + 2) * 4,
            FRAGMENT => 8,
            _ => break,
        };
        let is_later_fragment = next == FRAGMENT && word(data, header + 2)? & 0xfff8 != 0;
        next = byte(data, header)?;
        if is_later_fragment {
            return Some(at);
        }
    }
    if layer == Layer::Network { Some(at) } else { transport(next, data, at) }
}

/// The end of a transport header at `at`, or `at` for a protocol without one that is known.
#[inline]
fn transport(protocol: u8, data: &[u8], at: usize) -> Option<usize> {
    Some(match protocol {
        ipproto::TCP => at + (usize::from(byte(data, at + 12)? >> 4) * 4).max(TCP_BYTES),
        ipproto::UDP => at + UDP_BYTES,
        ipproto::SCTP => at + SCTP_BYTES,
        ipproto::ICMP | ipproto::ICMPV6 => at + ICMP_BYTES,
        _ => at,
    })
}

/// The end of an ARP packet at `at`: eight bytes, then two addresses of the link and two of the network.
fn arp(data: &[u8], at: usize) -> Option<usize> {
    let (hardware, protocol) = (usize::from(byte(data, at + 4)?), usize::from(byte(data, at + 5)?));
    Some(at + (8 + 2 * (hardware + protocol)).max(ARP_BYTES))
}
