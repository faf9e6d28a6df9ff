//! The moment in which a question becomes a job: its name is found, and its manifest written.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use pcapx_core::manifest::{Failure, Manifest, Requested, SCHEMA, Span, State, Timings, Versions};
use pcapx_core::time::Timestamp;
use serde_json::Value;

use super::{Job, Jobs};
use crate::evidence::Standing;
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
                if !self.step_aside(&found)? {
                    // Its packets are being written just now: it keeps its name.
                    manifest.name = self.folder.free_name(&question.stem)?;
                    return self.begin(manifest);
                }
                match aside {
                    None => {
                        manifest.name.clone_from(&found.name);
                        let begun = self.begin(manifest)?;
                        self.folder.vacate(&found)?;
                        Ok(begun)
                    }
                    Some(aside) => {
                        self.folder.vacate(&found)?;
                        let back = self.folder.come_back(&aside, &found.name)?;
                        self.again(manifest, Box::new(back))
                    }
                }
            }
        }
    }

    /// The same question once more: it is under way, or answered, or asked anew under the same name.
    fn again(&self, mut manifest: Manifest, found: Box<Manifest>) -> io::Result<Registered> {
        if let Some(job) = self.job(&found.name) {
            return Ok(Registered::Joined(job));
        }
        let has_capture = self.folder.capture_bytes(&found).is_some();
        if found.state == State::Complete && has_capture && self.extractor.is_exact() {
            return Ok(Registered::Known(found));
        }
        manifest.name.clone_from(&found.name);
        if has_capture {
            // What is there stays until there is more.
            manifest.file = found.file;
            (manifest.packets, manifest.bytes, manifest.sha256) = (found.packets, found.bytes, found.sha256);
        }
        self.begin(manifest)
    }

    /// Moves `found` out of the way; `false` when it is being worked on.
    fn step_aside(&self, found: &Manifest) -> io::Result<bool> {
        let job = self.job(&found.name);
        let _hold = match &job {
            None => None,
            Some(job) => match job.try_hold() {
                Some(hold) => Some(hold),
                None => return Ok(false),
            },
        };
        let moved = self.folder.step_aside(found)?;
        log::info!("evidence {} is asked for anew; the earlier answer is {}", found.name, moved.name);
        if let Some(job) = &job {
            let mut active = self.active();
            active.remove(&found.name);
            active.insert(moved.name.clone(), Arc::clone(job));
            job.show(moved);
        }
        Ok(true)
    }

    fn begin(&self, manifest: Manifest) -> io::Result<Registered> {
        self.folder.write(&manifest)?;
        let name = manifest.name.clone();
        let job = Job::new(manifest);
        self.active().insert(name, Arc::clone(&job));
        Ok(Registered::New(job))
    }

    fn manifest(&self, question: &Question, origin: &Origin) -> Manifest {
        Manifest {
            schema: SCHEMA.to_owned(),
            name: question.stem.clone(),
            state: State::Queued,
            open: true,
            reason: None,
            failure: None,
            file: None,
            packets: None,
            bytes: None,
            sha256: None,
            limit: None,
            directions: None,
            filter: question.filter.to_string(),
            mode: question.mode.map(|mode| mode.to_string()),
            client: question.client.clone(),
            asked: Span::of(question.window),
            covered: Vec::new(),
            gaps: Vec::new(),
            searched_up_to: None,
            recording: None,
            capture_drops: None,
            search: None,
            segments: Vec::new(),
            unreadable: Vec::new(),
            about: question.about.clone(),
            alert: question.alert.clone().map(Value::Object),
            refused: question.refused.clone(),
            request: Requested {
                id: origin.request.clone(),
                at: origin.at,
                peer: origin.peer.to_string(),
                user: origin.user.clone(),
            },
            extractor: self.extractor.name().to_owned(),
            format: question.format,
            timings: Timings::default(),
            updated: origin.at,
            finished: None,
            versions: Versions { pcapx: env!("CARGO_PKG_VERSION").to_owned() },
            question: question.identity.clone(),
            subject: question.subject.clone(),
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
