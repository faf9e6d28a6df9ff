//! The work on a job: a first search on a seat, and a last one when an open window is over.

use std::sync::Arc;
use std::time::Duration;

use pcapx_core::config::Completion;
use pcapx_core::filter;
use pcapx_core::manifest::{Failure, Manifest, State};
use pcapx_core::time::Timestamp;

use super::conclusion::{conclude, doubt, fail, searched_up_to, tell};
use super::reach::Extent;
use super::{Hold, Job, JobLine, Jobs, Reach, Seat};
use crate::extractor::{Cut, CutError, Haul};

/// Why an answer is cut off at the present.
const NOT_OVER: &str = "the window was not over, and completion is \"now\"";
/// Why a window is not waited for.
const TOO_FAR: &str = "the window's end lies too far ahead to be waited for";
/// How far ahead a window's end may lie to be waited for: the longest `after`, and clocks that are a day ahead.
const FAR: Duration = Duration::from_secs(2 * 86_400);

/// A manifest that was written and not shown yet, with its names kept until it is.
type Found = (Manifest, Hold);

impl Jobs {
    /// Runs `job` on `seat`, and then those that wait.
    pub(super) fn work(self: &Arc<Self>, seat: Seat, job: Arc<Job>) {
        let jobs = Arc::clone(self);
        tokio::spawn(async move {
            let mut turn = Some((seat, job));
            while let Some((seat, job)) = turn {
                let (own, its) = (Arc::clone(&jobs), Arc::clone(&job));
                // A task of its own: a panic ends this job and not the worker. It has been logged where it happened.
                let found = match tokio::spawn(async move { own.first_search(&its).await }).await {
                    Ok(found) => found,
                    Err(_) => Some(jobs.failed(&job, Failure::Failed, "an internal error").await),
                };
                // Whoever reads the answer finds the seat free.
                turn = seat.next();
                if let Some(found) = found {
                    jobs.settle(&job, found);
                }
            }
        });
    }

    /// Runs those that wait on `seat`.
    pub(super) fn serve(self: &Arc<Self>, seat: Seat) {
        if let Some((seat, job)) = seat.next() {
            self.work(seat, job);
        }
    }

    /// Searches, and writes down what was found; `None` when there is nothing new to tell.
    async fn first_search(self: &Arc<Self>, job: &Arc<Job>) -> Option<Found> {
        let hold = job.searching().await;
        let manifest = job.manifest();
        if !manifest.open {
            return None;
        }
        let begun = Timestamp::now();
        let reach = self.look(begun).await;
        let is_over = Reach::is_over(manifest.asked.to, begun, reach);
        let found = self.search(job, &manifest, None, reach).await;
        let mut manifest = Manifest::clone(&manifest);
        manifest.timings.waited_ms = millis(manifest.request.at, begun);
        let error = match found {
            Ok(haul) => {
                let told = tell(haul, &mut manifest);
                if !told.is_kept {
                    manifest.searched_up_to = reach
                        .and_then(|reach| searched_up_to(&manifest, reach))
                        .filter(|_| manifest.limit.is_none());
                }
                let is_cut = manifest.limit.is_some();
                let is_far = manifest.asked.to > begun.saturating_add(FAR);
                let follows = self.rules.get().completion == Completion::Follow;
                let stays_open = !is_over && !is_cut && !is_far && follows;
                conclude(&mut manifest, stays_open, told);
                if !is_over && !stays_open && manifest.state == State::Complete {
                    let why = if follows { TOO_FAR } else { NOT_OVER };
                    (manifest.state, manifest.reason) = (State::Partial, Some(why.to_owned()));
                }
                if is_over && Reach::is_doubtful(manifest.asked.to, begun, reach) {
                    doubt(&mut manifest);
                }
                None
            }
            // It is written down, and the next start does it.
            Err(CutError::Cancelled) if self.is_cancelled() => {
                log::info!("job name={} goes on after a restart", manifest.name);
                return None;
            }
            Err(error) => {
                fail(&mut manifest, self.extractor.failure_of(&error), None);
                Some(error)
            }
        };
        Some((self.write_down(job, manifest, error.as_ref(), begun).await, hold))
    }

    /// Shows what was found to whoever waits, and does what follows from it.
    fn settle(self: &Arc<Self>, job: &Arc<Job>, (manifest, hold): Found) {
        let stays_open = manifest.open;
        if !stays_open {
            // Whoever reads the answer and asks again makes a new job.
            self.forget(job);
        }
        job.show(manifest);
        drop(hold);
        if stays_open {
            self.follow(Arc::clone(job));
        }
    }

    /// Waits for the end of the job's window, and completes it then.
    pub(super) fn follow(self: &Arc<Self>, job: Arc<Job>) {
        let jobs = Arc::clone(self);
        tokio::spawn(async move {
            let end = job.manifest().asked.to;
            let mut cancelled = job.cancelled();
            tokio::select! {
                biased;
                () = jobs.stopped() => return,
                () = cancelled.requested() => {
                    if !jobs.is_cancelled() {
                        jobs.close(&job).await;
                    }
                    return;
                }
                () = jobs.reach.over(end) => {}
            }
            let _turn = tokio::select! {
                biased;
                () = jobs.stopped() => return,
                turn = jobs.completions.acquire() => turn,
            };
            let (own, its) = (Arc::clone(&jobs), Arc::clone(&job));
            let found = match tokio::spawn(async move { own.last_search(&its).await }).await {
                Ok(found) => found,
                Err(_) => Some(jobs.failed(&job, Failure::Failed, "an internal error").await),
            };
            if let Some(found) = found {
                jobs.settle(&job, found);
            }
        });
    }

    async fn last_search(self: &Arc<Self>, job: &Arc<Job>) -> Option<Found> {
        let hold = job.searching().await;
        let manifest = job.manifest();
        let begun = Timestamp::now();
        // What was found up to here is all there is of that time.
        let is_there = manifest.file.is_none() || self.folder.capture_bytes(&manifest).is_some();
        let from = manifest.searched_up_to.filter(|_| is_there);
        let reach = self.look(begun).await;
        let found = self.search(job, &manifest, from, reach).await;
        let mut manifest = Manifest::clone(&manifest);
        let error = match found {
            Ok(haul) => {
                let told = tell(haul, &mut manifest);
                conclude(&mut manifest, false, told);
                manifest.searched_up_to = manifest.limit.is_none().then_some(manifest.asked.to);
                if Reach::is_doubtful(manifest.asked.to, begun, reach) {
                    doubt(&mut manifest);
                }
                None
            }
            Err(CutError::Cancelled) if self.is_cancelled() => return None,
            Err(error) => {
                let failure = self.extractor.failure_of(&error);
                fail(&mut manifest, failure, Some("the window's end could not be added"));
                Some(error)
            }
        };
        Some((self.write_down(job, manifest, error.as_ref(), begun).await, hold))
    }

    /// Ends `job`: at once when nothing is done for it just now.
    pub(crate) async fn end(self: &Arc<Self>, job: &Arc<Job>) {
        job.cancel();
        // One that waits for a seat hears of it only when it gets one; nobody has to wait that long.
        if job.manifest().state == State::Queued
            && let Some(hold) = job.try_hold()
        {
            let manifest = self.fail(job, Failure::Cancelled, "cancelled before it was begun").await;
            self.settle(job, (manifest, hold));
            self.desk.leave(job);
        }
    }

    /// Ends an open job with what it has.
    async fn close(self: &Arc<Self>, job: &Arc<Job>) {
        let found = self.failed(job, Failure::Cancelled, "cancelled before the window was over").await;
        self.settle(job, found);
    }

    /// Writes down that a job can be done no better.
    async fn failed(self: &Arc<Self>, job: &Arc<Job>, failure: Failure, reason: &str) -> Found {
        let hold = job.searching().await;
        (self.fail(job, failure, reason).await, hold)
    }

    /// The same for who keeps its names.
    async fn fail(self: &Arc<Self>, job: &Arc<Job>, failure: Failure, reason: &str) -> Manifest {
        let mut manifest = Manifest::clone(&job.manifest());
        fail(&mut manifest, failure, Some(reason));
        self.write_down(job, manifest, None, Timestamp::now()).await
    }

    async fn search(
        self: &Arc<Self>,
        job: &Arc<Job>,
        manifest: &Arc<Manifest>,
        from: Option<Timestamp>,
        reach: Option<Extent>,
    ) -> Result<Haul, CutError> {
        let rules = self.rules.get();
        if !self.have_room() {
            return Err(CutError::NoSpace("less than min_free_bytes is left".to_owned()));
        }
        let filter = filter::parse(&manifest.filter).map_err(|error| CutError::Failed(error.to_string()))?;
        let window = manifest.window().map_err(|error| CutError::Failed(error.to_string()))?;
        let cut = Cut {
            manifest: Arc::clone(manifest),
            filter,
            window,
            from,
            limits: rules.limits,
            keep_free: rules.min_free_bytes,
            recorded: reach.and_then(|reach| reach.recorded),
        };
        let haul = self.extractor.cut(&cut, job.cancelled()).await?;
        self.figures.searched(&haul);
        Ok(haul)
    }

    async fn look(&self, now: Timestamp) -> Option<Extent> {
        let reach = Arc::clone(&self.reach);
        // A panic has been logged where it happened.
        tokio::task::spawn_blocking(move || reach.look(now)).await.unwrap_or(None)
    }

    /// Writes the manifest, and logs the line of the job.
    async fn write_down(
        self: &Arc<Self>,
        job: &Arc<Job>,
        mut manifest: Manifest,
        error: Option<&CutError>,
        begun: Timestamp,
    ) -> Manifest {
        let now = Timestamp::now();
        manifest.updated = now;
        manifest.finished = (!manifest.open).then_some(now);
        let took = since(begun, now);
        let before = job.manifest().file.clone();
        if let Some(before) = before.filter(|before| Some(before) != manifest.file.as_ref()) {
            // What was found has packets of another kind than before, and so the file has another form and name. The old one goes
            // first: after an end in between, the new one is what is found.
            let removed = tokio::fs::remove_file(self.folder.path(&before)).await;
            removed.unwrap_or_else(|error| log::warn!("{before} cannot be removed: {error}"));
        }
        let (folder, written) = (Arc::clone(&self.folder), manifest.clone());
        // A panic has been logged where it happened.
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || folder.rewrite(&written)).await {
            log::error!("job name={}: its manifest cannot be written: {error}", manifest.name);
            self.write_later(manifest.clone());
        }
        JobLine::new(&manifest, error, took).log();
        if !manifest.open {
            self.figures.ended(&manifest);
            self.recent.note(&manifest);
        }
        manifest
    }
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(since(from, to).as_millis()).unwrap_or(u64::MAX)
}

/// The time between two instants; none when the clock was set back.
fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(to.as_nanos().saturating_sub(from.as_nanos())).unwrap_or(0))
}
