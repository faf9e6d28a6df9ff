//! The addresses of an alert.

use std::net::IpAddr;

use serde_json::Value;

use super::entries;
use super::refusal::{Excerpt, RefusalReason};

/// The members that hold an address within an object: Sycope's webhook, ECS.
const KEYS: &[&str] = &["addressString", "ip"];

/// The original forms: text, or an object with the text `addressString`.
pub(super) fn original(value: &Value, reasons: &mut Vec<RefusalReason>) -> Option<Vec<IpAddr>> {
    match value {
        Value::String(_) => any(value, reasons),
        Value::Object(object) if object.get("addressString").is_some_and(Value::is_string) => {
            any(value, reasons)
        }
        _ => None,
    }
}

/// Every form: also ECS objects, and lists of any of these.
pub(super) fn any(value: &Value, reasons: &mut Vec<RefusalReason>) -> Option<Vec<IpAddr>> {
    entries::collect(value, KEYS, reasons, |text| {
        parse(text).map(Some).ok_or_else(|| RefusalReason::NotAnAddress(Excerpt::of(text)))
    })
}

/// An address, bare of what senders hang on to it: a zone, the length of a whole address, IPv4 mapped into IPv6.
///
/// The unspecified addresses `0.0.0.0` and `::` are addresses: a host that has none yet sends from there.
fn parse(text: &str) -> Option<IpAddr> {
    let (text, full_length) = match text.split_once('/') {
        Some((text, length)) => (text, Some(length)),
        None => (text, None),
    };
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let (text, zone) = match text.split_once('%') {
        Some((text, zone)) => (text, Some(zone)),
        None => (text, None),
    };
    let addr: IpAddr = text.parse().ok()?;
    if full_length.is_some_and(|length| length != if addr.is_ipv4() { "32" } else { "128" })
        || zone.is_some_and(|zone| addr.is_ipv4() || !is_zone(zone))
    {
        return None;
    }
    Some(addr.to_canonical())
}

/// An interface's name or number; Linux bounds names to 15 bytes, other systems to somewhat more.
fn is_zone(zone: &str) -> bool {
    (1..=32).contains(&zone.len())
        && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_what_hangs_on_to_an_address() {
        for (text, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("10.0.0.1/32", Some("10.0.0.1")),
            ("2001:DB8:0::5", Some("2001:db8::5")),
            ("2001:db8::5/128", Some("2001:db8::5")),
            ("[2001:db8::5]", Some("2001:db8::5")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("fe80::1%eth0.5/128", Some("fe80::1")),
            ("[fe80::1%3]", Some("fe80::1")),
            ("::ffff:10.0.0.1", Some("10.0.0.1")),
            ("::ffff:a00:1/128", Some("10.0.0.1")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("::", Some("::")),
            ("::10.0.0.1", Some("::a00:1")),
            ("10.0.0.1/128", None),
            ("10.0.0.0/24", None),
            ("2001:db8::/32", None),
            ("10.0.0.1/", None),
            ("10.0.0.1%eth0", None),
            ("fe80::1%", None),
            ("fe80::1% or net ::/0", None),
            ("fe80::1%$(id)", None),
            ("10.0.0.1:443", None),
            ("[2001:db8::5]:443", None),
            ("010.0.0.1", None),
            ("10.0.1", None),
            ("167772161", None),
            ("host.example.net", None),
            ("1.1.1.1 or net 0.0.0.0/0", None),
        ] {
            assert_eq!(parse(text), expected.map(|addr| addr.parse().unwrap()), "{text}");
        }
    }
}
