//! Random expressions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use pcapx_core::filter::{Dir, Expr, Family, Primitive, Scope, Transport};
use proptest::prelude::*;

fn dir() -> impl Strategy<Value = Dir> {
    prop_oneof![Just(Dir::Either), Just(Dir::Src), Just(Dir::Dst), Just(Dir::Both)]
}

fn addr() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::V4),
        any::<Ipv6Addr>().prop_map(IpAddr::V6),
        any::<Ipv4Addr>().prop_map(|addr| IpAddr::V6(addr.to_ipv6_mapped())),
        // Runs of zeros, which the text makes short.
        any::<[bool; 8]>().prop_map(|set| IpAddr::V6(Ipv6Addr::from(set.map(u16::from)))),
    ]
}

fn scope(addr: IpAddr) -> BoxedStrategy<Scope> {
    if addr.is_ipv4() {
        prop_oneof![Just(Scope::Any), Just(Scope::Ip), Just(Scope::Arp), Just(Scope::Rarp)].boxed()
    } else {
        prop_oneof![Just(Scope::Any), Just(Scope::Ip6)].boxed()
    }
}

fn net() -> impl Strategy<Value = IpNetwork> {
    (addr(), any::<u8>()).prop_map(|(addr, len)| {
        let len = len % if addr.is_ipv4() { 33 } else { 129 };
        let network = IpNetwork::new(addr, len).unwrap();
        IpNetwork::new(network.network(), len).unwrap()
    })
}

fn primitive() -> impl Strategy<Value = Primitive> {
    let host = (addr(), dir())
        .prop_flat_map(|(addr, dir)| scope(addr).prop_map(move |scope| Primitive::Host { dir, scope, addr }));
    let net = (net(), dir()).prop_flat_map(|(net, dir)| {
        scope(net.ip()).prop_map(move |scope| Primitive::Net { dir, scope, net })
    });
    let transport = prop_oneof![
        Just(None),
        Just(Some(Transport::Tcp)),
        Just(Some(Transport::Udp)),
        Just(Some(Transport::Sctp))
    ];
    let port = (dir(), transport, any::<u16>(), prop_oneof![Just(None), any::<u16>().prop_map(Some)])
        .prop_map(|(dir, transport, one, other)| {
            let other = other.unwrap_or(one);
            Primitive::Port { dir, transport, first: one.min(other), last: one.max(other) }
        });
    let family = prop_oneof![Just(Family::Any), Just(Family::V4), Just(Family::V6)];
    let ip_proto = (
        family,
        prop_oneof![any::<u8>(), prop::sample::select(vec![1, 2, 6, 17, 50, 51, 58, 103, 112, 132])],
    )
        .prop_map(|(family, number)| Primitive::IpProto { family, number });
    let ether_proto = prop_oneof![0x5ddu16.., prop::sample::select(vec![0x0800, 0x0806, 0x8035, 0x86dd])]
        .prop_filter("AppleTalk", |number| ![0x809b, 0x80f3].contains(number))
        .prop_map(Primitive::EtherProto);
    let ether_host = (dir(), any::<[u8; 6]>()).prop_map(|(dir, addr)| Primitive::EtherHost { dir, addr });
    let vlan = prop_oneof![Just(None), (0u16..4096).prop_map(Some)].prop_map(Primitive::Vlan);
    prop_oneof![4 => host, 3 => net, 4 => port, 3 => ip_proto, 1 => ether_proto, 1 => ether_host, 1 => vlan]
}

/// Any expression, empty joins and joins of one part included.
pub(crate) fn random() -> impl Strategy<Value = Expr> {
    primitive().prop_map(Expr::Term).prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

/// An expression in normal form that has text of its own; what is true of no packet has none.
pub(crate) fn normal() -> impl Strategy<Value = Expr> {
    random()
        .prop_map(Expr::normalised)
        .prop_map(|expr| if expr == Expr::Or(vec![]) { Expr::And(vec![]) } else { expr })
}

pub(crate) fn has_empty_join(expr: &Expr) -> bool {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.is_empty() || parts.iter().any(has_empty_join),
        Expr::Not(inner) => has_empty_join(inner),
        Expr::Term(_) => false,
    }
}
