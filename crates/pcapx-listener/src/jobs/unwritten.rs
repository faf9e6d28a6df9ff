//! Manifests that could not be written when their job was done.
//!
//! Who waited has been told. On the disk the job still stands as one that goes on, so it is written down as soon as the
//! folder can be written again; if the service ends before, the next start does the job anew.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pcapx_core::manifest::Manifest;
use tokio::task::spawn_blocking;
use tokio::time;

use super::Jobs;
use crate::evidence::Shelved;

/// How often it is tried again.
const AGAIN_EVERY: Duration = Duration::from_secs(2);

impl Jobs {
    /// Writes `manifest` when that can be done.
    pub(super) fn write_later(self: &Arc<Self>, manifest: Manifest) {
        let (jobs, manifest) = (Arc::clone(self), Arc::new(manifest));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = time::sleep(AGAIN_EVERY) => {}
                    () = jobs.stopped() => return,
                }
                let (own, written) = (Arc::clone(&jobs), Arc::clone(&manifest));
                match spawn_blocking(move || own.write_late(&written)).await {
                    Ok(Err(error)) => log::debug!("the manifest of {} waits: {error}", manifest.name),
                    // A panic has been logged where it happened.
                    Ok(Ok(())) | Err(_) => return,
                }
            }
        });
    }

    fn write_late(&self, manifest: &Manifest) -> io::Result<()> {
        let _names = self.hold_names();
        if self.job(&manifest.name).is_some() {
            // It has been asked for anew, or goes on.
            return Ok(());
        }
        match self.folder.manifest(&manifest.name)? {
            Shelved::Manifest(found) if found.request.id == manifest.request.id => {
                self.folder.rewrite(manifest)
            }
            // The name is another's by now.
            Shelved::Manifest(_) | Shelved::Nothing | Shelved::Damaged(_) => Ok(()),
        }
    }
}
