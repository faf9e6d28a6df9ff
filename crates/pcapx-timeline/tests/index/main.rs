//! Indexes: an answer with them is the answer without them, whatever the packets, the question, the state of the index
//! and of the disk, and whoever is killed or deletes files meanwhile.
//!
//! The random parts are the same in every run. `PCAPX_TEST_EFFORT=20` makes every part that is random, sampled or repeated
//! twenty times longer; `PROPTEST_RNG_SEED` makes the questions others.

#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "the numbers of these tests are small")]

#[path = "../oracle/expression.rs"]
mod expression;
#[path = "../oracle/mod.rs"]
mod oracle;
#[path = "../oracle/vocabulary.rs"]
mod vocabulary;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../oracle/zoo.rs"]
mod zoo;

mod asking;
mod building;
mod chance;
mod damage;
mod generated;
mod impostors;
mod patient;
mod random;
mod real;
mod retention;
mod staleness;
mod volume;
