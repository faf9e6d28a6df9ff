//! The packets of a trace, one by one: frames of its mix, the needle in between, and when each comes.

use pcapx_core::time::Timestamp;

use super::dice::Dice;
use super::flood::Flood;
use super::usual::Usual;
use super::{Mix, Needle, Trace};
use crate::capture::Packet;
use crate::packet::{Ethernet, Ipv4, Tcp, tcp_flags};

/// A record of a pcap file has this many bytes in front of the packet.
const RECORD_HEADER_BYTES: u64 = 16;

/// An iterator of packets in order of time.
#[derive(Debug)]
pub struct Traffic {
    dice: Dice,
    source: Source,
    /// Nanoseconds since the epoch.
    now: i64,
    /// What one byte takes on the wire: a fraction of nanoseconds and bytes.
    pace: (u64, u64),
    bytes_left: u64,
    needle: Schedule,
    /// Time stamps are multiples of this many nanoseconds.
    tick: i64,
}

/// Where frames come from.
#[derive(Debug)]
enum Source {
    Usual(Box<Usual>),
    Flood(Flood),
}

/// When the needle's packets are due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    first: i64,
    interval: i64,
    sent: u32,
}

impl Traffic {
    pub(super) fn new(trace: &Trace) -> Self {
        let mut dice = Dice::new(trace.seed);
        let source = match trace.mix {
            Mix::Usual => Source::Usual(Box::new(Usual::new(&mut dice))),
            Mix::Flood => Source::Flood(Flood::of_few(&mut dice)),
            Mix::SynFlood => Source::Flood(Flood::Syn),
        };
        let nanos = u64::try_from(trace.duration.as_nanos()).unwrap_or(u64::MAX);
        let span = nanos.cast_signed().max(0);
        let start = trace.start.as_nanos();
        Self {
            dice,
            source,
            now: start,
            pace: (nanos, trace.bytes.max(1)),
            bytes_left: trace.bytes,
            needle: Schedule {
                first: start.saturating_add(span / 2),
                interval: span / 60 / i64::from(Needle::PACKETS),
                sent: 0,
            },
            tick: if trace.form.has_nanos() { 1 } else { 1000 },
        }
    }

    /// Whether `packet` belongs to the needle.
    pub fn is_needle(packet: &Packet) -> bool {
        // Ethernet without tags and IPv4 without options: addresses at 26 and 30.
        let Some(addresses) = packet.data.get(26..34) else { return false };
        let (client, server) = (Needle::CLIENT.octets(), Needle::SERVER.octets());
        addresses == [client, server].as_flattened() || addresses == [server, client].as_flattened()
    }

    fn frame(&mut self) -> Vec<u8> {
        match &mut self.source {
            Source::Usual(usual) => usual.frame(&mut self.dice),
            Source::Flood(flood) => flood.frame(&mut self.dice),
        }
    }
}

impl Schedule {
    fn is_due(&self, now: i64) -> bool {
        self.sent < Needle::PACKETS && now >= self.first.saturating_add(self.interval * i64::from(self.sent))
    }

    fn frame(&mut self) -> Vec<u8> {
        let number = self.sent;
        self.sent += 1;
        let flags = match number {
            0 => tcp_flags::SYN,
            1 => tcp_flags::SYN | tcp_flags::ACK,
            _ => tcp_flags::ACK,
        };
        let text = format!("packet {number} of the needle").into_bytes();
        let payload = if number < 2 { &[][..] } else { &text };
        let (network, segment) = if number.is_multiple_of(2) {
            (Ipv4::new(Needle::CLIENT, Needle::SERVER), Tcp::new(Needle::CLIENT_PORT, Needle::SERVER_PORT))
        } else {
            (Ipv4::new(Needle::SERVER, Needle::CLIENT), Tcp::new(Needle::SERVER_PORT, Needle::CLIENT_PORT))
        };
        let segment = segment.flags(flags).sequence(number, number).payload(payload);
        Ethernet::new().carry(&network.carry(&segment))
    }
}

impl Iterator for Traffic {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        if self.bytes_left == 0 {
            return None;
        }
        let data = if self.needle.is_due(self.now) { self.needle.frame() } else { self.frame() };
        let cost = RECORD_HEADER_BYTES + data.len() as u64;
        // Each packet has a share of the duration by its length, and comes at any time of its share.
        let (nanos, bytes) = self.pace;
        let share = u128::from(cost.min(self.bytes_left)) * u128::from(nanos) / u128::from(bytes);
        let share = i64::try_from(share).unwrap_or(i64::MAX);
        let wait = (i128::from(share) * i128::from(self.dice.below(1000)) / 1000) as i64;
        let at = self.now.saturating_add(wait);
        let time = Timestamp::from_nanos(at - at.rem_euclid(self.tick));
        self.now = self.now.saturating_add(share);
        self.bytes_left = self.bytes_left.saturating_sub(cost);
        Some(Packet::new(time, data))
    }
}
