//! How far the recording reaches: up to which instant every packet that is ever recorded can be found now.
//!
//! Our own recorder says so, the files of any other tell it, see [`Watermark`]; where both do, the later one counts, since
//! a recorder speaks once in a while and its packets come all the time. A window is over when the recording reaches beyond
//! it, and after [`PATIENCE`] in any case: a clock that was wrong, a disk that does not answer keeps no job open for ever.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::catalog::{Basis, Timeline, Watermark};
use tokio::sync::Mutex;
use tokio::time;

/// How long after its end a window is believed to be over, whatever the recording looks like.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a recorder is thought to hold packets back: as long as files of `tcpdump -G 300` are written.
const HELD_BACK: Duration = Duration::from_secs(300);
/// How often the recording is looked at while a window waits for its end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest sleep: clocks can be set.
const SLEEP_MOST: Duration = Duration::from_secs(1);

/// Looks at the recording, for any number of jobs at the price of one.
#[derive(Debug)]
pub(crate) struct Reach {
    timeline: Arc<Timeline>,
    folder: PathBuf,
    last: Mutex<Option<(Instant, Option<Extent>)>>,
}

/// How far a recording reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Every packet before it that is ever recorded can be found.
    pub(crate) up_to: Timestamp,
    /// Up to here somebody recorded, also while nothing came.
    pub(crate) recorded: Option<Timestamp>,
    /// Nothing has been written for a while, and that is all that is known: a recorder may hold packets back, or be gone.
    pub(crate) is_guessed: bool,
}

impl Reach {
    /// Looks at `timeline`, which is recorded to `folder`.
    pub(crate) fn new(timeline: Arc<Timeline>, folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { timeline, folder, last: Mutex::new(None) })
    }

    /// How far the recording reaches; `None` when nothing tells. May wait for a disk.
    pub(crate) fn look(&self, now: Timestamp) -> Option<Extent> {
        let catalog = self.timeline.catalog().ok()?;
        let told = Watermark::of(&self.folder, &catalog, now);
        let recorded = told.recorded_up_to();
        // Where no recorder speaks, the files have been asked already.
        let files = recorded.map(|_| catalog.watermark(now)).filter(|files| files.basis == Basis::Packets);
        let up_to = files.map_or(told.up_to, |files| files.up_to.max(told.up_to));
        Some(Extent { up_to, recorded, is_guessed: told.basis == Basis::Quiet })
    }

    /// Whether a window that ends at `end` is over at `now`, when the recording reaches to `reach`.
    pub(crate) fn is_over(end: Timestamp, now: Timestamp, reach: Option<Extent>) -> bool {
        reach.is_some_and(|reach| reach.up_to > end) || now > end.saturating_add(PATIENCE)
    }

    /// Whether packets of a window that ends at `end` and is over may still be held back at `now` by who records.
    pub(crate) fn is_doubtful(end: Timestamp, now: Timestamp, reach: Option<Extent>) -> bool {
        now < end.saturating_add(HELD_BACK)
            && reach.is_none_or(|reach| reach.is_guessed || reach.up_to <= end)
    }

    /// Returns once a window that ends at `end` is over.
    pub(crate) async fn over(self: &Arc<Self>, end: Timestamp) {
        loop {
            let now = Timestamp::now();
            let ahead = end.as_nanos().saturating_sub(now.as_nanos());
            if ahead > 0 {
                time::sleep(Duration::from_nanos(ahead.unsigned_abs()).min(SLEEP_MOST)).await;
                continue;
            }
            if Self::is_over(end, now, self.shared().await) {
                return;
            }
            time::sleep(LOOK_EVERY).await;
        }
    }

    /// A look that is not older than [`LOOK_EVERY`].
    async fn shared(self: &Arc<Self>) -> Option<Extent> {
        let mut last = self.last.lock().await;
        if let Some((at, reach)) = *last
            && at.elapsed() < LOOK_EVERY
        {
            return reach;
        }
        let this = Arc::clone(self);
        // A panic has been logged where it happened; the next look may fare better.
        let reach = tokio::task::spawn_blocking(move || this.look(Timestamp::now())).await.unwrap_or(None);
        *last = Some((Instant::now(), reach));
        reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_over_when_the_recording_reaches_beyond_it_or_patience_ends() {
        let at = Timestamp::from_secs;
        let reach =
            |nanos| Some(Extent { up_to: Timestamp::from_nanos(nanos), recorded: None, is_guessed: false });
        let second = at(100).as_nanos();
        assert!(!Reach::is_over(at(100), at(101), None));
        assert!(
            !Reach::is_over(at(100), at(101), reach(second)),
            "a packet of the last instant may still come"
        );
        assert!(Reach::is_over(at(100), at(101), reach(second + 1)));
        assert!(!Reach::is_over(at(100), at(160), None));
        assert!(Reach::is_over(at(100), at(161), None));
    }

    #[test]
    fn what_may_be_held_back_is_doubted_for_a_while() {
        let at = Timestamp::from_secs;
        let reach = |secs, is_guessed| Some(Extent { up_to: at(secs), recorded: None, is_guessed });
        for (now, reach, is_doubtful) in [
            (1011, reach(1001, true), true),
            (1299, reach(1289, true), true),
            (1300, reach(1290, true), false),
            (1061, reach(900, false), true),
            (1061, None, true),
            (1001, reach(1001, false), false),
        ] {
            assert_eq!(Reach::is_doubtful(at(1000), at(now), reach), is_doubtful, "{now} {reach:?}");
        }
    }
}
