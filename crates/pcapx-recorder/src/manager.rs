//! What the service manager hears (`sd_notify(3)`), where there is one; without one nothing is said and nothing runs.
//!
//! ```text
//! STATUS=… ─► READY=1 when every thread has begun ─► WATCHDOG=1 while all of them beat ─► STOPPING=1
//! ```
//!
//! A thread of its own tells, so that a manager that does not listen holds nothing up. It is not told that the process
//! lives but that packets get through: see [`Pulse`](crate::pulse::Pulse).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sd_notify::NotifyState::{self, Ready, Status, Stopping, Watchdog};

use crate::counters::Counters;
use crate::pulse::Vitals;

/// How often the thread looks around. A manager asks for signs of life every some seconds at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same until the recording has begun.
const BEGIN_EVERY: Duration = Duration::from_millis(20);

/// The thread that tells the manager.
#[derive(Debug)]
pub(crate) struct Manager {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

/// Says what is being done before the recording begins.
pub(crate) fn status(text: &str) {
    tell(&[Status(text)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("the service manager cannot be told: {error}");
    }
}

impl Manager {
    /// Begins to tell how a recording goes that ends when `stopping` is set; `None` where nobody wants to know.
    pub(crate) fn start(what: String, counters: &Arc<Counters>, stopping: &Arc<AtomicBool>) -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET")?;
        let (stop, stopped) = sync_channel::<()>(0);
        let mut teller = Teller {
            what,
            counters: Arc::clone(counters),
            stopping: Arc::clone(stopping),
            watchdog: sd_notify::watchdog_enabled().filter(|time| !time.is_zero()),
            vitals: Vitals::new(Instant::now()),
            stage: Stage::Beginning,
            is_hanging: false,
        };
        let work = move || {
            while stopped.recv_timeout(teller.pause()) == Err(RecvTimeoutError::Timeout) {
                teller.look(Instant::now(), tell);
            }
            teller.end(tell);
        };
        let thread = thread::Builder::new().name("pcapx-manager".into()).spawn(work);
        let thread = thread.map_err(|e| log::error!("no thread to tell the service manager with: {e}"));
        thread.ok().map(|thread| Self { stop, thread })
    }

    /// Says the last word.
    pub(crate) fn finish(self) {
        drop(self.stop);
        // A panic has been told where it happened.
        let _ = self.thread.join();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Beginning,
    Recording,
    Ending,
}

struct Teller {
    what: String,
    counters: Arc<Counters>,
    stopping: Arc<AtomicBool>,
    /// At the latest so often the manager wants to hear that all is well.
    watchdog: Option<Duration>,
    vitals: Vitals,
    stage: Stage,
    is_hanging: bool,
}

impl Teller {
    fn pause(&self) -> Duration {
        let usual = if self.stage == Stage::Beginning { BEGIN_EVERY } else { LOOK_EVERY };
        // More often than twice in the time, as the manual asks for.
        self.watchdog.map_or(usual, |time| usual.min(time / 4))
    }

    fn look(&mut self, now: Instant, tell: impl Fn(&[NotifyState<'_>])) {
        if self.stage == Stage::Beginning && self.counters.pulse.is_there() {
            self.stage = Stage::Recording;
            tell(&[Ready, Status(&self.what)]);
        }
        if self.stopping.load(Ordering::Relaxed) {
            self.end(&tell);
        }
        // Whoever ends does not come round any more, and the manager has another time for that.
        if self.stage == Stage::Ending {
            return;
        }
        let Some(time) = self.watchdog else { return };
        // Half of the time is the thread's, the rest passes until the manager acts.
        let hanging = self.vitals.hanging(&self.counters.pulse, now, time / 2);
        match hanging {
            None => tell(&[Watchdog]),
            Some(part) if !self.is_hanging => {
                log::error!("{part} hangs; the service manager is not told any more that all is well");
            }
            Some(_) => {}
        }
        self.is_hanging = hanging.is_some();
    }

    fn end(&mut self, tell: impl Fn(&[NotifyState<'_>])) {
        if self.stage != Stage::Ending {
            self.stage = Stage::Ending;
            tell(&[Stopping, Status("writing and sealing what was taken")]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::pulse::Part;

    #[test]
    fn all_is_well_while_every_thread_beats() {
        let (counters, stopping) = (Arc::new(Counters::default()), Arc::new(AtomicBool::new(false)));
        let start = Instant::now();
        let mut teller = Teller {
            what: "recording eth0".to_owned(),
            counters: Arc::clone(&counters),
            stopping: Arc::clone(&stopping),
            watchdog: Some(Duration::from_secs(20)),
            vitals: Vitals::new(start),
            stage: Stage::Beginning,
            is_hanging: false,
        };
        let said = RefCell::new(Vec::new());
        let say = |states: &[NotifyState<'_>]| {
            said.borrow_mut().extend(states.iter().map(NotifyState::to_string));
        };
        let mut after = |secs, beating: &[Part]| {
            for part in beating {
                counters.pulse.beat(*part);
            }
            teller.look(start + Duration::from_secs(secs), say);
            said.take()
        };
        let all = [Part::Intake, Part::Storage, Part::Sealing];
        assert_eq!(after(1, &[Part::Intake]), ["WATCHDOG=1"]);
        assert_eq!(after(2, &all), ["READY=1", "STATUS=recording eth0", "WATCHDOG=1"]);
        assert_eq!(after(3, &all), ["WATCHDOG=1"]);
        for secs in 4..=13 {
            assert_eq!(after(secs, &[Part::Intake, Part::Sealing]), ["WATCHDOG=1"], "{secs}");
        }
        for secs in 14..100 {
            assert!(after(secs, &[Part::Intake, Part::Sealing]).is_empty(), "{secs}");
        }
        assert_eq!(after(100, &all), ["WATCHDOG=1"]);
        stopping.store(true, Ordering::Relaxed);
        assert_eq!(after(101, &all), ["STOPPING=1", "STATUS=writing and sealing what was taken"]);
        assert!(after(102, &all).is_empty());
    }
}
