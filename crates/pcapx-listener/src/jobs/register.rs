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
        // Whatever its name is by now.
        if let Some(job) = self.job_of(&question.identity) {
            return Ok(Registered::Joined(job));
        }
        let standing = self.folder.standing(&question.stem, &question.identity, &question.subject)?;
        let mut manifest = self.manifest(question, origin);
        match standing {
            Standing::Free(name) => {
                manifest.name = name;
                self.begin(manifest)
            }
            Standing::Same(found) => self.again(manifest, found),
            Standing::Earlier(found, aside) => {
                match (self.step_aside(&found.name)?, aside) {
                    (Some(found), Some(aside)) => {
                        let back = self.folder.come_back(&aside, &found)?;
                        self.again(manifest, Box::new(back))
                    }
                    (Some(found), None) => {
                        manifest.name.clone_from(&found.name);
                        self.folder.write(&manifest)?;
                        self.folder.vacate(&found)?;
                        Ok(self.started(manifest))
                    }
                    // It is being worked on just now: it keeps its name, and so does what stands beside it.
                    (None, Some(aside)) => self.again(manifest, aside),
                    (None, None) => {
                        manifest.name = self.folder.free_name(&question.stem)?;
                        self.begin(manifest)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use pcapx_core::config::Config;
    use pcapx_core::local::LocalZone;
    use pcapx_timeline::catalog::Timeline;
    use pcapx_timeline::index::IndexPlace;
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::evidence::EvidenceFolder;
    use crate::extractor::{Choice, Recording};
    use crate::jobs::Reach;
    use crate::query::Query;
    use crate::question::{Asked, Reader};

    const STEM: &str = "20250209_112000_a";

    /// Jobs that nobody works on, and questions about one alert.
    struct House {
        dir: TempDir,
        jobs: Arc<Jobs>,
        reader: Reader,
    }

    impl House {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            let keys = json!({
                "host": "h", "listen_port": 1, "fileserver_port": 2, "timeline_dir": at("timeline"),
                "output_dir": at("alerts"), "default_filter": "full", "default_before": 360,
                "default_after": 360, "extractor": "builtin",
            });
            fs::write(at("config.json"), keys.to_string()).unwrap();
            let config = Config::load(Some(&at("config.json"))).unwrap().config;
            let zone = LocalZone::named("UTC").unwrap();
            let evidence = Arc::new(EvidenceFolder::open(&config.output_dir).unwrap());
            let timeline = Arc::new(Timeline::new([&config.timeline_dir]));
            let reach = Reach::new(Arc::clone(&timeline), config.timeline_dir.clone());
            let recording = Recording { timeline, place: IndexPlace::beside(), indexer: None };
            let choice = Choice::make(&config).unwrap();
            let extractor = choice.build(&config, &zone, Arc::clone(&evidence), recording);
            let jobs = Jobs::new(&config, extractor, evidence, reach);
            Self { reader: Reader::new(&config, zone), dir, jobs }
        }

        fn ask(&self, query: &str) -> Registered {
            let alert = json!({
                "id": "a", "clientIp": "10.0.0.1", "serverIp": "10.0.0.2", "serverPort": 443,
                "unixTimestamp": 1_739_100_000,
            });
            let query = Query::parse("/", Some(query));
            let asked = self.reader.read(alert.as_object().unwrap().clone(), &query, Timestamp::now());
            let Asked::Question(question) = asked else { panic!("{asked:?}") };
            let peer = [127, 0, 0, 1].into();
            let (request, user) = ("0-1".to_owned(), "-".to_owned());
            self.jobs.register(&question, &Origin { request, peer, user, at: Timestamp::now() })
        }

        #[track_caller]
        fn new_job(&self, query: &str, name: &str) -> Arc<Job> {
            match self.ask(query) {
                Registered::New(job) if job.manifest().name == name => job,
                other => panic!("{other:?}"),
            }
        }

        #[track_caller]
        fn known(&self, query: &str, name: &str) {
            match self.ask(query) {
                Registered::Known(manifest) if manifest.name == name => {
                    assert_eq!(manifest.file, Some(format!("{name}.pcap")));
                    assert_eq!(fs::read_to_string(self.path(&format!("{name}.pcap"))).unwrap(), query);
                }
                other => panic!("{other:?}"),
            }
        }

        #[track_caller]
        fn joins(&self, query: &str, job: &Arc<Job>) {
            match self.ask(query) {
                Registered::Joined(joined) if Arc::ptr_eq(&joined, job) => {}
                other => panic!("{other:?}"),
            }
        }

        /// The job has found packets, which tell the query.
        fn complete(&self, job: &Arc<Job>, query: &str) {
            let mut manifest = Manifest::clone(&job.manifest());
            let file = format!("{}.pcap", manifest.name);
            fs::write(self.path(&file), query).unwrap();
            (manifest.state, manifest.open) = (State::Complete, false);
            (manifest.file, manifest.bytes) = (Some(file), Some(query.len() as u64));
            self.jobs.folder.rewrite(&manifest).unwrap();
            self.jobs.forget(job);
        }

        fn path(&self, file: &str) -> std::path::PathBuf {
            self.dir.path().join("alerts").join(file)
        }
    }

    #[test]
    fn an_answer_that_stepped_aside_is_given_where_it_is_while_the_newer_one_is_searched() {
        let house = House::new();
        let full = house.new_job("filter=full", STEM);
        house.complete(&full, "filter=full");
        let hosts = house.new_job("filter=hosts", STEM);
        let hold = hosts.try_hold().unwrap();
        for _ in 0..2 {
            house.known("filter=full", &format!("{STEM}.1"));
        }
        house.joins("filter=hosts", &hosts);
        // What has not been asked before gets a name of its own.
        let client = house.new_job("filter=client", &format!("{STEM}-2"));
        house.joins("filter=client", &client);
        // Once it may move, the alert's own name shows what was asked last.
        drop(hold);
        house.known("filter=full", STEM);
        assert_eq!(hosts.manifest().name, format!("{STEM}.2"));
        house.joins("filter=hosts", &hosts);
    }

    #[test]
    fn an_answer_beside_a_name_that_has_become_free_is_found() {
        let house = House::new();
        let full = house.new_job("filter=full", STEM);
        house.complete(&full, "filter=full");
        let hosts = house.new_job("filter=hosts", STEM);
        house.complete(&hosts, "filter=hosts");
        for ending in ["json", "pcap"] {
            fs::remove_file(house.path(&format!("{STEM}.{ending}"))).unwrap();
        }
        house.known("filter=full", &format!("{STEM}.1"));
        house.new_job("filter=client", STEM);
    }

    #[test]
    fn a_job_is_joined_whatever_its_name_is() {
        let house = House::new();
        let jobs: Vec<_> =
            [("full", STEM.to_owned()), ("hosts", format!("{STEM}-2")), ("client", format!("{STEM}-3"))]
                .into_iter()
                .map(|(mode, name)| {
                    let job = house.new_job(&format!("filter={mode}"), &name);
                    (mode, job.try_hold().unwrap(), job)
                })
                .collect();
        // Somebody has removed what stood between.
        house.jobs.forget(&jobs[1].2);
        fs::remove_file(house.path(&format!("{STEM}-2.json"))).unwrap();
        house.joins("filter=client", &jobs[2].2);
        house.joins("filter=full", &jobs[0].2);
        house.new_job("filter=hosts", &format!("{STEM}-2"));
    }
}
