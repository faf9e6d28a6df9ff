//! A few packets of every shape, over few hosts and ports, so that random filters hit them.

use std::net::{Ipv4Addr, Ipv6Addr};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, link};
use pcapx_testkit::packet::{
    Arp, Ethernet, Extension, Icmp, Icmpv6, Ipv4, Ipv6, LinuxSll, LinuxSll2, Loopback, Network, Raw, Sctp,
    Tcp, Udp,
};

pub(crate) const V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 1, 2), Ipv4Addr::new(192, 168, 0, 1)];
pub(crate) const V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 2),
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
];
pub(crate) const PORTS: [u16; 4] = [53, 443, 40_000, 65_535];
pub(crate) const MACS: [[u8; 6]; 3] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], [0xff; 6]];

/// Link types that the zoo comes in, each with the length of its header.
pub(crate) const LINKS: [(u32, usize); 6] = [
    (link::ETHERNET, 14),
    (link::LINUX_SLL, 16),
    (link::LINUX_SLL2, 20),
    (link::RAW, 0),
    (link::NULL, 4),
    (link::LOOP, 4),
];

/// Every network packet between every two hosts, in every frame that `link` has.
pub(crate) fn frames(link: u32) -> Vec<Vec<u8>> {
    let networks: Vec<Network> = (0..3).flat_map(|a| (0..3).map(move |b| (a, b))).flat_map(between).collect();
    let is_ip = |network: &&Network| matches!(network.ethertype, 0x0800 | 0x86dd);
    match link {
        link::ETHERNET => networks.iter().flat_map(ethernet).collect(),
        link::LINUX_SLL => networks.iter().map(|network| LinuxSll::new().carry(network)).collect(),
        link::LINUX_SLL2 => networks.iter().map(|network| LinuxSll2::new().carry(network)).collect(),
        link::NULL => networks.iter().filter(is_ip).map(|network| Loopback::new().carry(network)).collect(),
        link::LOOP => {
            let header = Loopback { big_endian: true, af_inet6: 24 };
            networks.iter().filter(is_ip).map(|network| header.carry(network)).collect()
        }
        _ => networks.iter().filter(is_ip).map(|network| network.bytes.clone()).collect(),
    }
}

/// The frames as packets, a microsecond apart.
pub(crate) fn packets(frames: Vec<Vec<u8>>) -> Vec<Packet> {
    let at = |number: i64| Timestamp::from_nanos(1_772_355_600_000_000_000 + number * 1000);
    (0..).zip(frames).map(|(number, frame)| Packet::new(at(number), frame)).collect()
}

fn between((a, b): (usize, usize)) -> Vec<Network> {
    let (p, q) = (PORTS[a], PORTS[(a + b + 1) % 4]);
    let (tcp, udp) = (Tcp::new(p, q).payload(b"abc"), Udp::new(q, p).payload(&[7; 64]));
    let sctp = Sctp::new(p, q).payload(b"abc");
    let (esp, gre) = (Raw { protocol: 50, bytes: vec![9; 24] }, Raw { protocol: 47, bytes: vec![0; 24] });

    let four = Ipv4::new(V4[a], V4[b]).id(7);
    let with_options = four.clone().options(&[0x94, 4, 0, 0, 1, 1, 1, 1]);
    let mut networks = vec![
        four.carry(&tcp),
        four.carry(&udp),
        four.carry(&sctp),
        four.carry(&esp),
        four.carry(&gre),
        four.carry(&Icmp::echo_request(1, 2, b"ping")),
        with_options.carry(&tcp),
        with_options.carry(&udp),
        four.carry(&four.carry(&tcp)),
        Arp::request((MACS[0], V4[a]), V4[b]).network(),
        Arp::reply((MACS[1], V4[a]), (MACS[0], V4[b])).network(),
        Arp::reverse_request((MACS[1], V4[a]), (MACS[0], V4[b])).network(),
    ];
    networks.extend(four.fragments(&udp, 32));
    networks.extend(with_options.fragments(&tcp, 8));

    let six = Ipv6::new(V6[a], V6[b]);
    let options = six.clone().extension(Extension::HopByHop).extension(Extension::Destination { blocks: 1 });
    let routed = six.clone().extension(Extension::Routing { segment: V6[b] });
    let whole = Extension::Fragment { offset: 0, more: false, id: 9 };
    networks.extend([
        six.carry(&tcp),
        six.carry(&udp),
        six.carry(&sctp),
        six.carry(&esp),
        six.carry(&Icmpv6::echo_request(1, 2, b"ping")),
        six.carry(&six.carry(&udp)),
        options.carry(&tcp),
        options.carry(&Icmpv6::echo_reply(1, 2, b"ping")),
        routed.carry(&udp),
        six.clone().extension(whole).carry(&tcp),
        six.clone().extension(Extension::Authentication).carry(&tcp),
    ]);
    networks.extend(six.fragments(&udp, 32, 9));
    networks.extend(options.fragments(&tcp, 8, 9));
    networks
}

fn ethernet(network: &Network) -> Vec<Vec<u8>> {
    let plain = Ethernet::new();
    let back = Ethernet::between(MACS[1], MACS[2]).padded();
    let mut stacks = vec![
        plain.clone(),
        back.clone(),
        plain.clone().vlan(5),
        back.vlan(6).vlan(5),
        plain.clone().qinq(5, 6),
    ];
    if matches!(network.ethertype, 0x0800 | 0x86dd) {
        stacks.extend([
            plain.clone().mpls(&[16, 17]),
            plain.clone().vlan(6).mpls(&[16]),
            plain.clone().pppoe(1),
            plain.qinq(5, 6).pppoe(1),
        ]);
    }
    stacks.iter().map(|stack| stack.carry(network)).collect()
}
