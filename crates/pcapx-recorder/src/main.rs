//! n2disk's place, open: records a Linux interface into rolling capture files.
//!
//! ```text
//! command line, n2disk.conf ─► options ─► service: lock, recovery, limit, source ─► recording
//!                                          signals end it: the last segment is sealed
//! ```
//!
//! Exit codes: 0 ended as asked, 1 recording failed, 2 the options are wrong, 3 an interface or a file cannot be recorded
//! from: it is not there, there is no right to it, or it is gone and cannot be opened again.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pcapx_recorder::options::{self, Asked, Settings};
use pcapx_recorder::service;

const RECORDING_FAILED: u8 = 1;
const OPTIONS_WRONG: u8 = 2;
const SOURCE_FAILED: u8 = 3;

fn main() -> ExitCode {
    match options::read(std::env::args_os().skip(1)) {
        Ok(Asked::Print(text)) => {
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Ok(Asked::Record { settings, warnings }) => {
            let level = ["info", "debug", "trace"][usize::from(settings.verbosity).min(2)];
            env_logger::Builder::from_env(env_logger::Env::new().filter_or("PCAPX_LOG", level)).init();
            for warning in warnings {
                log::warn!("{warning}");
            }
            if settings.check {
                print!("{settings}");
                return ExitCode::SUCCESS;
            }
            record(&settings)
        }
        Err(error) => {
            eprintln!("{error}");
            OPTIONS_WRONG.into()
        }
    }
}

fn record(settings: &Settings) -> ExitCode {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Only signals that cannot be handled are refused.
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    match service::run(settings, &stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            if error.is_source() { SOURCE_FAILED.into() } else { RECORDING_FAILED.into() }
        }
    }
}
