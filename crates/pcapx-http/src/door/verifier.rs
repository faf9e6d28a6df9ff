//! Verifying hashes: slow on purpose, so in turn and off the async threads.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use super::Rules;
use super::credentials::Presented;
use super::known::Digest;
use super::turns::{Standing, Turn, Turns};
use crate::Context;

/// Verifications at a time, at most half the processors: the others are for those who are known. More than two would
/// also take threads and memory (19 MiB to 256 MiB each) from extractions and downloads.
const MOST_TURNS: usize = 2;
/// How long anybody waits for a turn: proxies and webhooks give up after half a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How long a place in the line is kept for a client that has closed its sending side: most are gone then, some wait for the
/// answer still.
const HALF_CLOSED_WAIT: Duration = Duration::from_secs(1);

/// Verifies each pair of address and credentials once, however often it comes at a time.
#[derive(Debug)]
pub(super) struct Verifier {
    turns: Arc<Turns>,
    running: Mutex<HashMap<Pair, Arc<Verification>>>,
}

type Pair = (IpAddr, Digest);

/// Whether the pair is right.
type Verification = OnceCell<bool>;

impl Verifier {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Verifier { turns: Turns::new((processors / 2).clamp(1, MOST_TURNS)), running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Pair, Arc<Verification>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `presented`, which came with `context`, is right by `rules`; `None` when its turn does not come.
    pub(super) async fn verify(
        &self,
        rules: &Arc<Rules>,
        presented: &Presented,
        (client, standing): (IpAddr, Standing),
        context: &Context,
    ) -> Option<bool> {
        let by = Instant::now() + LONGEST_WAIT;
        let Some(digest) = rules.known.digest(presented) else {
            return self.work(rules, presented, (client, standing), context, by).await;
        };
        let pair = (client, digest);
        let verification = Arc::clone(self.running().entry(pair).or_default());
        let _leave = Leave { verifier: self, pair, verification: &verification };
        // Where the one who stands in the line for all of them leaves it, the next takes its place.
        let work =
            || async { self.work(rules, presented, (client, standing), context, by).await.ok_or(Unknown) };
        verification.get_or_try_init(work).await.ok().copied()
    }

    async fn work(
        &self,
        rules: &Arc<Rules>,
        presented: &Presented,
        (client, standing): (IpAddr, Standing),
        context: &Context,
        by: Instant,
    ) -> Option<bool> {
        let mut turn = self.turn(client, standing, context, by).await?;
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

    /// A turn, unless it does not come until `by` or the client goes before.
    async fn turn(&self, client: IpAddr, standing: Standing, context: &Context, by: Instant) -> Option<Turn> {
        let left = async {
            context.closed().await;
            sleep(HALF_CLOSED_WAIT).await;
        };
        tokio::select! {
            // In this order: whoever can have a turn has it.
            biased;
            turn = timeout_at(by, self.turns.turn(client, standing)) => turn.ok().flatten(),
            () = left => None,
        }
    }
}

/// A turn did not come.
struct Unknown;

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
