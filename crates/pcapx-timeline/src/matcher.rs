//! What a filter means for a packet.
//!
//! The meaning is tcpdump's, packet for packet: `host` is true of ARP too, `port` of first fragments only, `tcp` of
//! IPv4 and IPv6, and a test that needs bytes which were not captured rejects the packet, whatever stands around the
//! test – `not port 80` is not true of a packet that ends before its ports. Tests are made from left to right and
//! only as far as needed, as in the program that libpcap compiles.
//!
//! It differs from tcpdump's where an alert's packets would be missed otherwise:
//!
//! * Tags are transparent: 802.1Q, 802.1ad, MPLS and PPPoE do not hide the IP header.
//! * IPv6 extension headers are walked over: `tcp` and `port` see what stands behind them.
//! * IPv6 in BSD loopback captures is seen whichever number the capturing system gave it.
//! * `vlan ID` looks at every tag of the packet and moves nothing: `vlan 5 and host A` and `host A and vlan 5` are the
//!   same.

use std::net::IpAddr;

use crate::packet::{Network, PacketKeys, Pair, Ports, Reach};
use pcapx_core::filter::{Dir, Expr, Family, Primitive, Scope, Transport, ipproto};

/// A filter made ready for many packets.
#[derive(Clone, Debug)]
pub struct Matcher {
    root: Node,
}

/// The answer of a test; `None` when it needs bytes that were not captured.
type Answer = Option<bool>;

#[derive(Clone, Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    V4 {
        dir: Dir,
        scope: Scope,
        addr: u32,
        mask: u32,
    },
    V6 {
        dir: Dir,
        addr: u128,
        mask: u128,
    },
    /// An address of one family in the header of another: never true.
    Never,
    Other(Primitive),
}

impl Matcher {
    /// Makes `filter` ready.
    pub fn new(filter: &Expr) -> Self {
        Self { root: Node::new(filter) }
    }

    /// Whether the filter is true of a packet with these keys.
    #[inline]
    pub fn matches(&self, keys: &PacketKeys) -> bool {
        self.root.test(keys) == Some(true)
    }

    /// Whether the filter can be true of a packet of which no more than `known` of these keys is known.
    pub(crate) fn may_match(&self, keys: &PacketKeys, known: Known) -> bool {
        self.root.possible(keys, known).yes
    }
}

/// How much of a packet's keys is known. Ethernet addresses never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Neither addresses nor ports.
    Kind,
    /// All others.
    Flow,
}

/// The answers that a test can have when not all keys are known. Neither is possible where bytes are missing.
#[derive(Clone, Copy, Debug)]
struct Possible {
    yes: bool,
    no: bool,
}

impl Possible {
    const ANY: Self = Self { yes: true, no: true };

    fn of(answer: Answer) -> Self {
        Self { yes: answer == Some(true), no: answer == Some(false) }
    }
}

impl Node {
    fn new(filter: &Expr) -> Self {
        match filter {
            Expr::And(parts) => Self::And(parts.iter().map(Self::new).collect()),
            Expr::Or(parts) => Self::Or(parts.iter().map(Self::new).collect()),
            Expr::Not(part) => Self::Not(Box::new(Self::new(part))),
            Expr::Term(Primitive::Host { dir, scope, addr: IpAddr::V4(addr) }) => {
                Self::v4(*dir, *scope, u32::from(*addr), u32::MAX)
            }
            Expr::Term(Primitive::Host { dir, scope, addr: IpAddr::V6(addr) }) => {
                Self::v6(*dir, *scope, u128::from(*addr), u128::MAX)
            }
            Expr::Term(Primitive::Net { dir, scope, net }) => match (net.network(), net.mask()) {
                (IpAddr::V4(addr), IpAddr::V4(mask)) => Self::v4(*dir, *scope, addr.into(), mask.into()),
                (IpAddr::V6(addr), IpAddr::V6(mask)) => Self::v6(*dir, *scope, addr.into(), mask.into()),
                _ => Self::Never,
            },
            Expr::Term(other) => Self::Other(*other),
        }
    }

    fn v4(dir: Dir, scope: Scope, addr: u32, mask: u32) -> Self {
        if scope == Scope::Ip6 { Self::Never } else { Self::V4 { dir, scope, addr, mask } }
    }

    fn v6(dir: Dir, scope: Scope, addr: u128, mask: u128) -> Self {
        if matches!(scope, Scope::Any | Scope::Ip6) { Self::V6 { dir, addr, mask } } else { Self::Never }
    }

    fn test(&self, keys: &PacketKeys) -> Answer {
        match self {
            Self::And(parts) => {
                for part in parts {
                    if !part.test(keys)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            Self::Or(parts) => {
                for part in parts {
                    if part.test(keys)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Self::Not(part) => Some(!part.test(keys)?),
            Self::V4 { dir, scope, addr, mask } => {
                let is = |value| value & mask == *addr;
                match (keys.network, scope) {
                    (Network::V4(pair), Scope::Any | Scope::Ip)
                    | (Network::Arp(pair), Scope::Any | Scope::Arp)
                    | (Network::Rarp(pair), Scope::Any | Scope::Rarp) => {
                        addresses(*dir, keys.reach, pair, is)
                    }
                    _ => linked(keys).map(|()| false),
                }
            }
            Self::V6 { dir, addr, mask } => match keys.network {
                Network::V6(pair) => addresses(*dir, keys.reach, pair, |value| value & mask == *addr),
                _ => linked(keys).map(|()| false),
            },
            Self::Never => linked(keys).map(|()| false),
            Self::Other(primitive) => other(primitive, keys),
        }
    }
}

impl Node {
    /// What [`test`](Self::test) can answer.
    fn possible(&self, keys: &PacketKeys, known: Known) -> Possible {
        match self {
            // A part is only tested when all before it were true.
            Self::And(parts) => parts.iter().fold(Possible { yes: true, no: false }, |so_far, part| {
                if !so_far.yes {
                    return so_far;
                }
                let part = part.possible(keys, known);
                Possible { yes: part.yes, no: so_far.no || part.no }
            }),
            Self::Or(parts) => parts.iter().fold(Possible { yes: false, no: true }, |so_far, part| {
                if !so_far.no {
                    return so_far;
                }
                let part = part.possible(keys, known);
                Possible { yes: so_far.yes || part.yes, no: part.no }
            }),
            Self::Not(part) => {
                let Possible { yes, no } = part.possible(keys, known);
                Possible { yes: no, no: yes }
            }
            Self::Other(Primitive::EtherHost { .. }) => Possible::ANY,
            Self::V4 { scope, .. } if known == Known::Kind => match (keys.network, scope) {
                (Network::V4(_), Scope::Any | Scope::Ip)
                | (Network::Arp(_), Scope::Any | Scope::Arp)
                | (Network::Rarp(_), Scope::Any | Scope::Rarp) => Possible::ANY,
                _ => Possible::of(self.test(keys)),
            },
            Self::V6 { .. } if known == Known::Kind && matches!(keys.network, Network::V6(_)) => {
                Possible::ANY
            }
            Self::Other(Primitive::Port { .. })
                if known == Known::Kind && matches!(keys.ports, Ports::Source(_) | Ports::Both(_)) =>
            {
                // Which transport it is, is known.
                Possible {
                    no: true,
                    ..self.with_any_port().map_or(Possible::ANY, |node| Possible::of(node.test(keys)))
                }
            }
            _ => Possible::of(self.test(keys)),
        }
    }

    /// The same test of a port, true of every number.
    fn with_any_port(&self) -> Option<Self> {
        match *self {
            Self::Other(Primitive::Port { dir, transport, .. }) => {
                Some(Self::Other(Primitive::Port { dir, transport, first: 0, last: u16::MAX }))
            }
            _ => None,
        }
    }
}

/// Whether the link header was captured: without it nothing can be said of what it carries.
#[inline]
fn linked(keys: &PacketKeys) -> Option<()> {
    (keys.reach >= Reach::Link).then_some(())
}

fn other(primitive: &Primitive, keys: &PacketKeys) -> Answer {
    match *primitive {
        Primitive::EtherProto(number) => linked(keys).map(|()| keys.ethertype == Some(number)),
        Primitive::IpProto { family, number } => protocol(family, number, keys),
        Primitive::Port { dir, transport, first, last } => ports(dir, transport, first..=last, keys),
        Primitive::EtherHost { dir, addr } => match keys.ether {
            Some(pair) => Some(choose(dir, pair, |value| value == addr)),
            // Too short an Ethernet frame has no answer; a link without such addresses has one.
            None => linked(keys).map(|()| false),
        },
        Primitive::Vlan(None) => linked(keys).map(|()| !keys.vlans().is_empty()),
        Primitive::Vlan(Some(id)) => linked(keys).map(|()| keys.vlans().contains(&id)),
        // Made into nodes of their own.
        Primitive::Host { .. } | Primitive::Net { .. } => Some(false),
    }
}

fn protocol(family: Family, number: u8, keys: &PacketKeys) -> Answer {
    linked(keys)?;
    match keys.network {
        Network::V4(_) if family != Family::V6 => {
            (keys.reach >= Reach::Protocol).then_some(keys.protocol == Some(number))
        }
        Network::V6(_) if family != Family::V4 => {
            let next = keys.next_header?;
            // Where the chain of extension headers was cut, only what the fixed header says is known.
            if next == number { Some(true) } else { keys.protocol.map(|protocol| protocol == number) }
        }
        _ => Some(false),
    }
}

fn ports(
    dir: Dir,
    transport: Option<Transport>,
    range: std::ops::RangeInclusive<u16>,
    keys: &PacketKeys,
) -> Answer {
    linked(keys)?;
    if !matches!(keys.network, Network::V4(_) | Network::V6(_)) {
        return Some(false);
    }
    let number = keys.protocol?;
    let has_ports = match transport {
        Some(wanted) => wanted.number() == number,
        None => matches!(number, ipproto::TCP | ipproto::UDP | ipproto::SCTP),
    };
    if !has_ports {
        return Some(false);
    }
    match keys.ports {
        Ports::None => Some(false),
        Ports::Cut => None,
        Ports::Source(src) => of_source(dir, range.contains(&src)),
        Ports::Both(pair) => Some(choose(dir, pair, |port| range.contains(&port))),
    }
}

/// The answer when only the sender's half was captured and `is` is the answer for that; `None` where the other counts.
#[inline]
fn of_source(dir: Dir, is: bool) -> Answer {
    match (dir, is) {
        (Dir::Src, is) => Some(is),
        (Dir::Either, true) => Some(true),
        (Dir::Both, false) => Some(false),
        _ => None,
    }
}

#[inline]
fn choose<T: Copy>(dir: Dir, pair: Pair<T>, is: impl Fn(T) -> bool) -> bool {
    match dir {
        Dir::Either => is(pair.src) || is(pair.dst),
        Dir::Src => is(pair.src),
        Dir::Dst => is(pair.dst),
        Dir::Both => is(pair.src) && is(pair.dst),
    }
}

#[inline]
fn addresses<T: Copy>(dir: Dir, reach: Reach, pair: Pair<T>, is: impl Fn(T) -> bool) -> Answer {
    if reach >= Reach::Addresses {
        return Some(choose(dir, pair, is));
    }
    if reach < Reach::Source {
        return None;
    }
    of_source(dir, is(pair.src))
}
