//! How many of those who are turned away are written down.

use std::mem;
use std::time::{Duration, Instant};

use super::Act;

/// Lines that may come at once: whoever looks for a few attempts finds each of them.
const BURST: u32 = 1000;
/// After those, one more after each of these: some thirty megabytes a day.
const PACE: Duration = Duration::from_secs(1);

/// A bucket that [`BURST`] lines fill and that loses one each [`PACE`].
#[derive(Debug)]
pub(super) struct Denials {
    empty_at: Instant,
    /// Those that were not written down and have not been told of yet.
    untold: u64,
}

impl Denials {
    pub(super) fn new(now: Instant) -> Self {
        Denials { empty_at: now, untold: 0 }
    }

    /// Whether one more may be written down; if not, it is counted.
    pub(super) fn may_be_written(&mut self, now: Instant) -> bool {
        let from = self.empty_at.max(now);
        let may = from.duration_since(now) <= PACE * (BURST - 1);
        if may {
            self.empty_at = from + PACE;
        } else {
            self.untold += 1;
        }
        may
    }

    /// The act that tells of those that were counted, if there are any.
    pub(super) fn told(&mut self) -> Option<Act> {
        let count = mem::take(&mut self.untold);
        (count > 0).then(|| Act::new("denied more").with("acts", count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_written_down_and_then_one_a_second_and_the_rest_is_told() {
        let start = Instant::now();
        let mut denials = Denials::new(start);
        let written = |denials: &mut Denials, now, times: u32| {
            (0..times).filter(|_| denials.may_be_written(now)).count()
        };
        assert_eq!(written(&mut denials, start, BURST + 500), BURST as usize);
        assert_eq!(denials.told().unwrap().fields["acts"], 500);
        assert!(denials.told().is_none());
        let a_minute: usize =
            (1..=600).map(|tenth| written(&mut denials, start + PACE * tenth / 10, 5)).sum();
        assert_eq!((a_minute, denials.untold), (60, 2940));
        let later = start + PACE * 10 * BURST;
        assert_eq!(written(&mut denials, later, BURST + 1), BURST as usize);
    }
}
