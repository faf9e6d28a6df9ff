//! What must hold for bytes that nobody vouches for, one module for each reader of such bytes.
//!
//! ```text
//! libFuzzer ──► fuzz_targets/X.rs ──► X::check(input) ──► stretch ──► the reader of X ──► a panic where it is wrong
//! ```
//!
//! A check is a function of its input alone, so that what it has found once it finds again. It is compiled without the
//! fuzzer as well: `cargo test` runs every check on its seeds.
//!
//! A new reader gets a module here, a target of the same name and a folder of seeds; README.md has the list.

pub mod answers;
pub mod filter;
pub mod index;
pub mod lines;
pub mod packet_keys;
pub mod segment;
pub mod stretch;

mod memory;
mod questions;
