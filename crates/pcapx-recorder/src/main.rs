//! n2disk's place, open: records a Linux interface into rolling capture files.
//!
//! ```text
//! command line, n2disk.conf ─► options ─► service: lock, recovery, limit, source ─► recording
//!                                          signals end it: the last segment is sealed
//!                          └► simulate: what this machine can record
//! ```
//!
//! Exit codes:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | ended as asked |
//! | 1 | recording failed in another way than the following |
//! | 2 | the options are wrong |
//! | 3 | an interface or a file cannot be recorded from: it is not there, there is no right to it, or it is gone and cannot be opened again |
//! | 4 | the disk cannot be recorded to: it is read-only, fails, is gone, or there is no right to a folder |
//! | 5 | another recorder has the folder |

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use env_logger::{Target, WriteStyle};
use pcapx_recorder::check;
use pcapx_recorder::options::{self, Asked, Settings};
use pcapx_recorder::service::{self, Cause};
use pcapx_recorder::simulate;
use pcapx_recorder::terminal::{self, LogOutput};

const RECORDING_FAILED: u8 = 1;
const OPTIONS_WRONG: u8 = 2;
const SOURCE_FAILED: u8 = 3;
const STORAGE_FAILED: u8 = 4;
const IN_USE: u8 = 5;

fn main() -> ExitCode {
    match options::read(std::env::args_os().skip(1)) {
        Ok(Asked::Print(text)) => {
            // Whoever reads it may have seen enough.
            let _ = writeln!(io::stdout(), "{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Ok(Asked::Record { settings, warnings }) => {
            let level = ["info", "debug", "trace"][usize::from(settings.verbosity).min(2)];
            let mut log = env_logger::Builder::from_env(env_logger::Env::new().filter_or("PCAPX_LOG", level));
            if terminal::is_there() {
                log.target(Target::Pipe(Box::new(LogOutput))).write_style(WriteStyle::Always);
            }
            log.init();
            for warning in warnings {
                log::warn!("{warning}");
            }
            if settings.check {
                print!("{settings}");
                let problems = check::problems(&settings);
                for problem in &problems {
                    eprintln!("{problem}");
                }
                return if problems.is_empty() { ExitCode::SUCCESS } else { OPTIONS_WRONG.into() };
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
    let mut signals = vec![signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];
    // A terminal that is closed ends the recording in order, unless it was started with nohup.
    if !terminal::is_hangup_ignored() {
        signals.push(signal_hook::consts::SIGHUP);
    }
    for signal in signals {
        // Only signals that cannot be handled are refused.
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    let done = match settings.simulation {
        None => service::run(settings, &stop),
        Some(simulation) => {
            simulate::run(simulation, settings, &stop).map(|table| print!("{table}")).map_err(Into::into)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            let code = match error.cause() {
                Cause::Options => OPTIONS_WRONG,
                Cause::Source => SOURCE_FAILED,
                Cause::Storage => STORAGE_FAILED,
                Cause::InUse => IN_USE,
                Cause::Other => RECORDING_FAILED,
            };
            code.into()
        }
    }
}
