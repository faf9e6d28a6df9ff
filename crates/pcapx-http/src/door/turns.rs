//! Whose hash is worked on next.
//!
//! ```text
//! proven ─────►┐  first come, first served
//! fresh ──────►├─ the same while few wait; else the last to come is the first
//! was wrong ──►┘  first come, first served; here stands also whoever had a turn and has more waiting
//! ```
//!
//! Those who were right come first, those of whom nothing is known next, those who were wrong lately last – but each
//! fourth turn is given from the other end. So a flood of guesses from hundreds of addresses stands behind whoever comes
//! new, and still those who were wrong have their share.
//!
//! Of hundreds of fresh addresses those that came first have waited for long and mostly given up; if each waited for all
//! before it, everybody would wait for as long, and the one who is right among them too. When there is no more room, the
//! oldest of them is sent away for a new one.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pcapx_core::config::HashMemory;
use tokio::sync::oneshot;

/// Different credentials of one address that may wait.
pub(super) const MOST_PER_ADDRESS: usize = 4;
/// The same for all addresses, so that as many can ask at once: half a minute of work with a usual hash, and a quarter of
/// the connections there may be.
const MOST: usize = 1024;
/// So many fresh addresses are served in the order in which they came: a second or two of work with a usual hash.
const FEW: usize = 32;
/// Of this many turns one goes to those who come last otherwise.
const ROUND: u32 = 4;
/// The largest memory that is kept from one turn to the next. What is larger glibc gives back to the system when it is
/// freed (`DEFAULT_MMAP_THRESHOLD_MAX`); what is smaller it would keep once for each thread that ever worked in it.
const MOST_KEPT_BYTES: usize = 32 << 20;

/// What is known of an address, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Somebody was right there lately.
    Proven,
    /// Nothing is known.
    Fresh,
    /// Somebody was wrong there lately, or came back sooner than told.
    Wrong,
}

/// The turns of one service, and who waits for them.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// One for each turn that nobody has.
    free: Vec<HashMemory>,
    /// Addresses in the order of their turns, by standing.
    rings: [VecDeque<IpAddr>; 3],
    waiting: HashMap<IpAddr, Waiting>,
    /// How many wait in all.
    count: usize,
    /// Turns given so far.
    given: u32,
    /// Tickets given so far.
    tickets: u64,
}

#[derive(Debug)]
struct Waiting {
    standing: Standing,
    /// By number.
    tickets: VecDeque<(u64, oneshot::Sender<Turn>)>,
}

/// Takes a ticket out of the line when dropped, if it is still there.
struct Leaves<'a> {
    turns: &'a Turns,
    client: IpAddr,
    number: u64,
}

/// The right to work on a hash, and the memory for it. Dropping it gives both on.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    pub(super) memory: HashMemory,
}

impl Turns {
    /// At most `at_a_time` at a time.
    pub(super) fn new(at_a_time: usize) -> Arc<Self> {
        let free = (0..at_a_time).map(|_| HashMemory::default()).collect();
        let state = State {
            free,
            rings: Default::default(),
            waiting: HashMap::new(),
            count: 0,
            given: 0,
            tickets: 0,
        };
        Arc::new(Turns { state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn for `client`, when it comes; `None` when too many wait. Whoever drops the future is out of the line.
    pub(super) async fn turn(self: &Arc<Self>, client: IpAddr, standing: Standing) -> Option<Turn> {
        let (number, ticket) = {
            let mut state = self.state();
            // Whoever gives a turn back gives it to those who wait, so nobody waits while one is free.
            if let Some(memory) = state.free.pop() {
                return Some(Turn { turns: Arc::clone(self), memory });
            }
            state.enter(client, standing)?
        };
        let _leaves = Leaves { turns: self, client, number };
        ticket.await.ok()
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.state().count
    }
}

impl State {
    fn enter(&mut self, client: IpAddr, standing: Standing) -> Option<(u64, oneshot::Receiver<Turn>)> {
        let waits = self.waiting.get(&client).map_or(0, |waiting| waiting.tickets.len());
        if waits >= MOST_PER_ADDRESS || (self.count >= MOST && !self.make_room(waits + 1, standing)) {
            return None;
        }
        let (ticket, turn) = oneshot::channel();
        let waiting = self.waiting.entry(client).or_insert_with(|| {
            self.rings[standing as usize].push_back(client);
            Waiting { standing, tickets: VecDeque::new() }
        });
        self.tickets += 1;
        waiting.tickets.push_back((self.tickets, ticket));
        self.count += 1;
        Some((self.tickets, turn))
    }

    /// Sends away the last of the address of which most wait, if that is worse than one of which `waits` would. A fresh one
    /// is not worse than another, but it makes the oldest of them go.
    fn make_room(&mut self, waits: usize, standing: Standing) -> bool {
        let share = |address: &IpAddr| {
            self.waiting.get(address).map_or((0, Standing::Proven), |of| (of.tickets.len(), of.standing))
        };
        let [proven, fresh, wrong] = &self.rings;
        // Of equal ones the last: of fresh ones the first to come, of others who has waited least.
        let all = proven.iter().chain(fresh.iter().rev()).chain(wrong);
        let Some(worst) = all.copied().max_by_key(share) else { return false };
        let mine = (waits, standing);
        if share(&worst) < mine || (share(&worst) == mine && standing != Standing::Fresh) {
            return false;
        }
        let last = self.waiting.get(&worst).and_then(|waiting| waiting.tickets.back());
        if let Some(&(number, _)) = last {
            self.leave(worst, number);
        }
        true
    }

    /// Takes a ticket out of the line.
    fn leave(&mut self, client: IpAddr, number: u64) {
        let Some(waiting) = self.waiting.get_mut(&client) else { return };
        let before = waiting.tickets.len();
        waiting.tickets.retain(|(other, _)| *other != number);
        self.count -= before - waiting.tickets.len();
        if waiting.tickets.is_empty() {
            self.rings[waiting.standing as usize].retain(|address| *address != client);
            self.waiting.remove(&client);
        }
    }

    /// Whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        self.given = self.given.wrapping_add(1);
        let [proven, fresh, wrong] = &mut self.rings;
        let address = if self.given.is_multiple_of(ROUND) {
            wrong.pop_front().or_else(|| fresh.pop_front()).or_else(|| proven.pop_front())
        } else {
            let next_fresh = if fresh.len() > FEW { VecDeque::pop_back } else { VecDeque::pop_front };
            proven.pop_front().or_else(|| next_fresh(fresh)).or_else(|| wrong.pop_front())
        }?;
        let waiting = self.waiting.get_mut(&address)?;
        let (_, ticket) = waiting.tickets.pop_front()?;
        self.count -= 1;
        if waiting.tickets.is_empty() {
            self.waiting.remove(&address);
        } else {
            // It is new no more.
            if waiting.standing == Standing::Fresh {
                waiting.standing = Standing::Wrong;
            }
            self.rings[waiting.standing as usize].push_back(address);
        }
        Some(ticket)
    }
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.turns.state().leave(self.client, self.number);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut memory = mem::take(&mut self.memory);
        if memory.bytes() > MOST_KEPT_BYTES {
            memory = HashMemory::default();
        }
        let ticket = {
            let mut state = self.turns.state();
            match state.next() {
                Some(ticket) => ticket,
                None => return state.free.push(memory),
            }
        };
        // If nobody waits for it any more it is dropped, here and without the lock, and so given on.
        let _ = ticket.send(Turn { turns: Arc::clone(&self.turns), memory });
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Asking = Pin<Box<dyn Future<Output = Option<Turn>>>>;

    fn address(number: usize) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number as u32).into()
    }

    fn poll(asking: &mut Asking) -> Poll<Option<Turn>> {
        asking.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Gets into the line; what is said at once, if it is.
    fn ask(turns: &Arc<Turns>, number: usize, standing: Standing) -> (usize, Asking, Poll<Option<Turn>>) {
        let turns = Arc::clone(turns);
        let mut asking: Asking = Box::pin(async move { turns.turn(address(number), standing).await });
        let said = poll(&mut asking);
        (number, asking, said)
    }

    /// Takes the only turn of all who wait, one after the other; whose it was, in order.
    fn order(first: Turn, mut waiting: Vec<(usize, Asking, Poll<Option<Turn>>)>) -> Vec<usize> {
        drop(first);
        let mut order = Vec::new();
        loop {
            let had = waiting.iter_mut().find_map(|(number, asking, said)| {
                if said.is_pending() {
                    *said = poll(asking);
                }
                match said {
                    Poll::Ready(turn) => turn.take().map(|turn| (*number, turn)),
                    Poll::Pending => None,
                }
            });
            let Some((number, turn)) = had else { return order };
            order.push(number);
            drop(turn);
        }
    }

    fn only(turns: &Arc<Turns>) -> Turn {
        match pin!(turns.turn(address(0), Standing::Fresh)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(turn)) => turn,
            said => panic!("{said:?}"),
        }
    }

    #[test]
    fn the_best_come_first_and_each_fourth_turn_goes_to_the_last() {
        let turns = Turns::new(1);
        let first = only(&turns);
        let mut waiting: Vec<_> = (1..=6).map(|n| ask(&turns, n, Standing::Wrong)).collect();
        waiting.extend((11..=14).map(|n| ask(&turns, n, Standing::Fresh)));
        waiting.extend((21..=22).map(|n| ask(&turns, n, Standing::Proven)));
        assert_eq!(order(first, waiting), [21, 22, 11, 1, 12, 13, 14, 2, 3, 4, 5, 6]);
        assert_eq!(turns.count(), 0);
    }

    #[test]
    fn an_address_that_asks_more_waits_more() {
        let turns = Turns::new(1);
        let first = only(&turns);
        let mut waiting: Vec<_> = (0..6).map(|_| ask(&turns, 1, Standing::Fresh)).collect();
        waiting.extend((2..=3).map(|n| ask(&turns, n, Standing::Fresh)));
        let refused = waiting.iter().filter(|(.., said)| matches!(said, Poll::Ready(None))).count();
        assert_eq!(refused, 6 - MOST_PER_ADDRESS);
        assert_eq!(order(first, waiting), [1, 2, 3, 1, 1, 1]);
    }

    #[test]
    fn of_many_that_are_new_the_last_to_come_is_the_first() {
        let turns = Turns::new(1);
        let first = only(&turns);
        let mut waiting: Vec<_> = (1..=2 * FEW).map(|n| ask(&turns, n, Standing::Fresh)).collect();
        // It has two waiting: the second is behind everybody.
        waiting.push(ask(&turns, 2 * FEW, Standing::Fresh));
        let order = order(first, waiting);
        assert_eq!(order[..6], [2 * FEW, 2 * FEW - 1, 2 * FEW - 2, 2 * FEW, 2 * FEW - 3, 2 * FEW - 4]);
        assert_eq!(order.len(), 2 * FEW + 1);
        let few = order[order.len() - FEW / 2..].is_sorted();
        assert!(few, "{order:?}");
    }

    #[test]
    fn a_new_address_has_room_and_the_oldest_of_the_others_goes() {
        let turns = Turns::new(1);
        let first = only(&turns);
        let mut waiting: Vec<_> = (1..=MOST).map(|n| ask(&turns, n, Standing::Fresh)).collect();
        waiting.push(ask(&turns, MOST + 1, Standing::Fresh));
        assert!(matches!(poll(&mut waiting[0].1), Poll::Ready(None)), "the oldest is sent away");
        waiting[0].2 = Poll::Ready(None);
        assert!(matches!(ask(&turns, MOST + 2, Standing::Wrong).2, Poll::Ready(None)));
        assert_eq!(turns.count(), MOST);
        let order = order(first, waiting);
        assert_eq!((order.len(), order[0]), (MOST, MOST + 1));
    }

    #[test]
    fn when_too_many_wait_who_has_most_gives_way() {
        let turns = Turns::new(1);
        let first = only(&turns);
        let mut waiting = Vec::new();
        // Two of each wait: half of the addresses of which something is known.
        for n in 0..MOST / 2 {
            let standing = if n % 2 == 0 { Standing::Fresh } else { Standing::Wrong };
            waiting.extend([ask(&turns, n, standing), ask(&turns, n, standing)]);
        }
        assert_eq!(turns.count(), MOST);
        assert!(matches!(ask(&turns, 1, Standing::Wrong).2, Poll::Ready(None)), "would have three");
        let newer: Vec<_> = (0..MOST / 2).map(|n| ask(&turns, 1000 + n, Standing::Wrong)).collect();
        assert!(newer.iter().all(|(.., said)| said.is_pending()), "everybody has one");
        assert!(
            matches!(ask(&turns, 5000, Standing::Wrong).2, Poll::Ready(None)),
            "and nobody more than one"
        );
        let newest = ask(&turns, 5001, Standing::Fresh);
        assert!(newest.2.is_pending(), "before one who was wrong");
        waiting.extend(newer);
        waiting.push(newest);
        let mut had = order(first, waiting);
        assert_eq!(had.len(), MOST);
        had.sort_unstable();
        had.dedup();
        assert_eq!(had.len(), MOST, "one of each");
        assert!(had.contains(&5001));
    }

    #[test]
    fn who_goes_away_keeps_no_turn() {
        let turns = Turns::new(1);
        let first = only(&turns);
        let gone: Vec<_> = (1..=5).map(|n| ask(&turns, n, Standing::Fresh)).collect();
        let mut stays = ask(&turns, 6, Standing::Fresh);
        assert_eq!(turns.count(), 6);
        drop(gone);
        assert_eq!(turns.count(), 1, "they are out of the line at once");
        assert!(turns.state().rings.iter().flatten().eq(&[address(6)]));
        drop(first);
        let Poll::Ready(Some(turn)) = poll(&mut stays.1) else { panic!("the turn is lost") };
        // Goes away when the turn is there already.
        let late = ask(&turns, 7, Standing::Fresh);
        drop(turn);
        drop(late);
        drop(only(&turns));
    }

    #[test]
    fn large_memory_is_not_kept() {
        let turns = Turns::new(1);
        for (m_cost_kib, kept) in [(64, true), (64 << 10, false)] {
            let hash =
                format!("$argon2id$v=19$m={m_cost_kib},t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27LA5ahQ1gbyTS");
            let mut turn = only(&turns);
            assert!(!pcapx_core::config::Secret::new(hash).unwrap().matches_in(b"x", &mut turn.memory));
            assert_eq!(turn.memory.bytes(), m_cost_kib << 10);
            drop(turn);
            assert_eq!(only(&turns).memory.bytes() > 0, kept);
        }
    }
}
