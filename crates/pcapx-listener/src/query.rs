//! What a request's address asks for: `filter`, `before` and `after`.
//!
//! Two spellings are read: the ordinary query (`/extract?filter=full&before=60`) and the one in Sycope's
//! manual, where the path carries the parameters (`/extract&filter=full&before=60`). Names and values are
//! percent-decoded with `+` as a blank, a blank value counts as absent, the first value of a name wins.

use std::borrow::Cow;
use std::time::Duration;

use pcapx_core::manifest::Format;
use percent_encoding::percent_decode_str;

/// The longest stretch before or after an alert that can be asked for: one day.
const LONGEST_SECS: u64 = 86_400;

/// The parameters as written by the client; `None` where there is no usable value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// `filter`: the text, not yet known to be a mode.
    pub(crate) filter: Option<String>,
    /// `before`: time ahead of the alert, 0 to one day.
    pub(crate) before: Option<Duration>,
    /// `after`: time past the alert, 0 to one day.
    pub(crate) after: Option<Duration>,
    /// `wait`: how long the answer may be held until all is there, 0 to one day.
    pub(crate) wait: Option<Duration>,
    /// `format`: that of the capture file.
    pub(crate) format: Option<Format>,
    /// What was asked for in a way that cannot be read, for the log; the default holds instead.
    pub(crate) refused: Vec<String>,
}

impl Query {
    /// Reads the parameters out of a request target's path and query.
    pub(crate) fn parse(path: &str, query: Option<&str>) -> Self {
        let in_path = path.split_once('&').map(|(_, parameters)| parameters);
        let (mut filter, mut before, mut after, mut wait, mut format) = (None, None, None, None, None);
        for pair in [in_path, query].into_iter().flatten().flat_map(|part| part.split('&')) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match &*decoded(name) {
                "filter" => &mut filter,
                "before" => &mut before,
                "after" => &mut after,
                "wait" => &mut wait,
                "format" => &mut format,
                _ => continue,
            };
            let value = decoded(value);
            if slot.is_none() && !value.is_empty() {
                *slot = Some(value.into_owned());
            }
        }
        let mut refused = Vec::new();
        let mut seconds_of = |name, text: Option<String>| {
            let text = text?;
            let read = seconds(&text);
            if read.is_none() {
                refused.push(format!("{name}={text}: no whole number of seconds"));
            }
            read
        };
        let (before, after, wait) =
            (seconds_of("before", before), seconds_of("after", after), seconds_of("wait", wait));
        let format = format.and_then(|text| {
            let known = text.trim().parse();
            known.map_err(|error| refused.push(format!("format={text}: {error}"))).ok()
        });
        Self { filter, before, after, wait, format, refused }
    }
}

/// `path` without the parameters that the second spelling hangs onto it.
pub(crate) fn plain_path(path: &str) -> &str {
    path.split_once('&').map_or(path, |(plain, _)| plain)
}

/// A name or a value as it was before it was percent-encoded.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let blanks = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&blanks).decode_utf8_lossy().into_owned())
}

/// Whole seconds, kept within 0 and one day; `None` when `text` is not an integer.
///
/// An integer is what Python's `int()` reads in ASCII, because that is what clients of the original may send:
/// blanks around it, one sign, digits with single underscores between them.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value: u64 = 0;
    for group in digits.split('_') {
        if group.is_empty() {
            return None;
        }
        for byte in group.bytes() {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
            value = value.saturating_mul(10).saturating_add(u64::from(digit));
        }
    }
    Some(Duration::from_secs(if negative { 0 } else { value.min(LONGEST_SECS) }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(target: &str) -> Query {
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        Query::parse(path, query)
    }

    fn query(filter: Option<&str>, before: Option<u64>, after: Option<u64>) -> Query {
        Query {
            filter: filter.map(str::to_owned),
            before: before.map(Duration::from_secs),
            after: after.map(Duration::from_secs),
            ..Query::default()
        }
    }

    #[test]
    fn both_spellings_say_the_same() {
        let asked = query(Some("hosts"), Some(60), Some(30));
        assert_eq!(parse("/extract?filter=hosts&before=60&after=30"), asked);
        assert_eq!(parse("/extract&filter=hosts&before=60&after=30"), asked);
        assert_eq!(parse("/extract&filter=hosts?before=60&after=30"), asked);
        assert_eq!(parse("/?&&filter=hosts&&before=60&after=30&"), asked);
    }

    #[test]
    fn the_first_value_wins_and_a_blank_one_is_none() {
        assert_eq!(parse("/?filter=full&filter=hosts"), query(Some("full"), None, None));
        assert_eq!(parse("/&filter=port?filter=hosts"), query(Some("port"), None, None));
        assert_eq!(parse("/?filter=&filter=hosts&before="), query(Some("hosts"), None, None));
        let first = parse("/?before=x&before=5");
        assert_eq!(first.before, None, "the first is there, though no integer");
        assert_eq!(first.refused, ["before=x: no whole number of seconds"]);
        assert_eq!(parse("/?filter"), Query::default());
        assert_eq!(parse("/filter=full"), Query::default());
    }

    #[test]
    fn names_and_values_are_percent_decoded() {
        assert_eq!(parse("/?%66ilter=po%72t&before=%36%30&after=+7"), query(Some("port"), Some(60), Some(7)));
        assert_eq!(parse("/?filter=a%26b%3Dc%zz%ff"), query(Some("a&b=c%zz\u{fffd}"), None, None));
    }

    #[test]
    fn integers_are_those_of_python() {
        let cases = [
            ("60", Some(60)),
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-1", Some(0)),
            ("%2B60", Some(60)),
            ("+60", Some(60)),
            ("%20%0960%0a", Some(60)),
            ("1_000", Some(1000)),
            ("007", Some(7)),
            ("86400", Some(86_400)),
            ("86401", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("-99999999999999999999999999", Some(0)),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("1.5", None),
            ("1e3", None),
            ("0x10", None),
            ("- 1", None),
            ("--1", None),
            ("%2B%2B1", None),
            ("-", None),
            ("sixty", None),
            ("60s", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse(&format!("/?before={text}")).before, want.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn waiting_and_format_can_be_asked_for() {
        let asked = parse("/extract&wait=30&format=pcapng");
        assert_eq!((asked.wait, asked.format), (Some(Duration::from_secs(30)), Some(Format::Pcapng)));
        let asked = parse("/?wait=long&format=zip");
        assert_eq!((asked.wait, asked.format), (None, None));
        let refused = ["wait=long: no whole number of seconds", "format=zip: expected pcap or pcapng"];
        assert_eq!(asked.refused, refused);
    }

    #[test]
    fn the_path_ends_where_parameters_begin() {
        assert_eq!(plain_path("/extract&filter=full"), "/extract");
        assert_eq!(plain_path("/healthz"), "/healthz");
    }

    proptest! {
        #[test]
        fn any_integer_is_read_and_kept_in_range(number: i64) {
            let read = seconds(&number.to_string()).unwrap();
            prop_assert_eq!(read.as_secs(), u64::try_from(number).unwrap_or(0).min(LONGEST_SECS));
        }

        #[test]
        fn no_target_is_too_strange(path in ".{0,60}", text in "[&=+%a-z0-9]{0,60}") {
            let read = Query::parse(&path, Some(&text));
            prop_assert!(read.before.is_none_or(|before| before.as_secs() <= LONGEST_SECS));
        }
    }
}
