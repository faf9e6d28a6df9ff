//! Realistic traffic from a seed, as long and as much as asked for.
//!
//! ```text
//! Trace (seed, bytes, duration) ──► Traffic, an iterator of packets in order of time
//!                               └─► write_rolling ──► DIR/<epoch.usec>/<epoch.usec>.pcap … ──► Recording
//! ```
//!
//! **What it looks like.** Some thousand flows are alive at a time, their lengths are Pareto distributed and their hosts
//! Zipf distributed; a few flows are much busier than the others and packets come in bursts. Frames have 760 bytes on
//! the mean: full segments one way, acknowledgements the other. 4 % of the packets are IPv6, 5 % have a VLAN tag, some
//! QinQ, MPLS or PPPoE; there are DNS, ICMP, ARP, SCTP and fragments. Clients live in ten sites, `10.10.0.0/16` to
//! `10.19.0.0/16` (`2001:db8:10::/48` to `2001:db8:19::/48`), with a tenth of the packets each.
//!
//! **The needle** is one TCP flow that nothing else in the trace resembles: its addresses occur nowhere else. It lives
//! in the middle of the trace for a sixtieth of its duration, and its packets are told in full.
//!
//! **A flood** in place of it all is what an index has most trouble with: frames of the least length, from
//! [few flows](Mix::Flood) or each of [a flow of its own](Mix::SynFlood).
//!
//! **Determinism.** The same [`Trace`] gives the same bytes on every machine: only integer arithmetic and a
//! generator of its own decide. A test holds the digest of a small trace.

mod dice;
mod flood;
mod flow;
mod rolling;
mod sundry;
mod traffic;
mod usual;

use std::net::Ipv4Addr;
use std::time::Duration;

use pcapx_core::time::Timestamp;

use crate::capture::{Packet, Pcap};

pub use rolling::{Recording, link_timeline};
pub use traffic::Traffic;

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    seed: u64,
    mix: Mix,
    bytes: u64,
    start: Timestamp,
    duration: Duration,
    form: Pcap,
}

/// What the packets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mix {
    /// What a site's uplink carries.
    #[default]
    Usual,
    /// Smallest frames of 64 UDP flows to one server, `11.0.0.1` port 53.
    Flood,
    /// Smallest frames of TCP connections to one server, `11.0.0.1` port 443, that are opened and never answered: each
    /// with an address and a port of its own.
    SynFlood,
}

/// The planted flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needle {
    /// Its packets in order, time stamps as precise as the file's.
    pub packets: Vec<Packet>,
}

impl Needle {
    /// Who opened the flow.
    pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);
    /// Who answered.
    pub const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
    /// The client's port.
    pub const CLIENT_PORT: u16 = 51_514;
    /// The server's port.
    pub const SERVER_PORT: u16 = 8443;
    /// The filter that an alert of this flow makes in mode `full`.
    pub const FILTER: &str = "tcp and host 192.0.2.77 and host 198.51.100.77 and port 8443";
    /// How many packets it has.
    pub const PACKETS: u32 = 200;
}

impl Trace {
    /// A client that takes part in about one packet of 1500.
    pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 13, 13, 188);
    /// A filter that about one IPv4 packet of ten passes: the clients of one site.
    pub const TENTH: &str = "net 10.13.0.0/16";

    /// 64 MiB in an hour from 2026-03-01T09:00:00Z, microseconds, little-endian.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            mix: Mix::Usual,
            bytes: 64 << 20,
            start: Timestamp::from_secs(1_772_355_600),
            duration: Duration::from_secs(3600),
            form: Pcap::new(),
        }
    }

    /// About this many bytes of capture files, headers counted.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// The time at which the trace begins; the first packet comes within its own share of the duration.
    #[must_use]
    pub fn start(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// All packets come in this time, evenly by their bytes.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Packets of another kind.
    #[must_use]
    pub fn mix(mut self, mix: Mix) -> Self {
        self.mix = mix;
        self
    }

    /// Time stamps in nanoseconds.
    #[must_use]
    pub fn nanos(mut self) -> Self {
        self.form = self.form.nanos();
        self
    }

    /// A name for what this trace is made of: its mix, seed, bytes, duration in seconds, start.
    pub fn name(&self) -> String {
        let Self { seed, bytes, start, duration, .. } = self;
        let mix = match self.mix {
            Mix::Usual => "",
            Mix::Flood => "flood-",
            Mix::SynFlood => "syn-flood-",
        };
        format!("{mix}seed{seed}-{bytes}b-{}s-from{}", duration.as_secs(), start.as_secs())
    }

    /// The packets, one by one; time never goes back.
    pub fn packets(&self) -> Traffic {
        Traffic::new(self)
    }
}
