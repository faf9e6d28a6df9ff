//! Webhook service: an alert goes in, a link to its packets comes out.
//!
//! ```text
//! POST ─► gate ─► question ─► job (own task, one of max_concurrent_extractions)
//!                             │  manifest ─► extractor ─► output_dir/*.pcap ─► manifest
//!         200 ◄── answer ◄────┴─ link │ NO BPF FILTER │ ERROR: …   └─ window still open: again, when it is over
//!                                                     indexer: an index for each file of timeline_dir, in idle time
//! ```
//!
//! What must hold: a client cannot end a job by leaving, keep its seat, or get past a gate; every failure is answered with a
//! text that begins with `ERROR:`; no text for clients names a path; nothing a client sent reaches a log line raw; what was
//! accepted is done, after a restart if need be; no process and no hidden file is left behind when a job or the service ends.

mod answer;
mod api;
mod audit;
mod cancel;
mod check;
mod evidence;
mod extractor;
mod gate;
mod indexer;
mod jobs;
mod metrics;
mod pages;
mod password;
mod query;
mod question;
mod readiness;
mod refusal;
mod service;
mod usage;

use std::process::ExitCode;

use clap::Parser;
use pcapx_core::config::Config;
use pcapx_listener_cli as cli;

/// The configuration cannot be used.
const EXIT_CONFIG: u8 = 1;
/// The configuration is fine, but the service cannot work here.
const EXIT_SERVICE: u8 = 3;

fn main() -> ExitCode {
    let inherited = pcapx_http::Inherited::take();
    let options = cli::Options::parse();
    pcapx_http::log_to_stderr();
    pcapx_http::log_panics();
    match &options.command {
        None => {}
        Some(cli::Command::HashPassword) => return ended(password::hash(), EXIT_CONFIG),
        Some(cli::Command::Audit { command: cli::AuditCommand::Verify { files, head, after } }) => {
            let kept = pcapx_http::audit::Kept { after: after.clone(), head: head.clone() };
            return ended(audit::verify_files(files, &kept), EXIT_SERVICE);
        }
    }
    let loaded = match Config::load(options.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("pcapx-listener: {error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let works = if options.check {
        check::report(&loaded)
    } else {
        log::info!("configuration: {}", loaded.path.display());
        for warning in &loaded.warnings {
            log::warn!("configuration: {warning}");
        }
        let served = service::run(inherited, options.config, &loaded);
        served.inspect_err(|error| eprintln!("pcapx-listener: {error}")).is_ok()
    };
    if works { ExitCode::SUCCESS } else { ExitCode::from(EXIT_SERVICE) }
}

/// The exit code of a command that does something else than serve.
fn ended<E: std::fmt::Display>(done: Result<(), E>, code: u8) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pcapx-listener: {error}");
            ExitCode::from(code)
        }
    }
}
