//! Keeps the recording within its limit: the oldest segments go, whole, before there is no room.
//!
//! What counts is what segments take on the disk with their indexes, those of earlier runs and of n2disk included, and those
//! that are being written with all that is reserved for them. Room for a segment is made before it begins.
//!
//! A limit in megabytes is the recording's alone. A limit in hundredths is the volume's: when others fill it, the recording
//! becomes less. In both cases a segment's room is free on the volume before it begins, and when the disk is full all the
//! same, what is oldest goes. What cannot be removed counts, and others go in its place.
//!
//! Oldest is what was recorded first. What was there before the start is ordered by the times in its names; a time that has
//! not come yet is of a clock that was wrong, and goes first.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;

use super::layout::time_of_segment;
use super::tree::{self, Kind};
use super::volume::Volume;
use super::{Layout, MakeRoom, SegmentPaths, StorageError};
use crate::counters::Counters;
use crate::options::DiskLimit;

/// `st_blocks` counts in these, whatever the file system's blocks are.
const STAT_BLOCK_BYTES: u64 = 512;
/// How long the volume may take to show what was removed: file systems free blocks later, and whoever reads a file keeps
/// its. Until then it looks as if others had them, and more would be removed than is needed.
const SHOWN_AFTER: Duration = Duration::from_secs(2);
/// Of a segment's bytes, its index takes this part: more than usual, less than at worst.
const INDEX_PART: u64 = 64;
/// How often it is told that others fill the disk.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// The segments of a dump folder, the oldest first.
#[derive(Debug)]
pub struct Retention {
    layout: Layout,
    limit: DiskLimit,
    /// Sealed segments.
    kept: VecDeque<Kept>,
    /// Their bytes.
    kept_bytes: u64,
    /// Segments that are being written or sealed.
    under_way: Vec<Kept>,
    /// Bytes that a segment takes with its index.
    segment: u64,
    /// Bytes of segments that could not be removed.
    stuck_bytes: u64,
    others: Others,
    /// When it was told last that the disk is full before the limit is.
    told: Option<Instant>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Kept {
    time: Timestamp,
    sealed: PathBuf,
    bytes: u64,
}

impl Retention {
    /// Looks at what is there. A segment takes `segment` bytes at most.
    pub fn new(
        layout: Layout,
        limit: DiskLimit,
        segment: u64,
        counters: Arc<Counters>,
    ) -> Result<Self, StorageError> {
        check_limit(limit, &layout.dump, segment)?;
        let (now, mut kept) = (Timestamp::now(), Vec::new());
        let found = tree::walk(&layout.dump, &mut |path, kind| {
            if kind == Kind::File {
                kept.extend(Kept::at(path));
            }
        });
        found.map_err(|source| StorageError::Folder { path: layout.dump.clone(), source })?;
        kept.sort_by_key(|kept| (kept.time <= now, kept.time));
        let retention = Self {
            layout,
            limit,
            kept_bytes: kept.iter().map(|kept| kept.bytes).sum(),
            kept: kept.into(),
            under_way: Vec::new(),
            segment: segment.saturating_add(segment / INDEX_PART),
            stuck_bytes: 0,
            others: Others::default(),
            told: None,
            counters,
        };
        retention.tell();
        Ok(retention)
    }

    /// Bytes of everything, with what is reserved.
    fn bytes(&self) -> u64 {
        self.kept_bytes + self.stuck_bytes + self.under_way.iter().map(|kept| kept.bytes).sum::<u64>()
    }

    /// Bytes that the recording may take now.
    fn allowed(&mut self) -> Result<u64, StorageError> {
        let volume = Volume::of(&self.layout.dump)?;
        let others = self.others.least(volume.used.saturating_sub(self.bytes()));
        let room = (volume.used + volume.free).saturating_sub(others);
        Ok(match self.limit {
            DiskLimit::Bytes(limit) => limit.min(room),
            DiskLimit::Percent(percent) => share(volume.total, percent).saturating_sub(others).min(room),
        })
    }

    /// Removes the oldest segments until `more` bytes fit, as far as there are any.
    fn make_room_for(&mut self, more: u64) -> Result<(), StorageError> {
        let allowed = self.allowed()?;
        let is_too_much = |retention: &Self| retention.bytes().saturating_add(more) > allowed;
        while is_too_much(self) && self.remove_oldest()? {}
        self.tell();
        Ok(())
    }

    /// Answers whether there was one.
    fn remove_oldest(&mut self) -> Result<bool, StorageError> {
        while let Some(oldest) = self.kept.pop_front() {
            self.kept_bytes -= oldest.bytes;
            let removed = self.layout.paths_of(&oldest.sealed).map(|paths| self.layout.remove(&paths));
            match removed {
                None | Some(Ok(())) => {
                    log::debug!("removed {:?}, {} bytes, to make room", oldest.sealed, oldest.bytes);
                    Counters::add(&self.counters.segments_removed, 1);
                    return Ok(true);
                }
                Some(Err(source)) => {
                    self.stuck_bytes += oldest.bytes;
                    let error = StorageError::NotRemovable { path: oldest.sealed, source };
                    let limit = limit_bytes(self.limit, &self.layout.dump)?;
                    if self.stuck_bytes.saturating_add(2 * self.segment) > limit {
                        return Err(error);
                    }
                    log::error!("{error}");
                }
            }
        }
        Ok(false)
    }

    fn tell(&self) {
        let all = self.kept.iter().chain(&self.under_way);
        let oldest = all.map(|kept| kept.time.as_nanos()).min().unwrap_or_default();
        self.counters.oldest_kept.store(oldest, Ordering::Relaxed);
        self.counters.bytes_kept.store(self.bytes(), Ordering::Relaxed);
    }

    /// Takes a segment out of those under way.
    fn land(&mut self, paths: &SegmentPaths) {
        self.under_way.retain(|kept| kept.sealed != paths.sealed);
    }
}

impl MakeRoom for Retention {
    fn make_room(&mut self) -> Result<(), StorageError> {
        self.make_room_for(self.segment)
    }

    fn keep_limit(&mut self) -> Result<(), StorageError> {
        self.make_room_for(0)
    }

    fn disk_is_full(&mut self) -> Result<bool, StorageError> {
        if !self.remove_oldest()? {
            return Ok(false);
        }
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            log::warn!("the disk is full before the limit is: others fill it, and the oldest segments go");
            self.told = Some(Instant::now());
        }
        // It is plain that others have what they seem to have.
        self.others = Others::default();
        self.keep_limit()?;
        Ok(true)
    }

    fn begun(&mut self, paths: &SegmentPaths, first: Timestamp) {
        self.under_way.push(Kept { time: first, sealed: paths.sealed.clone(), bytes: self.segment });
        self.tell();
    }

    fn sealed(&mut self, paths: &SegmentPaths) {
        self.land(paths);
        // It may be gone already, by somebody else's hand.
        if let Some(kept) = Kept::at(paths.sealed.clone()) {
            self.kept_bytes += kept.bytes;
            self.kept.push_back(kept);
        }
        self.tell();
    }

    fn lost(&mut self, paths: &SegmentPaths) {
        self.land(paths);
        self.tell();
    }
}

impl Kept {
    /// The segment at a path; `None` when its name is not a segment's, or there is none.
    fn at(sealed: PathBuf) -> Option<Self> {
        let time = time_of_segment(&sealed)?;
        let bytes = on_disk(&sealed)?;
        let beside = SegmentPaths::beside(&sealed).iter().filter_map(|path| on_disk(path)).sum::<u64>();
        Some(Self { time, bytes: bytes + beside, sealed })
    }
}

/// What others take of the volume.
#[derive(Debug, Default)]
struct Others(VecDeque<(Instant, u64)>);

impl Others {
    /// The least that was seen in the last seconds, `now` being the latest look.
    fn least(&mut self, now: u64) -> u64 {
        self.0.retain(|(seen, _)| seen.elapsed() < SHOWN_AFTER);
        self.0.push_back((Instant::now(), now));
        self.0.iter().map(|&(_, bytes)| bytes).min().unwrap_or(now)
    }
}

/// What a limit comes to on the volume of `dump`, nobody else's files considered.
pub(crate) fn limit_bytes(limit: DiskLimit, dump: &Path) -> Result<u64, StorageError> {
    Ok(match limit {
        DiskLimit::Bytes(bytes) => bytes,
        DiskLimit::Percent(percent) => share(Volume::of(dump)?.total, percent),
    })
}

/// Whether two segments fit: the one that is being written, and one that is kept.
pub(crate) fn check_limit(limit: DiskLimit, dump: &Path, segment: u64) -> Result<(), StorageError> {
    let limit = limit_bytes(limit, dump)?;
    if limit < segment.saturating_mul(2) {
        return Err(StorageError::LimitTooSmall { limit, segment });
    }
    Ok(())
}

fn share(bytes: u64, percent: u8) -> u64 {
    bytes / 100 * u64::from(percent)
}

/// What a file takes on the disk.
fn on_disk(path: &Path) -> Option<u64> {
    Some(fs::symlink_metadata(path).ok()?.blocks() * STAT_BLOCK_BYTES)
}
