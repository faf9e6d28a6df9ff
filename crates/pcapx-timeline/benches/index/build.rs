//! What building indexes takes, and how large they are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pcapx_testkit::bench::{Cost, median, own_cpu, page_cache, peak_kib, say, segments, turns};
use pcapx_timeline::CancelToken;
use pcapx_timeline::index::{IndexError, IndexPlace, index_segment};

use crate::mb;

/// The first argument of a process that builds.
pub(super) const ARGUMENT: &str = "--build";

/// What stands above the columns.
const HEAD: &str = "trace               segments   packets        MB  index MB       %   Mpackets/s    GB/s  of CPU  peak MiB";

/// What such a process tells.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    segments: u64,
    packets: u64,
    bytes: u64,
    index_bytes: u64,
    took: Duration,
    cpu: Duration,
    peak_kib: u64,
}

/// Prints a row for each named list of capture files.
pub(super) fn print(traces: &[(&str, Vec<PathBuf>)]) {
    let count = turns();
    println!(
        "\n== building indexes, one thread, from the page cache to the disk; 'of CPU' are Mpackets/s of processor time"
    );
    println!("\n{HEAD}");
    for (name, files) in traces {
        let mut answers = Vec::new();
        for turn in 0..=count {
            say(&format!("building {name}: turn {turn} of {count}"));
            for file in files {
                page_cache::load(file).expect("a capture file");
            }
            let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for indexes");
            let list = place.path().join("files");
            let lines: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
            std::fs::write(&list, lines.join("\n")).expect("the list of files is written");
            let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
            let (_, text) = Cost::of(command.arg(ARGUMENT).arg(&list).arg(place.path()));
            answers.push(Answer::read(&text));
        }
        say("");
        let counted = &answers[1..];
        let took = median(counted.iter().map(|answer| answer.took)).as_secs_f64();
        let cpu = median(counted.iter().map(|answer| answer.cpu)).as_secs_f64();
        let peak_kib = counted.iter().map(|answer| answer.peak_kib).max().unwrap_or_default();
        let Answer { segments, packets, bytes, index_bytes, .. } = counted[0];
        println!(
            "{name:<18}{segments:>10}{packets:>10}{:>10}{:>10}{:>8.3}{:>13.2}{:>8.2}{:>8.2}{:>10.1}",
            mb(bytes),
            mb(index_bytes),
            index_bytes as f64 * 100.0 / bytes as f64,
            packets as f64 / 1e6 / took,
            bytes as f64 / 1e9 / took,
            packets as f64 / 1e6 / cpu,
            peak_kib as f64 / 1024.0,
        );
    }
}

/// Builds the indexes of the files listed in `args`, below the folder there, and prints what it took.
pub(super) fn answer(args: &[String]) {
    let [list, folder] = args else { panic!("a list of files and a folder") };
    let (place, token) = (IndexPlace::below(folder), CancelToken::new());
    let mut all = Answer::default();
    for file in std::fs::read_to_string(list).expect("a list of files").lines() {
        match index_segment(Path::new(file), &place, &token, |_| ()) {
            Ok(built) => {
                all.segments += 1;
                all.packets += built.summary.packets;
                all.bytes += built.segment_bytes;
                all.index_bytes += built.index_bytes;
                all.took += built.took;
            }
            // A folder of captures from outside may hold what no reader takes.
            Err(IndexError::Segment(_)) => {}
            Err(e) => panic!("{file}: {e}"),
        }
    }
    let [took, cpu] = [all.took, own_cpu()].map(|time| time.as_micros() as u64);
    let told = [all.segments, all.packets, all.bytes, all.index_bytes, took, cpu, peak_kib()];
    println!("{}", told.map(|number| number.to_string()).join(" "));
}

impl Answer {
    fn read(text: &str) -> Self {
        let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("seven numbers");
        Self {
            segments: next(),
            packets: next(),
            bytes: next(),
            index_bytes: next(),
            took: Duration::from_micros(next()),
            cpu: Duration::from_micros(next()),
            peak_kib: next(),
        }
    }
}

/// Builds the indexes of a trace beside its segments anew: what was built before may be of another make.
pub(super) fn beside(trace: &Path) {
    let (files, begun) = (segments(trace), Instant::now());
    let (mut bytes, mut index_bytes) = (0, 0);
    for (number, file) in files.iter().enumerate() {
        say(&format!("indexing {number} of {}", files.len()));
        let built =
            index_segment(file, &IndexPlace::beside(), &CancelToken::new(), |_| ()).expect("an index");
        bytes += built.segment_bytes;
        index_bytes += built.index_bytes;
    }
    say("");
    println!(
        "\n{} files, {} MB, indexed with {} MB, {:.3} %, in {:.1} s",
        files.len(),
        mb(bytes),
        mb(index_bytes),
        index_bytes as f64 * 100.0 / bytes as f64,
        begun.elapsed().as_secs_f64()
    );
}

/// The files of a folder of captures.
pub(super) fn captures(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng"))
        .collect();
    files.sort();
    files
}
