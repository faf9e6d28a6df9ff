//! From filter text to the typed expression: the grammar of pcap-filter(7).
//!
//! Three of its rules surprise, and are kept to the letter because a filter must mean here what it means to tcpdump:
//!
//! - `and` and `or` bind alike, from left to right: `a or b and c` is `(a or b) and c`. `not` binds to the one test behind it.
//! - A value without words in front of it, allowed only behind `and` and `or`, takes the words of the test before it:
//!   `tcp port 80 or 443`. A parenthesis hands on the words from in front of it, a protocol's name alone has none.
//! - A parenthesis holds either tests or values, never a mixture that begins with a value, and a parenthesis of values
//!   cannot begin with one: `port (80 or (81 or 82))` is a filter, `port ((80 or 81) or 82)` is none.

use super::error::{ParseError, escaped};
use super::expr::{Dir, Expr, Primitive};
use super::keyword::{Keyword, Layer};
use super::lexer::{Lexer, Token, TokenKind, quoted};
use super::qualifier::{Kind, Qualifier, Value, ValueKind};
use super::tree::{Join, Tree};
use super::{MAX_DEPTH, MAX_TERMS, MAX_TEXT_BYTES};

/// Reads a filter in tcpdump's syntax.
///
/// The result is [normalised](Expr::normalised). A blank text is true of every packet, as in tcpdump: `And(vec![])`.
///
/// Understood are `and or not && || !`, parentheses, `host net port portrange` with `src dst`, `src or dst`,
/// `src and dst`, `proto`, the protocols `ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp esp ah pim vrrp` alone and as
/// qualifiers, `ether host`, `ether proto` and `vlan`. Names of hosts and networks are refused: looking them up would ask
/// servers. A few names of ports and protocols are known from a table. Every other part of pcap-filter(7) is a
/// [`ParseError::Unsupported`].
///
/// Where libpcap accepts a text and gives it a meaning that nobody can have wanted, it is an error: a port range with
/// something behind its second number, a protocol above 255, an Ethernet type above 65535.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ParseError::TooLong { bytes: text.len() });
    }
    let mut parser = Parser::new(text)?;
    if parser.token.kind == TokenKind::End {
        return Ok(Expr::And(Vec::new()));
    }
    let first = parser.operand(Place::TEST, None)?;
    let tree = parser.more_tests(first)?;
    if parser.token.kind == TokenKind::End {
        return Ok(tree.into_expr());
    }
    Err(parser.unexpected("\"and\", \"or\" or the end of the filter"))
}

/// What may stand at a place of the text.
#[derive(Clone, Copy)]
struct Place {
    /// A test: `tcp`, `host 10.0.0.1`, a parenthesis of tests.
    tests: bool,
    /// Values without words in front of them.
    values: Values,
}

/// The forms of values that may stand at a place; each has those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Values {
    None,
    /// A number, bare or in parentheses.
    Numbers,
    /// Any single value.
    Single,
    /// A parenthesis of several values.
    Groups,
}

impl Place {
    /// At the beginning.
    const TEST: Self = Self { tests: true, values: Values::None };
    /// Behind a qualifier, and behind `and` and `or` among values.
    const VALUE: Self = Self { tests: false, values: Values::Groups };
    /// Behind `and` and `or` among tests.
    const TEST_OR_VALUE: Self = Self { tests: true, values: Values::Groups };
    /// Behind `vlan`.
    const NUMBER: Self = Self { tests: false, values: Values::Numbers };

    /// The first place inside a parenthesis that begins here: no parenthesis begins with a parenthesis of values.
    const fn inside(self) -> Self {
        let values = match self.values {
            Values::Groups => Values::Single,
            Values::Single | Values::Numbers => Values::Numbers,
            Values::None => Values::None,
        };
        Self { values, ..self }
    }

    /// The place behind a `not` that stands here.
    const fn negated(self) -> Self {
        let values = match self.values {
            Values::Groups | Values::Single => Values::Groups,
            Values::Numbers | Values::None => Values::None,
        };
        Self { values, ..self }
    }

    fn takes_values(self) -> bool {
        self.values >= Values::Single
    }

    fn takes_numbers(self) -> bool {
        self.values >= Values::Numbers
    }

    fn expected(self) -> &'static str {
        if self.tests {
            "a test such as \"host 10.0.0.1\" or \"tcp\""
        } else if self.takes_values() {
            "a value such as 10.0.0.1 or 443"
        } else {
            "a number"
        }
    }
}

/// A part of the filter that has been read.
struct Operand<'a> {
    form: Form<'a>,
    /// The words that a bare value behind it takes.
    words: Option<Qualifier>,
}

/// What kind of part it is; the grammar does not let every kind stand everywhere.
enum Form<'a> {
    Tests(Tree),
    Values(Tree),
    /// A number that no test has been made of yet.
    Number(Value<'a>, u32),
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that is looked at next.
    token: Token<'a>,
    /// Where the token taken last ends.
    taken: usize,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        let mut lexer = Lexer::new(text);
        let token = lexer.advance()?;
        Ok(Self { lexer, token, taken: 0, depth: 0, terms: 0 })
    }

    /// Takes the token and looks at the one behind it.
    fn take(&mut self) -> Result<Token<'a>, ParseError> {
        let token = std::mem::replace(&mut self.token, self.lexer.advance()?);
        self.taken = token.at + token.text.len();
        Ok(token)
    }

    /// Takes the token if it is `keyword`.
    fn take_keyword(&mut self, keyword: Keyword) -> Result<bool, ParseError> {
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
    fn made(&mut self, operand: Operand<'a>) -> Result<Tree, ParseError> {
        match operand.form {
            Form::Tests(tree) | Form::Values(tree) => Ok(tree),
            Form::Number(value, _) => self.value(value, operand.words),
        }
    }

    /// One test, value or parenthesis, with any `not` in front of it.
    fn operand(&mut self, place: Place, words: Option<Qualifier>) -> Result<Operand<'a>, ParseError> {
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
        let form = match inner.form {
            Form::Tests(tree) => Form::Tests(self.bounded(tree.negated())?),
            Form::Values(tree) => Form::Values(self.bounded(tree.negated())?),
            Form::Number(value, _) => Form::Values(self.value(value, words)?.negated()),
        };
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

    /// A test that begins with a word.
    fn test(&mut self) -> Result<Operand<'a>, ParseError> {
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

    fn at_value(&self) -> bool {
        matches!(
            self.token.kind,
            TokenKind::Dotted(_) | TokenKind::Ipv6(_) | TokenKind::Mac(_) | TokenKind::Name(_)
        )
    }

    /// An address, network or name; a prefix length or mask behind it belongs to it.
    fn take_value(&mut self) -> Result<Value<'a>, ParseError> {
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

    /// The test that the words in force make of a value.
    fn value(&mut self, value: Value<'a>, words: Option<Qualifier>) -> Result<Tree, ParseError> {
        let Some(words) = words else {
            return Err(ParseError::Misapplied {
                at: value.at,
                word: escaped(value.text),
                advice: "the test before it has no word that it could take: write \"host\", \"net\" or \"port\" in front",
            });
        };
        self.term(words.test(value)?, value.at)
    }

    fn term(&mut self, test: Primitive, at: usize) -> Result<Tree, ParseError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(ParseError::TooManyTerms { at });
        }
        Ok(Tree::term(Expr::Term(test)))
    }

    /// The error for a place where a test has to begin.
    fn no_test(&self) -> ParseError {
        match self.token.kind {
            TokenKind::Dotted(_) | TokenKind::Ipv6(_) => {
                self.unexpected("\"host\" in front of an address, or \"net\" in front of a network")
            }
            TokenKind::Mac(_) => self.unexpected("\"ether host\" in front of an Ethernet address"),
            _ => self.unexpected(Place::TEST.expected()),
        }
    }

    /// The error for the token that is looked at.
    fn unexpected(&self, expected: &'static str) -> ParseError {
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
            TokenKind::End => {
                ParseError::Unexpected { at, expected, found: "the end of the filter".to_owned() }
            }
            _ => ParseError::Unexpected { at, expected, found: quoted(&escaped(text)) },
        }
    }
}
