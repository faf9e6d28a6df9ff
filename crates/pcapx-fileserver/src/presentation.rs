//! How a file presents itself: its type, and the name under which a client saves it.

use hyper::header::HeaderValue;
use pcapx_http::reply::header_text;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// `attr-char` of RFC 8187: what stands unencoded in `filename*`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `Content-Type` by the end of a name; case does not count.
pub(crate) fn content_type(name: &[u8]) -> HeaderValue {
    let ending = name.rsplit(|byte| *byte == b'.').next().filter(|ending| ending.len() < name.len());
    let is = |known: &[u8]| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known));
    HeaderValue::from_static(if is(b"pcap") || is(b"pcapng") || is(b"cap") {
        "application/vnd.tcpdump.pcap"
    } else if is(b"json") {
        "application/json"
    } else {
        "application/octet-stream"
    })
}

/// `Content-Disposition` (RFC 6266): save it, under this name. Names beyond plain ASCII are told twice: as
/// `filename` with `_` in place of what old clients misread, and as `filename*` in full.
pub(crate) fn disposition(name: &[u8]) -> HeaderValue {
    let name = String::from_utf8_lossy(name);
    let is_plain = |character: char| character.is_ascii_graphic() || character == ' ';
    // `%` too: some clients decode it although it is not encoded.
    let fallback: String = name
        .chars()
        .map(
            |character| {
                if is_plain(character) && !matches!(character, '"' | '\\' | '%') { character } else { '_' }
            },
        )
        .collect();
    header_text(&if fallback == name {
        format!("attachment; filename=\"{fallback}\"")
    } else {
        format!(
            "attachment; filename=\"{fallback}\"; filename*=UTF-8''{}",
            utf8_percent_encode(&name, ENCODED)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (name, expected) in [
            ("a.pcap", "application/vnd.tcpdump.pcap"),
            ("a.PcapNg", "application/vnd.tcpdump.pcap"),
            ("a.cap", "application/vnd.tcpdump.pcap"),
            ("a.pcap.json", "application/json"),
            ("a.txt", "application/octet-stream"),
            ("pcap", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn dispositions() {
        for (name, expected) in [
            (&b"20250101_120000_1.pcap"[..], "attachment; filename=\"20250101_120000_1.pcap\""),
            (b"a b.pcap", "attachment; filename=\"a b.pcap\""),
            (b"a\"b.pcap", "attachment; filename=\"a_b.pcap\"; filename*=UTF-8''a%22b.pcap"),
            ("ł.pcap".as_bytes(), "attachment; filename=\"_.pcap\"; filename*=UTF-8''%C5%82.pcap"),
            (b"\xff\n", "attachment; filename=\"__\"; filename*=UTF-8''%EF%BF%BD%0A"),
        ] {
            assert_eq!(disposition(name), expected);
        }
    }
}
