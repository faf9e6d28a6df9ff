//! Credentials that were right a short while ago.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::bounded::Bounded;
use super::credentials::Presented;

/// How long credentials stay known after they were verified.
const KNOWN: Duration = Duration::from_secs(600);
/// Pairs of address and credentials that are remembered at least: some hundred analysts from some places each.
const LEAST_REMEMBERED: usize = 1024;

/// What stands for a pair of address and credentials. Nobody can tell from it what they are, or find others that have
/// the same one: it is a keyed hash under a key that this process has drawn.
pub(super) type Fingerprint = [u8; 32];

/// Pairs of address and credentials that were verified.
#[derive(Debug)]
pub(super) struct Known {
    key: hmac::Key,
    verified: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    /// Goes into every fingerprint, so that a verification that began before a reload counts for nothing after it.
    epoch: u64,
    since: Bounded<Fingerprint, Instant>,
}

impl Known {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        // Without random numbers nothing works that this system needs; a service that starts without them is one that
        // verifies every time.
        let filled = SystemRandom::new().fill(&mut key).is_ok();
        let half = if filled { LEAST_REMEMBERED } else { 0 };
        let memory = Memory { epoch: 0, since: Bounded::new(half) };
        Known { key: hmac::Key::new(hmac::HMAC_SHA256, &key), verified: Mutex::new(memory) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fingerprint(&self, client: IpAddr, presented: &Presented) -> Fingerprint {
        let (scheme, user) = presented.public();
        let mut hash = hmac::Context::with_key(&self.key);
        hash.update(&self.memory().epoch.to_be_bytes());
        // Lengths in front: no two pairs become the same bytes.
        for part in [client.to_string().as_str(), scheme, user, presented.secret()] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hash.sign().as_ref());
        fingerprint
    }

    pub(super) fn has(&self, fingerprint: &Fingerprint, now: Instant) -> bool {
        let memory = self.memory();
        memory.since.get(fingerprint).is_some_and(|since| now.saturating_duration_since(*since) < KNOWN)
    }

    pub(super) fn insert(&self, fingerprint: Fingerprint, now: Instant) {
        self.memory().since.insert(fingerprint, now);
    }

    pub(super) fn forget(&self) {
        let mut memory = self.memory();
        memory.epoch += 1;
        memory.since.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Presented {
        Presented::Basic { user: user.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn a_pair_is_known_for_a_while_and_no_other_pair_is() {
        let known = Known::new();
        let (here, there) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let now = Instant::now();
        let right = known.fingerprint(here, &basic("user", "pass"));
        known.insert(right, now);
        assert!(known.has(&known.fingerprint(here, &basic("user", "pass")), now));
        assert!(known.has(&right, now + KNOWN.mul_f64(0.9)));
        assert!(!known.has(&right, now + KNOWN));
        for other in [
            known.fingerprint(there, &basic("user", "pass")),
            known.fingerprint(here, &basic("userp", "ass")),
            known.fingerprint(here, &basic("user", "pasS")),
            known.fingerprint(here, &Presented::Bearer { token: "pass".to_owned() }),
            Known::new().fingerprint(here, &basic("user", "pass")),
        ] {
            assert!(!known.has(&other, now));
        }
        known.forget();
        assert!(!known.has(&right, now));
        known.insert(right, now);
        assert!(
            !known.has(&known.fingerprint(here, &basic("user", "pass")), now),
            "verified before the reload"
        );
    }
}
