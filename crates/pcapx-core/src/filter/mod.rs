//! Packet filters: a typed expression, its BPF text in both directions, and the five modes that make one of an alert.
//!
//! ```text
//! Alert + Mode ──► Expr ──Display──► "tcp and host 10.0.0.10 and port 443"
//!                   ▲                              │
//!                   └────────────parse─────────────┘
//! ```

//!
//! Reading text goes `lexer` (with `shape` and `keyword`) → `parse` (the grammar) → `qualifier` (what a value means) → `tree`.

mod error;
mod expr;
mod keyword;
mod lexer;
mod mode;
mod names;
mod normal;
mod parse;
mod qualifier;
mod shape;
mod tree;

/// The longest text that [`parse`] reads, in bytes; ten times what the longest alert makes.
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// How many levels a filter's text and expression may have. Whatever walks them calls itself once for each level, so
/// this bounds the stack.
pub const MAX_DEPTH: usize = 250;

/// How many tests a filter may have; each packet may have to pass them all.
pub const MAX_TERMS: usize = 4096;

pub use error::ParseError;
pub use expr::{Dir, Expr, Family, Primitive, Scope, Transport, ethertype, ipproto};
pub use mode::{Mode, UnknownMode, from_alert};
pub use parse::parse;
