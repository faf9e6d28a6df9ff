//! Sleeping that a signal ends.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{Timestamp, Zoned};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long at most the clock is not looked at: it may be set while we wait for an hour.
const CLOCK_CHECK: Duration = Duration::from_secs(10);

/// Ends every wait once SIGINT or SIGTERM has come.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Says something, or is closed, once the process shall end.
    signals: Receiver<()>,
}

impl Stop {
    /// Takes the signals over from their default, which would end the process at once.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                // Fails only when nobody waits any more.
                let _ = sender.send(());
            }
        });
        Ok(Self { signals: receiver })
    }

    /// Waits until `at`; true when a signal came first.
    pub(crate) fn wait_until(&self, at: Instant) -> bool {
        !matches!(
            self.signals.recv_timeout(at.saturating_duration_since(Instant::now())),
            Err(RecvTimeoutError::Timeout)
        )
    }

    /// Waits until the system's clock shows `at`; true when a signal came first.
    pub(crate) fn wait_until_clock(&self, at: &Zoned) -> bool {
        loop {
            let Ok(left) = Duration::try_from(at.timestamp().duration_since(Timestamp::now())) else {
                return false;
            };
            if left.is_zero() {
                return false;
            }
            if self.wait_until(Instant::now() + left.min(CLOCK_CHECK)) {
                return true;
            }
        }
    }
}
