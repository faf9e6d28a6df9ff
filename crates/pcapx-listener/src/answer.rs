//! What a client is told of a job: one line of text for the webhook, a document for programs.
//!
//! Sycope stores the text on the alert, and its users look for `ERROR:`; so every failure begins with that word, and no
//! text names a path or an internal error. For a webhook the status is always 200.
//!
//! | state | text | status for programs |
//! |---|---|---|
//! | complete, partial | the link | 200 |
//! | open, queued | the link: the file server answers 202 until there is a file | 202 |
//! | no match | `ERROR: no packets matched …` | 404 |
//! | failed | `ERROR: …` | 504 after a time limit, 507 without room, 409 when cancelled, else 500 |

use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue};
use pcapx_core::config::Config;
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{Failure, Manifest, Search, State};
use pcapx_http::{Reply, reply};
use serde_json::json;

/// The most characters of a filter that a text repeats; the log has all of it.
const SHOWN_FILTER_CHARS: usize = 200;

/// Makes texts, links and documents of manifests.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    base: String,
    zone: LocalZone,
}

impl Answers {
    /// Links to the file server of `config`, times in `zone`. Links have the configured host, never the request's.
    pub(crate) fn new(config: &Config, zone: LocalZone) -> Self {
        Self { base: config.download_url(""), zone }
    }

    /// The link to a file.
    pub(crate) fn link(&self, file: &str) -> String {
        format!("{}{file}", self.base)
    }

    /// The text for the webhook: one line of printable ASCII, good as a header's value.
    pub(crate) fn text(&self, manifest: &Manifest) -> String {
        if manifest.file.is_some() || manifest.open {
            return printable(&self.link(&manifest.file_name()));
        }
        printable(&match manifest.failure {
            Some(failure) => failure_text(failure).to_owned(),
            None => self.no_match(manifest),
        })
    }

    fn no_match(&self, manifest: &Manifest) -> String {
        let why = manifest.reason.clone().or_else(|| manifest.search.map(searched));
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        let (from, to) = (self.zone.spoken(manifest.asked.from), self.zone.spoken(manifest.asked.to));
        format!("ERROR: no packets matched '{}' between {from} and {to}{why}", shortened(&manifest.filter))
    }

    /// The document for programs.
    pub(crate) fn document(&self, manifest: &Manifest) -> Reply {
        let has_link = manifest.file.is_some() || manifest.open;
        let document = json!({
            "name": manifest.name,
            "state": manifest.state,
            "open": manifest.open,
            "url": has_link.then(|| self.link(&manifest.file_name())),
            "text": self.text(manifest),
            "manifest": manifest,
        });
        json_reply(status(manifest), &document)
    }
}

/// What the webhook is told of a failure.
pub(crate) const fn failure_text(failure: Failure) -> &'static str {
    match failure {
        Failure::NpcapextractTimeout => "ERROR: npcapextract timeout",
        Failure::NpcapextractFailed => "ERROR: npcapextract failed",
        Failure::Timeout => "ERROR: extraction timeout",
        Failure::Failed => "ERROR: extraction failed",
        Failure::Cancelled => "ERROR: extraction cancelled",
        Failure::NoSpace => "ERROR: extraction failed, there is not enough free space for evidence",
        Failure::NotWritable => "ERROR: extraction failed, the folder of evidence cannot be written",
        Failure::NotReadable => "ERROR: extraction failed, the recording cannot be read",
    }
}

/// What programs are told of a failure.
pub(crate) const fn failure_status(failure: Failure) -> StatusCode {
    match failure {
        Failure::Timeout | Failure::NpcapextractTimeout => StatusCode::GATEWAY_TIMEOUT,
        Failure::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        Failure::Cancelled => StatusCode::CONFLICT,
        Failure::NpcapextractFailed | Failure::NotWritable | Failure::NotReadable | Failure::Failed => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn status(manifest: &Manifest) -> StatusCode {
    match (manifest.state, manifest.failure) {
        _ if manifest.open => StatusCode::ACCEPTED,
        (State::Failed, failure) => failure_status(failure.unwrap_or(Failure::Failed)),
        (State::NoMatch, _) => StatusCode::NOT_FOUND,
        // A limit has no room for the first packet.
        _ if manifest.file.is_none() => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// A document, indented by two.
pub(crate) fn json_reply(status: StatusCode, document: &serde_json::Value) -> Reply {
    let mut text = format!("{document:#}");
    text.push('\n');
    reply::json(status, text)
}

/// Whether a client would rather have a document than a line of text. Many HTTP libraries accept everything and name JSON
/// first: they get the text, as they always have.
pub(crate) fn wants_json(headers: &HeaderMap) -> bool {
    let ranges =
        || headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    let names = |range: &str, kind: &str| {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let is_refused = parameters.split(';').any(|parameter| {
            let value = parameter.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
            value.is_some_and(|q| q <= 0.0)
        });
        name.trim().eq_ignore_ascii_case(kind) && !is_refused
    };
    let has = |kind| ranges().any(|range| names(range, kind));
    has("application/json") && !["text/plain", "text/*", "*/*"].into_iter().any(has)
}

/// The value of `X-Result` for a text of [`Answers::text`].
pub(crate) fn header_value(text: &str) -> HeaderValue {
    // Printable ASCII is always a legal value; the fallback only spells out that nothing can panic here.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("ERROR: extraction failed"))
}

/// What was searched, and what could not be, in words.
fn searched(search: Search) -> String {
    let files =
        |count| if count == 1 { "1 capture file".to_owned() } else { format!("{count} capture files") };
    // An index that tells that a file has no match has searched it.
    match (search.segments + search.excluded, search.unread) {
        (0, 0) => "no capture file covers this time".to_owned(),
        (0, unread) => format!("{} could not be read", files(unread)),
        (segments, 0) => format!("{} searched", files(segments)),
        (segments, unread) => format!("{} searched, {unread} could not be read", files(segments)),
    }
}

fn shortened(filter: &str) -> String {
    match filter.char_indices().nth(SHOWN_FILTER_CHARS) {
        Some((cut, _)) => format!("{}...", &filter[..cut]),
        None => filter.to_owned(),
    }
}

/// `text` with a question mark for whatever is not printable ASCII; only a configured host can hold such.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use pcapx_core::manifest::{Format, Span};
    use pcapx_core::time::Timestamp;

    use super::*;
    use crate::jobs::tests::manifest;

    fn answers(host: &str) -> Answers {
        Answers { base: format!("http://{host}:8081/"), zone: LocalZone::named("UTC").unwrap() }
    }

    fn told(change: impl FnOnce(&mut Manifest)) -> String {
        let mut manifest = manifest("20260301_091112_alert_1");
        manifest.open = false;
        manifest.asked =
            Span { from: Timestamp::from_secs(1_772_355_912), to: Timestamp::from_secs(1_772_356_632) };
        change(&mut manifest);
        answers("192.168.0.109").text(&manifest)
    }

    fn no_match(files: Option<(u64, u64)>) -> String {
        told(|manifest| {
            manifest.state = State::NoMatch;
            manifest.search =
                files.map(|(segments, unread)| Search { segments, unread, ..Search::default() });
        })
    }

    #[test]
    fn texts_are_the_contract_s() {
        let link = "http://192.168.0.109:8081/20260301_091112_alert_1.pcap";
        assert_eq!(told(|manifest| manifest.file = Some("20260301_091112_alert_1.pcap".to_owned())), link);
        assert_eq!(told(|manifest| manifest.open = true), link);
        assert_eq!(
            told(|manifest| (manifest.open, manifest.format) = (true, Format::Pcapng)),
            "http://192.168.0.109:8081/20260301_091112_alert_1.pcapng"
        );
        let failed =
            |failure| told(|manifest| (manifest.state, manifest.failure) = (State::Failed, Some(failure)));
        assert_eq!(failed(Failure::NpcapextractTimeout), "ERROR: npcapextract timeout");
        assert_eq!(failed(Failure::NpcapextractFailed), "ERROR: npcapextract failed");
        assert_eq!(
            no_match(None),
            "ERROR: no packets matched 'host 10.0.0.1' between 2026-03-01 09:05:12 and 2026-03-01 09:17:12"
        );
    }

    #[test]
    fn every_failure_begins_with_error() {
        for failure in [
            Failure::Timeout,
            Failure::NpcapextractTimeout,
            Failure::NpcapextractFailed,
            Failure::Cancelled,
            Failure::NoSpace,
            Failure::NotWritable,
            Failure::NotReadable,
            Failure::Failed,
        ] {
            let text = told(|manifest| (manifest.state, manifest.failure) = (State::Failed, Some(failure)));
            assert!(text.starts_with("ERROR: "), "{text}");
            assert!(failure_status(failure).is_client_error() || failure_status(failure).is_server_error());
        }
    }

    #[test]
    fn an_empty_answer_says_how_much_was_searched() {
        let ends = |files, tail| {
            let text = no_match(Some(files));
            assert!(text.ends_with(tail), "{text}");
        };
        ends((0, 0), "09:17:12 (no capture file covers this time)");
        ends((1, 0), "09:17:12 (1 capture file searched)");
        ends((12, 0), "09:17:12 (12 capture files searched)");
        ends((12, 1), "09:17:12 (12 capture files searched, 1 could not be read)");
        ends((0, 1), "09:17:12 (1 capture file could not be read)");
    }

    #[test]
    fn a_long_filter_is_cut() {
        let long = vec!["host 10.0.0.1"; 100].join(" or ");
        let text = told(|manifest| (manifest.state, manifest.filter) = (State::NoMatch, long.clone()));
        assert!(text.contains(&format!("'{}...'", &long[..SHOWN_FILTER_CHARS])), "{text}");
    }

    #[test]
    fn every_text_is_a_legal_header() {
        let mut manifest = manifest("a");
        for open in [true, false] {
            manifest.open = open;
            manifest.filter = "x\r\ny: z\u{1b}é".to_owned();
            let text = answers("h\u{e9}st\n").text(&manifest);
            assert_eq!(header_value(&text).to_str().unwrap(), text);
        }
    }

    #[test]
    fn a_document_is_for_those_who_want_nothing_else() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            wants_json(&headers)
        };
        assert!(!wants_json(&HeaderMap::new()));
        for accept in
            ["application/json", "Application/JSON;charset=utf-8", "application/json, application/xml"]
        {
            assert!(wants(accept), "{accept}");
        }
        for accept in
            ["*/*", "text/plain", "application/json, text/plain, */*", "application/json;q=0", "text/html"]
        {
            assert!(!wants(accept), "{accept}");
        }
    }
}
