//! From filter text to tokens, cut where libpcap's scanner cuts.

use std::net::Ipv6Addr;

use super::error::{ParseError, escaped};
use super::keyword::{Keyword, keyword};
use super::shape::{self, Shape};

/// A word of the filter and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: TokenKind<'a>,
    /// The bytes in front of it.
    pub(super) at: usize,
    /// The bytes it is written in; empty at the end.
    pub(super) text: &'a str,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TokenKind<'a> {
    Keyword(Keyword),
    Open,
    Close,
    Slash,
    /// A sign of the arithmetic of pcap-filter(7): `[`, `=`, `&`, `<<` …
    Arithmetic,
    /// `80`, `0x50`, `0120`.
    Number(u32),
    /// Two to four bytes: `10.1`, `10.0.0.1`.
    Dotted(Dotted),
    Ipv6(Ipv6Addr),
    Mac([u8; 6]),
    /// A word that is none of the keywords, or any word behind a backslash.
    Name(&'a str),
    End,
}

/// The first bytes of an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dotted {
    /// The address, the bytes that were not written are zero.
    pub(super) bits: u32,
    /// How many bits were written: 16, 24 or 32.
    pub(super) len: u8,
}

/// Cuts one token after another off a text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The piece of the text between two places that tokens gave.
    pub(super) fn text(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    /// The next token; [`TokenKind::End`] for ever behind the last one.
    pub(super) fn advance(&mut self) -> Result<Token<'a>, ParseError> {
        let rest = &self.text[self.at..];
        let rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let at = self.text.len() - rest.len();
        let (kind, len) = scan(rest).map_err(|fault| fault.into_error(at, rest))?;
        self.at = at + len;
        Ok(Token { kind, at, text: &rest[..len] })
    }
}

/// Why no token could be made of the next `len` bytes.
struct Fault {
    len: usize,
    problem: Option<&'static str>,
}

impl Fault {
    fn into_error(self, at: usize, rest: &str) -> ParseError {
        let word = escaped(&rest[..self.len]);
        match self.problem {
            Some(problem) => ParseError::Malformed { at, word, problem },
            None => {
                ParseError::Unexpected { at, expected: "a word of the filter language", found: quoted(&word) }
            }
        }
    }
}

/// An escaped word in quotes.
pub(super) fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

fn scan(rest: &str) -> Result<(TokenKind<'_>, usize), Fault> {
    let Some(first) = rest.chars().next() else { return Ok((TokenKind::End, 0)) };
    if let Some((shape, len)) = shape::longest(rest.as_bytes()) {
        return Ok((shaped(shape, &rest[..len])?, len));
    }
    if let Some(sign) = sign(rest) {
        return Ok(sign);
    }
    if first == '\\' {
        let name = &rest[1..];
        let len = name.find([' ', '!', '(', ')', '\n', '\t']).unwrap_or(name.len());
        return if len > 0 {
            Ok((TokenKind::Name(&name[..len]), 1 + len))
        } else {
            Err(Fault { len: 1, problem: None })
        };
    }
    Err(Fault { len: first.len_utf8(), problem: None })
}

/// The token of a word with a known shape.
fn shaped(shape: Shape, word: &str) -> Result<TokenKind<'_>, Fault> {
    let wrong = |problem| Fault { len: word.len(), problem: Some(problem) };
    Ok(match shape {
        Shape::Mac => TokenKind::Mac(mac(word)),
        Shape::Number => TokenKind::Number(number(word).map_err(wrong)?),
        Shape::Dotted => TokenKind::Dotted(
            dotted(word)
                .ok_or_else(|| wrong("is no IPv4 address: each part is a decimal number up to 255"))?,
        ),
        Shape::Ipv6 => TokenKind::Ipv6(word.parse().map_err(|_| wrong("is no IPv6 address"))?),
        Shape::BrokenMac => return Err(wrong("is neither an Ethernet address nor an IPv6 address")),
        Shape::Word => keyword(word).map_or(TokenKind::Name(word), TokenKind::Keyword),
    })
}

fn sign(rest: &str) -> Option<(TokenKind<'static>, usize)> {
    const TWO: [(&str, TokenKind<'static>); 8] = [
        ("&&", TokenKind::Keyword(Keyword::And)),
        ("||", TokenKind::Keyword(Keyword::Or)),
        (">=", TokenKind::Arithmetic),
        ("<=", TokenKind::Arithmetic),
        ("!=", TokenKind::Arithmetic),
        ("==", TokenKind::Arithmetic),
        ("<<", TokenKind::Arithmetic),
        (">>", TokenKind::Arithmetic),
    ];
    if let Some((_, kind)) = TWO.iter().find(|(sign, _)| rest.starts_with(sign)) {
        return Some((*kind, 2));
    }
    let kind = match rest.as_bytes().first()? {
        b'!' => TokenKind::Keyword(Keyword::Not),
        b'(' => TokenKind::Open,
        b')' => TokenKind::Close,
        b'/' => TokenKind::Slash,
        b'+' | b'-' | b'*' | b'%' | b':' | b'[' | b']' | b'<' | b'>' | b'&' | b'|' | b'^' | b'=' => {
            TokenKind::Arithmetic
        }
        _ => return None,
    };
    Some((kind, 1))
}

/// A number as C writes it: decimal, octal behind a `0`, hexadecimal behind `0x`.
fn number(word: &str) -> Result<u32, &'static str> {
    const TOO_LARGE: &str = "is too large: numbers go up to 4294967295";
    let (digits, radix) = if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        (hex, 16)
    } else if word.len() > 1 && word.starts_with('0') {
        (&word[1..], 8)
    } else {
        (word, 10)
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err("is no octal number, which a leading 0 makes it: leave the 0 out");
    }
    u32::from_str_radix(digits, radix).map_err(|_| TOO_LARGE)
}

/// Each part is decimal, whatever it begins with.
fn dotted(word: &str) -> Option<Dotted> {
    let mut bits = 0;
    let mut len = 0_u8;
    for part in word.split('.') {
        let byte: u8 = part.parse().ok()?;
        bits |= u32::from(byte) << (24 - len);
        len += 8;
    }
    Some(Dotted { bits, len })
}

/// The six bytes of a word that has the shape of an Ethernet address.
fn mac(word: &str) -> [u8; 6] {
    let mut bytes = [0; 6];
    let digit = |character: u8| char::from(character).to_digit(16).map(|digit| digit as u8);
    let mut rest = word.bytes().peekable();
    for byte in &mut bytes {
        let Some(high) = rest.by_ref().find_map(digit) else { break };
        *byte = match rest.peek().copied().and_then(digit) {
            Some(low) => {
                rest.next();
                high << 4 | low
            }
            None => high,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind<'_>> {
        let mut lexer = Lexer::new(text);
        let mut kinds = Vec::new();
        loop {
            match lexer.advance().unwrap().kind {
                TokenKind::End => return kinds,
                kind => kinds.push(kind),
            }
        }
    }

    fn fault(text: &str) -> ParseError {
        let mut lexer = Lexer::new(text);
        loop {
            match lexer.advance() {
                Ok(token) => assert_ne!(token.kind, TokenKind::End, "{text} has no fault"),
                Err(error) => return error,
            }
        }
    }

    #[test]
    fn numbers_are_written_as_in_c() {
        for (text, number) in [
            ("0", 0),
            ("80", 80),
            ("0x50", 80),
            ("0X5a", 90),
            ("0120", 80),
            ("00", 0),
            ("4294967295", u32::MAX),
        ] {
            assert_eq!(kinds(text), [TokenKind::Number(number)], "{text}");
        }
        for text in ["08", "4294967296", "0x100000000", "0777777777777"] {
            assert!(matches!(fault(text), ParseError::Malformed { at: 0, .. }), "{text}");
        }
    }

    #[test]
    fn dotted_parts_are_decimal() {
        assert_eq!(kinds("10.1"), [TokenKind::Dotted(Dotted { bits: 0x0a01_0000, len: 16 })]);
        assert_eq!(kinds("010.008.0.1"), [TokenKind::Dotted(Dotted { bits: 0x0a08_0001, len: 32 })]);
        for text in ["256.1", "1.2.3.0x4", "1.2.3.99999999999"] {
            assert!(matches!(fault(text), ParseError::Malformed { at: 0, .. }), "{text}");
        }
    }

    #[test]
    fn ethernet_addresses_have_five_forms() {
        let mac = TokenKind::Mac([0, 0x11, 0x22, 3, 0x44, 0xff]);
        for text in
            ["0:11:22:3:44:ff", "0-11-22-3-44-FF", "0.11.22.3.44.ff", "0011.2203.44ff", "0011220344ff"]
        {
            assert_eq!(kinds(text), [mac], "{text}");
        }
    }

    #[test]
    fn words_need_no_blank_between_them_where_the_shape_ends() {
        let or = TokenKind::Keyword(Keyword::Or);
        let [one, two] = ["::1", "::2"].map(|text| TokenKind::Ipv6(text.parse().unwrap()));
        assert_eq!(kinds("::1or::2"), [one, or, two]);
        assert_eq!(
            kinds("\\tcp(80)"),
            [TokenKind::Name("tcp"), TokenKind::Open, TokenKind::Number(80), TokenKind::Close]
        );
        assert_eq!(
            kinds("!!a||b"),
            [
                TokenKind::Keyword(Keyword::Not),
                TokenKind::Keyword(Keyword::Not),
                TokenKind::Name("a"),
                or,
                TokenKind::Name("b")
            ]
        );
    }

    #[test]
    fn a_stray_character_is_named_with_its_place() {
        for (text, at, found) in [
            ("tcp \u{7}", 4, "\"\\u{7}\""),
            ("é", 0, "\"\\u{e9}\""),
            ("tcp;", 3, "\";\""),
            ("a \\", 2, "\"\\\""),
        ] {
            let ParseError::Unexpected { at: place, found: word, .. } = fault(text) else { panic!("{text}") };
            assert_eq!((place, word.as_str()), (at, found), "{text:?}");
        }
    }
}
