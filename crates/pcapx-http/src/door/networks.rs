//! Sets of addresses.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::{IpNetwork, Ipv4Network};

/// The addresses of some networks.
///
/// Host bits of an entry do not matter (`10.0.0.5/24` is the /24). IPv4 and IPv4-mapped IPv6 (`::ffff:10.0.0.5`) are
/// the same address here, on both sides: as address and as entry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks(Vec<IpNetwork>);

impl Networks {
    pub(crate) fn new(networks: &[IpNetwork]) -> Self {
        Networks(networks.iter().copied().map(canonical).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

/// A network within `::ffff:0:0/96` as the IPv4 network it stands for; any other as it is.
fn canonical(network: IpNetwork) -> IpNetwork {
    const MAPPED_PREFIX_BITS: u8 = 96; // RFC 4291 §2.5.5.2
    let mapped = match network {
        IpNetwork::V6(v6) => v6
            .ip()
            .to_ipv4_mapped()
            .and_then(|ip: Ipv4Addr| Some((ip, v6.prefix().checked_sub(MAPPED_PREFIX_BITS)?)))
            .and_then(|(ip, prefix)| Ipv4Network::new(ip, prefix).ok()),
        IpNetwork::V4(_) => None,
    };
    mapped.map_or(network, IpNetwork::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix_of_entries_and_addresses() {
        for (entries, address, contained) in [
            (&[][..], "203.0.113.9", false),
            (&["10.0.0.5/24"], "10.0.0.200", true),
            (&["10.0.0.5/24"], "10.0.1.1", false),
            (&["10.0.0.5"], "10.0.0.5", true),
            (&["10.0.0.5"], "10.0.0.6", false),
            (&["10.0.0.0/8"], "::ffff:10.1.2.3", true),
            (&["::ffff:10.0.0.0/104"], "10.1.2.3", true),
            (&["::ffff:10.0.0.7"], "::ffff:10.0.0.7", true),
            (&["10.0.0.0/8"], "::ffff:11.1.2.3", false),
            (&["2001:db8::/32"], "2001:db8:1::1", true),
            (&["2001:db8::/32"], "2001:db9::1", false),
            (&["2001:db8::/32"], "10.0.0.1", false),
            (&["0.0.0.0/0"], "::1", false),
            (&["0.0.0.0/0"], "::ffff:1.1.1.1", true),
            (&["::/0"], "127.0.0.1", false),
            (&["192.0.2.0/24", "::1"], "::1", true),
        ] {
            let networks: Vec<IpNetwork> = entries.iter().map(|entry| entry.parse().unwrap()).collect();
            let verdict = Networks::new(&networks).contains(address.parse().unwrap());
            assert_eq!(verdict, contained, "{entries:?} {address}");
        }
    }
}
