//! Merges the batches of all segments by time and writes them.
//!
//! Workers scan the candidates in order, a little ahead of the merge. The merge *opens* a candidate when its packets
//! can be next, waits for its first batch, and writes from the earliest batch as far as no other can be earlier. A
//! candidate that is needed before a worker has come to it is scanned by the merge itself if it is a small piece, or gets a
//! thread of its own: the merge never waits for a scan that has not begun, and so cannot wait for ever. An answer of which
//! little has to be read needs no thread at all.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Instant;

use super::batch::Batch;
use super::encode::Encoding;
use super::output::Output;
use super::read_ahead;
use super::scan::{self, Done, Message, Shared};
use super::{Account, Candidate, Counts, ExtractError, PIECE_BATCHES, QUEUE_BATCHES};
use crate::matcher::Matcher;
use crate::query::Query;
use pcapx_core::time::Timestamp;

/// Candidates that workers may begin before the merge has opened them.
const LOOKAHEAD: usize = 8;
/// Candidates open at a time. Where more than these overlap, the output comes out in runs.
const MAX_OPEN: usize = 16;

/// Runs the query over `candidates` and writes what matches to `output`.
pub(super) fn run(
    query: &Query<'_>,
    candidates: &[Candidate<'_>],
    matcher: Option<&Matcher>,
    encoding: &Encoding,
    output: Output,
    account: &mut Account,
) -> Result<Output, ExtractError> {
    let begun = Instant::now();
    let shared = Shared { query, matcher, encoding, is_cold: AtomicBool::new(false) };
    let queue = |candidate: &Candidate<'_>| {
        sync_channel(if candidate.ranges().is_some() { PIECE_BATCHES } else { QUEUE_BATCHES })
    };
    let (senders, receivers) = candidates.iter().map(queue).unzip();
    // The merge is a worker, too, where there is no more than one candidate for each.
    let threads = query.threads_for(candidates.len());
    let own = usize::from(threads > 0 && threads == candidates.len());
    let schedule = Schedule::new(senders, own);
    let output = thread::scope(|scope| {
        // Whichever way the merge ends, the workers are told: `receivers` are gone by then, so none is left waiting.
        let _ending = EndOnDrop(&schedule);
        let crew = Crew { scope, shared: &shared, candidates, schedule: &schedule };
        crew.hire(threads - own)?;
        Merge { crew, receivers, opened: 0, open: Vec::new(), output, account }.run()
    })?;
    account.extraction.steps.search = begun.elapsed();
    Ok(output)
}

/// Which candidates are taken, and how far workers may go.
struct Schedule {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The sending end of each candidate that no thread has taken.
    senders: Vec<Option<SyncSender<Message>>>,
    /// All candidates before this one are taken, or left to the merge.
    next: usize,
    /// Candidates from this one on are not to be begun yet.
    horizon: usize,
    ended: bool,
}

impl Schedule {
    /// Workers begin with the candidate `next`.
    fn new(senders: Vec<SyncSender<Message>>, next: usize) -> Self {
        let senders = senders.into_iter().map(Some).collect();
        Self {
            state: Mutex::new(State { senders, next, horizon: LOOKAHEAD, ended: false }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next candidate for a worker; waits for the merge to come near. `None` when there is none left.
    fn take_next(&self) -> Option<(usize, SyncSender<Message>)> {
        let mut state = self.state();
        loop {
            if state.ended || state.next >= state.senders.len() {
                return None;
            }
            if state.next >= state.horizon {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let number = state.next;
            state.next += 1;
            if let Some(sender) = state.senders[number].take() {
                return Some((number, sender));
            }
        }
    }

    /// Takes a candidate that the merge opens, unless a worker has it.
    fn take(&self, number: usize) -> Option<SyncSender<Message>> {
        let mut state = self.state();
        state.horizon = state.horizon.max(number + 1 + LOOKAHEAD);
        self.changed.notify_all();
        state.senders[number].take()
    }

    fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }
}

struct EndOnDrop<'s>(&'s Schedule);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The threads that scan.
struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env Shared<'env>,
    candidates: &'env [Candidate<'env>],
    schedule: &'env Schedule,
}

impl Crew<'_, '_> {
    /// Starts workers that take one candidate after another.
    fn hire(&self, workers: usize) -> Result<(), ExtractError> {
        let (shared, candidates, schedule) = (self.shared, self.candidates, self.schedule);
        for _ in 0..workers {
            let work = move || {
                while let Some((number, sender)) = schedule.take_next() {
                    // Its turn comes about when this one is done.
                    if let Some(later) = candidates.get(number + workers)
                        && shared.is_cold.load(Ordering::Relaxed)
                    {
                        read_ahead::ask_for_head(later);
                    }
                    scan::run(shared, &candidates[number], &|message| sender.send(message).is_ok());
                }
            };
            self.spawn(work)?;
        }
        Ok(())
    }

    /// Makes sure that a candidate is being scanned, or has been: then these are its messages.
    fn need(&self, number: usize) -> Result<Option<VecDeque<Message>>, ExtractError> {
        let Some(sender) = self.schedule.take(number) else { return Ok(None) };
        let (shared, candidate) = (self.shared, &self.candidates[number]);
        if candidate.is_small() {
            let messages = RefCell::default();
            scan::run(shared, candidate, &|message| {
                VecDeque::push_back(&mut messages.borrow_mut(), message);
                true
            });
            return Ok(Some(messages.into_inner()));
        }
        self.spawn(move || scan::run(shared, candidate, &|message| sender.send(message).is_ok()))?;
        Ok(None)
    }
}

impl<'scope> Crew<'scope, '_> {
    fn spawn(&self, work: impl FnOnce() + Send + 'scope) -> Result<(), ExtractError> {
        thread::Builder::new()
            .name("pcapx-scan".into())
            .spawn_scoped(self.scope, work)
            .map(drop)
            .map_err(ExtractError::Thread)
    }
}

/// What the order of packets is decided by: time, then the candidate's rank.
type Key = (Timestamp, (u32, u32));

/// Where the messages of a scan come from.
enum Inbox {
    /// From another thread.
    Queue(Receiver<Message>),
    /// All are there.
    Held(VecDeque<Message>),
}

impl Inbox {
    /// The next message, waited for. `None` when the scan has ended without a last word: it has panicked.
    fn next(&mut self) -> Option<Message> {
        match self {
            Self::Queue(receiver) => receiver.recv().ok(),
            Self::Held(messages) => messages.pop_front(),
        }
    }
}

/// A candidate whose packets are being merged.
struct Open {
    rank: (u32, u32),
    inbox: Inbox,
    batch: Batch,
    /// The batch's first entry that is not written yet.
    position: usize,
}

impl Open {
    fn next_time(&self) -> Timestamp {
        self.batch.entries.get(self.position).map_or(Timestamp::MAX, |e| e.time)
    }

    /// Order of candidates whose next packets have the same time.
    fn key(&self) -> Key {
        (self.next_time(), self.rank)
    }
}

struct Merge<'m, 'scope, 'env> {
    crew: Crew<'scope, 'env>,
    receivers: Vec<Receiver<Message>>,
    /// Candidates before this one have been opened.
    opened: usize,
    /// Those that have packets left; the earliest last.
    open: Vec<Open>,
    output: Output,
    account: &'m mut Account,
}

impl Merge<'_, '_, '_> {
    fn run(mut self) -> Result<Output, ExtractError> {
        self.receivers.reverse();
        loop {
            self.open_due()?;
            let Some(mut first) = self.open.pop() else { return Ok(self.output) };
            // Entries up to the earliest packet of any other candidate can be written at once.
            let others = self.open.last().map(Open::key);
            let unopened = (self.open.len() + 1 < MAX_OPEN).then(|| self.not_before(self.opened)).flatten();
            let bound = others.into_iter().chain(unopened).min();
            let rest = &first.batch.entries[first.position..];
            let n = match bound {
                None => rest.len(),
                Some(bound) => rest.partition_point(|e| (e.time, first.rank) < bound),
            };
            let until = first.position + n;
            if !self.output.append(&mut first.batch, first.position..until, self.crew.shared.encoding)? {
                return Ok(self.output);
            }
            first.position = until;
            if first.position < first.batch.entries.len() {
                self.insert(first);
            } else if let Some(batch) = self.receive(&mut first.inbox)? {
                self.insert(Open { batch, position: 0, ..first });
            }
        }
    }

    /// Opens every candidate that can have a packet before the earliest at hand.
    fn open_due(&mut self) -> Result<(), ExtractError> {
        while self.open.len() < MAX_OPEN
            && let Some(next) = self.not_before(self.opened)
            && self.open.last().is_none_or(|first| next <= first.key())
        {
            let Some(receiver) = self.receivers.pop() else { break };
            let number = self.opened;
            self.opened += 1;
            let mut inbox = self.crew.need(number)?.map_or(Inbox::Queue(receiver), Inbox::Held);
            if let Some(batch) = self.receive(&mut inbox)? {
                let rank = self.crew.candidates[number].rank;
                self.insert(Open { rank, inbox, batch, position: 0 });
            }
        }
        Ok(())
    }

    /// The least key that a packet of candidate `number` can have.
    fn not_before(&self, number: usize) -> Option<Key> {
        self.crew.candidates.get(number).map(|candidate| (candidate.not_before, candidate.rank))
    }

    fn insert(&mut self, open: Open) {
        let key = Reverse(open.key());
        let at = self.open.partition_point(|o| Reverse(o.key()) < key);
        self.open.insert(at, open);
    }

    /// The next batch of a candidate; `None` when it has no more, its counts then being added.
    fn receive(&mut self, inbox: &mut Inbox) -> Result<Option<Batch>, ExtractError> {
        match inbox.next() {
            Some(Message::Batch(batch)) => Ok(Some(batch)),
            Some(Message::Done(done)) => {
                self.add(done);
                Ok(None)
            }
            Some(Message::Failed(e)) => Err(e),
            // The scope passes the panic on when all threads are joined.
            None => Ok(None),
        }
    }

    fn add(&mut self, Done { counts, warnings, seen }: Done) {
        let Account { extraction, seen: all } = &mut *self.account;
        all.extend(seen);
        // What was matched is counted as it is written: a limit may end the answer before.
        extraction.counts.add(&Counts { packets_matched: 0, ..counts });
        for warning in warnings {
            // Several pieces of a segment may have met the same.
            if !extraction.warnings.contains(&warning) {
                extraction.warnings.push(warning);
            }
        }
    }
}
