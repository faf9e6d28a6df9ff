//! One conversation of two hosts: TCP from handshake to end, or QUIC.

use super::dice::{Dice, Zipf};
use crate::packet::{Ethernet, Ipv4, Ipv6, MacAddr, Network, Payload, Tcp, Udp, tcp_flags};

/// Sites with clients, each with as many packets as any other.
const SITES: u32 = 10;
/// Clients of a site, by popularity.
const CLIENTS: u32 = 400;
/// Servers of the world, by popularity.
const SERVERS: u32 = 20_000;
/// Data of a full segment: an Ethernet of 1500 bytes without IPv4 and TCP header and time stamps.
const FULL_SEGMENT_BYTES: u32 = 1448;
/// Random bytes from which payloads are cut.
const PAYLOAD_POOL_BYTES: u32 = 1 << 18;

/// Who is there, and what they say.
#[derive(Debug)]
pub(super) struct World {
    clients: Zipf,
    servers: Zipf,
    pool: Vec<u8>,
}

/// Where two hosts are on the network, which decides how their frames look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) site: u32,
    client: u32,
    server: u32,
    v6: bool,
    link: Link,
}

#[derive(Clone, Copy, Debug)]
enum Link {
    Plain,
    Vlan,
    Qinq,
    Mpls,
    Pppoe,
}

/// A conversation under way.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    path: Path,
    ports: (u16, u16),
    /// QUIC instead of TCP.
    quic: bool,
    sent: u32,
    left: u32,
    /// Sequence numbers of client and server.
    sequence: [u32; 2],
}

impl World {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let pool = (0..PAYLOAD_POOL_BYTES / 8).flat_map(|_| dice.roll().to_le_bytes()).collect();
        Self { clients: Zipf::new(CLIENTS), servers: Zipf::new(SERVERS), pool }
    }

    /// Two hosts for the flow in `slot`. The slot decides site, IP version and tags, so that the shares of packets are
    /// those of slots, whatever the lengths of flows.
    pub(super) fn path(&self, slot: u32, dice: &mut Dice) -> Path {
        let link = match slot % 200 {
            11 => Link::Mpls,
            31 => Link::Pppoe,
            51 | 151 => Link::Qinq,
            tagged if tagged % 25 == 4 => Link::Vlan,
            _ => Link::Plain,
        };
        let (client, server) = (self.clients.pick(dice), self.servers.pick(dice));
        Path { site: slot % SITES, client, server, v6: slot % 25 == 7, link }
    }

    pub(super) fn payload(&self, len: u32, dice: &mut Dice) -> &[u8] {
        let at = dice.below(PAYLOAD_POOL_BYTES - len) as usize;
        &self.pool[at..at + len as usize]
    }
}

impl Path {
    /// The frame with `payload` from client to server, or back.
    pub(super) fn frame(&self, to_server: bool, payload: &impl Payload) -> Vec<u8> {
        self.frame_of(to_server, |v4, v6| match v4 {
            Some(header) => header.carry(payload),
            None => v6.carry(payload),
        })
    }

    /// The frames of `payload` in fragments.
    pub(super) fn fragments(&self, payload: &impl Payload, id: u32) -> Vec<Vec<u8>> {
        let pieces = if self.v6 {
            self.v6(true).fragments(payload, 1440, id)
        } else {
            self.v4(true).id(id as u16).fragments(payload, 1480)
        };
        pieces.iter().map(|piece| self.ethernet(true).carry(piece)).collect()
    }

    pub(super) fn is_v6(&self) -> bool {
        self.v6
    }

    fn frame_of(&self, to_server: bool, carry: impl FnOnce(Option<Ipv4>, Ipv6) -> Network) -> Vec<u8> {
        let v4 = (!self.v6).then(|| self.v4(to_server));
        self.ethernet(to_server).carry(&carry(v4, self.v6(to_server)))
    }

    fn v4(&self, to_server: bool) -> Ipv4 {
        // Ranks are spread over the address space: popular hosts are not neighbours.
        let [.., c, d] = (self.client * 163 % 65_521 + 256).to_be_bytes();
        let [_, s, t, u] = (self.server.wrapping_mul(2_654_435_761) >> 8).to_be_bytes();
        let client = [10, 10 + self.site as u8, c, d];
        // 11.0.0.0/8 .. 90.0.0.0/8: no private, documentation or multicast addresses.
        let server = [11 + s % 80, t, u, (self.server >> 8) as u8];
        if to_server { Ipv4::new(client, server) } else { Ipv4::new(server, client) }
    }

    fn v6(&self, to_server: bool) -> Ipv6 {
        let site = 0x10 + self.site as u16;
        let client = [0x2001, 0xdb8, site, 0, 0, 0, 1, self.client as u16];
        let server = [0x2600, 0x1400, (self.server >> 4) as u16, 0, 0, 0, 0, self.server as u16];
        if to_server { Ipv6::new(client, server) } else { Ipv6::new(server, client) }
    }

    fn ethernet(&self, to_server: bool) -> Ethernet {
        let [_, _, c, d] = self.client.to_be_bytes();
        let client: MacAddr = [2, 0, 0, self.site as u8, c, d];
        let router: MacAddr = [2, 0, 0, 0xff, 0, self.site as u8];
        let plain =
            if to_server { Ethernet::between(client, router) } else { Ethernet::between(router, client) };
        let id = 100 + self.site as u16;
        match self.link {
            Link::Plain => plain,
            Link::Vlan => plain.vlan(id),
            Link::Qinq => plain.qinq(2000, id),
            Link::Mpls => plain.mpls(&[16_000 + u32::from(id), 24_000]),
            Link::Pppoe => plain.pppoe(id),
        }
    }
}

impl Flow {
    pub(super) fn new(path: Path, dice: &mut Dice) -> Self {
        let quic = dice.below(100) < 12;
        let server_port = match dice.below(100) {
            _ if quic => 443,
            0..60 => 443,
            60..80 => 80,
            80..85 => 22,
            85..90 => 993,
            90..95 => 8080,
            _ => dice.between(1024, 32_768) as u16,
        };
        let ports = (dice.between(32_768, 61_000) as u16, server_port);
        let sequence = [dice.roll() as u32, dice.roll() as u32];
        Self { path, ports, quic, sent: 0, left: dice.pareto(6, 200_000), sequence }
    }

    /// A flow that had begun before the trace did.
    pub(super) fn under_way(path: Path, dice: &mut Dice) -> Self {
        Self { sent: 3, ..Self::new(path, dice) }
    }

    pub(super) fn is_over(&self) -> bool {
        self.left == 0
    }

    pub(super) fn next(&mut self, world: &World, dice: &mut Dice) -> Vec<u8> {
        self.sent += 1;
        self.left -= 1;
        // Mostly a download: full segments come, acknowledgements go.
        let (to_server, len) = match dice.below(100) {
            0..52 => (false, FULL_SEGMENT_BYTES),
            52..84 => (true, 0),
            84..92 => (false, dice.between(60, 1200)),
            _ => (true, dice.between(60, 1200)),
        };
        if self.quic { self.quic(world, to_server, len, dice) } else { self.tcp(world, to_server, len, dice) }
    }

    fn tcp(&mut self, world: &World, to_server: bool, len: u32, dice: &mut Dice) -> Vec<u8> {
        use tcp_flags::{ACK, FIN, PSH, SYN};
        let (to_server, flags, len) = match (self.sent, self.left) {
            (1, _) => (true, SYN, 0),
            (2, _) => (false, SYN | ACK, 0),
            (3, _) => (true, ACK, 0),
            (_, 1) => (true, FIN | ACK, 0),
            (_, 0) => (false, FIN | ACK, 0),
            _ if len > 0 && len < FULL_SEGMENT_BYTES => (to_server, PSH | ACK, len),
            _ => (to_server, ACK, len),
        };
        let (from, to) = if to_server { (0, 1) } else { (1, 0) };
        let (src, dst) = self.direction(to_server);
        let acknowledged = if flags & ACK == 0 { 0 } else { self.sequence[to] };
        let segment = Tcp::new(src, dst).flags(flags).sequence(self.sequence[from], acknowledged);
        // Two no-operations and a time stamp option, as most systems send.
        let segment = segment.options(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
        let taken = len + u32::from(flags & (SYN | FIN) != 0);
        self.sequence[from] = self.sequence[from].wrapping_add(taken);
        self.path.frame(to_server, &segment.payload(world.payload(len, dice)))
    }

    fn quic(&mut self, world: &World, to_server: bool, len: u32, dice: &mut Dice) -> Vec<u8> {
        // Datagrams of 1200 to 1350 bytes are usual, acknowledgements are 30 bytes and more.
        let len = if len == 0 { dice.between(30, 45) } else { len.min(1350) };
        let (src, dst) = self.direction(to_server);
        self.path.frame(to_server, &Udp::new(src, dst).payload(world.payload(len, dice)))
    }

    fn direction(&self, to_server: bool) -> (u16, u16) {
        let (client, server) = self.ports;
        if to_server { (client, server) } else { (server, client) }
    }
}
