//! Sends the export packets of a capture once, evenly spread and with the current time.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use crate::error::ReplayError;
use crate::exports::Exports;
use crate::netflow;
use crate::options::Options;
use crate::schedule;
use crate::stop::Stop;

/// Plays one capture as often as wanted.
#[derive(Debug)]
pub(crate) struct Player<'a> {
    options: &'a Options,
    /// Export packets in the capture.
    count: u64,
    pass_time: Duration,
}

/// How a pass went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Packets handed to the network.
    pub(crate) sent: u64,
    /// Packets that the network refused.
    pub(crate) failed: u64,
    /// A signal ended the pass.
    pub(crate) stopped: bool,
}

impl<'a> Player<'a> {
    /// A player of a capture that holds `count` export packets.
    pub(crate) fn new(options: &'a Options, count: u64) -> Self {
        Self { options, count, pass_time: options.pass_time() }
    }

    /// Sends every export packet once. The collector's name is looked up anew, so that a moved one is found.
    pub(crate) fn pass(&self, stop: &Stop) -> Result<Outcome, ReplayError> {
        let socket = self.connect()?;
        let mut exports = Exports::open(&self.options.pcap, self.options.port)?;
        let bar = progress(self.count);
        let begin = Instant::now();
        let mut payload = Vec::new();
        let mut outcome = Outcome::default();
        for index in 0.. {
            if !exports.next_into(&mut payload)? {
                break;
            }
            let at = begin.checked_add(schedule::offset(index, self.count, self.pass_time));
            if at.is_none_or(|at| stop.wait_until(at)) {
                outcome.stopped = true;
                break;
            }
            netflow::restamp(&mut payload, u32::try_from(Timestamp::now().as_second()).unwrap_or(u32::MAX));
            match send(&socket, &payload) {
                Ok(()) => outcome.sent += 1,
                Err(error) => {
                    if outcome.failed == 0 {
                        bar.suspend(|| log::warn!("collector {}: {error}; going on", self.options.collector));
                    }
                    outcome.failed += 1;
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(outcome)
    }

    /// Whether there is a way to the collector: its name is known and its network can be reached.
    pub(crate) fn try_collector(&self) -> Result<(), ReplayError> {
        self.connect().map(drop)
    }

    /// A socket that sends to the collector and hears when nobody listens there.
    fn connect(&self) -> Result<UdpSocket, ReplayError> {
        let connect = || {
            let collector = self
                .options
                .collector
                .to_socket_addrs()?
                .next()
                .ok_or(io::Error::from(io::ErrorKind::NotFound))?;
            let any: SocketAddr = match collector {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(collector)?;
            Ok(socket)
        };
        connect()
            .map_err(|reason| ReplayError::Collector { collector: self.options.collector.clone(), reason })
    }
}

/// Sends one datagram. A refusal that is reported here belongs to the datagram before it, so this one is tried once more.
fn send(socket: &UdpSocket, payload: &[u8]) -> io::Result<()> {
    let sent = match socket.send(payload) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let _ = socket.send(payload);
            return Err(error);
        }
        sent => sent,
    };
    sent.map(drop)
}

impl Outcome {
    /// For a single pass: an error unless all of it was sent.
    pub(crate) fn verdict(self, collector: &str) -> Result<(), ReplayError> {
        match self.failed {
            0 => Ok(()),
            failed => Err(ReplayError::Unsent {
                collector: collector.to_owned(),
                failed,
                total: self.sent + failed,
            }),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} packets sent", self.sent)?;
        if self.failed > 0 {
            write!(f, ", {} refused", self.failed)?;
        }
        if self.stopped {
            f.write_str(", ended by a signal")?;
        }
        Ok(())
    }
}

/// A bar on a terminal, nothing in a pipe.
fn progress(count: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(count), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {pos}/{len} packets, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
