//! The built-in extractor: a query of the timeline on a blocking thread.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pcapx_http::LogValue;
use pcapx_timeline::catalog::Catalog;
use pcapx_timeline::control::CancelToken;
use pcapx_timeline::extract::{ExtractError, Extraction};
use pcapx_timeline::warning::{Warning, WarningKind};
use tokio::task::JoinError;
use tokio::time;

use super::{Cut, CutError, Haul, Search};
use crate::cancel::Cancel;
use crate::evidence::EvidenceFolder;

/// Warnings of one extraction that are logged one by one; a folder of foreign files would give thousands.
const LOGGED_WARNINGS: usize = 8;
/// Files that are no captures and are remembered as named; more of them are not named at all.
const REMEMBERED_FILES: usize = 10_000;
/// How long a query may take to end when told to, or when its time is over. It looks at its token many times a
/// second; only one that waits for a disk that does not answer takes longer, and is then left to itself.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Bytes of a warning that reach the log: a path and a sentence.
const WARNING_BOUND_BYTES: usize = 500;

/// Our own extractor.
#[derive(Debug)]
pub(crate) struct Builtin {
    /// The rolling capture.
    pub(super) timeline: PathBuf,
    /// How long one extraction may take.
    pub(super) limit: Duration,
    /// Where the file goes.
    pub(super) evidence: Arc<EvidenceFolder>,
    /// Files that are no captures and that the log has named already.
    pub(super) named: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Builtin {
    /// Queries the timeline for `cut`; the file is published by the query itself.
    pub(super) async fn cut(&self, cut: &Cut, mut cancel: Cancel) -> Result<Haul, CutError> {
        let deadline = Instant::now() + self.limit;
        let token = CancelToken::with_deadline(deadline);
        let (timeline, output) = (self.timeline.clone(), self.evidence.path(&format!("{}.pcap", cut.stem)));
        let (cut, asked, named) = (cut.clone(), token.clone(), Arc::clone(&self.named));
        let mut query = tokio::task::spawn_blocking(move || search(&timeline, &cut, asked, &output, &named));
        let early = tokio::select! {
            biased;
            ended = &mut query => return result_of(ended),
            () = cancel.requested() => CutError::Cancelled,
            () = time::sleep_until(deadline.into()) => CutError::TimedOut,
        };
        token.cancel();
        time::timeout(STOP_GRACE, query).await.map_or(Err(early), result_of)
    }
}

/// A panic of the query has been logged where it happened.
fn result_of(ended: Result<Result<Haul, CutError>, JoinError>) -> Result<Haul, CutError> {
    ended.unwrap_or_else(|error| Err(CutError::Failed(error.to_string())))
}

fn search(
    timeline: &Path,
    cut: &Cut,
    token: CancelToken,
    output: &Path,
    named: &Mutex<HashSet<PathBuf>>,
) -> Result<Haul, CutError> {
    let catalog = Catalog::open(&[timeline]).map_err(|error| CutError::Failed(error.to_string()))?;
    let extraction =
        catalog.query(Some(cut.filter.clone()), cut.window).cancel(token).write_to(output).map_err(
            |error| match error {
                ExtractError::Cancelled => CutError::Cancelled,
                ExtractError::DeadlinePassed => CutError::TimedOut,
                error => CutError::Failed(error.to_string()),
            },
        )?;
    log_warnings(&cut.request, &extraction.warnings, named);
    Ok(haul(&extraction))
}

fn haul(extraction: &Extraction) -> Haul {
    let counts = extraction.counts;
    let name = extraction.output.as_ref().and_then(|path| path.file_name());
    let file = name.map(|name| name.to_string_lossy().into_owned());
    Haul {
        bytes: file.as_ref().map(|_| counts.bytes_written),
        file,
        packets: Some(counts.packets_matched),
        search: Some(Search {
            segments: counts.segments,
            unread: extraction.warnings.iter().filter(|w| w.kind.may_hide_packets()).count() as u64,
            scanned: counts.packets_scanned,
            in_window: counts.packets_in_window,
        }),
    }
}

/// Logs what the query met. A file that is no capture stays one, so it is named once and not for every alert.
fn log_warnings(request: &str, warnings: &[Warning], named: &Mutex<HashSet<PathBuf>>) {
    let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
    let mut is_news = |warning: &&Warning| {
        let is_lasting = matches!(
            warning.kind,
            WarningKind::NotSearched(_) | WarningKind::Unsupported(_) | WarningKind::DanglingLink
        );
        !is_lasting || (named.len() < REMEMBERED_FILES && named.insert(warning.path.clone()))
    };
    let warnings: Vec<_> = warnings.iter().filter(|warning| is_news(warning)).collect();
    for warning in warnings.iter().take(LOGGED_WARNINGS) {
        let warning = warning.to_string();
        log::warn!("timeline id={request} warning={}", LogValue::new(&warning).bounded(WARNING_BOUND_BYTES));
    }
    if warnings.len() > LOGGED_WARNINGS {
        log::warn!("timeline id={request} more_warnings={}", warnings.len() - LOGGED_WARNINGS);
    }
}
