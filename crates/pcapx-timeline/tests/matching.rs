//! What filters are true of: tags, fragments, options, extension headers, link types and packets cut short.

use std::path::Path;

use pcapx_core::filter::parse;
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::packet::{
    Arp, Ethernet, Extension, Icmp, Icmpv6, Ipv4, Ipv6, LinuxSll, LinuxSll2, Loopback, Network, Tcp, Udp,
};
use pcapx_testkit::tool::Tcpdump;
use pcapx_timeline::link::LinkType;
use pcapx_timeline::matcher::Matcher;
use pcapx_timeline::packet::PacketKeys;

const CLIENT: [u8; 4] = [10, 0, 0, 10];
const SERVER: [u8; 4] = [10, 0, 0, 20];
const CLIENT6: &str = "2001:db8::10";
const SERVER6: &str = "2001:db8::20";

fn tcp4() -> Network {
    Ipv4::new(CLIENT, SERVER).carry(&Tcp::new(50_000, 443).payload(b"hello"))
}

fn ipv6() -> Ipv6 {
    Ipv6::new(CLIENT6.parse::<std::net::Ipv6Addr>().unwrap(), SERVER6.parse::<std::net::Ipv6Addr>().unwrap())
}

fn udp6() -> Network {
    ipv6().carry(&Udp::new(40_000, 53).payload(b"hello"))
}

#[track_caller]
fn check(link: u32, data: &[u8], is_true: &[&str], is_false: &[&str]) {
    let keys = PacketKeys::of(LinkType(link as u16), data);
    for (filters, wanted) in [(is_true, true), (is_false, false)] {
        for text in filters {
            let matches = Matcher::new(&parse(text).unwrap()).matches(&keys);
            assert_eq!(matches, wanted, "{text:?} of {keys:?}");
        }
    }
}

const TCP4_TRUE: [&str; 12] = [
    "ip",
    "tcp",
    "proto 6",
    "host 10.0.0.10",
    "dst host 10.0.0.20",
    "src and dst net 10.0.0.0/24",
    "port 443",
    "tcp src port 50000",
    "portrange 400-500",
    "not udp",
    "host 10.0.0.10 and not port 80",
    "not (arp or ip6)",
];
const TCP4_FALSE: [&str; 9] = [
    "ip6",
    "udp",
    "src host 10.0.0.20",
    "udp port 443",
    "src port 443",
    "src and dst port 443",
    "arp host 10.0.0.10",
    "net 10.0.1.0/24",
    "port 442 or portrange 444-49999",
];

#[test]
fn tags_do_not_hide_what_they_carry() {
    let frames = [
        Ethernet::new().carry(&tcp4()),
        Ethernet::new().vlan(7).carry(&tcp4()),
        Ethernet::new().qinq(100, 200).carry(&tcp4()),
        Ethernet::new().tag(0x9100, 5).vlan(6).vlan(7).vlan(8).vlan(9).carry(&tcp4()),
        Ethernet::new().mpls(&[16]).carry(&tcp4()),
        Ethernet::new().vlan(7).mpls(&[16, 17, 18]).carry(&tcp4()),
        Ethernet::new().pppoe(3).carry(&tcp4()),
        Ethernet::new().qinq(100, 200).pppoe(3).carry(&tcp4()),
    ];
    for frame in frames {
        check(link::ETHERNET, &frame, &TCP4_TRUE, &TCP4_FALSE);
    }
    for frame in [
        Ethernet::new().vlan(7).carry(&udp6()),
        Ethernet::new().mpls(&[16]).carry(&udp6()),
        Ethernet::new().pppoe(1).carry(&udp6()),
    ] {
        check(
            link::ETHERNET,
            &frame,
            &["ip6", "udp", "host 2001:db8::10", "udp port 53", "net 2001:db8::/32"],
            &["ip", "tcp"],
        );
    }
}

#[test]
fn every_tag_can_be_asked_for() {
    let frame = Ethernet::new().qinq(100, 200).carry(&tcp4());
    check(
        link::ETHERNET,
        &frame,
        &["vlan", "vlan 100", "vlan 200", "vlan 100 and vlan 200 and host 10.0.0.10"],
        &["vlan 7", "not vlan"],
    );
    check(link::ETHERNET, &Ethernet::new().carry(&tcp4()), &["not vlan"], &["vlan", "vlan 0"]);
}

#[test]
fn every_link_type_leads_to_the_ip_header() {
    let cisco = [&[0x0f, 0, 8, 0][..], &tcp4().bytes].concat();
    let ppp = [&[0, 0x21][..], &tcp4().bytes].concat();
    let ppp_framed = [&[0xff, 3, 0, 0x21][..], &tcp4().bytes].concat();
    let frames = [
        (link::LINUX_SLL, LinuxSll::new().carry(&tcp4())),
        (link::LINUX_SLL2, LinuxSll2::new().carry(&tcp4())),
        (link::NULL, Loopback::new().carry(&tcp4())),
        (link::LOOP, [&2_u32.to_be_bytes()[..], &tcp4().bytes].concat()),
        (link::NULL, [&2_u32.to_be_bytes()[..], &tcp4().bytes].concat()),
        (link::RAW, tcp4().bytes.clone()),
        (12, tcp4().bytes.clone()),
        (14, tcp4().bytes.clone()),
        (link::IPV4, tcp4().bytes.clone()),
        (104, cisco),
        (link::PPP, ppp),
        (link::PPP, ppp_framed.clone()),
        (50, ppp_framed),
        (link::PPP, [&[0xff, 3, 2, 0x81, 0, 1, 0x01, 64][..], &tcp4().bytes].concat()),
    ];
    for (link, frame) in frames {
        check(link, &frame, &TCP4_TRUE, &TCP4_FALSE);
    }
    for family in [10_u32, 24, 28, 30] {
        let frame = [&family.to_le_bytes()[..], &udp6().bytes].concat();
        check(link::NULL, &frame, &["ip6 and udp port 53"], &["ip"]);
    }
    check(147, &tcp4().bytes, &["not host 10.0.0.10"], &["host 10.0.0.10", "ip", "tcp"]);
}

#[test]
fn options_and_extension_headers_are_walked_over() {
    let options = Ipv4::new(CLIENT, SERVER).options(&[1; 12]).carry(&Tcp::new(50_000, 443));
    check(link::ETHERNET, &Ethernet::new().carry(&options), &TCP4_TRUE, &TCP4_FALSE);
    let extended = ipv6()
        .extension(Extension::HopByHop)
        .extension(Extension::Routing { segment: SERVER6.parse().unwrap() })
        .extension(Extension::Destination { blocks: 2 })
        .carry(&Udp::new(40_000, 53));
    check(
        link::ETHERNET,
        &Ethernet::new().carry(&extended),
        &["udp port 53", "udp", "ip6 proto 0", "ip6 proto 17"],
        &["tcp", "ip6 proto 60"],
    );
}

#[test]
fn later_fragments_have_a_protocol_and_no_ports() {
    let big = Udp::new(40_000, 53).payload(&[7; 3000]);
    let four = Ipv4::new(CLIENT, SERVER).fragments(&big, 1400);
    let six = ipv6().fragments(&big, 1400, 99);
    for fragments in [four, six] {
        assert!(fragments.len() > 2);
        for (n, fragment) in fragments.iter().enumerate() {
            let frame = Ethernet::new().vlan(3).carry(fragment);
            let (ports, not): (&[&str], &[&str]) = (&["udp port 53", "src port 40000"], &["not udp", "tcp"]);
            check(link::ETHERNET, &frame, &["udp", "host 10.0.0.10 or host 2001:db8::10"], not);
            if n == 0 {
                check(link::ETHERNET, &frame, ports, &[]);
            } else {
                check(link::ETHERNET, &frame, &["not port 53"], ports);
            }
        }
    }
}

#[test]
fn arp_has_hosts_and_icmp_is_of_its_ip_version() {
    let arp = Arp::request(([2; 6], CLIENT.into()), SERVER).network();
    check(
        link::ETHERNET,
        &Ethernet::new().vlan(9).carry(&arp),
        &["arp", "host 10.0.0.10", "dst host 10.0.0.20", "arp net 10.0.0.0/24"],
        &["ip", "ip host 10.0.0.10", "rarp host 10.0.0.10", "tcp", "port 443"],
    );
    let icmp = Ipv4::new(CLIENT, SERVER).carry(&Icmp::echo_request(1, 1, b"x"));
    check(link::ETHERNET, &Ethernet::new().carry(&icmp), &["icmp", "not icmp6"], &["icmp6", "port 0"]);
    let icmp6 = ipv6().carry(&Icmpv6::echo_request(1, 1, b"x"));
    check(link::ETHERNET, &Ethernet::new().carry(&icmp6), &["icmp6", "not icmp"], &["icmp", "port 0"]);
}

/// Every filter on every packet cut at every length gives tcpdump's answer.
#[test]
fn packets_cut_at_any_length_are_judged_as_by_tcpdump() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let arp = Arp::request(([2; 6], CLIENT.into()), SERVER).network();
    let fragment =
        Ipv4::new(CLIENT, SERVER).fragments(&Udp::new(53, 53).payload(&[7; 3000]), 1400).swap_remove(1);
    let frames = [tcp4(), udp6(), arp, fragment].map(|n| Ethernet::new().carry(&n));
    let packets: Vec<Packet> = frames
        .iter()
        .flat_map(|frame| {
            (0..=frame.len().min(80)).map(|len| {
                Packet::new(Timestamp::from_secs(i64::try_from(len).unwrap()), frame.clone()).cut(len)
            })
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.pcap");
    Pcap::new().write(&path, &packets);
    let filters = TCP4_TRUE.iter().chain(&TCP4_FALSE).chain(&[
        "not port 80",
        "not host 10.0.0.10",
        "host 10.0.0.10 or port 443",
        "port 443 or host 10.0.0.10",
        "not tcp",
        "not src host 10.0.0.10",
        "udp port 53",
        "not udp port 53",
        "src or dst host 2001:db8::20",
        "not dst host 2001:db8::20",
        "not arp",
        "dst port 53",
        "not src port 53",
        "not dst port 53",
        "src and dst host 10.0.0.10",
        "ether host 02:02:02:02:02:02",
        "not ip6 proto 17",
        "not ip proto 6",
    ]);
    for text in filters {
        assert_eq!(ours(&packets, text), theirs(&tcpdump, &path, text), "{text}");
    }
}

/// Neither a filter nor its opposite is true of a packet that ends before the answer.
#[track_caller]
fn check_open(link: u32, data: &[u8], filters: &[&str]) {
    for filter in filters {
        check(link, data, &[], &[filter, &format!("not ({filter})")]);
    }
}

#[test]
fn a_packet_cut_inside_a_tag_says_nothing_of_what_it_carries() {
    // What is asked of them all is false or open of the shortest piece, whatever the whole packet carries.
    const CARRIED: [&str; 6] = ["ip", "tcp", "port 443", "host 10.0.0.10", "vlan 7", "ip6 or arp"];
    let stacks = [
        (Ethernet::new().vlan(7), 14..18),
        (Ethernet::new().qinq(7, 8), 14..22),
        (Ethernet::new().mpls(&[16, 17]), 14..23),
        (Ethernet::new().vlan(7).pppoe(1), 14..26),
        (Ethernet::new().pppoe(1).mpls(&[16]), 14..27),
    ];
    for (stack, inside) in stacks {
        let frame = stack.carry(&tcp4());
        for len in inside.clone() {
            check_open(link::ETHERNET, &frame[..len], &CARRIED);
        }
        check(link::ETHERNET, &frame[..inside.end], &["ip", "not ip6"], &["not ip"]);
    }
    let labels = [&[0xff, 3, 2, 0x81, 0, 1, 0x01, 64][..], &tcp4().bytes].concat();
    for len in 0..9 {
        check_open(link::PPP, &labels[..len], &CARRIED);
    }
    check(link::PPP, &labels[..9], &["ip", "not vlan 7"], &["ip6"]);
}

#[test]
fn a_packet_cut_inside_extension_headers_has_an_open_protocol() {
    let extended = ipv6().extension(Extension::HopByHop).extension(Extension::Destination { blocks: 1 });
    let frame = Ethernet::new().carry(&extended.carry(&Udp::new(40_000, 53)));
    let headers_end = 14 + 40 + 8 + 16;
    for len in 14 + 40..=14 + 40 + 8 {
        check_open(link::ETHERNET, &frame[..len], &["udp", "tcp", "port 53", "udp port 80", "ip6 proto 60"]);
        check(link::ETHERNET, &frame[..len], &["ip6 proto 0", "dst host 2001:db8::20", "not icmp"], &["ip"]);
    }
    check(link::ETHERNET, &frame[..headers_end], &["udp", "not tcp", "not tcp port 53"], &["tcp"]);
    check_open(link::ETHERNET, &frame[..headers_end], &["port 53", "udp port 80"]);
}

fn ours(packets: &[Packet], text: &str) -> Vec<(Timestamp, Vec<u8>)> {
    let matcher = Matcher::new(&parse(text).unwrap());
    let hits = packets.iter().filter(|p| matcher.matches(&PacketKeys::of(LinkType::ETHERNET, &p.data)));
    hits.map(|p| (p.time, p.data.clone())).collect()
}

fn theirs(tcpdump: &Tcpdump, path: &Path, text: &str) -> Vec<(Timestamp, Vec<u8>)> {
    let answer = tcpdump.read(path, text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    answer.packets.into_iter().map(|p| (p.time, p.data)).collect()
}
