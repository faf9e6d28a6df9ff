//! Puts in order what a recorder that did not end has left.
//!
//! A segment `….pcap.tmp` that nobody writes ends in zeros, in a torn record, or as it should. It is cut behind its last
//! whole record and published with its index; one without packets is removed. A link to a segment that was published in
//! between is made again.
//!
//! What a power failure has kept from the disk reads as zeros. Where a record's header is lost so, the segment ends there; a
//! packet whose last bytes are lost cannot be told from one that ends in zeros, and is kept.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use pcapx_timeline::control::CancelToken;
use pcapx_timeline::index::{IndexPlace, index_segment};
use pcapx_timeline::segment::{SegmentError, SegmentReader};

use super::{Layout, StorageError};

/// Folders below the dump folder that are looked into.
const MAX_DEPTH: usize = 8;

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
}

/// Goes through the dump folder of `layout`, which nobody else writes to.
pub fn recover(layout: &Layout, is_indexed: bool) -> Result<Recovered, StorageError> {
    let mut torn = Vec::new();
    find(&layout.dump, 0, &mut torn)
        .map_err(|source| StorageError::Folder { path: layout.dump.clone(), source })?;
    torn.sort();
    let mut recovered = Recovered::default();
    for open in torn {
        recover_one(layout, &open, is_indexed, &mut recovered)?;
    }
    Ok(recovered)
}

fn find(folder: &Path, depth: usize, torn: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < MAX_DEPTH {
            find(&entry.path(), depth + 1, torn)?;
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(|name| name.ends_with(".pcap.tmp"))
        {
            torn.push(entry.path());
        }
    }
    Ok(())
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
        // The recorder had created the file and not written to it yet.
        Err(SegmentError::TooShort { .. }) => (0, 0),
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
