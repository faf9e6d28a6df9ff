//! The audit log: one JSON line for each act that matters to security, chained so that a missing or changed line shows.
//!
//! ```text
//! {"seq":7,"time":"…Z","service":"pcapx-fileserver","act":"download",…,"outcome":"200 complete","prev":"HASH of 6","hash":"HASH"}
//!
//! request ends ─► Audit::write ─► queue ─► writer (a thread) ─► FOLDER/SERVICE.audit.jsonl ── full ─► SERVICE.audit.SEQ.jsonl
//! ```
//!
//! `hash` is the SHA-256 of the line's own bytes in front of `,"hash":`; `prev` is the hash of the line before, over
//! restarts and rotated files as well. So every line vouches for all before it, and [`verify`](fn@verify) finds what was
//! changed, removed or put in between:
//!
//! - The first line of all has number 1 and follows nothing. The service never removes a file, so a log that begins later
//!   has lost its beginning by somebody's hand – unless that was archived and its last line is known.
//! - A full file ends with the act `rotate`, so that the file after it cannot go without notice.
//! - A run ends with the act `stop`, after whatever was still answered when somebody asked for it. Where the next `start` follows something else, the service was killed, or lines
//!   were cut off there.
//!
//! What a chain cannot show by itself is that whole runs at its very *end* were cut off, or that somebody made a whole new
//! chain; for that the log tells the head – number and hash – at each start, stop and rotation, and `verify` compares
//! with a head that was kept elsewhere.
//!
//! Writing never holds a request up. When the disk does not keep up, or is full, lines are counted instead of kept, and the
//! next line that can be written is one that tells how many are missing. Nor can those who are turned away fill the disk: of
//! them a burst is written down and then one a second; the rest is counted and told with the next.

mod chain;
mod denials;
mod journal;
mod verify;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use pcapx_core::config::{Config, Service};
use pcapx_core::time::Timestamp;
use serde_json::{Map, Value};

use self::denials::Denials;
use self::journal::Journal;
pub use self::verify::{Head, Kept, Verified, VerifyError, verify};

/// The act of a service that begins to serve.
pub(crate) const START: &str = "start";
/// The last act of a run that ends in order.
const STOP: &str = "stop";
/// The act of somebody who is not let in.
const DENIED: &str = "denied";
/// The last act in a file that is full: the log goes on in the next one.
const ROTATE: &str = "rotate";

/// Lines that may wait for the disk: some seconds of what a service can do at most.
const QUEUE_LINES: usize = 16 << 10;

/// One act, before it has a number.
#[derive(Debug, Clone)]
pub struct Act {
    at: Timestamp,
    fields: Map<String, Value>,
}

impl Act {
    /// An act called `what`, now.
    pub fn new(what: &'static str) -> Self {
        let fields = Map::from_iter([("act".to_owned(), Value::from(what))]);
        Act { at: Timestamp::now(), fields }
    }

    /// The act that somebody was not let in. When there are many, most are counted and not written down one by one.
    pub fn denied(reason: impl Into<Value>) -> Self {
        Act::new(DENIED).with("reason", reason)
    }

    fn is(&self, what: &str) -> bool {
        self.fields.get("act").and_then(Value::as_str) == Some(what)
    }

    /// Adds a field; whatever a client sent is escaped as JSON does.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }

    /// Adds who did it.
    #[must_use]
    pub fn by(self, request: &str, client: IpAddr, peer: IpAddr, certificate: Option<&str>) -> Self {
        let mut act = self.with("request", request).with("address", client.to_string());
        if peer != client {
            act = act.with("proxy", peer.to_string());
        }
        match certificate {
            Some(certificate) => act.with("certificate", certificate),
            None => act,
        }
    }
}

/// Where acts go; clones are the same. Without a folder they go nowhere.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    desk: Option<Arc<Desk>>,
}

#[derive(Debug)]
struct Desk {
    queue: Mutex<Option<SyncSender<Act>>>,
    /// Acts that found the queue full and have not been told of yet.
    lost: Arc<AtomicU64>,
    denials: Mutex<Denials>,
    /// A run has begun, and has to end with a line of its own.
    has_started: AtomicBool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// The audit log cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("audit_log: {}: {reason}", .path.display())]
pub struct AuditError {
    path: PathBuf,
    reason: String,
}

impl Audit {
    /// Continues the log of `service` in `folder`, in files of at most about `most_bytes`.
    pub fn open(service: Service, folder: &Path, most_bytes: u64) -> Result<Self, AuditError> {
        let failed = |reason: String| AuditError { path: folder.to_owned(), reason };
        let journal =
            Journal::open(service, folder, most_bytes).map_err(|error| failed(error.to_string()))?;
        let (sender, receiver) = sync_channel(QUEUE_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let writer = thread::Builder::new()
            .name("pcapx-audit".to_owned())
            .spawn(move || write_all(journal, &receiver, &counted))
            .map_err(|error| failed(error.to_string()))?;
        let desk = Desk {
            queue: Mutex::new(Some(sender)),
            lost,
            denials: Mutex::new(Denials::new(Instant::now())),
            has_started: AtomicBool::new(false),
            writer: Mutex::new(Some(writer)),
        };
        Ok(Audit { desk: Some(Arc::new(desk)) })
    }

    /// The log that `config` wants for `service`; one without a folder goes nowhere.
    pub fn of(service: Service, config: &Config) -> Result<Self, AuditError> {
        let most = config.audit_log_max_bytes.unwrap_or(u64::MAX);
        match &config.audit_log {
            Some(folder) => Audit::open(service, folder, most),
            None => Ok(Audit::default()),
        }
    }

    /// Whether the log that `config` wants can be kept, in words; looks and changes nothing. `None` where none is wanted.
    pub fn check(config: &Config) -> Option<Result<String, AuditError>> {
        let path = config.audit_log.as_ref()?;
        let failed = |reason: String| AuditError { path: path.clone(), reason };
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        let found = std::fs::metadata(path).and_then(|found| {
            if found.is_dir() {
                Ok(rustix::fs::access(path, access)?)
            } else {
                Err(io::ErrorKind::NotADirectory.into())
            }
        });
        Some(match found {
            Ok(()) => Ok(format!("audit_log {}", path.display())),
            Err(error) => Err(failed(error.to_string())),
        })
    }

    /// Whether acts go anywhere.
    pub fn is_on(&self) -> bool {
        self.desk.is_some()
    }

    /// Writes `act` down soon. Never waits.
    pub fn write(&self, act: Act) {
        let Some(desk) = &self.desk else { return };
        if act.is(START) {
            desk.has_started.store(true, Ordering::Relaxed);
        }
        if act.is(DENIED) {
            let mut denials = desk.denials.lock().unwrap_or_else(PoisonError::into_inner);
            if !denials.may_be_written(Instant::now()) {
                return;
            }
            if let Some(more) = denials.told() {
                desk.put(more);
            }
        }
        desk.put(act);
    }

    /// Ends the run that has started: its last line is `stop`. Returns once everything is on the disk; what comes later is
    /// lost. May wait for a disk.
    pub fn close(&self) {
        let Some(desk) = &self.desk else { return };
        desk.close(desk.has_started.load(Ordering::Relaxed).then(|| Act::new(STOP)));
    }

    /// Ends as a crash does, but with everything on the disk.
    #[cfg(test)]
    fn break_off(&self) {
        self.desk.as_ref().unwrap().close(None);
    }
}

impl Desk {
    fn put(&self, act: Act) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_none_or(|queue| queue.try_send(act).is_err()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn close(&self, last: Option<Act>) {
        let more = self.denials.lock().unwrap_or_else(PoisonError::into_inner).told();
        // From here on nobody else puts anything behind it.
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(queue) = queue {
            for act in more.into_iter().chain(last) {
                // Waits for room. Without a writer there is nothing to wait for.
                if queue.send(act).is_err() {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            log::error!("audit: the writer panicked");
        }
    }
}

fn write_all(mut journal: Journal, acts: &Receiver<Act>, lost: &AtomicU64) {
    let mut is_failing = false;
    let mut write = |act: &Act, journal: &mut Journal| {
        let written: io::Result<()> = journal.write(act);
        match (&written, is_failing) {
            (Err(error), false) => {
                log::error!("audit: cannot be written: {error}; acts are counted meanwhile");
            }
            (Ok(()), true) => log::info!("audit: can be written again"),
            _ => {}
        }
        is_failing = written.is_err();
        written.is_ok()
    };
    for act in acts {
        let missing = lost.load(Ordering::Relaxed);
        if missing > 0 && write(&Act::new("lost").with("acts", missing), &mut journal) {
            lost.fetch_sub(missing, Ordering::Relaxed);
        }
        if !write(&act, &mut journal) {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
    journal.close();
}
