//! Serves extracted captures over HTTP.
//!
//! ```text
//! GET/HEAD ─► gates (service) ─► requested ─► folder ─► conditions + range ─► answer ─► download
//!             401, 403, 405       a safe       opened     304, 412, 416        headers     bytes
//!                                 path         beneath
//! ```
//!
//! The process reads `output_dir` and nothing else, and never writes to it. It starts when the folder is not there
//! yet and serves what appears in it.

mod answer;
mod buffers;
mod conditions;
mod download;
mod folder;
mod options;
mod presentation;
mod range;
mod requested;
mod service;
mod validators;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use pcapx_core::config::{Config, Loaded};
use pcapx_http::{Limits, Server, Stop};

use crate::options::Options;
use crate::service::FileService;

/// Threads that read files. More would only make a slow disk slower.
const READING_THREADS: usize = 32;

fn main() -> ExitCode {
    let options = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    pcapx_http::log_panics();
    let loaded = match Config::load(options.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("pcapx-fileserver: {error}");
            return ExitCode::FAILURE;
        }
    };
    if options.check {
        print!("{}", options::report(&loaded));
        return ExitCode::SUCCESS;
    }
    match run(&loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pcapx-fileserver: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Binds, serves until SIGTERM or SIGINT, drains.
fn run(loaded: &Loaded) -> Result<(), Box<dyn std::error::Error>> {
    for line in options::report(loaded).lines() {
        log::info!("{line}");
    }
    let config = &loaded.config;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(READING_THREADS)
        .build()?;
    let drained = runtime.block_on(async {
        let stop = Stop::on_signals()?;
        let server = Server::bind(SocketAddr::new(config.bind, config.fileserver_port), Limits::default())?;
        server.announce("pcapx-fileserver");
        Ok::<_, Box<dyn std::error::Error>>(
            server.run(FileService::new(config), &stop, config.drain_timeout).await,
        )
    })?;
    // Reads of a dead disk must not keep the process.
    runtime.shutdown_background();
    log::info!("stopped, {} connections cut", drained.aborted);
    Ok(())
}
