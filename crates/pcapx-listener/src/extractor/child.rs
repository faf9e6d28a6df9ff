//! Runs one external program so that nothing of it is left when the run is over.
//!
//! ```text
//! spawn in a group of its own ─► wait for exit │ limit │ cancel │ no room ─► SIGKILL the group ─► reap
//! ```
//!
//! The group is killed in every case, after a good exit too, *before* the child is reaped: until then its
//! process id, which is the group's, cannot be given to anybody else. A process that leaves the group by
//! itself (`setsid`) is out of reach; under systemd the unit's control group still holds it.

use std::io;
use std::os::unix::process::CommandExt;
use std::pin::pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::sync::oneshot;
use tokio::time;

use crate::cancel::Cancel;

/// How much of what the program wrote to stderr is kept: the end, where the reason of a failure stands.
const STDERR_TAIL_BYTES: usize = 4096;
/// How long a killed child may take to be gone; only one that is stuck in the kernel takes longer.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// How long stderr may stay open once everybody who ought to hold it is dead.
const STDERR_GRACE: Duration = Duration::from_millis(250);

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The child exited, or somebody else killed it.
    Exited(ExitStatus),
    /// It ran over the limit and was killed.
    TimedOut,
    /// The service asked for its end and it was killed.
    Cancelled,
    /// There was no room for what it writes and it was killed.
    NoRoom,
}

/// A finished run.
#[derive(Debug)]
pub(super) struct Run {
    /// How it ended.
    pub(super) ending: Ending,
    /// The last bytes it wrote to stderr.
    pub(super) stderr: Vec<u8>,
}

/// Runs `command` without stdin and stdout for at most `limit`, and no longer than until `full` is ready.
pub(super) async fn run(
    mut command: Command,
    limit: Duration,
    mut cancel: Cancel,
    full: impl Future<Output = ()>,
) -> io::Result<Run> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut group = Group::lead_by(command.spawn()?);
    let (dead, died) = oneshot::channel();
    let stderr = match group.child.stderr.take() {
        Some(pipe) => Some(tokio::spawn(tail_of(ChildStderr::from_std(pipe)?, died))),
        None => None,
    };

    let leader = group.leader;
    let mut exited = tokio::task::spawn_blocking(move || await_exit(leader));
    let early = tokio::select! {
        biased;
        _ = &mut exited => None,
        () = cancel.requested() => Some(Ending::Cancelled),
        () = time::sleep(limit) => Some(Ending::TimedOut),
        () = full => Some(Ending::NoRoom),
    };
    group.kill();
    let ending = match early {
        None => Ending::Exited(group.reap()?),
        Some(early) => {
            match time::timeout(KILL_GRACE, exited).await {
                Ok(_) => drop(group.reap()?),
                Err(_) => log::error!("process {} was killed and does not end", leader.as_raw_nonzero()),
            }
            early
        }
    };
    drop(dead);
    let stderr = match stderr {
        Some(tail) => tail.await.unwrap_or_default(),
        None => Vec::new(),
    };
    Ok(Run { ending, stderr })
}

/// A child and the processes it starts. Dropping it kills them all.
struct Group {
    child: Child,
    leader: Pid,
    reaped: bool,
}

impl Group {
    fn lead_by(child: Child) -> Self {
        Self { leader: Pid::from_child(&child), child, reaped: false }
    }

    fn kill(&self) {
        // The leader is not reaped, so the group exists; there is nobody to tell if the kernel refuses.
        if !self.reaped {
            let _ = rustix::process::kill_process_group(self.leader, Signal::KILL);
        }
    }

    /// Collects the leader, which has ended already.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = self.child.try_wait();
        }
    }
}

/// Blocks until `child` has ended and leaves it to be reaped.
fn await_exit(child: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(child), options) {}
}

/// Reads `pipe` to its end, or until shortly after `died` is closed, and keeps the last bytes.
///
/// A grandchild outside the group can hold the pipe open for ever; it is not waited for.
async fn tail_of(mut pipe: ChildStderr, died: oneshot::Receiver<()>) -> Vec<u8> {
    let mut over = pin!(async {
        let _ = died.await;
        time::sleep(STDERR_GRACE).await;
    });
    let mut tail = Vec::new();
    let mut chunk = [0; STDERR_TAIL_BYTES];
    loop {
        tokio::select! {
            read = pipe.read(&mut chunk) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    tail.extend_from_slice(&chunk[..count]);
                    tail.drain(..tail.len().saturating_sub(STDERR_TAIL_BYTES));
                }
            },
            () = &mut over => break,
        }
    }
    tail
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::cancel::Canceller;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    async fn run_for(script: &str, limit: Duration) -> Run {
        let canceller = Canceller::new();
        run(shell(script), limit, canceller.subscribe(), pending()).await.unwrap()
    }

    #[tokio::test]
    async fn keeps_the_end_of_a_long_stderr() {
        let script = "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 3";
        let run = run_for(script, Duration::from_secs(60)).await;
        assert!(matches!(run.ending, Ending::Exited(status) if status.code() == Some(3)), "{run:?}");
        assert_eq!(run.stderr.len(), STDERR_TAIL_BYTES);
        assert!(run.stderr.ends_with(b"line 1998\nline 1999\n"));
    }

    #[tokio::test]
    async fn a_pipe_held_outside_the_group_is_not_waited_for() {
        // The grandchild leaves the group, says so, keeps stderr, and ends by itself once it is told to.
        let folder = tempfile::tempdir().unwrap();
        let [ready, hold] = ["ready", "hold"].map(|name| folder.path().join(name));
        assert!(Command::new("mkfifo").args([&ready, &hold]).status().unwrap().success());
        let (ready, hold) = (ready.display(), hold.display());
        let script = format!(
            "setsid sh -c 'echo up > {ready}; read line < {hold}' & read line < {ready}; echo gone >&2"
        );
        let run = run_for(&script, Duration::from_secs(60)).await;
        assert!(matches!(run.ending, Ending::Exited(status) if status.success()), "{run:?}");
        assert_eq!(run.stderr, b"gone\n");
        std::fs::write(hold.to_string(), "go\n").unwrap();
    }

    #[tokio::test]
    async fn over_the_limit_cancelled_or_without_room_it_is_killed() {
        let run = run_for("while :; do sleep 1000; done", Duration::from_millis(50)).await;
        assert!(matches!(run.ending, Ending::TimedOut), "{run:?}");

        let canceller = Canceller::new();
        let cancel = canceller.subscribe();
        canceller.cancel();
        let long = Duration::from_secs(1000);
        let run = super::run(shell("sleep 1000"), long, cancel, pending()).await.unwrap();
        assert!(matches!(run.ending, Ending::Cancelled), "{run:?}");

        let cancel = Canceller::new();
        let run = super::run(shell("sleep 1000"), long, cancel.subscribe(), async {}).await.unwrap();
        assert!(matches!(run.ending, Ending::NoRoom), "{run:?}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let canceller = Canceller::new();
        let missing = Command::new("/nonexistent/npcapextract");
        let error = run(missing, Duration::from_secs(1), canceller.subscribe(), pending()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
