//! A process of a test's own that never outlives the test.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::poll;

/// A started program; killed and reaped when dropped, so also when its test panics.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Set once it is reaped: its id may be another process's from then on.
    ended: Option<ExitStatus>,
}

impl Running {
    /// Starts `command`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: command.spawn()?, ended: None })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends any signal; needs no program `kill`, which a small system lacks. A process that has ended already is no
    /// error.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits for its end, at most for `patience`; `None` when it still runs then.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        poll(patience, || self.ended())
    }

    /// Its piped stdout and stderr, which can be taken once.
    pub(super) fn take_output(&mut self) -> [Option<Box<dyn Read + Send>>; 2] {
        let stdout = self.child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let stderr = self.child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        [stdout, stderr]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::PathBuf;

    use super::super::PATIENCE;
    use super::*;

    fn sleeper() -> (Running, PathBuf) {
        let process = Running::spawn(Command::new("sleep").arg("600")).unwrap();
        let entry = PathBuf::from(format!("/proc/{}", process.pid()));
        assert!(entry.exists());
        (process, entry)
    }

    #[test]
    fn a_signal_arrives_and_the_end_is_told_again_and_again() {
        let (mut process, _) = sleeper();
        assert_eq!(process.ended(), None);
        process.signal(Signal::TERM);
        for _ in 0..2 {
            assert_eq!(process.wait(PATIENCE).and_then(|status| status.signal()), Some(15));
            process.signal(Signal::KILL);
        }
    }

    #[test]
    fn it_does_not_outlive_a_panic() {
        let (process, entry) = sleeper();
        let panicked = std::thread::spawn(move || {
            let _process = process;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err());
        assert!(!entry.exists());
    }
}
