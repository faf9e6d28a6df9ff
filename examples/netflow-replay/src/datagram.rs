//! From a captured packet to the UDP payload in it.

use etherparse::{EtherType, IpNumber, LaxSlicedPacket, TransportSlice};
use pcapx_timeline::link::LinkType;
use pcapx_timeline::segment::Packet;

/// Header of a Linux cooked capture, version 1 and 2, and of a BSD loopback packet.
const SLL_BYTES: usize = 16;
const SLL2_BYTES: usize = 20;
const LOOPBACK_BYTES: usize = 4;

/// What a packet is to a replay.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Datagram<'a> {
    /// A whole UDP datagram.
    Udp { destination_port: u16, payload: &'a [u8] },
    /// One piece of a UDP datagram that was sent in several.
    Fragment,
    /// A UDP datagram of which the capture holds only the beginning.
    Cut { destination_port: u16 },
    /// Anything else.
    Other,
}

impl<'a> Datagram<'a> {
    /// Looks into a packet, through VLAN tags and IPv6 extension headers.
    pub(crate) fn of(packet: &Packet<'a>) -> Self {
        slice(packet.link_type, packet.data).map_or(Self::Other, |sliced| Self::from_slices(&sliced))
    }

    fn from_slices(sliced: &LaxSlicedPacket<'a>) -> Self {
        if let Some(TransportSlice::Udp(udp)) = &sliced.transport {
            let destination_port = udp.destination_port();
            let payload = udp.payload();
            // The length field counts the header's 8 bytes; 0 stands for a jumbogram.
            if usize::from(udp.length()) > payload.len() + 8 {
                return Self::Cut { destination_port };
            }
            return Self::Udp { destination_port, payload };
        }
        match sliced.net.as_ref().and_then(|net| net.ip_payload_ref()) {
            Some(ip) if ip.fragmented && ip.ip_number == IpNumber::UDP => Self::Fragment,
            _ => Self::Other,
        }
    }
}

fn slice(link: LinkType, data: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    match link {
        LinkType::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok(),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
            LaxSlicedPacket::from_ip(data).ok()
        }
        LinkType::NULL | LinkType::LOOP => LaxSlicedPacket::from_ip(data.get(LOOPBACK_BYTES..)?).ok(),
        // The EtherType is the last field of version 1 and the first of version 2.
        LinkType::LINUX_SLL => from_ether_type(data.get(14..SLL_BYTES)?, data.get(SLL_BYTES..)?),
        LinkType::LINUX_SLL2 => from_ether_type(data.get(..2)?, data.get(SLL2_BYTES..)?),
        _ => None,
    }
}

fn from_ether_type<'a>(ether_type: &[u8], rest: &'a [u8]) -> Option<LaxSlicedPacket<'a>> {
    let ether_type = u16::from_be_bytes(*ether_type.first_chunk()?);
    Some(LaxSlicedPacket::from_ether_type(EtherType(ether_type), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcapx_core::time::Timestamp;
    use pcapx_testkit::packet::{
        Ethernet, Extension, Ipv4, Ipv6, LinuxSll, LinuxSll2, Loopback, Network, Tcp, Udp,
    };

    const HELLO: Datagram<'_> = Datagram::Udp { destination_port: 2055, payload: b"hello" };

    fn of(link_type: LinkType, data: &[u8]) -> Datagram<'_> {
        Datagram::of(&Packet {
            time: Timestamp::MIN,
            data,
            orig_len: data.len() as u32,
            link_type,
            interface: 0,
        })
    }

    fn hello() -> Udp {
        Udp::new(40_000, 2055).payload(b"hello")
    }

    fn v4() -> Network {
        Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&hello())
    }

    fn v6() -> Network {
        Ipv6::new([0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 2]).carry(&hello())
    }

    #[test]
    fn udp_is_found_behind_every_link_header() {
        for network in [v4(), v6()] {
            assert_eq!(of(LinkType::ETHERNET, &Ethernet::new().carry(&network)), HELLO);
            assert_eq!(of(LinkType::ETHERNET, &Ethernet::new().padded().carry(&network)), HELLO);
            assert_eq!(of(LinkType::ETHERNET, &Ethernet::new().vlan(7).carry(&network)), HELLO);
            assert_eq!(of(LinkType::ETHERNET, &Ethernet::new().qinq(7, 8).carry(&network)), HELLO);
            assert_eq!(of(LinkType::LINUX_SLL, &LinuxSll::new().carry(&network)), HELLO);
            assert_eq!(of(LinkType::LINUX_SLL2, &LinuxSll2::new().carry(&network)), HELLO);
            assert_eq!(of(LinkType::NULL, &Loopback::new().carry(&network)), HELLO);
            assert_eq!(of(LinkType::RAW, &network.bytes), HELLO);
        }
        assert_eq!(of(LinkType(147), &v4().bytes), Datagram::Other);
    }

    #[test]
    fn udp_is_found_behind_options_and_extension_headers() {
        let options = Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).options(&[1, 1, 1, 0]).carry(&hello());
        assert_eq!(of(LinkType::RAW, &options.bytes), HELLO);
        let extended = Ipv6::new([0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 2])
            .extension(Extension::HopByHop)
            .carry(&hello());
        assert_eq!(of(LinkType::RAW, &extended.bytes), HELLO);
    }

    #[test]
    fn fragments_are_told_apart() {
        let udp = Udp::new(40_000, 2055).payload(&[0; 1000]);
        for fragment in Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).fragments(&udp, 512) {
            assert_eq!(of(LinkType::RAW, &fragment.bytes), Datagram::Fragment);
        }
        let tcp = Tcp::new(40_000, 2055).payload(&[0; 1000]);
        for fragment in Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).fragments(&tcp, 512) {
            assert_eq!(of(LinkType::RAW, &fragment.bytes), Datagram::Other);
        }
    }

    #[test]
    fn a_packet_cut_short_is_never_taken_for_whole() {
        let frame = Ethernet::new().vlan(7).carry(&v4());
        for kept in 0..frame.len() {
            let found = of(LinkType::ETHERNET, &frame[..kept]);
            let has_ports = kept >= 14 + 4 + 20 + 8;
            let expected = if has_ports { Datagram::Cut { destination_port: 2055 } } else { Datagram::Other };
            assert_eq!(found, expected, "{kept} bytes");
        }
    }
}
