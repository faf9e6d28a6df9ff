//! IPv4 (RFC 791), IPv6 (RFC 8200), ARP and RARP (RFC 826, 903), and the ports above.

use super::{Network, PacketKeys, Pair, Ports, Reach, read};
use pcapx_core::filter::{ethertype::ARP, ipproto};

/// IPv6 extension headers that are walked over.
mod extension {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const DESTINATION: u8 = 60;
}

/// The fixed header of IPv6 (RFC 8200).
pub(super) const V6_HEADER_BYTES: usize = 40;
/// RFC 8200 wants each header once, destination options twice; more than this is not walked.
const MAX_EXTENSIONS: usize = 8;

/// IPv4 at `at`. As for tcpdump, neither version nor lengths are checked: a header that lies about itself is found by
/// what it says.
#[inline]
pub(super) fn v4(keys: &mut PacketKeys, data: &[u8], at: usize) {
    let Some(protocol) = read::u8(data, at + 9) else {
        keys.network = Network::V4(Pair::default());
        return;
    };
    keys.protocol = Some(protocol);
    let src = read::u32(data, at + 12);
    let dst = read::u32(data, at + 16);
    keys.network = Network::V4(Pair { src: src.unwrap_or_default(), dst: dst.unwrap_or_default() });
    keys.reach = match (src, dst) {
        (None, _) => Reach::Protocol,
        (_, None) => Reach::Source,
        _ => Reach::Addresses,
    };
    // Flags in the upper three bits, then the fragment's place: only the first fragment has ports.
    let is_later = read::u16(data, at + 6).is_some_and(|f| f & 0x1fff != 0);
    let header = read::u8(data, at).map_or(0, |b| usize::from(b & 0x0f) * 4);
    if !is_later {
        keys.ports = ports(protocol, data, at + header);
    }
}

/// IPv6 at `at`.
#[inline]
pub(super) fn v6(keys: &mut PacketKeys, data: &[u8], at: usize) {
    let Some(next) = read::u8(data, at + 6) else {
        keys.network = Network::V6(Pair::default());
        return;
    };
    keys.next_header = Some(next);
    let src = read::u128(data, at + 8);
    let dst = read::u128(data, at + 24);
    keys.network = Network::V6(Pair { src: src.unwrap_or_default(), dst: dst.unwrap_or_default() });
    keys.reach = match (src, dst) {
        (None, _) => Reach::Protocol,
        (_, None) => Reach::Source,
        _ => Reach::Addresses,
    };
    let Some((protocol, is_later, at)) = walk(next, data, at + V6_HEADER_BYTES) else { return };
    keys.protocol = Some(protocol);
    if !is_later {
        keys.ports = ports(protocol, data, at);
    }
}

/// Walks extension headers from `at`: the protocol behind them, whether it is in a later fragment, and its place.
/// `None` where the captured bytes end before the protocol is known.
#[inline]
pub(super) fn walk(mut next: u8, data: &[u8], mut at: usize) -> Option<(u8, bool, usize)> {
    for _ in 0..MAX_EXTENSIONS {
        match next {
            extension::HOP_BY_HOP | extension::ROUTING | extension::DESTINATION => {
                // Next header, then the length in eight bytes, the first eight not counted.
                let len = (usize::from(read::u8(data, at + 1)?) + 1) * 8;
                next = read::u8(data, at)?;
                at += len;
            }
            extension::FRAGMENT => {
                let place = read::u16(data, at + 2)? & 0xfff8;
                next = read::u8(data, at)?;
                at += 8;
                if place != 0 {
                    return Some((next, true, at));
                }
            }
            _ => break,
        }
    }
    Some((next, false, at))
}

#[inline]
fn ports(protocol: u8, data: &[u8], at: usize) -> Ports {
    if !matches!(protocol, ipproto::TCP | ipproto::UDP | ipproto::SCTP) {
        return Ports::None;
    }
    match (read::u16(data, at), read::u16(data, at + 2)) {
        (Some(src), Some(dst)) => Ports::Both(Pair { src, dst }),
        (Some(src), None) => Ports::Source(src),
        (None, _) => Ports::Cut,
    }
}

/// ARP or RARP at `at`: as for tcpdump, the addresses are read as if they were IPv4 behind Ethernet addresses.
pub(super) fn arp(keys: &mut PacketKeys, ethertype: u16, data: &[u8], at: usize) {
    let src = read::u32(data, at + 14);
    let dst = read::u32(data, at + 24);
    let pair = Pair { src: src.unwrap_or_default(), dst: dst.unwrap_or_default() };
    keys.network = if ethertype == ARP { Network::Arp(pair) } else { Network::Rarp(pair) };
    keys.reach = match (src, dst) {
        (None, _) => Reach::Link,
        (_, None) => Reach::Source,
        _ => Reach::Addresses,
    };
}
