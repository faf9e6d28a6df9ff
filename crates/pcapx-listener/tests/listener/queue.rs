//! Alerts that wait for an extraction: all of them are answered, and done in order.

use std::fs;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use pcapx_core::manifest::{Manifest, State};
use pcapx_testkit::capture::read_pcap;
use pcapx_testkit::process::{Connection, Service, Site, poll};
use pcapx_testkit::tool::Tcpdump;

use crate::fake::{Fake, HELD};
use crate::shelf::{alert, ask, client, ended, link, manifests, packets, record, stem};
use crate::{assert_result, listener, post, post_bytes, told};

/// Alerts of the storm.
const STORM: u32 = 500;
/// A storm on a slow machine takes longer than other things.
const STORM_PATIENCE: Duration = Duration::from_secs(120);
/// What the process may have in memory at most, in KiB, whatever comes. 64 MiB are the bound of an extraction; a build
/// without optimizations takes more for itself.
const MEMORY_BOUND_KIB: u64 = 128 << 10;

/// The most memory that the process ever had in RAM, in KiB.
fn peak_memory_kib(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn of_five_hundred_alerts_at_once_each_gets_its_packets() {
    let mut site = Site::new();
    site.set("max_queued_extractions", 1000).set("max_concurrent_extractions", 2);
    record(&site, STORM);
    let service = listener(&site);
    let (server, start) = (service.address(), Arc::new(Barrier::new(STORM as usize)));
    let clients: Vec<_> = (0..STORM)
        .map(|number| {
            let start = Arc::clone(&start);
            let client = move || {
                let mut connection = Connection::open(server).patience(STORM_PATIENCE);
                start.wait();
                told(&connection.exchange(&post_bytes("/", alert(&format!("s{number}"), number).as_bytes())))
            };
            thread::Builder::new().stack_size(256 << 10).spawn(client).unwrap()
        })
        .collect();
    for (number, client) in clients.into_iter().enumerate() {
        assert_eq!(client.join().unwrap(), (200, link(&format!("s{number}"))));
    }
    let all_done = || {
        let (_, list) = ask(server, "GET /jobs?open=true", "");
        list["jobs"].as_array().unwrap().is_empty().then_some(())
    };
    assert!(poll(STORM_PATIENCE, all_done).is_some(), "jobs are left");

    let manifests = manifests(&site);
    assert_eq!(manifests.len(), STORM as usize);
    let tcpdump = Tcpdump::require();
    for number in 0..STORM {
        let id = format!("s{number}");
        let name = stem(&id);
        let manifest = manifests.iter().find(|manifest| manifest.name == name).unwrap();
        assert_eq!((manifest.state, manifest.about.as_ref().unwrap().id.as_str()), (State::Complete, &*id));
        let file = fs::read(site.output_dir().join(format!("{name}.pcap"))).unwrap();
        let (found, wanted) = (read_pcap(&file).unwrap().packets, packets(number));
        assert!(found == wanted, "{id}: {found:?}");
        assert_eq!(
            (manifest.packets, manifest.bytes),
            (Some(wanted.len() as u64), Some(file.len() as u64)),
            "{id}"
        );
        // And as somebody else understands the filter; a program for each would take long.
        if let Some(tcpdump) = tcpdump.as_ref().filter(|_| number % 50 == 7) {
            let theirs = tcpdump.read(&site.timeline_dir().join("flows.pcap"), &manifest.filter).unwrap();
            assert!(found == theirs.packets, "{id}: {}", manifest.filter);
        }
    }
    let peak = peak_memory_kib(&service);
    assert!(peak < MEMORY_BOUND_KIB, "{peak} KiB");
    let names: Vec<_> = manifests.into_iter().map(|manifest| manifest.name).collect();
    assert_eq!(crate::evidence(&site).len(), names.len(), "files beside those of the alerts");
}

/// The clients of the filters that a fake was started with, in the order of its starts.
fn order(fake: &Fake) -> Vec<String> {
    fake.file("order").lines().map(str::to_owned).collect()
}

/// Notes which filter it was called with, then waits to be released.
const NOTED: &str = r#"echo "$8" >> "$site/order"; "#;

#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    const ALERTS: u32 = 20;
    let mut fake = Fake::new(&format!("{NOTED}{HELD}"));
    fake.site.set("max_queued_extractions", 100).set("reply_within", 1);
    let service = fake.listener();
    let mut first = Connection::open(service.address());
    first.send(&post_bytes("/", alert("q0", 0).as_bytes()));
    fake.wait_for_starts(1);
    for number in 1..ALERTS {
        let id = format!("q{number}");
        // Whoever has to wait is told at once.
        assert_result(&post(service.address(), "/", &alert(&id, number)), &link(&id));
    }
    let (_, list) = ask(service.address(), "GET /jobs?open=true", "");
    assert_eq!((&list["running"], &list["waiting"]), (&1.into(), &(ALERTS - 1).into()));
    let listed: Vec<_> = list["jobs"].as_array().unwrap().iter().map(|job| job["name"].clone()).collect();
    assert_eq!(listed, (0..ALERTS).map(|number| stem(&format!("q{number}"))).collect::<Vec<_>>());

    fake.release(ALERTS as usize);
    ended(&fake.site, &stem(&format!("q{}", ALERTS - 1)));
    let wanted: Vec<_> = (0..ALERTS)
        .map(|number| {
            let [a, b, c, d] = client(number);
            format!("tcp and host {a}.{b}.{c}.{d} and host 10.0.0.20 and port 443")
        })
        .collect();
    assert_eq!(order(&fake), wanted);
    assert_eq!(fake.file("overlaps"), "");
    let done = manifests(&fake.site);
    assert!(done.iter().all(|manifest| manifest.state == State::Complete), "{done:#?}");
    let finished = |number: u32| {
        let name = stem(&format!("q{number}"));
        done.iter().find(|manifest: &&Manifest| manifest.name == name).unwrap().finished
    };
    assert!((1..ALERTS).all(|number| finished(number - 1) <= finished(number)));
}

#[test]
fn a_full_queue_turns_away_as_the_contract_says() {
    for queue in [0, 3] {
        let mut fake = Fake::new(HELD);
        fake.site.set("max_queued_extractions", queue);
        let service = fake.listener();
        let mut first = Connection::open(service.address());
        first.send(&post_bytes("/", alert("q0", 0).as_bytes()));
        fake.wait_for_starts(1);
        for number in 1..=queue {
            let id = format!("q{number}");
            assert_result(&post(service.address(), "/", &alert(&id, number)), &link(&id));
        }
        let refused = post(service.address(), "/", &alert("late", 99));
        assert_eq!(told(&refused), (429, "Too many concurrent extractions".to_owned()));
        assert_eq!(refused.header("Retry-After"), Some("5"));
        let (status, document) = ask(service.address(), "POST /", &alert("late", 99));
        assert_eq!((status, &document["error"]), (429, &"Too many concurrent extractions".into()));
        assert_eq!(manifests(&fake.site).len(), 1 + queue as usize, "what is turned away leaves nothing");

        fake.release(1 + queue as usize);
        assert_result(&first.reply().unwrap(), &link("q0"));
        ended(&fake.site, &stem(&format!("q{queue}")));
        fake.release(1);
        let taken = poll(STORM_PATIENCE, || {
            Some(post(service.address(), "/", &alert("late", 99))).filter(|reply| reply.status == 200)
        });
        assert_result(&taken.unwrap(), &link("late"));
    }
}

/// Alerts that need no search take a place for a moment. Whoever has to wait for it is not forgotten when it is given back.
#[test]
fn those_who_wait_are_served_when_a_place_was_not_needed() {
    const ROUNDS: u32 = 60;
    let mut site = Site::new();
    site.set("max_queued_extractions", 10);
    record(&site, ROUNDS);
    let service = listener(&site);
    let server = service.address();
    assert_result(&post(server, "/", &alert("known", 3)), &link("known"));
    for round in 0..ROUNDS {
        let id = format!("w{round}");
        let others = [alert("known", 3), "{}".to_owned(), alert("known", 3), "{}".to_owned()];
        let bodies: Vec<_> = others.into_iter().chain([alert(&id, round)]).collect();
        let start = Barrier::new(bodies.len());
        thread::scope(|scope| {
            for body in &bodies {
                scope.spawn(|| {
                    let mut connection = Connection::open(server);
                    start.wait();
                    assert_eq!(connection.exchange(&post_bytes("/", body.as_bytes())).status, 200);
                });
            }
        });
        // Nobody asks for anything any more.
        assert_eq!(ended(&site, &stem(&id)).state, State::Complete, "{id}");
    }
}
