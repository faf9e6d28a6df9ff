//! What can be asked of a packet: about its own addresses, ports and protocols, so that there is something to find, and
//! about others, so that there is something to miss.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use pcapx_core::filter::{Dir, Expr, Family, Primitive, Scope, Transport};
use pcapx_timeline::packet::{Network, PacketKeys, Ports};

const DIRS: [Dir; 4] = [Dir::Either, Dir::Src, Dir::Dst, Dir::Both];
const FAMILIES: [Family; 3] = [Family::Any, Family::V4, Family::V6];

/// Every kind of test of a packet with these keys, alone and joined.
pub(crate) fn questions(keys: &PacketKeys) -> Vec<Expr> {
    let mut tests = Vec::new();
    addresses(keys, &mut tests);
    ports(keys, &mut tests);
    protocols(keys, &mut tests);
    link(keys, &mut tests);
    let tests: Vec<_> = tests.into_iter().map(Expr::Term).collect();
    // Neighbours are of one kind; of two that stand far apart, one may be open where the other is answered.
    let half = tests.len() / 2;
    let pairs = tests.iter().zip(&tests[half..]).flat_map(|(one, other)| {
        let not = Expr::Not(Box::new(other.clone()));
        [Expr::And(vec![one.clone(), not]), Expr::Or(vec![other.clone(), one.clone()])]
    });
    let joined: Vec<_> = pairs.collect();
    [tests, joined].concat()
}

fn addresses(keys: &PacketKeys, tests: &mut Vec<Primitive>) {
    let (src, dst): (IpAddr, IpAddr) = match keys.network {
        Network::None => (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()),
        Network::V4(pair) | Network::Arp(pair) | Network::Rarp(pair) => {
            (Ipv4Addr::from(pair.src).into(), Ipv4Addr::from(pair.dst).into())
        }
        Network::V6(pair) => (Ipv6Addr::from(pair.src).into(), Ipv6Addr::from(pair.dst).into()),
    };
    for addr in [src, dst, Ipv4Addr::new(192, 0, 2, 1).into(), Ipv6Addr::LOCALHOST.into()] {
        for dir in DIRS {
            tests.push(Primitive::Host { dir, scope: Scope::Any, addr });
        }
        let scopes: &[_] = if addr.is_ipv4() { &[Scope::Ip, Scope::Arp, Scope::Rarp] } else { &[Scope::Ip6] };
        tests.extend(scopes.iter().map(|&scope| Primitive::Host { dir: Dir::Either, scope, addr }));
        for prefix in [0, 8, 20] {
            let Ok(net) = IpNetwork::new(addr, prefix).and_then(|net| IpNetwork::new(net.network(), prefix))
            else {
                continue;
            };
            tests.extend([Dir::Either, Dir::Dst].map(|dir| Primitive::Net { dir, scope: Scope::Any, net }));
        }
    }
}

fn ports(keys: &PacketKeys, tests: &mut Vec<Primitive>) {
    let (src, dst) = match keys.ports {
        Ports::None | Ports::Cut => (53, 443),
        Ports::Source(src) => (src, 443),
        Ports::Both(pair) => (pair.src, pair.dst),
    };
    for (first, last) in [(src, src), (dst, dst), (dst ^ 1, dst ^ 1), (src.min(dst), src.max(dst))] {
        for dir in DIRS {
            tests.push(Primitive::Port { dir, transport: None, first, last });
        }
        for transport in [Transport::Tcp, Transport::Udp, Transport::Sctp] {
            tests.push(Primitive::Port { dir: Dir::Either, transport: Some(transport), first, last });
        }
    }
}

fn protocols(keys: &PacketKeys, tests: &mut Vec<Primitive>) {
    let numbers = [keys.protocol.unwrap_or(47), keys.next_header.unwrap_or(44), 6, 17, 58];
    for number in numbers {
        tests.extend(FAMILIES.map(|family| Primitive::IpProto { family, number }));
    }
    let types = [keys.ethertype.unwrap_or(0x88cc), 0x0800, 0x86dd, 0x0806, 0x8100];
    tests.extend(types.map(Primitive::EtherProto));
}

fn link(keys: &PacketKeys, tests: &mut Vec<Primitive>) {
    let ether = keys.ether.unwrap_or_default();
    for addr in [ether.src, ether.dst, [0xff; 6]] {
        tests.extend(DIRS.map(|dir| Primitive::EtherHost { dir, addr }));
    }
    tests.extend([Primitive::Vlan(None), Primitive::Vlan(Some(7))]);
    tests.extend(keys.vlans().iter().map(|&id| Primitive::Vlan(Some(id))));
}
