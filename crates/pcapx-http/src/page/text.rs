//! Text from outside, made fit for a page.

use std::fmt::Write as _;

use maud::{Markup, Render, html};

/// Characters that are shown where nothing else is asked for.
const BOUND_CHARS: usize = 300;

/// Shows text from outside as what it is: nothing in it is markup, changes the direction of what stands around it, or fills
/// the page.
///
/// It stands in a `<bdi>`. Control characters are shown as their pictures (`␊`), marks that override the direction of
/// writing by name (`⟨U+202E⟩`); of what is longer than the bound the beginning is shown and the rest counted.
///
/// ```
/// use maud::Render as _;
/// use pcapx_http::page::Foreign;
/// assert_eq!(Foreign::new("a<b").render().into_string(), "<bdi>a&lt;b</bdi>");
/// assert_eq!(Foreign::new("abcdef").bounded(3).plain(), "abc… (3 more characters)");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a> {
    text: &'a str,
    bound: usize,
    has_lines: bool,
}

impl<'a> Foreign<'a> {
    /// `text` with the usual bound of 300 characters.
    pub fn new(text: &'a str) -> Self {
        Self { text, bound: BOUND_CHARS, has_lines: false }
    }

    /// The same text, showing at most `chars` characters of it.
    #[must_use]
    pub fn bounded(self, chars: usize) -> Self {
        Self { bound: chars, ..self }
    }

    /// The same text, its ends of lines kept: for text that was laid out, in a `<pre>`.
    #[must_use]
    pub fn with_lines(self) -> Self {
        Self { has_lines: true, ..self }
    }

    /// What is shown, for places where only text can stand. It is not escaped yet.
    pub fn plain(&self) -> String {
        let mut shown = String::with_capacity(self.text.len().min(4 * self.bound));
        let mut characters = self.text.chars();
        for character in characters.by_ref().take(self.bound) {
            match character {
                '\n' if self.has_lines => shown.push(character),
                _ => show(character, &mut shown),
            }
        }
        let left = characters.count();
        if left > 0 {
            // Writing into a String cannot fail.
            let _ = write!(shown, "… ({left} more characters)");
        }
        shown
    }
}

impl Render for Foreign<'_> {
    fn render(&self) -> Markup {
        html! { bdi { (self.plain()) } }
    }
}

fn show(character: char, shown: &mut String) {
    match character {
        '\0'..='\x1f' => shown.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}')),
        '\x7f' => shown.push('\u{2421}'),
        '\u{80}'..='\u{9f}' => shown.push('\u{fffd}'),
        // Embeddings, overrides and isolates, and what ends them; the separators that end a line.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
            // Writing into a String cannot fail.
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(character));
        }
        other => shown.push(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        Foreign::new(text).render().into_string()
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(shown("<script>alert(1)</script>"), "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
        assert_eq!(shown("\"'&</bdi>"), "<bdi>&quot;'&amp;&lt;/bdi&gt;</bdi>");
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(shown("a\r\n\0\x7f\u{85}b"), "<bdi>a␍␊␀␡\u{fffd}b</bdi>");
        assert_eq!(shown("gpj\u{202e}exe\u{2066}"), "<bdi>gpj⟨U+202E⟩exe⟨U+2066⟩</bdi>");
        assert_eq!(Foreign::new("a\n\tb").with_lines().plain(), "a\n␉b");
        assert_eq!(shown("שלום ł 漢"), "<bdi>שלום ł 漢</bdi>");
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(Foreign::new(&"x".repeat(BOUND_CHARS)).plain(), "x".repeat(BOUND_CHARS));
        let long = "ł".repeat(10_240);
        assert_eq!(
            Foreign::new(&long).plain(),
            format!("{}… (9940 more characters)", "ł".repeat(BOUND_CHARS))
        );
    }

    proptest! {
        #[test]
        fn no_text_is_markup(text in any::<String>(), bound in 0..40usize) {
            let shown = Foreign::new(&text).bounded(bound).render().into_string();
            let inside = shown.strip_prefix("<bdi>").and_then(|shown| shown.strip_suffix("</bdi>")).unwrap();
            prop_assert!(!inside.contains(['<', '>', '"']) && !inside.chars().any(char::is_control));
        }
    }
}
