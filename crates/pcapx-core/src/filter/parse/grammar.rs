//! The grammar of pcap-filter(7): tests and values, joined, negated and in parentheses.
//!
//! Three of its rules surprise, and are kept to the letter because a filter must mean here what it means to tcpdump:
//!
//! - `and` and `or` bind alike, from left to right: `a or b and c` is `(a or b) and c`. `not` binds to the one test behind it.
//! - A value without words in front of it, allowed only behind `and` and `or`, takes the words of the test before it:
//!   `tcp port 80 or 443`. A parenthesis hands on the words from in front of it, a protocol's name alone has none.
//! - A parenthesis holds either tests or values, never a mixture that begins with a value, and a parenthesis of values
//!   cannot begin with one: `port (80 or (81 or 82))` is a filter, `port ((80 or 81) or 82)` is none.

use super::error::{ParseError, escaped};
use super::keyword::Keyword;
use super::lexer::{Lexer, Token, TokenKind, quoted};
use super::place::Place;
use super::qualifier::Qualifier;
use super::tree::{Join, Tree};
use super::value::{Value, ValueKind};
use super::{MAX_DEPTH, MAX_TERMS};
use crate::filter::{Expr, Primitive};

/// A part of the filter that has been read.
pub(super) struct Operand<'a> {
    pub(super) form: Form<'a>,
    /// The words that a bare value behind it takes.
    pub(super) words: Option<Qualifier>,
}

/// What kind of part it is; the grammar does not let every kind stand everywhere.
pub(super) enum Form<'a> {
    Tests(Tree),
    Values(Tree),
    /// A number that no test has been made of yet.
    Number(Value<'a>, u32),
}

/// Reads a text from its beginning to its end, one token ahead.
pub(super) struct Parser<'a> {
    pub(super) lexer: Lexer<'a>,
    /// The token that is looked at next.
    pub(super) token: Token<'a>,
    /// Where the token taken last ends.
    pub(super) taken: usize,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, ParseError> {
        let mut lexer = Lexer::new(text);
        let token = lexer.advance()?;
        Ok(Self { lexer, token, taken: 0, depth: 0, terms: 0 })
    }

    /// The whole text.
    pub(super) fn filter(mut self) -> Result<Expr, ParseError> {
        if self.token.kind == TokenKind::End {
            return Ok(Expr::And(Vec::new()));
        }
        let first = self.operand(Place::TEST, None)?;
        let tree = self.more_tests(first)?;
        if self.token.kind == TokenKind::End {
            return Ok(tree.into_expr());
        }
        Err(self.unexpected("\"and\", \"or\" or the end of the filter"))
    }

    /// Takes the token and looks at the one behind it.
    pub(super) fn take(&mut self) -> Result<Token<'a>, ParseError> {
        let token = std::mem::replace(&mut self.token, self.lexer.advance()?);
        self.taken = token.at + token.text.len();
        Ok(token)
    }

    /// Takes the token if it is `keyword`.
    pub(super) fn take_keyword(&mut self, keyword: Keyword) -> Result<bool, ParseError> {
        let found = self.token.kind == TokenKind::Keyword(keyword);
        if found {
            self.take()?;
        }
        Ok(found)
    }

    /// The tests, or values without words, that `and` and `or` join to a first test.
    fn more_tests(&mut self, first: Operand<'a>) -> Result<Tree, ParseError> {
        let mut words = first.words;
        let mut tree = self.made(first)?;
        while let Some(join) = self.join()? {
            let next = self.operand(Place::TEST_OR_VALUE, words)?;
            words = next.words;
            tree = self.joined(tree, join, next)?;
        }
        Ok(tree)
    }

    /// The values that `and` and `or` join to a first value.
    fn more_values(&mut self, first: Operand<'a>) -> Result<Tree, ParseError> {
        let words = first.words;
        let mut tree = self.made(first)?;
        while let Some(join) = self.join()? {
            let next = self.operand(Place::VALUE, words)?;
            tree = self.joined(tree, join, next)?;
        }
        Ok(tree)
    }

    /// Takes `and` or `or`, if one stands here.
    fn join(&mut self) -> Result<Option<Join>, ParseError> {
        if self.take_keyword(Keyword::And)? {
            Ok(Some(Join::And))
        } else if self.take_keyword(Keyword::Or)? {
            Ok(Some(Join::Or))
        } else {
            Ok(None)
        }
    }

    fn joined(&mut self, tree: Tree, join: Join, next: Operand<'a>) -> Result<Tree, ParseError> {
        let next = self.made(next)?;
        self.bounded(tree.joined(join, next))
    }

    /// The tree, unless it is too high.
    fn bounded(&self, tree: Tree) -> Result<Tree, ParseError> {
        if tree.height() > MAX_DEPTH { Err(ParseError::TooDeep { at: self.token.at }) } else { Ok(tree) }
    }

    /// The expression of an operand.
    pub(super) fn made(&mut self, operand: Operand<'a>) -> Result<Tree, ParseError> {
        match operand.form {
            Form::Tests(tree) | Form::Values(tree) => Ok(tree),
            // `port 80 or 443 > 1` compares two numbers; 443 is no port.
            Form::Number(..) if self.at_sign() => Err(self.unexpected("\"and\" or \"or\"")),
            Form::Number(value, _) => self.value(value, operand.words),
        }
    }

    /// Whether a sign of arithmetic is looked at.
    fn at_sign(&self) -> bool {
        matches!(self.token.kind, TokenKind::Arithmetic | TokenKind::Slash)
    }

    /// The error for a number where a test has to begin. It is the sign behind it that makes it a part of
    /// pcap-filter(7), however many parentheses are in between.
    pub(super) fn stray_number(&mut self, expected: &'static str) -> ParseError {
        let number = self.unexpected(expected);
        loop {
            match self.take() {
                Ok(_) if self.at_sign() => return self.unexpected(expected),
                Ok(_) if self.token.kind != TokenKind::End => {}
                _ => return number,
            }
        }
    }

    /// One test, value or parenthesis, with any `not` in front of it.
    pub(super) fn operand(
        &mut self,
        place: Place,
        words: Option<Qualifier>,
    ) -> Result<Operand<'a>, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError::TooDeep { at: self.token.at });
        }
        let operand = match self.token.kind {
            TokenKind::Keyword(Keyword::Not) if place.tests || place.takes_values() => {
                self.negation(place, words)
            }
            TokenKind::Open => self.parenthesis(place, words),
            TokenKind::Number(number) if place.takes_numbers() => {
                let token = self.take()?;
                let value = Value { at: token.at, text: token.text, kind: ValueKind::Number(number) };
                Ok(Operand { form: Form::Number(value, number), words })
            }
            _ if place.takes_values() && self.at_value() => {
                let value = self.take_value()?;
                Ok(Operand { form: Form::Values(self.value(value, words)?), words })
            }
            _ if place.tests => self.test(),
            _ => Err(self.unexpected(place.expected())),
        }?;
        self.depth -= 1;
        Ok(operand)
    }

    fn negation(&mut self, place: Place, words: Option<Qualifier>) -> Result<Operand<'a>, ParseError> {
        self.take()?;
        let inner = self.operand(place.negated(), words)?;
        let words = inner.words;
        let among_tests = matches!(inner.form, Form::Tests(_));
        let tree = self.made(inner)?.negated();
        let tree = self.bounded(tree)?;
        let form = if among_tests { Form::Tests(tree) } else { Form::Values(tree) };
        Ok(Operand { form, words })
    }

    fn parenthesis(&mut self, place: Place, words: Option<Qualifier>) -> Result<Operand<'a>, ParseError> {
        self.take()?;
        let inside = place.inside();
        let first = self.operand(inside, words)?;
        let form = match first.form {
            Form::Tests(_) => Form::Tests(self.more_tests(first)?),
            Form::Number(..) if self.token.kind == TokenKind::Close || !inside.takes_values() => first.form,
            Form::Values(_) | Form::Number(..) => Form::Values(self.more_values(first)?),
        };
        if self.token.kind != TokenKind::Close {
            return Err(self.unexpected(match form {
                Form::Number(..) => "\")\" behind the number",
                _ => "\"and\", \"or\" or \")\"",
            }));
        }
        self.take()?;
        Ok(Operand { form, words })
    }

    /// The test that the words in force make of a value.
    pub(super) fn value(&mut self, value: Value<'a>, words: Option<Qualifier>) -> Result<Tree, ParseError> {
        let Some(words) = words else {
            return Err(ParseError::Misapplied {
                at: value.at,
                word: escaped(value.text),
                advice: "the test before it has no word that it could take: write \"host\", \"net\" or \"port\" in front",
            });
        };
        self.term(words.test(value)?, value.at)
    }

    pub(super) fn term(&mut self, test: Primitive, at: usize) -> Result<Tree, ParseError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(ParseError::TooManyTerms { at });
        }
        Ok(Tree::term(Expr::Term(test)))
    }

    /// The error for the token that is looked at.
    pub(super) fn unexpected(&self, expected: &'static str) -> ParseError {
        let Token { kind, at, text } = self.token;
        match kind {
            TokenKind::Keyword(Keyword::Unsupported) => ParseError::Unsupported {
                at,
                word: escaped(text),
                advice: "the tests are host, net, port, portrange, proto, vlan, ether host and protocol names",
            },
            TokenKind::Arithmetic => ParseError::Unsupported {
                at,
                word: escaped(text),
                advice: "calculations and comparisons with header bytes are not part of this filter language",
            },
            TokenKind::Slash => ParseError::Unsupported {
                at,
                word: escaped(text),
                advice: "a prefix length goes behind an address with dots or colons, such as 10.0.0.0/8",
            },
            TokenKind::End => {
                ParseError::Unexpected { at, expected, found: "the end of the filter".to_owned() }
            }
            _ => ParseError::Unexpected { at, expected, found: quoted(&escaped(text)) },
        }
    }
}
