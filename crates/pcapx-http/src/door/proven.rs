//! Addresses from which somebody was right a short while ago.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bounded::Bounded;

/// How long an address counts after somebody was right there.
const PROVEN: Duration = Duration::from_secs(600);
/// Addresses that are remembered at least: some thousand analysts.
const LEAST_REMEMBERED: usize = 4096;

/// Addresses by when somebody was right there last.
#[derive(Debug)]
pub(super) struct Proven(Mutex<Bounded<IpAddr, Instant>>);

impl Proven {
    pub(super) fn new() -> Self {
        Proven(Mutex::new(Bounded::new(LEAST_REMEMBERED)))
    }

    fn since(&self) -> MutexGuard<'_, Bounded<IpAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, client: IpAddr, now: Instant) -> bool {
        self.since().get(&client).is_some_and(|since| now.saturating_duration_since(*since) < PROVEN)
    }

    pub(super) fn was_right(&self, client: IpAddr, now: Instant) {
        self.since().insert(client, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_for_a_while_after_the_last_time() {
        let proven = Proven::new();
        let (here, there) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let start = Instant::now();
        proven.was_right(here, start);
        assert!(proven.has(here, start + PROVEN.mul_f64(0.9)) && !proven.has(there, start));
        proven.was_right(here, start + PROVEN.mul_f64(0.9));
        assert!(proven.has(here, start + PROVEN.mul_f64(1.8)) && !proven.has(here, start + PROVEN * 2));
    }
}
