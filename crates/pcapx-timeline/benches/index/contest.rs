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
    /// Only of us: of the last turn, but the steps are medians and the peak is that of the first turn.
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
    let (mut outcomes, mut peaks) = (vec![Vec::new(); contestants.len()], vec![0; contestants.len()]);
    for turn in 0..=count {
        say(&format!("{name}: turn {turn} of {count}"));
        for (number, contestant) in contestants.iter().enumerate() {
            before(contestant);
            let outcome = contestant.run(out.path(), turn == 0);
            if turn == 0 {
                peaks[number] = outcome.answer.peak_kib;
            } else {
                outcomes[number].push(outcome);
            }
        }
    }
    say("");
    outcomes.iter().zip(peaks).map(|(turns, peak)| Outcome::of(turns, peak)).collect()
}

impl Outcome {
    fn of(turns: &[Self], peak_kib: u64) -> Self {
        let mut whole = turns.last().copied().unwrap_or_default();
        whole.wall = median(turns.iter().map(|turn| turn.wall));
        whole.cpu = median(turns.iter().map(|turn| turn.cpu));
        whole.answer.cpu = median(turns.iter().map(|turn| turn.answer.cpu));
        whole.answer.steps =
            std::array::from_fn(|step| median(turns.iter().map(|turn| turn.answer.steps[step])));
        whole.answer.peak_kib = peak_kib;
        whole
    }
}

impl Contestant<'_> {
    fn run(&self, out: &Path, tells_peak: bool) -> Outcome {
        let file = out.join("answer.pcap");
        let outcome = match self {
            Self::Ours(asked) => {
                let (Cost { wall, cpu }, text) = Cost::of(&mut asked.command(&file, tells_peak));
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
