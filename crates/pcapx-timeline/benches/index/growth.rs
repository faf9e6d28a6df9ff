//! Whether an answer takes longer when the timeline is longer: the same twelve minutes of an hour, and of a month.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use pcapx_core::filter::{Expr, parse};
use pcapx_core::window::Window;
use pcapx_testkit::bench::{Cost, median, peak_kib, say};
use pcapx_testkit::trace::Needle;
use pcapx_timeline::Catalog;
use pcapx_timeline::catalog::Timeline;

use crate::{MONTH, ms, questions, sidecar};

/// The first argument of a process that asks.
pub(super) const ARGUMENT: &str = "--grow";

/// What stands above the columns.
const HEAD: [&str; 3] = [
    "                    catalog opened for each question        timeline kept                                       peak",
    "                              needle    needle      miss                       needle    needle      miss",
    "timeline  segments   to open    12 min  all time  all time  at first     again    12 min  all time  all time     MiB",
];
/// Turns that count; one more comes before them.
const TURNS: usize = 9;
/// Names, and how many files of five minutes.
const LENGTHS: [(&str, usize); 5] =
    [("1 hour", 12), ("6 hours", 72), ("1 day", 288), ("7 days", 2016), ("30 days", 8640)];

/// Prints a row for each length of a timeline around the middle of the month; `files` are all of the month.
pub(super) fn print(files: &[PathBuf]) {
    println!("\n== growth: milliseconds inside a process that has run already, medians of {TURNS}\n");
    println!("{}", HEAD.join("\n"));
    for (name, len) in LENGTHS {
        say(name);
        let len = len.min(files.len());
        let from = (files.len() - len) / 2;
        let timeline = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the timeline");
        link(timeline.path(), &files[from..from + len]);
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        let (_, text) = Cost::of(command.arg(ARGUMENT).arg(timeline.path()));
        say("");
        println!("{name:<9}{len:>9}{}", text.trim_end());
    }
}

/// A timeline of hard links: the files and their indexes are the same ones, so the indexes hold.
fn link(timeline: &Path, files: &[PathBuf]) {
    for (number, files) in files.chunks(8).enumerate() {
        let folder = timeline.join(number.to_string());
        fs::create_dir(&folder).expect("a folder");
        for path in files.iter().flat_map(|file| [file.clone(), sidecar(file)]) {
            fs::hard_link(&path, folder.join(path.file_name().expect("a name"))).expect("a link");
        }
        age(&folder);
    }
    age(timeline);
}

/// Makes a folder as old as those of a timeline are, all but the last ones.
fn age(folder: &Path) {
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::File::open(folder).and_then(|file| file.set_modified(hour_ago)).expect("a folder can be aged");
}

/// Asks the timeline in `args` again and again, and prints its part of a row.
pub(super) fn answer(args: &[String]) {
    let [timeline] = args else { panic!("a timeline") };
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for answers");
    let out = out.path().join("answer.pcap");
    let window = questions::window(MONTH / 2);
    let asked = [(Needle::FILTER, window), (Needle::FILTER, Window::ALL), (questions::MISS, Window::ALL)];
    let asked = asked.map(|(filter, window)| (parse(filter).expect("a filter"), window));
    let ask = |catalog: &Catalog, (filter, window): &(Expr, Window)| {
        let extraction = catalog.query(Some(filter.clone()), *window).write_to(&out).expect("an answer");
        assert!(extraction.warnings.is_empty(), "{:?}", extraction.warnings);
        assert_eq!(extraction.counts.segments_without_index, 0, "indexes are used");
    };
    let open = || Catalog::open(&[timeline]).expect("a timeline");
    let opening = repeat(|| drop(open()));
    let fresh = asked.each_ref().map(|asked| repeat(|| ask(&open(), asked)));
    let kept = Timeline::new([timeline]);
    let look = || kept.catalog().expect("a timeline");
    let begun = Instant::now();
    look();
    let first = begun.elapsed();
    let again = repeat(|| drop(look()));
    let later = asked.each_ref().map(|asked| repeat(|| ask(&look(), asked)));
    let times = [&[opening][..], &fresh, &[first, again], &later].concat();
    let row = times.into_iter().map(|time| format!("{:>10}", ms(time))).collect::<Vec<_>>().concat();
    println!("{row}{:>8.1}", peak_kib() as f64 / 1024.0);
}

/// The median of some turns, after one that does not count.
fn repeat(mut once: impl FnMut()) -> Duration {
    let times: Vec<_> = (0..=TURNS)
        .map(|_| {
            let begun = Instant::now();
            once();
            begun.elapsed()
        })
        .collect();
    median(times.into_iter().skip(1))
}
