//! Certificates that are renewed while the service runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Tls;
use super::material::stamps;
use crate::audit::Act;
use crate::{Front, LogValue, Stop};

/// How often the files are looked at. Three calls of `stat` in that time cost nothing, and follow links and folders that
/// are swapped, which watches on files do not.
const LOOK: Duration = Duration::from_secs(2);

/// Reads the front's TLS files again whenever they have changed, until `stop` is requested.
pub(crate) async fn follow(front: Arc<Front>, stop: Stop) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A state that was of no use is told once and not tried again.
    let mut refused = None;
    loop {
        tokio::select! {
            () = stop.requested() => return,
            _ = looks.tick() => {}
        }
        let Some(tls) = front.tls() else { continue };
        let present = stamps(&tls.files);
        if present == tls.seen || Some(&present) == refused.as_ref() {
            continue;
        }
        match Tls::load(&tls.files) {
            Ok(newer) => {
                note(&front, &tls, &newer);
                // Unless a reload has brought other files meanwhile.
                front.renew_tls(&tls, newer);
                refused = None;
            }
            Err(error) => {
                log::warn!("TLS goes on with what was read before: {error}");
                front.audit().write(Act::new("reload").with("outcome", "failed"));
                refused = Some(present);
            }
        }
    }
}

/// Tells what is new, for people and for the audit log.
fn note(front: &Front, former: &Tls, newer: &Tls) {
    let changed: Vec<_> = newer.changed(Some(former)).map(|path| path.display().to_string()).collect();
    if changed.is_empty() {
        log::debug!("read again, and nothing is new: {newer}");
        return;
    }
    let changed = changed.join(", ");
    log::info!("read again: {newer}; changed: {}", LogValue::new(&changed));
    let act = Act::new("reload").with("changed", changed);
    front.audit().write(act.with("server_certificate", newer.own().to_string()));
}
