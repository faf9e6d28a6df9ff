//! The front part of links, where it is not made of host and port.

use config::ValueKind;

use super::reading::{Read, Reading, shown};

/// An `http://` or `https://` URL of host, port and path, to which a file's name can be added; empty is none. The
/// result ends with a slash.
pub(super) fn link_base(written: &ValueKind) -> Read<Option<String>> {
    let refused = || {
        format!(
            "expected a URL such as https://pcap.example.com/evidence/ (no user, no query, nothing that needs \
             encoding), found {}",
            shown(written)
        )
    };
    let ValueKind::String(text) = written else { return Err(refused()) };
    if text.is_empty() {
        return Ok(Reading::plain(None));
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refused)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !is_authority(authority) || !path.bytes().all(is_path_byte) || text.len() > LONGEST {
        return Err(refused());
    }
    let slash = if text.ends_with('/') { "" } else { "/" };
    Ok(Reading::plain(Some(format!("{text}{slash}"))))
}

/// Far more than any proxy needs, and short enough for a line of the log.
const LONGEST: usize = 1024;

fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
            _ => return false,
        },
        None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
    };
    let host_is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let port_is_one = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    !host.is_empty() && host.bytes().all(host_is_plain) && port_is_one
}

/// What may stand in a path as it is (RFC 3986, section 3.3), `%` of what is encoded already among it.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_a_name_can_be_added_to() {
        for (text, base) in [
            ("https://pcap.example.com", "https://pcap.example.com/"),
            ("https://pcap.example.com/", "https://pcap.example.com/"),
            ("http://10.0.0.1:8443/a/b", "http://10.0.0.1:8443/a/b/"),
            ("https://[2001:db8::1]:443/a%20b/~x/", "https://[2001:db8::1]:443/a%20b/~x/"),
            ("https://[::1]", "https://[::1]/"),
        ] {
            assert_eq!(link_base(&text.into()), Ok(Reading::plain(Some(base.to_owned()))));
        }
        assert_eq!(link_base(&"".into()), Ok(Reading::plain(None)));
    }

    #[test]
    fn whatever_else_is_refused() {
        for text in [
            " ",
            "pcap.example.com",
            "ftp://a/",
            "HTTPS://a/",
            "https://",
            "https:///a",
            "https://user@a/",
            "https://a:/",
            "https://a:65536/",
            "https://a:+1/",
            "https://a:1:2/",
            "https://[::1",
            "https://[a]/",
            "https://[::1]x/",
            "https://a/?x=",
            "https://a/#x",
            "https://a/b c",
            "https://a/\r\nX: y",
            "https://ż/",
            "https://a/\"",
            "https://a/<",
            "https://a\\b/",
            &format!("https://a/{}", "b".repeat(LONGEST)),
        ] {
            assert!(link_base(&text.into()).is_err(), "{text:?}");
        }
        assert!(link_base(&ValueKind::I64(1)).is_err() && link_base(&ValueKind::Nil).is_err());
    }
}
