//! The service from start to stop.
//!
//! ```text
//! SIGTERM ─► no new requests ─ running jobs ─► drain_timeout ─► jobs cancelled ─ answers ─ clean-up ─► exit 0
//!         └► indexing ends at once
//! ```
//!
//! A job that the client has left is waited for like any other. What is not done by then – who waits for a seat, windows that are
//! not over, cancelled searches – stands in its manifest, and the next start goes on with it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pcapx_core::config::{Config, Loaded, Service};
use pcapx_core::local::LocalZone;
use pcapx_http::audit::{Audit, AuditError};
use pcapx_http::{BindError, Front, Inherited, Limits, Reloads, Server, Stop, TlsError};
use pcapx_timeline::catalog::Timeline;
use rustix::fs::Mode;
use tokio::time;

use crate::evidence::EvidenceFolder;
use crate::extractor::{Choice, ChoiceError, Recording};
use crate::gate::{self, Gates};
use crate::indexer::{self, Indexer};
use crate::jobs::{Jobs, Reach};
use crate::metrics::Gauges;
use crate::pages::{self, History, Pages};
use crate::readiness;

/// Files and folders that this process and its children make are never for everybody.
const UMASK: u32 = 0o027;
/// How long a cancelled job's answer may take to reach its client.
const ANSWER_GRACE: Duration = Duration::from_secs(2);
/// How long cancelled jobs may take to clean up after that: longer than a killed child is waited for.
const CLEAN_UP_GRACE: Duration = Duration::from_secs(6);
/// Blocking threads beside the jobs': names are resolved and files published on them for a moment; pages have their own, and
/// so has whoever looks at the recorder.
const SPARE_BLOCKING_THREADS: usize = 4 + pages::AT_A_TIME + 1;

/// Why the service did not come up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The output folder is of no use.
    #[error("output_dir: {}: {source}", .path.display())]
    OutputDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The extractor is not there.
    #[error(transparent)]
    Extractor(#[from] ChoiceError),
    /// The port is taken or not allowed.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Certificate or key are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The audit log cannot be kept.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The system has no threads or no signal handlers for us.
    #[error("the system refuses what every service needs: {0}")]
    System(#[from] io::Error),
}

/// Serves until a signal asks to stop.
pub(crate) fn run(
    inherited: io::Result<Inherited>,
    explicit: Option<PathBuf>,
    loaded: &Loaded,
) -> Result<(), StartError> {
    let config = &loaded.config;
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    let choice = Choice::make(config)?;
    let evidence = EvidenceFolder::open(&config.output_dir)
        .map_err(|source| StartError::OutputDir { path: config.output_dir.clone(), source })?;
    log::info!("extractor: {choice}");
    if config.fileserver_port == 0 {
        log::warn!("fileserver_port is 0: the links in answers will not work");
    }
    // The recorder may come up later, so a missing timeline does not keep the service down.
    if let Err(error) = fs::read_dir(&config.timeline_dir) {
        log::warn!("timeline_dir: {}: {error}", config.timeline_dir.display());
    }
    let (timeline, place) = (Arc::new(Timeline::new([&config.timeline_dir])), indexer::place(config));
    let indexer = if choice.is_builtin() && config.background_indexing {
        log::info!("indexing: {}", indexer::describe(&place));
        Some(Indexer::start(Arc::clone(&timeline), place.clone())?)
    } else {
        None
    };
    let handle = indexer.as_ref().map(Indexer::handle);
    let zone = LocalZone::system();
    let reach = Reach::new(Arc::clone(&timeline), config.timeline_dir.clone());
    let looked_at = Arc::clone(&timeline);
    let recording = Recording { timeline, place, indexer: handle.clone() };
    let evidence = Arc::new(evidence);
    let extractor = choice.build(config, &zone, Arc::clone(&evidence), recording);
    let jobs = Jobs::new(config, extractor, evidence, reach);

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(config.max_concurrent_extractions.get() + SPARE_BLOCKING_THREADS)
        .build()?;
    let served = runtime.block_on(async {
        let front = Arc::new(Front::new(Service::Listener, config, gate::REALM)?);
        let audit = Audit::of(Service::Listener, config)?;
        front.set_audit(audit.clone());
        front.set_checks(readiness::checks(config, &jobs));
        let folders = (config.timeline_dir.clone(), config.output_dir.clone());
        let gauges = Gauges::new(Arc::clone(&jobs), Arc::clone(&looked_at), folders, handle.clone());
        let pages = Pages::new(pages::Shared {
            jobs: Arc::clone(&jobs),
            timeline: looked_at,
            timeline_dir: config.timeline_dir.clone(),
            output_dir: config.output_dir.clone(),
            indexer: handle.clone(),
            history: History::new(config.timeline_dir.clone()),
            zone,
        });
        front.metrics().register(|registry| {
            jobs.figures().register(registry);
            registry.register_collector(Box::new(gauges));
        });
        let reloads = Reloads::new(Service::Listener, explicit, loaded, Arc::clone(&front))?;
        let server = Server::bind(inherited?, config.address(Service::Listener), Limits::default())?;
        let ended = serve(config, server, front, reloads, jobs, pages, handle).await;
        audit.close();
        ended
    });
    // A job stuck in the kernel must not keep the process from ending.
    runtime.shutdown_timeout(Duration::ZERO);
    // It has been told to end already, and has a last line of its own.
    drop(indexer);
    if served.is_ok() {
        log::info!("stopped");
    }
    served
}

async fn serve(
    config: &Config,
    server: Server,
    front: Arc<Front>,
    reloads: Reloads,
    jobs: Arc<Jobs>,
    pages: Pages,
    indexer: Option<indexer::Handle>,
) -> Result<(), StartError> {
    let stop = Stop::on_signals()?;
    if let Some(warning) = config.openness(Service::Listener) {
        log::warn!("{warning}");
    }
    log::info!(
        "listening on {}, authentication {}, extractions at a time: {}",
        server.local_addr(),
        config.listener_auth,
        config.max_concurrent_extractions
    );
    server.announce(Service::Listener, &front);
    tokio::spawn(Arc::clone(&jobs).take_up());
    tokio::spawn(Arc::clone(&jobs).usher());
    tokio::spawn(Arc::clone(&jobs).keep_in_bounds());
    tokio::spawn(pages.history().keep());

    let canceller =
        tokio::spawn(cancel_late_jobs(Arc::clone(&jobs), indexer, stop.clone(), config.drain_timeout));
    let port = server.local_addr().port();
    let gates = Gates::new(config, port, Arc::clone(&front), Arc::clone(&jobs), pages);
    let gates = Arc::new(gates);
    let adopting = Arc::clone(&gates);
    tokio::spawn(reloads.run(move |config| adopting.adopt(config)));
    let drained = server.run(front, gates, &stop, config.drain_timeout + ANSWER_GRACE).await;
    if time::timeout_at(drained.deadline + CLEAN_UP_GRACE, jobs.ended()).await.is_err() {
        log::error!("stopping: a job does not end and is left alone");
    }
    canceller.abort();
    Ok(())
}

/// Asks jobs to end when the drain time is over, or at once when somebody insists. Nobody waits for indexing: it ends first.
async fn cancel_late_jobs(jobs: Arc<Jobs>, indexer: Option<indexer::Handle>, stop: Stop, drain: Duration) {
    stop.requested().await;
    jobs.stop();
    if let Some(indexer) = indexer {
        indexer.stop();
    }
    tokio::select! {
        () = time::sleep(drain) => {}
        () = stop.aborted() => {}
    }
    jobs.cancel();
}
