//! The names that may stand for a number.
//!
//! libpcap asks the system (`/etc/services`, `/etc/protocols`), so that a name means one thing here and another there.
//! This crate reads no such file: it knows the few names below, with the numbers and transports of IANA's registries
//! and of Debian's current files. Any other name is an error that asks for the number.

use crate::filter::{Transport, ethertype};

use Transport::{Tcp, Udp};

/// A port's name, its number and the transport that the name stands for (`None`: more than one).
const PORTS: &[(&str, u16, Option<Transport>)] = &[
    ("ftp-data", 20, Some(Tcp)),
    ("ftp", 21, Some(Tcp)),
    ("ssh", 22, Some(Tcp)),
    ("telnet", 23, Some(Tcp)),
    ("smtp", 25, Some(Tcp)),
    ("whois", 43, Some(Tcp)),
    ("tacacs", 49, None),
    ("domain", 53, None),
    ("bootps", 67, Some(Udp)),
    ("bootpc", 68, Some(Udp)),
    ("tftp", 69, Some(Udp)),
    ("http", 80, Some(Tcp)),
    ("kerberos", 88, None),
    ("pop3", 110, Some(Tcp)),
    ("sunrpc", 111, None),
    ("nntp", 119, Some(Tcp)),
    ("ntp", 123, Some(Udp)),
    ("netbios-ns", 137, Some(Udp)),
    ("netbios-dgm", 138, Some(Udp)),
    ("netbios-ssn", 139, Some(Tcp)),
    ("imap", 143, Some(Tcp)),
    ("imap2", 143, Some(Tcp)),
    ("snmp", 161, None),
    ("snmp-trap", 162, None),
    ("bgp", 179, Some(Tcp)),
    ("ldap", 389, None),
    ("https", 443, None),
    ("microsoft-ds", 445, Some(Tcp)),
    ("isakmp", 500, Some(Udp)),
    ("syslog", 514, Some(Udp)),
    ("submission", 587, Some(Tcp)),
    ("ldaps", 636, None),
    ("imaps", 993, Some(Tcp)),
    ("pop3s", 995, Some(Tcp)),
    ("ms-sql-s", 1433, Some(Tcp)),
    ("radius", 1812, None),
    ("nfs", 2049, None),
    ("mysql", 3306, Some(Tcp)),
    ("ms-wbt-server", 3389, Some(Tcp)),
    ("sip", 5060, None),
    ("sip-tls", 5061, None),
    ("mdns", 5353, Some(Udp)),
    ("postgresql", 5432, Some(Tcp)),
    ("http-alt", 8080, Some(Tcp)),
];

/// A protocol above IP. A name that is also a word of the filter language is written with a backslash: `proto \tcp`.
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("eigrp", 88),
    ("ospf", 89),
    ("ipip", 94),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// A protocol above Ethernet, for `ether proto`.
const ETHER_PROTOCOLS: &[(&str, u16)] = &[
    ("ip", ethertype::IPV4),
    ("ip6", ethertype::IPV6),
    ("arp", ethertype::ARP),
    ("rarp", ethertype::RARP),
    ("loopback", 0x9000),
];

/// The number of a port's name and the transport it stands for, `None` when there is more than one.
pub(super) fn port(name: &str) -> Option<(u16, Option<Transport>)> {
    PORTS.iter().find(|row| row.0 == name).map(|row| (row.1, row.2))
}

/// IANA's number of a protocol above IP.
pub(super) fn protocol(name: &str) -> Option<u8> {
    PROTOCOLS.iter().find(|row| row.0 == name).map(|row| row.1)
}

/// The Ethernet type of a protocol above Ethernet.
pub(super) fn ether_protocol(name: &str) -> Option<u16> {
    ETHER_PROTOCOLS.iter().find(|row| row.0 == name).map(|row| row.1)
}
