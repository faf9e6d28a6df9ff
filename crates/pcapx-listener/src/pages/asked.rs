//! What a request for a page asks for.
//!
//! | target | page |
//! |---|---|
//! | `/` | recorder and jobs; `?still` does not refresh itself |
//! | `/?view=ask` | the form for a question by hand; with `filter`, `from`, `to`, `format` also what they mean; `last=SECONDS` is a window up to now |
//! | `/?job=NAME` | one job; `…still` does not refresh itself |

use std::collections::HashMap;

use pcapx_core::manifest::{Format, Manifest};

use crate::query::decoded;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Recorder and jobs.
    Overview {
        /// Whether it refreshes itself.
        is_live: bool,
    },
    /// The form for a question by hand.
    Form(Fields),
    /// One job.
    Job {
        /// Its name; `None` when nothing can have the one that was given.
        name: Option<String>,
        /// Whether it refreshes itself while more is to come.
        is_live: bool,
    },
}

/// The fields of the form, as a browser has sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// Which packets.
    pub(super) filter: Option<String>,
    /// From when on, in local time.
    pub(super) from: Option<String>,
    /// Up to when.
    pub(super) to: Option<String>,
    /// Instead of both: so many seconds up to now.
    pub(super) last: Option<u64>,
    /// The format of the capture.
    pub(super) format: Option<Format>,
}

impl Asked {
    /// Reads the query of a target. What is not understood is passed over.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let query = query.unwrap_or("");
        let mut values = values(query);
        let is_live = !values.contains_key("still");
        if let Some(name) = values.remove("job") {
            return Self::Job { name: Some(name).filter(|name| Manifest::is_name(name)), is_live };
        }
        match values.get("view").map(String::as_str) {
            Some("ask") => Self::Form(Fields::of(values)),
            _ => Self::Overview { is_live },
        }
    }
}

impl Fields {
    /// The fields in the body of a form.
    pub(super) fn parse(body: &str) -> Self {
        Self::of(values(body))
    }

    fn of(mut values: HashMap<String, String>) -> Self {
        let mut value = |name: &str| values.remove(name);
        let (filter, from, to) = (value("filter"), value("from"), value("to"));
        let last = value("last").and_then(|last| last.parse().ok());
        Self { filter, from, to, last, format: value("format").and_then(|format| format.parse().ok()) }
    }
}

/// Names and values; the first value of a name counts.
fn values(text: &str) -> HashMap<String, String> {
    let mut values = HashMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        values.entry(decoded(name).into_owned()).or_insert_with(|| decoded(value).into_owned());
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_apart() {
        for (query, asked) in [
            (None, Asked::Overview { is_live: true }),
            (Some("x=y&view=other"), Asked::Overview { is_live: true }),
            (Some("still"), Asked::Overview { is_live: false }),
            (Some("view=ask"), Asked::Form(Fields::default())),
            (Some("job=a_1&still="), Asked::Job { name: Some("a_1".to_owned()), is_live: false }),
            (Some("job=..%2Fx"), Asked::Job { name: None, is_live: true }),
            (Some("job="), Asked::Job { name: None, is_live: true }),
        ] {
            assert_eq!(Asked::parse(query), asked, "{query:?}");
        }
    }

    #[test]
    fn fields_are_decoded_and_the_first_counts() {
        let fields = Fields {
            filter: Some("host 10.0.0.1 && port 53".to_owned()),
            from: Some("2026-03-01T10:00".to_owned()),
            to: Some(String::new()),
            last: Some(300),
            format: Some(Format::Pcapng),
        };
        let body = "filter=host+10.0.0.1+%26%26+port+53&from=2026-03-01T10%3A00&to=&to=x&last=300&format=pcapng&do=1";
        assert_eq!(Fields::parse(body), fields);
        assert_eq!(Asked::parse(Some(&format!("view=ask&{body}"))), Asked::Form(fields));
        assert_eq!(Fields::parse("format=zip&last=-1&%ff=1&&="), Fields::default());
    }
}
