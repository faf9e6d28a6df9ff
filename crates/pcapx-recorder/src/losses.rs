//! What is lost, told by segment: in its index when it is sealed, and until then to whoever asks for the status.
//!
//! ```text
//! Store: begin, end ─► Losses ◄─ settle: Sealer, when the index tells
//!                        └─► unsealed ─► RecorderStatus
//! ```

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pcapx_timeline::recorder::Unsealed;

/// Packets that were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Dropped by the kernel.
    pub kernel: u64,
    /// Taken from the ring, and not stored.
    pub recorder: u64,
}

/// Segments that are being written or sealed, and what was lost meanwhile.
#[derive(Debug, Default)]
pub struct Losses(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    /// The name that the segment gets.
    file: String,
    lost: Lost,
    /// While the segment is written: what the kernel had dropped before, since the start.
    kernel_before: Option<u64>,
}

impl std::ops::AddAssign for Lost {
    fn add_assign(&mut self, other: Self) {
        self.kernel += other.kernel;
        self.recorder += other.recorder;
    }
}

impl Losses {
    /// The segment `sealed` begins; it also tells of `lost`, from before it. The kernel has dropped so many packets since
    /// the start.
    pub(crate) fn begin(&self, sealed: &Path, lost: Lost, kernel_before: u64) {
        self.entries().push(Entry { file: name(sealed), lost, kernel_before: Some(kernel_before) });
    }

    /// All of the segment was written, and `lost` is all that was lost.
    pub(crate) fn end(&self, sealed: &Path, lost: Lost) {
        let file = name(sealed);
        for entry in self.entries().iter_mut().filter(|entry| entry.file == file) {
            (entry.lost, entry.kernel_before) = (lost, None);
        }
    }

    /// The segment's index tells by now, or nobody will.
    pub(crate) fn settle(&self, sealed: &Path) {
        let file = name(sealed);
        self.entries().retain(|entry| entry.file != file);
    }

    /// What is known of the segments when the kernel has dropped `kernel_drops` packets since the start.
    pub fn unsealed(&self, kernel_drops: u64) -> Vec<Unsealed> {
        let unsealed = |entry: &Entry| Unsealed {
            file: entry.file.clone(),
            kernel_drops: entry.lost.kernel
                + entry.kernel_before.map_or(0, |before| kernel_drops.saturating_sub(before)),
            recorder_drops: entry.lost.recorder,
        };
        self.entries().iter().map(unsealed).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(sealed: &Path) -> String {
    sealed.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(losses: &Losses, kernel_drops: u64) -> Vec<(String, u64, u64)> {
        let unsealed = losses.unsealed(kernel_drops).into_iter();
        unsealed.map(|told| (told.file, told.kernel_drops, told.recorder_drops)).collect()
    }

    #[test]
    fn each_loss_is_told_with_one_segment() {
        let losses = Losses::default();
        let (one, two) = (Path::new("/d/1/1.000000.pcap"), Path::new("/d/1/2.000000.pcap"));
        let of = |path: &Path, kernel, recorder| (name(path), kernel, recorder);
        losses.begin(one, Lost::default(), 10);
        assert_eq!(told(&losses, 10), [of(one, 0, 0)]);
        assert_eq!(told(&losses, 13), [of(one, 3, 0)]);
        // The second begins before the first is sealed, and goes on counting where that has ended.
        losses.end(one, Lost { kernel: 4, recorder: 0 });
        losses.begin(two, Lost { kernel: 0, recorder: 5 }, 14);
        assert_eq!(told(&losses, 14), [of(one, 4, 0), of(two, 0, 5)]);
        losses.settle(one);
        assert_eq!(told(&losses, 20), [of(two, 6, 5)]);
        losses.settle(two);
        assert_eq!(told(&losses, 20), []);
    }
}
