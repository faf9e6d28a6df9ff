//! Figures that are looked at when somebody reads them: seats, disk, timeline, recorder.
//!
//! Everything of the recorder comes from its status file: it need not have a port of its own. Without such a file – another recorder –
//! its families are not there.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::catalog::Timeline;
use pcapx_timeline::recorder::{Figure, FigureValue, RecorderStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::fs::statvfs;

use crate::indexer;
use crate::jobs::Jobs;

/// How long the count of a folder's files is good for: a hundred thousand of them take a tenth of a second.
const COUNT_GOOD_FOR: Duration = Duration::from_secs(60);

/// Looks at everything when it is asked.
#[derive(Debug)]
pub(crate) struct Gauges {
    jobs: Arc<Jobs>,
    timeline: Arc<Timeline>,
    timeline_dir: PathBuf,
    output_dir: PathBuf,
    indexer: Option<indexer::Handle>,
    evidence: Mutex<Option<(Instant, Evidence)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    files: u64,
    bytes: u64,
}

impl Gauges {
    pub(crate) fn new(
        jobs: Arc<Jobs>,
        timeline: Arc<Timeline>,
        (timeline_dir, output_dir): (PathBuf, PathBuf),
        indexer: Option<indexer::Handle>,
    ) -> Self {
        Self { jobs, timeline, timeline_dir, output_dir, indexer, evidence: Mutex::new(None) }
    }

    /// Files and bytes in the output folder, not looked at more than once a minute.
    fn evidence(&self) -> Evidence {
        let mut last = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, evidence)) = *last
            && since.elapsed() < COUNT_GOOD_FOR
        {
            return evidence;
        }
        let mut evidence = Evidence::default();
        for entry in fs::read_dir(&self.output_dir).into_iter().flatten().flatten() {
            if let Ok(found) = entry.metadata()
                && found.is_file()
            {
                evidence.files += 1;
                evidence.bytes += found.len();
            }
        }
        *last = Some((Instant::now(), evidence));
        evidence
    }
}

impl Collector for Gauges {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page { encoder };
        let (running, waiting) = self.jobs.load();
        page.gauge("pcapx_jobs_running", "Jobs that have a seat", running as f64)?;
        page.gauge("pcapx_jobs_waiting", "Jobs that wait for a seat", waiting as f64)?;
        page.gauge("pcapx_jobs_open", "Jobs that are not done", self.jobs.open().len() as f64)?;
        page.gauge("pcapx_job_seats", "Jobs that may run at once", self.jobs.seats() as f64)?;

        let evidence = self.evidence();
        page.gauge("pcapx_output_files", "Files in output_dir", evidence.files as f64)?;
        page.gauge("pcapx_output_bytes", "Bytes of the files in output_dir", evidence.bytes as f64)?;
        if let Ok(volume) = statvfs(&self.output_dir) {
            let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize) as f64;
            page.gauge("pcapx_output_free_bytes", "Free on output_dir's disk", bytes(volume.f_bavail))?;
            page.gauge("pcapx_output_disk_bytes", "Size of output_dir's disk", bytes(volume.f_blocks))?;
        }

        let status = RecorderStatus::read(&self.timeline_dir).ok();
        self.timeline(&mut page, status.as_ref())?;
        status.map_or(Ok(()), |status| recorder(&mut page, &status, Timestamp::now()))
    }
}

impl Gauges {
    fn timeline(&self, page: &mut Page<'_>, status: Option<&RecorderStatus>) -> fmt::Result {
        let Ok(catalog) = self.timeline.catalog() else { return Ok(()) };
        let segments = catalog.segments();
        page.gauge("pcapx_timeline_segments", "Capture files in timeline_dir", segments.len() as f64)?;
        let bytes: u64 = segments.iter().map(|segment| segment.len).sum();
        page.gauge("pcapx_timeline_bytes", "Bytes of the capture files", bytes as f64)?;
        if let Some(indexer) = &self.indexer {
            let backlog = indexer.backlog() as f64;
            page.gauge("pcapx_index_backlog_segments", "Finished capture files without an index", backlog)?;
        }
        // The recorder knows the oldest packet; of other recorders' files they themselves tell.
        let told = status.and_then(|status| status.oldest_kept);
        let oldest = told.or_else(|| catalog.oldest());
        let Some(oldest) = oldest else { return Ok(()) };
        let horizon = seconds(Timestamp::now()) - seconds(oldest);
        page.gauge("pcapx_timeline_horizon_seconds", "How far back packets can be asked for", horizon)
    }
}

fn recorder(page: &mut Page<'_>, status: &RecorderStatus, now: Timestamp) -> fmt::Result {
    for Figure { name, help, value } in status.figures(now) {
        match value {
            FigureValue::Counter(value) => page.counter(name, help, value)?,
            FigureValue::Gauge(value) => page.gauge(name, help, value)?,
        }
    }
    Ok(())
}

/// Writes one family after the other.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.encoder.encode_descriptor(name, help, None, counter.metric_type())?)
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_nanos() as f64 / 1e9
}
