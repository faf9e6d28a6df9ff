//! After a start: every job that an earlier run has not done goes on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pcapx_core::manifest::{Manifest, State};
use tokio::task::spawn_blocking;
use tokio::time;

use super::desk::Seat;
use super::{Job, Jobs};
use crate::evidence::Shelved;

/// How long to wait before a folder that cannot be read is looked at again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

impl Jobs {
    /// Takes up what an earlier run has left. Answers are given meanwhile.
    pub(crate) async fn take_up(self: Arc<Self>) {
        let taken = loop {
            let jobs = Arc::clone(&self);
            match spawn_blocking(move || jobs.take_all()).await {
                Ok(Ok(taken)) => break taken,
                Ok(Err(error)) => {
                    log::error!("output_dir: what an earlier run has left cannot be read: {error}");
                }
                // A panic has been logged where it happened.
                Err(_) => return,
            }
            tokio::select! {
                () = time::sleep(AGAIN_AFTER) => {}
                () = self.stopped() => return,
            }
        };
        self.taken_up.send_replace(true);
        let mut seats: Vec<Seat> = Vec::new();
        for job in taken {
            if job.manifest().state == State::Queued {
                seats.extend(self.desk.number_regardless().wait(job));
            } else {
                self.follow(job);
            }
        }
        for seat in seats {
            self.serve(seat);
        }
    }

    /// Waits until all jobs are known that an earlier run has left, at most for `patience`. Answers whether they are.
    pub(crate) async fn knows_all(&self, patience: Duration) -> bool {
        let mut taken_up = self.taken_up.subscribe();
        time::timeout(patience, taken_up.wait_for(|taken_up| *taken_up))
            .await
            .is_ok_and(|known| known.is_ok())
    }

    /// Makes jobs of open manifests, in the order in which they were asked for. All of them before the first is worked on:
    /// what has stepped aside is known by its inode, which work on it changes.
    fn take_all(&self) -> io::Result<Vec<Arc<Job>>> {
        let mut left = self.left()?;
        if !left.is_empty() {
            log::info!("jobs of an earlier run that go on: {}", left.len());
        }
        left.sort_by_key(|manifest| manifest.request.at);
        Ok(left.iter().filter_map(|manifest| self.take(&manifest.name)).collect())
    }

    /// Open manifests.
    fn left(&self) -> io::Result<Vec<Manifest>> {
        let (mut left, mut damaged) = (Vec::new(), 0);
        for name in self.folder.manifest_names()? {
            match self.folder.manifest(&name) {
                Ok(Shelved::Manifest(mut manifest)) if manifest.open => {
                    // The alert stays on the disk.
                    manifest.alert = None;
                    left.push(*manifest);
                }
                Ok(Shelved::Damaged(reason)) => {
                    log::debug!("the manifest of {name} cannot be read: {reason}");
                    damaged += 1;
                }
                Ok(Shelved::Manifest(_) | Shelved::Nothing) => {}
                Err(error) => log::warn!("the manifest of {name} cannot be read: {error}"),
            }
        }
        if damaged > 0 {
            log::warn!("output_dir: manifests that cannot be read and are left alone: {damaged}");
        }
        Ok(left)
    }

    /// Makes a job of the manifest called `name`; `None` when somebody has asked for the same meanwhile.
    fn take(&self, name: &str) -> Option<Arc<Job>> {
        let _names = self.hold_names();
        if self.job(name).is_some() {
            return None;
        }
        let mut manifest = match self.folder.manifest(name) {
            Ok(Shelved::Manifest(manifest)) if manifest.open => *manifest,
            _ => return None,
        };
        let before = manifest.clone();
        let reconciled = self
            .folder
            .reconcile(&mut manifest)
            .and_then(|()| if manifest == before { Ok(()) } else { self.folder.write(&manifest) });
        if let Err(error) = reconciled {
            log::warn!("output_dir: what {name} has left cannot be put in order: {error}");
        }
        let job = Job::new(manifest);
        self.active().insert(name.to_owned(), Arc::clone(&job));
        Some(job)
    }
}
