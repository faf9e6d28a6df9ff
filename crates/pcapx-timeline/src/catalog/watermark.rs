//! The watermark: up to which instant a recording can be believed to be complete.
//!
//! | what there is | complete up to |
//! |---|---|
//! | a status of our own recorder, seconds old | what it says |
//! | files written to within [`SETTLE`] | the last whole packet of the one that grows, less [`REORDER`] |
//! | no such files | [`SETTLE`] ago: nobody has written since |
//!
//! A file that was written to just now grows, unless another one goes on where it ends: then it is finished, and closing
//! it has brought out what its recorder held back. Where several grow – a recorder for each link – the slowest counts.
//!
//! **Limits.** Files tell of packets that were written, not of those that their recorder still holds. tcpdump without `-U`
//! holds back up to 4 KiB, without end while the link is quiet: a later packet shows that the earlier ones are there, but
//! where none comes, [`SETTLE`] is a guess that packets are held back no longer. With `-U`, dumpcap (250 ms), netsniff-ng
//! and n2disk it is no guess. Two recorders that write to one folder and rotate at different times can be taken for one; each
//! should have a folder of its own.

use std::path::Path;
use std::time::Duration;

use super::{Catalog, probe};
use crate::recorder::{RecorderState, RecorderStatus};
use pcapx_core::time::Timestamp;

/// Recorders that hold packets back do so for less, as long as packets come.
pub const SETTLE: Duration = Duration::from_secs(10);
/// How much later a packet can be written than one that came after it: dumpcap empties the queue of each of its interfaces
/// every 250 ms, receive queues of a card are milliseconds apart.
pub const REORDER: Duration = Duration::from_millis(500);

/// Up to which instant a recording is complete, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Every packet with an earlier time stamp that is ever recorded can be found now.
    pub up_to: Timestamp,
    /// Who says so.
    pub basis: Basis,
}

/// Who says how far a recording is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Nobody has written for some time: it is not known whether anybody records.
    Quiet,
    /// A later packet is there.
    Packets,
    /// The recorder itself.
    Recorder,
}

impl Watermark {
    /// Of the timeline in `folder`, listed as `catalog`: what its recorder says, if it records now, and else what the files
    /// tell.
    pub fn of(folder: &Path, catalog: &Catalog, now: Timestamp) -> Self {
        let status = RecorderStatus::read(folder).ok().filter(|s| s.state(now) == RecorderState::Recording);
        match status.and_then(|status| status.searchable_up_to) {
            Some(up_to) => Self { up_to, basis: Basis::Recorder },
            None => catalog.watermark(now),
        }
    }

    /// Up to which instant it is known that somebody recorded, packets or not: what
    /// [`Query::complete_up_to`](crate::Query::complete_up_to) wants to know.
    pub fn recorded_up_to(&self) -> Option<Timestamp> {
        (self.basis == Basis::Recorder).then_some(self.up_to)
    }
}

impl Catalog {
    /// How far the files tell that the recording is complete at `now`.
    pub fn watermark(&self, now: Timestamp) -> Watermark {
        let settled = now.saturating_sub(SETTLE);
        let mut recent: Vec<(Timestamp, Timestamp)> = self
            .segments()
            .iter()
            .filter(|segment| segment.modified > settled)
            .filter_map(|segment| probe::ends(segment))
            .collect();
        recent.sort_unstable();
        let growing = (0..recent.len()).filter(|&n| !is_succeeded(&recent, n)).map(|n| recent[n].1).min();
        match growing {
            Some(last) => Watermark { up_to: last.saturating_sub(REORDER).min(now), basis: Basis::Packets },
            None => Watermark { up_to: settled, basis: Basis::Quiet },
        }
    }

    /// The instant of [`watermark`](Self::watermark); `None` for a catalog without segments.
    pub fn complete_up_to(&self, now: Timestamp) -> Option<Timestamp> {
        (!self.segments().is_empty()).then(|| self.watermark(now).up_to)
    }
}

/// Whether another of the spans, sorted, goes on where number `n` ends.
fn is_succeeded(spans: &[(Timestamp, Timestamp)], n: usize) -> bool {
    let last = spans[n].1.saturating_sub(REORDER);
    spans[n + 1..].iter().any(|&(first, _)| first >= last)
}
