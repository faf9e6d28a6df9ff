//! Frames without their tags: 802.1Q, 802.1ad, MPLS and PPPoE taken out, so that a filter sees what they hid.
//!
//! tcpdump's `port 53` does not look behind a tag. Run over stripped frames it tells what a filter means to which tags
//! are transparent. [`extensions`] does the same for IPv6 extension headers, behind which tcpdump looks in part only.

use crate::capture::{Capture, Packet, link};

/// The capture with every packet stripped; order, time stamps and number of packets stay.
pub fn capture(original: &Capture) -> Capture {
    let packets = original.packets.iter().map(|packet| self::packet(original.link, packet)).collect();
    Capture { packets, ..original.clone() }
}

/// The packet without its tags; its length on the wire shrinks as its bytes do.
pub fn packet(link: u32, packet: &Packet) -> Packet {
    let data = frame(link, &packet.data);
    let removed = (packet.data.len() - data.len()) as u32;
    Packet { time: packet.time, data, orig_len: packet.orig_len - removed }
}

/// The frame without its tags. A tag that is cut, and MPLS or PPPoE around something that is not IP, stay.
pub fn frame(link: u32, data: &[u8]) -> Vec<u8> {
    match link {
        link::ETHERNET => typed(data, 12, 14),
        link::LINUX_SLL => typed(data, 14, 16),
        link::LINUX_SLL2 => typed(data, 0, 20),
        link::PPP => ppp(data),
        _ => data.to_vec(),
    }
}

/// A link header with an EtherType at `type_at`, and its payload at `payload_at`.
fn typed(data: &[u8], type_at: usize, payload_at: usize) -> Vec<u8> {
    let Some(mut ethertype) = u16_at(data, type_at) else { return data.to_vec() };
    let mut at = payload_at;
    while let Some((inner, inner_at)) = behind(ethertype, data, at) {
        (ethertype, at) = (inner, inner_at);
    }
    if at == payload_at {
        return data.to_vec();
    }
    let mut stripped = data[..payload_at].to_vec();
    stripped[type_at..type_at + 2].copy_from_slice(&ethertype.to_be_bytes());
    stripped.extend_from_slice(&data[at..]);
    stripped
}

/// MPLS in PPP (RFC 3032, section 4): the labels go, and the protocol becomes that of IP.
fn ppp(data: &[u8]) -> Vec<u8> {
    let protocol_at = if data.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    if u16_at(data, protocol_at) != Some(0x0281) {
        return data.to_vec();
    }
    let Some((ethertype, at)) = behind_mpls(data, protocol_at + 2) else { return data.to_vec() };
    let protocol: u16 = if ethertype == 0x0800 { 0x0021 } else { 0x0057 };
    [&data[..protocol_at], &protocol.to_be_bytes(), &data[at..]].concat()
}

/// What stands behind a tag of type `ethertype` at `at`: its type and place. `None` when there is no whole tag.
fn behind(ethertype: u16, data: &[u8], at: usize) -> Option<(u16, usize)> {
    match ethertype {
        0x8100 | 0x88a8 | 0x9100 => Some((u16_at(data, at + 2)?, at + 4)),
        0x8847 | 0x8848 => behind_mpls(data, at),
        0x8864 => match u16_at(data, at + 6)? {
            0x0021 => Some((0x0800, at + 8)),
            0x0057 => Some((0x86dd, at + 8)),
            0x0281 => behind_mpls(data, at + 8),
            _ => None,
        },
        _ => None,
    }
}

/// Behind the last label: the first nibble tells IPv4 from IPv6 (RFC 4928).
fn behind_mpls(data: &[u8], mut at: usize) -> Option<(u16, usize)> {
    loop {
        let is_last = data.get(at..at + 4)?[2] & 1 == 1;
        at += 4;
        if is_last {
            break;
        }
    }
    match data.get(at)? >> 4 {
        4 => Some((0x0800, at)),
        6 => Some((0x86dd, at)),
        _ => None,
    }
}

/// The IPv6 packet in `frame`, if there is one behind its link header of `link_len` bytes, without hop-by-hop, routing and
/// destination options headers, and without a fragment header that stands for a first fragment. A later fragment keeps
/// its header. A chain that is cut before it tells the protocol stays whole.
///
/// The payload length in the header stays as it was: filters do not look at it.
pub fn extensions(link_len: usize, frame: &[u8]) -> Vec<u8> {
    try_extensions(link_len, frame).unwrap_or_else(|| frame.to_vec())
}

fn try_extensions(link_len: usize, frame: &[u8]) -> Option<Vec<u8>> {
    let ip = frame.get(link_len..).filter(|ip| ip.first().is_some_and(|byte| byte >> 4 == 6))?;
    let (mut next, mut at) = (*ip.get(6)?, 40);
    loop {
        let header = (ip.get(at), ip.get(at + 1));
        match (next, header) {
            (0 | 43 | 60, (Some(&inner), Some(&len))) => (next, at) = (inner, at + 8 + usize::from(len) * 8),
            (44, (Some(&inner), _)) if u16_at(ip, at + 2)? & 0xfff8 == 0 => (next, at) = (inner, at + 8),
            (0 | 43 | 60, _) => return None,
            _ => break,
        }
    }
    let behind = ip.get(at..).unwrap_or_default();
    let mut stripped = frame.get(..link_len + 40)?.to_vec();
    stripped[link_len + 6] = next;
    stripped.extend_from_slice(behind);
    Some(stripped)
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use pcapx_core::time::Timestamp;

    use super::*;
    use crate::packet::{Ethernet, Extension, Ipv4, Ipv6, LinuxSll, LinuxSll2, Network, Udp};

    fn four() -> Network {
        Ipv4::new([1, 2, 3, 4], [5, 6, 7, 8]).carry(&Udp::new(1, 2).payload(b"x"))
    }

    fn six() -> Network {
        Ipv6::new([1u16, 2, 3, 4, 5, 6, 7, 8], [9; 8]).carry(&Udp::new(1, 2))
    }

    #[test]
    fn every_stack_of_tags_leaves_the_plain_frame() {
        for network in [four(), six()] {
            let plain = Ethernet::new().carry(&network);
            let stacks = [
                Ethernet::new(),
                Ethernet::new().vlan(7),
                Ethernet::new().qinq(7, 8),
                Ethernet::new().tag(0x9100, 1).vlan(2).vlan(3),
                Ethernet::new().mpls(&[16, 17, 18]),
                Ethernet::new().vlan(7).mpls(&[16]),
                Ethernet::new().pppoe(5),
                Ethernet::new().qinq(7, 8).pppoe(5),
                Ethernet::new().pppoe(5).mpls(&[16]),
            ];
            for stack in stacks {
                assert_eq!(frame(link::ETHERNET, &stack.carry(&network)), plain, "{stack:?}");
            }
        }
    }

    #[test]
    fn cooked_frames_are_stripped_too() {
        let tagged = Network::new(0x8100, [&[0, 7, 8, 0][..], &four().bytes].concat());
        assert_eq!(frame(link::LINUX_SLL, &LinuxSll::new().carry(&tagged)), LinuxSll::new().carry(&four()));
        assert_eq!(
            frame(link::LINUX_SLL2, &LinuxSll2::new().carry(&tagged)),
            LinuxSll2::new().carry(&four())
        );
    }

    #[test]
    fn labels_in_ppp_give_way_to_ip() {
        let labelled = [&[0xff, 0x03, 0x02, 0x81, 0, 1, 0, 64, 0, 1, 1, 64][..], &four().bytes].concat();
        let plain = [&[0xff, 0x03, 0, 0x21][..], &four().bytes].concat();
        assert_eq!(frame(link::PPP, &labelled), plain);
        assert_eq!(frame(link::PPP, &plain), plain);
    }

    #[test]
    fn what_hides_no_ip_stays() {
        let pseudowire = Ethernet::new().mpls(&[16]).carry(&Network::new(0, [0; 40]));
        assert_eq!(frame(link::ETHERNET, &pseudowire), pseudowire);
        let cut = &Ethernet::new().vlan(7).carry(&four())[..17];
        assert_eq!(frame(link::ETHERNET, cut), cut);
        let endless = Ethernet::new().mpls(&[]).carry(&Network::new(0x0800, [0; 7]));
        assert_eq!(frame(link::ETHERNET, &endless), endless);
    }

    #[test]
    fn extension_headers_give_way_to_what_they_carry() {
        let udp = Udp::new(1, 2).payload(&[7; 64]);
        let plain = Ipv6::new([1; 8], [2; 8]);
        let options =
            plain.clone().extension(Extension::HopByHop).extension(Extension::Destination { blocks: 3 });
        let whole = Ethernet::new().carry(&plain.carry(&udp));
        let without_length = |mut frame: Vec<u8>| {
            frame[18..20].fill(0);
            frame
        };
        let stripped = |network: &Network| without_length(extensions(14, &Ethernet::new().carry(network)));
        assert_eq!(stripped(&options.carry(&udp)), without_length(whole.clone()));
        let pieces = options.fragments(&udp, 48, 9);
        assert_eq!(stripped(&pieces[0]), without_length(whole[..14 + 40 + 48].to_vec()));
        assert_eq!((stripped(&pieces[1])[20], stripped(&pieces[1]).len()), (44, 14 + 40 + 8 + 24));
        let four = Ethernet::new().carry(&four());
        assert_eq!(extensions(14, &four), four);
    }

    #[test]
    fn the_length_on_the_wire_shrinks_with_the_frame() {
        let tagged = Packet {
            orig_len: 1000,
            ..Packet::new(Timestamp::default(), Ethernet::new().vlan(7).carry(&four()))
        };
        assert_eq!(packet(link::ETHERNET, &tagged).orig_len, 996);
    }
}
