//! The protocol above IP of an alert.

use serde_json::Value;

use super::entries::is_missing;
use super::refusal::{Excerpt, RefusalReason};
use crate::filter::ipproto;

/// The longest name of an application's protocol that is let pass in silence.
const NAME_LIMIT: usize = 32;

/// The original forms: the numbers 1, 6 and 17, or their names in any case.
pub(super) fn original(value: &Value, _: &mut Vec<RefusalReason>) -> Option<u8> {
    let (text, names): (_, fn(&str) -> Option<u8>) = match value {
        Value::String(text) => (text.to_lowercase(), by_name),
        Value::Number(number) => (number.to_string(), by_number),
        _ => return None,
    };
    names(&text).filter(|number| matches!(*number, ipproto::ICMP | ipproto::TCP | ipproto::UDP))
}

/// Every form: also ICMPv6 and SCTP, numbers as text, a list of one.
///
/// Names of applications (`TLS`, `HTTP`) say nothing of the protocol above IP; nothing is wrong with them.
pub(super) fn any(value: &Value, reasons: &mut Vec<RefusalReason>) -> Option<u8> {
    let text = match value {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        Value::Array(entries) => match entries.as_slice() {
            // One level only: a list within the list is not followed.
            [entry @ (Value::String(_) | Value::Number(_))] => return any(entry, reasons),
            _ => return None,
        },
        Value::Null | Value::Bool(_) | Value::Object(_) => return None,
    };
    let found = by_number(&text).or_else(|| by_name(&text));
    if found.is_none() && !is_missing(&text) && !is_name(&text) {
        reasons.push(RefusalReason::NotAProtocol(Excerpt::of_value(value)));
    }
    found
}

fn by_number(text: &str) -> Option<u8> {
    Some(match text {
        "1" => ipproto::ICMP,
        "6" => ipproto::TCP,
        "17" => ipproto::UDP,
        "58" => ipproto::ICMPV6,
        "132" => ipproto::SCTP,
        _ => return None,
    })
}

fn by_name(text: &str) -> Option<u8> {
    Some(match text {
        "icmp" => ipproto::ICMP,
        "tcp" => ipproto::TCP,
        "udp" => ipproto::UDP,
        "icmpv6" | "icmp6" | "ipv6-icmp" | "icmp-v6" => ipproto::ICMPV6,
        "sctp" => ipproto::SCTP,
        _ => return None,
    })
}

/// A word or two as protocols are called, or a number.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_LIMIT
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_./+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn original_forms_are_three_numbers_and_three_names() {
        for (value, expected) in [
            (json!(1), Some(1)),
            (json!(6), Some(6)),
            (json!(17), Some(17)),
            (json!("TCP"), Some(6)),
            (json!("Udp"), Some(17)),
            (json!("icmp"), Some(1)),
            (json!("6"), None),
            (json!(" tcp"), None),
            (json!(58), None),
            (json!("sctp"), None),
            (json!(6.0), None),
            (json!(true), None),
            (json!(["tcp"]), None),
        ] {
            assert_eq!(original(&value, &mut Vec::new()), expected, "{value}");
        }
    }

    #[test]
    fn every_form() {
        for (value, expected) in [
            (json!("6"), Some(6)),
            (json!(" tcp "), Some(6)),
            (json!(58), Some(58)),
            (json!("ICMPv6"), Some(58)),
            (json!("IPv6-ICMP"), Some(58)),
            (json!("132"), Some(132)),
            (json!("SCTP"), Some(132)),
            (json!(["udp"]), Some(17)),
            (json!([["udp"]]), None),
            (json!(["udp", "tcp"]), None),
            (json!(47), None),
            (json!(0), None),
            (json!("TLS"), None),
            (json!("HTTP/2"), None),
            (json!("null"), None),
            (json!("[(${result.protocol})]"), None),
        ] {
            let mut reasons = Vec::new();
            assert_eq!((any(&value, &mut reasons), reasons), (expected, vec![]), "{value}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["-w/tmp/x", "$(id)", "tcp\nudp", "tcp or net 0.0.0.0/0 and (", &"x".repeat(33)] {
            let mut reasons = Vec::new();
            assert_eq!(any(&json!(text), &mut reasons), None);
            assert_eq!(reasons, [RefusalReason::NotAProtocol(Excerpt::of(text))]);
        }
    }
}
