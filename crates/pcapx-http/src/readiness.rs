//! `GET /readyz`: whether the service could do its work now.
//!
//! Everybody may ask, so what is looked at has a name and an end, and nothing else: no path, no address, no reason. Those are
//! in the log, once for each change. However many ask, one look a second is made.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex as Plain, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::reply::{self, Reply};

/// How long an answer is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long a look may take. A disk that does not answer is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// One thing that has to be in order. It is looked at on a thread that may wait for a disk.
pub struct Check {
    name: &'static str,
    look: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// What was wrong the last time.
    last: Arc<Plain<Option<String>>>,
}

impl Check {
    /// A check called `name`, a word for everybody; what `look` says is for the log.
    pub fn new(name: &'static str, look: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Check { name, look: Arc::new(look), last: Arc::default() }
    }

    async fn is_fine(&self) -> bool {
        let look = Arc::clone(&self.look);
        let looked = timeout(PATIENCE, spawn_blocking(move || look())).await;
        let wrong = match looked {
            Ok(Ok(found)) => found.err(),
            // A panic has been logged where it happened.
            Ok(Err(_)) => Some("it cannot be looked at".to_owned()),
            Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*last, &wrong) {
            (None, Some(why)) => log::warn!("not ready: {}: {why}", self.name),
            (Some(_), None) => log::info!("ready again: {}", self.name),
            _ => {}
        }
        let fine = wrong.is_none();
        *last = wrong;
        fine
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All checks of a service.
#[derive(Debug)]
pub(crate) struct Readiness {
    checks: Vec<Check>,
    last: Mutex<Option<(Instant, StatusCode, String)>>,
}

impl Readiness {
    pub(crate) fn new(checks: Vec<Check>) -> Self {
        Readiness { checks, last: Mutex::new(None) }
    }

    /// 200 when everything is fine, else 503; a line for each check.
    pub(crate) async fn reply(&self) -> Reply {
        // Held while it is looked, so that those who ask meanwhile share the look.
        let mut last = self.last.lock().await;
        if let Some((since, status, text)) = &*last
            && since.elapsed() < GOOD_FOR
        {
            return reply::text(*status, text.clone());
        }
        let (mut status, mut text) = (StatusCode::OK, String::new());
        for check in &self.checks {
            let fine = check.is_fine().await;
            if !fine {
                status = StatusCode::SERVICE_UNAVAILABLE;
            }
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{}: {}", check.name, if fine { "ok" } else { "failed" });
        }
        let _ = writeln!(text, "{}", if status == StatusCode::OK { "ready" } else { "not ready" });
        *last = Some((Instant::now(), status, text.clone()));
        reply::text(status, text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::BodyExt;

    use super::*;

    async fn told(readiness: &Readiness) -> (u16, String) {
        let reply = readiness.reply().await;
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn one_that_fails_makes_all_unready_and_tells_no_reason() {
        let fine = || Check::new("disk", || Ok(()));
        assert_eq!(told(&Readiness::new(vec![])).await, (200, "ready\n".to_owned()));
        assert_eq!(told(&Readiness::new(vec![fine()])).await, (200, "disk: ok\nready\n".to_owned()));
        let broken = Check::new("timeline", || Err("/secret/path".to_owned()));
        let text = "disk: ok\ntimeline: failed\nnot ready\n".to_owned();
        assert_eq!(told(&Readiness::new(vec![fine(), broken])).await, (503, text));
        let panics = Check::new("x", || panic!("on purpose"));
        assert_eq!(told(&Readiness::new(vec![panics])).await.0, 503);
    }

    #[tokio::test]
    async fn many_who_ask_share_one_look() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let check = Check::new("x", move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let readiness = Readiness::new(vec![check]);
        let began = Instant::now();
        for _ in 0..100 {
            told(&readiness).await;
        }
        assert!(looks.load(Ordering::SeqCst) as u64 <= 1 + began.elapsed().as_secs() + 1);
    }
}
