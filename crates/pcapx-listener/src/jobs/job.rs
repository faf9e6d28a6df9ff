//! One job: its manifest as it is now, and the wish that it ends.

use std::sync::Arc;
use std::time::Duration;

use pcapx_core::manifest::{About, Manifest, State};
use pcapx_core::time::Timestamp;
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

    /// Whether packets are searched for it just now.
    pub(super) fn is_searched(&self) -> bool {
        self.search.try_lock().is_err()
    }

    /// The same, when nobody searches just now.
    pub(super) fn try_hold(&self) -> Option<Hold> {
        Arc::clone(&self.search).try_lock_owned().ok()
    }
}

/// What a list shows of a job.
#[derive(Clone, Debug)]
pub(crate) struct Brief {
    /// Its name.
    pub(crate) name: String,
    /// When it was asked for.
    pub(crate) asked_at: Timestamp,
    /// What the alert says of itself.
    pub(crate) about: Option<About>,
    /// What has become of it.
    pub(crate) state: State,
    /// Whether more is to come.
    pub(crate) open: bool,
    /// Why it is as it is.
    pub(crate) reason: Option<String>,
    /// Its filter.
    pub(crate) filter: String,
    /// What was found.
    pub(crate) packets: Option<u64>,
    /// Bytes of the capture.
    pub(crate) bytes: Option<u64>,
    /// The capture's file, where there is one or may be one.
    pub(crate) file: Option<String>,
}

impl Brief {
    /// What `manifest` tells.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let has_file = manifest.file.is_some() || manifest.open;
        Self {
            name: manifest.name.clone(),
            asked_at: manifest.request.at,
            about: manifest.about.as_ref().map(|about| About {
                id: bounded(&about.id),
                name: bounded(&about.name),
                time: about.time,
            }),
            state: manifest.state,
            open: manifest.open,
            reason: manifest.reason.as_deref().map(bounded),
            filter: bounded(&manifest.filter),
            packets: manifest.packets,
            bytes: manifest.bytes,
            file: has_file.then(|| manifest.file_name()),
        }
    }
}

/// An alert may have two megabytes of name; a list needs no more than this of it.
fn bounded(text: &str) -> String {
    const MOST_CHARS: usize = 16 << 10;
    text.chars().take(MOST_CHARS).collect()
}

fn lean(mut manifest: Manifest) -> Manifest {
    manifest.alert = None;
    manifest
}
