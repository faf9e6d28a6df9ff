//! Twelve minutes of an hour: ours with indexes, ours without, tcpdump over the window's files, tcpdump over all files.

use std::fs;
use std::path::{Path, PathBuf};

use pcapx_testkit::bench::page_cache;
use pcapx_testkit::tool::Tool;

use crate::asked::Asked;
use crate::contest::{self, Contestant, Outcome};
use crate::questions::{self, files_of};
use crate::{mb, ms, ratio};

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

/// Prints the table: with the page cache as it is after the first turn, or emptied of the trace before each question.
pub(super) fn print(tcpdump: &Tool, trace: &Path, files: &[PathBuf], is_cold: bool) {
    let window = questions::window(crate::HOUR / 2);
    let own = files_of(files, window);
    println!(
        "\n== {}: window {window}, {} files of {} MB; tcpdump* reads all {} files, {} MB\n",
        if is_cold { "cold page cache" } else { "warm page cache" },
        own.len(),
        mb(crate::bytes_of(&own)),
        files.len(),
        mb(crate::bytes_of(files)),
    );
    let evict = || {
        for file in files.iter().flat_map(|file| [file.clone(), crate::sidecar(file)]) {
            page_cache::evict(&file).expect("the page cache can be told");
        }
    };
    if is_cold {
        evict();
        match page_cache::is_cached(&files[0]) {
            Ok(false) => {}
            Ok(true) => return println!("not possible: the system keeps these files in memory"),
            Err(e) => println!("whether the files have left the cache is not known: {e}"),
        }
    }
    let lists = tempfile::tempdir().expect("a folder for the lists");
    let [list, list_of_all] = [("window", own.as_slice()), ("all", files)].map(|(name, files)| {
        let path = lists.path().join(name);
        let lines: Vec<_> = files.iter().map(|path| path.to_string_lossy()).collect();
        fs::write(&path, lines.join("\n")).expect("the list of files is written");
        path
    });
    println!("{}", TIMES.join("\n"));
    let questions = questions::questions(&own, window);
    let mut work = Vec::new();
    for (name, filter) in &questions {
        let ours = Asked { folder: trace, filter, window, indexed: true, threads: crate::threads() };
        let theirs = |list| Contestant::Tcpdump { tool: tcpdump, list, filter };
        let contestants = [
            Contestant::Ours(ours),
            Contestant::Ours(Asked { indexed: false, ..ours }),
            theirs(&list),
            theirs(&list_of_all),
        ];
        let outcomes = contest::hold(name, &contestants, || {
            if is_cold {
                evict();
            }
        });
        println!("{}", times_row(name, &outcomes));
        work.push(work_row(name, &outcomes));
    }
    println!("\nours indexed, and the memory of both:\n\n{}\n{}", WORK.join("\n"), work.join("\n"));
}

fn times_row(name: &str, [indexed, scanning, tcpdump, all]: &[Outcome; 4]) -> String {
    assert_eq!(indexed.packets, scanning.packets, "{name}: an index changes the answer");
    format!(
        "{name:<11}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>5}{:>9}{:>10}{:>9}{:>9}{:>9}",
        indexed.packets,
        tcpdump.packets,
        ms(indexed.wall),
        ms(scanning.wall),
        ms(tcpdump.wall),
        ms(all.wall),
        ratio(tcpdump.wall, indexed.wall),
        ratio(tcpdump.wall, scanning.wall),
        ratio(all.wall, indexed.wall),
        ms(indexed.answer.cpu),
        ms(scanning.answer.cpu),
        ms(tcpdump.cpu),
        ratio(tcpdump.cpu, indexed.answer.cpu),
    )
}

fn work_row(name: &str, [indexed, scanning, ..]: &[Outcome; 4]) -> String {
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
