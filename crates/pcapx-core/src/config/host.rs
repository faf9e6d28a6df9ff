//! The host that stands in links.

use std::net::{IpAddr, Ipv6Addr};

use config::ValueKind;

use super::reading::{Read, Reading, shown};

/// The longest name that DNS can tell (RFC 1035, section 2.3.4, as text).
const LONGEST_NAME: usize = 253;

/// A host name, an IPv4 address, or an IPv6 address with or without brackets; returned without.
///
/// It is put between `://` and `:port` as it is, so nothing else that has a meaning in a URL gets through:
/// no scheme, port, user, path, zone id, blank or control character.
pub(super) fn host(written: &ValueKind) -> Read<String> {
    let ValueKind::String(text) = written else {
        return Err(format!("expected a host name or an IP address, found {}", shown(written)));
    };
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok(Reading::plain(address.to_string()));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(allowed) {
        return Ok(Reading::plain(text.clone()));
    }
    Err(format!(
        "expected a host name or an IP address and nothing else (no http://, no port, no blank), found {}",
        shown(written)
    ))
}

/// The link to a file, with brackets around an IPv6 address.
pub(super) fn link(scheme: &str, host: &str, port: u16, file_name: &str) -> String {
    match host.parse() {
        Ok(IpAddr::V6(address)) => format!("{scheme}://[{address}]:{port}/{file_name}"),
        Ok(IpAddr::V4(_)) | Err(_) => format!("{scheme}://{host}:{port}/{file_name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_become_links() {
        for (text, url) in [
            ("192.168.0.109", "http://192.168.0.109:8081/a.pcap"),
            ("pcap.example.com", "http://pcap.example.com:8081/a.pcap"),
            ("pcap_box-1", "http://pcap_box-1:8081/a.pcap"),
            ("2001:DB8::5", "http://[2001:db8::5]:8081/a.pcap"),
            ("[2001:db8::5]", "http://[2001:db8::5]:8081/a.pcap"),
            ("::ffff:10.0.0.1", "http://[::ffff:10.0.0.1]:8081/a.pcap"),
        ] {
            let read = host(&ValueKind::from(text)).unwrap();
            assert_eq!(link("http", &read.value, 8081, "a.pcap"), url, "{text:?}");
        }
    }

    #[test]
    fn whatever_else_a_url_may_hold_is_refused() {
        for text in [
            "",
            " ",
            " 10.0.0.1",
            "10.0.0.1\n",
            "a b",
            "a\tb",
            "a\0b",
            "http://a",
            "a/b",
            "a\\b",
            "user@a",
            "a:8081",
            "a?b",
            "a#b",
            "a%20b",
            "fe80::1%eth0",
            "[::1",
            "::1]",
            "[10.0.0.1]",
            "[[::1]]",
            "żółw.pl",
            "a\r\nX-Result: b",
            &"a".repeat(254),
        ] {
            assert!(host(&ValueKind::from(text)).is_err(), "{text:?}");
        }
        assert!(host(&ValueKind::I64(7)).is_err() && host(&ValueKind::Nil).is_err());
    }
}
