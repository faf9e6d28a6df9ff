//! `kill -9` at random points under load: what was accepted is done, and no file and no manifest lies.
//!
//! ```text
//! a recorder that writes on ──► timeline ──► listener, killed again and again ──► output folder
//! clients: new alerts, the same once more, other windows, ids of one name, open windows, pcapng; what is accepted is noted
//! after each kill   every file under a final name is whole
//! after the last    each accepted question has its packets, manifests and files tell the same, nothing is left over
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufWriter;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::manifest::{Manifest, Span, State, hex};
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, PcapWriter, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::process::{Connection, PATIENCE, Signal, Site, poll};
use pcapx_testkit::tool::Tcpdump;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::shelf::{ask, manifests};
use crate::{listener, post_bytes};

/// A packet of each flow every so often.
const TICK: i64 = 100_000_000;
/// Flows: each has a client of its own.
const FLOWS: u8 = 8;
/// Clients that post at a time.
const CLIENTS: u64 = 4;
/// Packets of a segment, of each flow.
const SEGMENT_TICKS: i64 = 50;

/// Chance that is the same each time: `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * u128::from(limit)) >> 64) as u64
    }
}

fn frame(flow: u8, tick: i64) -> Vec<u8> {
    let data = tick.to_be_bytes();
    Ethernet::new()
        .carry(&Ipv4::new([10, 2, 0, flow + 1], [10, 0, 0, 20]).carry(&Udp::new(1000, 53).payload(&data)))
}

/// Records all flows, in segments, until told to stop; tells how far it has come as pcapx-recorder does.
struct Recorder {
    begun: i64,
    /// The last tick that is recorded.
    reach: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Recorder {
    fn start(site: &Site) -> Self {
        let begun = Timestamp::now().as_nanos() / TICK - 20;
        let (reach, stop) = (Arc::new(AtomicI64::new(begun)), Arc::new(AtomicBool::new(false)));
        let (folder, told, ends) = (site.timeline_dir(), Arc::clone(&reach), Arc::clone(&stop));
        let work = move || {
            let mut tick = begun;
            while !ends.load(Ordering::Relaxed) {
                let file = File::create(folder.join(format!("{tick}.pcap"))).unwrap();
                let mut writer = PcapWriter::new(Pcap::new(), BufWriter::new(file)).unwrap();
                for _ in 0..SEGMENT_TICKS {
                    let next = tick;
                    let due = || Timestamp::now().as_nanos() >= next * TICK || ends.load(Ordering::Relaxed);
                    while !due() {
                        thread::sleep(Duration::from_millis(5));
                    }
                    for flow in 0..FLOWS {
                        writer
                            .packet(&Packet::new(Timestamp::from_nanos(next * TICK), frame(flow, next)))
                            .unwrap();
                    }
                    writer.flush().unwrap();
                    status(&folder, next * TICK + 1);
                    told.store(next, Ordering::Release);
                    tick = next + 1;
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        };
        Self { begun, reach, stop, thread: Some(thread::spawn(work)) }
    }

    /// The packets of `flow` in a stretch of time.
    fn packets(&self, flow: u8, span: Span) -> Vec<Packet> {
        let first = (span.from.as_nanos() + TICK - 1).div_euclid(TICK).max(self.begun);
        let last = span.to.as_nanos().div_euclid(TICK).min(self.reach.load(Ordering::Acquire));
        (first..=last)
            .map(|tick| Packet::new(Timestamp::from_nanos(tick * TICK), frame(flow, tick)))
            .collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// What the recorder tells: every packet before `up_to` can be found.
fn status(folder: &std::path::Path, up_to: i64) {
    let now = Timestamp::now().as_nanos();
    let status = json!({
        "program": "test", "process": 1, "started_at_ns": now, "written_at_ns": now, "running": true,
        "searchable_up_to_ns": up_to,
    });
    fs::write(folder.join(".new"), status.to_string()).unwrap();
    fs::rename(folder.join(".new"), folder.join(".pcapx-recorder.json")).unwrap();
}

/// A question that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    id: String,
    flow: u8,
    at: i64,
    before: i64,
    after: i64,
}

impl Asked {
    /// Any question; some of them again, and some about the same alert as others.
    fn any(dice: &mut Dice, earlier: &[Self]) -> Self {
        let (now, kind) = (Timestamp::now().as_secs(), dice.below(10));
        let seconds = |dice: &mut Dice, limit| i64::try_from(dice.below(limit)).unwrap();
        if let Some(other) = earlier.get(dice.below(earlier.len() as u64 + 1) as usize) {
            match kind {
                0 => return other.clone(),
                1 | 2 => return Self { before: seconds(dice, 5), after: seconds(dice, 3), ..other.clone() },
                _ => {}
            }
        }
        let id = match kind {
            // Ids that become the same name.
            3 => "!".repeat(1 + dice.below(5) as usize),
            _ => format!("k{}", dice.below(u64::MAX)),
        };
        Self {
            id,
            flow: dice.below(u64::from(FLOWS)) as u8,
            at: now,
            before: seconds(dice, 5),
            after: seconds(dice, 3),
        }
    }

    fn request(&self, dice: &mut Dice) -> Vec<u8> {
        let Self { id, flow, at, before, after } = self;
        let body =
            json!({"id": id, "clientIp": format!("10.2.0.{}", flow + 1), "unixTimestamp": at}).to_string();
        let format = if dice.below(8) == 0 { "&format=pcapng" } else { "" };
        post_bytes(&format!("/extract?before={before}&after={after}{format}"), body.as_bytes())
    }

    fn span(&self) -> Span {
        Span {
            from: Timestamp::from_secs(self.at - self.before),
            to: Timestamp::from_secs(self.at + self.after),
        }
    }

    fn is_of(&self, manifest: &Manifest) -> bool {
        manifest
            .about
            .as_ref()
            .is_some_and(|about| about.id == self.id && about.time == Timestamp::from_secs(self.at))
            && manifest.asked == self.span()
            && manifest.filter == format!("host 10.2.0.{}", self.flow + 1)
    }
}

/// Posts until the listener is gone, and notes what it has accepted.
fn client(server: SocketAddr, mut dice: Dice, accepted: &Mutex<Vec<Asked>>) {
    while let Ok(mut connection) = Connection::connect(server) {
        let earlier = accepted.lock().unwrap().clone();
        let asked = Asked::any(&mut dice, &earlier);
        let bytes = asked.request(&mut dice);
        connection.send(&bytes);
        let Ok(reply) = connection.reply() else { continue };
        let text = reply.text();
        if reply.status == 200 && text.starts_with("http://") {
            accepted.lock().unwrap().push(asked);
        } else {
            assert!(
                reply.status == 200 && text.starts_with("ERROR: no packets matched "),
                "{} {text}",
                reply.status
            );
        }
    }
}

/// What was seen of a folder.
#[derive(Debug, Default)]
struct Seen {
    captures: usize,
    manifests: usize,
    hidden: usize,
}

/// Every file under a final name is whole.
fn look(site: &Site, tcpdump: Option<&Tcpdump>) -> Seen {
    let mut seen = Seen::default();
    for entry in fs::read_dir(site.output_dir()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with('.') {
            seen.hidden += 1;
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("pcap") => {
                seen.captures += 1;
                assert!(read_pcap(&bytes).is_ok_and(|read| !read.packets.is_empty()), "{name} is not whole");
            }
            Some("pcapng") => {
                seen.captures += 1;
                blocks(&bytes, &name);
                if let Some(tcpdump) = tcpdump {
                    tcpdump.read(&path, "").unwrap_or_else(|why| panic!("{name}: {why}"));
                }
            }
            Some("json") if name.ends_with(".digest.json") => {}
            Some("json") => {
                seen.manifests += 1;
                Manifest::from_json(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
            }
            _ => panic!("{name}"),
        }
    }
    seen
}

/// The number of packets of a pcapng file, whose blocks fill it to its end.
fn blocks(bytes: &[u8], name: &str) -> u64 {
    let (mut rest, mut packets) = (bytes, 0);
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    while !rest.is_empty() {
        assert!(rest.len() >= 12, "{name} ends inside a block");
        let (kind, length) = (number(&rest[..4]), number(&rest[4..8]) as usize);
        assert!((12..=rest.len()).contains(&length), "{name} ends inside a block");
        assert_eq!(number(&rest[length - 4..length]) as usize, length, "{name}");
        packets += u64::from(kind == 6);
        rest = &rest[length..];
    }
    packets
}

/// Manifests and files say the same, and every accepted question has its packets.
fn settle_accounts(
    site: &Site,
    recorder: &Recorder,
    accepted: &[Asked],
    tcpdump: Option<&Tcpdump>,
) -> BTreeMap<String, usize> {
    let (all, mut states) = (manifests(site), BTreeMap::new());
    let mut files = Vec::new();
    for manifest in &all {
        *states.entry(manifest.state.to_string()).or_insert(0) += 1;
        assert!(!manifest.open && manifest.finished.is_some(), "{manifest:#?}");
        assert!(matches!(manifest.state, State::Complete | State::NoMatch), "{manifest:#?}");
        let Some(file) = &manifest.file else { continue };
        assert!(
            file.strip_prefix(&manifest.name).is_some_and(|rest| rest.starts_with(".pcap")),
            "{manifest:#?}"
        );
        let bytes = fs::read(site.output_dir().join(file)).unwrap();
        let count = match read_pcap(&bytes) {
            Ok(read) => read.packets.len() as u64,
            Err(_) => blocks(&bytes, file),
        };
        assert_eq!(
            (manifest.bytes, manifest.packets, manifest.sha256.clone()),
            (Some(bytes.len() as u64), Some(count), Some(hex(&Sha256::digest(&bytes)))),
            "{manifest:#?}"
        );
        files.push(file.clone());
    }
    for asked in accepted {
        let answers: Vec<_> = all.iter().filter(|manifest| asked.is_of(manifest)).collect();
        assert!(!answers.is_empty(), "lost: {asked:?}");
        let wanted = recorder.packets(asked.flow, asked.span());
        for manifest in answers {
            let Some(file) = &manifest.file else {
                assert!(wanted.is_empty(), "{asked:?}: {manifest:#?}");
                continue;
            };
            let path = site.output_dir().join(file);
            let found = match read_pcap(&fs::read(&path).unwrap()) {
                Ok(read) => read.packets,
                Err(_) => match tcpdump {
                    Some(tcpdump) => tcpdump.read(&path, "").unwrap().packets,
                    None => continue,
                },
            };
            assert!(
                found == wanted,
                "{asked:?}: {} packets and not {}: {manifest:#?}",
                found.len(),
                wanted.len()
            );
        }
    }
    let told_of: BTreeSet<_> = all.iter().map(|manifest| manifest.name.as_str()).collect();
    for entry in fs::read_dir(site.output_dir()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        match file.strip_suffix(".json").map(|name| name.strip_suffix(".digest")) {
            Some(Some(name)) => assert!(told_of.contains(name), "no manifest tells of {file}"),
            Some(None) => {}
            None => assert!(files.contains(&file), "no manifest tells of {file}"),
        }
    }
    states
}

fn campaign(kills: u32, chance: u64) {
    let begun = Instant::now();
    let tcpdump = Tcpdump::require();
    let mut site = Site::new();
    site.set("max_concurrent_extractions", 2).set("max_queued_extractions", 1000);
    let recorder = Recorder::start(&site);
    let (mut dice, accepted) = (Dice(chance), Mutex::new(Vec::new()));
    let mut left_over = 0;
    for _ in 0..kills {
        let mut service = listener(&site);
        let server = service.address();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let (dice, accepted) = (Dice(dice.below(u64::MAX)), &accepted);
                scope.spawn(move || client(server, dice, accepted));
            }
            // The point of the kill is chance, and not something to wait for.
            thread::sleep(Duration::from_millis(dice.below(600)));
            service.signal(Signal::KILL);
            assert!(service.wait(PATIENCE).is_some());
        });
        left_over += look(&site, None).hidden;
    }
    let accepted = accepted.into_inner().unwrap();
    let service = listener(&site);
    let settled = poll(Duration::from_secs(120), || {
        let (_, list) = ask(service.address(), "GET /jobs?open=true", "");
        let is_idle =
            list["jobs"].as_array().unwrap().is_empty() && list["running"] == 0 && list["waiting"] == 0;
        (is_idle && manifests(&site).iter().all(|manifest| !manifest.open)).then_some(())
    });
    assert!(settled.is_some(), "jobs are left: {:#}", ask(service.address(), "GET /jobs?open=true", "").1);
    let seen = look(&site, tcpdump.as_ref());
    assert_eq!(seen.hidden, 0, "files are left over");
    let states = settle_accounts(&site, &recorder, &accepted, tcpdump.as_ref());
    // The next run has nothing to do and changes nothing.
    let names = crate::evidence(&site);
    service.stop();
    let service = listener(&site);
    assert_eq!(ask(service.address(), "GET /jobs?open=true", "").1["jobs"], json!([]));
    assert_eq!(crate::evidence(&site), names);
    eprintln!(
        "{kills} kills in {:.0} s, seed {chance}: {} questions accepted, {} captures, {} manifests {states:?}; \
         unfinished files found after kills: {left_over}, after the last start: 0",
        begun.elapsed().as_secs_f64(),
        accepted.len(),
        seen.captures,
        seen.manifests,
    );
}

#[test]
fn five_kills_lose_nothing() {
    campaign(5, 5);
}

/// `cargo test -p pcapx-listener --test listener -- --ignored --nocapture a_hundred_kills`
#[test]
#[ignore = "takes some minutes"]
fn a_hundred_kills_lose_nothing() {
    campaign(100, 100);
}
