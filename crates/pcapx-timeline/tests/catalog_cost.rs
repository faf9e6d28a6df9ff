//! What it costs to ask a timeline again: counted in looks at the file system, which no load of the machine bends.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use pcapx_timeline::Timeline;
use pcapx_timeline::catalog::Looks;

const BASE_SECS: u64 = 1_771_000_000;
/// The first looks at new folders that were written to just now, made old afterwards: they are listed again.
const SETTLING: usize = 2;

fn age(path: &Path, secs: u64) {
    File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(BASE_SECS + secs)).unwrap();
}

/// What one refresh costs, and how many segments it shows.
fn cost(timeline: &Timeline) -> (Looks, usize) {
    let before = timeline.looks();
    let catalog = timeline.catalog().unwrap();
    let after = timeline.looks();
    let looks = Looks {
        stats: after.stats - before.stats,
        listings: after.listings - before.listings,
        links: after.links - before.links,
    };
    (looks, catalog.segments().len())
}

/// A folder of many files, each finished some time after the one before.
fn flat(dir: &Path, files: u64) -> PathBuf {
    let folder = dir.join("rolling");
    fs::create_dir(&folder).unwrap();
    for n in 0..files {
        let path = folder.join(format!("{}.000000.pcap", BASE_SECS + n));
        File::create(&path).unwrap();
        age(&path, n);
    }
    age(&folder, files);
    folder
}

#[test]
fn a_quiet_folder_costs_a_handful_of_looks() {
    let dir = tempfile::tempdir().unwrap();
    let timeline = Timeline::new([flat(dir.path(), 10_000)]);
    let (first, files) = cost(&timeline);
    assert_eq!((files, first.listings), (10_000, 1));
    assert!((10_000..10_010).contains(&first.stats), "{first:?}");
    for _ in 0..3 {
        let (again, files) = cost(&timeline);
        assert_eq!((files, again.listings, again.links), (10_000, 0, 0));
        assert!(again.stats <= 5, "{again:?}");
    }
}

#[test]
fn nothing_new_is_the_same_catalog() {
    let dir = tempfile::tempdir().unwrap();
    let folder = flat(dir.path(), 1_000);
    let timeline = Timeline::new([&folder]);
    let first = timeline.catalog().unwrap();
    assert!(Arc::ptr_eq(&first, &timeline.catalog().unwrap()));
    let oldest = folder.join(format!("{BASE_SECS}.000000.pcap"));
    fs::remove_file(&oldest).unwrap();
    let second = timeline.catalog().unwrap();
    assert_eq!((first.segments().len(), second.segments().len()), (1_000, 999));
    let shared = first.segments()[1..].iter().zip(second.segments()).all(|(a, b)| Arc::ptr_eq(a, b));
    assert!(shared, "what stayed is the same segment");
}

#[test]
fn a_growing_file_costs_its_own_looks() {
    let dir = tempfile::tempdir().unwrap();
    let folder = flat(dir.path(), 1_000);
    let open = folder.join(format!("{}.000000.pcap.tmp", BASE_SECS + 1_000));
    File::create(&open).unwrap();
    age(&folder, 1_001);
    let timeline = Timeline::new([&folder]);
    for len in 1..5 {
        OpenOptions::new().append(true).open(&open).unwrap().write_all(b"x").unwrap();
        let (looks, files) = cost(&timeline);
        assert_eq!(files, 1_001);
        assert_eq!(timeline.catalog().unwrap().segments().last().unwrap().len, len);
        assert!(len == 1 || (looks.listings == 0 && looks.stats <= 6), "{looks:?}");
    }
}

/// n2disk's layout: a folder for each dump, and links in a tree of ten-minute folders.
fn n2disk(dir: &Path, files: u64) -> PathBuf {
    let root = dir.join("rolling");
    for n in 0..files {
        let name = format!("{}.000000", BASE_SECS + 300 * n);
        let (dump, tree) = (
            root.join(&name),
            root.join(format!(
                "2026/{:02}/{:02}/{:02}/{}0",
                1 + n / 288 / 28,
                1 + n / 288 % 28,
                n / 12 % 24,
                n / 2 % 6
            )),
        );
        fs::create_dir_all(&dump).unwrap();
        fs::create_dir_all(&tree).unwrap();
        let path = dump.join(format!("{name}.pcap"));
        File::create(&path).unwrap();
        symlink(&path, tree.join(format!("{name}.pcap"))).unwrap();
        age(&path, 300 * n);
        age(&dump, 300 * n);
        for (above, folder) in tree.ancestors().take(5).enumerate() {
            // A folder was written to last when the last one was made in it.
            if above == 0
                || folder.metadata().unwrap().modified().unwrap()
                    > UNIX_EPOCH + Duration::from_secs(BASE_SECS + 300 * files)
            {
                age(folder, 300 * n);
            }
        }
    }
    age(&root, 300 * files);
    root
}

#[test]
fn a_quiet_tree_of_dates_costs_a_handful_of_looks() {
    let dir = tempfile::tempdir().unwrap();
    let root = n2disk(dir.path(), 1_000);
    let timeline = Timeline::new([&root]);
    assert_eq!(cost(&timeline).1, 1_000);
    for _ in 0..3 {
        let (looks, files) = cost(&timeline);
        assert_eq!((files, looks.listings, looks.links), (1_000, 0, 0));
        assert!(looks.stats <= 50, "{looks:?}");
    }
}

#[test]
fn a_tree_of_dates_rolls_on_and_nothing_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let root = n2disk(dir.path(), 1_008);
    let timeline = Timeline::new([&root]);
    assert_eq!(cost(&timeline).1, 1_008);
    // The recorder begins a dump.
    let name = format!("{}.000000", BASE_SECS + 302_400);
    let dump = root.join(&name);
    fs::create_dir(&dump).unwrap();
    let open = dump.join(format!("{name}.pcap.tmp"));
    File::create(&open).unwrap();
    age(&dump, 302_400);
    age(&root, 302_400);
    assert_eq!(cost(&timeline).1, 1_009);
    for _ in 0..SETTLING {
        cost(&timeline);
    }
    // It ends the dump and puts a link into folders that are made for a new hour.
    let path = dump.join(format!("{name}.pcap"));
    fs::rename(&open, &path).unwrap();
    let catalog = timeline.catalog().unwrap();
    let found: Vec<_> = catalog.segments().iter().filter(|s| s.path.starts_with(&dump)).collect();
    assert!(matches!(found[..], [s] if s.path == path && !s.is_open), "{found:?}");
    let tree = root.join("2026/01/04/12/00");
    fs::create_dir_all(&tree).unwrap();
    symlink(&path, tree.join(format!("{name}.pcap"))).unwrap();
    symlink("gone.pcap", tree.join("gone.pcap")).unwrap();
    let catalog = timeline.catalog().unwrap();
    assert_eq!(
        (catalog.segments().len(), catalog.warnings().len()),
        (1_009, 1),
        "the new folder was looked into"
    );
    // Retention takes the oldest dump away, and its link.
    let oldest = format!("{BASE_SECS}.000000");
    fs::remove_file(root.join(format!("2026/01/01/00/00/{oldest}.pcap"))).unwrap();
    fs::remove_dir_all(root.join(&oldest)).unwrap();
    let (looks, files) = cost(&timeline);
    assert_eq!(files, 1_008);
    assert!(looks.stats <= 100 && looks.listings <= 20, "{looks:?}");
}
