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
//!
//! **Names.** Whoever owns a name can have it resolve to this machine once their page is loaded (DNS rebinding): that page is
//! one "of this service" to the browser. It knows no credentials, so it gets nowhere where they are asked for; where they
//! are not, the name that a browser asks for has to be an address or a [known](Names) one. Other programs are not asked.
//!
//! **Reading.** A link from anywhere leads to a page here, but no other site's page reads or shows one within itself. A browser
//! that gets by plain HTTP says nothing of all that, so a rebound name can read what is open to everybody.

use std::net::IpAddr;

use hyper::Uri;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use pcapx_core::config::{Config, Service};

/// Where the page is from that made a browser ask.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the browser wants it for, and how.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The names under which browsers may ask; `None` for any.
#[derive(Debug)]
pub(crate) struct Names(Option<Vec<String>>);

impl Names {
    /// Those of `config`: this machine, `host` and the host of `download_url_base`, unless credentials are asked for.
    pub(crate) fn new(config: &Config) -> Self {
        let base = config.download_url_base.as_deref().and_then(|base| base.parse::<Uri>().ok());
        let base = base.as_ref().and_then(Uri::host);
        let known = ["localhost", config.host.as_str()].into_iter().chain(base);
        let is_open = !config.auth(Service::Listener).is_on();
        Self(is_open.then(|| known.map(str::to_ascii_lowercase).collect()))
    }

    /// Whether a browser says that a page of this service asks.
    pub(crate) fn is_own(&self, headers: &HeaderMap) -> bool {
        self.word(headers) == Some(true)
    }

    /// Whether a browser says that another site's page asks.
    pub(crate) fn is_elsewhere(&self, headers: &HeaderMap) -> bool {
        self.word(headers) == Some(false)
    }

    /// Whether nothing speaks against an answer to a reading request: a browser comes by a link or its user's own hand, or a page
    /// of this service asks, or no browser does.
    pub(crate) fn may_read(&self, headers: &HeaderMap) -> bool {
        let Some(is_own) = word(headers) else { return true };
        let site = only(headers, &SEC_FETCH_SITE);
        let is_link = only(headers, &SEC_FETCH_MODE) == Some("navigate")
            && only(headers, &SEC_FETCH_DEST) == Some("document");
        (is_own || site == Some("none") || is_link) && self.has_host_of(headers)
    }

    fn word(&self, headers: &HeaderMap) -> Option<bool> {
        word(headers).map(|is_own| is_own && self.has_host_of(headers))
    }

    fn has_host_of(&self, headers: &HeaderMap) -> bool {
        let Some(known) = &self.0 else { return true };
        let asked = only(headers, &HOST).and_then(|host| place(&format!("http://{host}")));
        asked.is_some_and(|(host, _)| {
            // A name may end with the dot of the root.
            let name = host.strip_suffix('.').unwrap_or(&host);
            let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
            address.parse::<IpAddr>().is_ok() || known.iter().any(|known| known == name)
        })
    }
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
    fn pages_of_other_sites_read_nothing_and_links_lead_here() {
        let known = Names(Some(vec!["pcap.example.com".to_owned()]));
        let (site, origin) = ("sec-fetch-site", "origin");
        let link = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        for (host, told, may) in [
            ("rebound.example.net", &[][..], true),
            ("pcap.example.com", &[(site, "none")], true),
            ("pcap.example.com", &[(site, "same-origin")], true),
            ("10.0.0.5:8888", &[(site, "same-origin")], true),
            ("pcap.example.com", &[(site, "cross-site")], false),
            ("pcap.example.com", &[(site, "same-site")], false),
            ("pcap.example.com", &[(site, "cross-site"), link[0], link[1]], true),
            ("pcap.example.com", &[(site, "cross-site"), frame[0], frame[1]], false),
            ("pcap.example.com", &[(origin, "http://pcap.example.com")], true),
            ("pcap.example.com", &[(origin, "http://elsewhere")], false),
            ("rebound.example.net", &[(site, "same-origin")], false),
            ("rebound.example.net", &[(site, "none")], false),
            ("rebound.example.net", &[(site, "cross-site"), link[0], link[1]], false),
            ("rebound.example.net", &[(origin, "http://rebound.example.net")], false),
        ] {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            for &(name, value) in told {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(known.may_read(&headers), may, "{host} {told:?}");
        }
    }

    #[test]
    fn two_words_are_none() {
        let mut headers = HeaderMap::from_iter([(SEC_FETCH_SITE, HeaderValue::from_static("same-origin"))]);
        headers.append(SEC_FETCH_SITE, HeaderValue::from_static("cross-site"));
        assert_eq!(word(&headers), Some(false));
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("a"))]);
        headers.append(ORIGIN, HeaderValue::from_static("http://a"));
        headers.append(ORIGIN, HeaderValue::from_static("http://b"));
        assert_eq!(word(&headers), Some(false));
        assert_eq!(word(&HeaderMap::new()), None);
    }

    #[test]
    fn a_name_that_somebody_else_points_here_is_not_ours() {
        let any = Names(None);
        let known = Names(Some(vec!["localhost".to_owned(), "pcap.example.com".to_owned()]));
        for (host, is_known) in [
            ("10.0.0.5:8888", true),
            ("[2001:db8::5]:8888", true),
            ("localhost:8888", true),
            ("PCAP.example.com", true),
            ("pcap.example.com.:8888", true),
            ("rebound.example.net:8888", false),
            ("pcap.example.com.rebound.example.net", false),
            ("10.0.0.5.rebound.example.net", false),
            ("localhost.rebound.example.net", false),
            ("", false),
        ] {
            let value = |text: &str| HeaderValue::from_str(text).unwrap();
            let origin = value(&format!("http://{host}"));
            let by_form = HeaderMap::from_iter([(HOST, value(host)), (ORIGIN, origin)]);
            let site = HeaderValue::from_static("same-origin");
            let by_fetch = HeaderMap::from_iter([(HOST, value(host)), (SEC_FETCH_SITE, site)]);
            for headers in [&by_form, &by_fetch] {
                assert_eq!(known.is_own(headers), is_known, "{host}");
                assert_eq!(known.is_elsewhere(headers), !is_known, "{host}");
                assert!(host.is_empty() || any.is_own(headers), "{host}");
            }
            let by_program = HeaderMap::from_iter([(HOST, value(host))]);
            assert!(!known.is_own(&by_program) && !known.is_elsewhere(&by_program), "{host}");
        }
    }
}
