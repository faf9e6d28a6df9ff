//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use jiff::SignedDuration;

/// What stands under the options in `--help`.
const MORE: &str = "\
SIGINT and SIGTERM end it.

Exit codes:
  0  stopped, or with --once everything was sent
  1  the capture cannot be read, or the collector not reached
  2  the command line is wrong

Environment:
  PCAPX_LOG  what is logged to stderr: error, warn, info (default), debug

Examples:
  netflow-replay --pcap exports.pcap --collector 192.0.2.7:2055
  # at once, and an hour's traffic in a minute
  netflow-replay --pcap exports.pcap --collector [2001:db8::7]:2055 \\
      --start now --once --duration 1h --speed 60";

/// Replays a capture of NetFlow export packets to a collector, for ever and with today's time.
#[derive(Debug, Parser)]
#[command(version, after_help = MORE)]
pub struct Options {
    /// Capture (pcap or pcapng) of NetFlow v5, v9 or IPFIX export packets.
    #[arg(long, value_name = "FILE", default_value = "/opt/netflow-demo/Netflowv9.pcap")]
    pub pcap: PathBuf,
    /// Where to send them; an IPv6 address stands in brackets.
    #[arg(long, value_name = "HOST:PORT", default_value = "192.168.0.100:2055")]
    pub collector: String,
    /// Time over which one pass is spread evenly, such as 55m, "1h 30m" or 90 (seconds).
    #[arg(long, value_name = "TIME", default_value = "55m", value_parser = duration)]
    pub duration: Duration,
    /// Begin each pass at the next full hour of local time, or at once.
    #[arg(long, value_enum, default_value_t = Start::Hour)]
    pub start: Start,
    /// End after one pass.
    #[arg(long)]
    pub once: bool,
    /// UDP port that the packets in the capture were sent to.
    #[arg(long, value_name = "PORT", default_value_t = 2055, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// How many times faster than --duration a pass is sent.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
}

/// When a pass begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Start {
    /// At once, the next one right after it.
    Now,
    /// At the next full hour of local time.
    Hour,
}

impl Options {
    /// How long one pass takes.
    pub fn pass_time(&self) -> Duration {
        Duration::try_from_secs_f64(self.duration.as_secs_f64() / self.speed).unwrap_or(Duration::MAX)
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| String::from("expected a time such as 55m, 1h30m or 90 (seconds)"))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err(String::from("expected a factor above 0, such as 60 or 0.5")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_demonstration() {
        let options = Options::parse_from(["netflow-replay"]);
        assert_eq!(options.pcap.to_str(), Some("/opt/netflow-demo/Netflowv9.pcap"));
        assert_eq!(options.collector, "192.168.0.100:2055");
        assert_eq!(options.pass_time(), Duration::from_secs(55 * 60));
        assert_eq!((options.start, options.once, options.port), (Start::Hour, false, 2055));
    }

    #[test]
    fn reads_times() {
        for (text, seconds) in [("55m", 3300), ("1h30m", 5400), ("90", 90), ("90s", 90), ("0", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "-5m", "soon", "5 bananas"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn speed_shortens_a_pass() {
        let options = Options::parse_from(["netflow-replay", "--duration", "60", "--speed", "120"]);
        assert_eq!(options.pass_time(), Duration::from_millis(500));
        for text in ["0", "-1", "nan", "inf", "fast"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
