//! From filter text to the typed expression.
//!
//! ```text
//! text ──lexer──► tokens ──grammar, term──► values and the words in front of them ──qualifier──► tests ──tree──► Expr
//!      (shape, keyword)      (place)                                       (network, ports, names)
//! ```

mod error;
mod grammar;
mod keyword;
mod lexer;
mod names;
mod network;
mod place;
mod ports;
mod qualifier;
mod shape;
mod term;
mod tree;
mod value;

use std::str::FromStr;

use super::expr::Expr;
use grammar::Parser;

pub use error::ParseError;

/// The longest text that [`parse`] reads, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// How many levels a filter's text and expression may have. Whatever walks them calls itself once for each level, so
/// this bounds the stack.
pub const MAX_DEPTH: usize = 250;

/// How many tests a filter may have; each packet may have to pass them all.
pub const MAX_TERMS: usize = 4096;

/// Reads a filter in tcpdump's syntax.
///
/// The result is [normalised](Expr::normalised). A blank text is true of every packet, as in tcpdump: `And(vec![])`.
///
/// Understood are `and or not && || !`, parentheses, `host net port portrange` with `src`, `dst`, `src or dst` and
/// `src and dst`, `proto`, the protocols `ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp esp ah pim vrrp` alone and as
/// qualifiers, `ether host`, `ether proto` and `vlan`. Every other part of pcap-filter(7) is a
/// [`ParseError::Unsupported`].
///
/// The tests are those that tcpdump reads in the text, with one difference in what they mean: `vlan` tests for a tag and
/// does not change where the tests behind it look, because tags are transparent to all of them.
///
/// Some texts that libpcap accepts are errors here:
/// - names of hosts and networks, because looking them up would ask servers; of ports and protocols only a few names are
///   known, from a table;
/// - a number that the field cannot hold (a protocol above 255, an Ethernet type above 65535), which libpcap compares
///   in vain;
/// - a port range with something behind its second number, which libpcap passes over.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ParseError::TooLong { bytes: text.len() });
    }
    Parser::new(text)?.filter()
}

/// The same as [`parse`].
impl FromStr for Expr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text)
    }
}
