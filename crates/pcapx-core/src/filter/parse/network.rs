//! The values of `host` and `net`.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use super::error::ParseError;
use super::value::Value;

const HOST_BITS: &str = "has bits set behind the prefix: clear them, or write a longer prefix";

pub(super) fn ipv4_network(value: &Value<'_>, bits: u32, len: u32) -> Result<IpNetwork, ParseError> {
    let len = value.within(len, "IPv4 prefix length", 32)? as u8;
    let network = Ipv4Network::new(Ipv4Addr::from_bits(bits), len)
        .ok()
        .filter(|network| network.network() == network.ip())
        .ok_or_else(|| value.malformed(HOST_BITS))?;
    Ok(IpNetwork::V4(network))
}

pub(super) fn ipv6_network(value: &Value<'_>, addr: Ipv6Addr, len: u32) -> Result<IpNetwork, ParseError> {
    let len = value.within(len, "IPv6 prefix length", 128)? as u8;
    let network = Ipv6Network::new(addr, len)
        .ok()
        .filter(|network| network.network() == network.ip())
        .ok_or_else(|| value.malformed(HOST_BITS))?;
    Ok(IpNetwork::V6(network))
}

/// `net 10` is 10.0.0.0/8: the number's bytes from its highest one on; `net 0` is the one address 0.0.0.0.
pub(super) fn short_network(value: &Value<'_>, number: u32) -> Result<IpNetwork, ParseError> {
    let unwritten = if number == 0 { 0 } else { number.leading_zeros() / 8 * 8 };
    ipv4_network(value, number << unwritten, 32 - unwritten)
}

pub(super) fn masked_network(value: &Value<'_>, bits: u32, mask: u32) -> Result<IpNetwork, ParseError> {
    if bits & !mask != 0 {
        return Err(
            value.malformed("has bits set that the mask leaves out: clear them, or write a longer mask")
        );
    }
    if mask.leading_ones() + mask.trailing_zeros() != 32 {
        return Err(value.unsupported("a mask has its ones in front: write networks with a prefix length"));
    }
    ipv4_network(value, bits, mask.leading_ones())
}

/// Whether the network is one address.
pub(super) fn is_single(network: IpNetwork) -> bool {
    network.prefix() == if network.is_ipv4() { 32 } else { 128 }
}
