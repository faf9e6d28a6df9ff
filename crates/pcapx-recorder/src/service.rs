//! From settings to a running recorder.
//!
//! Everything that can be wrong is found before a packet is taken: folders, lock, limit, what an earlier recorder left, and
//! the sources. From then on the capture has the caller's thread, and a status thread tells how it goes.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pcapx_core::local::LocalZone;
use pcapx_timeline::matcher::Matcher;

use crate::afpacket::{Capture, CaptureOptions};
use crate::counters::Counters;
use crate::intake::IntakePlan;
use crate::options::{Direction, Input, Settings};
use crate::record::RecordForm;
use crate::recording::{CHUNKS, RecordError, record};
use crate::rotation::Rotation;
use crate::source::{FileSource, PacketSource, SourceError};
use crate::status::Status;
use crate::storage::{
    FolderLock, Layout, Recovered, Retention, StorageError, StoragePlan, limit_bytes, recover,
};

/// Bytes of the chunks between ring and disk: they are part of the buffer that was asked for.
const CHUNKS_BYTES: u64 = (CHUNKS as u64) << 20;
/// The least ring that is worth having.
const RING_LEAST_BYTES: u64 = 8 << 20;

/// Why the recorder ends, or does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// While recording.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Several sources were asked for.
    #[error(
        "one recorder records one interface: start one for each, with a folder of its own, and have the timeline name both"
    )]
    SeveralInputs,
    /// An option that is read and does nothing yet: to go on without it would not be what was asked for.
    #[error("{option} is not offered yet: {instead}")]
    NotOffered {
        /// The option.
        option: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// The file for the number of the process cannot be written.
    #[error("the process file {path:?} cannot be written: {source}")]
    PidFile {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Nothing to record.
    #[error("no interface is named: -i INTERFACE")]
    NoInput,
}

impl From<SourceError> for ServiceError {
    fn from(error: SourceError) -> Self {
        Self::Record(error.into())
    }
}

impl From<StorageError> for ServiceError {
    fn from(error: StorageError) -> Self {
        Self::Record(error.into())
    }
}

/// Records as `settings` say until `stop` is set or the source ends.
pub fn run(settings: &Settings, stop: &Arc<AtomicBool>) -> Result<(), ServiceError> {
    let missing = [
        (settings.simulation.is_some(), "--simulate", "measure with a recording to a folder in memory"),
        (settings.user.is_some(), "--unprivileged-user", "start the recorder as that user, with CAP_NET_RAW"),
        (settings.threads > NonZeroUsize::MIN, "--threads", "one thread captures"),
    ];
    if let Some(&(_, option, instead)) = missing.iter().find(|(is_asked, ..)| *is_asked) {
        return Err(ServiceError::NotOffered { option, instead });
    }
    if let Some(path) = &settings.pid_file {
        let failed = |source| ServiceError::PidFile { path: path.clone(), source };
        fs::write(path, format!("{}\n", std::process::id())).map_err(failed)?;
    }
    match &settings.inputs[..] {
        [] => Err(ServiceError::NoInput),
        [Input::File(path)] => follow(&mut FileSource::open(path, settings.snaplen)?, settings, stop),
        [Input::Interface(name)] => {
            follow(&mut Capture::open(name, &capture_options(settings))?, settings, stop)
        }
        _ => Err(ServiceError::SeveralInputs),
    }
}

fn capture_options(settings: &Settings) -> CaptureOptions {
    let ring = settings.buffer_bytes.saturating_sub(CHUNKS_BYTES).max(RING_LEAST_BYTES);
    CaptureOptions {
        ring_bytes: usize::try_from(ring).unwrap_or(usize::MAX),
        snaplen: settings.snaplen,
        promiscuous: settings.promiscuous,
        outgoing: settings.direction == Direction::Both,
        hardware_time: settings.hardware_time,
    }
}

fn follow<S: PacketSource>(
    source: &mut S,
    settings: &Settings,
    stop: &Arc<AtomicBool>,
) -> Result<(), ServiceError> {
    let counters = Arc::new(Counters::default());
    let dump = made(&settings.dump, settings.dir_mode)?;
    let timeline = settings.timeline.as_ref().map(|path| made(path, settings.dir_mode)).transpose()?;
    let _lock = FolderLock::take(&dump)?;
    let layout = Layout::new(
        dump.clone(),
        timeline.clone(),
        settings.file_mode,
        settings.dir_mode,
        LocalZone::system(),
    );
    let recovered = recover(&layout, settings.index)?;
    if recovered != Recovered::default() {
        log::info!("an earlier recorder was ended: {recovered}");
    }
    let limit = limit_bytes(settings.disk_limit, &dump)?;
    let room =
        Retention::new(layout.clone(), settings.disk_limit, settings.file_bytes, Arc::clone(&counters))?;
    let form = RecordForm {
        link_type: source.link_type(),
        snaplen: settings.snaplen,
        nanoseconds: settings.nanoseconds,
    };
    let rotation = Rotation {
        duration: settings.file_duration,
        bytes: Some(settings.file_bytes),
        packets: settings.file_packets,
    };
    let intake = IntakePlan {
        rotation,
        form,
        filter: settings.filter.as_ref().map(Matcher::new),
        slicing: settings.slicing,
    };
    let storage = StoragePlan { layout, reserve: settings.file_bytes, is_indexed: settings.index };
    log::info!(
        "recording {} ({}) to {}, at most {} MB",
        source.name(),
        form.link_type,
        dump.display(),
        limit >> 20
    );
    let status =
        Status::start((timeline.as_deref().unwrap_or(&dump), &dump), source.name(), limit, &counters);
    let recorded = record(source, intake, storage, room, &counters, stop);
    status.finish();
    Ok(recorded?)
}

/// The folder, made where it is missing, links resolved.
fn made(folder: &Path, mode: u32) -> Result<PathBuf, StorageError> {
    use std::os::unix::fs::DirBuilderExt;
    let failed = |source| StorageError::Folder { path: folder.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(mode).create(folder).map_err(failed)?;
    fs::canonicalize(folder).map_err(failed)
}
