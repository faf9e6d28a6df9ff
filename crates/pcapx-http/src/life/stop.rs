//! The wish to stop, shared by everything that must hear it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Draining,
    Aborting,
}

/// A switch that goes one way: running → stopping → aborting. Clones are the same switch.
///
/// The first SIGTERM or SIGINT asks to stop: no new connections, running requests finish within the drain time. A
/// second one asks to end at once.
#[derive(Debug, Clone)]
pub struct Stop {
    stage: watch::Sender<Stage>,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// A switch that only [`Stop::request`] turns.
    pub fn new() -> Self {
        Stop { stage: watch::Sender::new(Stage::Running) }
    }

    /// A switch turned by SIGTERM and SIGINT. From here on these signals no longer end the process by themselves.
    ///
    /// Must be called inside a tokio runtime. Fails when the signal handlers cannot be installed.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let turned = stop.clone();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                log::info!("{name}: {}", if turned.is_requested() { "ending at once" } else { "stopping" });
                turned.request();
            }
        });
        Ok(stop)
    }

    /// Turns the switch one step: the first call asks to stop, each later one to end at once.
    pub fn request(&self) {
        self.stage.send_modify(|stage| {
            *stage = if *stage == Stage::Running { Stage::Draining } else { Stage::Aborting };
        });
    }

    /// Whether somebody asked to stop.
    pub fn is_requested(&self) -> bool {
        *self.stage.borrow() >= Stage::Draining
    }

    /// Waits until somebody asks to stop.
    pub async fn requested(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Waits until somebody asks to end at once.
    pub async fn aborted(&self) {
        self.reached(Stage::Aborting).await;
    }

    async fn reached(&self, wanted: Stage) {
        let mut stage = self.stage.subscribe();
        // The sender lives in `self`, so the channel cannot close while we wait.
        let _ = stage.wait_for(|stage| *stage >= wanted).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_request_stops_and_the_second_aborts() {
        let stop = Stop::new();
        assert!(!stop.is_requested());
        stop.clone().request();
        stop.requested().await;
        assert!(stop.is_requested());
        stop.request();
        stop.aborted().await;
    }
}
