//! JSON values as Python prints them.
//!
//! The name of an evidence file holds the alert's id as Python's `str()` shows it, so that scripts which know the
//! names of the original listener find the same files: `null` is `None`, a list is `['a', 1]`.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// `str(value)`: a text as it is, anything else as its `repr`.
pub(super) fn str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => {
            let mut out = String::new();
            repr(value, &mut out);
            out
        }
    }
}

fn repr(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => repr_number(number, out),
        Value::String(text) => repr_text(text, out),
        Value::Array(entries) => {
            out.push('[');
            for (i, entry) in entries.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                repr(entry, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (key, member)) in members.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                repr_text(key, out);
                out.push_str(": ");
                repr(member, out);
            }
            out.push('}');
        }
    }
}

/// Whole numbers keep all digits; others are the shortest text that is the same double.
fn repr_number(number: &Number, out: &mut String) {
    let written = number.to_string();
    let is_float = written.contains(['.', 'e', 'E']);
    match written.parse::<f64>() {
        Ok(float) if is_float => {
            // Rust changes to an exponent at the same magnitudes as Python, but writes it without sign and padding.
            let shortest = format!("{float:?}");
            match shortest.split_once('e') {
                None => out.push_str(&shortest),
                Some((digits, exponent)) => {
                    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
                    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
                }
            }
        }
        _ if written == "-0" => out.push('0'),
        _ => out.push_str(&written),
    }
}

/// In single quotes, or in double quotes where that saves escapes.
fn repr_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            // Writing to a text cannot fail.
            c => {
                let _ = match u32::from(c) {
                    code @ ..=0xff => write!(out, "\\x{code:02x}"),
                    code @ ..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// Whether Python prints the character as it is. Rust draws the same line through Unicode's categories, and escapes
/// a combining mark only at the beginning of a text.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'') || String::from_iter(['a', c]).escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of JSON and what Python 3.11 prints for `str(json.loads(…))`.
    #[test]
    fn prints_as_python_does() {
        for (json, expected) in [
            ("null", "None"),
            ("true", "True"),
            ("false", "False"),
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("1.0", "1.0"),
            ("1e5", "100000.0"),
            ("1E+5", "100000.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.5e300", "1.5e+300"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.25e-7", "1.25e-07"),
            ("0.1", "0.1"),
            ("1e400", "inf"),
            ("-1e400", "-inf"),
            ("5e-324", "5e-324"),
            ("1739100000.123456789", "1739100000.1234567"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (r#""text""#, "text"),
            (r#""a\n'b'""#, "a\n'b'"),
            ("[]", "[]"),
            ("{}", "{}"),
            (r#"[1, "a", null, [true]]"#, "[1, 'a', None, [True]]"),
            (r#"{"b": 1, "a": {"c": []}}"#, "{'b': 1, 'a': {'c': []}}"),
            (r#"["it's"]"#, r#"["it's"]"#),
            (r#"["it's \"so\""]"#, r#"['it\'s "so"']"#),
            (r#"["\"so\""]"#, r#"['"so"']"#),
            (r#"["\\ \n\r\t\u0000\u001b\u007f"]"#, r"['\\ \n\r\t\x00\x1b\x7f']"),
            (r#"["ż\u00a0\u00ad\u200b\u2028\ue000"]"#, r"['ż\xa0\xad\u200b\u2028\ue000']"),
            (r#"["😀\ud83d\ude00\udb40\udc01 e\u0301 \u0301"]"#, "['😀😀\\U000e0001 e\u{301} \u{301}']"),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(str(&value), expected, "{json}");
        }
    }
}
