//! The moment in which a question becomes a job: its name is found, and its manifest written.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use pcapx_core::manifest::{Failure, Manifest, Requested, Span, State, Versions};
use pcapx_core::time::Timestamp;
use serde_json::Value;

use super::{Job, Jobs};
use crate::evidence::{Shelved, Standing};
use crate::question::Question;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The request's id.
    pub(crate) request: String,
    /// The TCP peer.
    pub(crate) peer: IpAddr,
    /// As whom the client came.
    pub(crate) user: String,
    /// When.
    pub(crate) at: Timestamp,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Registered {
    /// A new job, written down.
    New(Arc<Job>),
    /// A job that does the same is under way.
    Joined(Arc<Job>),
    /// The answer is there.
    Known(Box<Manifest>),
    /// It cannot be written down.
    Refused(Failure),
}

impl Jobs {
    pub(super) fn register(&self, question: &Question, origin: &Origin) -> Registered {
        match self.try_register(question, origin) {
            Ok(registered) => registered,
            Err(error) => {
                log::error!("job id={} cannot be written down: output_dir: {error}", origin.request);
                Registered::Refused(failure_of(&error))
            }
        }
    }

    fn try_register(&self, question: &Question, origin: &Origin) -> io::Result<Registered> {
        let _names = self.hold_names();
        let standing = self.folder.standing(&question.stem, &question.identity, &question.subject)?;
        let mut manifest = self.manifest(question, origin);
        match standing {
            Standing::Free(name) => {
                manifest.name = name;
                self.begin(manifest)
            }
            Standing::Same(found) => self.again(manifest, found),
            Standing::Earlier(_, Some(aside)) if self.job(&aside.name).is_some() => {
                self.again(manifest, aside)
            }
            Standing::Earlier(found, aside) => {
                let Some(found) = self.step_aside(&found.name)? else {
                    // It is being worked on just now: it keeps its name.
                    manifest.name = self.folder.free_name(&question.stem)?;
                    return self.begin(manifest);
                };
                if let Some(aside) = aside {
                    let back = self.folder.come_back(&aside, &found)?;
                    return self.again(manifest, Box::new(back));
                }
                manifest.name.clone_from(&found.name);
                self.folder.write(&manifest)?;
                self.folder.vacate(&found)?;
                Ok(self.started(manifest))
            }
        }
    }

    /// The same question once more: it is under way, or answered, or asked anew under the same name.
    fn again(&self, mut manifest: Manifest, found: Box<Manifest>) -> io::Result<Registered> {
        if let Some(job) = self.job(&found.name) {
            return Ok(Registered::Joined(job));
        }
        // Its job may have ended since it was read.
        let mut found = match self.folder.manifest(&found.name)? {
            Shelved::Manifest(found) => found,
            Shelved::Nothing | Shelved::Damaged(_) => found,
        };
        if found.open {
            self.folder.reconcile(&mut found)?;
        }
        let has_capture = self.folder.capture_bytes(&found).is_some();
        if found.state == State::Complete && has_capture && self.extractor.is_exact() {
            return Ok(Registered::Known(found));
        }
        manifest.name.clone_from(&found.name);
        if has_capture {
            // What is there stays until there is more.
            (manifest.file, manifest.bytes, manifest.sha256) = (found.file, found.bytes, found.sha256);
            (manifest.packets, manifest.directions) = (found.packets, found.directions);
            manifest.limit = found.limit;
            let is_all = found.state == State::Complete;
            manifest.searched_up_to = if is_all { Some(found.asked.to) } else { found.searched_up_to };
        }
        self.begin(manifest)
    }

    /// Moves the evidence called `name` out of the way, and tells what it was; `None` when it is being worked on, or
    /// will be: an earlier run has left it open and nobody has taken it up yet.
    fn step_aside(&self, name: &str) -> io::Result<Option<Manifest>> {
        let hold = match self.job(name) {
            None => None,
            Some(job) => match job.try_hold() {
                Some(hold) => Some((job, hold)),
                None => return Ok(None),
            },
        };
        // Its job may have ended before we held it.
        let job = hold.as_ref().map(|(job, _)| job).filter(|_| self.job(name).is_some());
        let Shelved::Manifest(found) = self.folder.manifest(name)? else { return Ok(None) };
        if found.open && job.is_none() {
            return Ok(None);
        }
        // The job knows of what an earlier run has left, too. The alert stands on the disk alone.
        let found = match job {
            Some(job) => Manifest { alert: found.alert, ..Manifest::clone(&job.manifest()) },
            None => *found,
        };
        let moved = self.folder.step_aside(&found)?;
        log::info!("evidence {name} is asked for anew; the earlier answer is {}", moved.name);
        if let Some(job) = job {
            let mut active = self.active();
            active.remove(name);
            active.insert(moved.name.clone(), Arc::clone(job));
            job.show(moved);
        }
        Ok(Some(found))
    }

    fn begin(&self, manifest: Manifest) -> io::Result<Registered> {
        self.folder.write(&manifest)?;
        Ok(self.started(manifest))
    }

    /// Makes a job of a manifest that has been written.
    fn started(&self, manifest: Manifest) -> Registered {
        let name = manifest.name.clone();
        let job = Job::new(manifest);
        self.active().insert(name, Arc::clone(&job));
        Registered::New(job)
    }

    fn manifest(&self, question: &Question, origin: &Origin) -> Manifest {
        let request = Requested {
            id: origin.request.clone(),
            at: origin.at,
            peer: origin.peer.to_string(),
            user: origin.user.clone(),
        };
        let (name, filter) = (question.stem.clone(), question.filter.to_string());
        Manifest {
            mode: question.mode.map(|mode| mode.to_string()),
            client: question.client.clone(),
            about: question.about.clone(),
            alert: question.alert.clone().map(Value::Object),
            refused: question.refused.clone(),
            extractor: self.extractor.name().to_owned(),
            format: question.format,
            versions: Versions { pcapx: env!("CARGO_PKG_VERSION").to_owned() },
            question: question.identity.clone(),
            subject: question.subject.clone(),
            ..Manifest::accepted(name, filter, Span::of(question.window), request)
        }
    }
}

/// What clients are told of an error of the output folder.
fn failure_of(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::NoSpace,
        _ => Failure::NotWritable,
    }
}
