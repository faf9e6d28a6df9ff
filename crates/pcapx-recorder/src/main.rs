//! Counts the packets of an interface or a capture file until it is interrupted.
//!
//! ```text
//! command line ─► source (ring or file) ─► counts
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use pcapx_recorder::afpacket::{Capture, CaptureOptions};
use pcapx_recorder::source::{FileSource, PacketSource, SourceError, Waited};

/// How often signals are looked for.
const WAIT: Duration = Duration::from_millis(500);

/// Counts the packets of an interface or a capture file until it is interrupted.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The interface, or a capture file.
    #[arg(short, long)]
    interface: String,
    /// Bytes kept of a packet.
    #[arg(short, long, default_value_t = CaptureOptions::default().snaplen)]
    snaplen: u32,
    /// Size of the ring, MB.
    #[arg(short, long, default_value_t = CaptureOptions::default().ring_bytes >> 20)]
    buffer_len: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("PCAPX_LOG", "info")).init();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), SourceError> {
    let path = PathBuf::from(&args.interface);
    if path.is_file() {
        return count(&mut FileSource::open(&path, args.snaplen)?);
    }
    let options = CaptureOptions {
        ring_bytes: args.buffer_len << 20,
        snaplen: args.snaplen,
        ..CaptureOptions::default()
    };
    count(&mut Capture::open(&args.interface, &options)?)
}

fn count(source: &mut impl PacketSource) -> Result<(), SourceError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Only signals that cannot be handled are refused.
        let _ = signal_hook::flag::register(signal, Arc::clone(&interrupted));
    }
    log::info!("{}: {} packets", source.name(), source.link_type());
    let (mut packets, mut bytes) = (0_u64, 0_u64);
    loop {
        let waited = source.wait(WAIT, &mut |packet| {
            packets += 1;
            bytes += u64::from(packet.orig_len);
        });
        match waited {
            Ok(Waited::End) => break,
            Ok(_) => {}
            Err(error) if error.is_passing() => log::warn!("{error}"),
            Err(error) => return Err(error),
        }
        if interrupted.swap(false, Ordering::Relaxed) {
            source.stop()?;
        }
    }
    let counts = source.counts()?;
    log::info!("{packets} packets, {bytes} bytes; dropped {} in {} freezes", counts.dropped, counts.freezes);
    Ok(())
}
