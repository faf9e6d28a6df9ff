//! A folder with a timeline in it, and the program to run there.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, read_pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Ipv6, Tcp, Udp};
use tempfile::TempDir;

/// 2026-03-01 10:00:00 in Warsaw, 09:00:00 in UTC.
pub(crate) const TEN: i64 = 1_772_355_600;
/// Each file of the timeline has this many seconds.
const FILE_SECS: i64 = 60;
const FILES: i64 = 4;

/// A temporary folder with `timeline/` as n2disk leaves it, and `out/`.
pub(crate) struct Room {
    dir: TempDir,
}

/// What a run of the program has left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Room {
    /// With four minutes of traffic from ten o'clock on: each second a TCP packet to port 443, a DNS query in a VLAN, and
    /// one over IPv6.
    pub(crate) fn new() -> Self {
        let room = Self::empty();
        for file in 0..FILES {
            let packets: Vec<_> =
                (file * FILE_SECS..(file + 1) * FILE_SECS).flat_map(|second| traffic(TEN + second)).collect();
            room.record(TEN + file * FILE_SECS, &packets);
        }
        room
    }

    /// With an empty timeline.
    pub(crate) fn empty() -> Self {
        let room = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(room.timeline()).unwrap();
        fs::create_dir_all(room.path("out")).unwrap();
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn timeline(&self) -> PathBuf {
        self.path("timeline")
    }

    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.path("out").join(name)
    }

    /// A file in the dump folder, a link to it in the timeline's tree, and the link back.
    fn record(&self, second: i64, packets: &[Packet]) {
        let dump = self.timeline().join(format!("{TEN}.000000"));
        let tree = self.timeline().join("2026/03/01/10/00");
        fs::create_dir_all(&dump).unwrap();
        fs::create_dir_all(&tree).unwrap();
        let name = format!("{second}.000000.pcap");
        Pcap::new().write(&dump.join(&name), packets);
        symlink(dump.join(&name), tree.join(&name)).unwrap();
        symlink(tree.join(&name), dump.join(format!("{name}.timeline"))).unwrap();
    }

    /// The files of the dump folder.
    pub(crate) fn recorded(&self) -> Vec<PathBuf> {
        let dump = self.timeline().join(format!("{TEN}.000000"));
        (0..FILES).map(|file| dump.join(format!("{}.000000.pcap", TEN + file * FILE_SECS))).collect()
    }

    /// Sets the recorded files' times back, so that they count as finished.
    pub(crate) fn finish(&self) {
        for path in self.recorded() {
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(300)).unwrap();
        }
    }

    /// With an index for each of its files, beside them.
    pub(crate) fn indexed() -> Self {
        let room = Self::new();
        room.finish();
        room.run(&["--index", arg(&room.timeline())]).ended(0);
        room
    }

    /// Everything in `out`, hidden files too.
    pub(crate) fn written(&self) -> Vec<String> {
        names(&self.path("out"))
    }

    /// The packets of a file in `out`.
    pub(crate) fn read(&self, name: &str) -> Vec<Packet> {
        read_pcap(&fs::read(self.out(name)).unwrap()).unwrap().packets
    }

    /// The program in `out`, not yet started.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcapx-extract"));
        command
            .current_dir(self.path("out"))
            .env("TZ", "UTC")
            .env_remove("PCAPX_LOG")
            .env_remove("PCAPX_INDEX_DIR")
            .stdin(Stdio::null());
        command
    }

    /// Runs it with these arguments.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        run(self.command().args(args))
    }

    /// Runs it on the timeline.
    pub(crate) fn extract(&self, args: &[&str]) -> Ran {
        run(self.command().arg("-t").arg(self.timeline()).args(args))
    }
}

pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// Ended with `code`, else the test fails and shows what it said.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.stderr);
        self
    }

    /// Says `text` on standard error.
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in:\n{}", self.stderr);
        self
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        std::str::from_utf8(&self.stdout).unwrap().lines().collect()
    }
}

/// The names in `folder`, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The three packets of a second.
pub(crate) fn traffic(second: i64) -> [Packet; 3] {
    let at = |micros: i64| Timestamp::from_nanos(second * 1_000_000_000 + micros * 1000);
    let tcp = Ipv4::new([10, 0, 0, 10], [10, 0, 0, 20]).carry(&Tcp::new(40000, 443).payload(&[7; 100]));
    let dns = Ipv4::new([10, 0, 0, 10], [10, 0, 0, 53]).carry(&Udp::new(40001, 53).payload(&[7; 30]));
    let six = Ipv6::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 5], [0x2001, 0xdb8, 0, 0, 0, 0, 0, 6])
        .carry(&Tcp::new(40002, 443));
    [
        Packet::new(at(0), Ethernet::new().carry(&tcp)),
        Packet::new(at(250_000), Ethernet::new().vlan(7).carry(&dns)),
        Packet::new(at(500_000), Ethernet::new().carry(&six)),
    ]
}

/// Those of seconds `first..=last` after ten o'clock, `which` of each second: 0 TCP, 1 DNS, 2 IPv6.
pub(crate) fn expected(first: i64, last: i64, which: &[usize]) -> Vec<Packet> {
    let mut packets = Vec::new();
    for second in first..=last {
        let [tcp, dns, six] = traffic(TEN + second).map(Some);
        let mut second = [tcp, dns, six];
        packets.extend(which.iter().filter_map(|&n| second[n].take()));
    }
    packets
}

/// Reads a pipe to its end.
pub(crate) fn drain(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

/// `path` as an argument.
pub(crate) fn arg(path: &(impl AsRef<OsStr> + ?Sized)) -> &str {
    path.as_ref().to_str().unwrap()
}
