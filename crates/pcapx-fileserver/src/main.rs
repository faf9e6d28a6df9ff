//! Serves extracted captures over HTTP.
//!
//! ```text
//! GET/HEAD ─► gates (service) ─► requested ─► folder ─► conditions + range ─► answer ─► download
//!             401, 403, 405       a safe       opened     304, 412, 416        headers     bytes
//!                                 path         beneath
//!                                              └─► not there ─► awaited   202, 307, 404: what its manifest tells
//! ```
//!
//! `GET /` and its queries are the pages for people, where they are switched on: see [`pages`].
//!
//! The process reads `output_dir` and nothing else, and never writes to it. It starts when the folder is not there
//! yet and serves what appears in it.

mod answer;
mod awaited;
mod buffers;
mod check;
mod conditions;
mod download;
mod folder;
mod pages;
mod presentation;
mod range;
mod requested;
mod service;
mod validators;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use pcapx_core::config::{Config, Loaded, Service};
use pcapx_fileserver_cli::Options;
use pcapx_http::audit::Audit;
use pcapx_http::{Front, Inherited, Limits, Reloads, Server, Stop};

use crate::check::Finding;
use crate::service::FileService;

/// Threads that read files. More would only make a slow disk slower.
const READING_THREADS: usize = 32;

/// The configuration cannot be used.
const EXIT_CONFIG: u8 = 1;
/// The configuration is fine, but the service cannot work here.
const EXIT_SERVICE: u8 = 3;

fn main() -> ExitCode {
    let inherited = Inherited::take();
    let options = Options::parse();
    pcapx_http::log_to_stderr();
    pcapx_http::log_panics();
    let loaded = match Config::load(options.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("pcapx-fileserver: {error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let findings = check::findings(&loaded);
    let works = if options.check {
        for finding in &findings {
            println!("{finding}");
        }
        !findings.iter().any(|finding| matches!(finding, Finding::Error(_)))
    } else {
        findings.iter().for_each(Finding::log);
        let served = run(inherited, options.config, &loaded);
        served.inspect_err(|error| eprintln!("pcapx-fileserver: {error}")).is_ok()
    };
    if works { ExitCode::SUCCESS } else { ExitCode::from(EXIT_SERVICE) }
}

/// Binds, serves until SIGTERM or SIGINT, drains.
fn run(
    inherited: io::Result<Inherited>,
    explicit: Option<PathBuf>,
    loaded: &Loaded,
) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(READING_THREADS)
        .build()?;
    let drained = runtime.block_on(async {
        let (config, stop) = (&loaded.config, Stop::on_signals()?);
        let front = Arc::new(Front::new(Service::Fileserver, config, service::REALM)?);
        let audit = Audit::of(Service::Fileserver, config)?;
        front.set_audit(audit.clone());
        front.set_checks(vec![check::readable(&config.output_dir)]);
        let reloads = Reloads::new(Service::Fileserver, explicit, loaded, Arc::clone(&front))?;
        let server = Server::bind(inherited?, config.address(Service::Fileserver), Limits::default())?;
        server.announce(Service::Fileserver, &front);
        // All that can change while it runs is the front's.
        tokio::spawn(reloads.run(|_| {}));
        let files = Arc::new(FileService::new(config, Arc::clone(&front)));
        files.warm_up();
        let drained = server.run(front, files, &stop, config.drain_timeout).await;
        audit.close();
        Ok::<_, Box<dyn std::error::Error>>(drained)
    })?;
    // Reads of a dead disk must not keep the process.
    runtime.shutdown_background();
    log::info!("stopped, {} connections cut", drained.aborted);
    Ok(())
}
