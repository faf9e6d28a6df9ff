//! Twelve minutes of an hour: ours with indexes, ours without, tcpdump over the window's files, tcpdump over all files.

use std::path::{Path, PathBuf};

use pcapx_testkit::bench::page_cache;
use pcapx_testkit::tool::Tool;

use crate::asked::Asked;
use crate::contest::{self, Contestant, Outcome};
use crate::questions::{self, files_of};
use crate::{HOUR, Wanted, bytes_of, mb, ms, ratio, sidecar, threads};

/// What stands above the times.
const TIMES: [&str; 2] = [
    "                  packets            milliseconds, whole process         faster than tcpdump    CPU milliseconds           ratio",
    "question         ours  tcpdump  indexed scanning  tcpdump tcpdump*  indexed scan indexed*   indexed scanning  tcpdump  indexed",
];
/// What stands above the work.
const WORK: [&str; 2] = [
    "            milliseconds inside                read  of index    read   blocks  blocks   peak MiB",
    "question    catalog   plan  search publish       MB        MB amplif.     read  of all  index scan",
];

/// What is in the page cache when a question is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    /// All that is going to be read.
    Warm,
    /// Nothing of the trace.
    Cold,
}

/// Prints the tables of times and of work.
pub(super) fn print(tcpdump: &Tool, trace: &Path, files: &[PathBuf], cache: Cache, wanted: &Wanted) {
    let window = questions::window(HOUR / 2);
    let own = files_of(files, window);
    println!("\n== {} page cache: {window}, {} files of {} MB", cache.name(), own.len(), mb(bytes_of(&own)));
    match cache {
        Cache::Warm => println!("tcpdump* reads all {} files, {} MB\n", files.len(), mb(bytes_of(files))),
        Cache::Cold if !can_be_cold(files) => return,
        Cache::Cold => println!(),
    }
    println!("{}", TIMES.join("\n"));
    let questions = questions::questions(&own, window);
    let mut work = Vec::new();
    for (name, filter) in questions.iter().filter(|(name, _)| wanted.question(name)) {
        let ours = Asked { folder: trace, filter, window, indexed: true, threads: threads() };
        let scanning = Asked { indexed: false, ..ours };
        let theirs = |files| Contestant::Tcpdump { tool: tcpdump, files, filter };
        let mut contestants = vec![Contestant::Ours(ours), Contestant::Ours(scanning), theirs(&own)];
        let outcomes = match cache {
            Cache::Warm => {
                contestants.push(theirs(files));
                contest::hold(name, &contestants, |contestant| match contestant {
                    Contestant::Ours(_) => load(&own),
                    Contestant::Tcpdump { files, .. } => load(files),
                })
            }
            // All files would have to come from the disk in each turn, and say nothing new.
            Cache::Cold => contest::hold(name, &contestants, |_| evict(files)),
        };
        println!("{}", times_row(name, &outcomes));
        work.push(work_row(name, &outcomes));
    }
    println!("\nours indexed, and the memory of both:\n\n{}\n{}", WORK.join("\n"), work.join("\n"));
}

impl Cache {
    fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
        }
    }
}

/// Reads segments and their indexes into the page cache.
pub(super) fn load(files: &[PathBuf]) {
    for file in files.iter().flat_map(|file| [file.clone(), sidecar(file)]) {
        page_cache::load(&file).expect("a segment and its index");
    }
}

/// Drops the segments and their indexes from the page cache.
fn evict(files: &[PathBuf]) {
    for file in files.iter().flat_map(|file| [file.clone(), sidecar(file)]) {
        page_cache::evict(&file).expect("the page cache can be told");
    }
}

/// Tries, and says when the files do not leave the cache.
fn can_be_cold(files: &[PathBuf]) -> bool {
    evict(files);
    match page_cache::is_cached(&files[0]) {
        Ok(false) => return true,
        Ok(true) => println!("not possible: the system keeps these files in memory"),
        Err(e) => println!("not possible to tell whether the files have left the cache: {e}"),
    }
    false
}

fn times_row(name: &str, outcomes: &[Outcome]) -> String {
    let [indexed, scanning, tcpdump, all @ ..] = outcomes else { panic!("three contestants or four") };
    let (all, ratio_of_all) = match all {
        [all] => (ms(all.wall), ratio(all.wall, indexed.wall)),
        _ => ("–".to_owned(), "–".to_owned()),
    };
    assert_eq!(indexed.packets, scanning.packets, "{name}: an index changes the answer");
    format!(
        "{name:<11}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>5}{:>9}{:>10}{:>9}{:>9}{:>9}",
        indexed.packets,
        tcpdump.packets,
        ms(indexed.wall),
        ms(scanning.wall),
        ms(tcpdump.wall),
        all,
        ratio(tcpdump.wall, indexed.wall),
        ratio(tcpdump.wall, scanning.wall),
        ratio_of_all,
        ms(indexed.answer.cpu),
        ms(scanning.answer.cpu),
        ms(tcpdump.cpu),
        ratio(tcpdump.cpu, indexed.answer.cpu),
    )
}

fn work_row(name: &str, outcomes: &[Outcome]) -> String {
    let [indexed, scanning, ..] = outcomes else { panic!("two contestants of ours") };
    let answer = &indexed.answer;
    let [catalog, plan, search, publish] = answer.steps.map(ms);
    let amplification = match answer.bytes_written {
        0 => "–".to_owned(),
        written => format!("{:.1}", answer.bytes_read as f64 / written as f64),
    };
    format!(
        "{name:<11}{catalog:>8}{plan:>7}{search:>8}{publish:>8}{:>9}{:>10}{amplification:>8}{:>9}{:>8}{:>7.1}{:>5.1}",
        mb(answer.bytes_read),
        mb(answer.index_bytes_read),
        answer.blocks_read,
        answer.blocks,
        answer.peak_kib as f64 / 1024.0,
        scanning.answer.peak_kib as f64 / 1024.0,
    )
}
