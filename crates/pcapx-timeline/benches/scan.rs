//! How fast segments are searched without an index: ours against tcpdump over the same files, in the same run.
//!
//! ```text
//! cargo bench -p pcapx-timeline --bench scan
//! ```
//!
//! A trace of 2 GiB is generated once, from a fixed seed, below the target folder (`PCAPX_BENCH_BYTES` makes it another
//! size; `PCAPX_BENCH_OUT` puts the answers in another folder, for instance in memory). Each question is asked of us with
//! one thread, of us with a thread per processor, and of tcpdump; each as a process of its own, in turns, after one turn
//! that warms the page cache and does not count. The table shows medians, and the largest resident set of our processes.
//!
//! tcpdump writes without waiting for the disk; we make the answer durable before it appears under its name. That costs us
//! most where everything matches.
//!
//! It prints, and never fails for being slow.

#[path = "scan/asked.rs"]
mod asked;

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pcapx_testkit::tool::{self, Tool};
use pcapx_testkit::trace::{Needle, Trace};

const SEED: u64 = 1;
const DEFAULT_BYTES: u64 = 2 << 30;
/// As n2disk is shipped: an hour in twelve files.
const FILE_DURATION: Duration = Duration::from_secs(300);
/// Turns that count.
const TURNS: usize = 5;

/// What stands above the columns.
const HEAD: [&str; 2] = [
    "             packets           seconds                     GB/s  ratio           CPU s           ratio peak RSS",
    "question        ours  tcpdump 1 thread      all  tcpdump      1      1    all     ours  tcpdump             MiB",
];

/// What is asked: a name, and a filter that may be empty.
fn questions() -> [(&'static str, String); 5] {
    [
        ("needle", Needle::FILTER.to_owned()),
        ("host", format!("host {}", Trace::HOST)),
        ("tenth", Trace::TENTH.to_owned()),
        ("everything", String::new()),
        ("miss", "host 203.0.113.200 and port 4444".to_owned()),
    ]
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == asked::ARGUMENT) {
        return asked::answer(&args[1..]);
    }
    // `cargo bench` says so; a test run only wants to see that this compiles.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let Some(tcpdump) = tool::require("tcpdump") else { return };
    let folder = trace_folder();
    let bytes =
        folder_files(&folder).iter().map(|path| fs::metadata(path).map_or(0, |file| file.len())).sum();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "\n{} files, {:.2} GB; ours with 1 and {threads} threads; medians of {TURNS}\n",
        folder_files(&folder).len(),
        gigabytes(bytes)
    );
    println!("{}", HEAD.join("\n"));
    for (name, filter) in questions() {
        let row = measure(&tcpdump, &folder, &filter, threads);
        let [one, all, theirs] = row.seconds;
        let [cpu, _, cpu_theirs] = row.cpu_seconds;
        println!(
            "{name:<11}{:>9}{:>9}{one:>9.3}{all:>9.3}{theirs:>9.3}{:>7.2}{:>7.2}{:>7.2}{cpu:>9.2}{cpu_theirs:>9.2}{:>7.2}{:>9.1}",
            row.ours,
            row.theirs,
            gigabytes(bytes) / one,
            theirs / one,
            theirs / all,
            cpu_theirs / cpu,
            row.peak_mib
        );
    }
    println!(
        "\nratio: tcpdump's time by ours; CPU is ours with one thread, user and system. On a machine that has other work, the"
    );
    println!(
        "ratio of CPU times is the one to look at. To us tags are transparent, so our count may be higher."
    );
}

/// The answers to one question.
#[derive(Default)]
struct Row {
    /// Medians: ours with one thread, ours with all, tcpdump.
    seconds: [f64; 3],
    /// The same of processor time.
    cpu_seconds: [f64; 3],
    ours: u64,
    theirs: u64,
    peak_mib: f64,
}

fn measure(tcpdump: &Tool, folder: &Path, filter: &str, threads: usize) -> Row {
    let out = match std::env::var_os("PCAPX_BENCH_OUT") {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")),
    };
    let out = out.expect("a folder for the answers");
    let list = out.path().join("files.txt");
    let files: Vec<String> =
        folder_files(folder).iter().map(|path| path.to_string_lossy().into_owned()).collect();
    fs::write(&list, files.join("\n")).expect("the list of files is written");

    let mut row = Row::default();
    let mut costs: [Vec<Cost>; 3] = Default::default();
    for turn in 0..=TURNS {
        say(&format!("turn {turn} of {TURNS}: {filter}"));
        for (slot, threads) in [(0, 1), (1, threads)] {
            let (cost, answer) =
                timed(&mut asked::command(folder, filter, threads, &out.path().join("ours.pcap")));
            let answer = asked::Answer::read(&answer);
            row.ours = answer.packets;
            row.peak_mib = row.peak_mib.max(answer.peak_kib as f64 / 1024.0);
            costs[slot].push(cost);
        }
        let theirs = out.path().join("theirs.pcap");
        let mut command = tcpdump.command();
        // As root it would give its rights up and could not write here any more.
        command.args(["-n", "-Z", "root", "-V"]).arg(&list).arg("-w").arg(&theirs).arg(filter);
        let (cost, _) = timed(&mut command);
        costs[2].push(cost);
        row.theirs = asked::count_packets(&theirs);
        for name in ["ours.pcap", "theirs.pcap"] {
            // The file is missing where nothing matched.
            let _ = fs::remove_file(out.path().join(name));
        }
    }
    say("");
    // The first turn only warms the cache.
    row.seconds = costs.each_ref().map(|costs| median(costs[1..].iter().map(|cost| cost.wall)));
    row.cpu_seconds = costs.each_ref().map(|costs| median(costs[1..].iter().map(|cost| cost.cpu)));
    row
}

/// Progress, where somebody looks on.
fn say(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{what:<78}\r");
    }
}

/// What a process takes from its start to its end.
struct Cost {
    wall: Duration,
    cpu: Duration,
}

/// Runs a command to its end, and gives what it prints.
fn timed(command: &mut Command) -> (Cost, String) {
    let (begun, cpu) = (Instant::now(), asked::children_cpu());
    let output = command.output().expect("the program starts");
    let cost = Cost { wall: begun.elapsed(), cpu: asked::children_cpu().saturating_sub(cpu) };
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    (cost, String::from_utf8_lossy(&output.stdout).into_owned())
}

fn median(times: impl Iterator<Item = Duration>) -> f64 {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// The folder of the trace; it is generated when it is not there yet.
fn trace_folder() -> PathBuf {
    let bytes =
        std::env::var("PCAPX_BENCH_BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_BYTES);
    let trace = Trace::new(SEED).bytes(bytes);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trace-{}", trace.name()));
    if !folder.is_dir() {
        let partial = folder.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        eprintln!("generating a trace of {} MB, once", bytes / 1_000_000);
        let progress = |done: u64| say(&format!("{} MB", done / 1_000_000));
        trace.write_rolling(&partial, FILE_DURATION, progress).expect("the trace is written");
        fs::rename(&partial, &folder).expect("the trace gets its name");
        say("");
    }
    folder
}

/// All files of the trace, oldest first.
fn folder_files(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    };
    let mut files: Vec<_> = list(folder).iter().flat_map(|folder| list(folder)).collect();
    files.sort();
    files
}
