//! The digest of an answer: against a plain count of the same packets, against tcpdump's lines, and within its bounds.

#![allow(clippy::cast_sign_loss, reason = "the numbers of these tests are small")]

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use pcapx_core::digest::{Amount, Digest};
use pcapx_core::manifest::Directions;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap, Pcapng};
use pcapx_testkit::packet::{Arp, Ethernet, Ipv4, Ipv6, Tcp, Udp};
use pcapx_testkit::tool;
use pcapx_testkit::trace::Trace;
use pcapx_timeline::digest::{Watcher, line, of_capture};
use pcapx_timeline::link::LinkType;
use pcapx_timeline::{CancelToken, Catalog, Extraction, Limits};

const BASE: i64 = 1_772_356_200;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_nanos(BASE * 1_000_000_000 + millis * 1_000_000)
}

fn client() -> [IpAddr; 2] {
    ["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]
}

fn tcp(millis: i64, src: [u8; 4], dst: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Packet {
    let ip = Ipv4::new(src, dst).carry(&Tcp::new(ports.0, ports.1).payload(payload));
    Packet::new(at(millis), Ethernet::new().carry(&ip))
}

fn ask(dir: &Path, name: &str, limits: Limits) -> Extraction {
    let out = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&[dir]).unwrap();
    let query = catalog.query(None, Window::ALL).limits(limits).client(client()).digest(true);
    let answer = query.write_to(&out.path().join(name)).unwrap();
    if let Some(output) = &answer.output {
        // Whoever reads the file counts the same.
        let watcher = of_capture(output, Watcher::new(client().into(), true), &CancelToken::new()).unwrap();
        assert_eq!(watcher.finish(), (answer.directions, answer.digest.clone()));
    }
    answer
}

fn sum(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    amounts.into_iter().fold(Amount::default(), |sum, more| Amount {
        packets: sum.packets + more.packets,
        bytes: sum.bytes + more.bytes,
    })
}

/// What has to hold of any digest.
fn adds_up(digest: &Digest, directions: Option<Directions>) {
    let bins = &digest.bins.counts;
    let from = sum(bins.iter().map(|bin| bin.from_client));
    let to = sum(bins.iter().map(|bin| bin.to_client));
    let other = sum(bins.iter().map(|bin| bin.other));
    assert_eq!(sum([from, to, other]), digest.total);
    assert_eq!(sum(digest.protocols.iter().map(|row| row.amount)), digest.total);
    let rows = sum(digest.conversations.iter().flat_map(|row| [row.a_to_b, row.b_to_a]));
    let others = digest.other_conversations.unwrap_or_default();
    assert!(sum([rows, others.amount]).packets <= digest.total.packets);
    assert_eq!(digest.other_conversations.is_some(), others.amount.packets > 0);
    assert!(digest.lines.is_sorted_by_key(|line| line.time));
    if let Some(directions) = directions {
        assert_eq!(
            (directions.packets_from_client, directions.bytes_from_client),
            (from.packets, from.bytes)
        );
        assert_eq!((directions.packets_to_client, directions.bytes_to_client), (to.packets, to.bytes));
    }
}

#[test]
fn a_digest_tells_who_spoke_with_whom_and_when() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other, third) = ([10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]);
    let v6 = Ipv6::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2]);
    let packets = [
        // The answer was recorded before the question.
        tcp(200, other, one, (443, 5000), b"answer"),
        tcp(100, one, other, (5000, 443), b"GET / HTTP/1.1\r\n\r\n"),
        tcp(2500, one, other, (5000, 443), b""),
        tcp(2600, third, other, (6000, 6001), b"unheard"),
        Packet::new(at(2700), Ethernet::new().carry(&v6.carry(&Udp::new(7000, 53).payload(b"no dns")))),
        Packet::new(at(2800), Ethernet::new().carry(&Arp::request(([2; 6], one.into()), third).network())),
        Packet::new(at(2900), vec![0xff; 14]),
    ];
    Pcap::new().write(&dir.path().join("a.pcap"), &packets);
    let answer = ask(dir.path(), "x.pcap", Limits::default());
    let digest = answer.digest.unwrap();
    adds_up(&digest, answer.directions);
    assert_eq!((digest.total.packets, digest.first, digest.last), (7, Some(at(100)), Some(at(2900))));
    assert_eq!(digest.total.bytes, packets.iter().map(|packet| u64::from(packet.orig_len)).sum::<u64>());
    assert_eq!((digest.bins.start, digest.bins.width_ms), (Some(at(0)), 1000));
    let directions: Vec<_> = digest
        .bins
        .counts
        .iter()
        .map(|bin| (bin.from_client.packets, bin.to_client.packets, bin.other.packets))
        .collect();
    assert_eq!(directions, [(1, 1, 0), (0, 0, 0), (3, 0, 2)]);
    let rows: Vec<_> = digest
        .conversations
        .iter()
        .map(|row| {
            let end = |end: pcapx_core::digest::End| format!("{} {:?}", end.address, end.port);
            (&row.protocol[..], end(row.a), end(row.b), row.a_to_b.packets, row.b_to_a.packets)
        })
        .collect();
    let row = |protocol, a: &str, b: &str, there, back| (protocol, a.to_owned(), b.to_owned(), there, back);
    assert_eq!(
        rows,
        [
            row("tcp", "10.0.0.1 Some(5000)", "10.0.0.2 Some(443)", 2, 1),
            row("udp", "2001:db8::1 Some(7000)", "2001:db8::2 Some(53)", 1, 0),
            row("tcp", "10.0.0.3 Some(6000)", "10.0.0.2 Some(6001)", 1, 0),
            row("arp", "10.0.0.1 None", "10.0.0.3 None", 1, 0),
        ]
    );
    let names: BTreeMap<_, _> = digest.protocols.iter().map(|p| (&p.name[..], p.amount.packets)).collect();
    let wanted =
        [("arp", 1), ("ethertype 0xffff", 1), ("tcp", 1), ("tcp 443 (https)", 3), ("udp 53 (dns)", 1)];
    assert_eq!(names, wanted.into());
    let lines: Vec<_> = digest
        .lines
        .iter()
        .map(|line| format!("{} > {} {} {}", line.source, line.destination, line.protocol, line.info))
        .collect();
    assert_eq!(lines[0].split(": ").last(), Some("GET / HTTP/1.1"));
    assert!(lines[1].starts_with("10.0.0.2.443 > 10.0.0.1.5000 tcp Flags ["), "{}", lines[1]);
    assert_eq!(lines[4], "2001:db8::1.7000 > 2001:db8::2.53 udp UDP, length 6");
    assert_eq!(lines[5], "10.0.0.1 > 10.0.0.3 arp Request who-has 10.0.0.3 tell 10.0.0.1");
    assert_eq!(lines[6], "ff:ff:ff:ff:ff:ff > ff:ff:ff:ff:ff:ff 0xffff ");
    // The same from a pcapng file, as JSON and back.
    let again = ask(dir.path(), "x.pcapng", Limits::default()).digest.unwrap();
    assert_eq!(again, digest);
    let text = serde_json::to_string(&digest).unwrap();
    assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
}

#[test]
fn what_is_not_asked_for_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    Pcap::new().write(&dir.path().join("a.pcap"), &[tcp(0, [10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"x")]);
    let catalog = Catalog::open(&[dir.path()]).unwrap();
    let out = dir.path().join("out");
    let answer = catalog.query(None, Window::ALL).write_to(&out).unwrap();
    assert_eq!((answer.directions, answer.digest), (None, None));
    let answer = catalog.query(None, Window::ALL).client(client()).write_to(&out).unwrap();
    assert_eq!((answer.directions.unwrap().packets_from_client, answer.digest), (1, None));
    let answer = catalog.query(None, Window::ALL).digest(true).write_to(&out).unwrap();
    let digest = answer.digest.unwrap();
    assert_eq!((answer.directions, digest.bins.counts[0].other.packets), (None, 1));
}

/// The digest is of the packets that are in the file, not of those that would be.
#[test]
fn a_limit_ends_the_digest_too() {
    let dir = tempfile::tempdir().unwrap();
    let packets: Vec<_> = Trace::new(3).bytes(2_000_000).packets().collect();
    Pcap::new().write(&dir.path().join("a.pcap"), &packets);
    for limits in [
        Limits { max_packets: Some(77), max_bytes: None },
        Limits { max_packets: None, max_bytes: Some(100_000) },
    ] {
        for name in ["x.pcap", "x.pcapng"] {
            let answer = ask(dir.path(), name, limits);
            let digest = answer.digest.unwrap();
            adds_up(&digest, answer.directions);
            assert!(answer.limit_hit.is_some());
            assert_eq!(digest.total.packets, answer.counts.packets_matched);
            assert_eq!(digest.lines.len() as u64, digest.total.packets.min(200));
        }
    }
}

/// More conversations than can be told apart: no byte is lost, the largest are found, and the others are counted with care.
#[test]
fn a_flood_of_conversations_stays_within_bounds() {
    let mut watcher = Watcher::new(Vec::new(), true);
    let mut total = Amount::default();
    let mut add = |packet: &Packet| {
        watcher.add(packet.time, LinkType::ETHERNET, packet.orig_len, &packet.data);
        total = sum([total, Amount { packets: 1, bytes: packet.orig_len.into() }]);
    };
    let mut large = tcp(0, [10, 0, 0, 1], [10, 0, 0, 2], (1, 443), &[0; 900]);
    for n in 0..100_000_u32 {
        let [_, b, c, d] = n.to_be_bytes();
        add(&tcp(n.into(), [11, b, c, d], [10, 0, 0, 9], (1000, 80), b""));
        if n % 100 == 0 {
            large.time = at(n.into());
            add(&large);
        }
    }
    let digest = watcher.finish().1.unwrap();
    adds_up(&digest, None);
    assert_eq!(digest.total, total);
    assert_eq!(digest.conversations.len(), 100);
    assert_eq!(digest.conversations[0].a_to_b.packets, 1000);
    let others = digest.other_conversations.unwrap();
    assert!((30_000..=100_001).contains(&others.conversations), "{others:?}");
    let rows = sum(digest.conversations.iter().flat_map(|row| [row.a_to_b, row.b_to_a]));
    assert_eq!(sum([rows, others.amount]), total);
    assert_eq!(digest.protocols.len(), 2);
}

/// `Flags […], seq …, ack …, win …, length …`, without the options that tcpdump shows between.
fn without_options(text: &str) -> String {
    match text.split_once(", options [") {
        Some((before, rest)) => {
            let (_, after) = rest.split_once(']').unwrap();
            format!("{before}{after}")
        }
        None => text.to_owned(),
    }
}

#[test]
fn lines_are_as_tcpdump_writes_them() {
    let Some(tcpdump) = tool::require("tcpdump") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (mut compared, mut others) = (0, 0);
    let mut packets: Vec<_> = Trace::new(11).bytes(3_000_000).packets().collect();
    let fragments =
        Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).fragments(&Udp::new(1, 2).payload(&[7; 3000]), 1480);
    packets.extend(fragments.iter().map(|piece| Packet::new(at(0), Ethernet::new().carry(piece))));
    for flags in 0..=255 {
        let tcp = Tcp::new(1000, 2000)
            .flags(flags)
            .sequence(u32::MAX - 1, 77)
            .payload(&[1; 3][..flags as usize % 4]);
        let ip =
            Ipv6::new("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap(), std::net::Ipv6Addr::LOCALHOST);
        packets.push(Packet::new(at(0), Ethernet::new().vlan(7).padded().carry(&ip.carry(&tcp))));
    }
    let file = dir.path().join("a.pcap");
    Pcap::new().write(&file, &packets);
    let output = tcpdump.run(["-n", "-t", "-S", "-r", file.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let theirs: Vec<&str> = text.lines().filter(|line| !line.starts_with([' ', '\t'])).collect();
    assert_eq!(theirs.len(), packets.len());
    for (theirs, packet) in theirs.into_iter().zip(packets) {
        let ours = line(packet.time, LinkType::ETHERNET, packet.orig_len, &packet.data);
        let Some((ends, info)) =
            theirs.strip_prefix("IP ").or(theirs.strip_prefix("IP6 ")).and_then(|rest| rest.split_once(": "))
        else {
            others += 1;
            continue;
        };
        // What is spoken above is told by each in its own way.
        let cut = |text: &str| match text.find(", length ") {
            Some(at) => {
                let digits = text[at + 9..].find(|c: char| !c.is_ascii_digit());
                text[..digits.map_or(text.len(), |n| at + 9 + n)].to_owned()
            }
            None => text.to_owned(),
        };
        assert_eq!(format!("{} > {}", ours.source, ours.destination), ends, "{theirs}");
        let theirs = cut(&without_options(info));
        if theirs.starts_with("Flags [") || theirs.starts_with("UDP, ") || theirs.starts_with("ICMP echo") {
            assert_eq!(cut(&ours.info), theirs);
            compared += 1;
        } else {
            others += 1;
        }
    }
    assert!(compared > 1000 && others < compared, "{compared} compared, {others} not");
}

/// tcpdump and the digest read the same question.
#[test]
fn questions_of_dns_are_as_tcpdump_writes_them() {
    let Some(tcpdump) = tool::require("tcpdump") else { return };
    let dir = tempfile::tempdir().unwrap();
    let message = |id: u16, flags: u16, kind: u16| {
        let words = [id, flags, 1, 0, 0, 0].map(u16::to_be_bytes).concat();
        [&words[..], b"\x03www\x07example\x03com\0", &kind.to_be_bytes(), &[0, 1]].concat()
    };
    let packets: Vec<_> =
        [(1, 0x0100, 1), (2, 0, 28), (3, 0x0100, 15), (4, 0x0100, 12), (5, 0x8183, 1), (6, 0x8180, 16)]
            .into_iter()
            .map(|(id, flags, kind)| {
                let udp =
                    Udp::new(if flags < 0x8000 { 5000 } else { 53 }, if flags < 0x8000 { 53 } else { 5000 })
                        .payload(&message(id, flags, kind));
                Packet::new(
                    at(id.into()),
                    Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&udp)),
                )
            })
            .collect();
    let path = dir.path().join("dns.pcap");
    Pcap::new().write(&path, &packets);
    let output = tcpdump.run(["-n", "-t", "-r", path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    for (theirs, packet) in text.lines().zip(&packets) {
        let ours = line(packet.time, LinkType::ETHERNET, packet.orig_len, &packet.data);
        let told = ours.info.split_once(": ").unwrap().1;
        let theirs = theirs.split_once(": ").unwrap().1;
        if let Some(question) = theirs.strip_suffix(&format!(" ({})", packet.data.len() - 42)) {
            // An answer of tcpdump's has its question only when asked for more.
            assert!(told == question || told.starts_with(question), "{told:?} {question:?}");
        } else {
            panic!("{theirs}");
        }
    }
}

#[test]
fn a_capture_of_somebody_else_is_counted_up_to_its_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let packet = tcp(0, [10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"x");
    let file = Pcapng::big_endian().interface(pcapx_testkit::capture::Interface::new());
    fs::write(&path, file.packet(0, packet.time, &packet.data).finish()).unwrap();
    let watcher = || Watcher::new(client().into(), true);
    let token = CancelToken::new();
    let (directions, digest) = of_capture(&path, watcher(), &token).unwrap().finish();
    assert_eq!((directions.unwrap().packets_from_client, digest.unwrap().total.packets), (1, 1));
    fs::write(&path, b"no capture, but long enough for one").unwrap();
    assert!(of_capture(&path, watcher(), &token).is_err());
}
