//! Whose turn it is: lists and evidence never wait behind searches.
//!
//! ```text
//! list, evidence ─────────────────────────► AT_A_TIME threads
//! search ─► a seat? ─┬─ yes: in order ────► SEARCHES threads
//!                    └─ no: 503, Retry-After
//! ```
//!
//! A list costs fifty small files, a search nearly half a second of a processor. So searches have threads of their own, fewer
//! than a small machine has processors for long, and only so many wait as are through within some seconds.
//!
//! A turn lasts as long as the work: whoever gives up and asks again while a thread is still busy for him gets no second one.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lists and pages of evidence that are made at once.
const AT_A_TIME: usize = 4;
/// Searches that run at once.
const SEARCHES: usize = 2;
/// Searches that run or wait: with [`super::search`]'s 0.4 s each, the last of them is through after two seconds.
const SEATS: usize = 10;

/// Threads that are to be had.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    pages: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    seats: Arc<Semaphore>,
}

/// The right to one thread; it is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _thread: OwnedSemaphorePermit,
    _seat: Option<OwnedSemaphorePermit>,
}

/// More searches are waiting than would be through in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Turns {
    /// All of them free.
    pub(super) fn new() -> Self {
        let of = |many| Arc::new(Semaphore::new(many));
        Self { pages: of(AT_A_TIME), searches: of(SEARCHES), seats: of(SEATS) }
    }

    /// Waits for a turn of a list or a page of evidence.
    pub(super) async fn page(&self) -> Turn {
        Turn { _thread: taken(&self.pages).await, _seat: None }
    }

    /// Waits for a turn of a search, behind those that came before.
    pub(super) async fn search(&self) -> Result<Turn, Crowded> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| Crowded)?;
        Ok(Turn { _thread: taken(&self.searches).await, _seat: Some(seat) })
    }
}

async fn taken(of: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(of).acquire_owned().await.expect("nobody closes it")
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What is ready at once.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_list_does_not_wait_behind_searches_and_only_so_many_of_them_wait() {
        let turns = Turns::new();
        let running: Vec<_> = (0..SEARCHES).map(|_| now(turns.search()).unwrap().unwrap()).collect();
        let mut waiting: Vec<_> = (SEARCHES..SEATS).map(|_| Box::pin(turns.search())).collect();
        for search in &mut waiting {
            assert!(now(search.as_mut()).is_none());
        }
        assert_eq!(now(turns.search()).map(Result::err), Some(Some(Crowded)));
        // Lists are as free as ever.
        let pages: Vec<_> = (0..AT_A_TIME).map(|_| now(turns.page()).unwrap()).collect();
        assert!(now(turns.page()).is_none());
        drop(pages);
        // Who came first is next, and a seat is free again.
        drop(running);
        let next: Vec<_> = waiting.iter_mut().map(|search| now(search.as_mut())).collect();
        assert!(next[..SEARCHES].iter().all(Option::is_some) && next[SEARCHES..].iter().all(Option::is_none));
        // Who goes, at the end or while he waits, leaves his seat.
        drop((waiting, next));
        assert!(now(turns.search()).is_some_and(|turn| turn.is_ok()));
    }
}
