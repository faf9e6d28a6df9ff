//! Jobs that have ended since the start, the last of them, for people who look: evidence itself stands in the folder.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pcapx_core::manifest::{Manifest, State};

use super::job::Brief;

/// Jobs that are remembered of each kind.
const KEPT: usize = 10;

/// The last jobs that ended, and the last of them that failed.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Ended>);

/// What has ended last, the newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    /// However they ended.
    pub(crate) last: VecDeque<Brief>,
    /// Those that failed, longer ago ones too.
    pub(crate) failed: VecDeque<Brief>,
}

impl Recent {
    /// A job has ended with this manifest.
    pub(super) fn note(&self, manifest: &Manifest) {
        let brief = Brief::of(manifest);
        let mut ended = self.ended();
        if manifest.failure.is_some() || manifest.state == State::Failed {
            push(&mut ended.failed, brief.clone());
        }
        push(&mut ended.last, brief);
    }

    /// What is remembered.
    pub(super) fn told(&self) -> Ended {
        self.ended().clone()
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(jobs: &mut VecDeque<Brief>, job: Brief) {
    jobs.truncate(KEPT - 1);
    jobs.push_front(job);
}

#[cfg(test)]
mod tests {
    use pcapx_core::manifest::Failure;

    use super::*;
    use crate::jobs::tests::manifest;

    #[test]
    fn a_failure_is_remembered_behind_many_that_went_well() {
        let recent = Recent::default();
        let mut bad = manifest("bad");
        (bad.state, bad.failure) = (State::Failed, Some(Failure::Timeout));
        recent.note(&bad);
        for number in 0..50 {
            recent.note(&manifest(&format!("good{number}")));
        }
        let told = recent.told();
        let names = |jobs: &VecDeque<Brief>| jobs.iter().map(|job| job.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&told.failed), ["bad"]);
        assert_eq!(told.last.len(), KEPT);
        assert_eq!((&*names(&told.last)[0], &*names(&told.last)[KEPT - 1]), ("good49", "good40"));
    }
}
