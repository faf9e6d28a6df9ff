//! The floor of free space: kept while extractions write, by whichever extractor, and told.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use pcapx_core::manifest::{Failure, State};
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::process::{Connection, PATIENCE, Site, poll};
use rustix::fs::statvfs;
use serde_json::json;

use crate::disk::{Mounted, NO_SPACE};
use crate::fake::Fake;
use crate::shelf::{AT, ask, link, stem};
use crate::{assert_result, post, post_bytes};

const MEGABYTE: u64 = 1 << 20;
/// The disk of all these tests.
const DISK: &str = "size=64m";
/// Packets of a megabyte: records of 1024 bytes.
const PACKETS: usize = 1024;
/// Manifests and digests, and what a file in memory is rounded up to.
const BESIDE: u64 = 256 << 10;
/// How far below the floor each of several extractions may come.
const STEP: u64 = 4 << 20;

/// Packets of 10.9.9.`host` from an instant on, so many megabytes, within a second.
fn megabytes(host: u8, from: Timestamp, count: usize) -> Vec<Packet> {
    let data = [7; 1024 - 16 - 42];
    let frame = Ethernet::new()
        .carry(&Ipv4::new([10, 9, 9, host], [10, 0, 0, 20]).carry(&Udp::new(1, 2).payload(&data)));
    let times = (from.as_nanos()..).step_by(10_000).map(Timestamp::from_nanos);
    times.take(count * PACKETS).map(|at| Packet::new(at, frame.clone())).collect()
}

fn alert(id: &str, host: u8) -> String {
    format!(r#"{{"id": "{id}", "clientIp": "10.9.9.{host}", "unixTimestamp": {AT}}}"#)
}

/// A listener on a disk of 64 MB that leaves all but `room` of it free.
fn listener(mut site: Site, room: u64) -> Option<Mounted> {
    site.set("min_free_bytes", 64 * MEGABYTE - room);
    Mounted::new(site, DISK)
}

fn free(folder: &Path) -> u64 {
    let volume = statvfs(folder).unwrap();
    volume.f_bavail * volume.f_frsize
}

/// What `work` gives, and the least that was free meanwhile.
fn watched<T>(folder: &Path, work: impl FnOnce() -> T) -> (T, u64) {
    let (is_over, least) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
    let given = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                least.fetch_min(free(folder), Ordering::Relaxed);
            }
        });
        let given = work();
        is_over.store(true, Ordering::Relaxed);
        given
    });
    (given, least.into_inner())
}

#[test]
fn an_extraction_ends_before_there_is_less_than_the_floor() {
    let site = Site::new();
    let start = Timestamp::from_secs(AT);
    Pcap::new().write(&site.timeline_dir().join("much.pcap"), &megabytes(1, start, 20));
    Pcap::new().write(&site.timeline_dir().join("little.pcap"), &megabytes(2, start, 1));
    let room = 15 * MEGABYTE;
    let Some(mounted) = listener(site, room) else { return };
    let server = mounted.service.address();
    for turn in 0..2 {
        let (reply, least) = watched(&mounted.folder(), || post(server, "/", &alert("big", 1)));
        assert_result(&reply, NO_SPACE);
        assert!(least + room + BESIDE >= 64 * MEGABYTE, "{least} bytes were free in turn {turn}");
        let told = mounted.manifest(&stem("big"));
        assert_eq!((told.state, told.failure, told.file), (State::Failed, Some(Failure::NoSpace), None));
        assert_eq!(mounted.names(), [format!("{}.json", stem("big"))]);
    }
    let (status, document) = ask(server, "POST /", &alert("big", 1));
    assert_eq!((status, &document["text"]), (507, &NO_SPACE.into()));
    // What fits is answered.
    assert_result(&post(server, "/", &alert("small", 2)), &link("small"));
}

#[test]
fn room_for_just_the_answer_is_enough() {
    let site = Site::new();
    Pcap::new().write(&site.timeline_dir().join("a.pcap"), &megabytes(1, Timestamp::from_secs(AT), 20));
    let Some(mounted) = listener(site, 20 * MEGABYTE + BESIDE) else { return };
    assert_result(&post(mounted.service.address(), "/", &alert("a", 1)), &link("a"));
    let told = mounted.manifest(&stem("a"));
    assert_eq!((told.state, told.bytes), (State::Complete, Some(20 * MEGABYTE + 24)));
}

#[test]
fn several_extractions_keep_the_floor_together() {
    const ALERTS: u8 = 4;
    let mut site = Site::new();
    site.set("max_concurrent_extractions", ALERTS);
    let start = Timestamp::from_secs(AT);
    for host in 0..ALERTS {
        Pcap::new().write(&site.timeline_dir().join(format!("{host}.pcap")), &megabytes(host, start, 10));
    }
    let room = 25 * MEGABYTE;
    let Some(mounted) = listener(site, room) else { return };
    let (texts, least) = watched(&mounted.folder(), || {
        let mut clients: Vec<_> = (0..ALERTS)
            .map(|host| {
                let mut client = Connection::open(mounted.service.address());
                client.send(&post_bytes("/", alert(&format!("a{host}"), host).as_bytes()));
                client
            })
            .collect();
        clients.iter_mut().map(|client| client.reply().unwrap().text()).collect::<Vec<_>>()
    });
    assert!(least + room + u64::from(ALERTS) * STEP + BESIDE >= 64 * MEGABYTE, "{least} bytes were free");
    let failed = texts.iter().filter(|text| *text == NO_SPACE).count();
    let answered = texts.iter().filter(|text| text.starts_with("http://")).count();
    assert!(failed >= 1 && failed + answered == usize::from(ALERTS), "{texts:?}");
    assert!(mounted.names().iter().all(|name| !name.starts_with('.')), "{:?}", mounted.names());
}

/// What was found before its window was over stays as it is.
#[test]
fn a_window_whose_end_does_not_fit_keeps_its_beginning() {
    let site = Site::new();
    let at = Timestamp::from_secs(Timestamp::now().as_secs());
    let timeline = site.timeline_dir();
    // As far as the recorder says that it can be searched.
    let reach = |secs: i64| {
        let (now, up_to) = (Timestamp::now().as_nanos(), at.as_nanos() + secs * 1_000_000_000);
        let status = json!({
            "program": "test", "process": 1, "started_at_ns": now, "written_at_ns": now, "running": true,
            "searchable_up_to_ns": up_to, "unsealed": [],
        });
        fs::write(timeline.join(".pcapx-recorder.json.new"), status.to_string()).unwrap();
        fs::rename(timeline.join(".pcapx-recorder.json.new"), timeline.join(".pcapx-recorder.json")).unwrap();
    };
    Pcap::new().write(&timeline.join("1.pcap"), &megabytes(1, at, 1));
    reach(2);
    let Some(mounted) = listener(site, 20 * MEGABYTE) else { return };
    let body = alert("a", 1).replace(&AT.to_string(), &at.as_secs().to_string());
    let (status, document) = ask(mounted.service.address(), "POST /?after=4", &body);
    assert_eq!((status, &document["state"], &document["open"]), (202, &"partial".into(), &true.into()));
    let name = document["name"].as_str().unwrap();
    let before = fs::read(mounted.folder().join(format!("{name}.pcap"))).unwrap();
    Pcap::new().write(&timeline.join("2.pcap"), &megabytes(1, Timestamp::from_secs(at.as_secs() + 3), 30));
    let ((), least) = watched(&mounted.folder(), || {
        let ended = poll(PATIENCE, || {
            reach(10);
            (!mounted.manifest(name).open).then_some(())
        });
        assert!(ended.is_some(), "it stays open");
    });
    assert!(least + 20 * MEGABYTE + BESIDE >= 64 * MEGABYTE, "{least} bytes were free");
    let told = mounted.manifest(name);
    assert_eq!((told.state, told.failure), (State::Partial, Some(Failure::NoSpace)));
    let reason = "the window's end could not be added: there is not enough free space for evidence";
    assert_eq!(told.reason.as_deref(), Some(reason));
    let file = fs::read(mounted.folder().join(format!("{name}.pcap"))).unwrap();
    assert!(file == before && told.bytes == Some(file.len() as u64));
    assert_eq!(read_pcap(&file).unwrap().packets.len(), PACKETS);
    assert!(mounted.names().iter().all(|name| !name.starts_with('.')), "{:?}", mounted.names());
}

/// npcapextract knows of no floor: it is ended when it comes to it, and its file goes.
#[test]
fn an_external_extractor_is_ended_at_the_floor() {
    let mut fake = Fake::new("");
    fake.site.set("min_free_bytes", 44 * MEGABYTE);
    let (held, quick) = (
        "head -c 40000000 /dev/zero > \"$output\"; read line < \"$site/release\"",
        "head -c 40000000 /dev/zero > \"$output\"",
    );
    fake.script(held);
    let command = fake.command();
    let program = fake.site.path().join("bin/npcapextract");
    let beginning = fs::read_to_string(&program).unwrap().replace(held, "");
    let _release = File::options().read(true).write(true).open(fake.site.path().join("release")).unwrap();
    let Some(mounted) = Mounted::with(fake.site, &command, DISK) else { return };
    let server = mounted.service.address();
    for script in [held, quick] {
        fs::write(&program, format!("{beginning}{script}")).unwrap();
        assert_result(&post(server, "/", &alert("a", 1)), NO_SPACE);
        let told = mounted.manifest(&stem("a"));
        assert_eq!((told.state, told.failure, told.file), (State::Failed, Some(Failure::NoSpace), None));
        assert_eq!(mounted.names(), [format!("{}.json", stem("a"))]);
        assert_eq!(ask(server, "POST /", &alert("a", 1)).0, 507);
    }
    fs::write(&program, format!("{beginning}head -c 10000000 /dev/zero > \"$output\"")).unwrap();
    assert_result(&post(server, "/", &alert("a", 1)), &link("a"));
    assert_eq!(mounted.manifest(&stem("a")).bytes, Some(10_000_000));
}
