//! What a request to `/` asks for.
//!
//! | target | page |
//! |---|---|
//! | `/` | the newest evidence |
//! | `/?q=TEXT` | what the text is found in |
//! | `…before=NAME`, `…after=NAME`, `…day=YYYY-MM-DD` | from there on; `…at=YYYYmmdd_HHMMSS` is when a name's file was written that tells no time |
//! | `/?view=NAME` | one piece of evidence; `…still` does not refresh itself |
//!
//! All of them have the path of the folder, which is never a file's: no name of a file is taken by a page.

use percent_encoding::percent_decode_str;

use super::shelf::{Cursor, Name, Stamp};
use crate::requested::is_servable;

/// The longest name that a file can have.
const LONGEST_NAME_BYTES: usize = 255;
/// What of a text to be found counts.
const LONGEST_TEXT_CHARS: usize = 200;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The list.
    List(ListAsked),
    /// One piece of evidence.
    View {
        /// Its name.
        name: Name,
        /// Whether the page refreshes itself while more is to come.
        is_live: bool,
    },
    /// Nothing can have this name.
    Nothing,
}

/// A part of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListAsked {
    /// What is to be found in it; empty is everything.
    pub(super) text: String,
    /// The day up to which it goes, as it was given.
    pub(super) day: Option<String>,
    /// Where it begins.
    pub(super) cursor: Cursor,
}

impl ListAsked {
    /// Whether something is to be found, by what manifests say.
    pub(super) fn is_search(&self) -> bool {
        !self.text.is_empty()
    }
}

impl Asked {
    /// Reads the query of a target. What is not understood is passed over, the first value of a name counts.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let (mut view, mut text, mut before, mut after, mut at, mut day, mut still) =
            (None, None, None, None, None, None, None);
        for pair in query.unwrap_or("").split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match key {
                "view" => &mut view,
                "q" => &mut text,
                "before" => &mut before,
                "after" => &mut after,
                "at" => &mut at,
                "day" => &mut day,
                "still" => &mut still,
                _ => continue,
            };
            slot.get_or_insert_with(|| decoded(value));
        }
        if let Some(view) = view {
            return match name(&view) {
                Some(name) => Self::View { name, is_live: still.is_none() },
                None => Self::Nothing,
            };
        }
        let text = String::from_utf8_lossy(&text.unwrap_or_default())
            .trim()
            .chars()
            .take(LONGEST_TEXT_CHARS)
            .collect();
        let day = day.and_then(|day| String::from_utf8(day).ok()).filter(|day| is_day(day));
        let at = at.as_deref().and_then(Stamp::new);
        let name = |value: Option<Vec<u8>>| Some(name(&value?)?.written(at));
        let of_day = || day.as_ref().map(|day| Cursor::Before(Name::behind_day(&day.replace('-', ""))));
        let cursor = name(before).map(Cursor::Before).or_else(|| name(after).map(Cursor::After));
        let cursor = cursor.or_else(of_day).unwrap_or(Cursor::Newest);
        Self::List(ListAsked { text, day, cursor })
    }
}

fn decoded(value: &str) -> Vec<u8> {
    percent_decode_str(&value.replace('+', " ")).collect()
}

fn name(bytes: &[u8]) -> Option<Name> {
    (bytes.len() <= LONGEST_NAME_BYTES && is_servable(bytes)).then(|| Name::new(bytes))
}

/// `YYYY-MM-DD`, as a browser's field for a day has it.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: &str) -> ListAsked {
        match Asked::parse(Some(query)) {
            Asked::List(list) => list,
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn a_list_has_a_text_and_a_place() {
        assert_eq!(Asked::parse(None), Asked::parse(Some("")));
        assert_eq!(list(""), ListAsked { text: String::new(), day: None, cursor: Cursor::Newest });
        assert_eq!(list("q=+a%26b+10.0.0.1%20&x=1&q=c").text, "a&b 10.0.0.1");
        assert_eq!(list("before=a&after=b").cursor, Cursor::Before(Name::new(b"a")));
        assert_eq!(list("after=%C5%82+x&day=2026-03-01").cursor, Cursor::After(Name::new("ł x".as_bytes())));
        let written = Name::new(b"lab").written(Stamp::new(b"20260301_101112"));
        assert_eq!(list("before=lab&at=20260301_101112").cursor, Cursor::Before(written.clone()));
        assert_eq!(list(&format!("after={}", written.place())).cursor, Cursor::After(written));
        for odd in ["before=a&at=", "before=a&at=2026", "at=20260301_101112x&before=a"] {
            assert_eq!(list(odd).cursor, Cursor::Before(Name::new(b"a")), "{odd}");
        }
        let day = list("day=2026-03-01");
        assert_eq!(
            (day.day.as_deref(), day.cursor),
            (Some("2026-03-01"), Cursor::Before(Name::behind_day("20260301")))
        );
        for odd in
            ["day=", "day=2026-3-1", "day=2026-03-01x", "day=<script>", "before=", "before=a/b", "after=.x"]
        {
            assert_eq!(list(odd).cursor, Cursor::Newest, "{odd}");
        }
        assert_eq!(list(&format!("q={}", "x".repeat(9999))).text.len(), LONGEST_TEXT_CHARS);
    }

    #[test]
    fn a_view_has_a_name_that_a_file_can_have() {
        let view = |query| Asked::parse(Some(query));
        assert_eq!(view("view=a%20b&q=x"), Asked::View { name: Name::new(b"a b"), is_live: true });
        assert_eq!(view("still&view=a"), Asked::View { name: Name::new(b"a"), is_live: false });
        for odd in ["view=", "view", "view=../x", "view=%2e%2e%2fx", "view=.x", "view=a%00b", "view=a%2Fb"] {
            assert_eq!(view(odd), Asked::Nothing, "{odd}");
        }
        assert_eq!(Asked::parse(Some(&format!("view={}", "a".repeat(256)))), Asked::Nothing);
    }
}
