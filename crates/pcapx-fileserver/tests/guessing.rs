//! Guessing passwords does not keep those out who know them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::config::Secret;
use pcapx_testkit::process::{Connection, Service, Siege, Site, basic, request};

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");
/// Connections that guess.
const GUESSERS: usize = 4;

/// A service with a hashed password that takes loopback for a proxy, so that a test can ask from any address.
fn start() -> (Site, Service) {
    let mut site = Site::new();
    std::fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    site.set("fileserver_auth_user", "u").set("fileserver_auth_pass", Secret::hash("right").unwrap());
    site.set("trusted_proxies", vec!["127.0.0.0/8"]);
    let service = Service::spawn(site.command(BINARY).env("PCAPX_LOG", "error")).unwrap();
    (site, service)
}

/// Guesses on `GUESSERS` connections until told to stop, at most `per_minute` in all.
struct Guessing {
    stop: Arc<AtomicBool>,
    guessed: Arc<AtomicU64>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Guessing {
    fn start(service: &Service, from: &'static str, per_minute: u64) -> Self {
        let (stop, guessed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let server = service.address();
        let pause = Duration::from_secs(60) * GUESSERS as u32 / per_minute as u32;
        let threads = (0..GUESSERS)
            .map(|_| {
                let (stop, guessed) = (Arc::clone(&stop), Arc::clone(&guessed));
                thread::spawn(move || {
                    let mut connection = Connection::open(server);
                    let mut next = Instant::now();
                    while !stop.load(Ordering::Relaxed) {
                        let number = guessed.fetch_add(1, Ordering::Relaxed);
                        let guess = basic(format!("u:{number}").as_bytes());
                        let head = format!(
                            "GET /a.pcap HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {from}\r\n\
                             Authorization: {guess}\r\n\r\n"
                        );
                        assert_eq!(connection.exchange(head.as_bytes()).status, 401);
                        next += pause;
                        thread::sleep(next.saturating_duration_since(Instant::now()));
                    }
                })
            })
            .collect();
        Guessing { stop, guessed, threads }
    }

    fn count(&self) -> u64 {
        self.guessed.load(Ordering::Relaxed)
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

fn ask(service: &Service, from: &str) -> (u16, Duration) {
    let started = Instant::now();
    let right = basic(b"u:right");
    let headers = [("Authorization", right.as_str()), ("X-Forwarded-For", from)];
    (request(service.address(), "GET", "/a.pcap", &headers, b"").status, started.elapsed())
}

/// Lets `total` guesses come from one address at `per_minute` and asks meanwhile: from the same address, where the
/// password was right before, and each time from a new one.
fn siege(total: u64, per_minute: u64) {
    let (_site, service) = start();
    assert_eq!(ask(&service, "192.0.2.1").0, 200);
    let guessing = Guessing::start(&service, "192.0.2.1", per_minute);
    let started = Instant::now();
    let (mut known, mut new) = (Vec::new(), Vec::new());
    while guessing.count() < total {
        for (from, times) in
            [("192.0.2.1".to_owned(), &mut known), (format!("198.51.100.{}", new.len() % 250), &mut new)]
        {
            let (status, took) = ask(&service, &from);
            assert_eq!(status, 200, "{from}");
            times.push(took);
        }
        thread::sleep(Duration::from_millis(20));
    }
    let rate = guessing.count() as f64 * 60.0 / started.elapsed().as_secs_f64();
    guessing.stop();
    for (who, times) in [("known", &mut known), ("new", &mut new)] {
        times.sort();
        let (median, last) = (times[times.len() / 2], times[times.len() - 1]);
        eprintln!(
            "{rate:.0} guesses a minute: {} right logins from {who} addresses, median {median:?}, slowest {last:?}",
            times.len()
        );
    }
}

#[test]
fn who_knows_the_password_gets_in_while_others_guess() {
    siege(3_000, 600_000);
}

#[test]
#[ignore = "takes a minute: cargo test --release -p pcapx-fileserver --test guessing -- --ignored --nocapture"]
fn who_knows_the_password_gets_in_at_a_hundred_thousand_guesses_a_minute() {
    siege(100_000, 100_000);
}

/// Guesses from hundreds of addresses, against a plain password and against its hash: everybody who is right gets in.
fn besiege(siege: Siege) {
    for (kind, password) in [("plain", "right".to_owned()), ("argon2id", Secret::hash("right").unwrap())] {
        let mut site = Site::new();
        std::fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
        site.set("fileserver_auth_user", "u").set("fileserver_auth_pass", password);
        let service = Service::start_with_log_in_file(BINARY, &site);
        let besieged = siege.lay(&service, "/a.pcap");
        eprintln!("fileserver, {kind}: {besieged}");
        assert!(besieged.refused.is_empty() && besieged.right.iter().all(|times| !times.is_empty()));
    }
}

#[test]
fn guesses_from_many_addresses_keep_nobody_out_who_is_right() {
    besiege(Siege { addresses: 50, per_minute: 60_000, guesses: 1_000 });
}

#[test]
#[ignore = "takes two minutes: cargo test --release -p pcapx-fileserver --test guessing hundreds -- --ignored --nocapture"]
fn a_hundred_thousand_guesses_a_minute_from_hundreds_of_addresses_keep_nobody_out_who_is_right() {
    besiege(Siege { addresses: 300, per_minute: 105_000, guesses: 100_000 });
}
