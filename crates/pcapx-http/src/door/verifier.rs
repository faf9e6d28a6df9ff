//! Verifying hashes: slow on purpose, so in turn and off the async threads.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::Rules;
use super::credentials::Presented;
use super::known::Digest;
use super::turns::{Standing, Turns};

/// Verifications at a time, at most half the processors: the others are for those who are known. More than two would
/// also take threads and memory (19 MiB to 256 MiB each) from extractions and downloads.
const MOST_TURNS: usize = 2;

/// Verifies each pair of address and credentials once, however often it comes at a time.
#[derive(Debug)]
pub(super) struct Verifier {
    turns: Arc<Turns>,
    running: Mutex<HashMap<Pair, Arc<Verification>>>,
}

type Pair = (IpAddr, Digest);

/// Whether the pair is right; `None` when too many waited.
type Verification = OnceCell<Option<bool>>;

impl Verifier {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Verifier { turns: Turns::new((processors / 2).clamp(1, MOST_TURNS)), running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Pair, Arc<Verification>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `presented` is right by `rules`; `None` when too many wait already.
    pub(super) async fn verify(
        &self,
        rules: &Arc<Rules>,
        presented: &Presented,
        client: IpAddr,
        standing: Standing,
    ) -> Option<bool> {
        let Some(digest) = rules.known.digest(presented) else {
            return self.work(rules, presented, client, standing).await;
        };
        let pair = (client, digest);
        let verification = Arc::clone(self.running().entry(pair).or_default());
        let _leave = Leave { verifier: self, pair, verification: &verification };
        *verification.get_or_init(|| self.work(rules, presented, client, standing)).await
    }

    async fn work(
        &self,
        rules: &Arc<Rules>,
        presented: &Presented,
        client: IpAddr,
        standing: Standing,
    ) -> Option<bool> {
        let mut turn = self.turns.turn(client, standing).await?;
        // Somebody may have been right while this one waited.
        if let Some(right) = rules.known.judge(presented) {
            return Some(right);
        }
        let (rules, presented) = (Arc::clone(rules), presented.clone());
        // The turn ends with the work, also when nobody waits for it any more; what was learned is known by then.
        let work = spawn_blocking(move || {
            let right = rules.matches(&presented, &mut turn.memory);
            if right {
                rules.known.learn(&presented);
            }
            drop(turn);
            right
        });
        Some(work.await.unwrap_or(false))
    }
}

/// Forgets a verification when the last who waits for it goes.
struct Leave<'a> {
    verifier: &'a Verifier,
    pair: Pair,
    verification: &'a Arc<Verification>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut running = self.verifier.running();
        // One is the map's, one is ours. Under the lock nobody can join meanwhile.
        if Arc::strong_count(self.verification) == 2 {
            running.remove(&self.pair);
        }
    }
}
