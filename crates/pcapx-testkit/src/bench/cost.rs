//! What a process takes from its start to its end.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Time of one run of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// From start to end.
    pub wall: Duration,
    /// Of processors, user and system; counted in hundredths of a second.
    pub cpu: Duration,
}

impl Cost {
    /// Runs `command` to its end, and gives what it prints.
    ///
    /// # Panics
    /// When it cannot be started, or does not succeed.
    pub fn of(command: &mut Command) -> (Self, String) {
        let (begun, cpu) = (Instant::now(), children_cpu());
        let output = match command.output() {
            Ok(output) => output,
            Err(e) => panic!("{command:?}: {e}"),
        };
        let cost = Self { wall: begun.elapsed(), cpu: children_cpu().saturating_sub(cpu) };
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        (cost, String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Processor time, user and system, of all children that have ended.
fn children_cpu() -> Duration {
    // Linux counts in hundredths of a second here, whatever its own clock does (proc_pid_stat(5), USER_HZ).
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may hold blanks, cutime and cstime are the 14th and 15th field.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().skip(13).take(2);
    fields.filter_map(|ticks| ticks.parse::<u32>().ok()).map(|ticks| TICK * ticks).sum()
}

/// Processor time, user and system, that this process has taken so far; precise, unlike what is told of ended ones.
pub fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs().try_into().unwrap_or_default())
}

/// The largest resident set that this process has had, KiB (`VmHWM` of `proc_pid_status(5)`).
pub fn peak_kib() -> u64 {
    peak("self")
}

/// The same of another process.
pub fn peak_kib_of(pid: u32) -> u64 {
    peak(&pid.to_string())
}

fn peak(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_a_program_prints() {
        let (cost, text) = Cost::of(Command::new("sh").args(["-c", "sleep 0.05; echo done"]));
        assert_eq!(text, "done\n");
        assert!(cost.wall >= Duration::from_millis(50));
        assert!(peak_kib() > 0);
    }
}
