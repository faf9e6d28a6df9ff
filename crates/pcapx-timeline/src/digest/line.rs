//! A packet in a line, in tcpdump's manner.

use std::fmt::{Display, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::protocols::Spoken;
use super::spoken;
use crate::link::LinkType;
use crate::packet::{Layers, Network, Ports, Reach, read};
use pcapx_core::digest::Line;
use pcapx_core::filter::ipproto;
use pcapx_core::time::Timestamp;

/// The most lines.
const LINES_MOST: usize = 200;
/// TCP's header without options, UDP's header.
const TCP_HEADER_BYTES: usize = 20;
const UDP_HEADER_BYTES: usize = 8;
const DNS_PORTS: [u16; 2] = [53, 5353];

/// The lines of the earliest packets; those of one time in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    /// Whether a packet of this time is among the first.
    #[inline]
    pub(super) fn wants(&self, time: Timestamp) -> bool {
        self.lines.len() < LINES_MOST || self.lines.last().is_some_and(|last| time < last.time)
    }

    pub(super) fn add(&mut self, line: Line) {
        let at = self.lines.partition_point(|before| before.time <= line.time);
        self.lines.insert(at, line);
        self.lines.truncate(LINES_MOST);
    }

    pub(super) fn finish(self) -> Vec<Line> {
        self.lines
    }
}

/// The line of a packet of link type `link` that had `orig_len` bytes on the wire, of which `data` was kept.
///
/// All texts are printable ASCII, and none has more than some hundred bytes.
pub fn line(time: Timestamp, link: LinkType, orig_len: u32, data: &[u8]) -> Line {
    let layers = Layers::of(link, data);
    let keys = &layers.keys;
    let (src, dst) = match keys.ports {
        Ports::Both(ports) => (Some(ports.src), Some(ports.dst)),
        Ports::Source(port) => (Some(port), None),
        Ports::None | Ports::Cut => (None, None),
    };
    // An address that was not captured is not shown as zero.
    let (has_source, has_both) = (keys.reach >= Reach::Source, keys.reach >= Reach::Addresses);
    let (source, destination) = match keys.network {
        Network::V4(pair) | Network::Arp(pair) | Network::Rarp(pair) => (
            end(has_source.then(|| Ipv4Addr::from_bits(pair.src)), src),
            end(has_both.then(|| Ipv4Addr::from_bits(pair.dst)), dst),
        ),
        Network::V6(pair) => (
            end(has_source.then(|| Ipv6Addr::from_bits(pair.src)), src),
            end(has_both.then(|| Ipv6Addr::from_bits(pair.dst)), dst),
        ),
        Network::None => {
            keys.ether.map_or((String::new(), String::new()), |pair| (mac(pair.src), mac(pair.dst)))
        }
    };
    let (protocol, info) = match keys.network {
        Network::Arp(_) => (Spoken::Arp.to_string(), arp(&layers)),
        Network::Rarp(_) => ("rarp".to_owned(), String::new()),
        Network::None => match keys.ethertype {
            Some(ethertype) => (format!("{ethertype:#06x}"), String::new()),
            None if link.is_understood() => ("802.3".to_owned(), String::new()),
            None => (link.to_string(), String::new()),
        },
        Network::V4(_) | Network::V6(_) => match keys.protocol {
            Some(protocol) => (Spoken::Ip(protocol).to_string(), ip(protocol, [src, dst], &layers)),
            None => ("ip".to_owned(), "[|ip]".to_owned()),
        },
    };
    Line { time, source, destination, protocol, bytes: orig_len, info }
}

/// `10.0.0.1.443`; a port that is not known is left out, as is everything when the address is not.
fn end(address: Option<impl Display>, port: Option<u16>) -> String {
    match (address, port) {
        (None, _) => String::new(),
        (Some(address), None) => address.to_string(),
        (Some(address), Some(port)) => format!("{address}.{port}"),
    }
}

fn mac(address: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = address;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// What is in a packet above IP.
fn ip(protocol: u8, ports: [Option<u16>; 2], layers: &Layers<'_>) -> String {
    let told = match protocol {
        _ if layers.is_fragment => Some(format!("fragment, length {}", layers.transport_len)),
        ipproto::TCP => tcp(ports, layers),
        ipproto::UDP => udp(ports, layers),
        ipproto::ICMP => icmp(layers),
        _ => Some(format!("length {}", layers.transport_len)),
    };
    // As tcpdump tells that a header is cut off.
    told.unwrap_or_else(|| format!("[|{}]", Spoken::Ip(protocol)))
}

fn tcp(ports: [Option<u16>; 2], layers: &Layers<'_>) -> Option<String> {
    let header = layers.transport;
    let (seq, ack) = (read::u32(header, 4)?, read::u32(header, 8)?);
    let (offset, bits) = (read::u8(header, 12)?, read::u8(header, 13)?);
    let (window, urgent) = (read::u16(header, 14)?, read::u16(header, 18)?);
    let header_len = usize::from(offset >> 4) * 4;
    let len = layers.transport_len.checked_sub(header_len).filter(|_| header_len >= TCP_HEADER_BYTES)?;
    let mut info = format!("Flags [{}]", flags(bits));
    if len > 0 {
        let _ = write!(info, ", seq {seq}:{}", seq.wrapping_add(len as u32));
    } else if bits & 0x07 != 0 {
        // SYN, FIN and RST are told where they stand.
        let _ = write!(info, ", seq {seq}");
    }
    if bits & 0x10 != 0 {
        let _ = write!(info, ", ack {ack}");
    }
    let _ = write!(info, ", win {window}");
    if bits & 0x20 != 0 {
        let _ = write!(info, ", urg {urgent}");
    }
    let _ = write!(info, ", length {len}");
    let payload = header.get(header_len..).unwrap_or_default();
    let is_dns = ports.into_iter().flatten().any(|port| DNS_PORTS.contains(&port));
    // DNS over TCP has its length in front.
    let dns = || spoken::dns(payload.get(2..)?).filter(|_| is_dns);
    if let Some(told) = spoken::tls(payload).or_else(|| spoken::http(payload)).or_else(dns) {
        let _ = write!(info, ": {told}");
    }
    Some(info)
}

/// As tcpdump writes them.
fn flags(bits: u8) -> String {
    if bits == 0 {
        return "none".to_owned();
    }
    // FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, from the lowest bit on.
    "FSRP.UEW".chars().enumerate().filter(|(n, _)| bits & (1 << n) != 0).map(|(_, flag)| flag).collect()
}

fn udp(ports: [Option<u16>; 2], layers: &Layers<'_>) -> Option<String> {
    let header = layers.transport;
    let len = usize::from(read::u16(header, 4)?);
    let len = len
        .checked_sub(UDP_HEADER_BYTES)
        .unwrap_or_else(|| layers.transport_len.saturating_sub(UDP_HEADER_BYTES));
    let mut info = format!("UDP, length {len}");
    if ports.into_iter().flatten().any(|port| DNS_PORTS.contains(&port))
        && let Some(told) = header.get(UDP_HEADER_BYTES..).and_then(spoken::dns)
    {
        let _ = write!(info, ": {told}");
    }
    Some(info)
}

fn icmp(layers: &Layers<'_>) -> Option<String> {
    let header = layers.transport;
    let (kind, code) = (read::u8(header, 0)?, read::u8(header, 1)?);
    let len = layers.transport_len;
    let echo = |what| {
        let (id, seq) = (read::u16(header, 4)?, read::u16(header, 6)?);
        Some(format!("ICMP echo {what}, id {id}, seq {seq}, length {len}"))
    };
    match kind {
        0 => echo("reply"),
        8 => echo("request"),
        3 => Some(format!("ICMP unreachable, code {code}, length {len}")),
        5 => Some(format!("ICMP redirect, code {code}, length {len}")),
        11 => Some(format!("ICMP time exceeded, code {code}, length {len}")),
        _ => Some(format!("ICMP type {kind}, code {code}, length {len}")),
    }
}

fn arp(layers: &Layers<'_>) -> String {
    let arp = layers.network;
    let address = |at: usize| read::u32(arp, at).map(Ipv4Addr::from_bits);
    let told = || {
        Some(match read::u16(arp, 6)? {
            1 => format!("Request who-has {} tell {}", address(24)?, address(14)?),
            2 => format!("Reply {} is-at {}", address(14)?, mac(*arp.get(8..)?.first_chunk()?)),
            other => format!("operation {other}"),
        })
    };
    told().unwrap_or_else(|| "[|arp]".to_owned())
}
