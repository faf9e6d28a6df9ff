//! Filter texts: each is a filter that can be printed and read again, or a fault at a place in the text.

use pcapx_core::filter::{Expr, MAX_TERMS, MAX_TEXT_BYTES, ParseError, parse};
use pcapx_timeline::link::LinkType;
use pcapx_timeline::matcher::Matcher;
use pcapx_timeline::packet::PacketKeys;

use crate::stretch::Stretched;

/// The longest message: the longest repeated word, escaped, with the longest advice behind it.
const MAX_MESSAGE_BYTES: usize = 600;

/// Reads the filter that `input` stands for.
pub fn check(input: &[u8]) {
    let bytes = Stretched::new(input, MAX_TEXT_BYTES + 1).bytes;
    let text = String::from_utf8_lossy(&bytes);
    match parse(&text) {
        Ok(filter) => accepted(&filter),
        Err(error) => refused(&text, &error),
    }
}

fn accepted(filter: &Expr) {
    assert_eq!(&filter.clone().normalised(), filter, "not normal");
    assert!(terms(filter) <= MAX_TERMS);
    let printed = filter.to_string();
    match parse(&printed) {
        Ok(again) => assert_eq!(&again, filter, "printed as {printed:?}"),
        // Words that stood once for many values are printed for each of them.
        Err(ParseError::TooLong { bytes }) => assert_eq!(bytes, printed.len()),
        Err(error) => panic!("printed as {printed:?}, which is refused: {error}"),
    }
    let nothing = PacketKeys::of(LinkType::ETHERNET, &[]);
    let is_of_all = *filter == Expr::And(Vec::new());
    assert!(is_of_all || !Matcher::new(filter).matches(&nothing), "true of a packet without a byte");
}

fn terms(filter: &Expr) -> usize {
    match filter {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().map(terms).sum(),
        Expr::Not(part) => terms(part),
        Expr::Term(_) => 1,
    }
}

fn refused(text: &str, error: &ParseError) {
    let at = error.position();
    let is_counted = matches!(error, ParseError::TooLong { .. }); // a limit is no place between two characters
    assert!(at <= text.len() && (is_counted || text.is_char_boundary(at)), "{error}: no place in the text");
    let message = error.to_string();
    assert!(message.len() <= MAX_MESSAGE_BYTES, "a message of {} bytes", message.len());
    assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{message:?} is no clean line");
}
