//! Many clients at once, and clients that leave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};
use std::thread;

use pcapx_testkit::process::{Connection, PATIENCE, poll};

use crate::fake::{Fake, HELD};
use crate::{ALERT, ALERT_FILE, assert_result, evidence, listener, post, post_bytes, request, told};

fn busy() -> (u16, String) {
    (429, "Too many concurrent extractions".to_owned())
}

#[test]
fn of_fifty_posts_one_runs_and_the_others_are_told_to_come_back() {
    let mut fake = Fake::new(HELD);
    let service = fake.listener();
    let (server, start) = (service.address(), Arc::new(Barrier::new(50)));
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                let mut connection = Connection::open(server);
                start.wait();
                let reply = connection.exchange(&post_bytes("/", ALERT.as_bytes()));
                (told(&reply), reply.header("Retry-After").map(str::to_owned))
            })
        })
        .collect();
    // Released once all others have had their answer.
    let waiting = || clients.iter().filter(|client| !client.is_finished()).count();
    assert!(poll(PATIENCE, || (waiting() == 1).then_some(())).is_some(), "{} wait", waiting());
    fake.wait_for_starts(1);
    fake.release(1);
    let (refused, answered): (Vec<_>, Vec<_>) =
        clients.into_iter().map(|client| client.join().unwrap()).partition(|(told, _)| told.0 == 429);
    assert_eq!(answered, [((200, format!("http://127.0.0.1:0/{ALERT_FILE}")), None)]);
    assert_eq!(refused, vec![(busy(), Some("5".to_owned())); 49]);
    assert_eq!(fake.file("started").lines().count(), 1);

    fake.release(1);
    assert_eq!(post(server, "/", ALERT).status, 200, "after the storm");
}

#[test]
fn under_pressure_no_two_run_at_once() {
    let mut fake = Fake::new(HELD);
    let service = fake.listener();
    let server = service.address();
    fake.release(40);
    let clients: Vec<_> = (0..8)
        .map(|client| {
            thread::spawn(move || {
                let mut connection = Connection::open(server);
                for turn in 0..5 {
                    let alert = ALERT.replace("12345", &format!("{client}-{turn}"));
                    let done = poll(PATIENCE, || {
                        (connection.exchange(&post_bytes("/", alert.as_bytes())).status == 200).then_some(())
                    });
                    assert!(done.is_some());
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!((fake.file("started").lines().count(), fake.file("overlaps").as_str()), (40, ""));
    assert_eq!(evidence(&fake.site).len(), 40);
}

/// Posts the alert, waits until it runs, and leaves with a reset instead of an orderly close.
fn post_and_reset(fake: &Fake, server: std::net::SocketAddr) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = format!("Content-Length: {}", ALERT.len());
    stream.write_all(&request("POST /", &["Expect: 100-continue", &length], b"")).unwrap();
    // The provisional answer is there and not read: closing resets the connection.
    assert_eq!(stream.peek(&mut [0; 12]).unwrap(), 12);
    stream.write_all(ALERT.as_bytes()).unwrap();
    fake.wait_for_starts(1);
}

#[test]
fn a_client_that_leaves_neither_ends_the_job_nor_keeps_its_place() {
    for reset in [false, true] {
        let mut fake = Fake::new(HELD);
        let service = fake.listener();
        if reset {
            post_and_reset(&fake, service.address());
        } else {
            let mut connection = Connection::open(service.address());
            connection.send(&post_bytes("/", ALERT.as_bytes()));
            fake.wait_for_starts(1);
        }
        // The job goes on and keeps its place for as long as it runs.
        assert_eq!(told(&post(service.address(), "/", ALERT)), busy());
        fake.release(1);
        let line = service.wait_for_log(|line| line.contains("job id="));
        assert!(line.contains(" outcome=complete "), "{line}");
        assert_eq!(evidence(&fake.site), [ALERT_FILE]);

        fake.release(1);
        let again = poll(PATIENCE, || {
            let reply = post(service.address(), "/", ALERT);
            (told(&reply) != busy()).then_some(reply)
        });
        assert_result(&again.unwrap(), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
    }
}

#[test]
fn a_thousand_idle_connections_lock_nobody_out() {
    pcapx_http::raise_open_file_limit();
    let service = listener(&pcapx_testkit::process::Site::new());
    let idle: Vec<_> = (0..1000).map(|_| TcpStream::connect(service.address()).unwrap()).collect();
    let mut half = Connection::open(service.address());
    half.send(b"POST / HT");
    assert_result(&post(service.address(), "/", "{}"), "NO BPF FILTER");
    let reply = Connection::open(service.address()).exchange(&request("GET /healthz", &[], b""));
    assert_eq!(told(&reply), (200, "ok".to_owned()));
    // All of them are closed in bounded time.
    for mut stream in idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}
