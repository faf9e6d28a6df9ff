//! What is kept of a packet.

use pcapx_recorder::options::Layer;
use pcapx_testkit::packet::{
    Arp, Ethernet, Extension, Icmp, Icmpv6, Ipv4, Ipv6, LinuxSll, LinuxSll2, Loopback,
};
use pcapx_testkit::packet::{Network, Raw, Sctp, Tcp, Udp};
use pcapx_timeline::link::LinkType;
use pcapx_timeline::packet::{PacketKeys, Ports};
use proptest::prelude::*;

const ARP: u16 = 0x0806;

const LINKS: [LinkType; 14] = [
    LinkType::NULL,
    LinkType::ETHERNET,
    LinkType::PPP,
    LinkType::RAW_BSD,
    LinkType::RAW_OPENBSD,
    LinkType::PPP_HDLC,
    LinkType::RAW,
    LinkType::C_HDLC,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
    LinkType(147),
];

fn kept(link: LinkType, packet: &[u8]) -> [usize; 3] {
    Layer::ALL.map(|layer| layer.kept(link, packet))
}

fn v4() -> Ipv4 {
    Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2])
}

fn v6() -> Ipv6 {
    Ipv6::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2])
}

fn ethernet(network: &Network) -> [usize; 3] {
    kept(LinkType::ETHERNET, &Ethernet::new().carry(network))
}

#[test]
fn headers_are_kept_and_what_they_carry_is_not() {
    let payload = [0x77; 500];
    let tcp = Tcp::new(40_000, 443).payload(&payload);
    let udp = Udp::new(40_000, 53).payload(&payload);
    assert_eq!(ethernet(&v4().carry(&tcp)), [14, 34, 54]);
    assert_eq!(ethernet(&v4().options(&[1; 8]).carry(&tcp.clone().options(&[1; 12]))), [14, 42, 74]);
    assert_eq!(ethernet(&v4().carry(&udp)), [14, 34, 42]);
    assert_eq!(ethernet(&v4().carry(&Sctp::new(1, 2).payload(&payload))), [14, 34, 46]);
    assert_eq!(ethernet(&v4().carry(&Icmp::echo_request(1, 1, &payload))), [14, 34, 42]);
    assert_eq!(ethernet(&v6().carry(&tcp)), [14, 54, 74]);
    assert_eq!(ethernet(&v6().carry(&Icmpv6::echo_request(1, 1, &payload))), [14, 54, 62]);
    // A protocol that is not taken apart: its header is payload.
    assert_eq!(ethernet(&v4().piece(47, &payload, 0, false)), [14, 34, 34]);
    assert_eq!(ethernet(&Network::new(0x88cc, payload)), [14, 14, 14]);
}

#[test]
fn tags_belong_to_the_link_header() {
    let network = v4().carry(&Udp::new(1, 2).payload(&[7; 100]));
    let cases = [
        (Ethernet::new().vlan(7), 18),
        (Ethernet::new().qinq(7, 8), 22),
        (Ethernet::new().mpls(&[16, 17]), 22),
        (Ethernet::new().pppoe(1), 22),
    ];
    for (link, bytes) in cases {
        assert_eq!(kept(LinkType::ETHERNET, &link.carry(&network)), [bytes, bytes + 20, bytes + 28]);
    }
}

#[test]
fn every_link_header_is_known() {
    let network = v4().carry(&Udp::new(1, 2).payload(&[7; 100]));
    assert_eq!(kept(LinkType::LINUX_SLL, &LinuxSll::new().carry(&network)), [16, 36, 44]);
    assert_eq!(kept(LinkType::LINUX_SLL2, &LinuxSll2::new().carry(&network)), [20, 40, 48]);
    assert_eq!(kept(LinkType::NULL, &Loopback::new().carry(&network)), [4, 24, 32]);
    assert_eq!(kept(LinkType::RAW, &network.bytes), [0, 20, 28]);
    // Bluetooth and the like: where headers end is not known.
    assert_eq!(kept(LinkType(201), &network.bytes), [128; 3]);
}

#[test]
fn extension_headers_belong_to_ip_and_later_fragments_have_no_transport() {
    let udp = Udp::new(1, 2).payload(&[7; 3000]);
    let with = v6().extension(Extension::HopByHop).carry(&udp);
    assert_eq!(ethernet(&with), [14, 62, 70]);
    let [first, .., last] = &v6().fragments(&udp, 1200, 9)[..] else { panic!("fragments") };
    assert_eq!(ethernet(first), [14, 62, 70]);
    assert_eq!(ethernet(last), [14, 62, 62]);
    let [first, .., last] = &v4().fragments(&udp, 1200)[..] else { panic!("fragments") };
    assert_eq!(ethernet(first), [14, 34, 42]);
    assert_eq!(ethernet(last), [14, 34, 34]);
    // An authentication header of 24 bytes, then UDP.
    let mut authenticated = vec![17, 4, 0, 0];
    authenticated.extend([0; 20]);
    authenticated.extend([0, 1, 0, 2, 0, 108, 0, 0]);
    authenticated.extend([7; 100]);
    assert_eq!(ethernet(&v6().piece(51, &authenticated)), [14, 78, 86]);
}

#[test]
fn arp_is_all_header_and_its_padding_is_not() {
    let sender = ([2, 0, 0, 0, 0, 1], [10, 0, 0, 1].into());
    let frame = Ethernet::new().padded().carry(&Arp::request(sender, [10, 0, 0, 2]).network());
    assert_eq!(kept(LinkType::ETHERNET, &frame), [14, 42, 42]);
}

/// Frames of all kinds, some with bytes changed.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let link = prop_oneof![
        Just(Ethernet::new()),
        Just(Ethernet::new().vlan(7)),
        Just(Ethernet::new().qinq(7, 8)),
        Just(Ethernet::new().mpls(&[16, 17])),
        Just(Ethernet::new().pppoe(1)),
    ];
    let network = (0..10_u8, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, payload)| {
        let tcp = Tcp::new(40_000, 443).options(&[1; 8]).payload(&payload);
        let udp = Udp::new(40_000, 53).payload(&payload);
        match kind {
            0 => v4().carry(&tcp),
            1 => v4().options(&[1; 4]).carry(&udp),
            2 => v4().carry(&Sctp::new(1, 2).payload(&payload)),
            3 => v4().carry(&Icmp::echo_request(1, 1, &payload)),
            4 => v6().carry(&tcp),
            5 => v6().extension(Extension::HopByHop).carry(&udp),
            6 => v6().piece(51, &payload),
            7 => v4().piece(6, &payload, 8, true),
            8 => v4().carry(&Raw { protocol: 41, bytes: payload }),
            _ => Network::new(ARP, payload),
        }
    });
    let change = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (link, network, change, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(link, network, changes, cut, is_cut)| {
            // PPP carries IP only.
            let link = if network.ethertype == ARP { Ethernet::new().vlan(7) } else { link };
            let mut frame = link.carry(&network);
            for (at, byte) in changes {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            if is_cut {
                frame.truncate(cut.index(frame.len() + 1));
            }
            frame
        },
    )
}

fn check(link: LinkType, packet: &[u8]) -> Result<(), TestCaseError> {
    let [two, three, four] = kept(link, packet);
    prop_assert!(two <= three && three <= four && four <= packet.len());
    let whole = PacketKeys::of(link, packet);
    let with_transport = PacketKeys::of(link, &packet[..four]);
    prop_assert_eq!(with_transport, whole, "searches find it as before");
    let without = |keys: PacketKeys| PacketKeys { ports: Ports::None, ..keys };
    let with_network = PacketKeys::of(link, &packet[..three]);
    prop_assert_eq!(without(with_network), without(whole), "its ports are all that is lost");
    let with_link = PacketKeys::of(link, &packet[..two]);
    prop_assert_eq!((with_link.ether, with_link.vlans()), (whole.ether, whole.vlans()));
    // Slicing what is sliced changes nothing.
    for (layer, kept) in Layer::ALL.into_iter().zip([two, three, four]) {
        prop_assert_eq!(layer.kept(link, &packet[..kept]), kept);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn slicing_takes_no_keys_of_frames(frame in frame()) {
        check(LinkType::ETHERNET, &frame)?;
    }

    #[test]
    fn any_bytes_are_answered(
        link in (0..LINKS.len()).prop_map(|at| LINKS[at]),
        packet in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        check(link, &packet)?;
    }
}
