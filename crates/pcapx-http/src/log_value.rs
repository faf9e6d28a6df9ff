//! Text from outside, made fit for a log line.

use std::fmt::{self, Display, Write as _};

/// Bytes of the value that are shown when nothing else is asked for: a long path, not a payload.
const DEFAULT_BOUND_BYTES: usize = 200;

/// Shows bytes from outside as one `key=value` value: a single line of printable ASCII.
///
/// Plain values stay as they are; everything else stands in double quotes, with `\"`, `\\`, `\xNN` for control
/// characters and bytes that are not UTF-8, and `\u{…}` for other characters (so no direction mark or look-alike
/// changes how the line reads). A value over the bound is cut and the number of missing bytes is told.
///
/// ```
/// use pcapx_http::LogValue;
/// assert_eq!(LogValue::new("/a.pcap").to_string(), "/a.pcap");
/// assert_eq!(LogValue::new("x\r\nstatus=200").to_string(), r#""x\x0d\x0astatus=200""#);
/// assert_eq!(LogValue::new("abcdef").bounded(3).to_string(), r#""abc"(+3)"#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LogValue<'a> {
    bytes: &'a [u8],
    bound: usize,
}

impl<'a> LogValue<'a> {
    /// A value with the usual bound of 200 bytes.
    pub fn new(value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        LogValue { bytes: value.as_ref(), bound: DEFAULT_BOUND_BYTES }
    }

    /// The same value, showing at most `bytes` bytes of it.
    #[must_use]
    pub fn bounded(self, bytes: usize) -> Self {
        LogValue { bound: bytes, ..self }
    }
}

/// Whether a byte can stand in a value without quotes: no blank, no quote, no `=` – and nothing but ASCII.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=' | b'\'' | b'`')
}

impl Display for LogValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.bytes[..self.bytes.len().min(self.bound)];
        let missing = self.bytes.len() - shown.len();
        if missing == 0
            && let Ok(text) = std::str::from_utf8(shown)
            && !text.is_empty()
            && text.bytes().all(is_plain)
        {
            return f.write_str(text);
        }
        f.write_char('"')?;
        for chunk in shown.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    ' '..='~' => f.write_char(character)?,
                    control if control.is_ascii() => write!(f, "\\x{:02x}", u32::from(control))?,
                    other => write!(f, "\\u{{{:x}}}", u32::from(other))?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_char('"')?;
        if missing > 0 {
            write!(f, "(+{missing})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_values_stay_readable() {
        for plain in ["/20250101_000000_1.pcap", "10.0.0.1", "::1", "bytes=0-1".split('=').next().unwrap()] {
            assert_eq!(LogValue::new(plain).to_string(), plain);
        }
    }

    #[test]
    fn everything_else_is_quoted_and_escaped() {
        for (raw, shown) in [
            (&b""[..], r#""""#),
            (b"a b", r#""a b""#),
            (b"a=b", r#""a=b""#),
            (b"a\"b\\", r#""a\"b\\""#),
            (b"\x1b[31m\0", r#""\x1b[31m\x00""#),
            (b"\xff\xfe", r#""\xff\xfe""#),
            ("\u{202e}ł".as_bytes(), r#""\u{202e}\u{142}""#),
        ] {
            assert_eq!(LogValue::new(raw).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_make_one_bounded_printable_line(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let shown = LogValue::new(&bytes).to_string();
            prop_assert!(shown.bytes().all(|b| (b' '..=b'~').contains(&b)));
            // Each of the 200 bytes becomes at most `\xNN`; a character of two bytes at most `\u{7ff}`.
            prop_assert!(shown.len() <= 200 * 4 + 2 + "(+400)".len());
        }
    }
}
