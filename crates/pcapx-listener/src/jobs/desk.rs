//! Who may run now, who waits, and who is told to come back.
//!
//! ```text
//! place() ─► a seat:  a worker runs the job at once
//!         ─► a number: it waits in the order of numbers until a worker takes it
//!         ─► none:     429
//! ```
//!
//! A seat or a number that is dropped unused is given back, and a seat goes to who waits: an alert that needs no search has
//! taken it for a moment. The queue in memory is only the order: each waiting job stands in its manifest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::Job;

/// Seats and numbers.
#[derive(Debug)]
pub(super) struct Desk {
    seats: usize,
    numbers: usize,
    book: Mutex<Book>,
    /// Seats that are taken, for whoever waits until none is.
    taken: watch::Sender<usize>,
    /// A seat was given back while somebody waits.
    vacant: Notify,
}

#[derive(Debug, Default)]
struct Book {
    taken: usize,
    /// Numbers that were given out and whose jobs are not here yet.
    given: usize,
    next: u64,
    waiting: BTreeMap<u64, Arc<Job>>,
    closed: bool,
}

/// The right to run one job now.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Desk>);

/// The right to wait for a seat.
#[derive(Debug)]
pub(crate) struct Number {
    desk: Arc<Desk>,
    place: u64,
    is_used: bool,
}

/// What a newcomer is given.
#[derive(Debug)]
pub(crate) enum Place {
    /// It may run.
    Seat(Seat),
    /// It has to wait.
    Number(Number),
}

impl Desk {
    /// So many seats, and so many that may wait.
    pub(super) fn new(seats: usize, numbers: usize) -> Arc<Self> {
        Arc::new(Self {
            seats,
            numbers,
            book: Mutex::default(),
            taken: watch::Sender::new(0),
            vacant: Notify::new(),
        })
    }

    /// How many seats there are.
    pub(super) fn seats(&self) -> usize {
        self.seats
    }

    /// A place for a newcomer; `None` when all are taken.
    pub(super) fn place(self: &Arc<Self>) -> Option<Place> {
        let mut book = self.book();
        if book.taken < self.seats && book.waiting.is_empty() {
            self.take(&mut book);
            return Some(Place::Seat(Seat(Arc::clone(self))));
        }
        (book.waiting.len() + book.given < self.numbers).then(|| Place::Number(self.number(&mut book)))
    }

    /// A number behind all others, whatever the limit: for what an earlier run has accepted.
    pub(super) fn number_regardless(self: &Arc<Self>) -> Number {
        self.number(&mut self.book())
    }

    fn number(self: &Arc<Self>, book: &mut Book) -> Number {
        book.given += 1;
        book.next += 1;
        Number { desk: Arc::clone(self), place: book.next, is_used: false }
    }

    fn take(&self, book: &mut Book) {
        book.taken += 1;
        self.taken.send_replace(book.taken);
    }

    /// Takes `job` out of those that wait, if it does.
    pub(super) fn leave(&self, job: &Arc<Job>) {
        self.book().waiting.retain(|_, waiting| !Arc::ptr_eq(waiting, job));
    }

    /// From now on nobody who waits gets a seat.
    pub(super) fn close(&self) {
        self.book().closed = true;
    }

    /// A seat that was given back while somebody waits. Whoever gets it has to use it, or to pass it on.
    pub(super) async fn vacancy(self: &Arc<Self>) -> Seat {
        loop {
            {
                let mut book = self.book();
                if self.is_wanted(&book) {
                    self.take(&mut book);
                    return Seat(Arc::clone(self));
                }
            }
            self.vacant.notified().await;
        }
    }

    /// Whether there is a seat, and somebody who waits for it.
    fn is_wanted(&self, book: &Book) -> bool {
        !book.closed && !book.waiting.is_empty() && book.taken < self.seats
    }

    /// Jobs that wait.
    pub(super) fn waiting(&self) -> usize {
        self.book().waiting.len()
    }

    /// Seats that are taken.
    pub(super) fn running(&self) -> usize {
        self.book().taken
    }

    /// Returns once no seat is taken.
    pub(super) async fn empty(&self) {
        // An error would mean that the desk is gone, and with it all seats.
        let _ = self.taken.subscribe().wait_for(|taken| *taken == 0).await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The job that has waited longest, to be run on the same seat; without one, the seat is given back.
    pub(super) fn next(self) -> Option<(Self, Arc<Job>)> {
        let next = {
            let mut book = self.0.book();
            if book.closed { None } else { book.waiting.pop_first() }
        };
        next.map(|(_, job)| (self, job))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut book = self.0.book();
        book.taken -= 1;
        self.0.taken.send_replace(book.taken);
        if self.0.is_wanted(&book) {
            self.0.vacant.notify_one();
        }
    }
}

impl Number {
    /// Lets `job` wait. Returns a seat where one is free: whoever gets it has to use it, or to pass it on.
    pub(super) fn wait(mut self, job: Arc<Job>) -> Option<Seat> {
        self.is_used = true;
        let mut book = self.desk.book();
        book.given -= 1;
        book.waiting.insert(self.place, job);
        if !self.desk.is_wanted(&book) {
            return None;
        }
        self.desk.take(&mut book);
        drop(book);
        Some(Seat(Arc::clone(&self.desk)))
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if !self.is_used {
            self.desk.book().given -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::jobs::tests::job;

    fn seat(place: Option<Place>) -> Seat {
        match place {
            Some(Place::Seat(seat)) => seat,
            other => panic!("{other:?}"),
        }
    }

    fn number(place: Option<Place>) -> Number {
        match place {
            Some(Place::Number(number)) => number,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_queue_a_taken_seat_turns_away() {
        let desk = Desk::new(1, 0);
        let first = seat(desk.place());
        assert!(desk.place().is_none());
        drop(first);
        drop(seat(desk.place()));
        assert_eq!(desk.running(), 0);
    }

    #[test]
    fn those_who_wait_are_served_in_the_order_of_their_numbers() {
        let desk = Desk::new(1, 3);
        let first = seat(desk.place());
        let numbers: Vec<_> = (0..3).map(|_| number(desk.place())).collect();
        assert!(desk.place().is_none(), "all numbers are given out");
        // The jobs come in another order than the numbers.
        for (number, name) in numbers.into_iter().zip(["a", "b", "c"]).rev() {
            assert!(number.wait(job(name)).is_none());
        }
        let mut served = Vec::new();
        let mut seat = Some(first);
        while let Some((kept, job)) = seat.take().and_then(Seat::next) {
            served.push(job.manifest().name.clone());
            seat = Some(kept);
        }
        assert_eq!(
            (served, desk.running(), desk.waiting()),
            (vec!["a".into(), "b".into(), "c".into()], 0, 0)
        );
    }

    #[test]
    fn a_seat_that_came_free_in_between_is_used() {
        let desk = Desk::new(1, 1);
        let first = seat(desk.place());
        let number = number(desk.place());
        drop(first);
        let seat = number.wait(job("a")).unwrap();
        assert_eq!(seat.next().unwrap().1.manifest().name, "a");
        assert_eq!(desk.running(), 0);
    }

    #[tokio::test]
    async fn a_seat_that_was_not_needed_goes_to_who_waits() {
        let desk = Desk::new(2, 3);
        let (one, other) = (seat(desk.place()), seat(desk.place()));
        for name in ["a", "b"] {
            assert!(number(desk.place()).wait(job(name)).is_none());
        }
        drop(one);
        let (kept, first) = desk.vacancy().await.next().unwrap();
        drop(other);
        let (_kept_too, second) = desk.vacancy().await.next().unwrap();
        assert_eq!((&*first.manifest().name, &*second.manifest().name), ("a", "b"));
        drop(kept);
        assert!(
            tokio::time::timeout(Duration::from_millis(10), desk.vacancy()).await.is_err(),
            "nobody waits"
        );
        assert_eq!((desk.running(), desk.waiting()), (1, 0));
    }

    #[test]
    fn a_number_that_is_not_used_goes_back() {
        let desk = Desk::new(1, 1);
        let _first = seat(desk.place());
        drop(number(desk.place()));
        drop(number(desk.place()));
    }

    #[test]
    fn who_leaves_makes_room() {
        let desk = Desk::new(1, 1);
        let first = seat(desk.place());
        let waiting = job("a");
        assert!(number(desk.place()).wait(Arc::clone(&waiting)).is_none());
        assert!(desk.place().is_none());
        desk.leave(&job("a"));
        assert_eq!(desk.waiting(), 1, "another job of the same name");
        desk.leave(&waiting);
        assert_eq!(desk.waiting(), 0);
        drop(number(desk.place()));
        assert!(first.next().is_none());
    }

    #[test]
    fn a_closed_desk_serves_nobody_who_waits() {
        let desk = Desk::new(1, 2);
        let first = seat(desk.place());
        assert!(number(desk.place()).wait(job("a")).is_none());
        desk.close();
        assert!(first.next().is_none());
        assert!(number(desk.place()).wait(job("b")).is_none());
        assert_eq!((desk.waiting(), desk.running()), (2, 0));
    }
}
