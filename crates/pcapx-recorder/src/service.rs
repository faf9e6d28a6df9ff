//! From settings to a running recorder.
//!
//! Everything that can be wrong is found before a packet is taken: folders, lock, limit, what an earlier recorder left, and
//! the sources. From then on the capture has the caller's thread, and a status thread tells how it goes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pcapx_core::local::LocalZone;

use crate::counters::Counters;
use crate::inputs;
use crate::intake::IntakePlan;
use crate::manager::{self, Manager};
use crate::metrics::{Board, Metrics};
use crate::options::Settings;
use crate::privileges::{Account, PrivilegeError};
use crate::record::RecordForm;
use crate::recording::{RecordError, record};
use crate::rotation::Rotation;
use crate::sieve::Sieve;
use crate::source::{PacketSource, SourceError};
use crate::status::Status;
use crate::storage::{
    FolderLock, Layout, Recovered, Retention, StorageError, StoragePlan, limit_bytes, recover,
};

/// Why the recorder ends, or does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// While recording.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The user to become.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
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

/// What kind of cause an error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What was asked for cannot be.
    Options,
    /// An interface or a file that packets were to come from.
    Source,
    /// The disk, or a folder on it.
    Storage,
    /// Another recorder has the folder.
    InUse,
    /// Anything else.
    Other,
}

impl ServiceError {
    /// What kind of cause it has.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Record(RecordError::Source(_)) => Cause::Source,
            Self::Record(RecordError::Storage(StorageError::InUse { .. })) => Cause::InUse,
            Self::Record(RecordError::Storage(StorageError::LimitTooSmall { .. }))
            | Self::Privilege(PrivilegeError::Unknown { .. }) => Cause::Options,
            Self::Record(RecordError::Storage(_)) => Cause::Storage,
            _ => Cause::Other,
        }
    }
}

/// Records as `settings` say until `stop` is set or the sources end.
pub fn run(settings: &Settings, stop: &Arc<AtomicBool>) -> Result<(), ServiceError> {
    if settings.inputs.is_empty() {
        return Err(ServiceError::NoInput);
    }
    let account = settings.user.as_deref().map(Account::find).transpose()?;
    if let Some(path) = &settings.pid_file {
        let failed = |source| ServiceError::PidFile { path: path.clone(), source };
        fs::write(path, format!("{}\n", std::process::id())).map_err(failed)?;
    }
    let opened = inputs::open(settings)?;
    let place = Place::make(settings, account.as_ref())?;
    if let Some(account) = &account {
        account.assume()?;
        log::info!("goes on as {account}, without any capability");
    }
    let counters = Arc::new(Counters::default());
    let (mut source, sieve) = opened.start(settings, &counters)?;
    follow(&mut source, sieve, settings, &place, &counters, stop)
}

/// Where a recording goes; links are resolved.
struct Place {
    dump: PathBuf,
    timeline: Option<PathBuf>,
}

impl Place {
    /// Makes what is missing, for `account` if there is one.
    fn make(settings: &Settings, account: Option<&Account>) -> Result<Self, ServiceError> {
        let make = |folder: &PathBuf| -> Result<PathBuf, ServiceError> {
            if let Some(account) = account {
                account.make_folder(folder, settings.dir_mode)?;
            }
            Ok(made(folder, settings.dir_mode)?)
        };
        let dump = make(&settings.dump)?;
        Ok(Self { dump, timeline: settings.timeline.as_ref().map(make).transpose()? })
    }
}

fn follow<S: PacketSource>(
    source: &mut S,
    sieve: Option<Sieve>,
    settings: &Settings,
    place: &Place,
    counters: &Arc<Counters>,
    stop: &Arc<AtomicBool>,
) -> Result<(), ServiceError> {
    let Place { dump, timeline } = place;
    let folders = std::iter::once(dump).chain(timeline.iter().filter(|timeline| *timeline != dump));
    let _locks = folders.map(|folder| FolderLock::take(folder)).collect::<Result<Vec<_>, _>>()?;
    let layout = Layout::new(
        dump.clone(),
        timeline.clone(),
        settings.file_mode,
        settings.dir_mode,
        LocalZone::system(),
    );
    manager::status("putting in order what an earlier recorder has left");
    let recovered = recover(&layout, settings.index)?;
    if recovered != Recovered::default() {
        log::info!("an earlier recorder was ended: {recovered}");
    }
    let limit = limit_bytes(settings.disk_limit, dump)?;
    let room =
        Retention::new(layout.clone(), settings.disk_limit, settings.file_bytes, Arc::clone(counters))?;
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
    let intake = IntakePlan { rotation, form, sieve };
    let storage = StoragePlan { layout, reserve: settings.file_bytes, is_indexed: settings.index };
    let what = format!(
        "recording {} ({}) to {}, at most {} MB",
        source.name(),
        form.link_type,
        dump.display(),
        limit >> 20
    );
    log::info!("{what}");
    let board = settings.metrics.map(|_| Board::default());
    let _metrics = settings.metrics.zip(board.clone()).map(|(address, board)| Metrics::start(address, board));
    let folders = (timeline.as_deref().unwrap_or(dump), dump.as_path());
    let status = Status::start(folders, source.name(), (limit, settings.snaplen), counters, board);
    let manager = Manager::start(what, counters, stop);
    let recorded = record(source, intake, storage, room, counters, stop);
    if let Some(manager) = manager {
        manager.finish();
    }
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
