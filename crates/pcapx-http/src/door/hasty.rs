//! Addresses that were told to ask later.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bounded::Bounded;

/// When to ask again whose turn has not come.
pub(super) const LATER: Duration = Duration::from_secs(5);
/// Whoever comes back within this does not wait at all, and is told anew.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Addresses that are remembered at least: as many as [`Throttle`](super::throttle::Throttle) remembers.
const LEAST_REMEMBERED: usize = 4096;

/// Whoever comes back before [`LATER`] stands behind those who did not, until then and not longer: a client that is in a hurry
/// gets its chance again. Those who ask without a pause get none, and so leave room for it.
#[derive(Debug)]
pub(super) struct Hasty(Mutex<Bounded<IpAddr, Told>>);

/// What an address was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    last: Instant,
    until: Instant,
}

impl Hasty {
    pub(super) fn new() -> Self {
        Hasty(Mutex::new(Bounded::new(LEAST_REMEMBERED)))
    }

    fn told(&self) -> MutexGuard<'_, Bounded<IpAddr, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `client` should not have asked yet.
    pub(super) fn is(&self, client: IpAddr, now: Instant) -> bool {
        self.told().get(&client).is_some_and(|told| now < told.until)
    }

    /// `client` is told to ask later.
    pub(super) fn was_told(&self, client: IpAddr, now: Instant) {
        let mut all = self.told();
        let until = match all.get(&client) {
            Some(told) if now < told.until && now >= told.last + AT_ONCE => told.until,
            _ => now + LATER,
        };
        all.insert(client, Told { last: now, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_early_is_hasty_until_the_time_that_was_told_first() {
        let hasty = Hasty::new();
        let (here, there) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let start = Instant::now();
        hasty.was_told(here, start);
        hasty.was_told(here, start + LATER / 2);
        assert!(hasty.is(here, start + LATER.mul_f64(0.9)) && !hasty.is(there, start));
        assert!(!hasty.is(here, start + LATER));
        hasty.was_told(here, start + LATER);
        assert!(hasty.is(here, start + LATER));
        for tenth in 0..1000 {
            hasty.was_told(there, start + AT_ONCE * tenth / 10);
        }
        assert!(hasty.is(there, start + AT_ONCE * 100), "it has never paused");
    }
}
