//! Keeps the recording within its limit: the oldest segments go, whole, before there is no room.
//!
//! What counts is what segments and their indexes take on the disk, those of earlier runs included. Room for a segment is made
//! before it begins, so that the limit holds at every moment but for the segment being written. When the disk is full
//! although the limit is kept – somebody else fills it –, room is made all the same.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::layout::time_of;
use super::{Layout, MakeRoom, SegmentPaths, StorageError};
use crate::counters::Counters;
use pcapx_core::time::Timestamp;

/// `st_blocks` counts in these, whatever the file system's blocks are.
const STAT_BLOCK_BYTES: u64 = 512;
/// Folders below the dump folder that are looked into.
const MAX_DEPTH: usize = 8;

/// The segments of a dump folder, the oldest first.
#[derive(Debug)]
pub struct Retention {
    layout: Layout,
    limit: u64,
    kept: VecDeque<Kept>,
    bytes: u64,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Kept {
    time: Timestamp,
    paths: SegmentPaths,
    bytes: u64,
}

impl Retention {
    /// Looks at what is there. `limit` is in bytes; a segment takes `segment` bytes at most.
    pub fn new(
        layout: Layout,
        limit: u64,
        segment: u64,
        counters: Arc<Counters>,
    ) -> Result<Self, StorageError> {
        if limit < segment.saturating_mul(2) {
            return Err(StorageError::LimitTooSmall { limit, segment });
        }
        let mut retention = Self { layout, limit, kept: VecDeque::new(), bytes: 0, counters };
        let mut found = Vec::new();
        let dump = retention.layout.dump.clone();
        retention.find(&dump, 0, &mut found).map_err(|source| StorageError::Folder { path: dump, source })?;
        found.sort_unstable_by_key(|kept| kept.time);
        retention.bytes = found.iter().map(|kept| kept.bytes).sum();
        retention.kept = found.into();
        retention.tell();
        Ok(retention)
    }

    fn find(&self, folder: &Path, depth: usize, found: &mut Vec<Kept>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < MAX_DEPTH {
                self.find(&entry.path(), depth + 1, found)?;
            } else if kind.is_file()
                && let Some(kept) = self.kept(&entry.path())
            {
                found.push(kept);
            }
        }
        Ok(())
    }

    fn kept(&self, sealed: &Path) -> Option<Kept> {
        let time = time_of(sealed.file_name()?.to_str()?.strip_suffix(".pcap")?)?;
        let paths = self.layout.paths_of(sealed)?;
        let bytes = on_disk(&paths.sealed)? + on_disk(&paths.index).unwrap_or_default();
        Some(Kept { time, paths, bytes })
    }

    /// Removes the oldest segment. `false` when there is none.
    fn remove_oldest(&mut self) -> Result<bool, StorageError> {
        let Some(oldest) = self.kept.pop_front() else { return Ok(false) };
        self.layout
            .remove(&oldest.paths)
            .map_err(|source| StorageError::Segment { path: oldest.paths.sealed.clone(), source })?;
        log::debug!("removed {:?}, {} bytes, to make room", oldest.paths.sealed, oldest.bytes);
        self.bytes -= oldest.bytes;
        Counters::add(&self.counters.segments_removed, 1);
        self.tell();
        Ok(true)
    }

    fn tell(&self) {
        let oldest = self.kept.front().map_or(0, |kept| kept.time.as_nanos());
        self.counters.oldest_kept.store(oldest, Ordering::Relaxed);
        self.counters.bytes_kept.store(self.bytes, Ordering::Relaxed);
    }
}

impl MakeRoom for Retention {
    fn make_room(&mut self, bytes: u64) -> Result<(), StorageError> {
        while self.bytes.saturating_add(bytes) > self.limit && self.remove_oldest()? {}
        Ok(())
    }

    fn disk_is_full(&mut self) -> Result<bool, StorageError> {
        let removed = self.remove_oldest()?;
        if removed {
            log::warn!("the disk is full before the limit is: the oldest segment was removed");
        }
        Ok(removed)
    }

    fn sealed(&mut self, paths: &SegmentPaths) {
        if let Some(kept) = self.kept(&paths.sealed) {
            self.bytes += kept.bytes;
            self.kept.push_back(kept);
            self.tell();
        }
    }
}

/// What a file takes on the disk.
fn on_disk(path: &Path) -> Option<u64> {
    Some(fs::symlink_metadata(path).ok()?.blocks() * STAT_BLOCK_BYTES)
}
