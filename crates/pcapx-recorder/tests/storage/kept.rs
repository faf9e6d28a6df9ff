//! What stands on the disk: read, counted, and looked over.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pcapx_core::filter;
use pcapx_core::window::Window;
use pcapx_testkit::process::{PATIENCE, poll};
use pcapx_testkit::tool;
use pcapx_timeline::Catalog;
use pcapx_timeline::index::{Identity, IndexPlace, IndexReader};
use pcapx_timeline::segment::SegmentReader;

use crate::apart;
use crate::recorder::Place;
use crate::traffic::{PORT, number};

/// Everything below a folder but folders, links not followed.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() { all.extend(walk(&path)) } else { all.push(path) }
    }
    all
}

/// What everything below a folder takes on the disk.
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    walk(folder).iter().filter_map(|path| fs::symlink_metadata(path).ok()).map(|m| m.blocks() * 512).sum()
}

/// The segments that have their names, oldest first.
pub(crate) fn sealed(dump: &Path) -> BTreeSet<PathBuf> {
    let is_segment =
        |path: &PathBuf| !path.is_symlink() && path.extension().is_some_and(|ending| ending == "pcap");
    walk(dump).into_iter().filter(is_segment).collect()
}

/// The numbers of the packets of some files, in their order.
pub(crate) fn numbers<'p>(files: impl IntoIterator<Item = &'p PathBuf>) -> Vec<u64> {
    let mut all = Vec::new();
    for file in files {
        let mut reader = SegmentReader::open(file).unwrap();
        while let Some(packet) = reader.next_packet().unwrap() {
            all.extend(number(packet.data));
        }
    }
    all
}

/// The numbers of the packets of `window` that a query finds.
pub(crate) fn found(timeline: &Path, window: Window) -> Vec<u64> {
    let catalog = Catalog::open(&[timeline]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("a.pcap");
    let filter = filter::parse(&format!("udp and host 127.0.0.10 and port {PORT}")).unwrap();
    let extraction = catalog.query(Some(filter), window).write_to(&answer).unwrap();
    if extraction.output.is_some() { numbers([&answer]) } else { Vec::new() }
}

/// Fails unless `numbers` goes on by one each time, as it should, and answers where it begins and ends.
#[track_caller]
pub(crate) fn assert_contiguous(numbers: &[u64]) -> (u64, u64) {
    let gap = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!(gap, None, "of {} packets", numbers.len());
    (numbers[0], numbers[numbers.len() - 1])
}

/// How far a recorder has come with what stands on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It was killed: a segment that was just sealed may lack its index or a link.
    Killed,
    /// It records.
    Recording,
    /// It has ended.
    AtRest,
}

/// Fails unless all that a recorder has finished is as it should be: files that tcpdump reads without a word, indexes that
/// hold, links that lead somewhere, and nothing else.
#[track_caller]
pub(crate) fn assert_sound(place: &Place, state: State) {
    let segments = sealed(&place.dump);
    for path in &segments {
        if let Some(tcpdump) = apart::find("tcpdump") {
            let read = tcpdump.run(["-n", "-q", "-r", path.to_str().unwrap()]);
            let told = String::from_utf8_lossy(&read.stderr);
            if told.contains("Couldn't change to") {
                // As root of a namespace it cannot become the user that it wants to be.
                tool::skipped("tcpdump reads nothing here");
                continue;
            }
            let is_fine =
                read.status.success() && told.lines().all(|line| line.starts_with("reading from file"));
            assert!(is_fine, "{path:?}: {told}");
        }
        let identity = Identity::of(&fs::metadata(path).unwrap());
        match IndexReader::find(&IndexPlace::beside(), path, &identity) {
            Ok(index) => index.verify().unwrap(),
            Err(error) => assert!(state != State::AtRest, "{path:?}: {error}"),
        }
    }
    let mut others = walk(&place.dump);
    others.extend(walk(&place.timeline).into_iter().filter(|path| !path.starts_with(&place.dump)));
    let links: BTreeSet<_> = others.iter().filter(|path| path.is_symlink()).collect();
    if state != State::Killed {
        for link in &links {
            // While it records, the name that a link leads to may be changing.
            let is_alive = poll(PATIENCE, || (link.exists() || !link.is_symlink()).then_some(()));
            assert!(is_alive.is_some(), "{link:?} leads nowhere");
        }
    }
    if state == State::AtRest {
        let to_segments = links.iter().filter(|link| link.extension().is_some_and(|ending| ending == "pcap"));
        assert_eq!(to_segments.count(), segments.len(), "each segment has one link in the timeline");
        let known = |path: &&PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            segments.contains(*path)
                || path.is_symlink()
                || name
                    .strip_suffix(".pcapx")
                    .is_some_and(|segment| segments.contains(&path.with_file_name(segment)))
                || [".pcapx-recorder.json", ".pcapx-recorder.lock", "log"].contains(&name)
        };
        let litter: Vec<_> = others.iter().filter(|path| !known(path)).collect();
        assert!(litter.is_empty(), "{litter:?}");
    }
}
