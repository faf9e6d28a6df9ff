//! A pair of virtual interfaces, what is sent over it, and a recorder at its end.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use pcapx_recorder::afpacket::Sender;
use pcapx_testkit::process::poll;
use pcapx_testkit::tool::{self, Tool};
use rustix::process::{Pid, Signal, kill_process};

use super::recorders::Recorder;

const NEAR: &str = "near";
/// The end that is recorded.
pub(crate) const FAR: &str = "far";
/// Set within a namespace.
const WITHIN: &str = "PCAPX_BENCH_WITHIN_NAMESPACE";
/// How long a recorder may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a recorder has to finish what has come, before it is stopped.
const MOMENT: Duration = Duration::from_millis(1500);

/// The pair and the sender.
pub(crate) struct Rig {
    tcpreplay: Tool,
    out: PathBuf,
}

/// One recording.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
    /// What sending took.
    pub(crate) took: Duration,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Packets that are not in the files, where that can be told.
    pub(crate) lost: Option<u64>,
}

impl Run {
    pub(crate) fn cpu_per_million(&self) -> Duration {
        (self.user + self.system).mul_f64(1e6 / self.sent.max(1) as f64)
    }
}

/// Whether this runs in a network namespace of its own; if not, it has been run there.
pub(crate) fn is_alone() -> bool {
    if std::env::var_os(WITHIN).is_some() {
        return true;
    }
    if !rustix::process::getuid().is_root() {
        tool::skipped("the bench needs root: stenotype and tcpdump become other users");
        return false;
    }
    let Some(unshare) = tool::require("unshare") else { return false };
    let this = std::env::current_exe().expect("this program");
    let failed =
        unshare.command().arg("-n").arg(this).args(std::env::args_os().skip(1)).env(WITHIN, "1").exec();
    tool::skipped(format_args!("no network namespace to be had: {failed}"));
    false
}

impl Rig {
    /// Connects the pair; says why where that cannot be.
    pub(crate) fn build() -> Option<Self> {
        let (tcpreplay, ip) = (tool::require("tcpreplay")?, tool::require("ip")?);
        for scope in ["all", "default"] {
            // A kernel without IPv6 has nothing to switch off.
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
        }
        for words in [
            "link add name near mtu 9000 arp off type veth peer name far mtu 9000 arp off",
            "link set near up",
            "link set far up",
        ] {
            let done = ip.run(words.split(' '));
            if !done.status.success() {
                tool::skipped(format_args!("ip {words}: {}", String::from_utf8_lossy(&done.stderr).trim()));
                return None;
            }
        }
        let out =
            std::env::var_os("PCAPX_BENCH_OUT").map_or(env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
        let out = out.join("recorded");
        Some(Self { tcpreplay, out })
    }

    /// Has a recorder record one replay.
    pub(crate) fn run(&self, recorder: &Recorder, file: &Path) -> Run {
        let _ = fs::remove_dir_all(&self.out);
        fs::create_dir_all(&self.out).expect("a folder to record to");
        let log = self.out.join("log");
        let mut command = recorder.command(&self.out);
        let output = File::create(&log).expect("a file for what is printed");
        command.stdout(output.try_clone().expect("a second handle")).stderr(output);
        let before = packets_and_bytes();
        let mut child = command.spawn().expect("the recorder starts");
        let is_listening = poll(PATIENCE, || (listeners() > 0).then_some(()));
        assert!(
            is_listening.is_some(),
            "{}: {}",
            recorder.name,
            fs::read_to_string(&log).unwrap_or_default()
        );
        // Some open the socket first and make everything else ready then.
        std::thread::sleep(MOMENT);

        let took = self.replay(file);
        std::thread::sleep(MOMENT);
        let sent = packets_and_bytes();
        let others = Cpu::of_children();
        end(&mut child);
        let Cpu { user, system } = Cpu::of_children().since(others);
        let (sent, sent_bytes) = (sent.0 - before.0, sent.1 - before.1);
        let printed = fs::read_to_string(&log).unwrap_or_default();
        let lost = recorder.recorded(&self.out, &printed).map(|recorded| sent.saturating_sub(recorded));
        let _ = fs::remove_dir_all(&self.out);
        Run { sent, sent_bytes, took, user, system, lost }
    }

    /// What sending took.
    fn replay(&self, file: &Path) -> Duration {
        let rate = std::env::var("PCAPX_BENCH_PPS").map_or("--topspeed".into(), |pps| format!("--pps={pps}"));
        let mut command = self.tcpreplay.command();
        command.args(["--quiet", "--preload-pcap", "--loop=4", &rate, "-i", NEAR]).arg(file);
        let done = command.output().expect("tcpreplay runs");
        let printed = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{printed}{}", String::from_utf8_lossy(&done.stderr));
        // "Actual: 1312950 packets (978994508 bytes) sent in 2.40 seconds"
        let secs = printed
            .lines()
            .find_map(|line| line.strip_prefix("Actual:")?.split(" sent in ").nth(1)?.split(' ').next());
        Duration::from_secs_f64(secs.and_then(|secs| secs.parse().ok()).unwrap_or_default())
    }
}

/// Stops a recorder. Some see that they are to end only when another packet comes.
fn end(child: &mut Child) {
    let _ = kill_process(Pid::from_child(child), Signal::INT);
    let begun = Instant::now();
    let sender = Sender::open(NEAR).expect("a socket to send from");
    let nudge = [[0xff_u8; 60]];
    let ended = poll(PATIENCE, || {
        if begun.elapsed() > MOMENT {
            let _ = sender.send(&nudge);
        }
        child.try_wait().ok().flatten()
    });
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Packet sockets that take packets.
fn listeners() -> usize {
    let sockets = fs::read_to_string("/proc/self/net/packet").unwrap_or_default();
    sockets.lines().skip(1).filter(|line| line.split_whitespace().nth(3) == Some("0003")).count()
}

/// What the end that is recorded has received.
fn packets_and_bytes() -> (u64, u64) {
    let table = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(FAR)?.strip_prefix(':'));
    let mut fields = line.unwrap_or_default().split_whitespace().map(|field| field.parse().unwrap_or(0));
    let bytes = fields.next().unwrap_or(0);
    (fields.next().unwrap_or(0), bytes)
}

/// Processor time.
#[derive(Clone, Copy)]
struct Cpu {
    user: Duration,
    system: Duration,
}

impl Cpu {
    /// That of all children that have ended, in hundredths of a second (`proc_pid_stat(5)`).
    fn of_children() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut ticks = fields.split_whitespace().skip(13).map(|field| field.parse::<u64>().unwrap_or(0));
        let mut next = || Duration::from_millis(10 * ticks.next().unwrap_or(0));
        Self { user: next(), system: next() }
    }

    fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}
