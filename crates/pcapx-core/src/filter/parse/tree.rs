//! An expression under construction that knows its own height.
//!
//! Everything that walks an expression calls itself once for each level, and so does dropping it. Parentheses are not
//! the only way to be deep – `a or b and c or d and …` is a level for each change of the word – so the parser asks the
//! finished part how high it is instead of counting parentheses.

use crate::filter::Expr;

/// An expression in normal form (see [`Expr::normalised`]) and the number of its levels.
pub(super) struct Tree {
    expr: Expr,
    height: usize,
}

/// The two ways to join expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    And,
    Or,
}

impl Join {
    /// The parts of `tree` if it is joined this way already, and the tree itself as the one part otherwise.
    fn parts(self, tree: Tree) -> (Vec<Expr>, usize) {
        match (self, tree.expr) {
            (Self::And, Expr::And(parts)) | (Self::Or, Expr::Or(parts)) => (parts, tree.height),
            (_, expr) => (vec![expr], tree.height + 1),
        }
    }
}

impl Tree {
    pub(super) fn term(expr: Expr) -> Self {
        Self { expr, height: 1 }
    }

    pub(super) fn negated(self) -> Self {
        Self { expr: Expr::Not(Box::new(self.expr)), height: self.height + 1 }
    }

    pub(super) fn joined(self, join: Join, other: Self) -> Self {
        let (mut parts, height) = join.parts(self);
        let (more, other_height) = join.parts(other);
        parts.extend(more);
        let expr = match join {
            Join::And => Expr::And(parts),
            Join::Or => Expr::Or(parts),
        };
        Self { expr, height: height.max(other_height) }
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    pub(super) fn into_expr(self) -> Expr {
        self.expr
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Join::{And, Or};

    fn term() -> Tree {
        Tree::term(Expr::port(80))
    }

    #[test]
    fn equal_joins_merge_and_do_not_grow_higher() {
        let tree = term().joined(And, term()).joined(And, term().joined(And, term()));
        assert_eq!(tree.height(), 2);
        assert_eq!(tree.into_expr(), Expr::And(vec![Expr::port(80); 4]));
    }

    #[test]
    fn each_change_of_the_join_is_a_level() {
        let tree = term().joined(And, term()).joined(Or, term()).joined(And, term());
        assert_eq!(tree.height(), 4);
        assert_eq!(term().negated().joined(Or, term()).negated().height(), 4);
    }
}
