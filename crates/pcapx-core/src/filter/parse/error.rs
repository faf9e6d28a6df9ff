//! What is wrong with a filter text.

use std::fmt::Write as _;

use super::{MAX_DEPTH, MAX_TERMS, MAX_TEXT_BYTES};

/// How much of a refused word an error repeats, in characters.
const MAX_WORD_CHARS: usize = 40;

/// Why a text is not a filter.
///
/// `at` counts the bytes of the text in front of the place, from 0; the message counts from 1. A `word` is the piece of
/// the text that is refused, cut short and with everything but printable ASCII escaped, so that a message is one line and
/// never carries raw bytes of a stranger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The text has more than [`MAX_TEXT_BYTES`].
    #[error("the filter has {bytes} bytes and the limit is {MAX_TEXT_BYTES}: use fewer or wider terms")]
    TooLong {
        /// The length of the text.
        bytes: usize,
    },
    /// Parentheses, `not`, and changes between `and` and `or` make more than [`MAX_DEPTH`] levels.
    #[error("position {}: the filter has more than {MAX_DEPTH} levels of parentheses, \"not\" and changes between \
        \"and\" and \"or\": write it flatter", .at + 1)]
    TooDeep {
        /// Behind the part that has a level too many.
        at: usize,
    },
    /// The filter has more than [`MAX_TERMS`] tests.
    #[error("position {}: the filter has more than {MAX_TERMS} tests: use fewer or wider ones", .at + 1)]
    TooManyTerms {
        /// Where the test too many begins.
        at: usize,
    },
    /// A word that stands where no such word can stand, or a character that no filter has.
    #[error("position {}: expected {expected}, found {found}", .at + 1)]
    Unexpected {
        /// Where the word begins.
        at: usize,
        /// What could stand there.
        expected: &'static str,
        /// What stands there: `"WORD"` in quotes, or `the end of the filter`.
        found: String,
    },
    /// A part of pcap-filter(7) that this crate does not have.
    #[error("position {}: \"{word}\" is not supported; {advice}", .at + 1)]
    Unsupported {
        /// Where the word begins.
        at: usize,
        /// The first word of the part.
        word: String,
        /// What is supported in its place.
        advice: &'static str,
    },
    /// A name that would have to be looked up.
    #[error("position {}: \"{word}\" is a name and {advice}", .at + 1)]
    Name {
        /// Where the name begins.
        at: usize,
        /// The name.
        word: String,
        /// What to write instead.
        advice: &'static str,
    },
    /// A value that its qualifiers cannot be about, as in `tcp host 10.0.0.1`.
    #[error("position {}: \"{word}\" cannot stand here: {advice}", .at + 1)]
    Misapplied {
        /// Where the value begins.
        at: usize,
        /// The value.
        word: String,
        /// What to write instead.
        advice: &'static str,
    },
    /// An address, network or number that is written wrong.
    #[error("position {}: \"{word}\" {problem}", .at + 1)]
    Malformed {
        /// Where it begins.
        at: usize,
        /// The address, network or number.
        word: String,
        /// What is wrong with it, and what would be right.
        problem: &'static str,
    },
    /// A number that the packet's field cannot hold.
    #[error("position {}: {number} is no {field}: the highest is {max}", .at + 1)]
    OutOfRange {
        /// Where the number begins.
        at: usize,
        /// The number.
        number: u32,
        /// The field it would be compared with.
        field: &'static str,
        /// The highest number the field can hold.
        max: u32,
    },
}

impl ParseError {
    /// How many bytes of the text stand in front of the place that the error is about.
    pub fn position(&self) -> usize {
        match *self {
            Self::TooLong { .. } => MAX_TEXT_BYTES,
            Self::TooDeep { at }
            | Self::TooManyTerms { at }
            | Self::Unexpected { at, .. }
            | Self::Unsupported { at, .. }
            | Self::Name { at, .. }
            | Self::Misapplied { at, .. }
            | Self::Malformed { at, .. }
            | Self::OutOfRange { at, .. } => at,
        }
    }
}

/// A piece of the text as an error repeats it.
pub(super) fn escaped(word: &str) -> String {
    let mut shown = String::new();
    for (i, character) in word.chars().enumerate() {
        if i == MAX_WORD_CHARS {
            shown.push_str("...");
            break;
        }
        if matches!(character, ' '..='~') {
            shown.push(character);
        } else {
            // Writing into a String cannot fail.
            let _ = write!(shown, "{}", character.escape_default());
        }
    }
    shown
}
