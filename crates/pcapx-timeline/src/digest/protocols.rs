//! What was spoken.
//!
//! TCP and UDP are told apart by the port of a well-known service at either end, the others by their number. That a port is
//! 443 makes no HTTPS, so the port stands in the name.

use std::collections::HashMap;
use std::fmt;

use foldhash::fast::FixedState;

use super::bins::add;
use crate::link::LinkType;
use crate::packet::{Network, PacketKeys};
use pcapx_core::digest::{Amount, Protocol};
use pcapx_core::filter::ipproto;

/// The most kinds that are told apart; real links have some dozens.
const KINDS_MOST: usize = 1024;
/// The most rows.
const ROWS_MOST: usize = 50;

/// Services whose ports are shown.
const SERVICES: [(u16, &str); 40] = [
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (53, "dns"),
    (67, "dhcp"),
    (68, "dhcp"),
    (69, "tftp"),
    (80, "http"),
    (88, "kerberos"),
    (110, "pop3"),
    (123, "ntp"),
    (135, "msrpc"),
    (137, "netbios-ns"),
    (138, "netbios-dgm"),
    (139, "netbios-ssn"),
    (143, "imap"),
    (161, "snmp"),
    (162, "snmp-trap"),
    (179, "bgp"),
    (389, "ldap"),
    (443, "https"),
    (445, "smb"),
    (465, "smtps"),
    (500, "isakmp"),
    (514, "syslog"),
    (587, "submission"),
    (636, "ldaps"),
    (853, "dns-over-tls"),
    (993, "imaps"),
    (995, "pop3s"),
    (1433, "mssql"),
    (2055, "netflow"),
    (3306, "mysql"),
    (3389, "rdp"),
    (5060, "sip"),
    (5353, "mdns"),
    (5432, "postgresql"),
    (8080, "http-alt"),
];

/// The protocol of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Spoken {
    /// Above IP.
    Ip(u8),
    Arp,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Service(u8, u16),
    Spoken(Spoken),
    /// IP that ends before it tells more.
    Cut,
    Rarp,
    EtherType(u16),
    Link(LinkType),
    /// What came after there were too many kinds.
    Other,
}

/// How much was sent of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Protocols {
    kinds: HashMap<Kind, Amount, FixedState>,
}

impl Protocols {
    /// A conversation between `ports`.
    pub(super) fn add_conversation(&mut self, spoken: Spoken, ports: [Option<u16>; 2], amount: Amount) {
        let service = match spoken {
            Spoken::Ip(protocol @ (ipproto::TCP | ipproto::UDP)) => {
                let ports = ports.into_iter().flatten().filter(|port| name(*port).is_some());
                ports.min().map(|port| Kind::Service(protocol, port))
            }
            _ => None,
        };
        self.add(service.unwrap_or(Kind::Spoken(spoken)), amount);
    }

    /// A packet that belongs to no conversation.
    pub(super) fn add_other(&mut self, keys: &PacketKeys, link: LinkType, bytes: u64) {
        let kind = match (keys.network, keys.ethertype) {
            (Network::V4(_) | Network::V6(_), _) => Kind::Cut,
            (Network::Arp(_), _) => Kind::Spoken(Spoken::Arp),
            (Network::Rarp(_), _) => Kind::Rarp,
            (Network::None, Some(ethertype)) => Kind::EtherType(ethertype),
            (Network::None, None) => Kind::Link(link),
        };
        self.add(kind, Amount { packets: 1, bytes });
    }

    fn add(&mut self, kind: Kind, amount: Amount) {
        let is_full = self.kinds.len() >= KINDS_MOST && !self.kinds.contains_key(&kind);
        add(self.kinds.entry(if is_full { Kind::Other } else { kind }).or_default(), amount);
    }

    /// The most frequent first; what has no row of its own is in the last one.
    pub(super) fn finish(mut self) -> Vec<Protocol> {
        let mut other = self.kinds.remove(&Kind::Other).unwrap_or_default();
        let mut kinds: Vec<_> = self.kinds.into_iter().collect();
        kinds.sort_unstable_by_key(|(kind, amount)| {
            (u64::MAX - amount.bytes, u64::MAX - amount.packets, *kind)
        });
        for (_, amount) in kinds.drain(ROWS_MOST.min(kinds.len())..) {
            add(&mut other, amount);
        }
        kinds.extend((other.packets > 0).then_some((Kind::Other, other)));
        kinds.into_iter().map(|(kind, amount)| Protocol { name: kind.to_string(), amount }).collect()
    }
}

fn name(port: u16) -> Option<&'static str> {
    SERVICES.binary_search_by_key(&port, |(port, _)| *port).ok().map(|at| SERVICES[at].1)
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Arp => "arp",
            Self::Ip(ipproto::ICMP) => "icmp",
            Self::Ip(ipproto::IGMP) => "igmp",
            Self::Ip(ipproto::TCP) => "tcp",
            Self::Ip(ipproto::UDP) => "udp",
            Self::Ip(ipproto::ESP) => "esp",
            Self::Ip(ipproto::AH) => "ah",
            Self::Ip(ipproto::ICMPV6) => "icmp6",
            Self::Ip(ipproto::SCTP) => "sctp",
            Self::Ip(47) => "gre",
            Self::Ip(89) => "ospf",
            Self::Ip(other) => return write!(f, "ip-proto-{other}"),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Service(protocol, port) => {
                write!(f, "{} {port} ({})", Spoken::Ip(protocol), name(port).unwrap_or_default())
            }
            Self::Spoken(spoken) => spoken.fmt(f),
            Self::Cut => f.write_str("ip, cut short"),
            Self::Rarp => f.write_str("rarp"),
            Self::EtherType(0x88cc) => f.write_str("lldp"),
            Self::EtherType(0x888e) => f.write_str("eapol"),
            Self::EtherType(ethertype) => write!(f, "ethertype {ethertype:#06x}"),
            Self::Link(LinkType::ETHERNET) => f.write_str("802.3"),
            Self::Link(link) => link.fmt(f),
            Self::Other => f.write_str("other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_by_their_ports() {
        assert!(SERVICES.is_sorted_by_key(|(port, _)| *port));
        let mut protocols = Protocols::default();
        let amount = |bytes| Amount { packets: 1, bytes };
        let tcp = Spoken::Ip(ipproto::TCP);
        protocols.add_conversation(tcp, [Some(50_000), Some(443)], amount(30));
        protocols.add_conversation(tcp, [Some(443), Some(8080)], amount(3));
        protocols.add_conversation(tcp, [Some(50_000), Some(50_001)], amount(20));
        protocols.add_conversation(Spoken::Ip(ipproto::UDP), [None, None], amount(10));
        protocols.add_conversation(Spoken::Ip(132), [Some(80), Some(80)], amount(9));
        protocols.add_conversation(Spoken::Ip(200), [None, None], amount(8));
        let rows: Vec<_> = protocols.finish().into_iter().map(|p| (p.name, p.amount.bytes)).collect();
        let rows: Vec<_> = rows.iter().map(|(name, bytes)| (&name[..], *bytes)).collect();
        assert_eq!(
            rows,
            [("tcp 443 (https)", 33), ("tcp", 20), ("udp", 10), ("sctp", 9), ("ip-proto-200", 8)]
        );
    }

    #[test]
    fn a_flood_of_kinds_is_one_row() {
        let mut protocols = Protocols::default();
        for ethertype in 0x1000..=0xffff_u16 {
            let keys = PacketKeys { ethertype: Some(ethertype), ..PacketKeys::default() };
            protocols.add_other(&keys, LinkType::ETHERNET, 1);
        }
        assert!(protocols.kinds.len() <= KINDS_MOST + 1);
        let rows = protocols.finish();
        assert_eq!((rows.len(), rows[50].name.as_str()), (51, "other"));
        assert_eq!(rows.iter().map(|row| row.amount.packets).sum::<u64>(), 0xf000);
    }
}
