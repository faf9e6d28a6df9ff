//! Conditional requests, in the order of RFC 9110 §13.2.2.

use std::time::SystemTime;

use hyper::header::{
    HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};

use crate::validators::Validators;

/// What the conditions of a GET or HEAD come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answer as without conditions.
    Proceed,
    /// 304: the client has this state already.
    NotModified,
    /// 412: the client wants another state.
    Failed,
}

/// Evaluates `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since`. A date that cannot be read
/// is no condition.
pub(crate) fn evaluate(headers: &HeaderMap, file: &Validators) -> Verdict {
    if headers.contains_key(IF_MATCH) {
        if !any_tag(headers, &IF_MATCH, |tag| tag == file.tag) {
            return Verdict::Failed;
        }
    } else if date(headers, &IF_UNMODIFIED_SINCE).is_some_and(|date| file.modified > date) {
        return Verdict::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        // Weak comparison: `W/` does not count (§8.8.3.2).
        if any_tag(headers, &IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag) == file.tag) {
            return Verdict::NotModified;
        }
    } else if date(headers, &IF_MODIFIED_SINCE).is_some_and(|date| file.modified <= date) {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `If-Range`, if there, lets a range count (§13.1.5): the same strong tag or the very same strong date.
pub(crate) fn range_counts(headers: &HeaderMap, file: &Validators) -> bool {
    let mut values = headers.get_all(IF_RANGE).iter();
    let Some(value) = values.next() else { return true };
    let Ok(value) = value.to_str() else { return false };
    if values.next().is_some() {
        return false;
    }
    if value.starts_with('"') || value.starts_with("W/") {
        return value == file.tag;
    }
    file.date_is_strong && httpdate::parse_http_date(value).is_ok_and(|date| date == file.modified)
}

/// Whether the client wants a file that is there already, whatever its state: without one `If-Match` fails (§13.1.1).
pub(crate) fn wants_a_file(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH)
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    httpdate::parse_http_date(value).ok()
}

/// Whether the header is `*` or one of its entity tags fits. Reading a list ends at its first syntax error.
fn any_tag(headers: &HeaderMap, name: &HeaderName, fits: impl Fn(&str) -> bool) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        let mut rest = list.trim();
        if rest == "*" {
            return true;
        }
        while let Some((tag, after)) = first_tag(rest) {
            if fits(tag) {
                return true;
            }
            rest = after;
        }
        false
    })
}

/// The first tag of a list, with `W/` if it has one, and the list behind it.
fn first_tag(list: &str) -> Option<(&str, &str)> {
    let list = list.trim_start_matches([' ', '\t', ',']);
    let opening = if list.starts_with("W/") { 2 } else { 0 };
    let opaque = list.get(opening..)?.strip_prefix('"')?;
    let end = opening + 1 + opaque.find('"')? + 1;
    Some(list.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    const BEFORE: &str = "Thu, 01 Jan 1970 00:16:39 GMT";
    const SAME: &str = "Thu, 01 Jan 1970 00:16:40 GMT";
    const AFTER: &str = "Thu, 01 Jan 1970 00:16:41 GMT";

    fn file() -> Validators {
        Validators {
            tag: "\"1-2-3\"".to_owned(),
            modified: UNIX_EPOCH + Duration::from_secs(1000),
            date_is_strong: true,
        }
    }

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn verdicts() {
        use Verdict::{Failed, NotModified, Proceed};
        for (fields, verdict) in [
            (&[][..], Proceed),
            (&[("if-match", "\"1-2-3\"")], Proceed),
            (&[("if-match", "*")], Proceed),
            (&[("if-match", "\"x\", \"1-2-3\"")], Proceed),
            (&[("if-match", "W/\"1-2-3\"")], Failed),
            (&[("if-match", "\"x\"")], Failed),
            (&[("if-match", "1-2-3")], Failed),
            (&[("if-match", "\"1-2-3\""), ("if-unmodified-since", BEFORE)], Proceed),
            (&[("if-unmodified-since", BEFORE)], Failed),
            (&[("if-unmodified-since", SAME)], Proceed),
            (&[("if-unmodified-since", "yesterday")], Proceed),
            (&[("if-none-match", "\"1-2-3\"")], NotModified),
            (&[("if-none-match", "W/\"1-2-3\"")], NotModified),
            (&[("if-none-match", "\"a,b\" , ,\"1-2-3\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"x\"")], Proceed),
            (&[("if-none-match", "\"x\""), ("if-modified-since", AFTER)], Proceed),
            (&[("if-modified-since", BEFORE)], Proceed),
            (&[("if-modified-since", SAME)], NotModified),
            (&[("if-modified-since", AFTER)], NotModified),
            (&[("if-modified-since", "")], Proceed),
            (&[("if-match", "\"1-2-3\""), ("if-none-match", "\"1-2-3\"")], NotModified),
            (&[("if-match", "\"x\""), ("if-none-match", "\"1-2-3\"")], Failed),
        ] {
            assert_eq!(evaluate(&headers(fields), &file()), verdict, "{fields:?}");
        }
    }

    #[test]
    fn if_range_wants_the_same_state() {
        for (value, counts) in [
            ("\"1-2-3\"", true),
            ("W/\"1-2-3\"", false),
            ("\"x\"", false),
            (SAME, true),
            (BEFORE, false),
            (AFTER, false),
            ("nonsense", false),
        ] {
            assert_eq!(range_counts(&headers(&[("if-range", value)]), &file()), counts, "{value}");
        }
        assert!(range_counts(&HeaderMap::new(), &file()));
        let fresh = Validators { date_is_strong: false, ..file() };
        assert!(!range_counts(&headers(&[("if-range", SAME)]), &fresh));
    }
}
