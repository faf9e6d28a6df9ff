//! Large and long downloads: memory, resuming, files that change meanwhile, clients that misbehave, and the stop.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pcapx_testkit::process::{Connection, PATIENCE, Service, Site, poll, request};
use pcapx_testkit::tool;

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");
/// More than sockets and the server hold between disk and client.
const LARGE_BYTES: usize = 64 << 20;

fn start() -> (Site, Service) {
    let site = Site::new();
    let service = Service::start(BINARY, &site);
    (site, service)
}

/// Bytes that tell their place, so that a shifted or repeated piece is seen.
fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut word = seed;
    for place in bytes.chunks_mut(8) {
        word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        place.copy_from_slice(&word.to_be_bytes()[..place.len()]);
    }
    bytes
}

/// A GET whose head is read and whose body waits in the socket.
fn begin(service: &Service, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(service.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", head.escape_ascii());
    stream
}

/// The most memory that the process ever had in RAM, in KiB (`VmHWM` of `/proc/PID/status`).
fn peak_memory_kib(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn ten_gigabytes_take_constant_memory() {
    const SPARSE_BYTES: u64 = 10_000_000_000;
    let (site, service) = start();
    File::create(site.output_dir().join("sparse.pcap")).unwrap().set_len(SPARSE_BYTES).unwrap();
    let last = request(service.address(), "GET", "/sparse.pcap", &[("Range", "bytes=-1")], b"");
    assert_eq!(last.header("content-range"), Some("bytes 9999999999-9999999999/10000000000"));
    let before = peak_memory_kib(&service);
    let started = Instant::now();
    let mut stream = begin(&service, "/sparse.pcap");
    let mut buffer = vec![0; 1 << 20];
    let mut received = 0;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            read => received += read as u64,
        }
    }
    assert_eq!(received, SPARSE_BYTES);
    let after = peak_memory_kib(&service);
    eprintln!("10 GB in {:.1} s, peak memory {before} -> {after} KiB", started.elapsed().as_secs_f64());
    assert!(after - before < 16 << 10, "memory grew from {before} to {after} KiB");
    assert!(after < 64 << 10, "{after} KiB");
}

#[test]
fn a_large_file_arrives_byte_for_byte_on_parallel_connections() {
    let (site, service) = start();
    let content = pattern(5_000_000, 1);
    fs::write(site.output_dir().join("large.pcap"), &content).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let reply = request(service.address(), "GET", "/large.pcap", &[], b"");
                assert!(reply.body == content, "{} bytes differ", reply.body.len());
                let range = [("Range", "bytes=262143-4000000")];
                let reply = request(service.address(), "GET", "/large.pcap", &range, b"");
                assert!(reply.body == content[262_143..=4_000_000], "the range differs");
            });
        }
    });
}

#[test]
fn curl_resumes_a_download() {
    let Some(curl) = tool::require("curl") else { return };
    let (site, service) = start();
    let content = pattern(3_000_000, 2);
    fs::write(site.output_dir().join("a.pcap"), &content).unwrap();
    let target = site.path().join("downloaded.pcap");
    for had in [0, 1, 1_234_567, 2_999_999] {
        fs::write(&target, &content[..had]).unwrap();
        let output = curl
            .command()
            .args(["--silent", "--show-error", "--fail", "--continue-at", "-", "--output"])
            .arg(&target)
            .arg(service.url("/a.pcap"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::read(&target).unwrap() == content, "resumed at {had}");
        if had > 0 {
            let range = format!(" range={had}-2999999/3000000");
            service.wait_for_log(|line| line.contains("status=206") && line.ends_with(&range));
        }
    }
}

#[test]
fn a_file_replaced_during_its_download_arrives_as_it_was() {
    let (site, service) = start();
    let (old, new) = (pattern(LARGE_BYTES, 3), pattern(LARGE_BYTES, 4));
    let path = site.output_dir().join("a.pcap");
    fs::write(&path, &old).unwrap();
    let mut stream = begin(&service, "/a.pcap");
    fs::write(site.output_dir().join(".a.pcap"), &new).unwrap();
    fs::rename(site.output_dir().join(".a.pcap"), &path).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(received == old, "{} bytes are not the file that was asked for", received.len());
    assert!(request(service.address(), "GET", "/a.pcap", &[], b"").body == new);
}

#[test]
fn a_file_that_becomes_shorter_breaks_its_download_off() {
    let (site, service) = start();
    let content = pattern(LARGE_BYTES, 5);
    let path = site.output_dir().join("a.pcap");
    fs::write(&path, &content).unwrap();
    let mut stream = begin(&service, "/a.pcap");
    File::options().write(true).open(&path).unwrap().set_len(LARGE_BYTES as u64 / 2).unwrap();
    let mut received = Vec::new();
    // A reset is as good as a close.
    let _ = stream.read_to_end(&mut received);
    assert!(received.len() < LARGE_BYTES, "bytes were made up");
    assert!(content.starts_with(&received), "what came is not the file's start");
    let line = service.wait_for_log(|line| line.contains("end=failed"));
    assert!(line.contains("error=\"the file became shorter\""), "{line}");
}

#[test]
fn a_client_that_leaves_is_logged_and_harms_nobody() {
    let (site, service) = start();
    fs::write(site.output_dir().join("a.pcap"), pattern(LARGE_BYTES, 6)).unwrap();
    drop(begin(&service, "/a.pcap"));
    let line = service.wait_for_log(|line| line.contains("end="));
    assert!(line.contains(" status=200 ") && line.contains(" end=cut"), "{line}");
    assert_eq!(request(service.address(), "GET", "/healthz", &[], b"").text(), "ok");
}

#[test]
fn a_thousand_idle_connections_and_others_are_still_served() {
    let (site, service) = start();
    fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    let idle: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(service.address()).unwrap()).collect();
    let started = Instant::now();
    assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").text(), "packets");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    drop(idle);
}

#[test]
fn a_header_that_trickles_ends_its_connection() {
    let (_site, service) = start();
    let mut trickling = Connection::open(service.address());
    let mut silent = Connection::open(service.address());
    let started = Instant::now();
    let mut bytes = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'z'));
    let closed = poll(PATIENCE, || {
        trickling.send(&[*bytes.next().unwrap()]);
        trickling.is_closed_within(Duration::from_millis(100)).then(|| started.elapsed())
    });
    let closed = closed.expect("the connection stays open");
    assert!((Duration::from_secs(9)..Duration::from_secs(15)).contains(&closed), "{closed:?}");
    assert!(silent.is_closed_within(Duration::from_secs(5)));
}

#[test]
fn on_sigterm_a_download_finishes_and_nobody_else_gets_in() {
    let (site, mut service) = start();
    let content = pattern(LARGE_BYTES, 7);
    fs::write(site.output_dir().join("a.pcap"), &content).unwrap();
    let mut download = begin(&service, "/a.pcap");
    let mut kept = Connection::open(service.address());
    assert_eq!(kept.exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    service.terminate();
    assert!(kept.is_closed_within(PATIENCE));
    let refused = poll(PATIENCE, || TcpStream::connect(service.address()).is_err().then_some(()));
    assert!(refused.is_some(), "the port is still open");
    let mut received = Vec::new();
    download.read_to_end(&mut received).unwrap();
    assert!(received == content, "{} of {LARGE_BYTES} bytes", received.len());
    drop(download);
    let exit = service.wait(PATIENCE).expect("it does not end");
    assert!(exit.status.success(), "{}", exit.stderr);
}

#[test]
fn on_sigterm_a_download_that_does_not_finish_is_cut() {
    let mut site = Site::new();
    site.set("drain_timeout", 1);
    let mut service = Service::start(BINARY, &site);
    fs::write(site.output_dir().join("a.pcap"), pattern(LARGE_BYTES, 8)).unwrap();
    let _stuck = begin(&service, "/a.pcap");
    let started = Instant::now();
    service.terminate();
    let exit = service.wait(PATIENCE).expect("it does not end");
    assert!(exit.status.success(), "{}", exit.stderr);
    assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&started.elapsed()));
    assert!(exit.stderr.contains("1 connections cut"), "{}", exit.stderr);
}
