//! What the recorder has done in the last hour. Its status file tells of now; this looks at it every ten seconds and keeps
//! what has changed since the look before.
//!
//! A recorder that is not at work, or of which nothing was heard, leaves a hole. One that was started anew between two looks
//! counts from its start on.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pcapx_core::time::Timestamp;
use pcapx_timeline::recorder::{RecorderState, RecorderStatus};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// Samples that are kept: those of an hour.
const KEPT: usize = 360;

/// What passed between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// The earlier look.
    pub(super) from: Timestamp,
    /// The later one.
    pub(super) to: Timestamp,
    /// Packets that came.
    pub(super) packets: u64,
    /// Their bytes on the wire.
    pub(super) bytes: u64,
    /// Packets that were lost, in the kernel or behind it.
    pub(super) lost: u64,
}

/// The samples of the last hour.
#[derive(Debug)]
pub(crate) struct History {
    folder: PathBuf,
    since: Timestamp,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    last: Option<RecorderStatus>,
    samples: VecDeque<Sample>,
}

impl History {
    /// Of the recorder that writes to the timeline `folder`; nothing is known of the time before.
    pub(crate) fn new(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { folder, since: Timestamp::now(), book: Mutex::default() })
    }

    /// Looks at the recorder until the runtime ends.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut turns = interval(EVERY);
        // After a disk that did not answer there is nothing to catch up with.
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let history = Arc::clone(&self);
            // A panic has been logged where it happened.
            let _ = spawn_blocking(move || {
                let status = RecorderStatus::read(&history.folder).ok();
                history.note(status, Timestamp::now());
            })
            .await;
        }
    }

    /// Since when there are samples.
    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    /// The samples that lie between two instants at least in part, the oldest first.
    pub(super) fn samples(&self, from: Timestamp, to: Timestamp) -> Vec<Sample> {
        let book = self.book();
        book.samples.iter().filter(|sample| sample.to > from && sample.from < to).copied().collect()
    }

    /// What the recorder tells at `now`.
    fn note(&self, status: Option<RecorderStatus>, now: Timestamp) {
        let mut book = self.book();
        let status = status.filter(|status| status.state(now) == RecorderState::Recording);
        if let (Some(before), Some(status)) = (&book.last, &status)
            && let Some(sample) = between(before, status)
        {
            if book.samples.len() == KEPT {
                book.samples.pop_front();
            }
            book.samples.push_back(sample);
        }
        book.last = status;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` when no time has passed between the two.
fn between(before: &RecorderStatus, after: &RecorderStatus) -> Option<Sample> {
    let lost = |status: &RecorderStatus| status.kernel_drops.saturating_add(status.recorder_drops);
    let is_same = (before.process, before.started_at) == (after.process, after.started_at);
    let (from, [packets, bytes, gone]) = if is_same {
        (before.written_at, [before.packets_received, before.bytes_received, lost(before)])
    } else {
        (after.started_at.max(before.written_at), [0; 3])
    };
    (after.written_at > from).then(|| Sample {
        from,
        to: after.written_at,
        packets: after.packets_received.saturating_sub(packets),
        bytes: after.bytes_received.saturating_sub(bytes),
        lost: lost(after).saturating_sub(gone),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: i64 = 1_772_356_272;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(AT + secs)
    }

    /// What a recorder that began at `started` tells at `written`, after so many packets of 100 bytes, a tenth of them lost.
    fn status(started: i64, written: i64, packets: u64) -> RecorderStatus {
        let status = json!({
            "program": "pcapx-recorder 0.1.0", "process": 7, "started_at_ns": at(started).as_nanos(),
            "written_at_ns": at(written).as_nanos(), "running": true, "packets_received": packets,
            "bytes_received": packets * 100, "kernel_drops": packets / 10,
        });
        serde_json::from_value(status).unwrap()
    }

    fn sample(from: i64, to: i64, packets: u64) -> Sample {
        Sample { from: at(from), to: at(to), packets, bytes: packets * 100, lost: packets / 10 }
    }

    fn all(history: &History) -> Vec<Sample> {
        history.samples(Timestamp::MIN, Timestamp::MAX)
    }

    #[test]
    fn what_is_kept_is_what_came_between_two_looks() {
        let history = History::new(PathBuf::new());
        for (written, packets) in [(0, 1000), (10, 1500), (10, 1500), (20, 1500)] {
            history.note(Some(status(-60, written, packets)), at(written));
        }
        assert_eq!(all(&history), [sample(0, 10, 500), sample(10, 20, 0)]);
        assert_eq!(history.samples(at(10), at(30)), [sample(10, 20, 0)]);
        assert_eq!(history.samples(at(20), at(30)), []);
    }

    #[test]
    fn silence_is_a_hole_and_a_new_start_counts_from_there() {
        let history = History::new(PathBuf::new());
        history.note(Some(status(-60, 0, 1000)), at(0));
        // Not told for ten seconds.
        history.note(Some(status(-60, 0, 1000)), at(10));
        history.note(None, at(20));
        history.note(Some(status(-60, 30, 5000)), at(30));
        assert_eq!(all(&history), []);
        history.note(Some(status(35, 40, 200)), at(40));
        assert_eq!(all(&history), [sample(35, 40, 200)]);
        let ended = RecorderStatus { running: false, ..status(35, 50, 300) };
        history.note(Some(ended), at(50));
        history.note(Some(status(35, 60, 400)), at(60));
        assert_eq!(all(&history).len(), 1);
    }

    #[test]
    fn no_more_than_an_hour_is_kept() {
        let history = History::new(PathBuf::new());
        for turn in 0..1000 {
            history.note(Some(status(-60, turn * 10, turn.unsigned_abs() * 10)), at(turn * 10));
        }
        let samples = all(&history);
        assert_eq!((samples.len(), samples[0].from, samples[359].to), (KEPT, at(6390), at(9990)));
    }
}
