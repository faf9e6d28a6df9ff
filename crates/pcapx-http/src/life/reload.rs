//! SIGHUP: the configuration is read again, and what can change without a restart changes.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pcapx_core::config::{Config, Effect, Loaded, Service};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Manager;
use crate::audit::Act;
use crate::{Front, LogValue};

/// Reads the configuration again whenever somebody asks for it.
///
/// A configuration that cannot be used changes nothing. Requests that are being answered end by the rules they began
/// with.
pub struct Reloads {
    service: Service,
    explicit: Option<PathBuf>,
    /// What counts for keys that need a restart.
    started: Loaded,
    /// What counts for all others.
    current: Loaded,
    front: Arc<Front>,
    hangups: Signal,
}

impl Reloads {
    /// Reloads of `service`, which was started with `loaded` from the file `explicit` or the usual places. From here on
    /// SIGHUP does not end the process any more. Must be called inside a tokio runtime.
    pub fn new(
        service: Service,
        explicit: Option<PathBuf>,
        loaded: &Loaded,
        front: Arc<Front>,
    ) -> io::Result<Self> {
        let hangups = signal(SignalKind::hangup())?;
        let (started, current) = (loaded.clone(), loaded.clone());
        Ok(Reloads { service, explicit, started, current, front, hangups })
    }

    /// Waits for signals; `adopt` takes over what is not the front's. Never returns.
    pub async fn run(mut self, adopt: impl Fn(&Config) + Send + 'static) {
        let manager = Manager::of_process();
        while self.hangups.recv().await.is_some() {
            log::info!("SIGHUP: reading the configuration again");
            manager.reloading();
            let status = match self.reload(&adopt) {
                Ok(()) => {
                    self.front.metrics().families().reload(true);
                    "configuration read again"
                }
                Err(error) => {
                    self.front.metrics().families().reload(false);
                    log::error!("reload: {error}; everything goes on as before");
                    self.front.audit().write(Act::new("reload").with("outcome", "failed"));
                    "the last reload failed, see the log"
                }
            };
            manager.ready(status);
        }
        // The signal's source ends with the runtime alone.
        std::future::pending::<()>().await;
    }

    fn reload(&mut self, adopt: &impl Fn(&Config)) -> Result<(), Box<dyn std::error::Error>> {
        let newer = Config::load(self.explicit.as_deref())?;
        // What is shown up to now: the files may have been read again without being asked for.
        let shown = self.front.tls();
        self.front.replace(self.service, &newer.config)?;
        adopt(&newer.config);
        for warning in &newer.warnings {
            log::warn!("configuration: {warning}");
        }
        let keys = |since: &Loaded, effect| {
            let changed = since.changed(&newer).filter(|key| key.effect(self.service) == effect);
            changed.map(|key| key.name).collect::<Vec<_>>().join(", ")
        };
        let (mut live, waiting) = (keys(&self.current, Effect::Live), keys(&self.started, Effect::Restart));
        if !waiting.is_empty() {
            log::warn!("reload: these count after a restart only: {waiting}");
        }
        if let Some(warning) = newer.config.openness(self.service) {
            log::warn!("{warning}");
        }
        let mut act = Act::new("reload");
        if let Some(tls) = self.front.tls() {
            log::info!("reload: {tls}");
            for path in tls.changed(shown.as_deref()) {
                let path = path.to_string_lossy();
                let comma = if live.is_empty() { "" } else { ", " };
                // Writing into a String cannot fail.
                let _ = write!(live, "{comma}content of {}", LogValue::new(path.as_ref()));
                act = act.with("server_certificate", tls.own().to_string());
            }
        }
        self.front.audit().write(act.with("changed", live.as_str()));
        log::info!("reload: changed: {}", if live.is_empty() { "nothing" } else { &live });
        self.current = newer;
        Ok(())
    }
}
