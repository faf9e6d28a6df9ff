//! A refused filter, shown with a mark under the place that is wrong.

use std::fmt;

use pcapx_core::filter::{Expr, ParseError, parse};

/// Characters shown in front of the mark and behind it; a longer filter is cut.
const REACH_CHARS: usize = 50;

/// A filter text and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedFilter {
    text: String,
    error: ParseError,
}

/// Reads a filter in tcpdump's syntax. A blank one is true of every packet.
pub(crate) fn read(text: &str) -> Result<Expr, RefusedFilter> {
    parse(text).map_err(|error| RefusedFilter { text: text.to_owned(), error })
}

impl std::error::Error for RefusedFilter {}

impl fmt::Display for RefusedFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.error.position().min(self.text.len());
        let mark = self.text.char_indices().take_while(|&(i, _)| i < place).count();
        // One column for each character, whatever a terminal would make of it.
        let shown: Vec<char> =
            self.text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
        let from = mark.saturating_sub(REACH_CHARS);
        let to = shown.len().min(mark + REACH_CHARS);
        let (before, behind) = (if from > 0 { "..." } else { "" }, if to < shown.len() { "..." } else { "" });
        let part: String = shown[from..to].iter().collect();
        let indent = before.len() + mark - from;
        write!(
            f,
            "the filter (-f) is not understood, {}\n  {before}{part}{behind}\n  {:indent$}^",
            self.error, ""
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        read(text).unwrap_err().to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_mark_stands_under_the_wrong_word() {
        let lines = lines("host 10.0.0.1 adn port 80");
        assert!(lines[0].starts_with("the filter (-f) is not understood, position 15: "), "{}", lines[0]);
        assert_eq!(lines[1..], ["  host 10.0.0.1 adn port 80", "                ^"]);
    }

    #[test]
    fn a_filter_that_stops_too_early_is_marked_behind_its_end() {
        assert_eq!(lines("host")[1..], ["  host", "      ^"]);
    }

    #[test]
    fn what_is_no_printable_ascii_takes_one_column() {
        let lines = lines("port 80 \u{1b}[31m żółw");
        assert_eq!(lines[1..], ["  port 80 ?[31m ????"[..].replace("????", "???w"), "          ^".into()]);
    }

    #[test]
    fn a_long_filter_is_cut_around_the_mark() {
        let text =
            format!("{} or wrong or {}", vec!["port 80"; 40].join(" or "), vec!["port 80"; 40].join(" or "));
        let lines = lines(&text);
        assert!(lines[1].starts_with("  ...") && lines[1].ends_with("..."));
        assert!(lines[1].len() <= 2 * REACH_CHARS + 8);
        assert_eq!(lines[1][lines[2].len() - 1..].split(' ').next(), Some("wrong"));
    }

    proptest! {
        #[test]
        fn every_refusal_has_a_mark_within_its_line(text in "\\PC{0,200}") {
            if let Err(refused) = read(&text) {
                let shown = refused.to_string();
                let lines: Vec<_> = shown.lines().collect();
                prop_assert_eq!(lines.len(), 3);
                prop_assert!(lines[2].len() <= lines[1].len() + 1);
            }
        }
    }
}
