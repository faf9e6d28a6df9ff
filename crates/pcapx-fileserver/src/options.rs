//! The command line, and what the service says of its configuration.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use pcapx_core::config::Loaded;
use pcapx_http::LogValue;

/// The options of the command line.
#[derive(Debug, Parser)]
#[command(name = "pcapx-fileserver", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Configuration file (JSON).
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,

    /// Read the configuration, say what would be bound and served, and end: 0 when it is fine, 1 when not.
    #[arg(long)]
    pub(crate) check: bool,
}

const ABOUT: &str = "Serves the captures in output_dir over HTTP: GET and HEAD of files, with ranges.";

const LONG_ABOUT: &str = "\
Serves the captures in output_dir over HTTP: GET and HEAD of files, with ranges.
No listings, no uploads; hidden and temporary names are never served.

The configuration is the file given with --config, else the one that $PCAPX_CONFIG names,
else config/config.json, else /etc/pcapx/config.json.
SIGTERM or Ctrl-C lets running downloads finish (drain_timeout); a second one ends at once.";

const EXAMPLES: &str = "\
Examples:
  pcapx-fileserver --config /etc/pcapx/config.json
  pcapx-fileserver --check
  PCAPX_FILESERVER_PORT=9081 RUST_LOG=debug pcapx-fileserver

  curl -O http://HOST:8081/20250101_120000_4711.pcap
  curl -C - -O -u USER:PASSWORD http://HOST:8081/20250101_120000_4711.pcap
  curl http://HOST:8081/healthz

Exit codes: 0 stopped in good order, 1 the configuration or the port is not usable, 2 wrong options.";

/// What is bound and served, one `key: value` line each, without secrets.
pub(crate) fn report(loaded: &Loaded) -> String {
    let config = &loaded.config;
    let folder = match std::fs::metadata(&config.output_dir) {
        Ok(metadata) if metadata.is_dir() => "",
        Ok(_) => " (warning: not a directory, every file is 404)",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            " (warning: does not exist yet, every file is 404 until it does)"
        }
        Err(_) => " (warning: not accessible, every file is 404)",
    };
    let allowed = if config.allowed_ips.is_empty() {
        "every address".to_owned()
    } else {
        config.allowed_ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let path = loaded.path.to_string_lossy();
    let output_dir = config.output_dir.to_string_lossy();
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(text, "configuration: {}", LogValue::new(path.as_ref()));
    let _ = writeln!(text, "listens on: {}", SocketAddr::new(config.bind, config.fileserver_port));
    let _ = writeln!(text, "serves: {}{folder}", LogValue::new(output_dir.as_ref()));
    let _ = writeln!(text, "credentials: {}", config.fileserver_auth);
    let _ = writeln!(text, "clients: {allowed}");
    for warning in &loaded.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}
