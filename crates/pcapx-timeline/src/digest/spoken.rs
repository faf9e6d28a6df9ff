//! What stands at the beginning of a payload: a name that is asked for, a server's name, a request line.
//!
//! Each function answers `None` for what is not its protocol, or is cut off before it says something. Lengths are checked
//! before they are used, and no name is followed through a pointer: a question has none.

use std::fmt::Write;

use super::text::harmless;
use crate::packet::read;

/// Header of a DNS message (RFC 1035): identifier, flags, and how many records of four kinds.
const DNS_HEADER_BYTES: usize = 12;
/// The most bytes of a name, and of a label (RFC 1035).
const DNS_NAME_MOST_BYTES: usize = 255;
const DNS_LABEL_MOST_BYTES: usize = 63;
/// Answer codes from 1 on, as tcpdump writes them.
const DNS_CODES: [&str; 5] = ["FormErr", "ServFail", "NXDomain", "NotImp", "Refused"];

/// The question of a DNS message, in tcpdump's manner: `12345+ A? example.com.`, and in an answer the numbers of its records.
pub(super) fn dns(message: &[u8]) -> Option<String> {
    let (id, flags) = (read::u16(message, 0)?, read::u16(message, 2)?);
    let counts = [4, 6, 8, 10].map(|at| read::u16(message, at));
    let [Some(questions), Some(answers), Some(authorities), Some(additional)] = counts else { return None };
    // More than one question is not asked by anybody, but by what is no DNS.
    if questions != 1 {
        return None;
    }
    let mut at = DNS_HEADER_BYTES;
    let mut name = Vec::new();
    loop {
        let len = usize::from(read::u8(message, at)?);
        at += 1;
        if len == 0 {
            break;
        }
        if len > DNS_LABEL_MOST_BYTES || name.len() + len + 1 > DNS_NAME_MOST_BYTES {
            return None;
        }
        name.extend_from_slice(message.get(at..at + len)?);
        name.push(b'.');
        at += len;
    }
    if name.is_empty() {
        name.push(b'.');
    }
    let kind = dns_type(read::u16(message, at)?);
    let mut text = id.to_string();
    let is_answer = flags & 0x8000 != 0;
    // Recursion is wanted, or in an answer not to be had.
    text.push_str(if is_answer {
        if flags & 0x0080 == 0 { "-" } else { "" }
    } else if flags & 0x0100 != 0 {
        "+"
    } else {
        ""
    });
    if is_answer {
        let code = usize::from(flags & 0x000f);
        if code > 0 {
            let _ = match DNS_CODES.get(code - 1) {
                Some(name) => write!(text, " {name}"),
                None => write!(text, " code {code}"),
            };
        }
        let _ = write!(text, " {answers}/{authorities}/{additional}");
    }
    let _ = write!(text, " {kind}? {}", harmless(&name));
    Some(text)
}

fn dns_type(number: u16) -> String {
    let name = match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        43 => "DS",
        48 => "DNSKEY",
        64 => "SVCB",
        65 => "HTTPS",
        252 => "AXFR",
        255 => "ANY",
        other => return format!("Type{other}"),
    };
    name.to_owned()
}

/// The name of the server in a TLS `ClientHello` (RFC 8446, RFC 6066); a hello without one is told as well.
pub(super) fn tls(payload: &[u8]) -> Option<String> {
    // Record: type 22, version 3.x, length. Handshake: type 1, length of three bytes.
    let is_hello = read::u8(payload, 0)? == 22 && read::u8(payload, 1)? == 3 && read::u8(payload, 5)? == 1;
    if !is_hello {
        return None;
    }
    Some(match server_name(payload.get(9..)?) {
        Some(name) => format!("TLS ClientHello, SNI {}", harmless(name)),
        None => "TLS ClientHello".to_owned(),
    })
}

/// The first host name of a hello's extension 0. The hello may go on in the next segment: what is here is looked through.
fn server_name(hello: &[u8]) -> Option<&[u8]> {
    // Version and random; then session, ciphers and compressions, each with its length in front.
    let mut at = 34;
    at += 1 + usize::from(read::u8(hello, at)?);
    at += 2 + usize::from(read::u16(hello, at)?);
    at += 1 + usize::from(read::u8(hello, at)?);
    let end = (at + 2 + usize::from(read::u16(hello, at)?)).min(hello.len());
    at += 2;
    while at + 4 <= end {
        let (kind, len) = (read::u16(hello, at)?, usize::from(read::u16(hello, at + 2)?));
        at += 4;
        if kind == 0 {
            // A list with its length; in it type 0, a length, the name.
            let is_host = read::u8(hello, at + 2)? == 0;
            let len = usize::from(read::u16(hello, at + 3)?);
            return hello.get(at + 5..at + 5 + len).filter(|_| is_host);
        }
        at += len;
    }
    None
}

/// The first line of an HTTP request or answer.
pub(super) fn http(payload: &[u8]) -> Option<String> {
    const BEGINNINGS: [&[u8]; 10] = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"PUT ",
        b"DELETE ",
        b"OPTIONS ",
        b"PATCH ",
        b"CONNECT ",
        b"TRACE ",
        b"HTTP/1.",
    ];
    if !BEGINNINGS.iter().any(|beginning| payload.starts_with(beginning)) {
        return None;
    }
    let line = payload.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(format!("HTTP: {}", harmless(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(flags: u16, name: &[u8], kind: u16) -> Vec<u8> {
        let mut message = Vec::new();
        for word in [4711, flags, 1, 2, 0, 1] {
            message.extend_from_slice(&u16::to_be_bytes(word));
        }
        message.extend_from_slice(name);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&[0, 1]);
        message
    }

    #[test]
    fn questions_and_answers_of_dns() {
        let name = b"\x03www\x07example\x03com\0";
        assert_eq!(dns(&question(0x0100, name, 1)).unwrap(), "4711+ A? www.example.com.");
        assert_eq!(dns(&question(0x8180, name, 28)).unwrap(), "4711 2/0/1 AAAA? www.example.com.");
        assert_eq!(dns(&question(0x8103, name, 65)).unwrap(), "4711- NXDomain 2/0/1 HTTPS? www.example.com.");
        assert_eq!(dns(&question(0, b"\0", 999)).unwrap(), "4711 Type999? .");
        assert_eq!(dns(&question(0, b"\x02a\x1b\0", 2)).unwrap(), r"4711 NS? a\x1b.");
        // A pointer, a label that is cut off, a name without end.
        assert_eq!(dns(&question(0, b"\xc0\x0c", 1)), None);
        assert_eq!(dns(&question(0, b"\x3fabc", 1)), None);
        assert_eq!(dns(&question(0, &b"\x3f".repeat(400), 1)), None);
        let whole = question(0x0100, name, 1);
        assert!((0..whole.len() - 2).all(|len| dns(&whole[..len]).is_none()));
    }

    fn hello(name: Option<&[u8]>) -> Vec<u8> {
        let mut extensions = vec![0, 43, 0, 3, 2, 3, 4];
        if let Some(name) = name {
            let len = name.len() as u16;
            for part in [
                &[0, 0][..],
                &(len + 5).to_be_bytes(),
                &(len + 3).to_be_bytes(),
                &[0],
                &len.to_be_bytes(),
                name,
            ] {
                extensions.extend_from_slice(part);
            }
        }
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([2, 9, 9, 0, 2, 0x13, 1, 1, 0]);
        body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut record = vec![22, 3, 1, 0, (body.len() + 4) as u8, 1, 0, 0, body.len() as u8];
        record.extend(body);
        record
    }

    #[test]
    fn the_server_that_a_hello_asks_for() {
        let whole = hello(Some(b"intra.example.org"));
        assert_eq!(tls(&whole).unwrap(), "TLS ClientHello, SNI intra.example.org");
        assert_eq!(tls(&hello(None)).unwrap(), "TLS ClientHello");
        assert_eq!(tls(&hello(Some(b"a\n"))).unwrap(), r"TLS ClientHello, SNI a\x0a");
        for len in 0..whole.len() {
            let told = tls(&whole[..len]);
            assert!(told.is_none_or(|told| told == "TLS ClientHello"), "{len}");
        }
        assert_eq!(tls(b"\x16\x03\x01\x00\x05\x02hello"), None);
    }

    #[test]
    fn the_line_of_a_request() {
        assert_eq!(http(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n").unwrap(), "HTTP: GET /a?b=c HTTP/1.1");
        assert_eq!(http(b"HTTP/1.1 404 Not Found\r\n").unwrap(), "HTTP: HTTP/1.1 404 Not Found");
        assert_eq!(http(b"GET /\x1b]0;x\x07 HTTP/1.0").unwrap(), r"HTTP: GET /\x1b]0;x\x07 HTTP/1.0");
        assert_eq!(http(b"GETTING"), None);
    }
}
