//! How often an address may be wrong.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bounded::Bounded;

/// Wrong credentials that an address may present in a row: a person who mistypes, a script that was not told of the new
/// password, both for some while.
pub const BURST: u32 = 60;
/// After those, one more after each of these.
const PACE: Duration = Duration::from_secs(1);
/// How long it counts that an address was wrong, after its bucket is empty.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Addresses that are remembered at least; at most twice as many, half a megabyte. Who has more of them to attack from
/// than that is slowed less, and still at most twice as fast as each address may be.
const LEAST_REMEMBERED: usize = 4096;

/// Counts wrong credentials by address, as a bucket that [`BURST`] of them fill and that loses one each [`PACE`].
#[derive(Debug)]
pub(super) struct Throttle {
    /// When the bucket of each address will be empty.
    empty_at: Mutex<Bounded<IpAddr, Instant>>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Throttle { empty_at: Mutex::new(Bounded::new(LEAST_REMEMBERED)) }
    }

    fn empty_at(&self) -> MutexGuard<'_, Bounded<IpAddr, Instant>> {
        self.empty_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what `client` presents is looked at; if not, in how long it will be.
    pub(super) fn may_try(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut empty_at = self.empty_at();
        let Some(until) = empty_at.get(&client).copied() else { return Ok(()) };
        let filled = until.saturating_duration_since(now);
        if now.saturating_duration_since(until) > REMEMBERED {
            empty_at.remove(&client);
        }
        match filled.checked_sub(PACE * (BURST - 1)) {
            Some(over) if !over.is_zero() => Err(over),
            _ => Ok(()),
        }
    }

    /// Whether `client` presented wrong credentials a short while ago.
    pub(super) fn was_wrong_lately(&self, client: IpAddr, now: Instant) -> bool {
        let until = self.empty_at().get(&client).copied();
        until.is_some_and(|until| now.saturating_duration_since(until) <= REMEMBERED)
    }

    /// `client` presented wrong credentials.
    pub(super) fn was_wrong(&self, client: IpAddr, now: Instant) {
        let mut empty_at = self.empty_at();
        let from = empty_at.get(&client).copied().unwrap_or(now).max(now);
        empty_at.insert(client, from + PACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_there_is_one_a_second() {
        let throttle = Throttle::new();
        let (client, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(throttle.may_try(client, start), Ok(()));
            throttle.was_wrong(client, start);
        }
        assert_eq!(throttle.may_try(client, start), Err(PACE));
        assert_eq!(throttle.may_try(other, start), Ok(()));
        let tries = |from: u64, to: u64| {
            (from..to)
                .filter(|ms| {
                    let now = start + Duration::from_millis(*ms);
                    let may = throttle.may_try(client, now).is_ok();
                    if may {
                        throttle.was_wrong(client, now);
                    }
                    may
                })
                .count()
        };
        assert_eq!(tries(1, 60_001), 60);
        assert!(throttle.was_wrong_lately(client, start) && !throttle.was_wrong_lately(other, start));
        // An address that is quiet long enough has its burst again.
        assert_eq!(tries(200_000, 200_059), 59);
        assert_eq!(throttle.may_try(client, start + Duration::from_secs(1000)), Ok(()));
        assert_eq!(throttle.empty_at().get(&client), None);
    }

    #[test]
    fn a_flood_of_addresses_does_not_take_more_memory() {
        let throttle = Throttle::new();
        let now = Instant::now();
        for address in 0..100_000_u32 {
            throttle.was_wrong(std::net::Ipv4Addr::from_bits(address).into(), now);
        }
        assert!(throttle.empty_at().len() <= 2 * LEAST_REMEMBERED);
    }
}
