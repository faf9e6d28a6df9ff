//! Packets as text, a line each: enough to see that the right ones were found where no tcpdump is at hand.
//!
//! ```text
//! 2026-03-01 10:11:12.123456  10.0.0.10:40000 → 10.0.0.20:443  TCP  1514 bytes
//! 2026-03-01 10:11:12.123460  [2001:db8::5]:40001 → [2001:db8::53]:53  UDP  89 bytes  vlan 7
//! ```

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use pcapx_core::filter::{ethertype, ipproto};
use pcapx_core::local::LocalZone;
use pcapx_timeline::packet::{Network, PacketKeys, Pair, Ports, Reach};
use pcapx_timeline::segment::{Packet, SegmentReader};

use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// Prints the first `packets` packets of `files` on standard output. A reader that has seen enough is no error.
pub(crate) fn print(
    files: &[PathBuf],
    packets: u64,
    zone: &LocalZone,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let mut left = packets;
    for path in files {
        let unreadable = |source| Failure::NotACapture { path: path.clone(), source };
        let mut reader = SegmentReader::open(path).map_err(unreadable)?;
        while left > 0 {
            interrupt.check()?;
            let line = match reader.next_packet() {
                Ok(Some(packet)) => line(&packet, zone),
                Ok(None) => break,
                Err(error) => return Err(unreadable(error)),
            };
            match writeln!(stdout, "{line}") {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(Failure::Stdout)?,
            }
            left -= 1;
        }
    }
    Ok(())
}

fn line(packet: &Packet<'_>, zone: &LocalZone) -> String {
    let keys = PacketKeys::of(packet.link_type, packet.data);
    let mut line = zone.spoken(packet.time);
    // Writing into a String cannot fail.
    let _ = match packet.time.subsec_nanos() {
        nanos if nanos.is_multiple_of(1000) => write!(line, ".{:06}", nanos / 1000),
        nanos => write!(line, ".{nanos:09}"),
    };
    let (kept, original) = (packet.data.len(), packet.orig_len as usize);
    let (src, dst) = ends(&keys);
    let _ = write!(line, "  {src} → {dst}  {}  ", protocol(&keys, packet));
    let _ = if kept < original {
        write!(line, "{kept} of {original} bytes")
    } else {
        write!(line, "{original} bytes")
    };
    for vlan in keys.vlans() {
        let _ = write!(line, "  vlan {vlan}");
    }
    line
}

/// Sender and receiver: addresses with ports where there are any, else Ethernet addresses; `?` for what was not captured.
fn ends(keys: &PacketKeys) -> (String, String) {
    let (src, dst) = match keys.network {
        Network::V4(pair) => addresses(keys, pair, |a| Ipv4Addr::from(a).to_string()),
        Network::V6(pair) => addresses(keys, pair, |a| Ipv6Addr::from(a).to_string()),
        Network::Arp(pair) | Network::Rarp(pair) => {
            return addresses(keys, pair, |a| Ipv4Addr::from(a).to_string());
        }
        Network::None => return keys.ether.map_or_else(unknown, |p| (mac(p.src), mac(p.dst))),
    };
    match keys.ports {
        Ports::None | Ports::Cut => (src, dst),
        Ports::Source(port) => (with_port(&src, port), dst),
        Ports::Both(Pair { src: from, dst: to }) => (with_port(&src, from), with_port(&dst, to)),
    }
}

fn unknown() -> (String, String) {
    ("?".to_owned(), "?".to_owned())
}

fn addresses<T: Copy>(keys: &PacketKeys, pair: Pair<T>, text: impl Fn(T) -> String) -> (String, String) {
    let (mut src, mut dst) = unknown();
    if keys.reach >= Reach::Source {
        src = text(pair.src);
    }
    if keys.reach >= Reach::Addresses {
        dst = text(pair.dst);
    }
    (src, dst)
}

fn with_port(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn mac(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

fn protocol(keys: &PacketKeys, packet: &Packet<'_>) -> String {
    let name = match (keys.network, keys.protocol, keys.ethertype) {
        (Network::Arp(_), ..) | (_, _, Some(ethertype::ARP)) => "ARP",
        (Network::Rarp(_), ..) | (_, _, Some(ethertype::RARP)) => "RARP",
        (_, Some(number), _) => match number {
            ipproto::ICMP => "ICMP",
            ipproto::IGMP => "IGMP",
            ipproto::TCP => "TCP",
            ipproto::UDP => "UDP",
            ipproto::ESP => "ESP",
            ipproto::AH => "AH",
            ipproto::ICMPV6 => "ICMPv6",
            ipproto::PIM => "PIM",
            ipproto::VRRP => "VRRP",
            ipproto::SCTP => "SCTP",
            other => return format!("protocol {other}"),
        },
        (_, None, Some(number)) => return format!("ethertype 0x{number:04x}"),
        (_, None, None) => return packet.link_type.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use pcapx_core::time::Timestamp;
    use pcapx_testkit::packet::{Arp, Ethernet, Icmpv6, Ipv4, Ipv6, Tcp, Udp};
    use pcapx_timeline::link::LinkType;

    use super::*;

    fn shown_at(nanos: i64, link_type: LinkType, data: &[u8], orig_len: usize) -> String {
        let time = Timestamp::from_nanos(1_772_356_272_000_000_000 + nanos);
        let packet = Packet { time, data, orig_len: orig_len as u32, link_type, interface: 0 };
        line(&packet, &LocalZone::named("Europe/Warsaw").unwrap())
    }

    fn shown(data: &[u8]) -> String {
        shown_at(123_456_000, LinkType::ETHERNET, data, data.len())
    }

    fn four() -> Ipv4 {
        Ipv4::new([10, 0, 0, 10], [10, 0, 0, 20])
    }

    fn six() -> Ipv6 {
        Ipv6::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 5], [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53])
    }

    #[test]
    fn transports_show_their_ports() {
        assert_eq!(
            shown(&Ethernet::new().carry(&four().carry(&Tcp::new(40000, 443)))),
            "2026-03-01 10:11:12.123456  10.0.0.10:40000 → 10.0.0.20:443  TCP  54 bytes"
        );
        assert_eq!(
            shown(&Ethernet::new().qinq(7, 8).carry(&six().carry(&Udp::new(40001, 53)))),
            "2026-03-01 10:11:12.123456  [2001:db8::5]:40001 → [2001:db8::53]:53  UDP  70 bytes  vlan 7  vlan 8"
        );
    }

    #[test]
    fn what_has_no_ports_shows_addresses() {
        let echo = Ethernet::new().carry(&six().carry(&Icmpv6::echo_request(1, 2, &[])));
        assert!(shown(&echo).contains("  2001:db8::5 → 2001:db8::53  ICMPv6  "));
        let arp =
            Ethernet::new().carry(&Arp::request(([2; 6], [10, 0, 0, 1].into()), [10, 0, 0, 2]).network());
        assert!(shown(&arp).contains("  10.0.0.1 → 10.0.0.2  ARP  "), "{}", shown(&arp));
        let mut lldp = vec![1; 6];
        lldp.extend([2; 6]);
        lldp.extend([0x88, 0xcc, 0, 0]);
        assert!(shown(&lldp).contains("  02:02:02:02:02:02 → 01:01:01:01:01:01  ethertype 0x88cc  16 bytes"));
    }

    #[test]
    fn what_was_not_captured_is_a_question_mark() {
        let frame = Ethernet::new().carry(&four().carry(&Udp::new(40001, 53)));
        let cut = |n: usize| shown_at(1, LinkType::ETHERNET, &frame[..n], frame.len());
        assert!(cut(36).contains(".000000001  10.0.0.10:40001 → 10.0.0.20  UDP  36 of 42 bytes"));
        assert!(cut(34).contains("  10.0.0.10 → 10.0.0.20  UDP  34 of 42 bytes"));
        assert!(cut(30).contains("  10.0.0.10 → ?  UDP  "), "{}", cut(30));
        assert!(cut(3).contains("  ? → ?  ETHERNET  3 of 42 bytes"), "{}", cut(3));
    }

    #[test]
    fn every_prefix_of_a_packet_has_a_line() {
        let frame = Ethernet::new().vlan(1).carry(&six().carry(&Tcp::new(1, 2)));
        for n in 0..frame.len() {
            for link in [LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL, LinkType(147)] {
                assert!(shown_at(0, link, &frame[..n], frame.len()).contains(" → "));
            }
        }
    }
}
