//! Packet filters: a typed expression, its BPF text in both directions, and the five modes that make one of an alert.
//!
//! ```text
//! Alert + Mode ──► Expr ──Display──► "tcp and host 10.0.0.10 and port 443"
//!                   ▲                              │
//!                   └────────────parse─────────────┘
//! ```

mod expr;
mod mode;
mod normal;
mod parse;

pub use expr::{Dir, Expr, Family, Primitive, Scope, Transport, ethertype, ipproto};
pub use mode::{Mode, UnknownMode, from_alert};
pub use parse::{MAX_DEPTH, MAX_TERMS, MAX_TEXT_BYTES, ParseError, parse};
