//! Whether a request comes from a page of this service. A browser sends credentials by itself, whichever page made it ask.
//!
//! | `Sec-Fetch-Site` | `Origin` | a form of ours | a page of another site |
//! |---|---|---|---|
//! | `same-origin` | any | yes | no |
//! | anything else | any | no | yes |
//! | none | the host and port asked for | yes | no |
//! | none | another, or `null` | no | yes |
//! | none | none | no | no: no browser |
//!
//! Browsers send `Sec-Fetch-Site` to `https:` and to this machine only, `Origin` with every form. Behind a proxy that changes
//! `Host`, plain HTTP has neither that fits: forms are refused there.

use hyper::Uri;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

/// Where the page is from that made a browser ask.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a browser says that a page of this service asks.
pub(crate) fn is_own(headers: &HeaderMap) -> bool {
    word(headers) == Some(true)
}

/// Whether a browser says that another site's page asks.
pub(crate) fn is_elsewhere(headers: &HeaderMap) -> bool {
    word(headers) == Some(false)
}

/// What a browser says; `None` when none asks.
fn word(headers: &HeaderMap) -> Option<bool> {
    if headers.contains_key(SEC_FETCH_SITE) {
        return Some(only(headers, &SEC_FETCH_SITE) == Some("same-origin"));
    }
    if !headers.contains_key(ORIGIN) {
        return None;
    }
    let told = only(headers, &ORIGIN).and_then(place);
    // The scheme cannot be compared, a proxy may have changed it; both of its ports count as the usual one.
    let asked = only(headers, &HOST).and_then(|host| place(&format!("http://{host}")));
    Some(told.is_some() && told == asked)
}

/// The value of a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

/// Host and port of an origin; no port is the usual one.
fn place(origin: &str) -> Option<(String, Option<u16>)> {
    let uri: Uri = origin.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().filter(|authority| is_web && !authority.as_str().contains('@'))?;
    let port = authority.port_u16().filter(|port| !matches!(port, 80 | 443));
    (uri.path() == "/").then(|| (authority.host().to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn what_a_browser_says_decides() {
        // Host, Sec-Fetch-Site, Origin: what is found.
        for (host, site, origin, found) in [
            ("a:8888", Some("same-origin"), Some("http://a:8888"), Some(true)),
            ("inner:1", Some("same-origin"), Some("https://outer"), Some(true)),
            ("a:8888", Some("same-site"), Some("http://a:8888"), Some(false)),
            ("a:8888", Some("cross-site"), Some("http://a:8888"), Some(false)),
            ("a:8888", Some("none"), None, Some(false)),
            ("a:8888", Some(""), Some("http://a:8888"), Some(false)),
            ("a:8888", None, Some("http://a:8888"), Some(true)),
            ("A:8888", None, Some("http://a:8888"), Some(true)),
            ("a", None, Some("https://a"), Some(true)),
            ("a:443", None, Some("https://a"), Some(true)),
            ("[::1]:8888", None, Some("http://[::1]:8888"), Some(true)),
            ("a:8888", None, Some("http://a:8081"), Some(false)),
            ("a:8888", None, Some("http://a"), Some(false)),
            ("a:8888", None, Some("http://b:8888"), Some(false)),
            ("a:8888", None, Some("null"), Some(false)),
            ("a:8888", None, Some(""), Some(false)),
            ("a:8888", None, Some("http://b@a:8888"), Some(false)),
            ("a:8888", None, Some("http://a:8888/x"), Some(false)),
            ("a:8888", None, Some("file://a:8888"), Some(false)),
            ("", None, Some("http://"), Some(false)),
            ("a:8888", None, None, None),
        ] {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            site.map(|site| headers.insert(SEC_FETCH_SITE, HeaderValue::from_static(site)));
            origin.map(|origin| headers.insert(ORIGIN, HeaderValue::from_static(origin)));
            assert_eq!(word(&headers), found, "{host} {site:?} {origin:?}");
        }
    }

    #[test]
    fn two_words_are_none() {
        let mut headers = HeaderMap::from_iter([(SEC_FETCH_SITE, HeaderValue::from_static("same-origin"))]);
        headers.append(SEC_FETCH_SITE, HeaderValue::from_static("cross-site"));
        assert!(!is_own(&headers) && is_elsewhere(&headers));
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("a"))]);
        headers.append(ORIGIN, HeaderValue::from_static("http://a"));
        headers.append(ORIGIN, HeaderValue::from_static("http://b"));
        assert!(!is_own(&headers) && is_elsewhere(&headers));
        assert!(!is_own(&HeaderMap::new()) && !is_elsewhere(&HeaderMap::new()));
    }
}
