//! Alerts on a link that is being recorded, by our own recorder and by tcpdump: what is there at once, all of it a moment
//! after the window is over, and nothing in between that is neither.
//!
//! ```text
//! sender ─► lo ─► recorder ─► timeline ─► listener ─► output folder ─► file server ─► a client that downloads all the time
//! ```

use std::env;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::manifest::State;
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, read_pcap};
use pcapx_testkit::namespace::alone;
use pcapx_testkit::process::{Connection, PATIENCE, Running, Service, Signal, Site, poll};
use pcapx_testkit::tool;

use crate::shelf::{manifests, wait_for};
use crate::{assert_result, listener, post, request};

/// A user with capabilities first, as which tcpdump goes on; then root with a network of its own.
const OPTIONS: &[&[&str]] = &[&["-U", "-n", "--map-user=1", "--map-group=1", "--keep-caps"], &["-n"]];
/// A packet every so often.
const EVERY: Duration = Duration::from_millis(5);
/// Seconds of the window before and after the alert.
const AROUND: i64 = 4;
/// Data of a packet: its number, and more.
const DATA_BYTES: usize = 1200;

/// Sends numbered packets over the loopback until dropped.
struct Sender {
    to: SocketAddr,
    sent: &'static AtomicU32,
    stop: &'static AtomicBool,
    thread: Option<thread::JoinHandle<()>>,
}

impl Sender {
    fn start() -> Self {
        // Nobody reads from it; what is more than it holds is dropped behind the recorder.
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (sender, to) = (UdpSocket::bind("127.0.0.1:0").unwrap(), receiver.local_addr().unwrap());
        let sent: &AtomicU32 = Box::leak(Box::default());
        let stop: &AtomicBool = Box::leak(Box::default());
        let work = move || {
            let mut data = [7; DATA_BYTES];
            while !stop.load(Ordering::Relaxed) {
                let number = sent.load(Ordering::Relaxed);
                data[..4].copy_from_slice(&number.to_be_bytes());
                sender.send_to(&data, to).unwrap();
                sent.store(number + 1, Ordering::Relaxed);
                thread::sleep(EVERY);
            }
            drop(receiver);
        };
        Self { to, sent, stop, thread: Some(thread::spawn(work)) }
    }

    /// Waits until packets have been sent for some time.
    fn wait(&self, time: Duration) {
        let (begun, first) = (Instant::now(), self.sent.load(Ordering::Relaxed));
        let is_enough = || begun.elapsed() >= time && self.sent.load(Ordering::Relaxed) > first;
        assert!(poll(PATIENCE, || is_enough().then_some(())).is_some());
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// A program of the workspace that has been built beside this test.
fn sibling(name: &str) -> Option<PathBuf> {
    let path = env::current_exe().unwrap().ancestors().nth(2)?.join(name);
    if !path.is_file() {
        tool::skipped(format_args!("{name} is not built; cargo test --workspace builds it"));
        return None;
    }
    Some(path)
}

/// The packets of a capture that is whole.
#[track_caller]
fn packets(bytes: &[u8]) -> Vec<Packet> {
    read_pcap(bytes).unwrap_or_else(|why| panic!("{} bytes, {why}", bytes.len())).packets
}

/// The packets of all files below `folder`, in the order of time: what was recorded, whatever was lost before.
fn recorded(folder: &Path) -> Vec<Packet> {
    let mut packets = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Links lead to where the files are found anyway.
        if path.is_symlink() {
        } else if path.is_dir() {
            packets.extend(recorded(&path));
        } else if path.extension().is_some_and(|ending| ending == "pcap") {
            packets.extend(read_pcap(&fs::read(path).unwrap()).unwrap().packets);
        }
    }
    packets.sort_by_key(|packet| packet.time);
    packets
}

fn download(server: SocketAddr, file: &str) -> (u16, Vec<u8>) {
    let reply = Connection::open(server).exchange(&request(&format!("GET /{file}"), &[], b""));
    (reply.status, reply.body)
}

/// Downloads a file over and over until told to stop; returns what came, each once.
fn downloads(server: SocketAddr, file: &str, stop: &AtomicBool) -> Vec<Vec<u8>> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let (status, body) = download(server, file);
        match status {
            200 if seen.contains(&body) => {}
            200 => seen.push(body),
            other => panic!("{other}"),
        }
    }
    seen
}

/// One alert while `recorder` records UDP – and no downloads – of the loopback to the site's timeline.
fn campaign(name: &str, recorder: impl FnOnce(&Site) -> Option<Running>) {
    let (Some(ip), Some(server)) = (tool::require("ip"), sibling("pcapx-fileserver")) else { return };
    assert!(ip.run(["link", "set", "lo", "up"]).status.success());
    let mut site = Site::new();
    let Some(mut recording) = recorder(&site) else { return };
    let sender = Sender::start();
    sender.wait(Duration::from_secs(AROUND as u64 + 1));

    let server = Service::start(server, &site);
    site.set("fileserver_port", server.address().port());
    let service = listener(&site);
    let at = Timestamp::now();
    let alert = |id: &str| {
        format!(
            r#"{{"id": "{id}", "serverIp": "127.0.0.1", "serverPort": {}, "protocolName": "udp", "time": {}}}"#,
            sender.to.port(),
            at.as_nanos()
        )
    };
    let target = format!("/extract?before={AROUND}&after={AROUND}");
    let reply = post(service.address(), &target, &alert("live"));
    let link = reply.text();
    let file = link.strip_prefix(&format!("http://127.0.0.1:{}/", server.address().port()));
    let file = file.unwrap_or_else(|| panic!("{link}")).to_owned();
    assert_result(&reply, &link);
    let stem = file.strip_suffix(".pcap").unwrap().to_owned();
    let told = wait_for(&site, &stem, |_| true);
    assert_eq!((told.state, told.open), (State::Partial, true), "{told:#?}");
    let (status, first) = download(server.address(), &file);
    assert_eq!(status, 200, "nothing is found yet");
    let so_far = packets(&first);

    let (stop, over) = (AtomicBool::new(false), Duration::from_secs(AROUND as u64));
    let (told, came) = thread::scope(|scope| {
        let downloading = scope.spawn(|| downloads(server.address(), &file, &stop));
        let told = poll(over + PATIENCE, || {
            let told = manifests(&site).into_iter().find(|told| told.name == stem).unwrap();
            (!told.open).then_some(told)
        });
        // One download more, of what is there at the end.
        thread::sleep(Duration::from_millis(50));
        stop.store(true, Ordering::Relaxed);
        (told.expect("it stays open"), downloading.join().unwrap())
    });
    assert_eq!((told.state, told.reason.as_deref()), (State::Complete, None), "{told:#?}");
    let (status, last) = download(server.address(), &file);
    let all = packets(&last);
    assert_eq!((status, told.packets), (200, Some(all.len() as u64)));
    assert!(all.starts_with(&so_far) && all.len() > so_far.len(), "{} and {}", so_far.len(), all.len());
    // What a client got at any time was the one file or the other.
    assert!(came.iter().all(|body| [&first, &last].contains(&body)), "{} files", came.len());

    let (from, to) = (told.asked.from, told.asked.to);
    let late = Duration::from_nanos((told.finished.unwrap().as_nanos() - to.as_nanos()).unsigned_abs());

    // A full extraction made later finds the same.
    sender.wait(Duration::from_secs(1));
    let anew = post(service.address(), &target, &alert("anew")).text();
    let (status, anew) = download(server.address(), anew.rsplit('/').next().unwrap());
    assert!((status, &anew) == (200, &last), "{status}, {} bytes and {}", anew.len(), last.len());
    // And so do the recorder's files, read by somebody else.
    recording.signal(Signal::TERM);
    assert!(recording.wait(PATIENCE).is_some());
    let mut wanted = recorded(&site.timeline_dir());
    wanted.retain(|packet| (from..=to).contains(&packet.time));
    assert!(all == wanted, "{} packets and not {}", all.len(), wanted.len());
    eprintln!(
        "MEASURED: {name}: {} of {} packets at once, all {:.1} s after the window's end",
        so_far.len(),
        all.len(),
        late.as_secs_f64()
    );
}

#[test]
fn our_own_recorder() {
    alone(OPTIONS, "live::our_own_recorder", || {
        campaign("pcapx-recorder", |site| {
            let mut command = Command::new(sibling("pcapx-recorder")?);
            command.args(["-i", "lo", "-s", "0", "-I", "-b", "64", "-t", "2", "-f", "udp"]);
            command.arg("-o").arg(site.timeline_dir()).arg("-A").arg(site.timeline_dir());
            let recorder = Running::spawn(command.env("TZ", "UTC")).unwrap();
            let status = || site.timeline_dir().join(".pcapx-recorder.json").exists().then_some(());
            assert!(poll(PATIENCE, status).is_some(), "it does not record");
            Some(recorder)
        });
    });
}

#[test]
fn tcpdump_with_a_file_for_each_two_seconds() {
    alone(OPTIONS, "live::tcpdump_with_a_file_for_each_two_seconds", || {
        campaign("tcpdump -G 2", |site| {
            let mut command = tool::require("tcpdump")?.command();
            command.args(["-i", "lo", "-n", "-U", "-G", "2"]);
            command.arg("-w").arg(site.timeline_dir().join("%s.pcap")).arg("udp");
            let recorder = Running::spawn(&mut command).unwrap();
            let begun = || fs::read_dir(site.timeline_dir()).unwrap().next().is_some().then_some(());
            assert!(poll(PATIENCE, begun).is_some(), "it does not record");
            Some(recorder)
        });
    });
}
