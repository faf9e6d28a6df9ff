//! What recording costs: processor time per million packets, ours (with its index) beside other recorders, same replay, same
//! run.
//!
//! ```text
//! cargo bench -p pcapx-recorder --bench cost [-- trace flood] [-- tcpdump stenotype …]
//! ```
//!
//! ```text
//! tcpreplay ─► near ═ veth ═ far ─► recorder ─► files below the target folder (PCAPX_BENCH_OUT: elsewhere)
//! ```
//!
//! Both ends are in a network namespace of the bench's own. Every recorder has a ring of 256 MB, records whole packets and
//! writes files of 512 MB; it is started, given the replay, left a moment to finish, and stopped. User and system time of
//! the process are counted from its start to its end, sealing and indexing among it. Recorders take turns; medians are
//! shown. What is sent is generated from a fixed seed (`PCAPX_BENCH_BYTES`, 150 MB, sent four times), as fast as tcpreplay can
//! or with `PCAPX_BENCH_PPS` packets a second. `PCAPX_BENCH_TURNS` is how many turns count, 5.
//!
//! The kernel's work for a packet is done in the sender's context and counted there; it is the same for all but netsniff-ng
//! and tcpdump, whose rings it fills in other ways.
//!
//! It needs root (stenotype and tcpdump become other users), tcpreplay and `ip`. A recorder that is not installed is left
//! out with a word about it. It prints, and never fails for being slow.

mod recorders;
mod rig;

use std::time::Duration;

use pcapx_testkit::bench::{Shelf, median, segments, setting, turns};
use pcapx_testkit::trace::{Mix, Trace};
use recorders::{OURS, RECORDERS, Recorder};
use rig::{Rig, Run};

const SEED: u64 = 1;
const HOUR: Duration = Duration::from_secs(3600);
/// What is sent: its name, what it is made of, and which part of the bytes, so that there are about as many packets.
const LOADS: [(&str, Mix, u64); 2] = [("trace", Mix::Usual, 1), ("flood", Mix::Flood, 10)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` says so; a test run only wants to see that this compiles.
    if !args.iter().any(|arg| arg == "--bench") || !rig::is_alone() {
        return;
    }
    let is_wanted = |name: &str, all: &[&str]| {
        let named = args.iter().any(|arg| all.contains(&arg.as_str()));
        !named || args.iter().any(|arg| arg == name)
    };
    let Some(rig) = Rig::build() else { return };
    let names: Vec<_> = RECORDERS.iter().map(|recorder| recorder.name).collect();
    let recorders: Vec<_> =
        RECORDERS.iter().filter(|recorder| is_wanted(recorder.name, &names) && recorder.is_here()).collect();
    let shelf = Shelf::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, mix, part) in LOADS {
        if !is_wanted(name, &LOADS.map(|(name, ..)| name)) {
            continue;
        }
        let bytes = setting("PCAPX_BENCH_BYTES", 150_000_000);
        let trace = Trace::new(SEED).mix(mix).bytes(bytes / part);
        let file = segments(&shelf.trace(&trace, HOUR)).remove(0);
        let mut runs: Vec<Vec<Run>> = recorders.iter().map(|_| Vec::new()).collect();
        for turn in 0..=turns() {
            for (recorder, runs) in recorders.iter().zip(&mut runs) {
                let run = rig.run(recorder, &file);
                // One turn that does not count.
                if turn > 0 {
                    runs.push(run);
                }
            }
        }
        print(name, &recorders, &runs);
    }
}

fn print(load: &str, recorders: &[&Recorder], runs: &[Vec<Run>]) {
    let cost = |runs: &[Run]| median(runs.iter().map(Run::cpu_per_million)).as_secs_f64();
    let ours = recorders.iter().position(|recorder| recorder.name == OURS).map(|at| cost(&runs[at]));
    let Some(any) = runs.iter().flatten().next() else { return };
    println!(
        "\n{load}: {} packets, {} bytes each in the mean; medians of {}\n",
        any.sent,
        any.sent_bytes / any.sent.max(1),
        turns()
    );
    println!("| recorder | user | system | CPU s per Mpacket | times ours | lost | sent at |");
    println!("|---|---|---|---|---|---|---|");
    for (recorder, runs) in recorders.iter().zip(runs) {
        let part = |part: fn(&Run) -> Duration| median(runs.iter().map(part)).as_secs_f64();
        let cost = cost(runs);
        let times = ours.map_or("–".into(), |ours| format!("{:.2}", cost / ours));
        let lost = runs.iter().map(|run| run.lost).max().flatten();
        let lost = lost.map_or("not told".into(), |lost| lost.to_string());
        let rate = median(runs.iter().map(|run| run.took)).as_secs_f64();
        println!(
            "| {} | {:.2} s | {:.2} s | {cost:.3} | {times} | {lost} | {:.0} 000/s |",
            recorder.title,
            part(|run| run.user),
            part(|run| run.system),
            any.sent as f64 / rate / 1000.0,
        );
    }
}
