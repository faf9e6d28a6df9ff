//! A real collector understands what is replayed: nfcapd writes it down, nfdump prints it.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::process::{PATIENCE, Running, Signal, poll};
use pcapx_testkit::tool::{self, Tool};
use tempfile::TempDir;

/// A running nfcapd; ended on drop.
struct Collector {
    process: Running,
    folder: TempDir,
    address: String,
}

/// One flow as nfdump prints it.
#[derive(Debug, PartialEq, Eq)]
struct Flow {
    first_seen: u64,
    source: String,
    destination: String,
}

fn big_endian(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

impl Collector {
    fn start(nfcapd: &Tool) -> Self {
        let folder = TempDir::new().expect("a folder");
        // nfcapd takes no port 0: a port that was free a moment ago is the best there is.
        let port =
            UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let log = folder.path().join("log");
        let mut command = nfcapd.command();
        command
            .args(["-b", "127.0.0.1", "-t", "3600", "-p", &port.to_string(), "-w"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a log"));
        let process = Running::spawn(&mut command).expect("nfcapd starts");
        let collector = Self { process, folder, address: format!("127.0.0.1:{port}") };
        let ready = poll(PATIENCE, || collector.log().contains("Startup nfcapd").then_some(()));
        assert!(ready.is_some(), "nfcapd did not start: {}", collector.log());
        collector
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Replays `pcap` and returns what the collector has written once it ended.
    fn flows_of(mut self, pcap: &Path, port: u16, nfdump: &Tool) -> Vec<Flow> {
        let output = Command::new(env!("CARGO_BIN_EXE_netflow-replay"))
            .arg("--pcap")
            .arg(pcap)
            .args(["--collector", &self.address, "--port", &port.to_string()])
            .args(["--once", "--start", "now", "--duration", "200ms"])
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Nothing tells from outside that nfcapd has read its socket, but that its socket's queue is empty.
        let drained = poll(PATIENCE, || (self.queued_bytes() == 0).then_some(()));
        assert!(drained.is_some(), "nfcapd does not read");
        self.process.signal(Signal::TERM);
        assert!(self.process.wait(PATIENCE).is_some(), "nfcapd does not end");
        let printed = nfdump
            .command()
            .args(["-q", "-N", "-o", "fmt:%tsr %sa %da", "-r"])
            .arg(self.file())
            .env("TZ", "UTC")
            .output()
            .expect("nfdump starts");
        String::from_utf8_lossy(&printed.stdout).lines().filter_map(flow).collect()
    }

    /// Bytes that wait in the collector's socket, as the kernel tells.
    fn queued_bytes(&self) -> u64 {
        let port = self.address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
        let table = std::fs::read_to_string("/proc/net/udp").expect("the kernel's table of sockets");
        let local = format!("0100007F:{port:04X}");
        let line = table.lines().find(|line| line.contains(&local)).expect("nfcapd's socket");
        let queues = line.split_whitespace().nth(4).expect("queues");
        u64::from_str_radix(queues.split(':').nth(1).expect("a receive queue"), 16).expect("a number")
    }

    fn file(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.folder.path()).expect("the collector's folder");
        let mut files = entries.flatten().map(|entry| entry.path());
        files.find(|path| path.to_string_lossy().contains("nfcapd.2")).expect("the collector's file")
    }
}

/// `1764000000.123 10.0.0.1 10.0.0.2`
fn flow(line: &str) -> Option<Flow> {
    let mut words = line.split_whitespace();
    let first_seen = words.next()?.split('.').next()?.parse().ok()?;
    Some(Flow { first_seen, source: words.next()?.to_owned(), destination: words.next()?.to_owned() })
}

fn tools() -> Option<(Tool, Tool)> {
    Some((tool::require("nfcapd")?, tool::require("nfdump")?))
}

/// A frame that carries `payload` to UDP `port`.
fn frame(port: u16, payload: &[u8]) -> Packet {
    let network = Ipv4::new([192, 0, 2, 1], [192, 0, 2, 2]).carry(&Udp::new(9999, port).payload(payload));
    Packet::new(Timestamp::from_secs(1_000_000_000), Ethernet::new().carry(&network))
}

#[test]
fn nfcapd_takes_version_5_with_todays_time() {
    let Some((nfcapd, nfdump)) = tools() else { return };
    // Header: version 5, one record, SysUptime 100 s, exported in 2001.
    let mut payload = big_endian(&[5, 1]);
    payload.extend(100_000_u32.to_be_bytes());
    payload.extend(1_000_000_000_u32.to_be_bytes());
    payload.extend([0; 12]);
    // Record: addresses, next hop and interfaces, packets and bytes, first and last seen 40 s before the export, ports.
    payload.extend(Ipv4Addr::new(10, 0, 0, 10).octets());
    payload.extend(Ipv4Addr::new(10, 0, 0, 20).octets());
    payload.extend([0; 8]);
    payload.extend([7_u32, 700, 60_000, 60_000].iter().flat_map(|word| word.to_be_bytes()));
    payload.extend(big_endian(&[40_000, 443, 0x0018, 0x0600, 0, 0, 0, 0]));
    assert_eq!(payload.len(), 24 + 48);

    let folder = TempDir::new().expect("a folder");
    let pcap = folder.path().join("v5.pcap");
    Pcap::new().write(&pcap, &[frame(2055, &payload)]);
    let from = now();
    let flows = Collector::start(&nfcapd).flows_of(&pcap, 2055, &nfdump);
    let to = now();
    assert_eq!(flows.len(), 1, "{flows:?}");
    assert_eq!((flows[0].source.as_str(), flows[0].destination.as_str()), ("10.0.0.10", "10.0.0.20"));
    assert!((from - 40..=to - 40).contains(&flows[0].first_seen), "{flows:?}, exported {from}..={to}");
}

/// The templates of two of the sets in the real capture, which begins after its exporter has sent them. Where a field's
/// meaning is not known, padding (210) of its length stands in.
fn templates() -> Vec<u8> {
    let head = [210, 2, 60, 1, 22, 4, 21, 4, 1, 8, 2, 8, 4, 1, 8, 4, 12, 4, 7, 2, 11, 2];
    let tail = [210, 2, 16, 4, 17, 4, 56, 6, 80, 6, 210, 18];
    let udp = [&[258, 17][..], &head, &tail].concat();
    let tcp = [&[259, 18][..], &head, &[6, 1], &tail].concat();
    let set_bytes = (4 + (udp.len() + tcp.len()) * 2) as u16;
    let header = [9, 2, 0, 0, 0, 0, 0, 0, 0, 1];
    big_endian(&[&header[..], &[0, set_bytes], &udp, &tcp].concat())
}

/// How many records the sets 258 (80 bytes each) and 259 (81 bytes each) of an export packet hold.
fn records(payload: &[u8]) -> usize {
    let mut rest = &payload[20..];
    let mut count = 0;
    while let [id_high, id_low, len_high, len_low, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        count += match u16::from_be_bytes([id_high, id_low]) {
            258 => (len - 4) / 80,
            259 => (len - 4) / 81,
            _ => 0,
        };
        rest = &rest[len..];
    }
    count
}

#[test]
fn nfcapd_takes_a_real_version_9_capture_with_todays_time() {
    let Some((nfcapd, nfdump)) = tools() else { return };
    let Some(captures) = tool::require_captures() else { return };
    let Ok(real) = std::fs::read(captures.join("ndpi-netflowv9.pcap")) else {
        tool::skipped(format_args!("{} holds no ndpi-netflowv9.pcap", captures.display()));
        return;
    };
    let real = read_pcap(&real).expect("a good capture").packets;
    // Ethernet, IPv4 and UDP headers in front of each payload: 14 + 20 + 8 bytes.
    let expected: usize = real.iter().map(|packet| records(&packet.data[42..])).sum();
    assert_eq!(real.len(), 10);

    let folder = TempDir::new().expect("a folder");
    let pcap = folder.path().join("v9.pcap");
    let mut packets = vec![frame(2057, &templates())];
    packets.extend(real);
    Pcap::new().write(&pcap, &packets);
    let from = now();
    let flows = Collector::start(&nfcapd).flows_of(&pcap, 2057, &nfdump);
    assert_eq!(flows.len(), expected);
    let day = Duration::from_secs(24 * 3600).as_secs();
    assert!(flows.iter().all(|flow| (from - day..=now()).contains(&flow.first_seen)), "{flows:?}");
    let first = flows.iter().find(|flow| flow.source == "141.40.187.178").expect("the first record");
    assert_eq!(first.destination, "125.64.94.211");
    // SysUptime 609 093 870 ms, first seen at 609 053 224 ms: 40.6 s before the export.
    assert!((from - 42..=now() - 40).contains(&first.first_seen), "{first:?}, exported from {from}");
}
