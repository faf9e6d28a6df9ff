//! What this machine can record, measured (`--simulate`, n2disk's `-e`).
//!
//! ```text
//! disk      made-up packets ─► chunks ─► segments in a hidden folder of -o, removed at the end
//! core      made-up packets ─► chunks ─► thrown away
//! capture   interface ─► ring ─► chunks ─► thrown away
//! index     interface ─► ring ─► chunks ─► index, thrown away
//! ```
//!
//! The way of the packets is that of a recording, thread for thread; what is named is left out. Made-up packets come as fast
//! as they are taken, so `disk` and `core` tell what is possible. `capture` and `index` tell what came of what somebody
//! else sends, and whether it was all.

mod made_up;
mod sink;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_core::local::LocalZone;

use crate::counters::Counters;
use crate::inputs;
use crate::intake::IntakePlan;
use crate::options::{DiskLimit, Settings, Simulation};
use crate::record::RecordForm;
use crate::recording::{RecordError, record, record_into};
use crate::rotation::Rotation;
use crate::sieve::Sieve;
use crate::source::PacketSource;
use crate::storage::{FolderLock, Layout, Retention, StorageError, StoragePlan};
use made_up::{MadeUp, Size};
use table::Row;

/// How long each row is measured: longer than a disk's own memory hides what it can do.
const LASTS: Duration = Duration::from_secs(10);
/// Bytes of a segment, and segments kept: a gigabyte of the disk at most, with one that is written.
const SEGMENT_MOST_BYTES: u64 = 256 << 20;
const SEGMENTS_KEPT: u64 = 3;

/// Measures what is asked for, until it is done or `stop` is set, and answers a table.
pub fn run(
    simulation: Simulation,
    settings: &Settings,
    stop: &Arc<AtomicBool>,
) -> Result<String, RecordError> {
    let mut rows = Vec::new();
    match simulation {
        Simulation::Disk | Simulation::Core => {
            for (what, size) in [("usual packets", Size::Usual), ("smallest packets", Size::Smallest)] {
                log::info!("{what} for {} s", LASTS.as_secs());
                let mut source = MadeUp::new(size, LASTS);
                let measured = if simulation == Simulation::Disk {
                    to_disk(&mut source, settings, stop)?
                } else {
                    to_nothing(&mut source, None, settings.index, settings, &Arc::default(), stop)?
                };
                rows.push(measured.named(what));
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        Simulation::Capture | Simulation::Index => {
            rows.push(captured(simulation == Simulation::Index, settings, stop)?.named("what came"));
        }
    }
    Ok(table::text(simulation, settings, &rows))
}

/// Made-up packets to the disk.
fn to_disk(source: &mut MadeUp, settings: &Settings, stop: &Arc<AtomicBool>) -> Result<Row, RecordError> {
    let folder = Hidden::make(&settings.dump, settings.dir_mode)?;
    let _lock = FolderLock::take(&folder.0)?;
    let counters = Arc::new(Counters::default());
    let bytes = settings.file_bytes.min(SEGMENT_MOST_BYTES);
    let layout =
        Layout::new(folder.0.clone(), None, settings.file_mode, settings.dir_mode, LocalZone::system());
    let limit = DiskLimit::Bytes(bytes * SEGMENTS_KEPT);
    let room = Retention::new(layout.clone(), limit, bytes, Arc::clone(&counters))?;
    let storage = StoragePlan { layout, reserve: bytes, is_indexed: settings.index };
    let intake = intake_plan(source, None, Some(bytes), settings);
    let begun = Begun::now();
    record(source, intake, storage, room, &counters, stop)?;
    Ok(begun.row(&counters))
}

/// Packets through everything but the disk.
fn to_nothing<S: PacketSource>(
    source: &mut S,
    sieve: Option<Sieve>,
    is_indexed: bool,
    settings: &Settings,
    counters: &Arc<Counters>,
    stop: &AtomicBool,
) -> Result<Row, RecordError> {
    let intake = intake_plan(source, sieve, Some(settings.file_bytes), settings);
    let begun = Begun::now();
    record_into(source, intake, counters, stop, |returns, messages| {
        sink::start(returns, messages, is_indexed)
    })?;
    Ok(begun.row(counters))
}

/// What an interface brings.
fn captured(is_indexed: bool, settings: &Settings, stop: &Arc<AtomicBool>) -> Result<Row, RecordError> {
    let counters: Arc<Counters> = Arc::default();
    let (mut source, sieve) = inputs::open(settings)?.start(settings, &counters)?;
    log::info!("taking packets for {} s; what is sent meanwhile is what is measured", LASTS.as_secs());
    stop_after(LASTS, stop);
    to_nothing(&mut source, sieve, is_indexed, settings, &counters, stop)
}

/// Sets `stop` when the time is over; the process ends soon after, with this thread or without.
fn stop_after(lasts: Duration, stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        thread::sleep(lasts);
        stop.store(true, Ordering::Relaxed);
    });
}

fn intake_plan<S: PacketSource>(
    source: &S,
    sieve: Option<Sieve>,
    bytes: Option<u64>,
    settings: &Settings,
) -> IntakePlan {
    let form = RecordForm {
        link_type: source.link_type(),
        snaplen: settings.snaplen,
        nanoseconds: settings.nanoseconds,
    };
    IntakePlan { rotation: Rotation { duration: None, bytes, packets: None }, form, sieve }
}

/// When a measurement has begun, and the processor time until then.
struct Begun(Instant, Duration);

impl Begun {
    fn now() -> Self {
        Self(Instant::now(), own_cpu())
    }

    fn row(&self, counters: &Counters) -> Row {
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Row {
            what: "",
            took: self.0.elapsed(),
            cpu: own_cpu().saturating_sub(self.1),
            packets: read(&counters.packets_recorded),
            wire_bytes: read(&counters.bytes_recorded),
            dropped: read(&counters.kernel_drops) + read(&counters.recorder_drops),
            slowest_write: Duration::from_nanos(read(&counters.write_nanos_worst)),
        }
    }
}

/// Processor time of all threads, user and system.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs().try_into().unwrap_or_default())
}

/// A folder for what is written and not meant to stay.
struct Hidden(PathBuf);

impl Hidden {
    fn make(dump: &Path, mode: u32) -> Result<Self, StorageError> {
        use std::os::unix::fs::DirBuilderExt;
        let path = dump.join(format!(".pcapx-simulation-{}", std::process::id()));
        let failed = |source| StorageError::Folder { path: path.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(mode).create(&path).map_err(failed)?;
        Ok(Self(fs::canonicalize(&path).map_err(failed)?))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            log::warn!("{:?} is left behind: {error}", self.0);
        }
    }
}
