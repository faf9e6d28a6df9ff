//! A hundred thousand pieces of evidence: the work of a request does not grow with them.
//!
//! With all manifests on the disk: `cargo test --release -p pcapx-fileserver --test pages -- --ignored --nocapture volume`

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_testkit::process::{PATIENCE, Service, Site, poll, request};

use crate::fixture::Piece;
use crate::list::link;
use crate::{assert_has, get, listed, page, plain, start};

const MANY: i64 = 100_000;

/// The newest `manifests` have one; of the others there is a file alone, which costs next to nothing here.
fn fill(folder: &Path, manifests: i64) {
    let piece = Piece::new("a", "Alert", 0);
    let (name, text) = (piece.manifest.name.clone(), String::from_utf8(piece.manifest.to_json()).unwrap());
    let mut seed = Vec::new();
    for number in 0..MANY {
        let own = format!("{}_a", stamp(number));
        if MANY - number <= manifests {
            fs::write(folder.join(format!("{own}.json")), text.replace(&name, &own)).unwrap();
        }
        // A file system limits the links of a file.
        if number % 30_000 == 0 {
            seed = format!("{own}.pcap").into_bytes();
            fs::write(folder.join(format!("{own}.pcap")), "packets").unwrap();
        } else {
            let seed = std::str::from_utf8(&seed).unwrap();
            fs::hard_link(folder.join(seed), folder.join(format!("{own}.pcap"))).unwrap();
        }
    }
}

/// A time that goes on by a minute with each number.
fn stamp(number: i64) -> String {
    format!(
        "2026{:02}{:02}_{:02}{:02}00",
        1 + number / 44_640,
        1 + number / 1440 % 31,
        number / 60 % 24,
        number % 60
    )
}

/// Megabytes that the service holds.
fn resident_mb(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
}

/// Asks, and tells how long it took and how many manifests were read for it.
fn asked(service: &Service, target: &str) -> (String, Duration) {
    let begun = Instant::now();
    let text = page(service, target);
    (text, begun.elapsed())
}

/// The notes of the last page's access line: manifests read for it, listings so far.
fn notes(service: &Service, pages: usize) -> String {
    let lines = || service.log().into_iter().filter(|line| line.contains(" manifests=")).collect::<Vec<_>>();
    let told = poll(Duration::from_secs(20), || (lines().len() == pages).then(lines)).unwrap();
    told[pages - 1].split_once("manifests=").unwrap().1.to_owned()
}

fn list_and_search(manifests: i64) {
    let mut site = Site::new();
    fill(&site.output_dir(), manifests);
    let service = start(&mut site);
    let mut took = Vec::new();
    let mut pages = 0;
    let mut ask = |target: &str, reads: u64| {
        let (text, time) = asked(&service, target);
        pages += 1;
        took.push((target.to_owned(), time));
        assert_eq!(notes(&service, pages), format!("{reads} listings=1"), "{target}");
        text
    };
    let first = ask("/", 50);
    assert_has(&first, &["1–50 of 100 000, newest first"]);
    assert_eq!(listed(&first)[0], format!("{}_a", stamp(MANY - 1)));
    let middle = stamp(MANY / 2);
    let half = ask(&format!("/?before={middle}_a"), if manifests == MANY { 50 } else { 0 });
    assert_has(&half, &["50 001–50 050 of 100 000, newest first"]);
    // New evidence costs nothing but itself.
    let mut piece = Piece::new("b", "New", 86_400 * 300);
    piece.digest = None;
    piece.write(&site.output_dir());
    assert_has(&ask("/", 50), &["1–50 of 100 001, newest first"]);
    // An id is found wherever it is.
    let oldest = stamp(0);
    let begun = Instant::now();
    let found = page(&service, &format!("/?q={oldest}_A"));
    took.push(("an id among the names".to_owned(), begun.elapsed()));
    assert_eq!(listed(&found), [format!("{oldest}_a")]);
    // Words of manifests take as many requests as their time.
    let (mut target, mut requests, begun) = ("/?q=nowhere".to_owned(), 0, Instant::now());
    loop {
        let searched = page(&service, &target);
        requests += 1;
        assert_has(&searched, &["0 matches for “<bdi>nowhere</bdi>”", " of 100 001"]);
        let Some(go_on) = link(&searched, "Go on searching older evidence") else { break };
        target = go_on;
    }
    took.push((format!("a word among the manifests, {requests} requests,"), begun.elapsed()));
    crowded(&service);
    for (target, time) in took {
        eprintln!("100 000 pieces of evidence: {target} took {:.1} ms", time.as_secs_f64() * 1e3);
    }
    eprintln!("100 000 pieces of evidence: the service holds {} MB", resident_mb(&service));
}

/// More searches at once than there are seats for: some are told to come back, and the list is there all the while.
fn crowded(service: &Service) {
    let told = poll(PATIENCE, || {
        let search = || request(service.address(), "GET", "/?q=nothing", &[], b"");
        let replies: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..24).map(|_| scope.spawn(search)).collect();
            assert_eq!(get(service, "/").status, 200);
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 503)));
        replies.into_iter().find(|reply| reply.status == 503)
    });
    let told = told.expect("a search that finds no seat");
    assert_eq!(told.header("retry-after"), Some("2"));
    assert_has(&plain(&told), &["Too many searches at once"]);
}

#[test]
fn a_list_of_a_hundred_thousand_reads_fifty_manifests() {
    list_and_search(3000);
}

/// What clients ask for until they are told that it is enough: how often each was answered with which status.
fn ask_on(address: SocketAddr, target: &str, is_enough: &AtomicBool) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !is_enough.load(Ordering::Relaxed) {
        statuses.push(request(address, "GET", target, &[], b"").status);
    }
    statuses
}

#[test]
#[ignore = "a measurement: makes 200 000 files"]
fn list_beside_searches() {
    let mut site = Site::new();
    fill(&site.output_dir(), MANY);
    let service = start(&mut site);
    let newest = format!("/?view={}_a", stamp(MANY - 1));
    for target in ["/", &newest] {
        page(&service, target);
        for clients in [0, 2, 8, 32] {
            let is_enough = AtomicBool::new(false);
            let (mut times, statuses) = thread::scope(|scope| {
                let search = || ask_on(service.address(), "/?q=nothing", &is_enough);
                let clients: Vec<_> = (0..clients).map(|_| scope.spawn(search)).collect();
                let times: Vec<_> = (0..40).map(|_| asked(&service, target).1).collect();
                is_enough.store(true, Ordering::Relaxed);
                (times, clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>())
            });
            assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
            times.sort();
            let of = |status| statuses.iter().filter(|found| **found == status).count();
            eprintln!(
                "{target} beside {clients} searches: median {:.1} ms, at most {:.1} ms; searches: {} answered, {} told to come back",
                times[20].as_secs_f64() * 1e3,
                times[39].as_secs_f64() * 1e3,
                of(200),
                of(503)
            );
        }
    }
}

#[test]
#[ignore = "a measurement: makes 200 000 files"]
fn volume() {
    list_and_search(MANY);
}
