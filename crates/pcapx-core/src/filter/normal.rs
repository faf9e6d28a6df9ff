//! Expressions in their normal form, in which equal texts have equal expressions.

use super::expr::Expr;

impl Expr {
    /// The same filter with every `And` inside an `And` and every `Or` inside an `Or` merged into it, in order.
    ///
    /// A join of one part becomes that part. An empty `And` (every packet) or `Or` (no packet) disappears from its
    /// surroundings, so that it can only be the whole expression. [`Display`](std::fmt::Display) of a normal expression
    /// other than the empty `Or` is text that [`parse`](super::parse()) reads back to that same expression.
    #[must_use]
    pub fn normalised(self) -> Self {
        match self {
            Self::Term(_) => self,
            Self::Not(inner) => match inner.normalised() {
                Self::And(parts) if parts.is_empty() => Self::Or(parts),
                Self::Or(parts) if parts.is_empty() => Self::And(parts),
                inner => Self::Not(Box::new(inner)),
            },
            Self::And(parts) => {
                let mut all = Vec::with_capacity(parts.len());
                for part in parts {
                    match part.normalised() {
                        Self::And(inner) => all.extend(inner),
                        Self::Or(none) if none.is_empty() => return Self::Or(none),
                        part => all.push(part),
                    }
                }
                single(all, Self::And)
            }
            Self::Or(parts) => {
                let mut any = Vec::with_capacity(parts.len());
                for part in parts {
                    match part.normalised() {
                        Self::Or(inner) => any.extend(inner),
                        Self::And(every) if every.is_empty() => return Self::And(every),
                        part => any.push(part),
                    }
                }
                single(any, Self::Or)
            }
        }
    }
}

fn single(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return part;
    }
    join(parts)
}
