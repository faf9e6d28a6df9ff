//! What the tests and benches of pcapx share: packets and captures made to order, realistic traffic from a seed,
//! and a harness around real processes.
//!
//! ```text
//! packet ──► capture ──► file ──► the program under test (process) ──► its answer
//!   ▲                      │                                             ‖ equal?
//! trace (a seed)           └────► tcpdump (tool) ──────────────────────► the oracle's answer
//! ```
//!
//! This is code for tests: it is a development dependency only, knows nothing of pcapx but the core's time, and
//! reads captures with a reader of its own, so that a mistake in the reader under test cannot hide. Where the
//! environment fails – a port that cannot be bound, a tool that dies – it panics with a sentence that says so.

pub mod bench;
pub mod browser;
pub mod capture;
pub mod devtools;
pub mod namespace;
pub mod packet;
pub mod process;
pub mod prometheus;
pub mod strip;
pub mod tool;
pub mod trace;
