//! How the recording goes: for other programs once a second, for the log once a minute.
//!
//! The status file `.pcapx-recorder.json` stands in the timeline folder and is replaced as a whole. Whoever reads it knows up
//! to which instant the recording can be searched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use serde::Serialize;

use crate::counters::Counters;

/// The name of the status file.
pub const STATUS_NAME: &str = ".pcapx-recorder.json";
const EVERY: Duration = Duration::from_secs(1);
/// Turns between two lines in the log.
const LOG_EVERY_TURNS: u64 = 60;

/// What the status file holds. Times are nanoseconds since 1970; `null` where there is nothing to tell.
#[derive(Clone, Debug, Serialize)]
struct Snapshot {
    /// The interface or file.
    source: String,
    /// The recorder's process.
    process: u32,
    /// Whether it is running; `false` is its last word.
    running: bool,
    /// When this was written.
    written_at_ns: i64,
    /// All packets that came before can be found.
    searchable_up_to_ns: Option<i64>,
    /// The oldest packet that is kept.
    oldest_kept_ns: Option<i64>,
    /// Since the start.
    packets_received: u64,
    packets_filtered: u64,
    packets_recorded: u64,
    bytes_received: u64,
    bytes_written: u64,
    kernel_drops: u64,
    ring_freezes: u64,
    segments_sealed: u64,
    segments_removed: u64,
    /// In the last second.
    packets_per_second: f64,
    bits_per_second: f64,
    /// The slowest write of the last second.
    slowest_write_ms: f64,
    /// On the disk, and the most that it may be.
    bytes_kept: u64,
    disk_limit_bytes: u64,
}

/// The thread that tells.
#[derive(Debug)]
pub(crate) struct Status {
    stop: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Status {
    /// Starts telling; a thread that cannot be had is told in the log and does not stop the recording.
    pub(crate) fn start(folder: &Path, source: &str, limit: u64, counters: &Arc<Counters>) -> Self {
        let (stop, stopped) = sync_channel::<()>(0);
        let mut teller = Teller {
            path: folder.join(STATUS_NAME),
            source: source.to_owned(),
            limit,
            counters: Arc::clone(counters),
            last: (Instant::now(), 0, 0),
            logged: (0, 0, 0),
            is_refused: false,
        };
        let work = move || {
            let mut turn = 0_u64;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                turn += 1;
                teller.tell(true);
                if turn.is_multiple_of(LOG_EVERY_TURNS) {
                    teller.log();
                }
            }
            teller.tell(false);
            teller.log();
        };
        let thread = thread::Builder::new().name("pcapx-status".into()).spawn(work);
        let thread = thread.map_err(|e| log::warn!("no thread to tell the status with: {e}")).ok();
        Self { stop, thread }
    }

    /// Says the last word.
    pub(crate) fn finish(self) {
        drop(self.stop);
        // A panic has been told where it happened.
        self.thread.map(JoinHandle::join);
    }
}

struct Teller {
    path: PathBuf,
    source: String,
    limit: u64,
    counters: Arc<Counters>,
    /// When it was told last, with packets and bytes then.
    last: (Instant, u64, u64),
    /// Packets, bytes and drops when the log was told last.
    logged: (u64, u64, u64),
    is_refused: bool,
}

impl Teller {
    fn tell(&mut self, running: bool) {
        let snapshot = self.snapshot(running);
        match self.write(&snapshot) {
            Ok(()) => self.is_refused = false,
            Err(e) if !self.is_refused => {
                log::warn!("{:?} cannot be written: {e}", self.path);
                self.is_refused = true;
            }
            Err(_) => {}
        }
    }

    fn snapshot(&mut self, running: bool) -> Snapshot {
        let counters = &self.counters;
        let known = |nanos: i64| (nanos != 0).then_some(nanos);
        let (packets, bytes) =
            (counters.packets_received.load(Relaxed), counters.bytes_received.load(Relaxed));
        let (then, packets_then, bytes_then) =
            std::mem::replace(&mut self.last, (Instant::now(), packets, bytes));
        let secs = then.elapsed().as_secs_f64().max(1e-3);
        Snapshot {
            source: self.source.clone(),
            process: std::process::id(),
            running,
            written_at_ns: Timestamp::now().as_nanos(),
            searchable_up_to_ns: known(counters.searchable_up_to.load(Relaxed)),
            oldest_kept_ns: known(counters.oldest_kept.load(Relaxed)),
            packets_received: packets,
            packets_filtered: counters.packets_filtered.load(Relaxed),
            packets_recorded: counters.packets_recorded.load(Relaxed),
            bytes_received: bytes,
            bytes_written: counters.bytes_written.load(Relaxed),
            kernel_drops: counters.kernel_drops.load(Relaxed),
            ring_freezes: counters.ring_freezes.load(Relaxed),
            segments_sealed: counters.segments_sealed.load(Relaxed),
            segments_removed: counters.segments_removed.load(Relaxed),
            packets_per_second: (packets - packets_then) as f64 / secs,
            bits_per_second: (bytes - bytes_then) as f64 * 8.0 / secs,
            slowest_write_ms: counters.write_nanos_worst.swap(0, Relaxed) as f64 / 1e6,
            bytes_kept: counters.bytes_kept.load(Relaxed),
            disk_limit_bytes: self.limit,
        }
    }

    /// Whoever reads the file sees the one before or this one, never a part.
    fn write(&self, snapshot: &Snapshot) -> io::Result<()> {
        let hidden = self.path.with_extension("json.new");
        fs::write(&hidden, serde_json::to_vec_pretty(snapshot)?)?;
        fs::rename(&hidden, &self.path)
    }

    fn log(&mut self) {
        let counters = &self.counters;
        let now = (
            counters.packets_recorded.load(Relaxed),
            counters.bytes_received.load(Relaxed),
            counters.kernel_drops.load(Relaxed),
        );
        let then = std::mem::replace(&mut self.logged, now);
        let (packets, bytes, drops) = (now.0 - then.0, now.1 - then.1, now.2 - then.2);
        log::info!(
            "{packets} packets recorded, {bytes} bytes on the wire, {drops} dropped by the kernel; {} MB kept, {} segments removed",
            counters.bytes_kept.load(Relaxed) >> 20,
            counters.segments_removed.load(Relaxed)
        );
    }
}
