//! Frames built layer by layer, from the inside out, with correct lengths and checksums.
//!
//! ```text
//! Ethernet::new().vlan(7).mpls(&[16])     link      ──► carry(network) ──► Vec<u8>, one frame
//! Ipv4::new(a, b).options(..)             network   ──► carry(payload) ──► Network
//! Tcp::new(40_000, 443).payload(..)       payload of an IP header
//! ```
//!
//! ```
//! use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp};
//!
//! let segment = Tcp::new(40_000, 443).payload(b"hello");
//! let frame = Ethernet::new().vlan(7).carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&segment));
//! assert_eq!(frame.len(), 14 + 4 + 20 + 20 + 5);
//! ```
//!
//! A [`Network`] is itself a [`Payload`], so tunnels (4in4, 6in4 …) nest. A builder panics only where the bytes
//! asked for cannot exist: a length that does not fit its field.

mod arp;
mod checksum;
mod cooked;
mod ethernet;
mod icmp;
mod ipv4;
mod ipv6;
mod transport;

pub use arp::Arp;
pub use checksum::Pseudo;
pub use cooked::{LinuxSll, LinuxSll2, Loopback};
pub use ethernet::{Ethernet, MacAddr};
pub use icmp::{Icmp, Icmpv6};
pub use ipv4::Ipv4;
pub use ipv6::{Extension, Ipv6};
pub use transport::{Raw, Sctp, Tcp, Udp, tcp_flags};

/// One packet of a network layer: what a link layer carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The EtherType that announces it.
    pub ethertype: u16,
    /// Its bytes, header first.
    pub bytes: Vec<u8>,
}

impl Network {
    /// Any bytes behind any EtherType.
    pub fn new(ethertype: u16, bytes: impl Into<Vec<u8>>) -> Self {
        Self { ethertype, bytes: bytes.into() }
    }
}

/// What an IP header carries.
pub trait Payload {
    /// IANA's protocol number.
    fn protocol(&self) -> u8;

    /// Its bytes; `pseudo` is the part of the IP header that transports take into their checksum.
    fn encode(&self, pseudo: &Pseudo) -> Vec<u8>;
}

/// IP in IP: protocol 4 or 41, anything else as 255.
impl Payload for Network {
    fn protocol(&self) -> u8 {
        match self.ethertype {
            0x0800 => 4,
            0x86dd => 41,
            _ => 255,
        }
    }

    fn encode(&self, _: &Pseudo) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// `len` as the 16-bit length field `field` wants it.
fn length_field(len: usize, field: &str) -> [u8; 2] {
    let Ok(len) = u16::try_from(len) else {
        panic!("{len} bytes do not fit the {field}, which ends at 65535");
    };
    len.to_be_bytes()
}
