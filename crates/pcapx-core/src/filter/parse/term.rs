//! The grammar of pcap-filter(7): one test, from its words to its value.

use super::error::ParseError;
use super::grammar::{Form, Operand, Parser};
use super::keyword::{Keyword, Layer};
use super::lexer::TokenKind;
use super::place::Place;
use super::qualifier::{Kind, Qualifier};
use super::value::{Value, ValueKind};
use crate::filter::{Dir, Primitive};

impl<'a> Parser<'a> {
    /// A test that begins with a word.
    pub(super) fn test(&mut self) -> Result<Operand<'a>, ParseError> {
        let TokenKind::Keyword(keyword) = self.token.kind else { return Err(self.no_test()) };
        if keyword == Keyword::Vlan {
            return self.vlan();
        }
        let layer = if let Keyword::Layer(layer) = keyword { Some(layer) } else { None };
        let word = self.token;
        if layer.is_some() {
            self.take()?;
        }
        if let Some(qualifier) = self.qualifier(layer)? {
            let operand = self.operand(Place::VALUE, Some(qualifier))?;
            return Ok(Operand { form: Form::Tests(self.made(operand)?), words: Some(qualifier) });
        }
        let Some(layer) = layer else { return Err(self.no_test()) };
        match layer.test() {
            Some(test) => Ok(Operand { form: Form::Tests(self.term(test, word.at)?), words: None }),
            None => Err(self.unexpected("\"host\", \"src\", \"dst\" or \"proto\" behind \"ether\"")),
        }
    }

    /// The words behind a protocol, or in place of one, that say what the value is; `None` if there are none.
    fn qualifier(&mut self, layer: Option<Layer>) -> Result<Option<Qualifier>, ParseError> {
        if self.take_keyword(Keyword::Proto)? {
            return Ok(Some(Qualifier { layer, dir: Dir::Either, kind: Some(Kind::Proto) }));
        }
        let dir = self.direction()?;
        let kind = match self.token.kind {
            TokenKind::Keyword(Keyword::Host) => Some(Kind::Host),
            TokenKind::Keyword(Keyword::Net) => Some(Kind::Net),
            TokenKind::Keyword(Keyword::Port) => Some(Kind::Port),
            TokenKind::Keyword(Keyword::PortRange) => Some(Kind::PortRange),
            _ => None,
        };
        if kind.is_some() {
            self.take()?;
        }
        Ok((dir.is_some() || kind.is_some()).then(|| Qualifier { layer, dir: dir.unwrap_or_default(), kind }))
    }

    fn direction(&mut self) -> Result<Option<Dir>, ParseError> {
        let (one, other, expected) = if self.take_keyword(Keyword::Src)? {
            (Dir::Src, Keyword::Dst, "\"dst\"")
        } else if self.take_keyword(Keyword::Dst)? {
            (Dir::Dst, Keyword::Src, "\"src\"")
        } else {
            return Ok(None);
        };
        let both = if self.take_keyword(Keyword::Or)? {
            Dir::Either
        } else if self.take_keyword(Keyword::And)? {
            Dir::Both
        } else {
            return Ok(Some(one));
        };
        if self.take_keyword(other)? { Ok(Some(both)) } else { Err(self.unexpected(expected)) }
    }

    fn vlan(&mut self) -> Result<Operand<'a>, ParseError> {
        let at = self.take()?.at;
        let id = if matches!(self.token.kind, TokenKind::Number(_) | TokenKind::Open) {
            let Form::Number(value, number) = self.operand(Place::NUMBER, None)?.form else {
                return Err(self.unexpected(Place::NUMBER.expected()));
            };
            Some(value.within(number, "VLAN id", 4095)? as u16)
        } else {
            None
        };
        Ok(Operand { form: Form::Tests(self.term(Primitive::Vlan(id), at)?), words: None })
    }

    pub(super) fn at_value(&self) -> bool {
        matches!(
            self.token.kind,
            TokenKind::Dotted(_) | TokenKind::Ipv6(_) | TokenKind::Mac(_) | TokenKind::Name(_)
        )
    }

    /// An address, network or name; a prefix length or mask behind it belongs to it.
    pub(super) fn take_value(&mut self) -> Result<Value<'a>, ParseError> {
        let token = self.take()?;
        let kind = match token.kind {
            TokenKind::Dotted(address) => match self.token.kind {
                TokenKind::Slash => ValueKind::DottedPrefix(address, self.prefix_len()?),
                TokenKind::Keyword(Keyword::Mask) => {
                    self.take()?;
                    let TokenKind::Dotted(mask) = self.token.kind else {
                        return Err(self.unexpected("a mask such as 255.255.0.0"));
                    };
                    self.take()?;
                    ValueKind::DottedMask(address, mask)
                }
                _ => ValueKind::Dotted(address),
            },
            TokenKind::Ipv6(address) => match self.token.kind {
                TokenKind::Slash => ValueKind::Ipv6Prefix(address, self.prefix_len()?),
                _ => ValueKind::Ipv6(address),
            },
            TokenKind::Mac(address) => ValueKind::Mac(address),
            _ => ValueKind::Name(token.text.strip_prefix('\\').unwrap_or(token.text)),
        };
        Ok(Value { at: token.at, text: self.lexer.text(token.at, self.taken), kind })
    }

    fn prefix_len(&mut self) -> Result<u32, ParseError> {
        self.take()?;
        let TokenKind::Number(len) = self.token.kind else {
            return Err(self.unexpected("a prefix length such as 24"));
        };
        self.take()?;
        Ok(len)
    }

    /// The error for a place where a test has to begin.
    fn no_test(&mut self) -> ParseError {
        match self.token.kind {
            TokenKind::Number(_) => self.stray_number(Place::TEST.expected()),
            TokenKind::Dotted(_) | TokenKind::Ipv6(_) => {
                self.unexpected("\"host\" in front of an address, or \"net\" in front of a network")
            }
            TokenKind::Mac(_) => self.unexpected("\"ether host\" in front of an Ethernet address"),
            _ => self.unexpected(Place::TEST.expected()),
        }
    }
}
