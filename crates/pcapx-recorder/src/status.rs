//! How the recording goes: for other programs once a second, for the log once a minute.
//!
//! The status file `.pcapx-recorder.json` stands in the timeline folder and is replaced as a whole. Whoever reads it knows up
//! to which instant the recording can be searched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::recorder::{RecorderStatus, STATUS_NAME};

use crate::counters::Counters;
use crate::recording::CHUNKS;
use crate::storage::Volume;

const EVERY: Duration = Duration::from_secs(1);
/// Turns between two lines in the log.
const LOG_EVERY_TURNS: u64 = 60;
const PROGRAM: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// The thread that tells.
#[derive(Debug)]
pub(crate) struct Status {
    stop: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Status {
    /// Starts telling; a thread that cannot be had is told in the log and does not stop the recording.
    pub(crate) fn start(
        (folder, dump): (&Path, &Path),
        source: &str,
        limit: u64,
        counters: &Arc<Counters>,
    ) -> Self {
        let (stop, stopped) = sync_channel::<()>(0);
        let mut teller = Teller {
            folder: folder.to_owned(),
            dump: dump.to_owned(),
            source: source.to_owned(),
            started_at: Timestamp::now(),
            limit,
            counters: Arc::clone(counters),
            last: (Instant::now(), 0, 0, 0),
            logged: (0, 0, 0, 0),
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
    folder: PathBuf,
    dump: PathBuf,
    source: String,
    started_at: Timestamp,
    limit: u64,
    counters: Arc<Counters>,
    /// When it was told last, with packets, bytes and drops then.
    last: (Instant, u64, u64, u64),
    /// Packets, bytes and drops when the log was told last.
    logged: (u64, u64, u64, u64),
    is_refused: bool,
}

impl Teller {
    fn tell(&mut self, running: bool) {
        match self.status(running).write(&self.folder) {
            Ok(()) => self.is_refused = false,
            Err(e) if !self.is_refused => {
                log::warn!("{:?} cannot be written: {e}", self.folder.join(STATUS_NAME));
                self.is_refused = true;
            }
            Err(_) => {}
        }
    }

    fn status(&mut self, running: bool) -> RecorderStatus {
        let counters = &self.counters;
        let known = |nanos: i64| (nanos != 0).then_some(Timestamp::from_nanos(nanos));
        let now = (
            Instant::now(),
            counters.packets_received.load(Relaxed),
            counters.bytes_received.load(Relaxed),
            counters.kernel_drops.load(Relaxed) + counters.recorder_drops.load(Relaxed),
        );
        let then = std::mem::replace(&mut self.last, now);
        let secs = (now.0 - then.0).as_secs_f64().max(1e-3);
        RecorderStatus {
            program: PROGRAM.to_owned(),
            process: std::process::id(),
            sources: vec![self.source.clone()],
            started_at: self.started_at,
            written_at: Timestamp::now(),
            running,
            searchable_up_to: known(counters.searchable_up_to.load(Relaxed)),
            oldest_kept: known(counters.oldest_kept.load(Relaxed)),
            packets_received: now.1,
            packets_filtered: counters.packets_filtered.load(Relaxed),
            packets_recorded: counters.packets_recorded.load(Relaxed),
            bytes_received: now.2,
            bytes_written: counters.bytes_written.load(Relaxed),
            kernel_drops: counters.kernel_drops.load(Relaxed),
            recorder_drops: counters.recorder_drops.load(Relaxed),
            ring_freezes: counters.ring_freezes.load(Relaxed),
            segments_sealed: counters.segments_sealed.load(Relaxed),
            segments_removed: counters.segments_removed.load(Relaxed),
            packets_per_second: (now.1 - then.1) as f64 / secs,
            bits_per_second: (now.2 - then.2) as f64 * 8.0 / secs,
            drops_per_second: (now.3 - then.3) as f64 / secs,
            burst_packets_per_second: counters.burst_packets_worst.swap(0, Relaxed) as f64,
            burst_bits_per_second: counters.burst_bits_worst.swap(0, Relaxed) as f64,
            ring_fill: 0.0,
            queue_fill: counters.chunks_worst.swap(0, Relaxed) as f64 / CHUNKS as f64,
            slowest_write_ms: counters.write_nanos_worst.swap(0, Relaxed) as f64 / 1e6,
            bytes_kept: counters.bytes_kept.load(Relaxed),
            disk_limit_bytes: self.limit,
            disk_free_bytes: Volume::of(&self.dump).map_or(0, |volume| volume.free),
        }
    }

    fn log(&mut self) {
        let counters = &self.counters;
        let now = (
            counters.packets_recorded.load(Relaxed),
            counters.bytes_received.load(Relaxed),
            counters.kernel_drops.load(Relaxed),
            counters.recorder_drops.load(Relaxed),
        );
        let then = std::mem::replace(&mut self.logged, now);
        log::info!(
            "{} packets recorded, {} bytes on the wire, {} dropped by the kernel, {} not stored; {} MB kept, {} segments removed",
            now.0 - then.0,
            now.1 - then.1,
            now.2 - then.2,
            now.3 - then.3,
            counters.bytes_kept.load(Relaxed) >> 20,
            counters.segments_removed.load(Relaxed)
        );
    }
}
