//! A running service: its ready line, its log, its end.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{PATIENCE, Running, Site, poll};

/// A service that has said it is ready. It is killed when dropped.
#[derive(Debug)]
pub struct Service {
    process: Running,
    address: SocketAddr,
    stdout: Stream,
    stderr: Stream,
}

/// How a service ended.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// All it wrote to stdout.
    pub stdout: String,
    /// All it wrote to stderr.
    pub stderr: String,
}

/// A service that did not become ready.
#[derive(Clone, Debug)]
pub struct NotReady {
    /// How it ended, or `None` when it lived on in silence and was killed.
    pub status: Option<ExitStatus>,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "the service ended with {status} instead of getting ready")?,
            None => write!(f, "the service said nothing for {} s", PATIENCE.as_secs())?,
        }
        write!(f, "; stderr:\n{}", self.stderr)
    }
}

impl std::error::Error for NotReady {}

impl Service {
    /// Runs `binary` on the site's configuration and waits until it is ready.
    ///
    /// # Panics
    /// When it does not get ready; the message holds its stderr.
    pub fn start(binary: impl AsRef<OsStr>, site: &Site) -> Self {
        match Self::spawn(&mut site.command(binary)) {
            Ok(service) => service,
            Err(not_ready) => panic!("{not_ready}"),
        }
    }

    /// Runs `binary` with the configuration of `site` as a service manager would, its log in a file of the site: nobody here
    /// spends time on reading it. For measurements.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start_with_log_in_file(binary: impl AsRef<OsStr>, site: &Site) -> Self {
        let plain = site.command(&binary);
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 2> service.log"]).arg(binary).args(plain.get_args());
        command.current_dir(site.path());
        Self::spawn(&mut command).unwrap_or_else(|not_ready| panic!("{not_ready}"))
    }

    /// Runs `command` and waits until a line with `http://ADDRESS:PORT`, or `https`, appears on its stdout.
    ///
    /// # Panics
    /// When the program cannot be started at all.
    pub fn spawn(command: &mut Command) -> Result<Self, NotReady> {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = match Running::spawn(piped) {
            Ok(process) => process,
            Err(error) => panic!("cannot run {}: {error}", command.get_program().display()),
        };
        let [stdout, stderr] = process.take_output().map(Stream::collect);
        let address = poll(PATIENCE, || {
            let ready = stdout.lines().iter().find_map(|line| address_of(line));
            let ended = stdout.is_closed() || process.ended().is_some();
            ready.map(Some).or(ended.then_some(None))
        });
        if let Some(Some(address)) = address {
            return Ok(Self { process, address, stdout, stderr });
        }
        let status = process.wait(Duration::from_secs(1));
        drop(process);
        stderr.wait_until_closed();
        Err(NotReady { status, stderr: stderr.text() })
    }

    /// Where it listens: the address of its ready line, loopback where that says "any".
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS:PORT` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The lines of its stdout so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// The lines of its stderr so far.
    pub fn log(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// The first line of its stderr that `is_it`, waited for.
    ///
    /// # Panics
    /// When no such line comes in [`PATIENCE`].
    pub fn wait_for_log(&self, is_it: impl Fn(&str) -> bool) -> String {
        match poll(PATIENCE, || self.log().into_iter().find(|line| is_it(line))) {
            Some(line) => line,
            None => panic!("the line waited for did not come; stderr:\n{}", self.stderr.text()),
        }
    }

    /// Asks it to end with SIGTERM, and does not wait.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends any signal. A process that has ended already is no error.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end, at most for `patience`; `None` when it still runs then.
    pub fn wait(&mut self, patience: Duration) -> Option<Exit> {
        let status = self.process.wait(patience)?;
        self.stdout.wait_until_closed();
        self.stderr.wait_until_closed();
        Some(Exit { status, stdout: self.stdout.text(), stderr: self.stderr.text() })
    }

    /// SIGTERM, then waits for its end.
    ///
    /// # Panics
    /// When it still runs after [`PATIENCE`].
    pub fn stop(mut self) -> Exit {
        self.terminate();
        match self.wait(PATIENCE) {
            Some(exit) => exit,
            None => panic!("the service does not stop on SIGTERM; stderr:\n{}", self.stderr.text()),
        }
    }
}

/// The address in a ready line such as `pcapx-listener: listening on http://0.0.0.0:8888`.
fn address_of(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("http://").or_else(|| line.split_once("https://"))?;
    let mut address: SocketAddr = address.trim_end().trim_end_matches('/').parse().ok()?;
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Some(address)
}

/// What a pipe has brought so far; a thread reads it, so that the child never waits for its reader.
#[derive(Clone, Debug, Default)]
struct Stream(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    closed: bool,
}

impl Stream {
    fn collect(pipe: Option<impl Read + Send + 'static>) -> Self {
        let stream = Self::default();
        let writer = stream.clone();
        thread::spawn(move || {
            if let Some(pipe) = pipe {
                let mut pipe = BufReader::new(pipe);
                let mut line = Vec::new();
                while matches!(pipe.read_until(b'\n', &mut line), Ok(1..)) {
                    let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                    writer.with(|lines| lines.lines.push(text));
                    line.clear();
                }
            }
            writer.with(|lines| lines.closed = true);
        });
        stream
    }

    fn with<T>(&self, work: impl FnOnce(&mut Lines) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lines(&self) -> Vec<String> {
        self.with(|lines| lines.lines.clone())
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    fn is_closed(&self) -> bool {
        self.with(|lines| lines.closed)
    }

    /// A grandchild may hold the pipe open beyond its parent's end, so this wait is short.
    fn wait_until_closed(&self) {
        poll(Duration::from_secs(2), || self.is_closed().then_some(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        command
    }

    #[test]
    fn reads_the_address_of_a_ready_line() {
        assert_eq!(address_of("x: listening on http://0.0.0.0:8888"), Some(([127, 0, 0, 1], 8888).into()));
        assert_eq!(address_of("http://[::]:1/"), "[::1]:1".parse().ok());
        assert_eq!(address_of("x: listening on https://[::1]:1"), "[::1]:1".parse().ok());
        assert_eq!(address_of("listening soon"), None);
    }

    #[test]
    fn a_ready_service_is_stopped_and_tells_its_log() {
        let script = "echo starting >&2; echo ready http://127.0.0.1:9; trap 'echo bye >&2; exit 3' TERM; \
                      while :; do sleep 0.01; done";
        let service = Service::spawn(&mut shell(script)).unwrap();
        assert_eq!(service.address(), ([127, 0, 0, 1], 9).into());
        assert_eq!(service.url("/a"), "http://127.0.0.1:9/a");
        assert_eq!(service.wait_for_log(|line| line.contains("start")), "starting");
        let exit = service.stop();
        assert_eq!((exit.status.code(), exit.stderr.as_str()), (Some(3), "starting\nbye"));
    }

    #[test]
    fn a_service_that_dies_first_tells_why() {
        let not_ready = Service::spawn(&mut shell("echo no port >&2; exit 1")).unwrap_err();
        assert_eq!(not_ready.status.and_then(|status| status.code()), Some(1));
        assert_eq!(not_ready.stderr, "no port");
    }

    #[test]
    fn a_dropped_service_is_dead() {
        let service = Service::spawn(&mut shell("echo http://127.0.0.1:9; exec sleep 600")).unwrap();
        let proc = std::path::PathBuf::from(format!("/proc/{}", service.pid()));
        assert!(proc.exists());
        drop(service);
        assert!(!proc.exists());
    }
}
