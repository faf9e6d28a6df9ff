//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// What stands under the options in `--help`.
const MORE: &str = "\
The configuration is the file given with --config, else the one that $PCAPX_CONFIG
names, else config/config.json, else /etc/pcapx/config.json.

Exit codes:
  0  stopped on request, or --check found nothing wrong
  1  the configuration cannot be used
  2  the command line cannot be used
  3  the service cannot work: port or output_dir

Environment:
  PCAPX_CONFIG  the configuration file, where --config is not given
  PCAPX_<KEY>   overrides a key of the configuration, for example PCAPX_FILESERVER_PORT=9081
  PCAPX_LOG     what is logged to stderr: error, warn, info (default), debug

SIGTERM or SIGINT stops the service: running downloads get drain_timeout to
finish. A second signal ends at once. SIGHUP has configuration and certificates
read again.

Examples:
  pcapx-fileserver --config config/config.json
  pcapx-fileserver --config /etc/pcapx/config.json --check
  curl http://127.0.0.1:8081/healthz
  curl -O http://127.0.0.1:8081/20250101_120000_4711.pcap
  curl -C - -O -u USER:PASSWORD http://127.0.0.1:8081/20250101_120000_4711.pcap";

/// Serves the captures in `output_dir` over HTTP: GET and HEAD of files, with ranges; pages about them where
/// `directory_listing` is on. No uploads.
#[derive(Debug, Parser)]
#[command(name = "pcapx-fileserver", version, after_help = MORE)]
pub struct Options {
    /// The configuration file [default: config/config.json, else /etc/pcapx/config.json]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Check the configuration, say what would be bound and served, and end
    #[arg(long)]
    pub check: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }
}
