//! Packets come as they were sent.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use pcapx_core::time::Timestamp;
use pcapx_recorder::afpacket::CaptureOptions;
use pcapx_testkit::capture::read_pcap;
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::tool;
use pcapx_testkit::trace::Trace;

use crate::namespace::alone;
use crate::veth::{FAR, MTU, all, assert_same, connect, feed, frames, numbered, open, options};

/// Single, double and triple tags of both types, priorities among them, short and long packets.
pub(crate) fn tagged() -> Vec<Vec<u8>> {
    let ip = |len| Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(1, 2).payload(&vec![7; len]));
    let mut frames = Vec::new();
    for len in [0, 18, 1000] {
        for link in [
            Ethernet::new(),
            Ethernet::new().vlan(0),
            Ethernet::new().vlan(7),
            Ethernet::new().vlan(4095),
            Ethernet::new().tag(0x8100, 0xb064),
            Ethernet::new().tag(0x88a8, 0x7001),
            Ethernet::new().qinq(100, 200),
            Ethernet::new().vlan(1).vlan(2),
            Ethernet::new().qinq(1, 2).vlan(3),
            Ethernet::new().tag(0x9100, 5).vlan(6),
        ] {
            frames.push(link.carry(&ip(len)));
        }
    }
    frames
}

#[test]
fn every_packet_of_a_trace_comes_byte_for_byte_with_rising_stamps() {
    alone("bytes::every_packet_of_a_trace_comes_byte_for_byte_with_rising_stamps", || {
        connect();
        let sent = frames(Trace::new(11).bytes(8 << 20).packets());
        assert!(sent.len() > 5_000);
        let mut capture = open(FAR, options());
        let before = Timestamp::now();
        feed(&sent, std::slice::from_mut(&mut capture));
        let came = all(&mut capture);
        assert!(came.is_sorted_by_key(|packet| packet.time));
        assert!(came[0].time >= before && came[came.len() - 1].time <= Timestamp::now());
        let distinct = came.windows(2).filter(|pair| pair[0].time != pair[1].time).count();
        assert!(distinct * 10 > came.len() * 9, "{distinct} stamps for {} packets", came.len());
        assert!(came.iter().all(|packet| packet.orig_len as usize == packet.data.len()));
        assert_same(&frames(came), &sent);
    });
}

#[test]
fn the_smallest_and_the_largest_come_whole() {
    alone("bytes::the_smallest_and_the_largest_come_whole", || {
        connect();
        // 1500, 9000 and the most of all bytes behind the header.
        let lengths = [22, 59, 60, 64, 1514, 1518, 9013, 9014, MTU + 13, MTU + 14];
        let sent: Vec<_> = lengths.iter().flat_map(|&len| numbered(40, len)).collect();
        let mut capture = open(FAR, options());
        feed(&sent, std::slice::from_mut(&mut capture));
        assert_same(&frames(all(&mut capture)), &sent);
    });
}

#[test]
fn tags_are_in_their_places() {
    alone("bytes::tags_are_in_their_places", || {
        connect();
        let sent = tagged();
        let mut capture = open(FAR, options());
        feed(&sent, std::slice::from_mut(&mut capture));
        let came = all(&mut capture);
        assert!(came.iter().all(|packet| packet.orig_len as usize == packet.data.len()));
        assert_same(&frames(came), &sent);
    });
}

#[test]
fn tcpdump_beside_writes_the_same() {
    alone("bytes::tcpdump_beside_writes_the_same", || {
        let Some(tcpdump) = tool::require("tcpdump") else { return };
        if rustix::process::getuid().is_root() {
            tool::skipped("tcpdump gives up root, which it cannot within a namespace of this unshare");
            return;
        }
        connect();
        let mut sent = tagged();
        sent.extend(frames(Trace::new(12).bytes(1 << 19).packets()));
        let count = sent.len().to_string();
        let mut beside = tcpdump
            .command()
            .args(["-n", "-i", FAR, "-c", &count, "-w", "-"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut listening = String::new();
        BufReader::new(beside.stderr.as_mut().unwrap()).read_line(&mut listening).unwrap();
        assert!(listening.contains("listening"), "{listening}");

        let mut capture = open(FAR, options());
        feed(&sent, std::slice::from_mut(&mut capture));
        let ours = all(&mut capture);
        let theirs = read_pcap(&beside.wait_with_output().unwrap().stdout).unwrap().packets;
        assert_eq!(ours.len(), theirs.len());
        assert!(ours.iter().zip(&theirs).all(|(a, b)| a.orig_len == b.orig_len));
        assert_same(&frames(ours), &frames(theirs));
    });
}

#[test]
fn packets_are_cut_at_the_snap_length() {
    alone("bytes::packets_are_cut_at_the_snap_length", || {
        connect();
        let sent = tagged();
        // In front of the tag, within it, behind it, in the packet, behind its end.
        for snaplen in [1, 11, 12, 13, 14, 15, 16, 17, 18, 60, 96, 1042, 1500] {
            let mut capture = open(FAR, CaptureOptions { snaplen, ..options() });
            feed(&sent, std::slice::from_mut(&mut capture));
            let came = all(&mut capture);
            let whole: Vec<_> = came.iter().map(|packet| packet.orig_len as usize).collect();
            assert_eq!(whole, sent.iter().map(Vec::len).collect::<Vec<_>>(), "snap length {snaplen}");
            let cut: Vec<_> = sent.iter().map(|f| f[..f.len().min(snaplen as usize)].to_vec()).collect();
            assert_same(&frames(came), &cut);
        }
    });
}
