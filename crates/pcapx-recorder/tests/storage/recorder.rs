//! The recorder as a program.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use pcapx_testkit::process::{PATIENCE, Running, Signal, poll};
use pcapx_timeline::recorder::RecorderStatus;

/// A recorder of the loopback that runs.
pub(crate) struct Recorder {
    process: Running,
    log: PathBuf,
    timeline: PathBuf,
}

/// Where a recorder records to.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) dump: PathBuf,
    pub(crate) timeline: PathBuf,
    pub(crate) log: PathBuf,
}

impl Place {
    /// Dump folder and timeline are one, as n2disk is shipped.
    pub(crate) fn one_tree(folder: &Path) -> Self {
        Self { dump: folder.join("rolling"), timeline: folder.join("rolling"), log: folder.join("log") }
    }

    /// Dump folder and timeline stand beside each other.
    pub(crate) fn two_trees(folder: &Path) -> Self {
        Self { dump: folder.join("dump"), timeline: folder.join("timeline"), log: folder.join("log") }
    }

    /// The same with the log in another folder.
    pub(crate) fn log_in(self, folder: &Path) -> Self {
        Self { log: folder.join("log"), ..self }
    }

    /// Starts a recorder there and waits until it records.
    #[track_caller]
    pub(crate) fn record(&self, words: &str) -> Recorder {
        let recorder = self.launch(words);
        recorder.wait_for_log("recording ");
        recorder
    }

    /// Starts one and waits for nothing.
    pub(crate) fn launch(&self, words: &str) -> Recorder {
        let log = File::create(&self.log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcapx-recorder"));
        command.args(["-i", "lo", "-s", "0", "-d", "-I", "-b", "64"]);
        command.arg("-o").arg(&self.dump).arg("-A").arg(&self.timeline);
        command.args(words.split_whitespace()).env("TZ", "UTC").stderr(log);
        let process = Running::spawn(&mut command).unwrap();
        Recorder { process, log: self.log.clone(), timeline: self.timeline.clone() }
    }
}

impl Recorder {
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let found = poll(PATIENCE, || self.log().contains(text).then_some(()));
        assert!(found.is_some(), "no {text:?} in:\n{}", self.log());
    }

    /// What it tells, once `holds` is true of it.
    #[track_caller]
    pub(crate) fn wait_for_status(&self, holds: impl Fn(&RecorderStatus) -> bool) -> RecorderStatus {
        // What an earlier one has told last may still stand there.
        let is_own = |status: &RecorderStatus| status.process == self.pid() && holds(status);
        let told = poll(PATIENCE, || RecorderStatus::read(&self.timeline).ok().filter(is_own));
        told.unwrap_or_else(|| panic!("{:?}\n{}", RecorderStatus::read(&self.timeline), self.log()))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait(PATIENCE);
    }

    /// Stops it; its exit code and its log.
    pub(crate) fn stop(self) -> (Option<i32>, String) {
        self.process.signal(Signal::TERM);
        self.end()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let Some(status) = self.process.wait(PATIENCE) else { panic!("it goes on:\n{}", self.log()) };
        (status.code(), self.log())
    }
}
