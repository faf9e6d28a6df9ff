//! All of the hour, without indexes: ours with one thread, ours with a thread per processor, tcpdump.

use std::path::{Path, PathBuf};

use pcapx_core::window::Window;
use pcapx_testkit::tool::Tool;

use crate::asked::Asked;
use crate::contest::{self, Contestant};
use crate::{Wanted, bytes_of, ms, questions, ratio, search, threads};

/// What stands above the columns.
const HEAD: [&str; 2] = [
    "                  packets            milliseconds                GB/s    faster   CPU s             ratio  peak",
    "question         ours  tcpdump  1 thread      all  tcpdump  1 thread   1    all    ours  tcpdump  of CPU   MiB",
];

pub(super) fn print(tcpdump: &Tool, trace: &Path, files: &[PathBuf], wanted: &Wanted) {
    let (all, bytes) = (threads(), bytes_of(files));
    println!(
        "\n== no index, all of the hour; CPU is ours with one thread, the one to look at on a machine that has other work"
    );
    println!("\n{}", HEAD.join("\n"));
    let questions = questions::questions(files, Window::ALL);
    for (name, filter) in questions.iter().filter(|(name, _)| wanted.question(name)) {
        let single = Asked { folder: trace, filter, window: Window::ALL, indexed: false, threads: 1 };
        let contestants = [
            Contestant::Ours(single),
            Contestant::Ours(Asked { threads: all, ..single }),
            Contestant::Tcpdump { tool: tcpdump, files, filter },
        ];
        let outcomes = contest::hold(name, &contestants, |_| search::load(files));
        let [one, many, theirs] = outcomes.as_slice() else { panic!("three contestants") };
        println!(
            "{name:<11}{:>10}{:>9}{:>10}{:>9}{:>9}{:>10.2}{:>5}{:>6}{:>8.2}{:>9.2}{:>8}{:>6.1}",
            one.packets,
            theirs.packets,
            ms(one.wall),
            ms(many.wall),
            ms(theirs.wall),
            bytes as f64 / 1e9 / one.wall.as_secs_f64(),
            ratio(theirs.wall, one.wall),
            ratio(theirs.wall, many.wall),
            one.cpu.as_secs_f64(),
            theirs.cpu.as_secs_f64(),
            ratio(theirs.cpu, one.cpu),
            many.answer.peak_kib as f64 / 1024.0,
        );
    }
}
