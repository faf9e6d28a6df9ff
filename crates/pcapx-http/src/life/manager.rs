//! What the service manager is told (`sd_notify(3)`): one datagram for each change.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::{MissedTickBehavior, interval};

/// How long a message may take. A manager that does not read is no reason not to serve.
const PATIENCE: Duration = Duration::from_millis(500);

/// The manager of this process, if it has one that wants to know.
#[derive(Debug, Clone)]
pub(crate) struct Manager {
    address: Option<SocketAddr>,
    /// At the latest so often it wants to hear that we live.
    watchdog: Option<Duration>,
}

impl Manager {
    /// What the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub(crate) fn of_process() -> Self {
        let address = env::var_os("NOTIFY_SOCKET").and_then(|name| match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(&name).ok(),
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).ok(),
            _ => None,
        });
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && meant).map(Duration::from_micros);
        Manager { address, watchdog }
    }

    /// The service answers from now on.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The configuration is being read again; [`ready`](Self::ready) follows.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The service ends.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=finishing what runs");
    }

    /// Says again and again that the runtime still does its work; never returns.
    pub(crate) async fn keep_alive(self) {
        let Some(watchdog) = self.watchdog else { return std::future::pending().await };
        // Twice in the time, as the manual asks for.
        let mut beats = interval((watchdog / 2).max(Duration::from_millis(1)));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, message: &str) {
        let Some(address) = &self.address else { return };
        let send = || -> io::Result<usize> {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.send_to_addr(message.as_bytes(), address)
        };
        if let Err(error) = send() {
            log::debug!("the service manager cannot be told: {error}");
        }
    }
}
