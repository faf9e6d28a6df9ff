//! What became of a job, and the one line of text that tells the client.
//!
//! Sycope stores this text on the alert, and its users look for `ERROR:`; so every failure begins with that
//! word, and no text names a path or an internal error.

use hyper::header::HeaderValue;
use pcapx_core::config::Config;

use crate::extractor::Search;

/// The most characters of a filter that a text repeats; the log has all of it.
const SHOWN_FILTER_CHARS: usize = 200;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Packets were found and lie in this file of the output folder.
    Packets {
        /// The file's name, without a folder.
        file: String,
    },
    /// The alert holds nothing that a filter can be made of.
    NoFilter,
    /// The extraction ran well and not one packet matched.
    NoMatch {
        /// The filter's BPF text.
        filter: String,
        /// The window's ends in local time.
        window: (String, String),
        /// What was searched; `None` when the extractor does not tell.
        search: Option<Search>,
    },
    /// npcapextract ran longer than it may.
    NpcapextractTimeout,
    /// npcapextract could not be started, failed, or left no file.
    NpcapextractFailed,
    /// The built-in extractor ran longer than it may.
    Timeout,
    /// The built-in extractor failed, or the job itself did.
    Failed,
    /// The service is stopping and did not wait for the job any longer.
    Cancelled,
}

impl Outcome {
    /// A word for the log.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Packets { .. } => "packets",
            Self::NoFilter => "no-filter",
            Self::NoMatch { .. } => "no-match",
            Self::NpcapextractTimeout | Self::Timeout => "timeout",
            Self::NpcapextractFailed | Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The text for the client: one line of printable ASCII, good as a header's value.
    pub(crate) fn text(&self, links: &Links) -> String {
        let text = match self {
            Self::Packets { file } => links.to(file),
            Self::NoFilter => "NO BPF FILTER".to_owned(),
            Self::NoMatch { filter, window: (start, end), search } => {
                let searched = search.map_or_else(String::new, |search| format!(" ({})", searched(search)));
                let filter = shortened(filter);
                format!("ERROR: no packets matched '{filter}' between {start} and {end}{searched}")
            }
            Self::NpcapextractTimeout => "ERROR: npcapextract timeout".to_owned(),
            Self::NpcapextractFailed => "ERROR: npcapextract failed".to_owned(),
            Self::Timeout => "ERROR: extraction timeout".to_owned(),
            Self::Failed => "ERROR: extraction failed".to_owned(),
            Self::Cancelled => "ERROR: extraction cancelled, the listener is stopping".to_owned(),
        };
        printable(&text)
    }
}

/// The value of `X-Result` for a text of [`Outcome::text`].
pub(crate) fn header_value(text: &str) -> HeaderValue {
    // Printable ASCII is always a legal value; the fallback only spells out that nothing can panic here.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("ERROR: extraction failed"))
}

/// Where evidence can be downloaded: the configured host and the fileserver's port, never the request's host.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    base: String,
}

impl Links {
    /// The links that `config` gives.
    pub(crate) fn new(config: &Config) -> Self {
        Self { base: config.url(config.fileserver_port, "") }
    }

    fn to(&self, file: &str) -> String {
        format!("{}{file}", self.base)
    }
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
    use super::*;

    fn links(host: &str) -> Links {
        Links { base: format!("http://{host}:8081/") }
    }

    fn no_match(filter: &str, files: Option<(u64, u64)>) -> Outcome {
        let search = files.map(|(segments, unread)| Search { segments, unread, ..Search::default() });
        let window = ("2026-03-01 09:05:12".to_owned(), "2026-03-01 09:17:12".to_owned());
        Outcome::NoMatch { filter: filter.to_owned(), window, search }
    }

    #[test]
    fn texts_are_the_contract_s() {
        let file = "20260301_091112_alert_1.pcap".to_owned();
        let cases = [
            (Outcome::Packets { file }, "http://192.168.0.109:8081/20260301_091112_alert_1.pcap"),
            (Outcome::NoFilter, "NO BPF FILTER"),
            (Outcome::NpcapextractTimeout, "ERROR: npcapextract timeout"),
            (Outcome::NpcapextractFailed, "ERROR: npcapextract failed"),
            (
                no_match("host 10.0.0.1", None),
                "ERROR: no packets matched 'host 10.0.0.1' between 2026-03-01 09:05:12 and 2026-03-01 09:17:12",
            ),
        ];
        for (outcome, text) in cases {
            assert_eq!(outcome.text(&links("192.168.0.109")), text);
        }
    }

    #[test]
    fn every_failure_begins_with_error() {
        let failures = [
            no_match("tcp", Some((3, 0))),
            Outcome::NpcapextractTimeout,
            Outcome::NpcapextractFailed,
            Outcome::Timeout,
            Outcome::Failed,
            Outcome::Cancelled,
        ];
        for failure in failures {
            assert!(failure.text(&links("h")).starts_with("ERROR: "), "{failure:?}");
        }
    }

    #[test]
    fn an_empty_answer_says_how_much_was_searched() {
        let ends = |files, tail| {
            let text = no_match("host 10.0.0.1", Some(files)).text(&links("h"));
            assert!(text.ends_with(tail), "{text}");
        };
        ends((0, 0), "09:17:12 (no capture file covers this time)");
        ends((1, 0), "09:17:12 (1 capture file searched)");
        ends((12, 0), "09:17:12 (12 capture files searched)");
        ends((12, 1), "09:17:12 (12 capture files searched, 1 could not be read)");
        ends((0, 1), "09:17:12 (1 capture file could not be read)");
        let search = Some(Search { segments: 1, excluded: 2, ..Search::default() });
        let window = ("a".to_owned(), "b".to_owned());
        let text = Outcome::NoMatch { filter: "tcp".to_owned(), window, search }.text(&links("h"));
        assert!(text.ends_with(" (3 capture files searched)"), "{text}");
    }

    #[test]
    fn a_long_filter_is_cut() {
        let long = vec!["host 10.0.0.1"; 100].join(" or ");
        let text = no_match(&long, None).text(&links("h"));
        assert!(text.contains(&format!("'{}...'", &long[..SHOWN_FILTER_CHARS])), "{text}");
    }

    #[test]
    fn every_text_is_a_legal_header() {
        for outcome in [Outcome::Packets { file: "a.pcap".to_owned() }, no_match("x\r\ny: z\u{1b}é", None)] {
            let text = outcome.text(&links("h\u{e9}st\n"));
            assert_eq!(header_value(&text).to_str().unwrap(), text);
        }
    }
}
