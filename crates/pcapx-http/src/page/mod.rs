//! Pages for people: one frame for all of them, and what they are made of.
//!
//! ```text
//! markup ─► Page ─► Reply: text/html, under a policy by which a browser runs no script but the page's own, and asks nobody else
//!   ▲
//!   ├─ Foreign   text from outside
//!   ├─ Mark      what becomes of evidence, in a word
//!   ├─ number    counts, bytes, rates, stretches of time
//!   ├─ time      instants, in local time
//!   └─ axis      where an instant lies in a chart, and what is written below it
//! ```
//!
//! What must hold: whatever stands in a page has been escaped by its type – `maud` escapes every text, and nothing else
//! becomes markup –; text from outside is a [`Foreign`], so that no direction mark in it reaches beyond it; links are
//! relative, so that pages work behind any prefix of a proxy; what a page says with a colour it says with a word, too.

pub mod axis;
mod mark;
pub mod number;
mod text;
pub mod time;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pcapx_core::local::LocalZone;
use ring::digest::{SHA256, digest};

pub use mark::Mark;
pub use text::Foreign;

use crate::reply::{self, Reply, header_text};

/// The look of every page.
const STYLE: &str = include_str!("style.css");
/// The sign in a browser's tab: three bars of a capture. A browser that finds none asks for `/favicon.ico`.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath \
    fill='%232b74b8' d='M1 9h3v6H1zM6.5 4h3v11h-3zM12 1h3v14h-3z'/%3E%3C/svg%3E";

/// The policy of pages without a script, which are all but one.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy(None));

/// Nothing is allowed but the one style, the one sign, and forms that lead back here; with a script that one, and that it asks
/// here. Style and script are named by their hashes: what somebody brought into the page would not count.
fn policy(script: Option<&str>) -> HeaderValue {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    let script = script.map_or_else(String::new, |script| {
        format!(" script-src 'sha256-{}'; connect-src 'self';", hash(script))
    });
    header_text(&format!(
        "default-src 'none'; style-src 'sha256-{}';{script} img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
        hash(STYLE)
    ))
}

/// One page.
#[derive(Debug)]
pub struct Page<'a> {
    /// What the browser's tab says; may be text from outside.
    pub title: &'a str,
    /// Which part of pcapx this is.
    pub part: &'a str,
    /// The zone in which its times are told.
    pub zone: &'a LocalZone,
    /// Seconds after which the browser asks again.
    pub refresh: Option<u32>,
    /// What runs in it: a text of ours, without which it is of the same use.
    pub script: Option<&'static str>,
    /// What is on it.
    pub body: Markup,
}

impl Page<'_> {
    /// The page as an answer. No cache keeps it: it tells who spoke with whom, and the next one may tell more.
    pub fn reply(&self, status: StatusCode) -> Reply {
        let mut reply = reply::text(status, self.markup().into_string());
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let policy = self.script.map_or_else(|| POLICY.clone(), |script| policy(Some(script)));
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Under a stricter one, browsers hide from our own forms where they come from, too.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    @if let Some(seconds) = self.refresh { meta http-equiv="refresh" content=(seconds); }
                    title { (Foreign::new(self.title).plain()) " – pcapx" }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.top {
                        a.mark href="./" { "pcapx" }
                        span.part { (self.part) }
                        span.zone { "Times in " (self.zone.to_string()) }
                    }
                    main id="main" tabindex="-1" { (self.body) }
                    @if let Some(script) = self.script { script { (PreEscaped(script)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn page(title: &str, refresh: Option<u32>) -> Reply {
        let zone = LocalZone::named("UTC").unwrap();
        Page { title, part: "Evidence", zone: &zone, refresh, script: None, body: html! { p { "x" } } }
            .reply(StatusCode::OK)
    }

    fn markup(title: &str, refresh: Option<u32>) -> String {
        let zone = LocalZone::named("UTC").unwrap();
        Page { title, part: "Evidence", zone: &zone, refresh, script: None, body: html! { p { "x" } } }
            .markup()
            .into_string()
    }

    #[test]
    fn a_browser_may_use_the_one_style_and_nothing_else() {
        let reply = page("a", None);
        let policy = reply.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'"
            )
        );
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(reply.headers()[name], value);
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains("</"));
        assert!(!ICON.contains('"') && !ICON.contains('<'));
    }

    #[test]
    fn a_script_is_allowed_on_its_page_alone_and_by_its_hash() {
        let zone = LocalZone::named("UTC").unwrap();
        let (title, part, body) = ("a", "b", html! { p { "x" } });
        let page = Page { title, part, zone: &zone, refresh: None, script: Some("let a = 1 < 2;"), body };
        let reply = page.reply(StatusCode::OK);
        let policy = reply.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        // printf 'let a = 1 < 2;' | openssl dgst -sha256 -binary | base64
        let hash = "Xd/xFl+DmsVqHczJvGQWMh7nLH7H7r5iGmQKRm0JimU=";
        assert!(policy.contains(&format!(" script-src 'sha256-{hash}'; connect-src 'self'; ")), "{policy}");
        assert!(page.markup().into_string().ends_with("<script>let a = 1 < 2;</script></body></html>"));
    }

    #[test]
    fn a_title_is_text() {
        let text = markup("</title><script>alert(1)</script>\u{202e}x", None);
        assert!(
            text.contains(
                "<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩x – pcapx</title>"
            ),
            "{text}"
        );
        assert_eq!(text.matches("<script").count(), 0);
        assert!(!text.contains("http-equiv"));
        assert!(markup("a", Some(5)).contains(r#"<meta http-equiv="refresh" content="5">"#));
    }

    /// The variables of a block of the style.
    fn palette(block: &str) -> HashMap<&str, [f64; 3]> {
        let colour = |hex: &str| {
            let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            [part(1), part(3), part(5)]
        };
        let pairs =
            block.split([';', '{']).filter_map(|pair| pair.trim().strip_prefix("--")?.split_once(':'));
        pairs
            .filter(|(_, value)| value.trim().len() == 7)
            .map(|(name, value)| (name, colour(value.trim())))
            .collect()
    }

    /// Relative luminance and contrast, WCAG 2.2.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        let luminance = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_colour_of_text_can_be_read_and_every_mark_be_seen() {
        let (light, rest) = STYLE.split_once('}').unwrap();
        let dark = rest.split_once("prefers-color-scheme: dark").unwrap().1.split_once('}').unwrap().0;
        for palette in [palette(light), palette(dark)] {
            for ground in ["paper", "soft"] {
                for text in ["ink", "quiet", "link", "good", "warn", "bad"] {
                    let found = contrast(palette[text], palette[ground]);
                    assert!(found >= 4.5, "{text} on {ground}: {found:.2}");
                }
                for mark in ["from", "to", "other", "kept"] {
                    let found = contrast(palette[mark], palette[ground]);
                    assert!(found >= 3.0, "{mark} on {ground}: {found:.2}");
                }
            }
            let found = contrast(palette["button"], palette["link"]);
            assert!(found >= 4.5, "button: {found:.2}");
        }
    }
}
