//! What was measured, as a person reads it.

use std::fmt::Write;
use std::time::Duration;

use crate::options::{Settings, Simulation};

/// What was measured in one go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) took: Duration,
    pub(super) cpu: Duration,
    pub(super) packets: u64,
    pub(super) wire_bytes: u64,
    pub(super) dropped: u64,
    pub(super) slowest_write: Duration,
}

impl Row {
    pub(super) fn named(self, what: &'static str) -> Self {
        Self { what, ..self }
    }
}

/// The table with its heading.
pub(super) fn text(simulation: Simulation, settings: &Settings, rows: &[Row]) -> String {
    let index = if settings.index { ", each file with its index" } else { "" };
    let head = match simulation {
        Simulation::Disk => format!("disk: made-up packets written to {}{index}", settings.dump.display()),
        Simulation::Core => format!("core: made-up packets taken and thrown away{index}"),
        Simulation::Capture => "capture: packets taken and thrown away".to_owned(),
        Simulation::Index => "index: packets taken, indexed and thrown away".to_owned(),
    };
    let mut text = format!(
        "{head}\n\n{:<18}{:>8}{:>14}{:>11}{:>10}{:>10}{:>12}{:>14}{:>11}\n",
        "", "seconds", "packets", "packets/s", "Gbit/s", "MB/s", "CPU s/Mpkt", "slowest write", "dropped"
    );
    for row in rows {
        let secs = row.took.as_secs_f64().max(1e-3);
        let (packets, bytes) = (row.packets as f64, row.wire_bytes as f64);
        let cpu = if row.packets == 0 { 0.0 } else { row.cpu.as_secs_f64() / packets * 1e6 };
        let slowest = if simulation.writes() {
            format!("{:.1} ms", row.slowest_write.as_secs_f64() * 1e3)
        } else {
            "–".to_owned()
        };
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "{:<18}{secs:>8.1}{:>14}{:>11.0}{:>10.2}{:>10.0}{cpu:>12.3}{slowest:>14}{:>11}",
            row.what,
            row.packets,
            packets / secs,
            bytes * 8.0 / secs / 1e9,
            bytes / secs / 1e6,
            row.dropped,
        );
    }
    text.push('\n');
    text.push_str(match simulation {
        Simulation::Disk => {
            "What a link brings must stay below this; leave a third for searches and for bad moments.\n"
        }
        Simulation::Core => "More than this no disk and no interface makes this machine record.\n",
        Simulation::Capture | Simulation::Index => {
            "This is what was sent; send more until something is dropped, and the machine's limit is found.\n"
        }
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Asked, read};

    #[test]
    fn columns_stand_below_their_titles() {
        let words = ["-i", "lo", "-o", "/d", "-I"].map(Into::into);
        let Ok(Asked::Record { settings, .. }) = read(words) else { panic!("options") };
        let row = Row {
            what: "usual packets",
            took: Duration::from_secs(10),
            cpu: Duration::from_secs(5),
            packets: 10_000_000,
            wire_bytes: 7_350_000_000,
            dropped: 3,
            slowest_write: Duration::from_micros(12_345),
        };
        let told = text(Simulation::Disk, &settings, &[row]);
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines[0], "disk: made-up packets written to /d, each file with its index");
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>(),
            ["usual", "packets", "10.0", "10000000", "1000000", "5.88", "735", "0.500", "12.3", "ms", "3"]
        );
        assert_eq!(lines[2].chars().count(), lines[3].chars().count());
        let none = Row { packets: 0, wire_bytes: 0, took: Duration::ZERO, ..row };
        assert!(text(Simulation::Capture, &settings, &[none]).contains(" 0.000 "));
    }
}
