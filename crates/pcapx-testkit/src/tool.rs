//! Programs of the machine that tests compare with: found, or said aloud to be missing.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::capture::{Capture, read_pcap};

/// A program that is installed here.
#[derive(Clone, Debug)]
pub struct Tool {
    path: PathBuf,
}

/// Says on stderr that the calling test, or a part of it, is skipped, and why.
///
/// The test harness shows what the print macros write only when a test fails, and a skipped one passes. What is written
/// to stderr itself is shown always.
pub fn skipped(why: impl fmt::Display) {
    // The harness names a test's thread after the test, unless it runs tests one by one on the main thread.
    let thread = std::thread::current();
    let test =
        thread.name().filter(|name| *name != "main").map(|name| format!(" ({name})")).unwrap_or_default();
    // One write: lines of other tests do not get in between.
    let line = format!("SKIPPED: {why}{test}\n");
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Looks for `name` in `PATH` and where system administrators' programs are.
pub fn find(name: &str) -> Option<Tool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file()).map(|path| Tool { path })
}

/// The same, and says on stderr that the calling test is skipped when the program is missing.
pub fn require(name: &str) -> Option<Tool> {
    let tool = find(name);
    if tool.is_none() {
        skipped(format_args!("{name} is not installed"));
    }
    tool
}

/// A folder of captures from outside: `PCAPX_CAPTURES`, else `../shared/captures` beside the workspace. Says on stderr
/// that the calling test is skipped when there is no such folder.
pub fn require_captures() -> Option<PathBuf> {
    let folder = match std::env::var_os("PCAPX_CAPTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(format_args!("{} is no folder; PCAPX_CAPTURES names another", folder.display()));
    None
}

impl Tool {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command of it, without standard input.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        match self.command().args(args).output() {
            Ok(output) => output,
            Err(error) => panic!("cannot run {}: {error}", self.path.display()),
        }
    }
}

/// tcpdump: the oracle of what a filter means.
#[derive(Clone, Debug)]
pub struct Tcpdump {
    tool: Tool,
    optimizes: bool,
}

/// tcpdump refuses a filter or a file; the text is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcpdump refuses: {}", self.0)
    }
}

impl std::error::Error for Refused {}

impl Tcpdump {
    /// As [`require`].
    pub fn require() -> Option<Self> {
        require("tcpdump").map(|tool| Self { tool, optimizes: true })
    }

    /// The same without its optimizer, which leaves out tests that cannot change the answer: a packet that ends before
    /// the bytes of such a test is then rejected no longer.
    #[must_use]
    pub fn without_optimizer(self) -> Self {
        Self { optimizes: false, ..self }
    }

    /// The program.
    pub fn tool(&self) -> &Tool {
        &self.tool
    }

    /// The packets of `file` that `filter` matches, in order; an empty filter matches all. Time stamps have the file's
    /// precision. What tcpdump says of a file that ends inside a packet is passed over: the packets before it count.
    pub fn read(&self, file: &Path, filter: &str) -> Result<Capture, Refused> {
        let fixed = ["-n", "--time-stamp-precision=nano", "-w", "-", "-r"].map(OsStr::new);
        let optimizer = (!self.optimizes).then_some(OsStr::new("-O"));
        let args = optimizer.into_iter().chain(fixed).chain([file.as_os_str(), OsStr::new(filter)]);
        let output = self.tool.run(args);
        read_pcap(&output.stdout).map_err(|_| refused(&output))
    }

    /// Whether `filter` compiles for Ethernet.
    pub fn compiles(&self, filter: &str) -> Result<(), Refused> {
        let output = self.tool.run(["-n", "-y", "EN10MB", "-d", filter]);
        if output.status.success() { Ok(()) } else { Err(refused(&output)) }
    }
}

/// Its last words; the first line only says which file is read.
fn refused(output: &Output) -> Refused {
    let text = String::from_utf8_lossy(&output.stderr);
    Refused(text.lines().last().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use pcapx_core::time::Timestamp;

    use super::*;
    use crate::capture::{Interface, Packet, Pcap, Pcapng};
    use crate::packet::{Ethernet, Ipv4, Udp};

    #[test]
    fn a_missing_program_is_none() {
        assert!(find("no-such-program-anywhere").is_none());
        assert!(find("sh").is_some());
    }

    #[test]
    fn tcpdump_filters_every_form_in_the_files_precision() {
        let Some(tcpdump) = Tcpdump::require() else { return };
        let dir = tempfile::tempdir().unwrap();
        let frame =
            |port| Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(9, port)));
        let time = Timestamp::from_nanos(1_700_000_000_123_456_000);
        let packets = vec![Packet::new(time, frame(53)), Packet::new(time, frame(54))];
        let file = dir.path().join("a.pcap");
        for form in Pcap::forms() {
            form.write(&file, &packets);
            assert_eq!(tcpdump.read(&file, "port 54").unwrap().packets, packets[1..]);
            assert_eq!(tcpdump.read(&file, "").unwrap().packets, packets);
        }
        for section in [Pcapng::little_endian(), Pcapng::big_endian()] {
            let bytes = section
                .interface(Interface::new().resolution(9).offset_secs(1000))
                .block(0x0bad, b"nobody knows")
                .packet(0, time, &packets[0].data)
                .obsolete_packet(0, 3, time, &packets[1].data)
                .finish();
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(tcpdump.read(&file, "port 53").unwrap().packets, packets[..1]);
            assert_eq!(tcpdump.read(&file, "udp").unwrap().packets, packets);
        }
    }

    #[test]
    fn tcpdump_says_what_is_wrong_with_a_filter() {
        let Some(tcpdump) = Tcpdump::require() else { return };
        assert_eq!(tcpdump.compiles("host 1.2.3.4 and not port 80"), Ok(()));
        let Refused(why) = tcpdump.compiles("host and").unwrap_err();
        assert!(why.contains("syntax error"), "{why}");
    }
}
