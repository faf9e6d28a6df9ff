//! From a request to a question: which packets, of which time, and what their evidence is called.
//!
//! ```text
//! alert ─► addresses, ports, protocol ─► mode ─► filter ┐
//!      └─► time, before, after ──────────► window       ├─► Question
//! {"filter": …, "from": …, "to": …} ────────────────────┘
//! ```
//!
//! What holds an address or a port is an alert, whatever else is in it. What holds neither, and a filter with two times, is a
//! question by hand; with one time, or with a filter that is no text, it is one with a mistake, unless it has an alert's id or
//! fields of one that could not be used.

use std::net::IpAddr;
use std::time::Duration;

use pcapx_core::alert::{self, Alert};
use pcapx_core::config::Config;
use pcapx_core::filter::{self, Expr, Mode};
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{About, Format, hex};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::query::Query;

/// Bytes of a hash that make an identity: 128 bits, so that no two questions ever share one by chance.
const IDENTITY_BYTES: usize = 16;
/// Hexadecimal digits of it in the name of a question by hand.
const NAME_DIGITS: usize = 10;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The evidence's own name.
    pub(crate) stem: String,
    /// Which packets.
    pub(crate) filter: Expr,
    /// Of which time.
    pub(crate) window: Window,
    /// In which format.
    pub(crate) format: Format,
    /// The mode that made the filter.
    pub(crate) mode: Option<Mode>,
    /// Addresses of the side that opened the conversation.
    pub(crate) client: Vec<IpAddr>,
    /// What the alert says of itself.
    pub(crate) about: Option<About>,
    /// The alert as it came.
    pub(crate) alert: Option<Map<String, Value>>,
    /// What of alert and request was not used, and why.
    pub(crate) refused: Vec<String>,
    /// Identity of the question.
    pub(crate) identity: String,
    /// Identity of the alert.
    pub(crate) subject: String,
}

/// What a request turned out to be.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A question.
    Question(Box<Question>),
    /// An alert that no filter can be made of.
    NoFilter {
        /// What the alert says of itself.
        about: About,
        /// The mode that was asked for.
        mode: Mode,
        /// The window that was asked for.
        window: Window,
        /// What was not used, and why.
        refused: Vec<String>,
    },
    /// A question by hand that cannot be understood; the text tells what to do.
    Unclear(String),
    /// A question by hand, and they are switched off.
    NotAllowed,
}

/// Reads questions by the configuration's defaults.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    zone: LocalZone,
    mode: Mode,
    before: Duration,
    after: Duration,
    format: Format,
    by_hand: bool,
}

impl Reader {
    /// A reader with the defaults of `config`.
    pub(crate) fn new(config: &Config, zone: LocalZone) -> Self {
        Self {
            zone,
            mode: config.default_mode,
            before: config.default_before,
            after: config.default_after,
            format: config.output_format,
            by_hand: config.allow_ad_hoc,
        }
    }

    /// What `body` and `query` ask for.
    pub(crate) fn read(&self, body: Map<String, Value>, query: &Query, now: Timestamp) -> Asked {
        let alert = Alert::from_json(&body, now, &self.zone);
        let is_alert = !(alert.client.is_empty() && alert.server.is_empty() && alert.ports.is_empty());
        // What names itself, or has addresses that are none, was meant as an alert.
        let is_meant = alert.is_identified || !alert.refusals.is_empty();
        let by_hand = ByHand::of(&body).filter(|asked| asked.is_whole() || !is_meant);
        if !is_alert && let Some(by_hand) = by_hand {
            return if self.by_hand { self.by_hand(&by_hand, query) } else { Asked::NotAllowed };
        }
        let mut refused = query.refused.clone();
        refused.extend(alert.refusals.iter().map(ToString::to_string));
        let mode = self.mode(query.filter.as_deref(), &mut refused);
        let window = alert.window(query.before.unwrap_or(self.before), query.after.unwrap_or(self.after));
        let about = About { id: alert.id.clone(), name: alert.name.clone(), time: alert.time };
        let Some(filter) = filter::from_alert(&alert, mode) else {
            return Asked::NoFilter { about, mode, window, refused };
        };
        let format = query.format.unwrap_or(self.format);
        let subject = subject(&alert);
        Asked::Question(Box::new(Question {
            stem: alert.file_stem(&self.zone),
            identity: question_identity(&subject, &filter, window, format),
            filter,
            window,
            format,
            mode: Some(mode),
            client: alert.client,
            about: Some(about),
            alert: Some(body),
            refused,
            subject,
        }))
    }

    fn by_hand(&self, asked: &ByHand<'_>, query: &Query) -> Asked {
        match asked.read(&self.zone) {
            Ok((filter, window)) => Asked::Question(Box::new(self.ask(filter, window, query.format))),
            Err(reason) => Asked::Unclear(reason),
        }
    }

    /// The question by hand for these packets; without a format, in that of the configuration.
    pub(crate) fn ask(&self, filter: Expr, window: Window, format: Option<Format>) -> Question {
        let format = format.unwrap_or(self.format);
        let subject = identity(&["by hand", &filter.to_string(), &window.to_string()]);
        Question {
            stem: format!("{}_ask_{}", self.zone.compact(window.start()), &subject[..NAME_DIGITS]),
            identity: question_identity(&subject, &filter, window, format),
            filter,
            window,
            format,
            mode: None,
            client: Vec::new(),
            about: None,
            alert: None,
            refused: Vec::new(),
            subject,
        }
    }

    /// The mode that `asked` names, else the default.
    fn mode(&self, asked: Option<&str>, refused: &mut Vec<String>) -> Mode {
        let Some(asked) = asked else { return self.mode };
        asked.parse().unwrap_or_else(|_| {
            refused.push(format!("filter={asked}: unknown mode"));
            self.mode
        })
    }
}

/// A question by hand, not yet looked at.
struct ByHand<'a> {
    filter: &'a Value,
    from: Option<&'a Value>,
    to: Option<&'a Value>,
}

impl<'a> ByHand<'a> {
    /// A filter and at least one time, whatever they are.
    fn of(body: &'a Map<String, Value>) -> Option<Self> {
        let (from, to) = (body.get("from"), body.get("to"));
        from.or(to)?;
        Some(Self { filter: body.get("filter")?, from, to })
    }

    /// Whether it has all that makes a question by hand.
    fn is_whole(&self) -> bool {
        self.filter.is_string() && self.from.is_some() && self.to.is_some()
    }

    /// What it means, times without a zone in `zone`; or the field that cannot be understood, and what is expected there.
    fn read(&self, zone: &LocalZone) -> Result<(Expr, Window), String> {
        const FILTER: &str = "filter: expected one such as \"host 10.0.0.5 and port 53\"";
        let filter = match self.filter.as_str() {
            // To tcpdump it means everything; here it would be a slip, as an alert without an address is.
            Some(text) if text.trim().is_empty() => return Err(format!("{FILTER}, found nothing")),
            Some(text) => filter::parse(text).map_err(|error| format!("filter: {error}"))?,
            None => return Err(format!("{FILTER}, found no text")),
        };
        let time = |name: &str, value: Option<&Value>| {
            value.and_then(|value| alert::read_time(value, zone)).ok_or_else(|| {
                let missing = if value.is_none() { ", found nothing" } else { "" };
                format!(
                    "{name}: expected a time such as 2026-03-01T10:00:00Z, \"2026-03-01 10:00:00\" or 1772359200{missing}"
                )
            })
        };
        let (from, to) = (time("from", self.from)?, time("to", self.to)?);
        Ok((filter, Window::new(from, to).map_err(|error| error.to_string())?))
    }
}

/// What makes an alert itself: its id and time, or, where the sender gave it no id, its time and what it is about.
fn subject(alert: &Alert) -> String {
    let (id, time) = (&alert.id, alert.time.to_string());
    if alert.is_identified {
        return identity(&[id, &time]);
    }
    let flow = format!("{:?} {:?} {:?} {:?}", alert.client, alert.server, alert.ports, alert.protocol);
    identity(&[id, &time, &flow])
}

fn question_identity(subject: &str, filter: &Expr, window: Window, format: Format) -> String {
    identity(&[subject, &filter.to_string(), &window.to_string(), format.as_str()])
}

/// A short name for `parts` that stays the same over restarts and versions.
fn identity(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length in front keeps parts apart, whatever they hold.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize()[..IDENTITY_BYTES])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reader(by_hand: bool) -> Reader {
        Reader {
            zone: LocalZone::named("UTC").unwrap(),
            mode: Mode::Full,
            before: Duration::from_secs(360),
            after: Duration::from_secs(360),
            format: Format::Pcap,
            by_hand,
        }
    }

    fn read(body: &Value, query: &str) -> Asked {
        let query = Query::parse("/", Some(query));
        reader(true).read(body.as_object().unwrap().clone(), &query, Timestamp::from_secs(1_739_100_000))
    }

    #[track_caller]
    fn question(body: &Value, query: &str) -> Question {
        match read(body, query) {
            Asked::Question(question) => *question,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_alert_filter_and_window_are_the_same_question() {
        let alert = json!({"id": "a", "clientIp": "10.0.0.1", "unixTimestamp": 1_739_100_000});
        let one = question(&alert, "");
        let same =
            question(&json!({"unixTimestamp": 1_739_100_000_000_i64, "src_ip": "10.0.0.1", "id": "a"}), "");
        assert_eq!((&one.identity, &one.subject), (&same.identity, &same.subject));
        for (body, query) in [
            (&alert, "after=1"),
            (&alert, "format=pcapng"),
            (&json!({"id": "a", "clientIp": "10.0.0.2", "unixTimestamp": 1_739_100_000}), ""),
        ] {
            let other = question(body, query);
            assert!(other.identity != one.identity && other.subject == one.subject, "{body} {query}");
        }
        for (id, stem) in [(json!(null), "20250209_112000_None"), (json!(""), "20250209_112000_alert")] {
            let of = |client: &str| {
                question(&json!({"id": id, "clientIp": client, "unixTimestamp": 1_739_100_000}), "")
            };
            assert_eq!(of("10.0.0.1").stem, stem);
            assert_ne!(of("10.0.0.1").subject, of("10.0.0.2").subject, "{id}");
        }
        let unnamed =
            |client: &str| question(&json!({"clientIp": client, "unixTimestamp": 1_739_100_000}), "");
        assert_eq!(unnamed("10.0.0.1").subject, unnamed("10.0.0.1").subject);
        assert_ne!(unnamed("10.0.0.1").subject, unnamed("10.0.0.2").subject);
        for id in ["!!!", "???"] {
            let other =
                question(&json!({"id": id, "clientIp": "10.0.0.1", "unixTimestamp": 1_739_100_000}), "");
            assert_eq!(other.stem, "20250209_112000_alert");
            assert_ne!(other.subject, one.subject);
        }
    }

    #[test]
    fn a_filter_with_two_times_is_a_question_by_hand() {
        let body = json!({"filter": "port 53 and host 10.0.0.5", "from": "2026-03-01 10:00:00", "to": 1_772_359_300});
        let asked = question(&body, "format=pcapng");
        assert_eq!(asked.filter.to_string(), "port 53 and host 10.0.0.5");
        let (from, to) = (asked.window.start().as_secs(), asked.window.end().as_secs());
        assert_eq!((from, to), (1_772_359_200, 1_772_359_300));
        assert!(asked.stem.starts_with("20260301_100000_ask_"), "{}", asked.stem);
        assert_eq!((asked.mode, asked.format, asked.about), (None, Format::Pcapng, None));
    }

    #[test]
    fn what_is_wrong_with_a_question_by_hand_is_told() {
        for (body, part) in [
            (json!({"filter": "host", "from": 1, "to": 2}), "filter: "),
            (json!({"filter": " ", "from": 1, "to": 2}), "found nothing"),
            (json!({"filter": "host 1.1.1.1", "from": "soon", "to": 2}), "from: expected a time"),
            (json!({"filter": "host 1.1.1.1", "from": 1, "to": null}), "to: expected a time"),
            (json!({"filter": 5, "from": 1, "to": 2}), "filter: expected one such as"),
            (json!({"filter": null, "to": 2}), "filter: expected one such as"),
            (json!({"filter": "host 1.1.1.1", "to": 2}), "from: expected a time"),
            (json!({"filter": "host 1.1.1.1", "from": 1}), "to: expected a time"),
            (json!({"filter": "host 1.1.1.1", "from": 2, "to": 1}), "ends"),
        ] {
            match read(&body, "") {
                Asked::Unclear(text) => assert!(text.contains(part), "{text}"),
                other => panic!("{body}: {other:?}"),
            }
        }
        let body = json!({"filter": "host 1.1.1.1", "from": 1, "to": 2});
        let asked =
            reader(false).read(body.as_object().unwrap().clone(), &Query::default(), Timestamp::now());
        assert!(matches!(asked, Asked::NotAllowed), "{asked:?}");
    }

    #[test]
    fn an_alert_stays_an_alert() {
        let body = json!({"clientIp": "10.0.0.1", "filter": "port 53", "from": 1, "to": 2});
        assert_eq!(question(&body, "").filter.to_string(), "host 10.0.0.1");
        for body in [
            json!({"clientIp": "10.0.0.1", "filter": 5, "from": 1}),
            json!({"serverPort": 53, "filter": "x", "to": 1}),
        ] {
            assert!(matches!(read(&body, ""), Asked::Question(_)), "{body}");
        }
        for body in [
            json!({}),
            json!({"filter": "port 53"}),
            json!({"from": 1, "to": 2}),
            json!({"clientIp": "nonsense", "filter": "port 53", "from": 1}),
            json!({"id": "a", "filter": "port 53", "from": 1}),
            json!({"serverIp": "nonsense", "filter": 1, "from": 1, "to": 2}),
        ] {
            assert!(matches!(read(&body, ""), Asked::NoFilter { .. }), "{body}");
        }
    }
}
