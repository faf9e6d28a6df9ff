//! One question to us, as a process of its own: so its memory can be told, and its start counts as tcpdump's does.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pcapx_core::filter::parse;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::bench::{own_cpu, peak_kib};
use pcapx_timeline::Catalog;
use pcapx_timeline::index::IndexPlace;

/// The first argument of such a process.
pub(super) const ARGUMENT: &str = "--answer";

/// A question, and how it is to be answered.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) folder: &'a Path,
    /// Empty: every packet.
    pub(super) filter: &'a str,
    pub(super) window: Window,
    /// With the help of the indexes beside the segments.
    pub(super) indexed: bool,
    pub(super) threads: u32,
}

/// What the process tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    pub(super) packets: u64,
    pub(super) bytes_written: u64,
    /// Of segments and indexes.
    pub(super) bytes_read: u64,
    pub(super) index_bytes_read: u64,
    pub(super) blocks: u64,
    pub(super) blocks_read: u64,
    /// The largest resident set, if it was asked for.
    pub(super) peak_kib: u64,
    /// Without start and end of the process.
    pub(super) cpu: Duration,
    /// Opening the catalog, planning, searching, publishing.
    pub(super) steps: [Duration; 4],
}

impl Asked<'_> {
    /// Looking for the largest resident set takes a tenth of a millisecond, and so is done only if `tells_peak`.
    pub(super) fn command(&self, out: &Path, tells_peak: bool) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        let Self { window, .. } = self;
        let numbers = [
            window.start().as_nanos(),
            window.end().as_nanos(),
            i64::from(self.indexed),
            i64::from(self.threads),
            i64::from(tells_peak),
        ];
        command.arg(ARGUMENT).arg(self.folder).arg(self.filter).arg(out);
        command.args(numbers.map(|number| number.to_string()));
        command
    }
}

/// Answers the question in `args`, and prints what it took.
pub(super) fn answer(args: &[String]) {
    let [folder, filter, out, numbers @ ..] = args else { panic!("folder, filter, output, numbers") };
    let number = |at: usize| numbers[at].parse::<i64>().expect("a number");
    let time = |at: usize| Timestamp::from_nanos(number(at));
    let window = Window::new(time(0), time(1)).expect("a window");
    let filter = (!filter.is_empty()).then(|| parse(filter).expect("a filter"));
    let begun = Instant::now();
    let catalog = Catalog::open(&[folder]).expect("a timeline");
    let opened = begun.elapsed();
    let query = catalog.query(filter, window).threads(usize::try_from(number(3)).expect("threads"));
    let query = query.indexes((number(2) == 1).then(IndexPlace::beside));
    let extraction = query.write_to(Path::new(out)).expect("an answer");
    assert!(extraction.warnings.is_empty(), "{:?}", extraction.warnings);
    let (counts, steps) = (extraction.counts, extraction.steps);
    let micros = [opened, steps.plan, steps.search, steps.publish].map(|step| step.as_micros() as u64);
    let told = [
        counts.packets_matched,
        counts.bytes_written,
        counts.bytes_read + counts.index_bytes_read,
        counts.index_bytes_read,
        counts.blocks,
        counts.blocks_read,
        if number(4) == 1 { peak_kib() } else { 0 },
        own_cpu().as_micros() as u64,
    ];
    println!("{}", told.iter().chain(&micros).map(u64::to_string).collect::<Vec<_>>().join(" "));
}

impl Answer {
    pub(super) fn read(text: &str) -> Self {
        let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("twelve numbers");
        Self {
            packets: next(),
            bytes_written: next(),
            bytes_read: next(),
            index_bytes_read: next(),
            blocks: next(),
            blocks_read: next(),
            peak_kib: next(),
            cpu: Duration::from_micros(next()),
            steps: std::array::from_fn(|_| Duration::from_micros(next())),
        }
    }
}
