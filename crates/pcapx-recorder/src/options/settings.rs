//! Options, resolved.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcapx_core::filter::Expr;
use pcapx_timeline::segment::MAX_PACKET_BYTES;

use super::slicing::Layer;

/// Bytes of what n2disk calls a megabyte.
pub(super) const MB: u64 = 1 << 20;

/// How to record. `Display` is a configuration file that resolves to the same.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Settings {
    /// What is recorded; without any only in simulations that capture nothing.
    pub inputs: Vec<Input>,
    /// The most bytes kept of a packet.
    pub snaplen: u32,
    /// The last header that is kept; `None` keeps what is behind it, too.
    pub slicing: Option<Layer>,
    /// Which packets of an interface.
    pub direction: Direction,
    /// Whether what is sent to other machines is recorded, too.
    pub promiscuous: bool,
    /// What is true of the packets recorded.
    pub filter: Option<Expr>,
    /// Whether the stamps of the card are preferred.
    pub hardware_time: bool,
    /// Whether interfaces that are down are set up.
    pub link_up: bool,
    /// Whether time stamps are written in nanoseconds.
    pub nanoseconds: bool,
    /// Threads that one interface is shared out to.
    pub threads: NonZeroUsize,
    /// Bytes of the ring.
    pub buffer_bytes: u64,
    /// The folder of the segments.
    pub dump: PathBuf,
    /// The folder of the links to them by time.
    pub timeline: Option<PathBuf>,
    /// Whether segments are indexed while they are recorded.
    pub index: bool,
    /// The most bytes of a segment.
    pub file_bytes: u64,
    /// The longest time of a segment.
    pub file_duration: Option<Duration>,
    /// The most packets of a segment.
    pub file_packets: Option<u64>,
    /// The most that the recording takes.
    pub disk_limit: DiskLimit,
    /// Rights of files.
    pub file_mode: u32,
    /// Rights of folders.
    pub dir_mode: u32,
    /// The user to become once the sockets are open.
    pub user: Option<String>,
    /// The file for the number of the process.
    pub pid_file: Option<PathBuf>,
    /// Where it is told to Prometheus how it goes.
    pub metrics: Option<SocketAddr>,
    /// 0 tells what matters, 1 more, 2 all.
    pub verbosity: u8,
    /// What is measured instead of recording.
    pub simulation: Option<Simulation>,
    /// Whether to print the settings and end.
    pub check: bool,
}

/// Where packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A network interface.
    Interface(String),
    /// A capture file.
    File(PathBuf),
}

/// Which packets of an interface are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What it receives.
    Received,
    /// What this machine sends, too.
    Both,
}

/// The most that a recording takes of its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskLimit {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the file system, 1 to 100.
    Percent(u8),
}

/// What is measured instead of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulation {
    /// The disk: made-up packets are written.
    Disk,
    /// The capture: packets are taken and thrown away.
    Capture,
    /// The same, and indexes are built.
    Index,
    /// All between capture and disk: made-up packets are thrown away.
    Core,
}

impl Simulation {
    /// Every one with its number and its word.
    pub(super) const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Disk, "1", "disk"),
        (Self::Capture, "2", "capture"),
        (Self::Index, "3", "index"),
        (Self::Core, "4", "core"),
    ];

    /// Whether packets are captured.
    pub const fn captures(self) -> bool {
        matches!(self, Self::Capture | Self::Index)
    }

    /// Whether files are written.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Disk)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for input in &self.inputs {
            match input {
                Input::Interface(name) => writeln!(f, "--interface={name}")?,
                Input::File(path) => writeln!(f, "--interface={}", path_value(path))?,
            }
        }
        match self.snaplen {
            MAX_PACKET_BYTES => writeln!(f, "--snaplen=0    # whole packets")?,
            bytes => writeln!(f, "--snaplen={bytes}")?,
        }
        if let Some(layer) = self.slicing {
            writeln!(f, "--packet-slicing={}", layer.number())?;
        }
        match self.direction {
            Direction::Received => writeln!(f, "--capture-direction=1    # what is received")?,
            Direction::Both => writeln!(f, "--capture-direction=0    # what is received and what is sent")?,
        }
        flag(f, "not-promisc", !self.promiscuous)?;
        if let Some(filter) = &self.filter {
            writeln!(f, "--filter={}", quoted(&filter.to_string()))?;
        }
        flag(f, "hardware-time", self.hardware_time)?;
        flag(f, "link-up", self.link_up)?;
        flag(f, "nanoseconds", self.nanoseconds)?;
        writeln!(f, "--threads={}", self.threads)?;
        megabytes(f, "buffer-len", self.buffer_bytes)?;
        writeln!(f, "--dump-directory={}", path_value(&self.dump))?;
        if let Some(path) = &self.timeline {
            writeln!(f, "--timeline-dir={}", path_value(path))?;
        }
        flag(f, "index", self.index)?;
        megabytes(f, "max-file-len", self.file_bytes)?;
        let secs = self.file_duration.map_or(0, |duration| duration.as_secs());
        writeln!(f, "--max-file-duration={secs}    # {}", if secs == 0 { "no limit" } else { "seconds" })?;
        if let Some(packets) = self.file_packets {
            writeln!(f, "--max-file-packets={packets}")?;
        }
        match self.disk_limit {
            DiskLimit::Bytes(bytes) => megabytes(f, "disk-limit", bytes)?,
            DiskLimit::Percent(percent) => writeln!(f, "--disk-limit={percent}%")?,
        }
        writeln!(f, "--file-mode={:o}", self.file_mode)?;
        writeln!(f, "--dir-mode={:o}", self.dir_mode)?;
        if let Some(user) = &self.user {
            writeln!(f, "--unprivileged-user={user}")?;
        }
        if let Some(path) = &self.pid_file {
            writeln!(f, "--pid={}", path_value(path))?;
        }
        if let Some(address) = self.metrics {
            writeln!(f, "--metrics={address}")?;
        }
        for _ in 0..self.verbosity {
            writeln!(f, "--verbose")?;
        }
        if let Some((_, _, word)) = Simulation::ALL.iter().find(|(mode, ..)| Some(*mode) == self.simulation) {
            writeln!(f, "--simulate={word}")?;
        }
        flag(f, "check", self.check)
    }
}

fn flag(f: &mut fmt::Formatter<'_>, name: &str, is_set: bool) -> fmt::Result {
    if is_set { writeln!(f, "--{name}") } else { Ok(()) }
}

fn megabytes(f: &mut fmt::Formatter<'_>, name: &str, bytes: u64) -> fmt::Result {
    writeln!(f, "--{name}={}    # MB; {bytes} bytes", bytes / MB)
}

fn path_value(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A value as it can stand on a line: in quotes where it would be read otherwise without them.
fn quoted(value: &str) -> String {
    if !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '#')) {
        return value.to_owned();
    }
    let quote = if value.contains('"') { '\'' } else { '"' };
    format!("{quote}{value}{quote}")
}
