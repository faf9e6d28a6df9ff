//! Whose request it is when proxies stand in front.
//!
//! Each proxy adds, at the right end, the address that it was asked from. So one reads from the right: addresses of
//! trusted proxies are stations on the way, the first that is none is the client's; what stands further to the left is
//! that client's own invention.
//!
//! A proxy that adds to one of the two headers may hand the other on as the client wrote it. Where both are there they
//! must lead to the same address, so that it does not matter which of them is the proxy's.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hyper::header::{FORWARDED, HeaderMap, HeaderName};
use ipnetwork::IpNetwork;

use super::networks::Networks;

/// Older than RFC 7239, and what most proxies write.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word counts.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    trusted: Networks,
}

/// A trusted proxy does not tell whose request it hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untraceable {
    /// There is no address where the client's would be.
    NoAddress(&'static str),
    /// The two headers lead to different addresses.
    Disagreement,
}

impl fmt::Display for Untraceable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untraceable::NoAddress(header) => write!(f, "{header} does not tell the client's address"),
            Untraceable::Disagreement => f.write_str("Forwarded and X-Forwarded-For tell different clients"),
        }
    }
}

impl Proxies {
    pub(crate) fn new(trusted: &[IpNetwork]) -> Self {
        Proxies { trusted: Networks::new(trusted) }
    }

    /// Whether `peer` is one of them.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        !self.trusted.is_empty() && self.trusted.contains(peer)
    }

    /// The client of a request with these headers from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Untraceable> {
        if !self.trusts(peer) {
            return Ok(peer);
        }
        let older = lines(headers, &X_FORWARDED_FOR, "X-Forwarded-For")?
            .map(|text| {
                self.last_untrusted(plain_hops(&text)).ok_or(Untraceable::NoAddress("X-Forwarded-For"))
            })
            .transpose()?;
        let newer = lines(headers, &FORWARDED, "Forwarded")?
            .map(|text| {
                let hops = forwarded_hops(&text);
                hops.and_then(|hops| self.last_untrusted(hops)).ok_or(Untraceable::NoAddress("Forwarded"))
            })
            .transpose()?;
        match (older, newer) {
            (Some(older), Some(newer)) if older != newer => Err(Untraceable::Disagreement),
            // A request of the proxy itself, to see whether we live for example.
            (older, newer) => Ok(older.or(newer).unwrap_or(peer)),
        }
    }

    /// The last of `hops` that is no trusted proxy; the first when all are. `None` where there is no address.
    fn last_untrusted(&self, hops: Vec<Option<IpAddr>>) -> Option<IpAddr> {
        let mut first = None;
        for hop in hops.into_iter().rev() {
            let address = hop?;
            first = Some(address);
            if !self.trusted.contains(address) {
                break;
            }
        }
        first
    }
}

/// All lines of a header as one (RFC 9110 §5.3).
fn lines(headers: &HeaderMap, name: &HeaderName, told: &'static str) -> Result<Option<String>, Untraceable> {
    let values: Result<Vec<&str>, _> = headers.get_all(name).iter().map(|value| value.to_str()).collect();
    let values = values.map_err(|_| Untraceable::NoAddress(told))?;
    Ok((!values.is_empty()).then(|| values.join(",")))
}

/// The addresses of `X-Forwarded-For`.
fn plain_hops(text: &str) -> Vec<Option<IpAddr>> {
    text.split(',').map(str::trim).filter(|hop| !hop.is_empty()).map(address).collect()
}

/// The addresses of `Forwarded`; `None` where the header is not to RFC 7239, section 4.
fn forwarded_hops(text: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            continue;
        }
        let mut hop = None;
        loop {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after)?;
            if name.trim().eq_ignore_ascii_case("for") && hop.replace(value).is_some() {
                return None;
            }
            rest = after.trim_start();
            let Some(after) = rest.strip_prefix(';') else { break };
            rest = after.trim_start();
        }
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        hops.push(hop.as_deref().and_then(address));
    }
    Some(hops)
}

/// A token or a quoted string at the start of `text`, and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', ' ', '\t']).unwrap_or(text.len());
        let (token, after) = text.split_at(end);
        return (!token.is_empty() && !token.contains(['"', '='])).then(|| (token.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// `10.0.0.1`, `10.0.0.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let parsed = match bare {
        Some(bare) => bare.parse().ok().filter(IpAddr::is_ipv6),
        None => text.parse().ok(),
    };
    parsed.or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip())).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    const NO_OLD: Result<&str, Untraceable> = Err(Untraceable::NoAddress("X-Forwarded-For"));
    const NO_NEW: Result<&str, Untraceable> = Err(Untraceable::NoAddress("Forwarded"));

    fn client(trusted: &[&str], peer: &str, headers: &[(&str, &str)]) -> Result<String, Untraceable> {
        let trusted: Vec<IpNetwork> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Proxies::new(&trusted).client(peer.parse().unwrap(), &map).map(|client| client.to_string())
    }

    #[test]
    fn matrix_of_peers_and_headers() {
        const XFF: &str = "X-Forwarded-For";
        const FWD: &str = "Forwarded";
        let two = &["10.0.0.0/8", "2001:db8:1::/48"][..];
        for (trusted, peer, headers, expected) in [
            // Nobody is trusted, or not this one: headers are the client's own invention.
            (&[][..], "10.0.0.1", &[(XFF, "192.0.2.1"), (FWD, "for=192.0.2.1")][..], Ok("10.0.0.1")),
            (two, "11.0.0.1", &[(XFF, "192.0.2.1")], Ok("11.0.0.1")),
            // A trusted one that says nothing asks for itself.
            (two, "10.0.0.1", &[], Ok("10.0.0.1")),
            // From the right.
            (two, "10.0.0.1", &[(XFF, "192.0.2.1")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(XFF, "198.51.100.7, 192.0.2.1")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(XFF, "nonsense, 192.0.2.1")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(XFF, "127.0.0.1, 192.0.2.1 , 10.9.9.9,2001:db8:1::5")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(XFF, "10.0.0.3, 10.0.0.2")], Ok("10.0.0.3")),
            (two, "10.0.0.1", &[(XFF, "192.0.2.1, ,")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(XFF, "192.0.2.9"), (XFF, "192.0.2.1")], Ok("192.0.2.1")),
            (two, "::ffff:10.0.0.1", &[(XFF, "::ffff:192.0.2.1")], Ok("192.0.2.1")),
            (&["::ffff:10.0.0.1"], "10.0.0.1", &[(XFF, "192.0.2.1")], Ok("192.0.2.1")),
            // Forms of an address.
            (two, "10.0.0.1", &[(XFF, "192.0.2.1:4711")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(XFF, "2001:db8::1")], Ok("2001:db8::1")),
            (two, "10.0.0.1", &[(XFF, "[2001:db8::1]")], Ok("2001:db8::1")),
            (two, "10.0.0.1", &[(XFF, "[2001:db8::1]:4711")], Ok("2001:db8::1")),
            // No address where it should be.
            (two, "10.0.0.1", &[(XFF, "")], NO_OLD),
            (two, "10.0.0.1", &[(XFF, "unknown")], NO_OLD),
            (two, "10.0.0.1", &[(XFF, "192.0.2.1, unix:")], NO_OLD),
            (two, "10.0.0.1", &[(XFF, "192.0.2.1, [10.0.0.1]")], NO_OLD),
            (two, "10.0.0.1", &[(XFF, "192.0.2.1, ż")], NO_OLD),
            (two, "10.0.0.1", &[(XFF, "192.0.2.1, fe80::1%eth0")], NO_OLD),
            // RFC 7239's examples and what else its grammar has.
            (two, "10.0.0.1", &[(FWD, "For=\"[2001:db8:cafe::17]:4711\"")], Ok("2001:db8:cafe::17")),
            (two, "10.0.0.1", &[(FWD, "for=192.0.2.60;proto=http;by=203.0.113.43")], Ok("192.0.2.60")),
            (two, "10.0.0.1", &[(FWD, "for=192.0.2.43, for=198.51.100.17")], Ok("198.51.100.17")),
            (
                two,
                "10.0.0.1",
                &[(FWD, "for=192.0.2.43,for=\"10.1.1.1:80\" , for=10.2.2.2")],
                Ok("192.0.2.43"),
            ),
            (two, "10.0.0.1", &[(FWD, "by=10.0.0.9; FOR=192.0.2.1")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(FWD, "for=\"192.0.\\2.1\"")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(FWD, "for=192.0.2.1"), (FWD, ",for=192.0.2.2,")], Ok("192.0.2.2")),
            (two, "10.0.0.1", &[(FWD, "for=192.0.2.1;host=\"a, for=10.0.0.5;b\"")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(FWD, "for=_hidden")], NO_NEW),
            (two, "10.0.0.1", &[(FWD, "for=unknown, for=10.0.0.2")], NO_NEW),
            (two, "10.0.0.1", &[(FWD, "for=192.0.2.1, proto=http")], NO_NEW),
            (two, "10.0.0.1", &[(FWD, "")], NO_NEW),
            // A client that tries to swallow what the proxy adds.
            (two, "10.0.0.1", &[(FWD, "for=\"10.0.0.9, for=192.0.2.1")], NO_NEW),
            (two, "10.0.0.1", &[(FWD, "for=\""), (FWD, "for=\"[2001:db8::1]\"")], NO_NEW),
            (two, "10.0.0.1", &[(FWD, "for=10.0.0.9 for=192.0.2.1")], NO_NEW),
            (two, "10.0.0.1", &[(FWD, "for=10.0.0.9;for=192.0.2.1")], NO_NEW),
            (two, "10.0.0.1", &[(FWD, "nonsense, for=192.0.2.1")], NO_NEW),
            // Both.
            (two, "10.0.0.1", &[(XFF, "192.0.2.1"), (FWD, "for=192.0.2.1")], Ok("192.0.2.1")),
            (two, "10.0.0.1", &[(XFF, "192.0.2.1"), (FWD, "for=10.0.0.5")], Err(Untraceable::Disagreement)),
            (two, "10.0.0.1", &[(XFF, "192.0.2.1"), (FWD, "for=_x")], NO_NEW),
        ] {
            let told = client(trusted, peer, headers);
            assert_eq!(told.as_deref().map_err(|why| *why), expected, "{peer} {headers:?}");
        }
    }
}
