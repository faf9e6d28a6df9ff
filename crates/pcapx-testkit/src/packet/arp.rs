//! ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903).

use std::net::Ipv4Addr;

use super::{MacAddr, Network};

/// An ARP or RARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    ethertype: u16,
    operation: u16,
    sender: (MacAddr, Ipv4Addr),
    target: (MacAddr, Ipv4Addr),
}

impl Arp {
    /// Who has `target`? Tell `sender`.
    pub fn request(sender: (MacAddr, Ipv4Addr), target: impl Into<Ipv4Addr>) -> Self {
        Self { ethertype: 0x0806, operation: 1, sender, target: ([0; 6], target.into()) }
    }

    /// `sender` has the address, and tells `target`.
    pub fn reply(sender: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr)) -> Self {
        Self { ethertype: 0x0806, operation: 2, sender, target }
    }

    /// RARP: which IPv4 address has `target`? Asked by `sender`.
    pub fn reverse_request(sender: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr)) -> Self {
        Self { ethertype: 0x8035, operation: 3, sender, target }
    }

    /// The packet as a link layer carries it, 28 bytes.
    pub fn network(&self) -> Network {
        let mut bytes = vec![0, 1, 8, 0, 6, 4];
        bytes.extend_from_slice(&self.operation.to_be_bytes());
        for (mac, ip) in [self.sender, self.target] {
            bytes.extend_from_slice(&mac);
            bytes.extend_from_slice(&ip.octets());
        }
        Network::new(self.ethertype, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_the_target() {
        let network = Arp::request(([2; 6], [10, 0, 0, 1].into()), [10, 0, 0, 2]).network();
        assert_eq!(network.ethertype, 0x0806);
        assert_eq!(network.bytes[..8], [0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(network.bytes[8..18], [2, 2, 2, 2, 2, 2, 10, 0, 0, 1]);
        assert_eq!(network.bytes[18..], [0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    }
}
