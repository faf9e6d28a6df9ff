//! Guessing passwords does not keep those out who know them.

use std::net::Ipv4Addr;

use pcapx_core::config::Secret;
use pcapx_testkit::process::{Connection, PATIENCE, Service, Siege, Site, basic, poll, request};

use crate::LISTENER;

/// Guesses from hundreds of addresses, against a plain password and against its hash: everybody who is right gets in.
fn besiege(siege: Siege) {
    for (kind, password) in [("plain", "right".to_owned()), ("argon2id", Secret::hash("right").unwrap())] {
        let mut site = Site::new();
        site.set("listener_auth_user", "u").set("listener_auth_pass", password);
        let service = Service::start_with_log_in_file(LISTENER, &site);
        let besieged = siege.lay(&service, "/");
        eprintln!("listener, {kind}: {besieged}");
        assert!(besieged.refused.is_empty() && besieged.right.iter().all(|times| !times.is_empty()));
    }
}

#[test]
fn guesses_from_many_addresses_keep_nobody_out_who_is_right() {
    besiege(Siege { addresses: 50, per_minute: 60_000, guesses: 1_000 });
}

#[test]
#[ignore = "takes two minutes: cargo test --release -p pcapx-listener --test listener hundreds -- --ignored --nocapture"]
fn a_hundred_thousand_guesses_a_minute_from_hundreds_of_addresses_keep_nobody_out_who_is_right() {
    besiege(Siege { addresses: 300, per_minute: 105_000, guesses: 100_000 });
}

/// A hash of whatever: a second of work or so, whose result does not matter.
const SLOW_HASH: &str = "$argon2id$v=19$m=19456,t=20,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27LA5ahQ1gbyTS";

#[test]
fn guesses_of_clients_that_have_gone_are_not_worked_on() {
    const GUESSERS: u8 = 60;
    let mut site = Site::new();
    site.set("listener_auth_user", "u").set("listener_auth_pass", SLOW_HASH).set("metrics", "open");
    let service = Service::start_with_log_in_file(LISTENER, &site);
    let guess = basic(b"u:guess");
    let guessing: Vec<_> = (1..=GUESSERS)
        .map(|n| {
            let mut connection =
                Connection::connect_from(service.address(), Ipv4Addr::new(127, 5, 0, n).into()).unwrap();
            // Bytes that nobody reads yet do not hide that a client has gone.
            let more = if n % 2 == 0 { "" } else { "GET / HTTP/1.1\r\n" };
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {guess}\r\n\r\n{more}");
            connection.send(head.as_bytes());
            connection
        })
        .collect();
    let figure = |name: &str| {
        let text = request(service.address(), "GET", "/metrics", &[], b"").text();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or("0").to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let all_there = || (figure("pcapx_http_connections ") > u64::from(GUESSERS)).then_some(());
    assert!(poll(PATIENCE, all_there).is_some());
    drop(guessing);
    // The one that asks is the last.
    let all_gone = || (figure("pcapx_http_connections ") < 2).then_some(());
    assert!(poll(PATIENCE, all_gone).is_some());
    let looked_at = figure("pcapx_http_denied_total{reason=\"wrong_credentials\"}");
    let not_looked_at = figure("pcapx_http_denied_total{reason=\"throttled\"}");
    assert_eq!(looked_at + not_looked_at, u64::from(GUESSERS));
    assert!(looked_at < u64::from(GUESSERS) / 2, "{looked_at}");
}
