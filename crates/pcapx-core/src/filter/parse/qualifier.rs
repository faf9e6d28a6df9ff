//! The words in front of a value, and the test they make of it.
//!
//! `src net` in `src net 10.0.0.0/8 or 192.168.0.0/16` is a [`Qualifier`]: it is written once and holds for both values.
//! [`Qualifier::test`] is the table of pcap-filter(7) that says which qualifier takes which value, and what is meant.

use ipnetwork::IpNetwork;

use super::error::ParseError;
use super::keyword::Layer;
use super::lexer::Dotted;
use super::names;
use super::network::{ipv4_network, ipv6_network, is_single, masked_network, short_network};
use super::ports::{Ports, ReadPorts, port, port_range};
use super::value::{Value, ValueKind};
use crate::filter::{Dir, Family, Primitive, Scope, Transport, ethertype, ipproto};

/// The words in front of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Qualifier {
    /// `ip`, `tcp`, `ether` …
    pub(super) layer: Option<Layer>,
    /// `src`, `dst`, `src or dst`, `src and dst`.
    pub(super) dir: Dir,
    /// `host`, `net` …; `None` behind a lone `src` or `dst`, where it means a host.
    pub(super) kind: Option<Kind>,
}

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

impl Layer {
    /// The test that the word alone is; `ether` alone is none.
    pub(super) fn test(self) -> Option<Primitive> {
        let ip = |family, number| Some(Primitive::IpProto { family, number });
        match self {
            Self::Ether => None,
            Self::Ip => Some(Primitive::EtherProto(ethertype::IPV4)),
            Self::Ip6 => Some(Primitive::EtherProto(ethertype::IPV6)),
            Self::Arp => Some(Primitive::EtherProto(ethertype::ARP)),
            Self::Rarp => Some(Primitive::EtherProto(ethertype::RARP)),
            Self::Tcp => ip(Family::Any, ipproto::TCP),
            Self::Udp => ip(Family::Any, ipproto::UDP),
            Self::Sctp => ip(Family::Any, ipproto::SCTP),
            Self::Icmp => ip(Family::V4, ipproto::ICMP),
            Self::Icmp6 => ip(Family::V6, ipproto::ICMPV6),
            Self::Igmp => ip(Family::V4, ipproto::IGMP),
            Self::Esp => ip(Family::Any, ipproto::ESP),
            Self::Ah => ip(Family::Any, ipproto::AH),
            Self::Pim => ip(Family::Any, ipproto::PIM),
            Self::Vrrp => ip(Family::V4, ipproto::VRRP),
        }
    }
}

impl Qualifier {
    /// The test that these words make of `value`.
    pub(super) fn test(self, value: Value<'_>) -> Result<Primitive, ParseError> {
        match self.kind {
            Some(Kind::Proto) => self.protocol(value),
            Some(Kind::Port) => self.port(value, port),
            Some(Kind::PortRange) => self.port(value, port_range),
            None | Some(Kind::Host | Kind::Net) if self.layer == Some(Layer::Ether) => self.ether_host(value),
            None | Some(Kind::Host) => self.address(value, false),
            Some(Kind::Net) => self.address(value, true),
        }
    }

    fn protocol(self, value: Value<'_>) -> Result<Primitive, ParseError> {
        const NUMBER: &str = "\"proto\" wants a number up to 255, or a name such as \\tcp";
        const ETHER_NUMBER: &str =
            "\"ether proto\" wants a number from 0x600 to 0xffff, or a name such as \\arp";
        let family = match self.layer {
            None => Family::Any,
            Some(Layer::Ip) => Family::V4,
            Some(Layer::Ip6) => Family::V6,
            Some(Layer::Ether) => {
                return match value.kind {
                    ValueKind::Number(number) => ether_protocol(&value, number),
                    ValueKind::Name(name) => {
                        names::ether_protocol(name).map(Primitive::EtherProto).ok_or_else(|| {
                            value.name("names of Ethernet types are not known here: write the number")
                        })
                    }
                    _ => Err(value.misapplied(ETHER_NUMBER)),
                };
            }
            Some(_) => return Err(value.misapplied("\"proto\" goes alone or with ip, ip6 or ether")),
        };
        let number = match value.kind {
            ValueKind::Number(number) => value.within(number, "IP protocol number", 255)? as u8,
            ValueKind::Name(name) => names::protocol(name)
                .ok_or_else(|| value.name("this protocol name is not known here: write IANA's number"))?,
            _ => return Err(value.misapplied(NUMBER)),
        };
        Ok(Primitive::IpProto { family, number })
    }

    fn port(self, value: Value<'_>, ports: ReadPorts) -> Result<Primitive, ParseError> {
        let wanted = match self.layer {
            None => None,
            Some(Layer::Tcp) => Some(Transport::Tcp),
            Some(Layer::Udp) => Some(Transport::Udp),
            Some(Layer::Sctp) => Some(Transport::Sctp),
            Some(_) => {
                return Err(value
                    .misapplied("ports belong to tcp, udp or sctp: write \"ip and port N\" for both tests"));
            }
        };
        let Ports { first, last, transport: named } = ports(&value)?;
        let transport = match (wanted, named) {
            (Some(wanted), Some(named)) if wanted != named => {
                return Err(value.misapplied("this name is a port of another transport: write the number"));
            }
            (Some(wanted), _) => Some(wanted),
            (None, named) => named,
        };
        Ok(Primitive::Port { dir: self.dir, transport, first, last })
    }

    fn ether_host(self, value: Value<'_>) -> Result<Primitive, ParseError> {
        match value.kind {
            ValueKind::Mac(addr) if self.kind != Some(Kind::Net) => {
                Ok(Primitive::EtherHost { dir: self.dir, addr })
            }
            ValueKind::Mac(_) => {
                Err(value.misapplied("write \"ether host\" in front of an Ethernet address"))
            }
            ValueKind::Name(_) => {
                Err(value.name("names of hosts are not looked up: write the Ethernet address"))
            }
            _ => Err(value.misapplied("\"ether host\" wants an Ethernet address such as 00:11:22:33:44:55")),
        }
    }

    fn address(self, value: Value<'_>, net: bool) -> Result<Primitive, ParseError> {
        let scope = match self.layer {
            None => Scope::Any,
            Some(Layer::Ip) => Scope::Ip,
            Some(Layer::Ip6) => Scope::Ip6,
            Some(Layer::Arp) => Scope::Arp,
            Some(Layer::Rarp) => Scope::Rarp,
            Some(_) => {
                return Err(value.misapplied(
                    "an address belongs to ip, ip6, arp or rarp: write \"tcp and host ADDRESS\" for both tests",
                ));
            }
        };
        let network = match value.kind {
            ValueKind::Mac(_) => {
                return Err(value.misapplied("write \"ether host\" in front of an Ethernet address"));
            }
            ValueKind::Name(_) => {
                return Err(value.name("names of hosts and networks are not looked up: write the address"));
            }
            ValueKind::DottedPrefix(..) | ValueKind::DottedMask(..) if !net => {
                return Err(value.misapplied("write \"net\" in front of a network"));
            }
            ValueKind::Ipv6Prefix(_, len) if !net && len != 128 => {
                return Err(value.misapplied("write \"net\" in front of a network"));
            }
            ValueKind::Ipv6(addr) => ipv6_network(&value, addr, 128)?,
            ValueKind::Ipv6Prefix(addr, len) => ipv6_network(&value, addr, len)?,
            ValueKind::Number(number) if net => short_network(&value, number)?,
            ValueKind::Number(number) => ipv4_network(&value, number, 32)?,
            ValueKind::Dotted(Dotted { bits, len }) => ipv4_network(&value, bits, u32::from(len))?,
            ValueKind::DottedPrefix(Dotted { bits, .. }, len) => ipv4_network(&value, bits, len)?,
            ValueKind::DottedMask(Dotted { bits, .. }, mask) => masked_network(&value, bits, mask.bits)?,
        };
        match (network, scope) {
            (IpNetwork::V4(_), Scope::Ip6) => Err(value.misapplied("\"ip6\" wants an IPv6 address")),
            (IpNetwork::V6(_), Scope::Ip | Scope::Arp | Scope::Rarp) => {
                Err(value.misapplied("\"ip\", \"arp\" and \"rarp\" want an IPv4 address"))
            }
            // A short address such as `host 10.1` is the network of the addresses that begin so.
            _ if net || !is_single(network) => Ok(Primitive::Net { dir: self.dir, scope, net: network }),
            _ => Ok(Primitive::Host { dir: self.dir, scope, addr: network.ip() }),
        }
    }
}

fn ether_protocol(value: &Value<'_>, number: u32) -> Result<Primitive, ParseError> {
    // Lengths of IEEE 802.3 frames, which carry 802.2 in the place of a type.
    const MAX_LENGTH: u32 = 1500;
    // libpcap looks for these two behind an 802.2 SNAP header as well.
    const APPLETALK: [u32; 2] = [0x809b, 0x80f3];
    let number = value.within(number, "Ethernet type", 0xffff)?;
    if number <= MAX_LENGTH {
        return Err(
            value.unsupported("numbers up to 1500 are IEEE 802.2 service access points, not Ethernet types")
        );
    }
    if APPLETALK.contains(&number) {
        return Err(value.unsupported("AppleTalk in IEEE 802.2 frames is not looked into"));
    }
    Ok(Primitive::EtherProto(number as u16))
}
