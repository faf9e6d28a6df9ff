//! Why a replay cannot go on.

use std::io;
use std::path::PathBuf;

use pcapx_timeline::segment::SegmentError;

use crate::exports::Survey;

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(
        "{} does not exist: name another capture with --pcap, or record one beside a collector with \
         `tcpdump -w FILE udp port 2055`",
        .0.display()
    )]
    NoCapture(PathBuf),
    #[error("{} {reason}", .path.display())]
    Capture { path: PathBuf, reason: SegmentError },
    #[error("{} has nothing to send: no NetFlow packet to UDP port {port} in it ({survey}){}", .path.display(), .survey.advice())]
    Nothing { path: PathBuf, port: u16, survey: Survey },
    #[error("collector {collector}: {reason} (expected HOST:PORT, an IPv6 address in brackets)")]
    Collector { collector: String, reason: io::Error },
    #[error("collector {collector}: {failed} of {total} packets could not be sent")]
    Unsent { collector: String, failed: u64, total: u64 },
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
}
