//! What searching and indexing cost: ours against tcpdump over the same files, in the same run.
//!
//! ```text
//! cargo bench -p pcapx-timeline --bench index [-- TABLE … QUESTION …]
//! ```
//!
//! Without names of tables all are printed, without names of questions all are asked: needle, host, host+port, pair, tenth,
//! everything, miss.
//!
//! | table | what |
//! |---|---|
//! | warm | each question to twelve minutes of an hour: ours with indexes, ours without, tcpdump; files in the page cache |
//! | cold | the same, the page cache emptied of the trace before each question |
//! | scan | each question to all of the hour, no indexes: ours with one thread and with all, tcpdump |
//! | build | packets a second on one core, size in percent of the capture, memory; of the trace, floods, other captures |
//! | growth | the needle and a miss, in a timeline of an hour to thirty days |
//!
//! Traces are generated once, from a fixed seed, below the target folder: an hour in twelve files
//! (`PCAPX_BENCH_BYTES`, 4 GB), two floods (`PCAPX_BENCH_FLOOD_BYTES`, 1 GB each), a month in 8640 files
//! (`PCAPX_BENCH_MONTH_BYTES`, 4 GB). Other captures are those of `PCAPX_CAPTURES`. Answers are written below the target
//! folder, or to `PCAPX_BENCH_OUT`, for instance in memory. `PCAPX_BENCH_TURNS` is how many turns count, 5.
//!
//! A program that is compared runs as a process of its own. All take turns, after one turn that does not count, and what is
//! going to be read is put into the page cache before each. Medians are shown, and the largest resident set. tcpdump does
//! not wait for the disk; we make an answer durable before it appears under its name, and that costs most where everything
//! matches. tcpdump knows no time: it answers with whole files.
//!
//! It prints, and never fails for being slow.

mod asked;
mod build;
mod contest;
mod growth;
mod questions;
mod scan;
mod search;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcapx_testkit::bench::{Shelf, segments, setting, turns};
use pcapx_testkit::tool;
use pcapx_testkit::trace::{Mix, Trace};
use pcapx_timeline::index::IndexPlace;
use search::Cache;

const TABLES: [&str; 5] = ["warm", "cold", "scan", "build", "growth"];
const SEED: u64 = 1;
const GIGABYTE: u64 = 1_000_000_000;
const HOUR: Duration = Duration::from_secs(3600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// As n2disk is shipped.
const FILE_DURATION: Duration = Duration::from_secs(300);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(asked::ARGUMENT) => return asked::answer(&args[1..]),
        Some(build::ARGUMENT) => return build::answer(&args[1..]),
        Some(growth::ARGUMENT) => return growth::answer(&args[1..]),
        _ => {}
    }
    // `cargo bench` says so; a test run only wants to see that this compiles.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let wanted = Wanted::new(&args);

    let shelf = Shelf::new(env!("CARGO_TARGET_TMPDIR"));
    let hour = Trace::new(SEED).bytes(setting("PCAPX_BENCH_BYTES", 4 * GIGABYTE)).duration(HOUR);
    let hour = shelf.trace(&hour, FILE_DURATION);
    let files = segments(&hour);
    println!(
        "{} files, {} MB; {} threads; medians of {}",
        files.len(),
        mb(bytes_of(&files)),
        threads(),
        turns()
    );
    let tables = ["warm", "cold", "scan"].map(|table| wanted.table(table));
    if tables.contains(&true)
        && let Some(tcpdump) = tool::require("tcpdump")
    {
        build::beside(&hour);
        let [warm, cold, scan] = tables;
        for cache in [warm.then_some(Cache::Warm), cold.then_some(Cache::Cold)].into_iter().flatten() {
            search::print(&tcpdump, &hour, &files, cache, &wanted);
        }
        if scan {
            scan::print(&tcpdump, &hour, &files, &wanted);
        }
    }
    if wanted.table("build") {
        let flood = |mix| {
            let bytes = setting("PCAPX_BENCH_FLOOD_BYTES", GIGABYTE);
            let trace = Trace::new(SEED).mix(mix).bytes(bytes).duration(FILE_DURATION);
            segments(&shelf.trace(&trace, FILE_DURATION))
        };
        let mut traces = vec![
            ("an hour", files.clone()),
            ("flood, few flows", flood(Mix::Flood)),
            ("flood of flows", flood(Mix::SynFlood)),
        ];
        traces.extend(tool::require_captures().map(|folder| ("other captures", build::captures(&folder))));
        build::print(&traces);
    }
    if wanted.table("growth") {
        let bytes = setting("PCAPX_BENCH_MONTH_BYTES", 4 * GIGABYTE);
        let month = shelf.trace(&Trace::new(SEED).bytes(bytes).duration(MONTH), FILE_DURATION);
        build::beside(&month);
        growth::print(&segments(&month));
    }
}

/// Names of tables and questions; where none of a kind is named, all are wanted.
struct Wanted {
    tables: Vec<String>,
    questions: Vec<String>,
}

impl Wanted {
    fn new(args: &[String]) -> Self {
        let names = args.iter().filter(|arg| !arg.starts_with("--")).cloned();
        let (tables, questions) = names.partition(|name| TABLES.contains(&name.as_str()));
        Self { tables, questions }
    }

    fn table(&self, name: &str) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|table| table == name)
    }

    fn question(&self, name: &str) -> bool {
        self.questions.is_empty() || self.questions.iter().any(|question| question == name)
    }
}

fn threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |threads| threads.get() as u32)
}

/// Where the index of `file` stands.
fn sidecar(file: &Path) -> PathBuf {
    IndexPlace::beside().to_write(file)
}

fn bytes_of(files: &[PathBuf]) -> u64 {
    files.iter().map(|path| fs::metadata(path).map_or(0, |file| file.len())).sum()
}

/// A number of bytes in megabytes.
fn mb(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}

/// A time in milliseconds.
fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// How many times faster `ours` is than `theirs`.
fn ratio(theirs: Duration, ours: Duration) -> String {
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    if ratio < 10.0 { format!("{ratio:.1}") } else { format!("{ratio:.0}") }
}
