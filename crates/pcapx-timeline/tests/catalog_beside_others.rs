//! Recorder and retention work in a folder while it is listed and read: no error, and nothing that stays is missed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_timeline::Timeline;
use pcapx_timeline::warning::WarningKind;

const ROUNDS: u64 = 400;
const KEPT: u64 = 20;
/// Many times what the rounds take.
const DEADLINE: Duration = Duration::from_secs(60);

fn name(n: u64) -> String {
    format!("{}.000000.pcap", 1_772_000_000 + n)
}

/// Writes one file after another as n2disk does, with a link beside, and takes away what is too old.
fn record(dump: &Path, tree: &Path) {
    for n in 0..ROUNDS {
        let (path, open) = (dump.join(name(n)), dump.join(format!("{}.tmp", name(n))));
        let time = Timestamp::from_secs(1_772_000_000 + n.cast_signed());
        Pcap::new().write(&open, &[Packet::new(time, vec![7; 60])]);
        fs::rename(open, &path).unwrap();
        symlink(&path, tree.join(name(n))).unwrap();
        if let Some(old) = n.checked_sub(KEPT) {
            fs::remove_file(tree.join(name(old))).unwrap();
            fs::remove_file(dump.join(name(old))).unwrap();
        }
    }
}

#[test]
fn files_come_and_go_while_they_are_listed_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let (dump, tree) = (dir.path().join("dump"), dir.path().join("tree"));
    for folder in [&dump, &tree] {
        fs::create_dir(folder).unwrap();
    }
    Pcap::new().write(&dump.join("stays.pcap"), &[Packet::new(Timestamp::from_secs(1), vec![1; 60])]);
    let both = Timeline::new([dir.path()]);
    let links = Timeline::new([&tree]);
    let is_over = AtomicBool::new(false);
    let begin = Instant::now();
    let ask = |timeline: &Timeline, out: &str, always: usize| {
        let mut refreshes = 0_u64;
        while !is_over.load(Ordering::Relaxed) {
            assert!(begin.elapsed() < DEADLINE, "the recorder has stopped");
            let catalog = timeline.catalog().unwrap();
            let out = dir.path().join(out);
            let answer = catalog.query(None, Window::ALL).threads(1).write_to(&out).unwrap();
            for warning in answer.warnings {
                let is_gone = matches!(warning.kind, WarningKind::Vanished | WarningKind::DanglingLink);
                assert!(is_gone, "{warning}");
            }
            let stays = catalog.segments().iter().filter(|s| s.path.ends_with("stays.pcap")).count();
            assert_eq!(stays, always);
            refreshes += 1;
        }
        refreshes
    };
    let refreshes = thread::scope(|scope| {
        let ask = &ask;
        let readers = [(&both, ".a.pcap", 1), (&both, ".b.pcap", 1), (&links, ".c.pcap", 0)]
            .map(|(timeline, out, always)| scope.spawn(move || ask(timeline, out, always)));
        record(&dump, &tree);
        is_over.store(true, Ordering::Relaxed);
        readers.map(|reader| reader.join().unwrap())
    });
    assert!(refreshes.iter().all(|&n| n > 0), "{refreshes:?}");
    // In the end both know what is there.
    let kept: Vec<String> = (ROUNDS - KEPT..ROUNDS).map(name).collect();
    for (timeline, folder) in [(&both, &dump), (&links, &tree)] {
        let catalog = timeline.catalog().unwrap();
        let names = catalog.segments().iter().filter(|s| s.path.starts_with(folder));
        let names: Vec<_> = names.map(|s| s.path.file_name().unwrap().to_str().unwrap()).collect();
        assert!(kept.iter().all(|name| names.contains(&name.as_str())), "{names:?}");
        assert!(names.iter().all(|name| *name == "stays.pcap" || kept.contains(&(*name).to_owned())));
    }
}

#[test]
fn a_root_that_is_missing_for_a_while_is_an_error_for_as_long() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("rolling");
    let timeline = Timeline::new([&root]);
    assert!(timeline.catalog().is_err());
    fs::create_dir(&root).unwrap();
    Pcap::new().write(&root.join("a.pcap"), &[]);
    assert_eq!(timeline.catalog().unwrap().segments().len(), 1);
    fs::rename(&root, dir.path().join("elsewhere")).unwrap();
    let error = timeline.catalog().unwrap_err().to_string();
    assert!(error.contains("rolling"), "{error}");
    fs::rename(dir.path().join("elsewhere"), &root).unwrap();
    assert_eq!(timeline.catalog().unwrap().segments().len(), 1);
}
