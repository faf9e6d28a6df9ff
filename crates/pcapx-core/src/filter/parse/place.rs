//! What may stand where in a filter text.

/// What may stand at a place of the text.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// A test: `tcp`, `host 10.0.0.1`, a parenthesis of tests.
    pub(super) tests: bool,
    /// Values without words in front of them.
    pub(super) values: Values,
}

/// The forms of values that may stand at a place; each has those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Values {
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
    pub(super) const TEST: Self = Self { tests: true, values: Values::None };
    /// Behind a qualifier, and behind `and` and `or` among values.
    pub(super) const VALUE: Self = Self { tests: false, values: Values::Groups };
    /// Behind `and` and `or` among tests.
    pub(super) const TEST_OR_VALUE: Self = Self { tests: true, values: Values::Groups };
    /// Behind `vlan`.
    pub(super) const NUMBER: Self = Self { tests: false, values: Values::Numbers };

    /// The first place inside a parenthesis that begins here: no parenthesis begins with a parenthesis of values.
    pub(super) const fn inside(self) -> Self {
        let values = match self.values {
            Values::Groups => Values::Single,
            Values::Single | Values::Numbers => Values::Numbers,
            Values::None => Values::None,
        };
        Self { values, ..self }
    }

    /// The place behind a `not` that stands here.
    pub(super) const fn negated(self) -> Self {
        let values = match self.values {
            Values::Groups | Values::Single => Values::Groups,
            Values::Numbers | Values::None => Values::None,
        };
        Self { values, ..self }
    }

    pub(super) fn takes_values(self) -> bool {
        self.values >= Values::Single
    }

    pub(super) fn takes_numbers(self) -> bool {
        self.values >= Values::Numbers
    }

    pub(super) fn expected(self) -> &'static str {
        if self.tests {
            "a test such as \"host 10.0.0.1\" or \"tcp\""
        } else if self.takes_values() {
            "a value such as 10.0.0.1 or 443"
        } else {
            "a number"
        }
    }
}
