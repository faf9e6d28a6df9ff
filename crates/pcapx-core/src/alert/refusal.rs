//! What an alert said that could not be used, told so that it can be logged.

use std::fmt;

use serde_json::Value;

/// Characters of refused text that are shown; the longest IPv6 address with a zone fits.
const EXCERPT_CHARS: usize = 60;

/// A value that was passed over, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Refusal {
    /// The name that held the value, as in the tables of the alert's fields: `clientIp`, `result.serverPort`.
    pub field: String,
    /// Why it was passed over.
    pub reason: RefusalReason,
}

/// Why a value was passed over. Of a list, the first unusable entry is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// Neither an IPv4 nor an IPv6 address.
    #[error("{0} is not an IP address")]
    NotAnAddress(Excerpt),
    /// Not a whole number from 1 to 65535.
    #[error("{0} is not a port from 1 to 65535")]
    NotAPort(Excerpt),
    /// Not even the name of an application's protocol.
    #[error("{0} is not a protocol")]
    NotAProtocol(Excerpt),
    /// In no known form, or not within the years 1678 to 2261.
    #[error("{0} is not a time from 1678 to 2261")]
    NotATime(Excerpt),
    /// A list with more entries than a filter can sensibly hold; the first ones were used.
    #[error("the list is too long, at most {limit} of its entries are used")]
    TooMany {
        /// Different entries that are used.
        limit: usize,
    },
}

/// The beginning of a text from outside, in quotes, with everything but printable ASCII escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// Of a text; `...` stands for what is left out.
    pub fn of(text: &str) -> Self {
        let mut rest = text.chars();
        let mut shown: String = rest.by_ref().take(EXCERPT_CHARS).flat_map(char::escape_default).collect();
        if rest.next().is_some() {
            shown.push_str("...");
        }
        Self(shown)
    }

    /// Of a text or number; other values are told by their kind, because they may be large.
    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::of("null"),
            Value::Bool(_) => Self::of("a truth value"),
            Value::Number(number) => Self::of(&number.to_string()),
            Value::String(text) => Self::of(text),
            Value::Array(_) => Self::of("a list"),
            Value::Object(_) => Self::of("an object"),
        }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_raw_bytes() {
        let refusal = Refusal {
            field: "clientIp".into(),
            reason: RefusalReason::NotAnAddress(Excerpt::of("1.1.1.1\n\x1b[31m\"\u{202e}")),
        };
        assert_eq!(refusal.to_string(), r#"clientIp: "1.1.1.1\n\u{1b}[31m\"\u{202e}" is not an IP address"#);
    }

    #[test]
    fn is_short() {
        assert_eq!(Excerpt::of(&"x".repeat(60)).to_string(), format!("\"{}\"", "x".repeat(60)));
        assert_eq!(Excerpt::of(&"x".repeat(61)).to_string(), format!("\"{}...\"", "x".repeat(60)));
    }
}
