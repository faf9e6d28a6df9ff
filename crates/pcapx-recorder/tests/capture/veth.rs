//! A pair of virtual interfaces and what goes over it.

use std::fs;
use std::time::Duration;

use pcapx_recorder::afpacket::{Capture, CaptureOptions, Sender};
use pcapx_recorder::source::{Counts, PacketSource, SourceError, Waited};
use pcapx_testkit::capture::Packet;
use pcapx_testkit::process::{PATIENCE, poll};

use crate::namespace::ip;

/// The end that packets are sent into.
pub(crate) const NEAR: &str = "near";
/// The end that packets come out of.
pub(crate) const FAR: &str = "far";
/// The most that a virtual interface takes.
pub(crate) const MTU: usize = 65535;
/// Packets that are under way at once: fewer than the kernel queues between the two ends, which is 1000.
const UNDER_WAY: usize = 256;

/// Makes the pair; nobody but the test sends anything over it.
pub(crate) fn connect() {
    for scope in ["all", "default"] {
        // A kernel without IPv6 has nothing to switch off.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
    }
    pair(NEAR, FAR);
}

/// Makes a pair of these names, for frames of any size.
pub(crate) fn pair(near: &str, far: &str) {
    ip(&format!("link add name {near} mtu {MTU} arp off type veth peer name {far} mtu {MTU} arp off"));
    for end in [near, far] {
        ip(&format!("link set {end} up"));
    }
    await_up(&[near, far]);
}

/// Sets one end up and waits until both carry packets, which the kernel brings about a little later.
pub(crate) fn up(end: &str) {
    ip(&format!("link set {end} up"));
    await_up(&[NEAR, end]);
}

fn await_up(ends: &[&str]) {
    let is_up = |end: &&str| ip(&format!("link show {end}")).contains("state UP");
    let are_up = poll(PATIENCE, || ends.iter().all(is_up).then_some(()));
    assert!(are_up.is_some(), "{}", ip("link show"));
}

/// Packets that an interface has received, as the kernel counts them.
pub(crate) fn packets_of(interface: &str) -> u64 {
    let table = fs::read_to_string("/proc/self/net/dev").unwrap();
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().nth(1)).unwrap().parse().unwrap()
}

/// Sends packets, no faster than they come out at the other end.
pub(crate) fn send(frames: &[Vec<u8>], near: &str, far: &str) {
    let sender = Sender::open(near).unwrap();
    let mut sent = packets_of(far);
    for some in frames.chunks(UNDER_WAY) {
        sender.send(some).unwrap();
        sent += some.len() as u64;
        let arrived = poll(PATIENCE, || (packets_of(far) >= sent).then_some(()));
        assert!(arrived.is_some(), "sent {sent}, came {}", packets_of(far));
    }
}

/// A small ring is enough for what tests send.
pub(crate) fn options() -> CaptureOptions {
    CaptureOptions { ring_bytes: 16 << 20, ..CaptureOptions::default() }
}

pub(crate) fn open(interface: &str, options: CaptureOptions) -> Capture {
    Capture::open(interface, &options).unwrap()
}

/// What came so far, over all captures.
pub(crate) fn counts(captures: &mut [Capture]) -> Counts {
    captures.iter_mut().map(|capture| capture.counts().unwrap()).sum()
}

/// Sends packets, no faster than they come out, and answers when all have.
pub(crate) fn feed(frames: &[Vec<u8>], captures: &mut [Capture]) {
    let sender = Sender::open(NEAR).unwrap();
    let before = counts(captures);
    let mut sent = before.received + before.dropped;
    for some in frames.chunks(UNDER_WAY) {
        sender.send(some).unwrap();
        sent += some.len() as u64;
        let arrived = poll(PATIENCE, || {
            let now = counts(captures);
            (now.received + now.dropped >= sent).then_some(())
        });
        assert!(arrived.is_some(), "sent {sent}, came {:?}", counts(captures));
    }
}

/// Waits once; the packets go to `packets`.
pub(crate) fn wait(capture: &mut Capture, packets: &mut Vec<Packet>) -> Result<Waited, SourceError> {
    capture.wait(Duration::from_secs(1), &mut |packet| {
        let kept = Packet::new(packet.time, packet.data.to_vec());
        packets.push(Packet { orig_len: packet.orig_len, ..kept });
    })
}

/// Ends a capture and gives all that it has taken.
pub(crate) fn all(capture: &mut Capture) -> Vec<Packet> {
    let mut packets = Vec::new();
    capture.stop().unwrap();
    let ended = poll(PATIENCE, || (wait(capture, &mut packets).unwrap() == Waited::End).then_some(()));
    assert!(ended.is_some(), "no end after {} packets", packets.len());
    packets
}

/// Their bytes.
pub(crate) fn frames(packets: impl IntoIterator<Item = Packet>) -> Vec<Vec<u8>> {
    packets.into_iter().map(|packet| packet.data).collect()
}

/// `n` frames of `len` bytes, each different from the others.
pub(crate) fn numbered(n: usize, len: usize) -> Vec<Vec<u8>> {
    let frame = |i: usize| {
        let mut frame = vec![0; len];
        frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
        // A type for experiments (IEEE 802, local experimental EtherType 1).
        frame[12..14].copy_from_slice(&[0x88, 0xb5]);
        frame[14..22].copy_from_slice(&(i as u64).to_be_bytes());
        frame
    };
    (0..n).map(frame).collect()
}

/// Fails with the first difference instead of with all bytes.
pub(crate) fn assert_same(came: &[Vec<u8>], sent: &[Vec<u8>]) {
    for (nth, (came, sent)) in came.iter().zip(sent).enumerate() {
        assert_eq!(came, sent, "packet {nth}");
    }
    assert_eq!(came.len(), sent.len());
}
