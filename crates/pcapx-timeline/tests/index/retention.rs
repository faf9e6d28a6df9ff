//! Queries beside a retention that deletes the oldest segments and a recorder that adds new ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_timeline::Catalog;
use pcapx_timeline::catalog::Timeline;
use pcapx_timeline::index::IndexPlace;
use pcapx_timeline::warning::{Warning, WarningKind};

use crate::asking::{ask, filter, index, scratch, sidecar};
use crate::chance::effort;
use crate::generated::START;

/// Threads that ask.
const CLIENTS: usize = 8;
/// Segments that are kept.
const KEPT: u32 = 24;
/// Packets of a segment, a second apart from those of the next one.
const PACKETS: u32 = 200;
/// Packets of a segment that are asked for.
const WANTED: usize = 20;
/// How long it goes on; `PCAPX_TEST_EFFORT=20` makes a minute of it.
const DURATION: Duration = Duration::from_secs(3);

/// A timeline that rolls on. Segments `deleted .. complete` are there for sure.
struct Rolling {
    folder: PathBuf,
    deleted: AtomicU32,
    complete: AtomicU32,
    is_over: AtomicBool,
    /// What half of the clients ask; the others list the folder each time.
    timeline: Timeline,
}

impl Rolling {
    fn segment(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:06}.pcap"))
    }

    /// Records one segment: hidden, renamed, indexed; every fifth one has no index.
    fn record(&self) {
        let number = self.complete.load(Ordering::SeqCst);
        let packet = |n: u32| {
            let time = START.as_nanos() + i64::from(number) * 1_000_000_000 + i64::from(n) * 1_000_000;
            let network = Ipv4::new([10, 0, 0, (n / 20) as u8], [10, 0, 1, 1]);
            let payload = [[number as u8; 32], [n as u8; 32]].concat();
            let frame = Ethernet::new()
                .carry(&network.carry(&Udp::new(n as u16, 53).payload(&[&payload[..], &[0; 700]].concat())));
            Packet::new(Timestamp::from_nanos(time), frame)
        };
        let path = self.segment(number);
        let hidden = self.folder.join(".recording");
        Pcap::new().write(&hidden, &(0..PACKETS).map(packet).collect::<Vec<_>>());
        fs::rename(hidden, &path).unwrap();
        self.complete.store(number + 1, Ordering::SeqCst);
        if !number.is_multiple_of(5) {
            index(&path).unwrap();
        }
    }

    /// Deletes the oldest segment, its index before or after it.
    fn delete(&self) {
        let number = self.deleted.fetch_add(1, Ordering::SeqCst);
        let segment = self.segment(number);
        let mut files = [sidecar(&segment), segment];
        if number.is_multiple_of(2) {
            files.reverse();
        }
        for file in files {
            match fs::remove_file(&file) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && number.is_multiple_of(5) => {}
                Err(e) => panic!("{file:?}: {e}"),
            }
        }
    }

    /// Asks until it is over; every answer has what was there all the time, and names what has gone. Returns how often, and how
    /// many segments had gone.
    fn ask(&self, client: usize) -> (u32, u32) {
        let question = filter(&format!("host 10.0.0.{client} and udp"));
        let (mut asked, mut gone) = (0, 0);
        while !self.is_over.load(Ordering::SeqCst) {
            let complete = self.complete.load(Ordering::SeqCst);
            let catalog = match client % 2 {
                0 => self.timeline.catalog().unwrap(),
                _ => Arc::new(Catalog::open(&[&self.folder]).unwrap()),
            };
            let place = Some(IndexPlace::beside()).filter(|_| asked % 7 > 0);
            let answer = ask(&catalog, Some(&question), Window::ALL, place);
            let deleted = self.deleted.load(Ordering::SeqCst);

            let mut counts = BTreeMap::<u32, usize>::new();
            for packet in answer.packets() {
                let number = (packet.0.as_nanos() - START.as_nanos()) / 1_000_000_000;
                *counts.entry(number as u32).or_default() += 1;
            }
            assert!(counts.values().all(|&count| count == WANTED), "a part of a segment: {counts:?}");
            let missing: Vec<_> = (deleted..complete).filter(|number| !counts.contains_key(number)).collect();
            assert!(missing.is_empty(), "{missing:?} are missing; {:?}", answer.extraction.warnings);
            for Warning { path, kind } in &answer.extraction.warnings {
                assert_eq!(*kind, WarningKind::Vanished, "{path:?}");
                assert!(number_of(path) < deleted, "{path:?} has not gone");
                gone += 1;
            }
            asked += 1;
        }
        (asked, gone)
    }
}

fn number_of(path: &Path) -> u32 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// Ends the queries, also when the thread that rolls on has failed.
struct Over<'r>(&'r AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn segments_can_go_while_queries_run() {
    let folder = scratch();
    let rolling = Rolling {
        folder: folder.path().to_owned(),
        deleted: AtomicU32::new(0),
        complete: AtomicU32::new(0),
        is_over: AtomicBool::new(false),
        timeline: Timeline::new([folder.path()]),
    };
    (0..KEPT).for_each(|_| rolling.record());
    let (asked, gone) = thread::scope(|scope| {
        let over = Over(&rolling.is_over);
        let rolling = &rolling;
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || rolling.ask(client))).collect();
        let until = Instant::now() + DURATION * effort();
        while Instant::now() < until && !clients.iter().any(thread::ScopedJoinHandle::is_finished) {
            rolling.delete();
            rolling.record();
        }
        drop(over);
        let counts: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        (counts.iter().map(|c| c.0).sum::<u32>(), counts.iter().map(|c| c.1).sum::<u32>())
    });
    let deleted = rolling.deleted.load(Ordering::SeqCst);
    eprintln!(
        "{asked} queries while {deleted} segments were deleted; {gone} had gone between listing and reading"
    );
    assert!(asked > 10 && deleted > 10);
}
