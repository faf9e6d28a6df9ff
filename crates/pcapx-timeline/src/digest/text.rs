//! Text from the wire, made harmless.

use std::fmt::Write;

/// The most bytes of a text that are shown.
pub(super) const TEXT_MOST_BYTES: usize = 160;

/// Printable ASCII as it is, every other byte as `\xNN`; what is too long is cut, with three dots behind it.
pub(super) fn harmless(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(TEXT_MOST_BYTES)];
    let mut text = String::with_capacity(shown.len());
    for &byte in shown {
        match byte {
            b'\\' => text.push_str(r"\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, r"\x{byte:02x}");
            }
        }
    }
    if shown.len() < bytes.len() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_printable_ascii_comes_out() {
        assert_eq!(harmless(b"GET /\x1b[2J\\\r\n\xe2\x80\xae"), r"GET /\x1b[2J\\\x0d\x0a\xe2\x80\xae");
        assert_eq!(harmless(&[b'a'; 200]), format!("{}...", "a".repeat(160)));
    }
}
