//! How far the recording reaches: up to which instant every packet that is ever recorded can be found now.
//!
//! | who records | how far it reaches |
//! |---|---|
//! | pcapx-recorder, and it has told within seconds | as it says |
//! | pcapx-recorder, and it has ended | up to now: nothing more comes |
//! | anybody else | as far as the files tell, see `Catalog::complete_up_to` |
//!
//! A window is over when the recording reaches beyond it, and after [`PATIENCE`] in any case: a recorder that is stopped,
//! or writes only now and then, keeps no job open for ever.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::catalog::Timeline;
use pcapx_timeline::recorder::{RecorderState, RecorderStatus};
use tokio::sync::Mutex;
use tokio::time;

/// How long after its end a window is believed to be over, whatever the recording looks like.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the recording is looked at while a window waits for its end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest sleep: clocks can be set.
const SLEEP_MOST: Duration = Duration::from_secs(1);

/// Looks at the recording, for any number of jobs at the price of one.
#[derive(Debug)]
pub(crate) struct Reach {
    timeline: Arc<Timeline>,
    folder: PathBuf,
    last: Mutex<Option<(Instant, Option<Timestamp>)>>,
}

impl Reach {
    /// Looks at `timeline`, which is recorded to `folder`.
    pub(crate) fn new(timeline: Arc<Timeline>, folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { timeline, folder, last: Mutex::new(None) })
    }

    /// How far the recording reaches; `None` when nothing tells. May wait for a disk.
    pub(crate) fn look(&self, now: Timestamp) -> Option<Timestamp> {
        if let Ok(status) = RecorderStatus::read(&self.folder) {
            match status.state(now) {
                RecorderState::Recording => return status.searchable_up_to,
                RecorderState::Ended => return Some(now),
                RecorderState::Silent => {}
            }
        }
        complete_up_to(&self.timeline, now)
    }

    /// Whether a window that ends at `end` is over at `now`, when the recording reaches to `reach`.
    pub(crate) fn is_over(end: Timestamp, now: Timestamp, reach: Option<Timestamp>) -> bool {
        reach.is_some_and(|reach| reach > end) || now > end.saturating_add(PATIENCE)
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
    async fn shared(self: &Arc<Self>) -> Option<Timestamp> {
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

fn complete_up_to(_timeline: &Timeline, _now: Timestamp) -> Option<Timestamp> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_over_when_the_recording_reaches_beyond_it_or_patience_ends() {
        let at = Timestamp::from_secs;
        assert!(!Reach::is_over(at(100), at(101), None));
        assert!(
            !Reach::is_over(at(100), at(101), Some(at(100))),
            "a packet of the last instant may still come"
        );
        assert!(Reach::is_over(at(100), at(101), Some(Timestamp::from_nanos(at(100).as_nanos() + 1))));
        assert!(!Reach::is_over(at(100), at(160), None));
        assert!(Reach::is_over(at(100), at(161), None));
    }
}
