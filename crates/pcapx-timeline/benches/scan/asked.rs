//! One question to us, as a process of its own: so its memory can be told, and its start counts as tcpdump's does.

use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pcapx_core::filter::parse;
use pcapx_core::window::Window;
use pcapx_timeline::Catalog;

/// The first argument of such a process.
pub(super) const ARGUMENT: &str = "--answer";

/// What it tells.
pub(super) struct Answer {
    pub(super) packets: u64,
    /// The largest resident set, KiB.
    pub(super) peak_kib: u64,
}

pub(super) fn command(folder: &Path, filter: &str, threads: usize, out: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.arg(ARGUMENT).arg(folder).arg(filter).arg(threads.to_string()).arg(out);
    command
}

/// Answers the question in `args`, and prints the packets and the peak.
pub(super) fn answer(args: &[String]) {
    let [folder, filter, threads, out] = args else { panic!("folder, filter, threads and output") };
    let filter = (!filter.is_empty()).then(|| parse(filter).expect("a filter"));
    let catalog = Catalog::open(&[folder]).expect("a timeline");
    let query = catalog.query(filter, Window::ALL).threads(threads.parse().expect("a number"));
    let extraction = query.write_to(Path::new(out)).expect("an answer");
    assert!(extraction.warnings.is_empty(), "{:?}", extraction.warnings);
    println!("{} {}", extraction.counts.packets_matched, peak_kib());
}

impl Answer {
    pub(super) fn read(text: &str) -> Self {
        let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("two numbers");
        Self { packets: next(), peak_kib: next() }
    }
}

/// `VmHWM` of this process.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Processor time, user and system, of all children that have ended.
pub(super) fn children_cpu() -> Duration {
    // Linux counts in hundredths of a second here, whatever its own clock does (proc_pid_stat(5), USER_HZ).
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may hold blanks, cutime and cstime are the 14th and 15th field.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().skip(13).take(2);
    fields.filter_map(|ticks| ticks.parse::<u32>().ok()).map(|ticks| TICK * ticks).sum()
}

/// How many packets a little-endian pcap file has.
pub(super) fn count_packets(path: &Path) -> u64 {
    let mut file = BufReader::with_capacity(1 << 20, fs::File::open(path).expect("an answer"));
    let mut header = [0; 24];
    file.read_exact(&mut header).expect("a file header");
    let (mut count, mut record) = (0, [0; 16]);
    while file.read_exact(&mut record).is_ok() {
        let [.., a, b, c, d, _, _, _, _] = record;
        let len = i64::from(u32::from_le_bytes([a, b, c, d]));
        file.seek_relative(len).expect("a packet");
        count += 1;
    }
    count
}
