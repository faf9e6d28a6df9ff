//! Verifying hashes: slow on purpose, so in turn and off the async threads.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pcapx_core::config::Secret;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;

use super::known::Fingerprint;

/// Different credentials of one address that may be worked on or wait for it.
pub(super) const MOST_PER_ADDRESS: usize = 4;
/// The same for all addresses: ten seconds of work.
const MOST: usize = 256;

/// Verifications at a time, at most half the processors: the others are for those who are known. More than two would
/// also take threads and memory (19 MiB to 256 MiB each) from extractions and downloads.
const MOST_TURNS: usize = 2;

/// Verifies each pair of address and credentials once, however often it comes at a time.
#[derive(Debug)]
pub(super) struct Verifier {
    turns: Arc<Semaphore>,
    running: Mutex<HashMap<Fingerprint, Arc<Verification>>>,
}

#[derive(Debug)]
struct Verification {
    client: IpAddr,
    right: OnceCell<bool>,
}

impl Verifier {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Verifier {
            turns: Arc::new(Semaphore::new((processors / 2).clamp(1, MOST_TURNS))),
            running: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Fingerprint, Arc<Verification>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `presented` is `secret`; `None` when too many wait already.
    pub(super) async fn verify(
        &self,
        fingerprint: Fingerprint,
        client: IpAddr,
        secret: &Secret,
        presented: &str,
    ) -> Option<bool> {
        let verification = self.join(fingerprint, client)?;
        let _leave = Leave { verifier: self, fingerprint, verification: &verification };
        let right = verification.right.get_or_init(|| async {
            // Nobody closes the semaphore.
            let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
            let (secret, presented) = (secret.clone(), presented.to_owned());
            // The turn ends with the work, also when nobody waits for it any more.
            let work = spawn_blocking(move || {
                let _turn = turn;
                secret.matches(presented.as_bytes())
            });
            work.await.unwrap_or(false)
        });
        Some(*right.await)
    }

    fn join(&self, fingerprint: Fingerprint, client: IpAddr) -> Option<Arc<Verification>> {
        let mut running = self.running();
        if let Some(verification) = running.get(&fingerprint) {
            return Some(Arc::clone(verification));
        }
        let of_client = running.values().filter(|verification| verification.client == client).count();
        if of_client >= MOST_PER_ADDRESS || running.len() >= MOST {
            return None;
        }
        let verification = Arc::new(Verification { client, right: OnceCell::new() });
        running.insert(fingerprint, Arc::clone(&verification));
        Some(verification)
    }
}

/// Forgets a verification when the last who waits for it goes.
struct Leave<'a> {
    verifier: &'a Verifier,
    fingerprint: Fingerprint,
    verification: &'a Arc<Verification>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut running = self.verifier.running();
        // One is the map's, one is ours. Under the lock nobody can join meanwhile.
        if Arc::strong_count(self.verification) == 2 {
            running.remove(&self.fingerprint);
        }
    }
}
