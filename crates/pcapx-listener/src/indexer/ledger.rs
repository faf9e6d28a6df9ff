//! What the indexer tells the log: each file where it is asked for, totals now and then, a failure once.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use pcapx_http::LogValue;
use pcapx_timeline::catalog::Segment;
use pcapx_timeline::index::{Built, IndexError, IndexPlace, Notice, Swept};
use pcapx_timeline::segment::SegmentError;

/// Time between two lines of totals while there is work without a pause.
const TOTALS_EVERY: Duration = Duration::from_secs(60);
/// Files that could not be read which are named; more of them are not.
const NAMED_FAILURES: usize = 8;
/// Bytes of a path or sentence that reach the log.
const BOUND_BYTES: usize = 500;

/// Counts what was built since the last line of totals.
#[derive(Debug)]
pub(super) struct Ledger {
    files: u64,
    packets: u64,
    segment_bytes: u64,
    index_bytes: u64,
    told: Instant,
    named: usize,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { files: 0, packets: 0, segment_bytes: 0, index_bytes: 0, told: Instant::now(), named: 0 }
    }

    /// Counts one result; failures are told.
    pub(super) fn add(&mut self, segment: &Segment, result: &Result<Built, IndexError>) {
        let path = segment.path.as_os_str().as_bytes();
        let path = LogValue::new(path).bounded(BOUND_BYTES);
        match result {
            Ok(built) => {
                self.files += 1;
                self.packets += built.summary.packets;
                self.segment_bytes += built.segment_bytes;
                self.index_bytes += built.index_bytes;
                log::debug!(
                    "indexing: file={path} packets={} bytes={} index_bytes={} ms={:.3}",
                    built.summary.packets,
                    built.segment_bytes,
                    built.index_bytes,
                    built.took.as_secs_f64() * 1e3
                );
            }
            Err(IndexError::Segment(SegmentError::Io(_)) | IndexError::Occupied(_))
                if segment.file.exists() =>
            {
                let error = error_text(result);
                if self.named < NAMED_FAILURES {
                    log::warn!("indexing: file={path} error={}", LogValue::new(&error).bounded(BOUND_BYTES));
                }
                self.named += 1;
            }
            Err(_) => log::debug!("indexing: file={path} error={}", LogValue::new(&error_text(result))),
        }
    }

    /// Tells the totals: when there is a pause, or when the last line is old.
    pub(super) fn totals(&mut self, is_pause: bool) {
        let is_due = is_pause || self.told.elapsed() >= TOTALS_EVERY;
        if self.files == 0 || !is_due {
            return;
        }
        let share = 100.0 * self.index_bytes as f64 / self.segment_bytes.max(1) as f64;
        log::info!(
            "indexing: files={} packets={} bytes={} index_bytes={} ({share:.3} %)",
            self.files,
            self.packets,
            self.segment_bytes,
            self.index_bytes
        );
        *self = Self { named: self.named, ..Self::new() };
    }
}

/// Tells that a place refuses indexes, or takes them again.
pub(super) fn tell(notice: &Notice, place: &IndexPlace, result: &Result<Built, IndexError>) {
    let (Notice::Refused(folder) | Notice::Resumed(folder)) = notice;
    let key = if place.folder().is_some() { "index_dir" } else { "folder" };
    let (folder, error) = (folder.as_os_str().as_bytes(), error_text(result));
    let (folder, error) = (LogValue::new(folder).bounded(BOUND_BYTES), LogValue::new(&error));
    if matches!(notice, Notice::Resumed(_)) {
        log::info!("indexing: {key}={folder}: indexes are written again");
        return;
    }
    let advice = match result {
        Err(IndexError::Write(error)) if is_full(error) => "make room there",
        _ if place.folder().is_some() => "let this service write there",
        _ => "set index_dir to a folder that this service may write to",
    };
    log::warn!(
        "indexing: {key}={folder} error={error}: no index is written there until that is over, and none elsewhere that fails \
         alike; files without one are read whole; {advice}"
    );
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Tells that indexes stay behind although their files are gone, as far as anybody can see.
pub(super) fn tell_empty(place: &IndexPlace) {
    if let Some(folder) = place.folder() {
        let folder = LogValue::new(folder.as_os_str().as_bytes()).bounded(BOUND_BYTES);
        log::info!(
            "indexing: timeline_dir has no capture file: its disk may not be mounted, so what is in index_dir={folder} stays \
             until there is one"
        );
    }
}

/// Tells what a sweep has removed.
pub(super) fn tell_swept(swept: Swept) {
    if swept != Swept::default() {
        let Swept { indexes, unfinished, folders } = swept;
        log::debug!("indexing: removed indexes={indexes} unfinished={unfinished} folders={folders}");
    }
}

fn error_text(result: &Result<Built, IndexError>) -> String {
    result.as_ref().err().map(ToString::to_string).unwrap_or_default()
}
