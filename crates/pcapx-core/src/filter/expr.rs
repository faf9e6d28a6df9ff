//! The filter as a typed expression, and the BPF text it prints.

use std::fmt::{self, Display};
use std::net::IpAddr;

use ipnetwork::IpNetwork;

/// A packet filter.
///
/// `And` and `Or` hold two terms or more when they come out of this crate; an empty `And` is true of every
/// packet, an empty `Or` of none. [`Display`] prints text that [`parse`](super::parse()) reads back to
/// the [normalised](Expr::normalised) expression and that libpcap compiles to the same meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// Every part is true.
    And(Vec<Expr>),
    /// At least one part is true.
    Or(Vec<Expr>),
    /// The part is not true.
    Not(Box<Expr>),
    /// One test of one packet.
    Term(Primitive),
}

/// One test of one packet; the names are those of pcap-filter(7).
///
/// Some values have no text in that language and never come out of this crate: a `scope` of the other IP version than
/// the address, and an Ethernet type up to 1500, which there stands for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// `host A`: an address of the IP, ARP or RARP header.
    Host {
        /// Which of the two addresses.
        dir: Dir,
        /// The header the address is looked for in.
        scope: Scope,
        /// The address.
        addr: IpAddr,
    },
    /// `net A/LEN`: the same for a network.
    Net {
        /// Which of the two addresses.
        dir: Dir,
        /// The header the address is looked for in.
        scope: Scope,
        /// The network, host bits clear.
        net: IpNetwork,
    },
    /// `port N` or `portrange N-M` of TCP, UDP or SCTP, in the first fragment.
    Port {
        /// Which of the two ports.
        dir: Dir,
        /// Only this transport; `None` is any of the three.
        transport: Option<Transport>,
        /// The lowest port that matches.
        first: u16,
        /// The highest port that matches, not below `first`.
        last: u16,
    },
    /// A protocol above IP: `tcp`, `icmp6`, `ip proto 47`, `proto 6`.
    IpProto {
        /// In which IP header.
        family: Family,
        /// IANA's protocol number.
        number: u8,
    },
    /// A protocol above the link layer: `ip`, `ip6`, `arp`, `ether proto 0x88cc`.
    EtherProto(u16),
    /// `ether host MAC`.
    EtherHost {
        /// Which of the two addresses.
        dir: Dir,
        /// The address.
        addr: [u8; 6],
    },
    /// `vlan` or `vlan ID`: an 802.1Q or 802.1ad tag at any depth.
    Vlan(Option<u16>),
}

/// Which of a packet's two addresses or ports a test looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dir {
    /// Either one (`src or dst`, or no word at all).
    #[default]
    Either,
    /// The sender's.
    Src,
    /// The receiver's.
    Dst,
    /// Both at once (`src and dst`).
    Both,
}

/// The header in which `host` and `net` look for an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// IPv4, ARP and RARP for an IPv4 address, IPv6 for an IPv6 address.
    #[default]
    Any,
    /// `ip host A`: IPv4 only.
    Ip,
    /// `ip6 host A`: IPv6 only.
    Ip6,
    /// `arp host A`.
    Arp,
    /// `rarp host A`.
    Rarp,
}

/// The transports that have ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
    /// SCTP, protocol 132.
    Sctp,
}

/// The IP versions a protocol test looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Ethernet type numbers of the protocols that have a word of their own in pcap-filter(7).
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// Reverse ARP.
    pub const RARP: u16 = 0x8035;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
}

/// IANA protocol numbers of the protocols that have a word of their own in pcap-filter(7).
pub mod ipproto {
    /// ICMP, in IPv4 only.
    pub const ICMP: u8 = 1;
    /// IGMP, in IPv4 only.
    pub const IGMP: u8 = 2;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// Encapsulating security payload.
    pub const ESP: u8 = 50;
    /// Authentication header.
    pub const AH: u8 = 51;
    /// ICMPv6, in IPv6 only.
    pub const ICMPV6: u8 = 58;
    /// Protocol-independent multicast.
    pub const PIM: u8 = 103;
    /// Virtual router redundancy, in IPv4 only for the word `vrrp`.
    pub const VRRP: u8 = 112;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

impl Expr {
    /// `host A` on either side.
    pub fn host(addr: IpAddr) -> Self {
        Self::Term(Primitive::Host { dir: Dir::Either, scope: Scope::Any, addr })
    }

    /// `port N` on either side, of any transport.
    pub fn port(number: u16) -> Self {
        Self::Term(Primitive::Port { dir: Dir::Either, transport: None, first: number, last: number })
    }

    /// The protocol `number` above IP; ICMP and ICMPv6 are bound to their IP version.
    pub fn protocol(number: u8) -> Self {
        let family = match number {
            ipproto::ICMP => Family::V4,
            ipproto::ICMPV6 => Family::V6,
            _ => Family::Any,
        };
        Self::Term(Primitive::IpProto { family, number })
    }

    /// All of `terms`: the term itself when there is one, `None` when there is none.
    pub fn all(terms: Vec<Expr>) -> Option<Self> {
        Self::join(terms, Self::And)
    }

    /// Any of `terms`: the term itself when there is one, `None` when there is none.
    pub fn any(terms: Vec<Expr>) -> Option<Self> {
        Self::join(terms, Self::Or)
    }

    fn join(mut terms: Vec<Expr>, join: fn(Vec<Expr>) -> Self) -> Option<Self> {
        if terms.len() > 1 { Some(join(terms)) } else { terms.pop() }
    }
}

impl Transport {
    /// IANA's protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => ipproto::TCP,
            Self::Udp => ipproto::UDP,
            Self::Sctp => ipproto::SCTP,
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => term.fmt(f),
            Self::Not(inner) => write!(f, "not {}", Operand(inner)),
            Self::And(terms) => join(f, terms, " and "),
            Self::Or(terms) if terms.is_empty() => f.write_str("ip and not ip"),
            Self::Or(terms) => join(f, terms, " or "),
        }
    }
}

/// A part of a larger expression: in parentheses unless it is a single test, because `and` and `or` bind alike
/// in pcap-filter(7).
struct Operand<'a>(&'a Expr);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::And(terms) if terms.is_empty() => f.write_str("(ip or not ip)"),
            Expr::And(_) | Expr::Or(_) => write!(f, "({})", self.0),
            Expr::Not(_) | Expr::Term(_) => self.0.fmt(f),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, terms: &[Expr], word: &str) -> fmt::Result {
    for (i, term) in terms.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        Operand(term).fmt(f)?;
    }
    Ok(())
}

impl Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Host { dir, scope, addr } => write!(f, "{scope}{dir}host {addr}"),
            Self::Net { dir, scope, net } => write!(f, "{scope}{dir}net {}/{}", net.network(), net.prefix()),
            Self::Port { dir, transport, first, last } => {
                if let Some(transport) = transport {
                    write!(f, "{transport} ")?;
                }
                if first == last {
                    write!(f, "{dir}port {first}")
                } else {
                    write!(f, "{dir}portrange {first}-{last}")
                }
            }
            Self::IpProto { family, number } => match proto_word(family, number) {
                Some(word) => f.write_str(word),
                None => match family {
                    Family::Any => write!(f, "proto {number}"),
                    Family::V4 => write!(f, "ip proto {number}"),
                    Family::V6 => write!(f, "ip6 proto {number}"),
                },
            },
            Self::EtherProto(ethertype::IPV4) => f.write_str("ip"),
            Self::EtherProto(ethertype::IPV6) => f.write_str("ip6"),
            Self::EtherProto(ethertype::ARP) => f.write_str("arp"),
            Self::EtherProto(ethertype::RARP) => f.write_str("rarp"),
            Self::EtherProto(number) => write!(f, "ether proto {number:#06x}"),
            Self::EtherHost { dir, addr: [a, b, c, d, e, g] } => {
                write!(f, "ether {dir}host {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Self::Vlan(None) => f.write_str("vlan"),
            Self::Vlan(Some(id)) => write!(f, "vlan {id}"),
        }
    }
}

fn proto_word(family: Family, number: u8) -> Option<&'static str> {
    Some(match (family, number) {
        (Family::Any, ipproto::TCP) => "tcp",
        (Family::Any, ipproto::UDP) => "udp",
        (Family::Any, ipproto::SCTP) => "sctp",
        (Family::Any, ipproto::ESP) => "esp",
        (Family::Any, ipproto::AH) => "ah",
        (Family::Any, ipproto::PIM) => "pim",
        (Family::V4, ipproto::ICMP) => "icmp",
        (Family::V4, ipproto::IGMP) => "igmp",
        (Family::V4, ipproto::VRRP) => "vrrp",
        (Family::V6, ipproto::ICMPV6) => "icmp6",
        _ => return None,
    })
}

/// The word with a blank behind it, or nothing for the default.
impl Display for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Either => "",
            Self::Src => "src ",
            Self::Dst => "dst ",
            Self::Both => "src and dst ",
        })
    }
}

/// The word with a blank behind it, or nothing for the default.
impl Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "",
            Self::Ip => "ip ",
            Self::Ip6 => "ip6 ",
            Self::Arp => "arp ",
            Self::Rarp => "rarp ",
        })
    }
}

impl Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}
