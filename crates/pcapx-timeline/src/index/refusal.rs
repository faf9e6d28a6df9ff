//! Where no index can be written for the time being.
//!
//! ```text
//! an index cannot be written ─┬─ the disk is full ─► nothing is tried on that disk until there is more room: looked at
//!                             │                      each time, or a sweep has made it
//!                             └─ anything else ────► nothing is tried in that folder
//! ```
//!
//! After a while everything is tried again, for room is not all that can be missing (a quota, inodes). A place that takes
//! indexes again is a reason to try all others at once that had refused for the same reason.
//!
//! A thousand folders that refuse are one thing to tell: of each reason, the first.

use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::IndexPlace;
use crate::catalog::Segment;
use pcapx_core::time::Timestamp;

/// After this time a place is tried again in any case.
const RETRY: Duration = Duration::from_secs(600);
/// As much more room than there was makes a full disk worth another try: that of an index of half a gigabyte of packets.
const WORTH_BYTES: u64 = 1 << 20;

/// Something about a place that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No index can be written there, and none could elsewhere for the same reason.
    Refused(PathBuf),
    /// Indexes are written there again, and nowhere are they refused for the reason that was told.
    Resumed(PathBuf),
}

/// The places that refuse.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// By the folder of the segments, for each of which there is one folder of indexes.
    folders: HashMap<PathBuf, Refusal>,
    /// By device; all indexes that have a folder of their own count as on one.
    disks: HashMap<u64, FullDisk>,
}

#[derive(Debug)]
struct Refusal {
    reason: ErrorKind,
    since: Timestamp,
    is_over: bool,
}

#[derive(Debug)]
struct FullDisk {
    refusal: Refusal,
    /// A folder on it, and what was free there.
    folder: PathBuf,
    free_bytes: Option<u64>,
}

impl Refusals {
    /// Whether the index of `segment` is not worth a try at the time `now`.
    pub(super) fn holds(&self, place: &IndexPlace, segment: &Segment, now: Timestamp) -> bool {
        let disk = || self.disks.get(&disk_of(place, segment)).is_some_and(|disk| disk.refusal.holds(now));
        let folder = || self.folders.get(folder_of(segment)).is_some_and(|refusal| refusal.holds(now));
        disk() || folder()
    }

    /// Takes note that the index of `segment` could not be written.
    pub(super) fn note(
        &mut self,
        place: &IndexPlace,
        segment: &Segment,
        error: &io::Error,
        now: Timestamp,
    ) -> Option<Notice> {
        let is_told = self.has(error.kind());
        let refusal = Refusal { reason: error.kind(), since: now, is_over: false };
        if is_full(error) {
            let folder = place.folder().unwrap_or(folder_of(segment)).to_owned();
            let free_bytes = free_bytes(&folder);
            self.disks.insert(disk_of(place, segment), FullDisk { refusal, folder, free_bytes });
        } else {
            self.folders.insert(folder_of(segment).to_owned(), refusal);
        }
        (!is_told).then(|| Notice::Refused(told_of(place, segment)))
    }

    /// Takes note that the index of `segment` was written.
    pub(super) fn lift(&mut self, place: &IndexPlace, segment: &Segment) -> Option<Notice> {
        if self.is_empty() {
            return None;
        }
        let folder = self.folders.remove(folder_of(segment));
        let disk = self.disks.remove(&disk_of(place, segment)).map(|disk| disk.refusal);
        let mut is_last = false;
        for Refusal { reason, .. } in folder.into_iter().chain(disk) {
            let alike = self.all().filter(|refusal| refusal.reason == reason);
            alike.for_each(|refusal| refusal.is_over = true);
            is_last |= !self.has(reason);
        }
        is_last.then(|| Notice::Resumed(told_of(place, segment)))
    }

    /// Looks whether full disks have room again.
    pub(super) fn look_for_room(&mut self) {
        for disk in self.disks.values_mut().filter(|disk| !disk.refusal.is_over) {
            let worth = disk.free_bytes.map_or(u64::MAX, |free| free.saturating_add(WORTH_BYTES));
            disk.refusal.is_over = free_bytes(&disk.folder).is_some_and(|free| free >= worth);
        }
    }

    /// Something was removed: disks that were full are tried again.
    pub(super) fn room_was_made(&mut self) {
        self.disks.values_mut().for_each(|disk| disk.refusal.is_over = true);
    }

    /// Forgets folders that are not among the `present` ones.
    pub(super) fn forget_gone(&mut self, present: &HashSet<&Path>) {
        self.folders.retain(|folder, _| present.contains(folder.as_path()));
    }

    /// Any room is more than there was.
    #[cfg(test)]
    pub(super) fn forget_room(&mut self) {
        self.disks.values_mut().for_each(|disk| disk.free_bytes = Some(0));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.disks.is_empty()
    }

    fn has(&mut self, reason: ErrorKind) -> bool {
        self.all().any(|refusal| refusal.reason == reason)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Refusal> {
        self.folders.values_mut().chain(self.disks.values_mut().map(|disk| &mut disk.refusal))
    }
}

impl Refusal {
    /// A clock that was set back ends it.
    fn holds(&self, now: Timestamp) -> bool {
        !self.is_over && (self.since..self.since.saturating_add(RETRY)).contains(&now)
    }
}

/// Whether the disk, or the user's share of it, has no room left.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// What this user may still write on the disk of `folder`.
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn folder_of(segment: &Segment) -> &Path {
    segment.file.parent().unwrap_or(Path::new("/"))
}

fn disk_of(place: &IndexPlace, segment: &Segment) -> u64 {
    if place.folder().is_some() { 0 } else { segment.file_id.0 }
}

/// How the place is called where it is told: by its configured folder, if there is one.
fn told_of(place: &IndexPlace, segment: &Segment) -> PathBuf {
    place.folder().unwrap_or(folder_of(segment)).to_owned()
}
