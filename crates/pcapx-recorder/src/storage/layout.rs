//! Where segments stand: n2disk's layout.
//!
//! ```text
//! DUMP/<epoch.usec>/<epoch.usec>.pcap.tmp        while it is written
//! DUMP/<epoch.usec>/<epoch.usec>.pcap            sealed, with .pcap.pcapx (our index) beside it
//!                   <epoch.usec>.pcap.timeline   ─► the link in the timeline
//! TIMELINE/YYYY/MM/DD/HH/M0/<epoch.usec>.pcap    ─► the segment, by local time in folders of ten minutes
//! ```
//!
//! The time in a name is that of the segment's first packet. Where the timeline is not the dump folder, the segment that is
//! being written has a link as well, `….pcap.tmp`, so that whoever reads the timeline finds it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_timeline::index::IndexPlace;

use super::StorageError;
use super::segment_file::SegmentFile;

/// Segments of one folder: with all that belongs to them their names come in one call, so that who lists the folder while one of
/// them gets its name sees it under one name or the other.
const FOLDER_SEGMENTS: u32 = 128;
/// How many names are tried for a segment whose time has one already.
const NAME_ATTEMPTS: i64 = 1000;
/// How many times a link is tried whose folder vanishes.
const LINK_ATTEMPTS: u32 = 100;
const NANOS_PER_MICRO: i64 = 1000;

/// Where segments go, and with which rights.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The dump folder, links resolved.
    pub dump: PathBuf,
    /// The timeline; `None` where none is kept.
    pub timeline: Option<PathBuf>,
    /// Rights of files and of folders.
    pub file_mode: u32,
    /// Rights of folders.
    pub dir_mode: u32,
    /// The zone of the timeline's folders.
    pub zone: LocalZone,
    /// Device and inode of the dump folder.
    id: Option<(u64, u64)>,
    /// The folder that takes segments now, and how many it has.
    folder: Option<(PathBuf, u32)>,
}

/// The paths of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPaths {
    /// While it is written.
    pub open: PathBuf,
    /// When it is sealed.
    pub sealed: PathBuf,
    /// Its index.
    pub index: PathBuf,
    /// Its link in the timeline.
    pub link: Option<PathBuf>,
}

impl SegmentPaths {
    /// What may stand beside a sealed segment: the way back from the timeline, our index, n2disk's index.
    pub(super) fn beside(sealed: &Path) -> [PathBuf; 3] {
        [with_suffix(sealed, ".timeline"), IndexPlace::beside().to_write(sealed), with_suffix(sealed, ".idx")]
    }
}

impl Layout {
    /// A layout below `dump` and `timeline`, both of which exist.
    pub fn new(
        dump: PathBuf,
        timeline: Option<PathBuf>,
        file_mode: u32,
        dir_mode: u32,
        zone: LocalZone,
    ) -> Self {
        let id = id_of(&dump);
        Self { dump, timeline, file_mode, dir_mode, zone, id, folder: None }
    }

    /// Makes sure that the dump folder is still the one that it was.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        match id_of(&self.dump) {
            Some(id) if Some(id) == self.id => Ok(()),
            _ => Err(StorageError::Vanished { folder: self.dump.clone() }),
        }
    }

    /// Creates the file of a segment whose first packet is of the time `first`, with all folders and links.
    pub(super) fn create(
        &mut self,
        first: Timestamp,
        reserve: u64,
    ) -> Result<(SegmentFile, SegmentPaths), StorageError> {
        for attempt in 0..NAME_ATTEMPTS {
            let time = Timestamp::from_nanos(first.as_nanos() + attempt * NANOS_PER_MICRO);
            let name = name_of(time);
            let folder = self.folder(&name)?;
            let sealed = folder.join(format!("{name}.pcap"));
            let open = with_suffix(&sealed, ".tmp");
            if sealed.exists() {
                continue;
            }
            let failed = |source| StorageError::Segment { path: open.clone(), source };
            let file = match SegmentFile::create(&open, self.file_mode, reserve) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    self.check()?;
                    // Somebody has removed the folder; the next attempt makes it anew.
                    self.folder = None;
                    continue;
                }
                Err(e) => return Err(failed(e)),
            };
            let link = self.timeline_folder(time).map(|folder| folder.join(format!("{name}.pcap")));
            let paths = SegmentPaths { index: IndexPlace::beside().to_write(&sealed), open, sealed, link };
            if let Some(link) = paths.link.as_ref().filter(|_| !self.is_one_tree())
                && let Err(error) = self.link(&with_suffix(link, ".tmp"), &paths.open)
            {
                // Nothing is left behind; who tries again finds the name free.
                self.discard(&paths).map_err(|source| StorageError::Segment { path: paths.open, source })?;
                return Err(error);
            }
            if let Some((_, segments)) = &mut self.folder {
                *segments += 1;
            }
            return Ok((file, paths));
        }
        Err(StorageError::Segment {
            path: self.dump.join(name_of(first)),
            source: io::ErrorKind::AlreadyExists.into(),
        })
    }

    /// Whether whoever reads the timeline sees the dump folder, too.
    fn is_one_tree(&self) -> bool {
        self.timeline.as_ref().is_none_or(|timeline| self.dump.starts_with(timeline))
    }

    /// Gives the segment its name.
    pub(super) fn publish(&self, paths: &SegmentPaths) -> Result<(), StorageError> {
        let failed = |source| StorageError::Segment { path: paths.sealed.clone(), source };
        if let Some(link) = paths.link.as_ref().filter(|_| !self.is_one_tree()) {
            // Whoever reads the timeline now finds the segment by one link before it has its name, and by the other after;
            // what cannot be made is made with the other links.
            let _ = self.link(link, &paths.sealed);
        }
        fs::rename(&paths.open, &paths.sealed).map_err(failed)?;
        if let Some(link) = &paths.link {
            // Only where the two trees differ there was one.
            let _ = fs::remove_file(with_suffix(link, ".tmp"));
        }
        sync_folder(&paths.sealed).map_err(failed)
    }

    /// Gives a segment that has its name its links.
    pub(super) fn link_up(&self, paths: &SegmentPaths) -> Result<(), StorageError> {
        let Some(link) = &paths.link else { return Ok(()) };
        if !leads_to(link, &paths.sealed) {
            self.link(link, &paths.sealed)?;
        }
        self.link(&with_suffix(&paths.sealed, ".timeline"), link)
    }

    /// Makes the links of a sealed segment where there are none that lead to it. Answers whether it had to.
    pub(super) fn mend(&self, sealed: &Path) -> Result<bool, StorageError> {
        let back = with_suffix(sealed, ".timeline");
        let is_wanting =
            |paths: &SegmentPaths| paths.link.is_some() && !leads_to(&back, sealed) && sealed.exists();
        let paths = self.paths_of(sealed).filter(is_wanting);
        paths.map_or(Ok(false), |paths| self.link_up(&paths).map(|()| true))
    }

    /// Removes a segment with all that belongs to it: links first, so that none leads nowhere.
    pub fn remove(&self, paths: &SegmentPaths) -> io::Result<()> {
        let gone = |removed: io::Result<()>| match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
        // Recorded in another zone, or by n2disk with another timeline, it has another link than it would get now.
        let back = with_suffix(&paths.sealed, ".timeline");
        let named = fs::read_link(&back).ok().and_then(|link| Some(back.parent()?.join(link)));
        let is_link = |link: &&PathBuf| {
            link.file_name() == paths.sealed.file_name()
                && link.symlink_metadata().is_ok_and(|link| link.is_symlink())
        };
        for link in named.iter().chain(&paths.link).filter(is_link) {
            gone(fs::remove_file(link))?;
            self.remove_empty(link, self.timeline.as_deref());
        }
        for beside in SegmentPaths::beside(&paths.sealed) {
            gone(fs::remove_file(beside))?;
        }
        gone(fs::remove_file(&paths.sealed))?;
        self.remove_empty(&paths.sealed, Some(&self.dump));
        Ok(())
    }

    /// Removes a segment that was begun and has no packet.
    pub(super) fn discard(&self, paths: &SegmentPaths) -> io::Result<()> {
        if let Some(link) = &paths.link {
            // Only where the two trees differ there is one.
            let _ = fs::remove_file(with_suffix(link, ".tmp"));
        }
        fs::remove_file(&paths.open)?;
        self.remove_empty(&paths.open, Some(&self.dump));
        Ok(())
    }

    /// The paths of a sealed segment that is found at `sealed`; `None` when its name is not one of ours.
    pub fn paths_of(&self, sealed: &Path) -> Option<SegmentPaths> {
        let time = time_of_segment(sealed)?;
        let link =
            self.timeline_folder(time).map(|folder| folder.join(sealed.file_name().unwrap_or_default()));
        Some(SegmentPaths {
            open: with_suffix(sealed, ".tmp"),
            index: IndexPlace::beside().to_write(sealed),
            sealed: sealed.to_owned(),
            link,
        })
    }

    /// The folder for the next segment.
    fn folder(&mut self, name: &str) -> Result<PathBuf, StorageError> {
        match &self.folder {
            Some((folder, segments)) if *segments < FOLDER_SEGMENTS => Ok(folder.clone()),
            _ => {
                let folder = self.dump.join(name);
                let failed = |source| StorageError::Folder { path: folder.clone(), source };
                self.make(&folder).map_err(failed)?;
                self.folder = Some((folder.clone(), 0));
                Ok(folder)
            }
        }
    }

    /// `TIMELINE/YYYY/MM/DD/HH/M0`, by local time.
    fn timeline_folder(&self, time: Timestamp) -> Option<PathBuf> {
        let timeline = self.timeline.as_ref()?;
        // "YYYYmmdd_HHMMSS"
        let local = self.zone.compact(time);
        let (date, clock) = local.split_once('_')?;
        let year = date.len().checked_sub(4)?;
        let parts = [&date[..year], &date[year..year + 2], &date[year + 2..], &clock[..2], &clock[2..3]];
        let [year, month, day, hour, tens] = parts;
        Some(timeline.join(year).join(month).join(day).join(hour).join(format!("{tens}0")))
    }

    /// Makes `link` lead to `target`, whatever stood there.
    fn link(&self, link: &Path, target: &Path) -> Result<(), StorageError> {
        let mut attempts = 0;
        loop {
            let folder = link.parent().map_or(Ok(()), |folder| self.make(folder));
            let made = match folder.and_then(|()| symlink(target, link)) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    fs::remove_file(link).and_then(|()| symlink(target, link))
                }
                made => made,
            };
            attempts += 1;
            match made {
                // Whoever removes segments removes the folders that have become empty.
                Err(e) if e.kind() == io::ErrorKind::NotFound && attempts < LINK_ATTEMPTS => {}
                made => return made.map_err(|source| StorageError::Folder { path: link.to_owned(), source }),
            }
        }
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(self.dir_mode).create(folder)
    }

    /// Removes a folder that is empty, and those above it that become so.
    pub(super) fn remove_empty_folder(&self, folder: &Path) {
        let root = [Some(&self.dump), self.timeline.as_ref()]
            .into_iter()
            .flatten()
            .filter(|root| folder.starts_with(root))
            .max_by_key(|root| root.as_os_str().len());
        self.remove_empty(&folder.join("."), root.map(PathBuf::as_path));
    }

    /// Removes the folders above `path`, below `root`, that have become empty.
    fn remove_empty(&self, path: &Path, root: Option<&Path>) {
        let Some(root) = root else { return };
        let current = self.folder.as_ref().map(|(folder, _)| folder.as_path());
        let above = path.ancestors().skip(1).take_while(|folder| *folder != root && folder.starts_with(root));
        for folder in above {
            if Some(folder) == current || fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Device and inode of a folder.
fn id_of(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().filter(fs::Metadata::is_dir).map(|folder| (folder.dev(), folder.ino()))
}

/// Whether `link` ends at this segment. One whose target was torn by a power failure may well end somewhere else.
fn leads_to(link: &Path, segment: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    id(link).is_some_and(|end| Some(end) == id(segment))
}

/// The name of a segment: seconds and microseconds.
pub(super) fn name_of(time: Timestamp) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_nanos() / 1000)
}

/// The time in the name of a sealed segment; `None` when it is no segment's.
pub(super) fn time_of_segment(sealed: &Path) -> Option<Timestamp> {
    time_of(sealed.file_name()?.to_str()?.strip_suffix(".pcap")?)
}

/// The time in a segment's name, without its ending.
fn time_of(name: &str) -> Option<Timestamp> {
    let (secs, micros) = name.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(secs) || !is_number(micros) || micros.len() != 6 {
        return None;
    }
    let nanos = secs.parse::<i64>().ok()?.checked_mul(pcapx_core::time::NANOS_PER_SEC)?;
    Some(Timestamp::from_nanos(nanos.checked_add(micros.parse::<i64>().ok()? * NANOS_PER_MICRO)?))
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
