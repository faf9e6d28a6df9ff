//! A value of a filter, as it is written.

use std::net::Ipv6Addr;

use super::error::{ParseError, escaped};
use super::lexer::Dotted;

/// A value as it is written, with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    pub(super) at: usize,
    pub(super) text: &'a str,
    pub(super) kind: ValueKind<'a>,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind<'a> {
    Number(u32),
    Dotted(Dotted),
    /// `10.0.0.0/8`
    DottedPrefix(Dotted, u32),
    /// `10.0.0.0 mask 255.0.0.0`
    DottedMask(Dotted, Dotted),
    Ipv6(Ipv6Addr),
    /// `2001:db8::/32`
    Ipv6Prefix(Ipv6Addr, u32),
    Mac([u8; 6]),
    Name(&'a str),
}

impl Value<'_> {
    pub(super) fn misapplied(&self, advice: &'static str) -> ParseError {
        ParseError::Misapplied { at: self.at, word: escaped(self.text), advice }
    }

    pub(super) fn malformed(&self, problem: &'static str) -> ParseError {
        ParseError::Malformed { at: self.at, word: escaped(self.text), problem }
    }

    pub(super) fn name(&self, advice: &'static str) -> ParseError {
        ParseError::Name { at: self.at, word: escaped(self.text), advice }
    }

    pub(super) fn unsupported(&self, advice: &'static str) -> ParseError {
        ParseError::Unsupported { at: self.at, word: escaped(self.text), advice }
    }

    /// `number` if the field can hold it.
    pub(super) fn within(&self, number: u32, field: &'static str, max: u32) -> Result<u32, ParseError> {
        if number > max {
            return Err(ParseError::OutOfRange { at: self.at, number, field, max });
        }
        Ok(number)
    }
}
