//! The floor of free space: whatever a query writes, it gives up before there is less, and leaves nothing behind.

#![allow(clippy::cast_sign_loss, reason = "the numbers of these tests are small")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::{namespace, tool};
use pcapx_timeline::extract::{ExtractError, Notes};
use pcapx_timeline::{Catalog, Format, Limits, Query};
use rustix::fs::statvfs;
use tempfile::TempDir;

/// What `unshare` is asked for: mounts of one's own.
const MOUNTS: &[&[&str]] = &[&["-Urm"]];
const BASE: i64 = 1_772_356_200;
const MEGABYTE: u64 = 1 << 20;
/// Packets of a megabyte: records of 1024 bytes.
const PACKETS: i64 = 1024;
/// What a file in memory is rounded up to, and what folders and names take.
const ROUNDED: u64 = 64 << 10;

/// Packets of so many megabytes from a second on, a thousand in each.
fn megabytes(from: i64, count: i64) -> Vec<Packet> {
    let frame = |number: i64| {
        let data = [&number.to_be_bytes()[..], &[7; 1024 - 16 - 42 - 8]].concat();
        Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(9, 53).payload(&data)))
    };
    let at = |number: i64| Timestamp::from_nanos((BASE + from) * 1_000_000_000 + number * 1_000_000);
    (0..count * PACKETS).map(|number| Packet::new(at(number), frame(number))).collect()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(BASE + secs)
}

/// A timeline, and a small disk in memory for answers.
struct Site {
    timeline: TempDir,
    out: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { timeline: tempfile::tempdir().unwrap(), out: tempfile::tempdir().unwrap() };
        let words = ["-t", "tmpfs", "-o", "size=64m", "none"].map(AsRef::as_ref);
        let mount = tool::find("mount").unwrap().run(words.into_iter().chain([site.out.path().as_os_str()]));
        assert!(mount.status.success(), "{mount:?}");
        site
    }

    fn put(&self, name: &str, packets: &[Packet]) {
        Pcap::new().write(&self.timeline.path().join(name), packets);
    }

    /// Asks with `room` bytes above the floor, and makes sure that the floor was kept at every moment.
    fn ask<T>(
        &self,
        room: u64,
        how: impl FnOnce(Query<'_>, &Path) -> Result<T, ExtractError>,
    ) -> Result<T, ExtractError> {
        let floor = free(self.out.path()) - room;
        let (is_over, least) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
        let catalog = Catalog::open(&[self.timeline.path()]).unwrap();
        let answer = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    least.fetch_min(free(self.out.path()), Ordering::Relaxed);
                }
            });
            let query = catalog.query(None, Window::ALL).threads(2).keep_free(floor).hash(true);
            let answer = how(query, self.out.path());
            is_over.store(true, Ordering::Relaxed);
            answer
        });
        let least = least.into_inner().min(free(self.out.path()));
        assert!(least + ROUNDED >= floor, "{least} bytes were free, and the floor is {floor}");
        if let Err(error) = &answer {
            assert!(matches!(error, ExtractError::NoRoom { floor: told, .. } if *told == floor), "{error}");
        }
        answer
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn remove_all(&self) {
        for name in self.names() {
            fs::remove_file(self.out.path().join(name)).unwrap();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(umount) = tool::find("umount") {
            umount.run(["-l".as_ref(), self.out.path().as_os_str()]);
        }
    }
}

fn free(folder: &Path) -> u64 {
    let volume = statvfs(folder).unwrap();
    volume.f_bavail * volume.f_frsize
}

#[test]
fn an_answer_ends_above_the_floor() {
    namespace::alone(MOUNTS, "an_answer_ends_above_the_floor", || {
        let site = Site::new();
        site.put("a.pcap", &megabytes(0, 20));
        for room in [19 * MEGABYTE, MEGABYTE, 0] {
            site.ask(room, |query, out| query.write_to(&out.join("a.pcap"))).unwrap_err();
            assert!(site.names().is_empty(), "{:?}", site.names());
        }
        let answer =
            site.ask(20 * MEGABYTE + ROUNDED, |query, out| query.write_to(&out.join("a.pcap"))).unwrap();
        assert_eq!(answer.counts.bytes_written, 20 * MEGABYTE + 24);
        assert_eq!(site.names(), ["a.pcap"]);
    });
}

#[test]
fn the_copy_in_another_order_keeps_it_too() {
    namespace::alone(MOUNTS, "the_copy_in_another_order_keeps_it_too", || {
        let site = Site::new();
        // The clock was set back: two runs.
        site.put("a.pcap", &[megabytes(100, 10), megabytes(0, 10)].concat());
        for room in [10, 25, 39] {
            site.ask(room * MEGABYTE, |query, out| query.write_to(&out.join("a.pcap"))).unwrap_err();
            assert!(site.names().is_empty(), "{:?}", site.names());
        }
        site.ask(40 * MEGABYTE + 2 * ROUNDED, |query, out| query.write_to(&out.join("a.pcap"))).unwrap();
        let read = read_pcap(&fs::read(site.out.path().join("a.pcap")).unwrap()).unwrap();
        assert_eq!(read.packets.len(), 20 * PACKETS as usize);
        assert!(read.packets.is_sorted_by_key(|packet| packet.time));
    });
}

#[test]
fn an_answer_that_cannot_be_gone_on_with_stays_as_it_is() {
    namespace::alone(MOUNTS, "an_answer_that_cannot_be_gone_on_with_stays_as_it_is", || {
        let site = Site::new();
        site.put("a.pcap", &megabytes(0, 10));
        site.ask(11 * MEGABYTE, |query, out| query.write_to(&out.join("a.pcap"))).unwrap();
        let before = fs::read(site.out.path().join("a.pcap")).unwrap();
        site.put("b.pcap", &megabytes(100, 10));
        let go_on = |query: Query<'_>, out: &Path| {
            let path = out.join("a.pcap");
            query.continue_from(&path, at(50)).write_to(&path)
        };
        // No room for what stays, and none for what is added.
        for room in [6, 15] {
            site.ask(room * MEGABYTE, go_on).unwrap_err();
            assert_eq!(site.names(), ["a.pcap"]);
            assert!(fs::read(site.out.path().join("a.pcap")).unwrap() == before);
        }
        let answer = site.ask(20 * MEGABYTE + ROUNDED, go_on).unwrap();
        assert_eq!(answer.counts.bytes_written, 20 * MEGABYTE + 24);
        assert_eq!(answer.counts.packets_taken_over, 10 * PACKETS as u64);
    });
}

#[test]
fn parts_keep_it_too() {
    namespace::alone(MOUNTS, "parts_keep_it_too", || {
        let site = Site::new();
        site.put("a.pcap", &megabytes(0, 20));
        let limits = Limits { max_packets: Some(3000), max_bytes: None };
        for room in [10, 30] {
            site.ask(room * MEGABYTE, |query, out| query.write_parts(out, "x-", limits)).unwrap_err();
            assert!(site.names().is_empty(), "{:?}", site.names());
        }
        let room = 40 * MEGABYTE + 4 * ROUNDED;
        let answer = site.ask(room, |query, out| query.write_parts(out, "x-", limits)).unwrap();
        assert_eq!(answer.parts.len(), 7);
    });
}

/// The packets are worth more than what is told of them.
#[test]
fn without_room_for_longer_notes_the_shorter_ones_stand() {
    namespace::alone(MOUNTS, "without_room_for_longer_notes_the_shorter_ones_stand", || {
        let site = Site::new();
        site.put("a.pcap", &megabytes(0, 20));
        for (room, comment) in [(24, "short"), (50, "much longer after the search")] {
            let asked = std::sync::atomic::AtomicBool::new(false);
            let notes = move |_: &_, _| {
                let is_after = asked.swap(true, Ordering::Relaxed);
                let text = if is_after { "much longer after the search" } else { "short" };
                Notes { comments: vec![text.to_owned()], ..Notes::default() }
            };
            let query = |query: Query<'_>, out: &Path| {
                query.format(Format::Pcapng).notes(notes).write_to(&out.join("a.pcapng"))
            };
            let answer = site.ask(room * MEGABYTE, query).unwrap();
            assert_eq!(site.names(), ["a.pcapng"]);
            let file = fs::read(site.out.path().join("a.pcapng")).unwrap();
            assert_eq!(answer.counts.bytes_written, file.len() as u64);
            let head = &file[..200];
            assert!(head.windows(comment.len()).any(|part| part == comment.as_bytes()), "{comment}");
            site.remove_all();
        }
    });
}
