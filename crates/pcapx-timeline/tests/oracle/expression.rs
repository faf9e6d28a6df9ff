//! Random filters over the hosts, ports and addresses of the zoo.

use std::net::IpAddr;

use pcapx_core::filter::{Dir, Expr, Family, Primitive, Scope, Transport};
use pcapx_testkit::trace::Trace;
use proptest::prelude::*;
use proptest::sample::select;

use crate::zoo;

/// Expressions of a dozen terms at most, as `term` makes them.
pub(crate) fn expression(term: impl Strategy<Value = Primitive> + 'static) -> impl Strategy<Value = Expr> {
    term.prop_map(Expr::Term).prop_recursive(4, 12, 3, |part| {
        let parts = prop::collection::vec(part.clone(), 2..=3);
        prop_oneof![
            parts.clone().prop_map(Expr::And),
            parts.prop_map(Expr::Or),
            part.prop_map(|part| Expr::Not(Box::new(part))),
        ]
    })
}

/// Every primitive that means to tcpdump what it means to us: all but `vlan`, which moves its place in a packet.
pub(crate) fn term() -> impl Strategy<Value = Primitive> {
    let host_term = (host(), dir()).prop_flat_map(|(addr, dir)| {
        scope_of(addr).prop_map(move |scope| Primitive::Host { dir, scope, addr })
    });
    let net_term = (host(), dir(), 0..=128u8).prop_flat_map(|(addr, dir, bits)| {
        let net = masked(addr, if addr.is_ipv4() { bits / 4 } else { bits });
        scope_of(addr).prop_map(move |scope| Primitive::Net { dir, scope, net: net.parse().unwrap() })
    });
    let transport =
        prop_oneof![Just(None), select(vec![Transport::Tcp, Transport::Udp, Transport::Sctp]).prop_map(Some)];
    let port = prop_oneof![4 => select(zoo::PORTS.to_vec()), 1 => any::<u16>()];
    let port_term = (dir(), transport, port, prop_oneof![2 => Just(0), 1 => any::<u16>()]).prop_map(
        |(dir, transport, first, more)| Primitive::Port {
            dir,
            transport,
            first,
            last: first.saturating_add(more),
        },
    );
    let words = [
        (Family::Any, 6),
        (Family::Any, 17),
        (Family::Any, 132),
        (Family::Any, 50),
        (Family::V4, 1),
        (Family::V6, 58),
        (Family::V4, 47),
        (Family::V6, 6),
        (Family::Any, 51),
        (Family::V4, 4),
    ];
    let protocol_term =
        select(words.to_vec()).prop_map(|(family, number)| Primitive::IpProto { family, number });
    let ether_term = select(vec![0x0800, 0x86dd, 0x0806, 0x8035]).prop_map(Primitive::EtherProto);
    let mac_term =
        (dir(), select(zoo::MACS.to_vec())).prop_map(|(dir, addr)| Primitive::EtherHost { dir, addr });
    prop_oneof![4 => host_term, 3 => net_term, 4 => port_term, 3 => protocol_term, 1 => ether_term, 1 => mac_term]
}

/// Hosts of the zoo and the trace, and one that is in neither.
fn host() -> impl Strategy<Value = IpAddr> {
    let known: Vec<IpAddr> = zoo::V4.map(IpAddr::V4).into_iter().chain(zoo::V6.map(IpAddr::V6)).collect();
    prop_oneof![9 => select(known), 1 => Just("203.0.113.9".parse().unwrap()), 1 => Just(Trace::HOST.into())]
}

fn dir() -> impl Strategy<Value = Dir> {
    select(vec![Dir::Either, Dir::Either, Dir::Src, Dir::Dst, Dir::Both])
}

fn scope_of(addr: IpAddr) -> impl Strategy<Value = Scope> {
    select(match addr {
        IpAddr::V4(_) => vec![Scope::Any, Scope::Any, Scope::Ip, Scope::Arp, Scope::Rarp],
        IpAddr::V6(_) => vec![Scope::Any, Scope::Any, Scope::Ip6],
    })
}

fn masked(addr: IpAddr, bits: u8) -> String {
    let network: IpAddr = match addr {
        IpAddr::V4(addr) => {
            (addr.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).to_be_bytes().into()
        }
        IpAddr::V6(addr) => {
            (addr.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).to_be_bytes().into()
        }
    };
    format!("{network}/{bits}")
}
