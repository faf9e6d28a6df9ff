//! The layers of a packet as slices of it, for those who show packets instead of searching them.

use super::{Network, PacketKeys, Reach, Walk, ip, read};
use crate::link::LinkType;

/// Keys of a packet and where its headers begin. Slices end where the captured bytes do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layers<'d> {
    pub(crate) keys: PacketKeys,
    /// From the network header on; empty where there is none.
    pub(crate) network: &'d [u8],
    /// From the header behind IP and its extensions on, without what pads the frame; empty for later fragments.
    pub(crate) transport: &'d [u8],
    /// Bytes that it had on the wire, as IP tells.
    pub(crate) transport_len: usize,
    /// Whether it is a later fragment.
    pub(crate) is_fragment: bool,
}

impl<'d> Layers<'d> {
    /// Takes apart a packet of link type `link`, of which `data` was kept.
    pub(crate) fn of(link: LinkType, data: &'d [u8]) -> Self {
        let Walk { keys, network_at } = Walk::through(link, data);
        let network = if keys.reach >= Reach::Protocol || matches!(keys.network, Network::Arp(_)) {
            data.get(network_at..).unwrap_or_default()
        } else {
            &[]
        };
        let carried = match keys.network {
            Network::V4(_) => v4(network),
            Network::V6(_) => v6(network),
            Network::None | Network::Arp(_) | Network::Rarp(_) => None,
        };
        let Carried { at, len, is_fragment } = carried.unwrap_or_default();
        let transport = network.get(at..).filter(|_| carried.is_some() && !is_fragment).unwrap_or_default();
        let transport = &transport[..transport.len().min(len)];
        Self { keys, network, transport, transport_len: len, is_fragment }
    }
}

/// What an IP header carries.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    at: usize,
    len: usize,
    is_fragment: bool,
}

fn v4(network: &[u8]) -> Option<Carried> {
    let header = usize::from(read::u8(network, 0)? & 0x0f) * 4;
    let is_fragment = read::u16(network, 6)? & 0x1fff != 0;
    let total = usize::from(read::u16(network, 2)?);
    // A length of zero is left to the network card, and has not been filled in yet.
    let total = if total == 0 { network.len() } else { total };
    Some(Carried { at: header, len: total.saturating_sub(header), is_fragment })
}

fn v6(network: &[u8]) -> Option<Carried> {
    let (_, is_fragment, at) = ip::walk(read::u8(network, 6)?, network, ip::V6_HEADER_BYTES)?;
    let payload = usize::from(read::u16(network, 4)?);
    let total = if payload == 0 { network.len() } else { ip::V6_HEADER_BYTES + payload };
    Some(Carried { at, len: total.saturating_sub(at), is_fragment })
}
