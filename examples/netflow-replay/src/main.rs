//! Replays a capture of NetFlow export packets to a collector, for ever and with today's time.
//!
//! ```text
//! capture ──► exports: UDP payloads to --port ──► netflow: time field := now ──► player: paced, to --collector
//!                                                                                   ▲
//!                                                        schedule: each full hour ──┘
//! ```
//!
//! A demonstration needs flows that look fresh. Only the export time in each packet's header is changed; what hangs on
//! it (`SysUptime`, and the flows' times counted in it) follows. IPFIX records that carry absolute times keep theirs.
//!
//! Limits: fragmented datagrams are counted, not put together. Packets are replayed as they are, so a capture should
//! hold the templates of its data; one that does not is warned of.

mod datagram;
mod error;
mod exports;
mod netflow;
mod player;
mod schedule;
mod stop;
mod templates;

use std::process::ExitCode;

use clap::Parser as _;

use error::ReplayError;
use netflow_replay_cli::{self as options, Options, Start};
use player::Player;
use stop::Stop;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("PCAPX_LOG", "info"))
        .format_target(false)
        .init();
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), ReplayError> {
    let survey = exports::survey(&options.pcap, options.port)?;
    log::info!("{}: {survey}", options.pcap.display());
    let stop = Stop::on_signals().map_err(ReplayError::Signals)?;
    let player = Player::new(options, survey.exports);
    // A wrong collector is told now and not at the full hour.
    player.try_collector()?;
    for pass in 1_u64.. {
        if options.start == Start::Hour {
            let at = schedule::next_full_hour(&jiff::Zoned::now());
            log::info!("pass {pass} begins at {}", at.strftime("%Y-%m-%d %H:%M:%S %Z"));
            if stop.wait_until_clock(&at) {
                break;
            }
        }
        let outcome = player.pass(&stop)?;
        log::info!("pass {pass}: {outcome}");
        if outcome.stopped {
            break;
        }
        if options.once {
            return outcome.verdict(&options.collector);
        }
    }
    log::info!("stopped");
    Ok(())
}
