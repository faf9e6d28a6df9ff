//! What became of a job, and the one line of text that tells the client.
//!
//! Sycope stores this text on the alert, and its users look for `ERROR:`; so every failure begins with that
//! word, and no text names a path or an internal error.

use hyper::header::HeaderValue;
use pcapx_core::config::Config;

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
        /// Capture files that overlap the window; `None` when the extractor does not tell.
        segments: Option<u64>,
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
            Self::NoMatch { filter, window: (start, end), segments } => {
                let searched = match segments {
                    None => String::new(),
                    Some(0) => " (no capture file covers this time)".to_owned(),
                    Some(1) => " (1 capture file searched)".to_owned(),
                    Some(count) => format!(" ({count} capture files searched)"),
                };
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

    fn no_match(filter: &str, segments: Option<u64>) -> Outcome {
        let window = ("2026-03-01 09:05:12".to_owned(), "2026-03-01 09:17:12".to_owned());
        Outcome::NoMatch { filter: filter.to_owned(), window, segments }
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
            no_match("tcp", Some(3)),
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
        let ends = |segments, tail| {
            let text = no_match("host 10.0.0.1", segments).text(&links("h"));
            assert!(text.ends_with(tail), "{text}");
        };
        ends(Some(0), "09:17:12 (no capture file covers this time)");
        ends(Some(1), "09:17:12 (1 capture file searched)");
        ends(Some(12), "09:17:12 (12 capture files searched)");
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
