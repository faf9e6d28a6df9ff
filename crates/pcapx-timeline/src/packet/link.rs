//! From the first byte to the network header: link headers and the tags behind them.

use super::{MAX_VLANS, Pair, Reach, Walk, ip, read};
use crate::link::LinkType;
use pcapx_core::filter::ethertype::{ARP, IPV4, IPV6, RARP};

/// EtherTypes of the tags that do not hide what they carry.
mod tag {
    /// 802.1Q customer tag.
    pub(super) const DOT1Q: u16 = 0x8100;
    /// 802.1ad service tag.
    pub(super) const DOT1AD: u16 = 0x88a8;
    /// The service tag's number before there was a standard.
    pub(super) const QINQ_OLD: u16 = 0x9100;
    /// MPLS, downstream-assigned labels (RFC 3032).
    pub(super) const MPLS: u16 = 0x8847;
    /// MPLS, upstream-assigned labels (RFC 5332).
    pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
    /// PPPoE session (RFC 2516).
    pub(super) const PPPOE: u16 = 0x8864;
}

/// Numbers below are lengths of 802.3 frames, not types.
const ETHERTYPE_MIN: u16 = 0x0600;
/// PPP protocol numbers (RFC 1332, RFC 5072, RFC 3032).
const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;
const PPP_MPLS: u16 = 0x0281;
/// PPP's optional address and control bytes (RFC 1662).
const PPP_ADDRESS_CONTROL: u16 = 0xff03;

/// Reads the link header of `data`, then whatever it carries.
#[inline]
pub(super) fn dissect(walk: &mut Walk, link: LinkType, data: &[u8]) {
    match link {
        LinkType::ETHERNET => ethernet(walk, data),
        LinkType::LINUX_SLL => typed(walk, data, 14, 16),
        LinkType::LINUX_SLL2 => typed(walk, data, 0, 20),
        LinkType::C_HDLC => typed(walk, data, 2, 4),
        LinkType::NULL | LinkType::LOOP => loopback(walk, data),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
            by_version(walk, data, 0);
        }
        LinkType::PPP | LinkType::PPP_HDLC => {
            let at = if read::u16(data, 0) == Some(PPP_ADDRESS_CONTROL) { 2 } else { 0 };
            ppp(walk, data, at);
        }
        _ => walk.keys.reach = Reach::Link,
    }
}

/// Addresses and type; the type stands behind the addresses.
#[inline]
fn ethernet(walk: &mut Walk, data: &[u8]) {
    if let Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) = data.first_chunk::<12>() {
        walk.keys.ether = Some(Pair { dst: [a, b, c, d, e, f], src: [g, h, i, j, k, l] });
    }
    typed(walk, data, 12, 14);
}

/// A header with an EtherType at `type_at` whose payload begins at `payload_at`.
#[inline]
fn typed(walk: &mut Walk, data: &[u8], type_at: usize, payload_at: usize) {
    if let Some(ethertype) = read::u16(data, type_at) {
        network(walk, ethertype, data, payload_at);
    }
}

/// Goes through tags to the network header at `at`. The link is not reached where the captured bytes end inside a tag:
/// what it carries is not known then.
#[inline]
fn network(walk: &mut Walk, mut ethertype: u16, data: &[u8], mut at: usize) {
    loop {
        walk.keys.ethertype = (ethertype >= ETHERTYPE_MIN).then_some(ethertype);
        match ethertype {
            tag::DOT1Q | tag::DOT1AD | tag::QINQ_OLD => {
                // Tag control (priority, identifier), then the type of what follows.
                let (Some(control), Some(inner)) = (read::u16(data, at), read::u16(data, at + 2)) else {
                    return;
                };
                let count = usize::from(walk.keys.vlan_count);
                if count < MAX_VLANS {
                    walk.keys.vlans[count] = control & 0x0fff;
                    walk.keys.vlan_count += 1;
                }
                ethertype = inner;
                at += 4;
            }
            tag::MPLS | tag::MPLS_UPSTREAM => return mpls(walk, data, at),
            // Version and type, code, session, length: six bytes, then PPP.
            tag::PPPOE => return ppp(walk, data, at + 6),
            _ => break,
        }
    }
    walk.keys.reach = Reach::Link;
    walk.network_at = at;
    match ethertype {
        IPV4 => ip::v4(&mut walk.keys, data, at),
        IPV6 => ip::v6(&mut walk.keys, data, at),
        ARP | RARP => ip::arp(&mut walk.keys, ethertype, data, at),
        _ => {}
    }
}

/// A stack of four-byte labels; the bit at the end of the third byte marks the last one. What follows is not told, so
/// the first nibble has to be that of an IP header.
fn mpls(walk: &mut Walk, data: &[u8], mut at: usize) {
    while let Some(label) = read::u32(data, at) {
        at += 4;
        if label & 0x100 != 0 {
            return by_version(walk, data, at);
        }
    }
}

/// IP at `at` without anything that tells its version but its first nibble.
fn by_version(walk: &mut Walk, data: &[u8], at: usize) {
    let Some(first) = read::u8(data, at) else { return };
    walk.keys.reach = Reach::Link;
    walk.network_at = at;
    match first >> 4 {
        4 => {
            walk.keys.ethertype = Some(IPV4);
            ip::v4(&mut walk.keys, data, at);
        }
        6 => {
            walk.keys.ethertype = Some(IPV6);
            ip::v6(&mut walk.keys, data, at);
        }
        _ => {}
    }
}

/// PPP with its protocol number at `at`.
fn ppp(walk: &mut Walk, data: &[u8], at: usize) {
    let Some(protocol) = read::u16(data, at) else { return };
    if protocol == PPP_MPLS {
        return mpls(walk, data, at + 2);
    }
    walk.keys.reach = Reach::Link;
    walk.network_at = at + 2;
    match protocol {
        PPP_IPV4 => {
            walk.keys.ethertype = Some(IPV4);
            ip::v4(&mut walk.keys, data, at + 2);
        }
        PPP_IPV6 => {
            walk.keys.ethertype = Some(IPV6);
            ip::v6(&mut walk.keys, data, at + 2);
        }
        _ => {}
    }
}

/// Four bytes of protocol family. The capturing machine's byte order is not always the file's, so both are tried: no
/// family's number is another's with the bytes turned round. IPv6 is 10 on Linux, 24, 28 and 30 on the BSDs and macOS.
fn loopback(walk: &mut Walk, data: &[u8]) {
    let Some(family) = read::u32(data, 0) else { return };
    walk.keys.reach = Reach::Link;
    walk.network_at = 4;
    match family.min(family.swap_bytes()) {
        2 => {
            walk.keys.ethertype = Some(IPV4);
            ip::v4(&mut walk.keys, data, 4);
        }
        10 | 24 | 28 | 30 => {
            walk.keys.ethertype = Some(IPV6);
            ip::v6(&mut walk.keys, data, 4);
        }
        _ => {}
    }
}
