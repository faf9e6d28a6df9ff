//! What benches share: programs run and timed, traces kept from run to run, files put into the page cache or out of it.
//!
//! ```text
//! Shelf ──► a trace's segments ──► Cost::of(ours), Cost::of(tcpdump), in turns ──► median
//!                    └──► page_cache::load or evict, before each turn
//! ```
//!
//! A bench prints and never fails for being slow; it stops with a panic where what it measures does not work.

mod cost;
pub mod page_cache;
mod shelf;

use std::io::IsTerminal;
use std::time::Duration;

pub use cost::{Cost, own_cpu, peak_kib, peak_kib_of};
pub use shelf::{Shelf, count_packets, segments};

/// The middle one; of an even number of values the upper of the two. Zero of none.
pub fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    percentile(times, 50)
}

/// The value that `percent` of all are below.
pub fn percentile(times: impl IntoIterator<Item = Duration>, percent: usize) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort();
    let at = times.len() * percent / 100;
    times.get(at).or(times.last()).copied().unwrap_or_default()
}

/// The number in an environment variable, which makes a bench smaller or larger.
///
/// # Panics
/// When it is set to something else.
pub fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")),
        Err(_) => default,
    }
}

/// How many turns count, `PCAPX_BENCH_TURNS`, which a noisy machine needs more of; five if it is not set.
///
/// # Panics
/// When it is no number.
pub fn turns() -> usize {
    setting("PCAPX_BENCH_TURNS", 5).max(1) as usize
}

/// Progress, where somebody looks on. Nothing clears the line.
pub fn say(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{what:<78.78}\r");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_middle_and_the_tail() {
        let times = || (1..=100).rev().map(Duration::from_millis);
        assert_eq!(median(times()), Duration::from_millis(51));
        assert_eq!(percentile(times(), 99), Duration::from_millis(100));
        assert_eq!(percentile(times(), 100), Duration::from_millis(100));
        assert_eq!(median([]), Duration::ZERO);
    }
}
