//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use pcapx_http::audit::Head;

/// What stands under the options in `--help`.
const MORE: &str = "\
Exit codes:
  0  stopped on request, or --check found nothing wrong
  1  the configuration cannot be used
  2  the command line cannot be used
  3  the service cannot work: output_dir, port, extractor or timeline

Environment:
  PCAPX_CONFIG  the configuration file, where --config is not given
  PCAPX_<KEY>   overrides a key of the configuration, for example PCAPX_LISTEN_PORT=9999
  STATE_DIRECTORY  given by systemd: where index_dir is empty, indexes go below it
  PCAPX_LOG     what is logged to stderr: error, warn, info (default), debug

SIGTERM or SIGINT stops the service: running extractions get drain_timeout to
finish. A second signal ends at once. SIGHUP has configuration and certificates
read again.

Examples:
  pcapx-listener --config config/config.json
  pcapx-listener --config /etc/pcapx/config.json --check
  pcapx-listener hash-password
  pcapx-listener audit verify /var/log/pcapx/pcapx-listener.audit*.jsonl
  curl http://127.0.0.1:8888/
  curl -d @alert.json 'http://127.0.0.1:8888/extract?filter=full&before=60'";

/// Waits for alerts over HTTP, cuts their packets out of the rolling capture and answers with a link.
#[derive(Debug, Parser)]
#[command(name = "pcapx-listener", version, after_help = MORE)]
pub struct Options {
    /// The configuration file [default: config/config.json, else /etc/pcapx/config.json]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Check configuration, folders and extractor, say what was found, and end
    #[arg(long)]
    pub check: bool,

    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does beside serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a password from stdin and print its Argon2id hash, which may stand in its place in the configuration
    HashPassword,
    /// Work with audit logs
    Audit {
        /// What to do with them
        #[command(subcommand)]
        command: AuditCommand,
    },
}

/// What can be done with audit logs.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Prove that no line of an audit log was removed or changed; exit code 3 when one was, or is missing
    Verify {
        /// All files of one log, rotated ones too, in any order
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The last line as the service's log had it behind head=: shows lines that were cut off at the end
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<Head>,
        /// The last line of older files that were archived, from the same place: the files begin after it
        #[arg(long, value_name = "NUMBER:HASH")]
        after: Option<Head>,
    },
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
