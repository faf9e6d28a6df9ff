//! One value or many: JSON lists, lists written as text, objects around a value, values that are not there.

use std::ops::ControlFlow;

use serde_json::Value;

use super::refusal::RefusalReason;

/// Different entries of one list that are used. A filter with some hundred terms still compiles in libpcap.
const LIST_LIMIT: usize = 64;

/// Entries of one list that are looked at, those that repeat or are unusable included: an alert of nothing but commas
/// costs no more than that.
const EXAMINED_LIMIT: usize = 4096;

/// Lists and objects within each other that are followed; senders have two: a list of objects, an object with a list.
const NESTING_LIMIT: usize = 4;

/// Whether the text stands for a value that is not there: nothing, `null`, or a template that Sycope left unfilled.
pub(super) fn is_missing(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || [("[(${", "})]"), ("[[${", "}]]")]
            .iter()
            .any(|(open, close)| text.starts_with(open) && text.ends_with(close))
}

/// Reads each entry of `value` with `read`; `None` when no entry is usable.
///
/// `keys` name the members that hold the value where it is wrapped in an object; the first one present counts.
/// The entries come out in order, each once.
pub(super) fn collect<T: PartialEq>(
    value: &Value,
    keys: &[&str],
    reasons: &mut Vec<RefusalReason>,
    read: impl Fn(&str) -> Result<Option<T>, RefusalReason>,
) -> Option<Vec<T>> {
    let mut found = Vec::new();
    let mut refused = None;
    let mut too_many = None;
    let mut examined = 0;
    let _ = each(value, keys, 0, &mut |text| {
        examined += 1;
        match read(text) {
            Ok(Some(entry)) if found.contains(&entry) => {}
            Ok(Some(entry)) if found.len() < LIST_LIMIT => found.push(entry),
            Ok(Some(_)) => too_many = Some(RefusalReason::TooMany { limit: LIST_LIMIT }),
            Ok(None) => {}
            Err(reason) => refused = refused.take().or(Some(reason)),
        }
        if examined == EXAMINED_LIMIT {
            too_many = Some(RefusalReason::TooMany { limit: LIST_LIMIT });
        }
        if too_many.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    reasons.extend(refused);
    reasons.extend(too_many);
    if found.is_empty() { None } else { Some(found) }
}

fn each(
    value: &Value,
    keys: &[&str],
    depth: usize,
    visit: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match value {
        Value::Null => ControlFlow::Continue(()),
        Value::Bool(truth) => visit(if *truth { "true" } else { "false" }),
        Value::Number(number) => visit(&number.to_string()),
        Value::String(text) => each_of_text(text, visit),
        Value::Array(_) | Value::Object(_) if depth == NESTING_LIMIT => ControlFlow::Continue(()),
        Value::Array(entries) => entries.iter().try_for_each(|entry| each(entry, keys, depth + 1, visit)),
        Value::Object(object) => match keys.iter().find_map(|key| object.get(*key)) {
            Some(inner) => each(inner, keys, depth + 1, visit),
            None => ControlFlow::Continue(()),
        },
    }
}

/// `a`, `a, b`, `[a, b]`, `["a", "b"]`; brackets around a single address are a list of one.
fn each_of_text(text: &str, visit: &mut dyn FnMut(&str) -> ControlFlow<()>) -> ControlFlow<()> {
    let text = text.trim();
    if is_missing(text) {
        return ControlFlow::Continue(());
    }
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner
        .split(',')
        .map(|entry| unquoted(entry.trim()))
        .filter(|entry| !is_missing(entry))
        .try_for_each(visit)
}

fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alert::refusal::Excerpt;

    fn words(value: &Value) -> (Vec<String>, Vec<RefusalReason>) {
        let mut reasons = Vec::new();
        let read = |text: &str| {
            if text.starts_with('!') {
                Err(RefusalReason::NotAPort(Excerpt::of(text)))
            } else {
                Ok(Some(text.to_owned()))
            }
        };
        (collect(value, &["k", "l"], &mut reasons, read).unwrap_or_default(), reasons)
    }

    #[test]
    fn takes_lists_apart() {
        for (value, expected) in [
            (json!("a"), vec!["a"]),
            (json!(" a "), vec!["a"]),
            (json!("[a]"), vec!["a"]),
            (json!("a,b"), vec!["a", "b"]),
            (json!("[a, b , a]"), vec!["a", "b"]),
            (json!(r#"["a", 'b', ""]"#), vec!["a", "b"]),
            (json!(["a", "b, c", 7, null, true]), vec!["a", "b", "c", "7", "true"]),
            (json!({"k": "a", "l": "b"}), vec!["a"]),
            (json!({"l": ["b", {"k": "c"}]}), vec!["b", "c"]),
            (json!({"m": "b"}), vec![]),
            (json!([[[["a"]], "b"]]), vec!["a", "b"]),
            (json!([[[[["a"]]], "b"]]), vec!["b"]),
        ] {
            assert_eq!(words(&value).0, expected, "{value}");
        }
    }

    #[test]
    fn a_missing_value_is_no_entry() {
        for text in
            ["", " ", "null", "NULL", "[]", "[null]", "[(${result.serverIp})]", "[[${a}]]", ",", "['']"]
        {
            assert_eq!(words(&json!(text)), (vec![], vec![]), "{text}");
        }
        assert_eq!(words(&json!("[[(${a})], b]")).0, ["b"]);
        assert_eq!(words(&json!(["[(${a})]", "b"])).0, ["b"]);
    }

    #[test]
    fn the_first_bad_entry_is_told() {
        let (found, reasons) = words(&json!(["!a", "b", "!c"]));
        assert_eq!(found, ["b"]);
        assert_eq!(reasons, [RefusalReason::NotAPort(Excerpt::of("!a"))]);
    }

    #[test]
    fn a_long_list_is_cut_and_said_to_be() {
        let list: Vec<_> = (0..64).chain(0..64).map(|n| n.to_string()).collect();
        let (found, reasons) = words(&json!(list));
        assert_eq!((found.len(), reasons), (64, vec![]));
        assert_eq!(
            words(&json!(vec!["a"; 4096])),
            (vec!["a".to_owned()], vec![RefusalReason::TooMany { limit: 64 }])
        );
        let list: Vec<_> = (0..65).map(|n| n.to_string()).collect();
        let (found, reasons) = words(&json!(list.join(",")));
        assert_eq!(found, list[..64]);
        assert_eq!(reasons, [RefusalReason::TooMany { limit: 64 }]);
    }
}
