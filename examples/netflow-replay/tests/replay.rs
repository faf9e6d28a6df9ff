//! The real program sends to a real socket on loopback.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Interface, Packet, Pcap, Pcapng};
use pcapx_testkit::packet::{Ethernet, Ipv4, Ipv6, Tcp, Udp};
use pcapx_testkit::process::{PATIENCE, Running, Signal, poll};
use tempfile::TempDir;

/// An export packet of `len` bytes whose bytes all differ from each other.
fn export(version: u16, len: u8) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len).collect();
    bytes[..2].copy_from_slice(&version.to_be_bytes());
    bytes
}

fn v4(port: u16, payload: &[u8]) -> Vec<u8> {
    Ethernet::new()
        .vlan(9)
        .carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(9999, port).payload(payload)))
}

fn v6(port: u16, payload: &[u8]) -> Vec<u8> {
    let network = Ipv6::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2]);
    Ethernet::new().carry(&network.carry(&Udp::new(9999, port).payload(payload)))
}

/// All kinds of packets; the ones to send are, in this order, v9 over IPv4, v5 over IPv6, IPFIX over IPv4.
fn mixed() -> Vec<Vec<u8>> {
    let big = Udp::new(9999, 2055).payload(&[0; 1000]);
    let mut frames = vec![
        v4(2055, &export(9, 40)),
        v4(2055, b"not an export packet"),
        v4(2056, &export(9, 40)),
        v6(2055, &export(5, 72)),
        Ethernet::new()
            .carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Tcp::new(9999, 2055).payload(b"tcp"))),
    ];
    let pieces = Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).fragments(&big, 512);
    frames.extend(pieces.iter().map(|piece| Ethernet::new().carry(piece)));
    frames.push(v4(2055, &export(10, 40)));
    frames
}

fn packets(frames: Vec<Vec<u8>>) -> Vec<Packet> {
    frames.into_iter().map(|frame| Packet::new(Timestamp::from_secs(1_000_000_000), frame)).collect()
}

fn capture(folder: &TempDir, frames: Vec<Vec<u8>>) -> PathBuf {
    let path = folder.path().join("exports.pcap");
    Pcap::new().write(&path, &packets(frames));
    path
}

fn collector(address: &str) -> (UdpSocket, String) {
    let socket = UdpSocket::bind(address).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let address = socket.local_addr().expect("an address").to_string();
    (socket, address)
}

fn command(pcap: &Path, collector: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netflow-replay"));
    command.arg("--pcap").arg(pcap).args(["--collector", collector]).args(more).stdin(Stdio::null());
    command.env_remove("PCAPX_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(pcap: &Path, collector: &str, more: &[&str]) -> Output {
    command(pcap, collector, more).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let len = socket.recv(&mut buffer).expect("a packet in time");
    buffer[..len].to_vec()
}

fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as u32
}

/// Checks that `got` is `sent` but for the time in `at..at + 4`, which is between `from` and `to`.
fn assert_restamped(got: &[u8], sent: &[u8], at: usize, from: u32, to: u32) {
    let time = u32::from_be_bytes(got[at..at + 4].try_into().expect("four bytes"));
    assert!((from..=to).contains(&time), "{time} is not in {from}..={to}");
    let mut expected = sent.to_vec();
    expected[at..at + 4].copy_from_slice(&got[at..at + 4]);
    assert_eq!(got, expected);
}

fn assert_mixed_arrives(pcap: &Path, address: &str) {
    let (socket, collector) = collector(address);
    let from = now();
    let output = run(pcap, &collector, &["--once", "--start", "now", "--duration", "0"]);
    let to = now();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_restamped(&receive(&socket), &export(9, 40), 8, from, to);
    assert_restamped(&receive(&socket), &export(5, 72), 8, from, to);
    assert_restamped(&receive(&socket), &export(10, 40), 4, from, to);
    socket.set_nonblocking(true).expect("non-blocking");
    assert!(socket.recv(&mut [0; 9]).is_err(), "more than three packets came");
    let log = stderr(&output);
    assert!(log.contains("3 export packets, 1 other payloads skipped, 2 fragments skipped"), "{log}");
    assert!(log.contains("pass 1: 3 packets sent"), "{log}");
    assert!(output.stdout.is_empty());
    assert!(!log.contains('\u{1b}') && !log.contains('\r'), "a pipe gets no progress bar: {log:?}");
}

#[test]
fn export_packets_arrive_in_order_with_todays_time() {
    let folder = TempDir::new().expect("a folder");
    let pcap = capture(&folder, mixed());
    assert_mixed_arrives(&pcap, "127.0.0.1:0");
    assert_mixed_arrives(&pcap, "[::1]:0");
}

#[test]
fn pcapng_is_read() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("exports.pcapng");
    let mut file = Pcapng::little_endian().interface(Interface::new());
    for packet in packets(mixed()) {
        file = file.packet(0, packet.time, &packet.data);
    }
    std::fs::write(&path, file.finish()).expect("written");
    assert_mixed_arrives(&path, "127.0.0.1:0");
}

#[test]
fn the_port_of_the_capture_can_be_named() {
    let folder = TempDir::new().expect("a folder");
    let (socket, collector) = collector("127.0.0.1:0");
    let pcap = capture(&folder, mixed());
    let output = run(&pcap, &collector, &["--once", "--start", "now", "--duration", "0", "--port", "2056"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(receive(&socket).len(), 40);
    assert!(stderr(&output).contains("pass 1: 1 packets sent"));
}

#[test]
fn a_pass_is_spread_over_its_duration() {
    let folder = TempDir::new().expect("a folder");
    let (socket, collector) = collector("127.0.0.1:0");
    let pcap = capture(&folder, vec![v4(2055, &export(9, 40)); 4]);
    // 1.2 s at four times the speed: packets leave at 0, 75, 150 and 225 ms.
    let begin = std::time::Instant::now();
    let more = ["--once", "--start", "now", "--duration", "1200ms", "--speed", "4"];
    let output = run(&pcap, &collector, &more);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(begin.elapsed() >= Duration::from_millis(225), "{:?}", begin.elapsed());
    (0..4).for_each(|_| assert_eq!(receive(&socket).len(), 40));
}

#[test]
fn passes_follow_each_other_until_a_signal() {
    let folder = TempDir::new().expect("a folder");
    let (socket, collector) = collector("127.0.0.1:0");
    let pcap = capture(&folder, vec![v4(2055, &export(9, 40))]);
    let mut command = command(&pcap, &collector, &["--start", "now", "--duration", "10ms"]);
    let replay = Running::spawn(&mut command).expect("it starts");
    (0..3).for_each(|_| assert_eq!(receive(&socket).len(), 40));
    assert_ends_cleanly(replay, Signal::TERM);
}

#[test]
fn waiting_for_the_hour_ends_with_a_signal() {
    let folder = TempDir::new().expect("a folder");
    let pcap = capture(&folder, vec![v4(2055, &export(9, 40))]);
    for signal in [Signal::TERM, Signal::INT] {
        let log = folder.path().join("log");
        let mut command = command(&pcap, "127.0.0.1:9", &[]);
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).expect("a log"));
        let replay = Running::spawn(&mut command).expect("it starts");
        let waits = || std::fs::read_to_string(&log).ok().filter(|log| log.contains("pass 1 begins at"));
        assert!(poll(PATIENCE, waits).is_some(), "it does not wait for an hour");
        assert_ends_cleanly(replay, signal);
    }
}

fn assert_ends_cleanly(mut replay: Running, signal: Signal) {
    replay.signal(signal);
    let status = replay.wait(PATIENCE);
    assert_eq!(status.map(|status| status.code()), Some(Some(0)), "{signal:?} ends it cleanly and in time");
}

#[test]
fn errors_say_what_to_do() {
    let folder = TempDir::new().expect("a folder");
    let gone = folder.path().join("gone.pcap");
    let text = folder.path().join("text.pcap");
    std::fs::write(&text, "this is text, and no capture at all").expect("written");
    let other_port = capture(&folder, vec![v4(2057, &export(9, 40)); 2]);
    for (pcap, collector, said) in [
        (&gone, "127.0.0.1:9", "does not exist: name another capture with --pcap"),
        (&text, "127.0.0.1:9", "is not a capture file"),
        (&other_port, "127.0.0.1:9", "2 went to port 2057: try --port 2057"),
    ] {
        let output = run(pcap, collector, &["--once", "--start", "now", "--duration", "0"]);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    // Told at once, also when the first pass is an hour away.
    for start in ["now", "hour"] {
        let output =
            run(&other_port, "collector-without-port", &["--once", "--start", start, "--port", "2057"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("expected HOST:PORT"), "{}", stderr(&output));
    }
    assert_eq!(run(&gone, "127.0.0.1:9", &["--speed", "0"]).status.code(), Some(2));
}

#[test]
fn a_capture_that_ends_inside_a_packet_is_replayed_up_to_there() {
    let folder = TempDir::new().expect("a folder");
    let (socket, collector) = collector("127.0.0.1:0");
    let mut bytes = Pcap::new().encode(&packets(vec![v4(2055, &export(9, 40)), v4(2055, &export(9, 40))]));
    bytes.truncate(bytes.len() - 1);
    let pcap = folder.path().join("cut-last-record.pcap");
    std::fs::write(&pcap, bytes).expect("written");
    let output = run(&pcap, &collector, &["--once", "--start", "now", "--duration", "0"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(receive(&socket).len(), 40);
    assert!(stderr(&output).contains("pass 1: 1 packets sent"));
}

#[test]
fn data_without_its_template_is_warned_of() {
    let folder = TempDir::new().expect("a folder");
    let (_socket, collector) = collector("127.0.0.1:0");
    // A header of 20 bytes, then set 300 of 8 bytes.
    let mut payload = export(9, 20);
    payload.extend([300_u16, 8, 0, 0].iter().flat_map(|word| word.to_be_bytes()));
    let pcap = capture(&folder, vec![v4(2055, &payload)]);
    let output = run(&pcap, &collector, &["--once", "--start", "now", "--duration", "0"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("no template for set 300"), "{}", stderr(&output));
}
