//! The packets of a trace, one by one.

use std::collections::VecDeque;

use pcapx_core::time::Timestamp;

use super::dice::Dice;
use super::flow::{Flow, World};
use super::{Needle, Trace, sundry};
use crate::capture::Packet;
use crate::packet::{Ethernet, Ipv4, Tcp, tcp_flags};

/// Flows that are alive at a time.
const SLOTS: u32 = 4000;
/// A flow sends up to this many packets in a row.
const LONGEST_BURST: u32 = 8;
/// A record of a pcap file has this many bytes in front of the packet.
const RECORD_HEADER_BYTES: u64 = 16;

/// An iterator of packets in order of time.
#[derive(Debug)]
pub struct Traffic {
    dice: Dice,
    world: World,
    flows: Vec<Flow>,
    burst: Burst,
    /// Frames that are ready to go.
    queue: VecDeque<Vec<u8>>,
    /// Nanoseconds since the epoch.
    now: i64,
    /// What one byte takes on the wire: a fraction of nanoseconds and bytes.
    pace: (u64, u64),
    bytes_left: u64,
    needle: Schedule,
    /// Time stamps are multiples of this many nanoseconds.
    tick: i64,
}

/// The flow whose turn it is.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    slot: u32,
    left: u32,
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
        let world = World::new(&mut dice);
        let flow = |slot| Flow::under_way(world.path(slot, &mut dice), &mut dice);
        let flows = (0..SLOTS).map(flow).collect();
        let nanos = u64::try_from(trace.duration.as_nanos()).unwrap_or(u64::MAX);
        let span = nanos.cast_signed().max(0);
        let start = trace.start.as_nanos();
        Self {
            dice,
            world,
            flows,
            burst: Burst::default(),
            queue: VecDeque::new(),
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
        if let Some(frame) = self.queue.pop_front() {
            return frame;
        }
        if self.burst.left == 0 {
            // The product of two dice makes some slots much busier than others, at every rest of a division alike.
            let (one, other) = (self.dice.below(SLOTS), self.dice.below(SLOTS));
            let slot = (u64::from(one) * u64::from(other) / u64::from(SLOTS)) as u32;
            if self.dice.below(10_000) < sundry::TURNS_OF_10_000 {
                let path = self.world.path(slot, &mut self.dice);
                self.queue.extend(sundry::turn(&self.world, path, &mut self.dice));
                return self.queue.pop_front().unwrap_or_default();
            }
            self.burst = Burst { slot, left: 1 + self.dice.below(LONGEST_BURST) };
        }
        self.burst.left -= 1;
        let flow = &mut self.flows[self.burst.slot as usize];
        let frame = flow.next(&self.world, &mut self.dice);
        if flow.is_over() {
            *flow = Flow::new(self.world.path(self.burst.slot, &mut self.dice), &mut self.dice);
            self.burst.left = 0;
        }
        frame
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
