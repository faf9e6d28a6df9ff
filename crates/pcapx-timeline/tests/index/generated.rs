//! Capture files of every form, made by chance: many blocks, each with a few of many packets.

use std::net::{Ipv4Addr, Ipv6Addr};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng, link};
use pcapx_testkit::packet::{Ethernet, Ipv4, Ipv6, LinuxSll, LinuxSll2, Loopback, Network, Sctp, Tcp, Udp};

use crate::chance::Chance;
use crate::zoo;

/// 2026-03-01T09:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_772_355_600);
/// A link type that nobody takes apart.
const USER0: u32 = 147;
/// Packets are filled up to some hundred bytes, so that a file has dozens of blocks.
const FILL_MAX_BYTES: usize = 1100;
/// Packets that are like each other before others come.
const STRETCH_MAX_PACKETS: usize = 60;

/// Makes packets, in stretches of a few kinds each.
#[derive(Debug)]
struct Source {
    chance: Chance,
    link: u32,
    zoo: Vec<Vec<u8>>,
    theme: Vec<Vec<u8>>,
    left: usize,
    is_snapped: bool,
    is_crowded: bool,
}

impl Source {
    fn new(chance: &mut Chance, link: u32) -> Self {
        Self {
            chance: Chance::new(chance.roll()),
            link,
            zoo: zoo::frames(link),
            theme: Vec::new(),
            left: 0,
            is_snapped: chance.one_in(3),
            is_crowded: chance.one_in(2),
        }
    }

    fn next(&mut self) -> Packet {
        if self.left == 0 {
            self.left = 1 + self.chance.below(STRETCH_MAX_PACKETS);
            let kinds = 1 + self.chance.below(4);
            self.theme = (0..kinds).map(|_| self.chance.pick(&self.zoo).clone()).collect();
        }
        self.left -= 1;
        let data = match self.chance.below(30) {
            0 => (0..self.chance.below(80)).map(|_| self.chance.roll() as u8).collect(),
            1..15 if self.is_crowded => self.one_of_a_crowd(),
            _ => self.chance.pick(&self.theme).clone(),
        };
        let packet = Packet::new(START, data);
        if self.is_snapped && self.chance.one_in(2) {
            let len = self.chance.below(100);
            return packet.cut(len);
        }
        let mut data = packet.data;
        data.resize(data.len() + self.chance.below(FILL_MAX_BYTES), 0);
        Packet::new(START, data)
    }

    /// A conversation of two of some thousand hosts.
    fn one_of_a_crowd(&mut self) -> Vec<u8> {
        let chance = &mut self.chance;
        let port = [*chance.pick(&zoo::PORTS), chance.roll() as u16];
        let host = |chance: &mut Chance| Ipv4Addr::from_bits(0x0a00_0000 | chance.below(4096) as u32);
        let six =
            |chance: &mut Chance| Ipv6Addr::from_bits(zoo::V6[0].to_bits() ^ chance.below(4096) as u128);
        let four = Ipv4::new(host(chance), host(chance));
        let network = match chance.below(4) {
            0 => Ipv6::new(six(chance), six(chance)).carry(&Udp::new(port[0], port[1])),
            1 => four.carry(&Tcp::new(port[1], port[0])),
            2 => four.carry(&Sctp::new(port[0], port[1])),
            _ => four.carry(&Udp::new(port[1], port[0])),
        };
        frame(self.link, &network)
    }
}

fn frame(link: u32, network: &Network) -> Vec<u8> {
    match link {
        link::ETHERNET => Ethernet::new().carry(network),
        link::LINUX_SLL => LinuxSll::new().carry(network),
        link::LINUX_SLL2 => LinuxSll2::new().carry(network),
        link::NULL => Loopback::new().carry(network),
        link::LOOP => Loopback { big_endian: true, af_inet6: 24 }.carry(network),
        _ => network.bytes.clone(),
    }
}

/// How the time goes on from packet to packet.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Steady,
    /// Queues of one card, a little apart.
    Jitters,
    /// Many packets have the same time stamp.
    Stands,
    /// Somebody sets it back now and then.
    IsSet,
    /// Any time.
    Wild,
}

const CLOCKS: [Clock; 6] =
    [Clock::Steady, Clock::Steady, Clock::Jitters, Clock::Stands, Clock::IsSet, Clock::Wild];

impl Clock {
    fn next(self, chance: &mut Chance, now: &mut Timestamp) -> Timestamp {
        let on = |by: usize| Timestamp::from_nanos(now.as_nanos().saturating_add(by as i64));
        match self {
            Self::Jitters => {
                *now = on(chance.below(4_000_000));
                return Timestamp::from_nanos(now.as_nanos() - chance.below(100_000_000) as i64);
            }
            Self::Stands => *now = on(chance.below(10) / 9 * 1_000_000),
            Self::IsSet if chance.one_in(200) => {
                *now = Timestamp::from_nanos(now.as_nanos() - chance.below(3_600_000_000_000) as i64);
            }
            Self::Steady | Self::IsSet => *now = on(chance.below(4_000_000)),
            Self::Wild => return Timestamp::from_nanos((chance.roll() >> 1) as i64),
        }
        *now
    }
}

/// The bytes of a capture file with up to `packets` packets.
pub(crate) fn capture(chance: &mut Chance, packets: usize) -> Vec<u8> {
    let mut bytes = if chance.one_in(2) { pcap(chance, packets) } else { pcapng(chance, packets) };
    spoil(chance, &mut bytes);
    bytes
}

fn pcap(chance: &mut Chance, packets: usize) -> Vec<u8> {
    let link = link_type(chance);
    let form = *chance.pick(&Pcap::forms());
    let (clock, mut now) = (*chance.pick(&CLOCKS), START);
    let mut source = Source::new(chance, link);
    let packets: Vec<_> =
        (0..packets).map(|_| Packet { time: clock.next(chance, &mut now), ..source.next() }).collect();
    form.link_type(link).encode(&packets)
}

fn link_type(chance: &mut Chance) -> u32 {
    if chance.one_in(12) { USER0 } else { chance.pick(&zoo::LINKS).0 }
}

fn interface(chance: &mut Chance) -> Interface {
    const RESOLUTIONS: [Option<u8>; 10] =
        [None, None, Some(6), Some(9), Some(9), Some(0), Some(3), Some(12), Some(0x8a), Some(0x9e)];
    const OFFSETS: [i64; 5] = [-4_000_000_000, 1_000_000_000, i64::MAX, i64::MIN, -1];
    let link = link_type(chance);
    let mut interface = Interface::new().link_type(link);
    interface.resolution = *chance.pick(&RESOLUTIONS);
    if chance.one_in(6) {
        interface.offset_secs = Some(*chance.pick(&OFFSETS));
    }
    if chance.one_in(3) {
        interface.name = Some(format!("eth{}", chance.below(3)));
    }
    interface
}

/// Sections, interfaces that come late, and blocks between packets that hold none.
fn pcapng(chance: &mut Chance, packets: usize) -> Vec<u8> {
    let mut file = if chance.one_in(2) { Pcapng::little_endian() } else { Pcapng::big_endian() };
    if chance.one_in(5) {
        // A section without packets.
        file = file.interface(interface(chance)).next_section_big_endian();
    }
    // Most files name all their interfaces at their head.
    let is_orderly = !chance.one_in(3);
    let is_wild = chance.one_in(8);
    let (clock, mut now) = (*chance.pick(&CLOCKS), START);
    let mut sources: Vec<Source> = Vec::new();
    for number in 0..packets {
        if !is_orderly && chance.one_in(400) {
            sources.clear();
            file = if chance.one_in(2) {
                file.next_section_big_endian()
            } else {
                file.next_section_little_endian()
            };
        }
        let is_late = !is_orderly && chance.one_in(300);
        let is_head = number == 0 && chance.one_in(2);
        for _ in 0..usize::from(sources.is_empty()) + usize::from(is_late) + usize::from(is_head) {
            let interface = interface(chance);
            sources.push(Source::new(chance, interface.link));
            file = file.interface(interface);
        }
        if chance.one_in(100) {
            // Name resolution, statistics, and what nobody knows; some as large as blocks of an index.
            let len = if chance.one_in(5) { 20_000 } else { 30 };
            file = file.block(*chance.pick(&[4, 5, 0x0bad]), &vec![0; len]);
        }
        let number = chance.below(sources.len());
        let packet = sources[number].next();
        let time = clock.next(chance, &mut now);
        file = match chance.below(40) {
            0 => file.simple_packet(&sources[0].next().data),
            1 => file.obsolete_packet(number as u16, 1, time, &packet.data),
            2..6 if is_wild => {
                file.packet_in_units(number as u32, chance.roll(), &packet.data, packet.orig_len, "wild")
            }
            3 => file.packet_in_units(number as u32, 1 << 40, &packet.data, packet.orig_len, "early"),
            _ => file.packet(number as u32, time, &packet.data),
        };
    }
    file.finish()
}

/// One file in three ends as a crash leaves it, or is damaged somewhere.
fn spoil(chance: &mut Chance, bytes: &mut Vec<u8>) {
    match chance.below(15) {
        0 | 1 => bytes.truncate(bytes.len() - chance.below(100.min(bytes.len()))),
        2 => bytes.resize(bytes.len() + 4 * chance.below(9000), 0),
        3 => bytes.extend([0xff; 64]),
        4 => {
            let at = chance.below(bytes.len());
            for byte in bytes.iter_mut().skip(at).take(16) {
                *byte = chance.roll() as u8;
            }
        }
        _ => {}
    }
}
