//! Ethernet II and everything that stands between it and the network layer: 802.1Q, 802.1ad, MPLS, PPPoE.

use super::{Network, length_field};

/// An Ethernet address.
pub type MacAddr = [u8; 6];

/// Shortest frame on a wire, without its check sequence.
const MIN_FRAME_BYTES: usize = 60;

/// An Ethernet II header with any stack of tags behind it, the outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ethernet {
    src: MacAddr,
    dst: MacAddr,
    shims: Vec<Shim>,
    padded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shim {
    Tag { tpid: u16, tci: u16 },
    Mpls(Vec<u32>),
    Pppoe { session: u16 },
}

impl Default for Ethernet {
    fn default() -> Self {
        Self::new()
    }
}

impl Ethernet {
    /// From `02:00:00:00:00:01` to `02:00:00:00:00:02`, without tags.
    pub fn new() -> Self {
        Self::between([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
    }

    /// From `src` to `dst`, without tags.
    pub fn between(src: MacAddr, dst: MacAddr) -> Self {
        Self { src, dst, shims: Vec::new(), padded: false }
    }

    /// An 802.1Q tag (type 0x8100) with VLAN `id`, 0 ..= 4095.
    #[must_use]
    pub fn vlan(self, id: u16) -> Self {
        self.tag(0x8100, id)
    }

    /// An 802.1ad service tag (type 0x88a8) with VLAN `outer`, then an 802.1Q tag with VLAN `inner`.
    #[must_use]
    pub fn qinq(self, outer: u16, inner: u16) -> Self {
        self.tag(0x88a8, outer).tag(0x8100, inner)
    }

    /// A tag of any type; `tci` is priority (3 bits), drop eligible (1 bit) and VLAN (12 bits).
    #[must_use]
    pub fn tag(mut self, tpid: u16, tci: u16) -> Self {
        self.shims.push(Shim::Tag { tpid, tci });
        self
    }

    /// A stack of MPLS labels (RFC 3032), 20 bits each, the outermost first; TTL 64.
    #[must_use]
    pub fn mpls(mut self, labels: &[u32]) -> Self {
        self.shims.push(Shim::Mpls(labels.to_vec()));
        self
    }

    /// A PPPoE session header and the PPP protocol behind it (RFC 2516).
    #[must_use]
    pub fn pppoe(mut self, session: u16) -> Self {
        self.shims.push(Shim::Pppoe { session });
        self
    }

    /// Zeros behind the packet up to the shortest frame of a wire, 60 bytes.
    #[must_use]
    pub fn padded(mut self) -> Self {
        self.padded = true;
        self
    }

    /// The frame with `network` inside.
    ///
    /// # Panics
    /// When a PPPoE header would have to carry something else than IPv4, IPv6 or MPLS.
    pub fn carry(&self, network: &Network) -> Vec<u8> {
        let (mut ethertype, mut shims) = (network.ethertype, Vec::new());
        // Each tag names the type of what follows it, so the stack is built from the inside.
        let mut inner_len = network.bytes.len();
        for shim in self.shims.iter().rev() {
            let header = shim.encode(ethertype, inner_len);
            inner_len += header.len();
            ethertype = shim.ethertype();
            shims.push(header);
        }
        let mut frame = Vec::with_capacity((14 + inner_len).max(MIN_FRAME_BYTES));
        frame.extend_from_slice(&self.dst);
        frame.extend_from_slice(&self.src);
        frame.extend_from_slice(&ethertype.to_be_bytes());
        for header in shims.iter().rev() {
            frame.extend_from_slice(header);
        }
        frame.extend_from_slice(&network.bytes);
        if self.padded && frame.len() < MIN_FRAME_BYTES {
            frame.resize(MIN_FRAME_BYTES, 0);
        }
        frame
    }
}

impl Shim {
    fn ethertype(&self) -> u16 {
        match self {
            Self::Tag { tpid, .. } => *tpid,
            Self::Mpls(_) => 0x8847,
            Self::Pppoe { .. } => 0x8864,
        }
    }

    fn encode(&self, inner_ethertype: u16, inner_len: usize) -> Vec<u8> {
        match self {
            Self::Tag { tci, .. } => [tci.to_be_bytes(), inner_ethertype.to_be_bytes()].concat(),
            Self::Mpls(labels) => {
                let last = labels.len().saturating_sub(1);
                let entry = |(i, label): (usize, &u32)| label << 12 | u32::from(i == last) << 8 | 64;
                labels.iter().enumerate().flat_map(|label| entry(label).to_be_bytes()).collect()
            }
            Self::Pppoe { session } => {
                let ppp: u16 = match inner_ethertype {
                    0x0800 => 0x0021,
                    0x86dd => 0x0057,
                    0x8847 => 0x0281,
                    other => panic!("PPP has no protocol number for EtherType {other:#06x}"),
                };
                // Version 1, type 1, code 0: session data. The length counts the PPP protocol field.
                let mut header = vec![0x11, 0];
                header.extend_from_slice(&session.to_be_bytes());
                header.extend_from_slice(&length_field(inner_len + 2, "PPPoE length"));
                header.extend_from_slice(&ppp.to_be_bytes());
                header
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Network {
        Network::new(0x0800, [0x45, 9])
    }

    #[test]
    fn tags_name_what_follows_them() {
        let frame = Ethernet::new().qinq(0x64, 7).carry(&body());
        assert_eq!(frame[12..], [0x88, 0xa8, 0, 0x64, 0x81, 0, 0, 7, 8, 0, 0x45, 9]);
    }

    #[test]
    fn only_the_last_label_is_the_bottom_of_the_stack() {
        let frame = Ethernet::new().vlan(1).mpls(&[16, 0xfffff]).carry(&body());
        assert_eq!(frame[12..], [0x81, 0, 0, 1, 0x88, 0x47, 0, 1, 0, 64, 0xff, 0xff, 0xf1, 64, 0x45, 9]);
    }

    #[test]
    fn pppoe_counts_the_ppp_protocol() {
        let frame = Ethernet::new().pppoe(0x1234).carry(&body());
        assert_eq!(frame[12..], [0x88, 0x64, 0x11, 0, 0x12, 0x34, 0, 4, 0, 0x21, 0x45, 9]);
    }

    #[test]
    fn pads_to_the_shortest_frame() {
        assert_eq!(Ethernet::new().padded().carry(&body()).len(), 60);
        assert_eq!(Ethernet::new().carry(&body()).len(), 16);
    }
}
