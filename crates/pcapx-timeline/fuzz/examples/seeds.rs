//! Writes inputs to begin with into `corpus/`, made of the packets and captures that the tests are made of.
//!
//! With names of capture files behind it, their packets and they themselves, too.

#[path = "../../tests/oracle/zoo.rs"]
#[allow(dead_code, unreachable_pub)]
mod zoo;

use std::path::Path;
use std::{fs, io};

use pcapx_core::time::Timestamp;
use pcapx_fuzz::packet_keys::LINK_TYPES;
use pcapx_fuzz::stretch::{Footer, Stretched};
use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng, link};
use pcapx_testkit::packet::{Ethernet, Extension, Ipv4, Ipv6, Network, Raw, Tcp, Udp};
use pcapx_testkit::trace::Trace;
use pcapx_timeline::CancelToken;
use pcapx_timeline::index::{IndexError, IndexPlace, index_segment};
use pcapx_timeline::segment::SegmentReader;

/// The zoo has thousands of frames of few kinds.
const EVERY: usize = 37;
/// Some blocks of a segment.
const MAX_INDEXED_BYTES: usize = 128 << 10;
/// More of a capture file would only make each run longer.
const MAX_PACKETS: usize = 40;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, inputs: Vec<Vec<u8>>| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (n, input) in inputs.iter().enumerate() {
            fs::write(folder.join(format!("begin-{n:04}")), input)?;
        }
        println!("{}: {} inputs", folder.display(), inputs.len());
        Ok::<_, io::Error>(())
    };
    let (mut segments, mut packets) = (segments(), packets());
    for name in std::env::args_os().skip(1) {
        segments.extend(fs::read(&name).map(|bytes| Footer::default().behind(&bytes)));
        packets.extend(packets_of(Path::new(&name)));
    }
    write("index", indexes(&segments)?)?;
    write("answers", segments.clone())?;
    write("segment", segments)?;
    write("lines", packets.iter().cloned().chain(spoken()).collect())?;
    write("packet_keys", packets)?;
    write("filter", filters())
}

fn segments() -> Vec<Vec<u8>> {
    let few = zoo::packets(zoo::frames(link::ETHERNET).into_iter().step_by(EVERY * 16).collect());
    let small: Vec<Packet> = few.iter().take(3).map(|packet| packet.clone().cut(40)).collect();
    let mut files = Vec::new();
    for form in Pcap::forms() {
        files.push((form.encode(&few), Footer::default()));
        files.push((form.encode(&small), Footer { share: 0x8000, ..Footer::default() }));
        // Many records; packets of the greatest length and of one byte more; zeros behind the last record.
        files.push((form.encode(&small), Footer { from: 24, len: 56, power: 12, share: 0x9000 }));
        for excess in [0, 4] {
            let long = Packet::new(Timestamp::from_secs(1), vec![7; (256 << 10) + excess]);
            let (mut bytes, tail) = (form.snaplen(u32::MAX).encode(&[long]), 4 + excess);
            bytes.drain(24 + 16 + tail..);
            let repeat = Footer { from: 24 + 16, len: 4, power: 16, share: 0xf000 };
            files.push((bytes, repeat));
        }
        files.push((
            [form.encode(&small), vec![0; 16]].concat(),
            Footer { from: 192, len: 16, power: 9, share: 0xa000 },
        ));
    }
    for begin in [Pcapng::little_endian, Pcapng::big_endian] {
        let interfaces = || {
            let named = Interface { name: Some("eth0".to_owned()), ..Interface::new().resolution(9) };
            begin().interface(named).interface(
                Interface::new().resolution(0x94).offset_secs(-5).link_type(link::LINUX_SLL2).snaplen(60),
            )
        };
        let (time, data) = (small[0].time, &small[0].data);
        files.push((interfaces().finish(), Footer::default()));
        let all = interfaces()
            .packet(0, time, data)
            .block(4, b"name")
            .packet_in_units(1, 5, data, 99, "a comment")
            .obsolete_packet(1, 3, time, data)
            .simple_packet(data)
            .block(5, &[0; 16])
            .next_section_big_endian()
            .interface(Interface::new().resolution(3))
            .packet(0, time, data)
            .next_section_little_endian()
            .interface(Interface::new())
            .simple_packet(data)
            .finish();
        files.push((all.clone(), Footer::default()));
        files.push((all.clone(), Footer { from: 0, len: 255, power: 8, share: 0x7777 }));
        files.push((all[..all.len() - 9].to_vec(), Footer { share: 0x4444, ..Footer::default() }));
        // A simple packet block around more bytes than a packet can have.
        let simple = |len: usize| begin().interface(Interface::new()).simple_packet(&vec![7; len]).finish();
        let mut long = simple((256 << 10) + 4);
        let at = simple(0).len() - 4;
        long.drain(at + 4..at + (256 << 10));
        files.push((long, Footer { from: at as u16, len: 4, power: 16, share: 0x3333 }));
    }
    for magic in
        [&b"\x1f\x8b\x08\0"[..], b"\x28\xb5\x2f\xfd", b"\xa1\xb2\xcd\x34", b"snoop\0\0\0", b"\n\r\r\n", b""]
    {
        files.push((magic.to_vec(), Footer::default()));
    }
    files.into_iter().map(|(bytes, footer)| footer.behind(&bytes)).collect()
}

/// Indexes of the segments that `inputs` stand for, and of one with several chunks of everything.
fn indexes(inputs: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("segment");
    let many: Vec<_> = Trace::new(3).bytes(300 << 10).packets().collect();
    let segments = inputs.iter().map(|input| Stretched::new(input, MAX_INDEXED_BYTES).bytes);
    let mut indexes = Vec::new();
    for segment in segments.chain([Pcap::new().encode(&many)]) {
        fs::write(&file, segment)?;
        match index_segment(&file, &IndexPlace::beside(), &CancelToken::new(), |_| ()) {
            Ok(built) => indexes.push(Footer::default().behind(&fs::read(built.path)?)),
            Err(IndexError::Segment(_)) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(indexes)
}

fn packets() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (number, _) in zoo::LINKS {
        let frames = zoo::frames(number);
        let every = if number == link::ETHERNET { EVERY } else { EVERY / 4 };
        inputs.extend(frames.iter().step_by(every).map(|frame| packet(number as u16, frame)));
    }
    let tcp = Tcp::new(40_000, 443).payload(b"x");
    let four = Ipv4::new(zoo::V4[0], zoo::V4[1]).carry(&tcp);
    let six = Ipv6::new(zoo::V6[0], zoo::V6[1]).carry(&Udp::new(53, 40_000));
    for number in [9_u16, 50] {
        inputs.push(packet(number, &[&[0, 0x21][..], &four.bytes].concat()));
        inputs.push(packet(number, &[&[0xff, 3, 0, 0x57][..], &six.bytes].concat()));
        inputs.push(packet(
            number,
            &[&[0xff, 3, 2, 0x81, 0, 0, 0x10, 1, 0, 1, 0x11, 1][..], &four.bytes].concat(),
        ));
    }
    inputs.push(packet(104, &[&[0x0f, 0, 8, 0][..], &four.bytes].concat()));
    for number in [12, 14, 228, 229, 147] {
        inputs.extend([&four, &six].map(|network| packet(number, &network.bytes)));
    }
    // Stacks as high as a packet is long: tags, labels, extension headers.
    let tagged = Ethernet::new().vlan(7).carry(&four);
    inputs.push(packet_stretched(1, &tagged, Footer { from: 14, len: 4, power: 13, share: 0 }));
    let labelled = Ethernet::new().mpls(&[16, 17]).carry(&four);
    inputs.push(packet_stretched(1, &labelled, Footer { from: 14, len: 4, power: 13, share: 0 }));
    let mut extended = Ipv6::new(zoo::V6[0], zoo::V6[1]);
    for _ in 0..9 {
        extended = extended.extension(Extension::Destination { blocks: 0 });
    }
    inputs.push(packet(101, &extended.carry(&tcp).bytes));
    let jumbled = Raw { protocol: 44, bytes: vec![0; 64] };
    inputs.push(packet(1, &Ethernet::new().carry(&Ipv6::new(zoo::V6[0], zoo::V6[1]).carry(&jumbled))));
    inputs.push(packet(1, &Ethernet::new().carry(&Network::new(0x88cc, vec![2; 40]))));
    inputs
}

/// Packets whose payloads are read: names, requests, what they are made of.
fn spoken() -> Vec<Vec<u8>> {
    let ends = Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]);
    let dns = |flags: u16| {
        let words = [4711, flags, 1, 2, 0, 1].map(u16::to_be_bytes).concat();
        [&words[..], b"\x03www\x07example\x03com\0\0\x01\0\x01"].concat()
    };
    let extensions = b"\0\x2b\0\x03\x02\x03\x04\0\0\0\x10\0\x0e\0\0\x0bexample.com";
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x13, 1, 1, 0, 0, extensions.len() as u8]);
    hello.extend_from_slice(extensions);
    let hello = [&[22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8], &hello[..]].concat();
    let behind_length = |message: &[u8]| [&[0, message.len() as u8], message].concat();
    let tcp = [
        (443, hello),
        (80, b"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec()),
        (8080, b"HTTP/1.0 404 Not \x1b[31mFound\r\n".to_vec()),
        (53, behind_length(&dns(0x0100))),
    ];
    let tcp = tcp.iter().map(|(port, payload)| ends.carry(&Tcp::new(40_000, *port).payload(payload)));
    let udp =
        [0x0100, 0x8180, 0x8103, 0x810b].map(|flags| ends.carry(&Udp::new(53, 5353).payload(&dns(flags))));
    tcp.chain(udp).map(|network| packet(1, &Ethernet::new().carry(&network))).collect()
}

/// The first packets of a capture file; none of a file that is no capture.
fn packets_of(capture: &Path) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    if let Ok(mut reader) = SegmentReader::open(capture) {
        while let Ok(Some(found)) = reader.next_packet()
            && inputs.len() < MAX_PACKETS
        {
            inputs.push(packet(found.link_type.0, &found.data[..found.data.len().min(120)]));
        }
    }
    inputs
}

fn packet(link: u16, data: &[u8]) -> Vec<u8> {
    packet_stretched(link, data, Footer::default())
}

fn packet_stretched(link: u16, data: &[u8], footer: Footer) -> Vec<u8> {
    let choice = LINK_TYPES.iter().position(|known| known.0 == link).unwrap_or(LINK_TYPES.len() - 1);
    [vec![choice as u8], footer.behind(data)].concat()
}

fn filters() -> Vec<Vec<u8>> {
    let plain = [
        "",
        "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443",
        "(host 10.0.0.1 or host 10.0.0.2) and not host ::ffff:1.2.3.4",
        "tcp src port 80 or 443 and not 22",
        "port (80 or (90 or 100)) || udp dst portrange 010-0x20",
        "src and dst net 10.0.0.0 mask 255.0.0.0 or 10.1/16 or 2001:db8::/32",
        "ether host 00:11:22:33:44:55 or ether src 0011.2233.4455",
        "vlan (10) or vlan and !(ip6 proto \\tcp || ether proto 0x88cc or rarp host 1.2.3.4)",
        "proto gre or icmp6 or pim or vrrp or \\ah",
        "tcp[13] & 2 != 0 or len > 5",
        "host example.org or port \u{e9}\u{7}",
        "net 0 or 2560 or 10/8 or ::/0",
    ];
    // The limits: levels of parentheses, of "not", of changes between the two words; tests; length; one long word.
    let long = [
        ("((tcp))", 0, 1, 8),
        ("(((((((((((((((tcp)))))))))))))))", 14, 5, 2),
        ("!tcp", 0, 1, 8),
        ("!tcp", 0, 1, 7),
        ("tcp or udp and tcp", 3, 11, 7),
        ("port 1 or 2 or 3", 6, 5, 12),
        ("tcp src and dst portrange 10000-20000 or 30000-40000", 37, 15, 11),
        ("tcp  and udp", 3, 1, 16),
        ("host aaaa", 5, 1, 16),
        ("host 1::2", 5, 1, 16),
        ("port 00000", 5, 1, 16),
        ("host 1.1.1.1", 5, 2, 14),
        ("host 00:11:22:33:44:55", 5, 3, 14),
        ("(1+2) tcp", 1, 2, 14),
        ("\u{e9}", 0, 2, 12),
    ];
    let plain = plain.iter().map(|text| Footer::default().behind(text.as_bytes()));
    let long = long
        .iter()
        .map(|&(text, from, len, power)| Footer { from, len, power, share: 0 }.behind(text.as_bytes()));
    plain.chain(long).collect()
}
