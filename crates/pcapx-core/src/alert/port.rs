//! The server's ports of an alert.

use serde_json::Value;

use super::entries;
use super::refusal::{Excerpt, RefusalReason};

/// The original forms: a whole number, or text of digits.
pub(super) fn original(value: &Value, reasons: &mut Vec<RefusalReason>) -> Option<Vec<u16>> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match value {
        Value::String(text) if is_digits(text) => any(value, reasons),
        Value::Number(number) if is_digits(&number.to_string()) => any(value, reasons),
        _ => None,
    }
}

/// Every form: also text with blanks around, and lists.
///
/// Port 0 is a missing one: exporters write it for flows of protocols without ports.
pub(super) fn any(value: &Value, reasons: &mut Vec<RefusalReason>) -> Option<Vec<u16>> {
    entries::collect(value, &[], reasons, |text| match parse(text) {
        Some(0) => Ok(None),
        Some(port) => Ok(Some(port)),
        None => Err(RefusalReason::NotAPort(Excerpt::of(text))),
    })
}

/// Digits only: Rust itself would take a plus sign.
fn parse(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_ports() {
        for (value, expected) in [
            (json!(443), vec![443]),
            (json!("443"), vec![443]),
            (json!(" 443 "), vec![443]),
            (json!("0443"), vec![443]),
            (json!(65535), vec![65535]),
            (json!([22, "3389", 22]), vec![22, 3389]),
            (json!("[22, 3389]"), vec![22, 3389]),
            (json!("22,70000,3389"), vec![22, 3389]),
        ] {
            assert_eq!(any(&value, &mut Vec::new()).unwrap_or_default(), expected, "{value}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_port() {
        for text in ["65536", "-1", "+443", "443.0", "4e2", "https", "443 or net 0/0", "٤٤٣", "0x50"] {
            let mut reasons = Vec::new();
            assert_eq!(any(&json!(text), &mut reasons), None, "{text}");
            assert_eq!(reasons, [RefusalReason::NotAPort(Excerpt::of(text))]);
        }
        for value in [json!(0), json!("0"), json!(null), json!("null"), json!({"port": 5})] {
            let mut reasons = Vec::new();
            assert_eq!((any(&value, &mut reasons), reasons), (None, vec![]), "{value}");
        }
    }
}
