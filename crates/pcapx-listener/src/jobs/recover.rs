//! After a start: every job that an earlier run has not done goes on.

use std::io;
use std::sync::Arc;

use pcapx_core::manifest::{Manifest, State};

use super::desk::Seat;
use super::{Job, Jobs};
use crate::evidence::Shelved;

/// What an earlier run has left.
#[derive(Debug, Default)]
struct Left {
    manifests: Vec<Manifest>,
    damaged: u64,
}

impl Jobs {
    /// Takes up what an earlier run has left. Answers are given meanwhile.
    pub(crate) async fn take_up(self: Arc<Self>) {
        let jobs = Arc::clone(&self);
        let left = match tokio::task::spawn_blocking(move || jobs.left()).await {
            Ok(Ok(left)) => left,
            Ok(Err(error)) => {
                log::error!("output_dir: what an earlier run has left cannot be read: {error}");
                return;
            }
            // A panic has been logged where it happened.
            Err(_) => return,
        };
        if left.damaged > 0 {
            log::warn!("output_dir: manifests that cannot be read and are left alone: {}", left.damaged);
        }
        if !left.manifests.is_empty() {
            log::info!("jobs of an earlier run that go on: {}", left.manifests.len());
        }
        let mut seats: Vec<Seat> = Vec::new();
        for manifest in left.manifests {
            let is_queued = manifest.state == State::Queued;
            let Some(job) = self.take(manifest) else { continue };
            if is_queued {
                seats.extend(self.desk.number_regardless().wait(job));
            } else {
                self.follow(job);
            }
        }
        for seat in seats {
            self.serve(seat);
        }
    }

    /// Open manifests, in the order in which they were asked for.
    fn left(&self) -> io::Result<Left> {
        let mut left = Left::default();
        for name in self.folder.manifest_names()? {
            match self.folder.manifest(&name) {
                Ok(Shelved::Manifest(mut manifest)) if manifest.open => {
                    // The alert stays on the disk.
                    manifest.alert = None;
                    left.manifests.push(*manifest);
                }
                Ok(Shelved::Damaged(reason)) => {
                    log::debug!("the manifest of {name} cannot be read: {reason}");
                    left.damaged += 1;
                }
                Ok(Shelved::Manifest(_) | Shelved::Nothing) => {}
                Err(error) => log::warn!("the manifest of {name} cannot be read: {error}"),
            }
        }
        left.manifests.sort_by_key(|manifest| manifest.request.at);
        Ok(left)
    }

    /// Makes a job of what stands in a manifest; `None` when somebody has asked for the same meanwhile.
    fn take(&self, mut manifest: Manifest) -> Option<Arc<Job>> {
        let _names = self.hold_names();
        let mut active = self.active();
        if active.contains_key(&manifest.name) {
            return None;
        }
        if let Err(error) = self.folder.reconcile(&mut manifest) {
            log::warn!("output_dir: what {} has left cannot be looked at: {error}", manifest.name);
        }
        let name = manifest.name.clone();
        let job = Job::new(manifest);
        active.insert(name, Arc::clone(&job));
        Some(job)
    }
}
