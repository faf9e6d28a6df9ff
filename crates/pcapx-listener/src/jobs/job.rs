//! One job: its manifest as it is now, and the wish that it ends.

use std::sync::Arc;
use std::time::Duration;

use pcapx_core::manifest::{Manifest, State};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time;

use crate::cancel::{Cancel, Canceller};

/// A job. Whoever holds it sees its manifest change; the alert is on the disk alone.
#[derive(Debug)]
pub(crate) struct Job {
    board: watch::Sender<Arc<Manifest>>,
    canceller: Canceller,
    /// Held while packets are searched for it: its files' names must not change then.
    search: Arc<Mutex<()>>,
}

/// Keeps the names of a job's files as they are.
pub(super) type Hold = OwnedMutexGuard<()>;

impl Job {
    /// A job whose manifest is `manifest`.
    pub(super) fn new(manifest: Manifest) -> Arc<Self> {
        let board = watch::Sender::new(Arc::new(lean(manifest)));
        Arc::new(Self { board, canceller: Canceller::new(), search: Arc::default() })
    }

    /// The manifest as it is now, without its alert.
    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.board.borrow())
    }

    /// Shows `manifest` to everybody who waits.
    pub(super) fn show(&self, manifest: Manifest) {
        self.board.send_replace(Arc::new(lean(manifest)));
    }

    /// The manifest once something has been found out, at the latest after `patience`; `None` is endless.
    pub(crate) async fn answered(&self, patience: Option<Duration>) -> Arc<Manifest> {
        self.once(patience, |manifest| manifest.state != State::Queued || !manifest.open).await
    }

    /// The manifest once the job has ended, at the latest after `patience`.
    pub(crate) async fn ended(&self, patience: Duration) -> Arc<Manifest> {
        self.once(Some(patience), |manifest| !manifest.open).await
    }

    async fn once(&self, patience: Option<Duration>, is_it: impl Fn(&Manifest) -> bool) -> Arc<Manifest> {
        let mut board = self.board.subscribe();
        let waiting = board.wait_for(|manifest| is_it(manifest));
        // Neither an error – the job is gone – nor impatience changes what is told.
        match patience {
            Some(patience) => drop(time::timeout(patience, waiting).await),
            None => drop(waiting.await),
        }
        self.manifest()
    }

    /// Asks the job to end.
    pub(crate) fn cancel(&self) {
        self.canceller.cancel();
    }

    /// Where the job hears of it.
    pub(super) fn cancelled(&self) -> Cancel {
        self.canceller.subscribe()
    }

    /// Keeps the names of its files as they are, from before its manifest is read until what was made of it is shown.
    pub(super) async fn searching(&self) -> Hold {
        Arc::clone(&self.search).lock_owned().await
    }

    /// The same, when nobody searches just now.
    pub(super) fn try_hold(&self) -> Option<Hold> {
        Arc::clone(&self.search).try_lock_owned().ok()
    }
}

fn lean(mut manifest: Manifest) -> Manifest {
    manifest.alert = None;
    manifest
}
