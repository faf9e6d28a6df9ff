//! The wish that running jobs end early, because the service does not wait for them any longer.

use tokio::sync::watch;

/// The end that asks; dropping it asks as well.
#[derive(Debug)]
pub(crate) struct Canceller(watch::Sender<bool>);

/// The end that is asked.
#[derive(Clone, Debug)]
pub(crate) struct Cancel(watch::Receiver<bool>);

impl Canceller {
    /// Nobody is asked yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Asks every job, now and later.
    pub(crate) fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// What a job listens on.
    pub(crate) fn subscribe(&self) -> Cancel {
        Cancel(self.0.subscribe())
    }
}

impl Cancel {
    /// Returns once the job is asked to end.
    pub(crate) async fn requested(&mut self) {
        // An error means that the asking end is gone: there is nobody left to wait for the job.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_job_is_asked_too() {
        let canceller = Canceller::new();
        let mut early = canceller.subscribe();
        canceller.cancel();
        early.requested().await;
        canceller.subscribe().requested().await;
    }
}
