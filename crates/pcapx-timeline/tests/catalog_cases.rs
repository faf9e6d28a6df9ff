//! Changes that no time of a folder and no order of ages tells of, and are seen at once all the same.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use pcapx_timeline::Timeline;

fn age(path: &Path, secs: u64) {
    File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1_772_000_000 + secs)).unwrap();
}

fn put(path: &Path, len: usize, secs: u64) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(&vec![7; len]).unwrap();
    age(path, secs);
}

/// A folder at rest with five files of one byte, `0.pcap` the oldest.
fn five(folder: &Path) -> PathBuf {
    fs::create_dir(folder).unwrap();
    for n in 0..5 {
        put(&folder.join(format!("{n}.pcap")), 1, n);
    }
    age(folder, 10);
    folder.to_owned()
}

fn lens(timeline: &Timeline) -> Vec<u64> {
    timeline.catalog().unwrap().segments().iter().map(|segment| segment.len).collect()
}

#[test]
fn an_open_file_of_middle_age_grows() {
    let dir = tempfile::tempdir().unwrap();
    let root = five(&dir.path().join("root"));
    let open = root.join("2.pcap.tmp");
    put(&open, 1, 2);
    age(&root, 11);
    let timeline = Timeline::new([&root]);
    assert_eq!(lens(&timeline), [1, 1, 1, 1, 1, 1]);
    put(&open, 1, 2);
    assert_eq!(lens(&timeline), [1, 1, 1, 2, 1, 1]);
}

#[test]
fn a_file_is_replaced_while_another_comes() {
    let dir = tempfile::tempdir().unwrap();
    let root = five(&dir.path().join("root"));
    let timeline = Timeline::new([&root]);
    assert_eq!(lens(&timeline), [1; 5]);
    let new = dir.path().join("new");
    put(&new, 9, 2);
    fs::rename(new, root.join("2.pcap")).unwrap();
    put(&root.join("5.pcap"), 1, 5);
    assert_eq!(lens(&timeline), [1, 1, 9, 1, 1, 1]);
}

#[test]
fn a_folder_that_changed_although_its_names_did_not_is_looked_at_whole() {
    let dir = tempfile::tempdir().unwrap();
    let root = five(&dir.path().join("root"));
    let timeline = Timeline::new([&root]);
    assert_eq!(lens(&timeline), [1; 5]);
    // As when a file is taken away and the next one gets its name and its inode.
    put(&root.join("2.pcap"), 1, 2);
    age(&root, 11);
    assert_eq!(lens(&timeline), [1, 1, 2, 1, 1]);
}

#[test]
fn of_two_names_of_a_file_the_later_look_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    let one = five(&dir.path().join("one"));
    let two = dir.path().join("two");
    fs::create_dir(&two).unwrap();
    fs::hard_link(one.join("2.pcap"), two.join("x.pcap")).unwrap();
    age(&two, 10);
    age(&one, 11);
    let timeline = Timeline::new([dir.path()]);
    assert_eq!(lens(&timeline), [1; 5]);
    put(&two.join("x.pcap"), 1, 2);
    assert_eq!(lens(&timeline), [1, 1, 2, 1, 1]);
    // Also when everything is put together anew.
    put(&one.join("5.pcap"), 1, 5);
    assert_eq!(lens(&timeline), [1, 1, 2, 1, 1, 1]);
}

#[test]
fn a_link_comes_to_life_with_the_folder_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let (root, dump) = (five(&dir.path().join("root")), dir.path().join("dump"));
    symlink(dump.join("x.pcap"), root.join("x.pcap")).unwrap();
    age(&root, 11);
    let timeline = Timeline::new([&root]);
    assert_eq!(timeline.catalog().unwrap().warnings().len(), 1);
    fs::create_dir(&dump).unwrap();
    put(&dump.join("x.pcap"), 3, 0);
    let catalog = timeline.catalog().unwrap();
    let linked = catalog.segments().last().unwrap();
    assert_eq!((catalog.warnings().len(), linked.len), (0, 3));
    assert_eq!(linked.file, fs::canonicalize(&dump).unwrap().join("x.pcap"));
    fs::remove_dir_all(&dump).unwrap();
    assert_eq!(timeline.catalog().unwrap().warnings().len(), 1);
}
