//! Jobs: from an admitted alert to an outcome.
//!
//! ```text
//! try_permit ──► start ──► task: alert ─► filter + window ─► extractor ─► outcome, one log line
//!    │                       │
//!    └── moves into ─────────┴── permit given back when the task ends, however it ends
//! ```
//!
//! A job is a task of its own. The client that hangs up does not end it, and cannot keep its permit: the permit
//! belongs to the task. All permits being free is therefore the same as no job running.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcapx_core::alert::Alert;
use pcapx_core::config::Config;
use pcapx_core::filter::{self, Mode};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::cancel::Canceller;
use crate::extractor::{Cut, CutError, Extractor, Haul};
use crate::journal::JobLine;
use crate::outcome::Outcome;
use crate::query::Query;

/// What a job starts from.
#[derive(Debug)]
pub(crate) struct Order {
    /// The request's id.
    pub(crate) request: String,
    /// The client's address.
    pub(crate) peer: IpAddr,
    /// As whom the client came.
    pub(crate) user: String,
    /// The parameters of the request's address.
    pub(crate) query: Query,
    /// The alert as it was posted.
    pub(crate) alert: Map<String, Value>,
}

/// The right to run one job.
#[derive(Debug)]
pub(crate) struct Permit(#[expect(dead_code, reason = "held until dropped")] OwnedSemaphorePermit);

/// Runs jobs, at most so many at a time.
#[derive(Debug)]
pub(crate) struct Jobs {
    permits: Arc<Semaphore>,
    permit_count: u32,
    extractor: Extractor,
    zone: LocalZone,
    default_mode: Mode,
    default_before: Duration,
    default_after: Duration,
    canceller: Canceller,
}

impl Jobs {
    /// Jobs as `config` wants them, none running yet.
    pub(crate) fn new(config: &Config, zone: LocalZone, extractor: Extractor) -> Arc<Self> {
        let permit_count = u32::try_from(config.max_concurrent_extractions.get()).unwrap_or(u32::MAX);
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(permit_count as usize)),
            permit_count,
            extractor,
            zone,
            default_mode: config.default_mode,
            default_before: config.default_before,
            default_after: config.default_after,
            canceller: Canceller::new(),
        })
    }

    /// The right to run a job now; `None` when as many run as may.
    pub(crate) fn try_permit(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(Permit)
    }

    /// Runs the job in a task of its own; dropping the handle does not end it.
    pub(crate) fn start(self: &Arc<Self>, permit: Permit, order: Order) -> JoinHandle<Outcome> {
        let jobs = Arc::clone(self);
        tokio::spawn(async move {
            let _permit = permit;
            jobs.run(order).await
        })
    }

    /// Asks every job to end, now and later.
    pub(crate) fn cancel(&self) {
        self.canceller.cancel();
    }

    /// Returns once no job runs.
    pub(crate) async fn ended(&self) {
        // An error would mean a closed semaphore; nobody closes it, and no job could run then either.
        let _ = self.permits.acquire_many(self.permit_count).await;
    }

    async fn run(&self, order: Order) -> Outcome {
        let started = Instant::now();
        let alert = Alert::from_json(&order.alert, Timestamp::now(), &self.zone);
        let mut refused = order.query.refused.clone();
        refused.extend(alert.refusals.iter().map(ToString::to_string));
        let mode = self.mode(order.query.filter.as_deref(), &mut refused);
        let window = alert.window(
            order.query.before.unwrap_or(self.default_before),
            order.query.after.unwrap_or(self.default_after),
        );
        let filter = filter::from_alert(&alert, mode);
        let filter_text = filter.as_ref().map(ToString::to_string);

        let (outcome, haul, detail) = match filter {
            None => (Outcome::NoFilter, Haul::default(), None),
            Some(filter) => {
                let (request, stem) = (order.request.clone(), alert.file_stem(&self.zone));
                let cut = Cut { request, stem, filter, window };
                match self.extractor.cut(&cut, self.canceller.subscribe()).await {
                    Ok(haul) => (self.found(&cut, &haul), haul, None),
                    Err(error) => (self.extractor.outcome_of(&error), Haul::default(), Some(error)),
                }
            }
        };

        JobLine {
            request: &order.request,
            peer: order.peer,
            user: &order.user,
            alert: &alert.id,
            name: &alert.name,
            mode: &mode.to_string(),
            filter: filter_text.as_deref(),
            window,
            extractor: self.extractor.name(),
            outcome: &outcome,
            packets: haul.packets,
            bytes: haul.bytes,
            search: haul.search,
            refused: &refused,
            detail: detail.as_ref().map(CutError::to_string).as_deref(),
            took: started.elapsed(),
        }
        .log();
        outcome
    }

    /// The mode that `asked` names, else the default.
    fn mode(&self, asked: Option<&str>, refused: &mut Vec<String>) -> Mode {
        let Some(asked) = asked else { return self.default_mode };
        asked.parse().unwrap_or_else(|_| {
            refused.push(format!("filter={asked}: unknown mode"));
            self.default_mode
        })
    }

    fn found(&self, cut: &Cut, haul: &Haul) -> Outcome {
        match &haul.file {
            Some(file) => Outcome::Packets { file: file.clone() },
            None => Outcome::NoMatch {
                filter: cut.filter.to_string(),
                window: self.spoken(cut.window),
                search: haul.search,
            },
        }
    }

    fn spoken(&self, window: Window) -> (String, String) {
        (self.zone.spoken(window.start()), self.zone.spoken(window.end()))
    }
}
