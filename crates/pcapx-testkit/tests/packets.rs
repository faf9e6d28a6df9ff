//! The packet builders against an independent parser: lengths, header chains and checksums.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{LaxNetSlice, LaxSlicedPacket, NetSlice, SlicedPacket, TransportSlice};
use pcapx_testkit::packet::{
    Ethernet, Extension, Icmp, Icmpv6, Ipv4, Ipv6, Network, Payload, Sctp, Tcp, Udp, tcp_flags,
};

const A4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B4: Ipv4Addr = Ipv4Addr::new(192, 168, 255, 254);
const A6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const B6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0xffff, 0xfffe);

/// Payloads of odd and even length, and one that fills a datagram well.
const BODIES: [&[u8]; 4] = [b"", b"x", b"even", &[0xa5; 1471]];

/// The transport's own checksum is right when the sum over the pseudo header and all bytes folds to all ones.
fn checksum_holds(net: &NetSlice<'_>, transport: &TransportSlice<'_>) -> bool {
    match (net, transport) {
        (NetSlice::Ipv4(ip), TransportSlice::Tcp(tcp)) => {
            tcp.to_header().calc_checksum_ipv4(&ip.header().to_header(), tcp.payload()) == Ok(tcp.checksum())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Tcp(tcp)) => {
            tcp.to_header().calc_checksum_ipv6(&ip.header().to_header(), tcp.payload()) == Ok(tcp.checksum())
        }
        (NetSlice::Ipv4(ip), TransportSlice::Udp(udp)) => {
            udp.to_header().calc_checksum_ipv4(&ip.header().to_header(), udp.payload()) == Ok(udp.checksum())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Udp(udp)) => {
            udp.to_header().calc_checksum_ipv6(&ip.header().to_header(), udp.payload()) == Ok(udp.checksum())
        }
        (NetSlice::Ipv4(_), TransportSlice::Icmpv4(icmp)) => {
            icmp.icmp_type().calc_checksum(icmp.payload()) == icmp.checksum()
        }
        (NetSlice::Ipv6(ip), TransportSlice::Icmpv6(icmp)) => {
            icmp.is_checksum_valid(ip.header().source(), ip.header().destination())
        }
        _ => false,
    }
}

fn check(network: &Network) {
    let stacks = [
        Ethernet::new(),
        Ethernet::new().padded(),
        Ethernet::new().vlan(7),
        Ethernet::new().qinq(100, 200),
        Ethernet::new().tag(0x9100, 0xe005).vlan(4095),
    ];
    for stack in stacks {
        let frame = stack.carry(network);
        let parsed = SlicedPacket::from_ethernet(&frame).expect("the frame parses strictly");
        let (net, transport) = (parsed.net.expect("an IP header"), parsed.transport.expect("a transport"));
        if let NetSlice::Ipv4(ip) = &net {
            assert_eq!(ip.header().to_header().calc_header_checksum(), ip.header().header_checksum());
        }
        assert!(checksum_holds(&net, &transport), "wrong checksum in {frame:02x?}");
    }
}

#[test]
fn checksums_and_lengths_hold_behind_every_header() {
    for body in BODIES {
        let tcp = Tcp::new(40_000, 443).flags(tcp_flags::SYN | tcp_flags::ACK).options(&[2, 4, 5, 0xb4, 1]);
        let tcp = tcp.sequence(0xffff_fffe, 77).payload(body);
        let udp = Udp::new(53, 65_535).payload(body);
        for header in [Ipv4::new(A4, B4).id(9).ttl(1), Ipv4::new(A4, B4).options(&[0x94, 4, 0, 0, 1])] {
            check(&header.carry(&tcp));
            check(&header.carry(&udp));
            check(&header.carry(&Icmp::echo_request(1, 2, body)));
            check(&header.carry(&Icmp::echo_reply(1, 2, body)));
        }
        let plain = Ipv6::new(A6, B6).hop_limit(3);
        let chained = plain
            .clone()
            .extension(Extension::HopByHop)
            .extension(Extension::Destination { blocks: 2 })
            .extension(Extension::Routing { segment: B6 })
            .extension(Extension::Fragment { offset: 0, more: false, id: 5 })
            .extension(Extension::Authentication)
            .extension(Extension::Destination { blocks: 40 });
        for header in [plain, chained] {
            check(&header.carry(&tcp));
            check(&header.carry(&udp));
            check(&header.carry(&Icmpv6::echo_request(1, 2, body)));
            check(&header.carry(&Icmpv6::echo_reply(1, 2, body)));
        }
    }
}

#[test]
fn unreachable_messages_quote_the_offender() {
    let four = Ipv4::new(A4, B4).carry(&Udp::new(1, 2).payload(&[1; 100]));
    check(&Ipv4::new(B4, A4).carry(&Icmp::unreachable(3, &four)));
    let six = Ipv6::new(A6, B6).carry(&Udp::new(1, 2).payload(&[1; 100]));
    check(&Ipv6::new(B6, A6).carry(&Icmpv6::unreachable(4, &six)));
}

#[test]
fn fragments_join_to_the_whole() {
    let udp = Udp::new(1000, 2000).payload(&[0x5a; 3001]);
    let whole = Ipv4::new(A4, B4).carry(&udp).bytes[20..].to_vec();
    let pieces = Ipv4::new(A4, B4).id(77).options(&[1, 1, 1, 1]).fragments(&udp, 1480);
    assert_eq!(pieces.len(), 3);
    let mut joined = Vec::new();
    for piece in &pieces {
        let parsed = LaxSlicedPacket::from_ip(&piece.bytes).unwrap();
        let Some(LaxNetSlice::Ipv4(ip)) = parsed.net else { panic!("no IPv4 header") };
        assert_eq!(usize::from(ip.header().fragments_offset().value()) * 8, joined.len());
        assert_eq!(ip.header().identification(), 77);
        joined.extend_from_slice(ip.payload().payload);
        assert_eq!(ip.header().more_fragments(), joined.len() < whole.len());
    }
    // The checksum covers the addresses, which are the same; so the bytes are.
    assert_eq!(joined, whole);

    let whole = Ipv6::new(A6, B6).carry(&udp).bytes[40..].to_vec();
    let pieces = Ipv6::new(A6, B6).extension(Extension::HopByHop).fragments(&udp, 1232, 0xdead_beef);
    let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes[40 + 8 + 8..].to_vec()).collect();
    assert_eq!(joined, whole);
    assert_eq!(pieces[1].bytes[40..56], [44, 0, 5, 2, 0, 0, 1, 0, 17, 0, 0x04, 0xd1, 0xde, 0xad, 0xbe, 0xef]);
    assert_eq!(pieces[2].bytes[51] & 1, 0, "the last fragment says so");
}

#[test]
fn tunnels_and_sctp_have_their_protocol_numbers() {
    let inner = Ipv4::new(A4, B4).carry(&Tcp::new(1, 2));
    assert_eq!((inner.protocol(), Ipv4::new(A4, B4).carry(&inner).bytes[9]), (4, 4));
    let inner = Ipv6::new(A6, B6).carry(&Tcp::new(1, 2));
    assert_eq!(Ipv4::new(A4, B4).carry(&inner).bytes[9], 41);
    let sctp = Ipv4::new(A4, B4).carry(&Sctp::new(5, 6).payload(b"abc"));
    assert_eq!((sctp.bytes[9], sctp.bytes.len()), (132, 20 + 12 + 16 + 4));
}
