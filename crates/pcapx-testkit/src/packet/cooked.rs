//! Link layers that are not Ethernet: Linux cooked capture, version 1 and 2, and the loopback of the BSDs.
//!
//! Raw IP needs no builder: it is [`Network::bytes`](super::Network).

use super::{MacAddr, Network};

/// `ARPHRD_ETHER` of Linux: what the cooked headers here say the device was.
const ARPHRD_ETHER: u16 = 1;

/// `LINKTYPE_LINUX_SLL` (113): 16 bytes, what `tcpdump -i any` wrote for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinuxSll {
    /// 0 to us, 1 broadcast, 2 multicast, 3 to somebody else, 4 from us.
    pub packet_type: u16,
    /// The sender's Ethernet address.
    pub src: MacAddr,
}

impl LinuxSll {
    /// A packet received from `02:00:00:00:00:01`.
    pub fn new() -> Self {
        Self { packet_type: 0, src: [2, 0, 0, 0, 0, 1] }
    }

    /// The frame with `network` inside.
    pub fn carry(&self, network: &Network) -> Vec<u8> {
        let mut frame = Vec::with_capacity(16 + network.bytes.len());
        frame.extend_from_slice(&self.packet_type.to_be_bytes());
        frame.extend_from_slice(&ARPHRD_ETHER.to_be_bytes());
        frame.extend_from_slice(&6u16.to_be_bytes());
        frame.extend_from_slice(&self.src);
        frame.extend_from_slice(&[0, 0]);
        frame.extend_from_slice(&network.ethertype.to_be_bytes());
        frame.extend_from_slice(&network.bytes);
        frame
    }
}

impl Default for LinuxSll {
    fn default() -> Self {
        Self::new()
    }
}

/// `LINKTYPE_LINUX_SLL2` (276): 20 bytes, what `tcpdump -i any` writes today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinuxSll2 {
    /// The index of the interface.
    pub interface: u32,
    /// As in [`LinuxSll`].
    pub packet_type: u8,
    /// The sender's Ethernet address.
    pub src: MacAddr,
}

impl LinuxSll2 {
    /// A packet received from `02:00:00:00:00:01` on interface 2.
    pub fn new() -> Self {
        Self { interface: 2, packet_type: 0, src: [2, 0, 0, 0, 0, 1] }
    }

    /// The frame with `network` inside.
    pub fn carry(&self, network: &Network) -> Vec<u8> {
        let mut frame = Vec::with_capacity(20 + network.bytes.len());
        frame.extend_from_slice(&network.ethertype.to_be_bytes());
        frame.extend_from_slice(&[0, 0]);
        frame.extend_from_slice(&self.interface.to_be_bytes());
        frame.extend_from_slice(&ARPHRD_ETHER.to_be_bytes());
        frame.extend_from_slice(&[self.packet_type, 6]);
        frame.extend_from_slice(&self.src);
        frame.extend_from_slice(&[0, 0]);
        frame.extend_from_slice(&network.bytes);
        frame
    }
}

impl Default for LinuxSll2 {
    fn default() -> Self {
        Self::new()
    }
}

/// `LINKTYPE_NULL` (0) in the byte order of the capturing host, and `LINKTYPE_LOOP` (108) in network order: four
/// bytes with the number of an address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback {
    /// Whether the number is big-endian; always so for `LINKTYPE_LOOP`.
    pub big_endian: bool,
    /// `AF_INET6` of the capturing system: 24 (NetBSD, OpenBSD), 28 (FreeBSD) or 30 (macOS).
    pub af_inet6: u32,
}

impl Loopback {
    /// Little-endian, the numbers of macOS.
    pub fn new() -> Self {
        Self { big_endian: false, af_inet6: 30 }
    }

    /// The frame with `network` inside; the family is 2 for IPv4.
    pub fn carry(&self, network: &Network) -> Vec<u8> {
        let family = if network.ethertype == 0x86dd { self.af_inet6 } else { 2 };
        let mut frame = if self.big_endian { family.to_be_bytes() } else { family.to_le_bytes() }.to_vec();
        frame.extend_from_slice(&network.bytes);
        frame
    }
}

impl Default for Loopback {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_documented_shape() {
        let network = Network::new(0x86dd, [0x60]);
        assert_eq!(
            LinuxSll::new().carry(&network),
            [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x86, 0xdd, 0x60]
        );
        assert_eq!(
            LinuxSll2::new().carry(&network),
            [0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x60]
        );
        assert_eq!(Loopback::new().carry(&network), [30, 0, 0, 0, 0x60]);
        assert_eq!(Loopback { big_endian: true, af_inet6: 24 }.carry(&network), [0, 0, 0, 24, 0x60]);
    }
}
