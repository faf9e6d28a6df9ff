//! Questions to a folder of segments, with indexes and without.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pcapx_core::filter::{Expr, parse};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::index::{Built, IndexError, IndexPlace, SIDECAR_SUFFIX, index_segment};
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::warning::WarningKind;
use pcapx_timeline::{CancelToken, Catalog, Extraction};
use tempfile::TempDir;

/// The first bytes of a pcapng file.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// What a query has answered.
pub(crate) struct Answer {
    /// The output's name; `None` when nothing matched.
    pub(crate) name: Option<OsString>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) extraction: Extraction,
}

/// A packet as a capture file tells it: time, link type, bytes, length on the wire.
pub(crate) type Told = (Timestamp, u16, Vec<u8>, u32);

impl Answer {
    /// Its packets in the order of the file.
    pub(crate) fn packets(&self) -> Vec<Told> {
        if self.bytes.is_empty() {
            return Vec::new();
        }
        let dir = scratch();
        let path = dir.path().join("answer");
        fs::write(&path, &self.bytes).unwrap();
        let (packets, is_damaged) = packets_of(&path);
        assert!(!is_damaged, "the answer is damaged");
        packets
    }

    /// Whether both are the same file: to the last byte, or the same packets of a pcapng file, in which the descriptions of
    /// interfaces stand where the threads that read have come to them.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        let is_pcapng = self.bytes.starts_with(&PCAPNG) && other.bytes.starts_with(&PCAPNG);
        self.name == other.name
            && (self.bytes == other.bytes || (is_pcapng && self.packets() == other.packets()))
    }

    /// What it says of files, sorted, but for what it says of indexes.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.extraction.warnings.iter();
        let mut told: Vec<String> = warnings
            .filter(|w| !matches!(w.kind, WarningKind::IndexNotUsed(_)))
            .map(ToString::to_string)
            .collect();
        told.sort();
        told
    }

    /// Why indexes were not used.
    pub(crate) fn unused(&self) -> Vec<&str> {
        let warnings = self.extraction.warnings.iter();
        warnings
            .filter_map(|warning| match &warning.kind {
                WarningKind::IndexNotUsed(why) => Some(&why[..]),
                _ => None,
            })
            .collect()
    }
}

/// A folder that is gone when it is dropped; in memory where the machine has a place for that, since what is written here is
/// written for good thousands of times.
pub(crate) fn scratch() -> TempDir {
    let mut named = tempfile::Builder::new();
    named.prefix("pcapx-test-");
    named.tempdir_in("/dev/shm").or_else(|_| named.tempdir()).unwrap()
}

pub(crate) fn filter(text: &str) -> Expr {
    parse(text).unwrap()
}

/// Asks `catalog`; what is written is read and removed.
pub(crate) fn ask(
    catalog: &Catalog,
    filter: Option<&Expr>,
    window: Window,
    indexes: Option<IndexPlace>,
) -> Answer {
    let folder = scratch();
    let query = catalog.query(filter.cloned(), window).indexes(indexes);
    let extraction = query.write_to(&folder.path().join("out.pcap")).unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, extraction.output.iter().cloned().collect::<Vec<_>>(), "something else was left behind");
    let name = extraction.output.as_ref().and_then(|path| path.file_name()).map(ToOwned::to_owned);
    let bytes = extraction.output.as_ref().map_or(Vec::new(), |path| fs::read(path).unwrap());
    assert_eq!(extraction.counts.bytes_written, bytes.len() as u64);
    Answer { name, bytes, extraction }
}

/// With indexes beside the segments, listed anew.
pub(crate) fn indexed(timeline: &Path, filter: Option<&Expr>, window: Window) -> Answer {
    ask(&Catalog::open(&[timeline]).unwrap(), filter, window, Some(IndexPlace::beside()))
}

/// Without any index, listed anew.
pub(crate) fn scanned(timeline: &Path, filter: Option<&Expr>, window: Window) -> Answer {
    ask(&Catalog::open(&[timeline]).unwrap(), filter, window, None)
}

/// Both are the same file, and say the same of the segments.
#[track_caller]
pub(crate) fn assert_same(with: &Answer, without: &Answer, what: &str) {
    assert!(with.is_same_file(without), "{what}: another answer");
    assert_eq!(with.warnings(), without.warnings(), "{what}");
}

/// Nobody has written to the file at `path` for an hour.
pub(crate) fn finish(path: &Path) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

/// Indexes the segment at `path`, beside it.
pub(crate) fn index(path: &Path) -> Result<Built, IndexError> {
    index_segment(path, &IndexPlace::beside(), &CancelToken::new(), |_| ())
}

/// The index of `segment`, beside it.
pub(crate) fn sidecar(segment: &Path) -> std::path::PathBuf {
    let mut name = segment.as_os_str().to_owned();
    name.push(SIDECAR_SUFFIX);
    name.into()
}

/// The packets of a capture file one after another, and whether it is damaged behind them.
pub(crate) fn packets_of(path: &Path) -> (Vec<Told>, bool) {
    let mut packets = Vec::new();
    let Ok(mut reader) = SegmentReader::open(path) else { return (packets, true) };
    loop {
        match reader.next_packet() {
            Ok(Some(p)) => packets.push((p.time, p.link_type.0, p.data.to_vec(), p.orig_len)),
            Ok(None) => return (packets, false),
            Err(_) => return (packets, true),
        }
    }
}

/// Names of the files in `folder`, hidden ones too, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
