//! Whether the disk of the output folder has room.

use rustix::fs::statvfs;

use super::EvidenceFolder;

impl EvidenceFolder {
    /// Whether at least `least` bytes are free for us. A file system that does not tell has room.
    pub(crate) fn has_room(&self, least: u64) -> bool {
        statvfs(self.root()).map_or(true, |volume| volume.f_bavail.saturating_mul(volume.f_frsize) >= least)
    }
}
