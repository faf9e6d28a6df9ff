//! The same question to several programs, in turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcapx_testkit::bench::{Cost, count_packets, median, say, turns};
use pcapx_testkit::tool::Tool;

use crate::asked::{Answer, Asked};

/// Who is asked.
pub(super) enum Contestant<'a> {
    Ours(Asked<'a>),
    Tcpdump { tool: &'a Tool, files: &'a [PathBuf], filter: &'a str },
}

/// Medians of one contestant's turns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    pub(super) packets: u64,
    /// Only of us: of the last turn, but the steps are medians and the peak is the highest.
    pub(super) answer: Answer,
}

/// Asks every contestant in each turn, and does `before` each time. The first turn does not count.
pub(super) fn hold(
    name: &str,
    contestants: &[Contestant<'_>],
    before: impl Fn(&Contestant<'_>),
) -> Vec<Outcome> {
    let out = match std::env::var_os("PCAPX_BENCH_OUT") {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")),
    };
    let out = out.expect("a folder for the answers");
    let count = turns();
    let mut outcomes = vec![Vec::new(); contestants.len()];
    for turn in 0..=count {
        say(&format!("{name}: turn {turn} of {count}"));
        for (contestant, outcomes) in contestants.iter().zip(&mut outcomes) {
            before(contestant);
            let outcome = contestant.run(out.path());
            if turn > 0 {
                outcomes.push(outcome);
            }
        }
    }
    say("");
    outcomes.iter().map(|turns| Outcome::of(turns)).collect()
}

impl Outcome {
    fn of(turns: &[Self]) -> Self {
        let mut whole = turns.last().copied().unwrap_or_default();
        whole.wall = median(turns.iter().map(|turn| turn.wall));
        whole.cpu = median(turns.iter().map(|turn| turn.cpu));
        whole.answer.cpu = median(turns.iter().map(|turn| turn.answer.cpu));
        whole.answer.steps =
            std::array::from_fn(|step| median(turns.iter().map(|turn| turn.answer.steps[step])));
        whole.answer.peak_kib = turns.iter().map(|turn| turn.answer.peak_kib).max().unwrap_or_default();
        whole
    }
}

impl Contestant<'_> {
    fn run(&self, out: &Path) -> Outcome {
        let file = out.join("answer.pcap");
        let outcome = match self {
            Self::Ours(asked) => {
                let (Cost { wall, cpu }, text) = Cost::of(&mut asked.command(&file));
                let answer = Answer::read(&text);
                Outcome { wall, cpu, packets: answer.packets, answer }
            }
            Self::Tcpdump { tool, files, filter } => {
                let list = out.join("files");
                let lines: Vec<_> = files.iter().map(|path| path.to_string_lossy()).collect();
                fs::write(&list, lines.join("\n")).expect("the list of files is written");
                let mut command = tool.command();
                // As root it would give its rights up and could not write here any more.
                command.args(["-n", "-Z", "root", "-V"]).arg(&list).arg("-w").arg(&file).arg(filter);
                let (Cost { wall, cpu }, _) = Cost::of(&mut command);
                Outcome { wall, cpu, packets: count_packets(&file), answer: Answer::default() }
            }
        };
        // Ours is missing where nothing matched.
        let _ = fs::remove_file(&file);
        outcome
    }
}
