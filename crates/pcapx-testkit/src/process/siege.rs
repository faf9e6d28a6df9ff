//! Guessing passwords from many addresses, and asking with the right one meanwhile.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Connection, PATIENCE, Service, basic};
use crate::bench::peak_kib_of;

/// Each guesser is a thread that does nothing but wait.
const GUESSER_STACK_BYTES: usize = 128 << 10;
/// How long those who are right wait before they ask again.
const PAUSE: Duration = Duration::from_millis(20);

/// What shall be done. The right credentials are those of user `u`, password `right`; addresses are of 127/8.
#[derive(Clone, Copy, Debug)]
pub struct Siege {
    /// Addresses that guess, each on a connection of its own.
    pub addresses: u16,
    /// Guesses of all of them in a minute.
    pub per_minute: u32,
    /// Guesses after which it ends.
    pub guesses: u64,
}

/// How those fared who were right, and what it took.
#[derive(Clone, Debug)]
pub struct Besieged {
    /// Wrong credentials that were answered, all with 401.
    pub guesses: u64,
    /// How long that took.
    pub took: Duration,
    /// Times of those that got in: from the address that was there first, and each from one that is new.
    pub right: [Vec<Duration>; 2],
    /// What those were answered that did not.
    pub refused: Vec<u16>,
    /// Largest resident set of the service.
    pub peak_kib: u64,
}

impl Siege {
    /// Guesses at `GET target`; when each address has guessed once, the first comes who is right, then more and more.
    ///
    /// # Panics
    /// When guesses get another answer than 401, or none.
    pub fn lay(self, service: &Service, target: &str) -> Besieged {
        let (guessed, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let server = service.address();
        thread::scope(|scope| {
            for number in 0..self.addresses {
                let (guessed, stop) = (&guessed, &stop);
                let work = move || self.guess(server, target, number, guessed, stop);
                let builder = thread::Builder::new().stack_size(GUESSER_STACK_BYTES);
                if let Err(error) = builder.spawn_scoped(scope, work) {
                    panic!("no thread: {error}");
                }
            }
            let started = Instant::now();
            let so_far = || guessed.load(Ordering::Relaxed);
            let (mut right, mut refused) = ([Vec::new(), Vec::new()], Vec::new());
            while so_far() < u64::from(self.addresses) && started.elapsed() < PATIENCE {
                thread::sleep(PAUSE);
            }
            while so_far() < self.guesses {
                let newest = right[1].len() as u16;
                for (times, address) in right.iter_mut().zip([local(2, 0), local(3, newest)]) {
                    let begun = Instant::now();
                    match ask(&mut connect(server, address), target, "u:right") {
                        401 => refused.push(401),
                        200 => times.push(begun.elapsed()),
                        other => panic!("{other} for the right credentials"),
                    }
                }
                thread::sleep(PAUSE);
            }
            stop.store(true, Ordering::Relaxed);
            let (count, took) = (so_far(), started.elapsed());
            Besieged { guesses: count, took, right, refused, peak_kib: peak_kib_of(service.pid()) }
        })
    }

    fn guess(self, server: SocketAddr, target: &str, number: u16, guessed: &AtomicU64, stop: &AtomicBool) {
        let mut connection = connect(server, local(1, number));
        let pause = Duration::from_secs(60) * u32::from(self.addresses) / self.per_minute;
        let mut next = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let nth = guessed.fetch_add(1, Ordering::Relaxed);
            assert_eq!(ask(&mut connection, target, &format!("u:{nth}")), 401);
            next += pause;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

fn local(network: u8, number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, network, high, low).into()
}

fn connect(server: SocketAddr, from: IpAddr) -> Connection {
    match Connection::connect_from(server, from) {
        Ok(connection) => connection.patience(PATIENCE * 6),
        Err(error) => panic!("cannot connect from {from}: {error}"),
    }
}

fn ask(connection: &mut Connection, target: &str, credentials: &str) -> u16 {
    let authorization = basic(credentials.as_bytes());
    let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n");
    connection.exchange(head.as_bytes()).status
}

/// Guesses a minute, how many were right and got in, their median and slowest time, and memory.
impl fmt::Display for Besieged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.guesses as f64 * 60.0 / self.took.as_secs_f64();
        write!(
            f,
            "{} guesses, {rate:.0} a minute; refused though right: {}",
            self.guesses,
            self.refused.len()
        )?;
        for (who, times) in ["the same address", "new addresses"].iter().zip(&self.right) {
            let mut sorted = times.clone();
            sorted.sort();
            let [first, median, slowest] = [times.first(), sorted.get(times.len() / 2), sorted.last()]
                .map(|time| time.copied().unwrap_or_default());
            write!(f, "; {} right from {who}: first {first:.1?}, median {median:.1?}", times.len())?;
            write!(f, ", slowest {slowest:.1?}")?;
        }
        write!(f, "; peak {} MiB", self.peak_kib >> 10)
    }
}
