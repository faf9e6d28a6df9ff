//! Notes: what a pcapng file says of itself, visible in `capinfos` and in Wireshark's capture properties.

use std::fmt;
use std::iter;
use std::sync::Arc;

use super::LimitHit;
use super::blocks::{OPTION_MOST_BYTES, front};
use crate::coverage::Coverage;

/// The most that comments take together: readers take a longer section header for damage.
const COMMENTS_MOST_BYTES: usize = 1 << 20;

/// What a pcapng file says of itself.
///
/// Texts may hold anything: control characters but for line feeds and tabs are shown as escapes, and what is too long for
/// the format is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Comments, one after another. One of more than 64 KiB becomes several.
    pub comments: Vec<String>,
    /// The machine that recorded.
    pub hardware: Option<String>,
    /// Its operating system.
    pub os: Option<String>,
    /// The program that has written the file; where there is none, this one and its version.
    pub application: Option<String>,
    /// What interfaces are called whose segments do not name them.
    pub interface: Option<String>,
}

/// Makes notes of what is known of the coverage, and of the limit at which the file ends.
type Maker = dyn Fn(&Coverage, Option<LimitHit>) -> Notes + Send + Sync;

/// Who makes the notes.
#[derive(Clone)]
pub(crate) struct NotesOf(Arc<Maker>);

impl NotesOf {
    pub(crate) fn new(of: impl Fn(&Coverage, Option<LimitHit>) -> Notes + Send + Sync + 'static) -> Self {
        Self(Arc::new(of))
    }

    pub(super) fn of(&self, coverage: &Coverage, limit: Option<LimitHit>) -> Notes {
        (self.0)(coverage, limit)
    }
}

impl fmt::Debug for NotesOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotesOf")
    }
}

impl Notes {
    /// The comments as they stand in the file: pieces that fit into an option.
    pub(super) fn clean_comments(&self) -> Vec<String> {
        let mut room = COMMENTS_MOST_BYTES;
        let mut pieces = Vec::new();
        for comment in &self.comments {
            let clean = clean(comment);
            let mut rest = front(&clean, room);
            room -= rest.len();
            pieces.extend(iter::from_fn(|| {
                let piece = front(rest, OPTION_MOST_BYTES);
                rest = &rest[piece.len()..];
                (!piece.is_empty()).then(|| piece.to_owned())
            }));
        }
        pieces
    }
}

/// The text without characters that could move a cursor or hide what stands beside them.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_fit_into_options_and_lose_nothing_but_control() {
        let notes =
            Notes { comments: vec!["a\u{1b}[2J\tb\nc\0".into(), "ä".repeat(40_000)], ..Notes::default() };
        let pieces = notes.clean_comments();
        assert_eq!(pieces[0], "a\\u{1b}[2J\tb\nc\\u{0}");
        assert_eq!(pieces[1].len(), OPTION_MOST_BYTES - 1, "no character is torn");
        assert_eq!(pieces[1..].concat(), "ä".repeat(40_000));
        let endless = Notes { comments: vec!["x".repeat(3 << 20), "y".into()], ..Notes::default() };
        assert_eq!(endless.clean_comments().concat(), "x".repeat(COMMENTS_MOST_BYTES));
    }
}
