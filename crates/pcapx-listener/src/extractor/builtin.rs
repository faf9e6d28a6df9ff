//! The built-in extractor: a query of the timeline on a blocking thread.

use std::collections::HashSet;
use std::io;
use std::mem::{self, Discriminant};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pcapx_core::digest::Digest;
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{Format, Limit, Search};
use pcapx_core::time::Timestamp;
use pcapx_http::LogValue;
use pcapx_timeline::catalog::Timeline;
use pcapx_timeline::control::CancelToken;
use pcapx_timeline::extract::{ExtractError, Extraction, LimitHit};
use pcapx_timeline::index::IndexPlace;
use pcapx_timeline::query;
use pcapx_timeline::recorder::{RecorderState, RecorderStatus};
use pcapx_timeline::warning::{Warning, WarningKind};
use tokio::task::JoinError;
use tokio::time;

use super::notes;
use super::report::Report;
use super::{Cut, CutError, Haul};
use crate::cancel::Cancel;
use crate::evidence::{EvidenceFolder, Hidden};
use crate::indexer;

/// Warnings of one extraction that are logged one by one; a folder of foreign files would give thousands.
const LOGGED_WARNINGS: usize = 8;
/// Files that are no captures and are remembered as named; more of them are not named at all.
const REMEMBERED_FILES: usize = 10_000;
/// How long a query may take to end when told to, or when its time is over. It looks at its token many times a
/// second; only one that waits for a disk that does not answer takes longer, and is then left to itself.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Bytes of a warning that reach the log: a path and a sentence.
const WARNING_BOUND_BYTES: usize = 500;

/// What jobs search.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// The rolling capture; what one job learns of it serves the next.
    pub(crate) timeline: Arc<Timeline>,
    /// Where its indexes stand.
    pub(crate) place: IndexPlace,
    /// Who repairs them.
    pub(crate) indexer: Option<indexer::Handle>,
}

/// Our own extractor.
#[derive(Debug)]
pub(crate) struct Builtin {
    /// What is searched.
    pub(super) recording: Recording,
    /// How long one extraction may take.
    pub(super) limit: Duration,
    /// Where the file goes.
    pub(super) evidence: Arc<EvidenceFolder>,
    /// The zone of times that people read.
    pub(super) zone: LocalZone,
    /// What the log has told already and would otherwise tell for every alert.
    pub(super) named: Arc<Mutex<Named>>,
}

/// Files and what was the matter with them.
type Named = HashSet<(PathBuf, Discriminant<WarningKind>)>;

impl Builtin {
    /// Queries the timeline for `cut`; the file is published by the query itself.
    pub(super) async fn cut(&self, cut: &Cut, mut cancel: Cancel) -> Result<Haul, CutError> {
        let deadline = Instant::now() + self.limit;
        let token = CancelToken::with_deadline(deadline);
        let work = Work {
            recording: self.recording.clone(),
            cut: cut.clone(),
            evidence: Arc::clone(&self.evidence),
            previous: cut.manifest.file.as_ref().map(|file| self.evidence.path(file)),
            output: self.evidence.path(&format!("{}.{}", cut.manifest.name, cut.manifest.format.as_str())),
            named: Arc::clone(&self.named),
            zone: self.zone.clone(),
        };
        let asked = token.clone();
        let mut query = tokio::task::spawn_blocking(move || work.search(asked));
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

/// What a query's thread needs.
struct Work {
    recording: Recording,
    cut: Cut,
    evidence: Arc<EvidenceFolder>,
    /// The capture that is there already.
    previous: Option<PathBuf>,
    output: PathBuf,
    named: Arc<Mutex<Named>>,
    zone: LocalZone,
}

impl Work {
    fn search(&self, token: CancelToken) -> Result<Haul, CutError> {
        let recording = &self.recording;
        // Before the segments are listed: each of them tells itself what it lacks, or the recorder did.
        let status = self.recorder_status();
        let catalog =
            recording.timeline.catalog().map_err(|error| CutError::NotReadable(error.to_string()))?;
        let query = catalog.query(Some(self.cut.filter.clone()), self.cut.window).limits(self.cut.limits);
        let mut query = query.indexes(Some(recording.place.clone())).cancel(token).hash(true);
        query = query.client(self.cut.manifest.client.iter().copied()).digest(true);
        query = query.keep_free(self.cut.keep_free);
        if self.cut.manifest.format == Format::Pcapng {
            query = query.format(query::Format::Pcapng);
        }
        let interface = status.as_ref().and_then(notes::interface);
        let manifest = Arc::clone(&self.cut.manifest);
        let limits = self.cut.limits;
        query = query.notes(move |coverage, limit| {
            let mut notes = notes::of(&manifest, coverage, interface.as_deref());
            notes.comments.extend(notes::ending(limits, limit));
            notes
        });
        let is_recording =
            |status: &RecorderStatus| status.state(Timestamp::now()) == RecorderState::Recording;
        if let Some(status) = status.filter(is_recording) {
            query = query.unsealed(status.unsealed);
        }
        if let Some(recorded) = self.cut.recorded {
            query = query.complete_up_to(recorded);
        }
        if let Some(from) = self.cut.from {
            query = match &self.previous {
                Some(previous) => query.continue_from(previous, from),
                None => query.continue_empty(from),
            };
        }
        // What is there is not gone on with, and stays when there is less by now: packets have been rotated away.
        let rival = self.previous.as_ref().filter(|_| self.cut.from.is_none());
        let stage = rival.map(|_| self.evidence.hidden(&self.cut.manifest.name, self.ending()));
        let output = stage.as_ref().map_or(&*self.output, Hidden::path);
        let mut extraction = query.write_to(output).map_err(error_of)?;
        if let Some(stage) = stage {
            extraction.output = self.replace(&stage, &extraction)?;
        }
        if extraction.output.is_some() {
            self.keep_digest(extraction.digest.as_ref());
        }
        if let Some(indexer) = &recording.indexer {
            let is_unused = |warning: &&Warning| matches!(warning.kind, WarningKind::IndexNotUsed(_));
            indexer.suspect(extraction.warnings.iter().filter(is_unused).map(|warning| warning.path.clone()));
        }
        log_warnings(&self.cut.manifest.request.id, &extraction.warnings, &self.named);
        let root = recording.timeline.roots().first().cloned().unwrap_or_default();
        let is_empty = extraction.counts.packets_matched == 0;
        let report = Report::of(&extraction.coverage, is_empty, &root, &self.zone);
        Ok(Haul { report: Some(report), ..haul(&extraction) })
    }

    /// What the recorder tells of itself, if it is ours.
    fn recorder_status(&self) -> Option<RecorderStatus> {
        RecorderStatus::read(self.recording.timeline.roots().first()?).ok()
    }

    /// How the answer's name ends, if its packets can be told in the format that was asked for.
    fn ending(&self) -> &'static str {
        match self.cut.manifest.format {
            Format::Pcap => ".pcap",
            Format::Pcapng => ".pcapng",
        }
    }

    /// Publishes what was written instead of what is there, unless that has more. Returns where it is then.
    fn replace(&self, stage: &Hidden, extraction: &Extraction) -> Result<Option<PathBuf>, CutError> {
        let Some(written) = &extraction.output else { return Ok(None) };
        // Packets of several kinds have taken the other ending.
        let written = if written == stage.path() { None } else { Some(Hidden::at(written)) };
        let (manifest, written) = (&self.cut.manifest, written.as_ref().unwrap_or(stage));
        let counts = extraction.counts;
        let is_less = match manifest.packets {
            Some(packets) => packets > counts.packets_matched,
            None => manifest.bytes.is_some_and(|bytes| bytes > counts.bytes_written),
        };
        if is_less {
            return Ok(None);
        }
        let ending = written.path().extension().unwrap_or_default().to_string_lossy();
        let name = format!("{}.{ending}", manifest.name);
        let published = self.evidence.publish(written, &name);
        published.map_err(|error| unwritten(error.kind(), format!("{name} cannot be published: {error}")))?;
        Ok(Some(self.evidence.path(&name)))
    }

    /// Writes what a page shows of the new capture.
    fn keep_digest(&self, digest: Option<&Digest>) {
        let name = &self.cut.manifest.name;
        match digest.map(|digest| self.evidence.write_digest(name, digest)) {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                // The packets are there; a page shows less of them.
                log::warn!("the digest of {name} cannot be written: {error}");
                self.evidence.forget_digest(name);
            }
            None => self.evidence.forget_digest(name),
        }
    }
}

fn unwritten(kind: io::ErrorKind, told: String) -> CutError {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CutError::NoSpace(told),
        _ => CutError::NotWritable(told),
    }
}

fn error_of(error: ExtractError) -> CutError {
    match error {
        ExtractError::Cancelled => CutError::Cancelled,
        ExtractError::DeadlinePassed => CutError::TimedOut,
        ExtractError::NoRoom { .. } => CutError::NoSpace(error.to_string()),
        ExtractError::Output { ref source, .. } => unwritten(source.kind(), error.to_string()),
        error => CutError::Failed(error.to_string()),
    }
}

fn haul(extraction: &Extraction) -> Haul {
    let counts = extraction.counts;
    let name = extraction.output.as_ref().and_then(|path| path.file_name());
    let file = name.map(|name| name.to_string_lossy().into_owned());
    let steps = extraction.steps;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Haul {
        bytes: file.as_ref().map(|_| counts.bytes_written),
        file,
        sha256: extraction.sha256,
        directions: extraction.directions,
        report: None,
        limit: extraction.limit_hit.map(|limit| match limit {
            LimitHit::Bytes => Limit::Bytes,
            LimitHit::Packets => Limit::Packets,
        }),
        took_ms: (millis(steps.plan), millis(steps.search), millis(steps.publish)),
        packets: Some(counts.packets_matched),
        read_bytes: counts.bytes_read + counts.index_bytes_read,
        search: Some(Search {
            segments: counts.segments,
            excluded: counts.segments_excluded,
            unread: extraction.coverage.segments_unreadable.len() as u64,
            scanned: counts.packets_scanned,
            in_window: counts.packets_in_window,
        }),
    }
}

/// Logs what the query met. What lasts – a file that is no capture stays one – is told once and not for every alert.
fn log_warnings(request: &str, warnings: &[Warning], named: &Mutex<Named>) {
    let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
    let mut is_news = |warning: &&Warning| {
        let is_lasting = matches!(
            warning.kind,
            WarningKind::NotSearched(_)
                | WarningKind::Unsupported(_)
                | WarningKind::DanglingLink
                | WarningKind::IndexNotUsed(_)
        );
        let name = || (warning.path.clone(), mem::discriminant(&warning.kind));
        !is_lasting || (named.len() < REMEMBERED_FILES && named.insert(name()))
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
