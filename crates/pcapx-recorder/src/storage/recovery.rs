//! Puts in order what a recorder that did not end has left.
//!
//! ```text
//! ….pcap.tmp             cut behind its last whole record and published with its index; removed without a packet
//! ….pcap                 gets its link and the way back, where one is missing
//! .….pcapx.building      built anew for its segment, or removed
//! dead links, indexes without a segment, empty folders      removed, where their names are ours
//! ```
//!
//! What a power failure has kept from the disk reads as zeros. Where a record's header is lost so, the segment ends there; a
//! packet whose last bytes are lost cannot be told from one that ends in zeros, and is kept.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use pcapx_timeline::control::CancelToken;
use pcapx_timeline::index::{IndexError, IndexPlace, index_segment};
use pcapx_timeline::segment::{SegmentError, SegmentReader};

use super::layout::time_of_segment;
use super::tree::{self, Kind};
use super::{Layout, StorageError};

/// What was found and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Segments that were published.
    pub segments: Vec<PathBuf>,
    /// Their packets.
    pub packets: u64,
    /// Bytes that were cut off because they were no whole record.
    pub bytes_cut: u64,
    /// Files without any packet that were removed.
    pub empty: u64,
    /// Links and indexes that were made again.
    pub mended: u64,
    /// Links and indexes that led nowhere and were removed.
    pub removed: u64,
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} segments with {} packets put in order, {} torn bytes cut off, {} files without a packet removed, {} links and \
             indexes made again, {} removed that led nowhere",
            self.segments.len(),
            self.packets,
            self.bytes_cut,
            self.empty,
            self.mended,
            self.removed
        )
    }
}

/// What stands in the folders, by what is to be done with it.
#[derive(Default)]
struct Found {
    torn: BTreeSet<PathBuf>,
    sealed: BTreeSet<PathBuf>,
    /// Indexes, finished or not, with the segments that they belong to.
    indexes: BTreeSet<(PathBuf, PathBuf)>,
    links: BTreeSet<PathBuf>,
    empty: BTreeSet<PathBuf>,
}

/// Goes through the folders of `layout`, which nobody else writes to.
pub fn recover(layout: &Layout, is_indexed: bool) -> Result<Recovered, StorageError> {
    let mut found = Found::default();
    let outside = layout.timeline.iter().filter(|timeline| !timeline.starts_with(&layout.dump));
    for root in std::iter::once(&layout.dump).chain(outside) {
        tree::walk(root, &mut |path, kind| found.sort_in(path, kind))
            .map_err(|source| StorageError::Folder { path: root.clone(), source })?;
    }
    let mut recovered = Recovered::default();
    for open in &found.torn {
        recover_one(layout, open, is_indexed, &mut recovered)?;
    }
    let published = recovered.segments.clone();
    let sealed = found.sealed.iter().filter(|sealed| sealed.starts_with(&layout.dump));
    for sealed in sealed.chain(&published) {
        match layout.mend(sealed) {
            Ok(is_mended) => recovered.mended += u64::from(is_mended),
            // Room is made later, and links are made at the next start.
            Err(error) if error.is_disk_full() => log::warn!("{sealed:?} has no link: {error}"),
            Err(error) => return Err(error),
        }
    }
    for (index, segment) in &found.indexes {
        tidy_index(index, segment, is_indexed, &mut recovered);
    }
    for link in found.links.iter().filter(|link| is_dead(link, layout)) {
        recovered.removed += u64::from(fs::remove_file(link).is_ok());
    }
    for folder in &found.empty {
        layout.remove_empty_folder(folder);
    }
    Ok(recovered)
}

impl Found {
    fn sort_in(&mut self, path: PathBuf, kind: Kind) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
        match kind {
            Kind::File if name.ends_with(".pcap.tmp") => {
                self.torn.insert(path);
            }
            Kind::File if time_of_segment(&path).is_some() => {
                self.sealed.insert(path);
            }
            Kind::File => {
                if let Some(segment) = IndexPlace::segment_of(&path)
                    && time_of_segment(&segment).is_some()
                {
                    self.indexes.insert((path, segment));
                }
            }
            Kind::Link => {
                self.links.insert(path);
            }
            Kind::Empty if name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
                self.empty.insert(path);
            }
            Kind::Empty => {}
        }
    }
}

/// Whether a link is one of a recorder's and leads nowhere. Those of other recorders, to other folders, are not ours to judge,
/// unless they were torn.
fn is_dead(link: &Path, layout: &Layout) -> bool {
    let (Some(name), Ok(target)) = (link.file_name().and_then(|name| name.to_str()), fs::read_link(link))
    else {
        return false;
    };
    let segment = name.strip_suffix(".timeline").or(name.strip_suffix(".tmp")).unwrap_or(name);
    let is_named_so = time_of_segment(Path::new(segment)).is_some();
    let is_torn = target.file_name().is_none_or(|target| !name.starts_with(&*target.to_string_lossy()));
    let is_ours = name.ends_with(".timeline") || target.starts_with(&layout.dump) || is_torn;
    is_named_so && is_ours && !link.exists()
}

/// An index of which nobody knows whether it was finished.
fn tidy_index(index: &Path, segment: &Path, is_indexed: bool, recovered: &mut Recovered) {
    let is_published = index.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    if is_published && segment.exists() {
        return;
    }
    if is_indexed && segment.exists() && index.exists() {
        match index_segment(segment, &IndexPlace::beside(), &CancelToken::new(), |_| ()) {
            Ok(_) => recovered.mended += 1,
            // Somebody else is at it.
            Err(IndexError::Busy) => {}
            Err(error) => log::warn!("{segment:?} gets no index: {error}"),
        }
    } else if !segment.exists() {
        recovered.removed += u64::from(fs::remove_file(index).is_ok());
    }
}

fn recover_one(
    layout: &Layout,
    open: &Path,
    is_indexed: bool,
    recovered: &mut Recovered,
) -> Result<(), StorageError> {
    let failed = |source| StorageError::Segment { path: open.to_owned(), source };
    let Some(paths) = layout.paths_of(&open.with_extension("")) else {
        log::warn!("{open:?} is left alone: its name is not one of ours");
        return Ok(());
    };
    let (packets, end) = match whole_records(open) {
        Ok(read) => read,
        // The recorder had created the file and not written to it yet, or a power failure has kept that from the disk.
        Err(SegmentError::TooShort { .. } | SegmentError::NotACapture { magic: 0 }) => (0, 0),
        Err(error) => {
            log::warn!("{open:?} is left alone: it {error}");
            return Ok(());
        }
    };
    if packets == 0 {
        layout.discard(&paths).map_err(failed)?;
        recovered.empty += 1;
        return Ok(());
    }
    let file = OpenOptions::new().read(true).write(true).open(open).map_err(failed)?;
    recovered.bytes_cut += torn_bytes(&file, end).map_err(failed)?;
    file.set_len(end).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    layout.publish(&paths)?;
    if is_indexed
        && let Err(error) = index_segment(&paths.sealed, &IndexPlace::beside(), &CancelToken::new(), |_| ())
    {
        log::warn!("{:?} gets no index: {error}", paths.sealed);
    }
    recovered.packets += packets;
    recovered.segments.push(paths.sealed);
    Ok(())
}

/// How many packets a file has, and where the last one ends.
fn whole_records(path: &Path) -> Result<(u64, u64), SegmentError> {
    let mut reader = SegmentReader::open(path)?;
    let mut packets = 0;
    loop {
        let end = reader.next_offset();
        match reader.next_packet() {
            Ok(Some(_)) => packets += 1,
            // Whatever stands there now was never a whole record.
            Ok(None) | Err(SegmentError::Damaged { .. }) => return Ok((packets, end)),
            Err(e) => return Err(e),
        }
    }
}

/// Bytes behind `end` that are more than the zeros a block was filled up with.
fn torn_bytes(file: &File, end: u64) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let mut bytes = vec![0; 64 * 1024];
    let (mut at, mut last) = (end, end);
    while at < len {
        let n = file.read_at(&mut bytes, at)?;
        if n == 0 {
            break;
        }
        if let Some(place) = bytes[..n].iter().rposition(|&byte| byte != 0) {
            last = at + place as u64 + 1;
        }
        at += n as u64;
    }
    Ok(last - end)
}
