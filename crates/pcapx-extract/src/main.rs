//! Cuts packets out of a rolling capture: npcapextract's command line on pcapx.
//!
//! ```text
//! command line ─► args ─► request (window, filter, target) ─► Catalog ─► Query ─► output: file, parts, standard output
//!                                                                          │         └─► listing (--print)
//!                  │           interrupt (signals), progress (a terminal) ─┘─► summary, explanation, on standard error
//!                  └─► indexing (--index)
//! ```
//!
//! Nothing but packets, their listing and the list of files goes to standard output. Exit codes are those of [`exit`];
//! called as `npcapextract` the program has the manners of [`guise`].

mod command;
mod explanation;
mod failure;
mod guise;
mod index_place;
mod indexing;
mod interrupt;
mod listing;
mod marked_filter;
mod matching_files;
mod output;
mod progress;
mod request;
mod summary;
mod target;
mod time;
mod voice;

use std::process::ExitCode;

use clap::Parser as _;

use pcapx_extract_cli::{self as args, exit};

use args::Args;
use guise::Guise;
use voice::Voice;

fn main() -> ExitCode {
    let guise = std::env::args_os().next().map_or(Guise::Own, |called| Guise::of(&called));
    let args = Args::parse();
    let voice = Voice::new(args.verbose);
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("PCAPX_LOG", voice.log_level())).init();
    match command::run(&args, guise, voice) {
        Ok(code) => code.into(),
        Err(failure) => {
            voice::tell(format_args!("error: {failure}"));
            failure.code().into()
        }
    }
}
