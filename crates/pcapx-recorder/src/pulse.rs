//! Whether the threads that record still do their work.
//!
//! Each of them has a loop that comes round by itself, also when there is nothing to do: it beats there. One that hangs – in
//! a write that does not return, in a lock – beats no more, and [`Vitals`] notice.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A thread without which nothing is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Takes packets from the source.
    Intake,
    /// Writes them.
    Storage,
    /// Seals segments.
    Sealing,
}

const PARTS: [Part; 3] = [Part::Intake, Part::Storage, Part::Sealing];

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Intake => "the capture",
            Self::Storage => "the writing of packets",
            Self::Sealing => "the sealing of files",
        })
    }
}

/// How often the loop of each part has come round.
#[derive(Debug, Default)]
pub struct Pulse([AtomicU64; PARTS.len()]);

impl Pulse {
    /// The loop of `part` comes round.
    pub(crate) fn beat(&self, part: Part) {
        self.0[part as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn beats(&self, part: Part) -> u64 {
        self.0[part as usize].load(Ordering::Relaxed)
    }

    /// Whether every part has begun.
    pub(crate) fn is_there(&self) -> bool {
        PARTS.iter().all(|part| self.beats(*part) > 0)
    }
}

/// When each part was last seen to beat.
#[derive(Debug)]
pub struct Vitals([(u64, Instant); PARTS.len()]);

impl Vitals {
    /// All of them are well `now`.
    pub fn new(now: Instant) -> Self {
        Self([(0, now); PARTS.len()])
    }

    /// The part that has not beaten for longer than `patience`, if there is one.
    pub fn hanging(&mut self, pulse: &Pulse, now: Instant, patience: Duration) -> Option<Part> {
        for (part, (beats, at)) in PARTS.iter().zip(&mut self.0) {
            let present = pulse.beats(*part);
            if present != *beats {
                (*beats, *at) = (present, now);
            }
        }
        let is_late = |part: &&Part| now.duration_since(self.0[**part as usize].1) > patience;
        PARTS.iter().find(is_late).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_does_not_beat_is_named_and_may_come_back() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let patience = Duration::from_secs(10);
        let mut vitals = Vitals::new(start);
        let mut after = |secs, beating: &[Part]| {
            for part in beating {
                pulse.beat(*part);
            }
            vitals.hanging(&pulse, start + Duration::from_secs(secs), patience)
        };
        assert_eq!(after(9, &[]), None);
        assert_eq!(after(10, &PARTS), None);
        assert_eq!(after(20, &[Part::Intake, Part::Sealing]), None);
        assert_eq!(after(21, &[Part::Intake, Part::Sealing]), Some(Part::Storage));
        assert_eq!(after(22, &PARTS), None);
        assert_eq!(after(40, &[Part::Storage]), Some(Part::Intake));
        assert_eq!(after(41, &[Part::Intake]), Some(Part::Sealing));
    }
}
