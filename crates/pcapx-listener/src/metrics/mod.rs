//! What the listener counts beside what every service does.
//!
//! | family | from |
//! |---|---|
//! | `pcapx_jobs_ended_total`, `pcapx_job_stage_seconds`, `pcapx_job_packets_total`, `pcapx_job_bytes_total` | counted when a job ends, here |
//! | `pcapx_job_read_bytes_total`, `pcapx_job_scanned_packets_total` | counted with each search, here; an open window takes several |
//! | `pcapx_jobs_…`, `pcapx_output_…`, `pcapx_timeline_…`, `pcapx_recorder_…` | looked at when somebody reads, in [`gauges`] |

mod gauges;

use pcapx_core::manifest::Manifest;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub(crate) use self::gauges::Gauges;
use crate::extractor::Haul;
use crate::jobs::word;

/// Upper ends of the stages' histogram, in seconds: an answer from an index to a search of a day.
const SECONDS: [f64; 13] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 100.0, 300.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

/// Counters of jobs; clones count into the same.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    ended: Family<Outcome, Counter>,
    stages: Family<Stage, Histogram, fn() -> Histogram>,
    packets: Counter,
    bytes: Counter,
    scanned: Counter,
    read: Counter,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            ended: Family::default(),
            stages: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            packets: Counter::default(),
            bytes: Counter::default(),
            scanned: Counter::default(),
            read: Counter::default(),
        }
    }
}

impl Figures {
    /// Registers everything, so that it is there before the first job.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("pcapx_jobs_ended", "Jobs that have ended, by outcome", self.ended.clone());
        registry.register(
            "pcapx_job_stage_seconds",
            "Time of a job's stages: wait for a seat, plan, search, publish",
            self.stages.clone(),
        );
        registry.register("pcapx_job_packets", "Packets that matched", self.packets.clone());
        registry.register(
            "pcapx_job_bytes",
            "Bytes that matched, as extracted captures hold them",
            self.bytes.clone(),
        );
        registry.register("pcapx_job_scanned_packets", "Packets looked at", self.scanned.clone());
        registry.register(
            "pcapx_job_read_bytes",
            "Bytes read of capture files and indexes to find them",
            self.read.clone(),
        );
        // Rates and alerts need a zero before the first event.
        for outcome in ["complete", "partial", "no-match", "failed", "timeout", "no-space"] {
            self.ended.get_or_create(&Outcome { outcome }).inc_by(0);
        }
    }

    /// A job has ended with this manifest.
    pub(crate) fn ended(&self, manifest: &Manifest) {
        self.ended.get_or_create(&Outcome { outcome: word(manifest) }).inc();
        let timings = &manifest.timings;
        for (stage, ms) in [
            ("wait", timings.waited_ms),
            ("plan", timings.plan_ms),
            ("search", timings.search_ms),
            ("publish", timings.publish_ms),
        ] {
            self.stages.get_or_create(&Stage { stage }).observe(ms as f64 / 1e3);
        }
        self.packets.inc_by(manifest.packets.unwrap_or(0));
        self.bytes.inc_by(manifest.bytes.unwrap_or(0));
    }

    /// A search has ended and brought this in.
    pub(crate) fn searched(&self, haul: &Haul) {
        self.scanned.inc_by(haul.search.map_or(0, |search| search.scanned));
        self.read.inc_by(haul.read_bytes);
    }
}
