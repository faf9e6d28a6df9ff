//! How the recording goes, told once a second to other programs and to who sits at a terminal, once a minute to the log.
//!
//! ```text
//! Counters ─► Teller ─► RecorderStatus ─► TIMELINE/.pcapx-recorder.json
//!                            │        ├─► one line on the terminal, which changes
//!                            │        └─► whoever asks, see metrics
//!                            └─► a line in the log for each minute, and for the rest at the end
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_timeline::recorder::{RecorderStatus, STATUS_NAME, Unsealed};

use crate::counters::Counters;
use crate::metrics::Board;
use crate::recording::CHUNKS;
use crate::storage::Volume;
use crate::terminal;

/// How often it is told up to when the recording can be searched: whoever waits for the end of a window waits for that.
const EVERY: Duration = Duration::from_millis(200);
/// Turns between two measurements: one second.
const MEASURE_EVERY_TURNS: u64 = 5;
/// Turns between two lines in the log: one minute.
const LOG_EVERY_TURNS: u64 = 60 * MEASURE_EVERY_TURNS;
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
        (limit, snaplen): (u64, u32),
        counters: &Arc<Counters>,
        board: Option<Board>,
    ) -> Self {
        let (stop, stopped) = sync_channel::<()>(0);
        let mut teller = Teller {
            folder: folder.to_owned(),
            dump: dump.to_owned(),
            source: source.to_owned(),
            started_at: Timestamp::now(),
            limit,
            snaplen,
            counters: Arc::clone(counters),
            zone: LocalZone::system(),
            told: Told::default(),
            logged: Told::default(),
            measured: None,
            board,
            is_refused: false,
            is_cut_told: false,
        };
        let work = move || {
            let mut turn = 0_u64;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                turn += 1;
                if turn.is_multiple_of(MEASURE_EVERY_TURNS) {
                    teller.tell(true);
                } else {
                    teller.go_on();
                }
                if turn.is_multiple_of(LOG_EVERY_TURNS) {
                    teller.log();
                }
            }
            teller.tell(false);
            terminal::end();
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
    snaplen: u32,
    counters: Arc<Counters>,
    zone: LocalZone,
    /// What the counters said when it was told last.
    told: Told,
    /// What they said when the log was told last.
    logged: Told,
    /// What was told last.
    measured: Option<RecorderStatus>,
    /// For those who ask.
    board: Option<Board>,
    is_refused: bool,
    is_cut_told: bool,
}

/// What the counters said at a moment.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Instant,
    packets: u64,
    recorded: u64,
    cut: u64,
    bytes: u64,
    kernel_drops: u64,
    recorder_drops: u64,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            packets: 0,
            recorded: 0,
            cut: 0,
            bytes: 0,
            kernel_drops: 0,
            recorder_drops: 0,
        }
    }
}

impl Told {
    fn now(counters: &Counters) -> Self {
        Self {
            at: Instant::now(),
            packets: counters.packets_received.load(Relaxed),
            recorded: counters.packets_recorded.load(Relaxed),
            cut: counters.packets_cut.load(Relaxed),
            bytes: counters.bytes_received.load(Relaxed),
            kernel_drops: counters.kernel_drops.load(Relaxed),
            recorder_drops: counters.recorder_drops.load(Relaxed),
        }
    }

    fn secs_since(&self, then: &Self) -> f64 {
        (self.at - then.at).as_secs_f64().max(1e-3)
    }

    fn bits_per_second_since(&self, then: &Self) -> f64 {
        (self.bytes - then.bytes) as f64 * 8.0 / self.secs_since(then)
    }

    fn drops(&self) -> u64 {
        self.kernel_drops + self.recorder_drops
    }
}

impl Teller {
    fn tell(&mut self, running: bool) {
        let status = self.status(running);
        terminal::show(|| line(&status, &self.zone));
        self.write(&status);
        self.warn_of_cuts(&status);
        self.measured = Some(status);
    }

    /// Says once that packets are cut: a machine that merges packets before they are recorded has longer ones than its link.
    fn warn_of_cuts(&mut self, status: &RecorderStatus) {
        if status.packets_cut > 0 && !self.is_cut_told {
            log::warn!(
                "packets are longer than --snaplen={} and are cut there: --snaplen=0 keeps all of them. They are jumbo frames, or \
                 the machine merges packets before they are recorded (`ethtool -K {} gro off lro off` ends that)",
                self.snaplen,
                self.source
            );
            self.is_cut_told = true;
        }
    }

    /// Tells the same as last time, but for how far the recording can be searched now and what it lacks.
    fn go_on(&mut self) {
        let Some(mut status) = self.measured.take() else { return };
        status.written_at = Timestamp::now();
        (status.searchable_up_to, status.unsealed) = self.searchable();
        self.write(&status);
        self.measured = Some(status);
    }

    fn write(&mut self, status: &RecorderStatus) {
        if let Some(board) = &self.board {
            *board.lock().unwrap_or_else(PoisonError::into_inner) = Some(status.clone());
        }
        match status.write(&self.folder) {
            Ok(()) => self.is_refused = false,
            Err(e) if !self.is_refused => {
                log::warn!("{:?} cannot be written: {e}", self.folder.join(STATUS_NAME));
                self.is_refused = true;
            }
            Err(_) => {}
        }
    }

    /// Up to when the recording can be searched, and what was lost by then in segments that do not tell it themselves.
    fn searchable(&self) -> (Option<Timestamp>, Vec<Unsealed>) {
        let up_to = known(self.counters.searchable_up_to.load(Acquire));
        (up_to, self.counters.losses.unsealed(self.counters.kernel_drops.load(Relaxed)))
    }

    fn status(&mut self, running: bool) -> RecorderStatus {
        let (searchable_up_to, unsealed) = self.searchable();
        let counters = &self.counters;
        let now = Told::now(counters);
        let then = std::mem::replace(&mut self.told, now);
        let secs = now.secs_since(&then);
        RecorderStatus {
            program: PROGRAM.to_owned(),
            process: std::process::id(),
            sources: self.source.split(',').map(str::to_owned).collect(),
            started_at: self.started_at,
            written_at: Timestamp::now(),
            running,
            searchable_up_to,
            oldest_kept: known(counters.oldest_kept.load(Relaxed)),
            packets_received: now.packets,
            packets_filtered: counters.packets_filtered.load(Relaxed),
            packets_recorded: now.recorded,
            packets_cut: now.cut,
            bytes_received: now.bytes,
            bytes_written: counters.bytes_written.load(Relaxed),
            kernel_drops: now.kernel_drops,
            recorder_drops: now.recorder_drops,
            ring_freezes: counters.ring_freezes.load(Relaxed),
            segments_sealed: counters.segments_sealed.load(Relaxed),
            segments_removed: counters.segments_removed.load(Relaxed),
            unsealed,
            packets_per_second: (now.packets - then.packets) as f64 / secs,
            bits_per_second: now.bits_per_second_since(&then),
            drops_per_second: (now.drops() - then.drops()) as f64 / secs,
            burst_packets_per_second: counters.burst_packets_worst.swap(0, Relaxed) as f64,
            burst_bits_per_second: counters.burst_bits_worst.swap(0, Relaxed) as f64,
            ring_fill: counters.ring_fill_worst.swap(0, Relaxed) as f64 / 1e3,
            queue_fill: counters.chunks_worst.swap(0, Relaxed) as f64 / CHUNKS as f64,
            slowest_write_ms: counters.write_nanos_worst.swap(0, Relaxed) as f64 / 1e6,
            bytes_kept: counters.bytes_kept.load(Relaxed),
            disk_limit_bytes: self.limit,
            disk_free_bytes: Volume::of(&self.dump).map_or(0, |volume| volume.free),
        }
    }

    fn log(&mut self) {
        let now = Told::now(&self.counters);
        let then = std::mem::replace(&mut self.logged, now);
        let oldest = self.counters.oldest_kept.load(Relaxed);
        log::info!(
            "{:.0} s: {} packets recorded, {}{}bit/s, {} dropped by the kernel, {} not stored; the oldest packet kept is of {}, {} of {}",
            now.secs_since(&then),
            now.recorded - then.recorded,
            match now.cut - then.cut {
                0 => String::new(),
                cut => format!("{cut} of them cut, "),
            },
            scaled(now.bits_per_second_since(&then)),
            now.kernel_drops - then.kernel_drops,
            now.recorder_drops - then.recorder_drops,
            if oldest == 0 { "-".to_owned() } else { self.zone.spoken(Timestamp::from_nanos(oldest)) },
            bytes(self.counters.bytes_kept.load(Relaxed)),
            bytes(self.limit),
        );
    }
}

/// An instant of the counters, which tell none with 0.
fn known(nanos: i64) -> Option<Timestamp> {
    (nanos != 0).then_some(Timestamp::from_nanos(nanos))
}

/// The line on the terminal.
fn line(status: &RecorderStatus, zone: &LocalZone) -> String {
    let drops = status.kernel_drops + status.recorder_drops;
    let oldest = status.oldest_kept.map_or_else(|| "-".to_owned(), |oldest| zone.spoken(oldest));
    format!(
        "{}pkt/s {}bit/s  dropped {drops}  ring {:.0}%  oldest {oldest}  disk {} of {}",
        scaled(status.packets_per_second),
        scaled(status.bits_per_second),
        status.ring_fill * 100.0,
        bytes(status.bytes_kept),
        bytes(status.disk_limit_bytes),
    )
}

/// A number with three digits that count, and a letter for thousands.
fn scaled(number: f64) -> String {
    in_steps(number, 1000.0, ["", "k", "M", "G", "T", "P"])
}

/// The same of bytes, as options count them.
fn bytes(bytes: u64) -> String {
    in_steps(bytes as f64, 1024.0, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

fn in_steps(number: f64, step: f64, units: [&str; 6]) -> String {
    let (mut rest, mut nth) = (number, 0);
    while rest >= 999.5 && nth + 1 < units.len() {
        rest /= step;
        nth += 1;
    }
    let digits = if nth == 0 || rest >= 99.95 { 0 } else { usize::from(rest < 9.995) + 1 };
    format!("{rest:.digits$} {}", units[nth])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        let cases = [
            (0.0, "0 "),
            (7.0, "7 "),
            (999.4, "999 "),
            (999.6, "1.00 k"),
            (12_345.0, "12.3 k"),
            (123_456.0, "123 k"),
        ];
        for (number, expected) in cases {
            assert_eq!(scaled(number), expected);
        }
        assert_eq!(scaled(80e9), "80.0 G");
        assert_eq!(scaled(1e18), "1000 P");
        assert_eq!([bytes(0), bytes(64 << 20), bytes(1000 << 10)], ["0 B", "64.0 MiB", "0.98 MiB"]);
    }
}
