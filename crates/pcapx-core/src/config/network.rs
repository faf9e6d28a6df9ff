//! Lists of addresses and networks.

use std::net::{IpAddr, Ipv4Addr};

use config::ValueKind;
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use super::reading::{Read, Reading, shown};

/// Bits of an IPv6 address ahead of the IPv4 address that is mapped into it (RFC 4291, section 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// A list of addresses and networks, or one text with commas between them; every bad entry is named.
///
/// An empty list lets everybody in, so an empty entry is an error: it may be all that is left of a variable
/// that was not set.
pub(super) fn networks(written: &ValueKind) -> Read<Vec<IpNetwork>> {
    let entries: Vec<ValueKind> = match written {
        ValueKind::Array(entries) => entries.iter().map(|entry| entry.kind.clone()).collect(),
        ValueKind::String(text) if text.trim().is_empty() => Vec::new(),
        ValueKind::String(text) => text.split(',').map(ValueKind::from).collect(),
        other => return Err(format!("expected a list of IP addresses and networks, found {}", shown(other))),
    };
    let bad: Vec<_> = entries.iter().filter(|entry| network(entry).is_none()).map(shown).collect();
    match bad.as_slice() {
        [] => Ok(Reading::plain(entries.iter().filter_map(network).collect())),
        [entry] => Err(format!("entry {entry} is no IP address or network such as 10.0.0.0/8")),
        _ => Err(format!("entries {} are no IP addresses or networks such as 10.0.0.0/8", bad.join(", "))),
    }
}

fn network(entry: &ValueKind) -> Option<IpNetwork> {
    let ValueKind::String(text) = entry else { return None };
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text.trim(), None),
    };
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let prefix = length.map_or(Some(32), ipv4_prefix)?;
            let net = Ipv4Network::new(address, prefix).ok()?;
            Ipv4Network::new(net.network(), prefix).ok().map(IpNetwork::V4)
        }
        IpAddr::V6(address) => {
            let prefix = length.map_or(Some(128), decimal)?;
            let net = Ipv6Network::new(address, prefix).ok()?;
            match (net.network().to_ipv4_mapped(), prefix.checked_sub(MAPPED_BITS)) {
                (Some(mapped), Some(prefix)) => Ipv4Network::new(mapped, prefix).ok().map(IpNetwork::V4),
                _ => Ipv6Network::new(net.network(), prefix).ok().map(IpNetwork::V6),
            }
        }
    }
}

/// A length in bits, a netmask (`255.255.255.0`) or a host mask (`0.0.0.255`).
fn ipv4_prefix(text: &str) -> Option<u8> {
    let Ok(mask) = text.parse::<Ipv4Addr>() else { return decimal(text) };
    let bits = mask.to_bits();
    let (ones, zeros) = (bits.leading_ones(), bits.leading_zeros());
    if bits == u32::MAX.checked_shl(u32::BITS - ones).unwrap_or(0) {
        Some(ones as u8)
    } else {
        (bits == u32::MAX >> zeros).then_some(zeros as u8)
    }
}

fn decimal(text: &str) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> ValueKind {
        ValueKind::Array(entries.iter().map(|entry| (*entry).into()).collect())
    }

    #[test]
    fn one_entry_in_any_form() {
        for (entry, net) in [
            ("10.0.0.5", Some("10.0.0.5/32")),
            ("10.0.0.5/24", Some("10.0.0.0/24")),
            (" 10.0.0.5/24 ", Some("10.0.0.0/24")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("10.1.2.3/255.255.0.0", Some("10.1.0.0/16")),
            ("10.1.2.3/0.0.255.255", Some("10.1.0.0/16")),
            ("10.1.2.3/255.255.255.255", Some("10.1.2.3/32")),
            ("10.1.2.3/0.0.0.0", Some("0.0.0.0/0")),
            ("10.1.2.3/255.0.255.0", None),
            ("10.1.2.3/0.255.0.255", None),
            ("2001:db8::5", Some("2001:db8::5/128")),
            ("2001:db8::5/32", Some("2001:db8::/32")),
            ("::/0", Some("::/0")),
            ("::ffff:10.0.0.5", Some("10.0.0.5/32")),
            ("::ffff:10.0.0.5/120", Some("10.0.0.0/24")),
            ("::ffff:0:0/96", Some("0.0.0.0/0")),
            ("::ffff:0:0/95", Some("::fffe:0:0/95")),
            ("10.0.0.5/33", None),
            ("2001:db8::/129", None),
            ("2001:db8::/255.0.0.0", None),
            ("10.0.0.5/", None),
            ("/24", None),
            ("10.0.0.5/24/8", None),
            ("10.0.0.5/+8", None),
            ("10.0.0.5/-1", None),
            ("10.0.0", None),
            ("10.0.0.256", None),
            ("010.0.0.1", None),
            ("fe80::1%eth0", None),
            ("localhost", None),
            ("*", None),
            ("", None),
        ] {
            let read = network(&ValueKind::from(entry)).map(|net| net.to_string());
            assert_eq!(read.as_deref(), net, "{entry:?}");
        }
    }

    #[test]
    fn lists_come_as_lists_or_with_commas() {
        let two = Ok(vec!["10.0.0.0/8".to_owned(), "::1/128".to_owned()]);
        let read = |written: ValueKind| {
            networks(&written).map(|nets| nets.value.iter().map(IpNetwork::to_string).collect::<Vec<_>>())
        };
        assert_eq!(read(list(&["10.0.0.0/8", "::1"])), two);
        assert_eq!(read("10.0.0.0/8, ::1".into()), two);
        assert_eq!(read(list(&[])), Ok(Vec::new()));
        assert_eq!(read(" ".into()), Ok(Vec::new()));
    }

    #[test]
    fn every_bad_entry_is_named() {
        let told = |written: ValueKind| networks(&written).unwrap_err();
        assert_eq!(
            told(list(&["10.0.0.0/8", "300.1.1.1"])),
            "entry \"300.1.1.1\" is no IP address or network such as 10.0.0.0/8"
        );
        assert_eq!(
            told("x,10.0.0.1,".into()),
            "entries \"x\", \"\" are no IP addresses or networks such as 10.0.0.0/8"
        );
        assert_eq!(
            told(ValueKind::Array(vec![ValueKind::I64(7).into(), ValueKind::Nil.into()])),
            "entries 7, null are no IP addresses or networks such as 10.0.0.0/8"
        );
        assert_eq!(
            told(ValueKind::Boolean(true)),
            "expected a list of IP addresses and networks, found true or false"
        );
    }
}
