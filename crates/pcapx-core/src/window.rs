//! The span of time that a request asks for.

use std::fmt;
use std::time::Duration;

use crate::time::Timestamp;

/// A closed span of time: a packet stamped exactly at either end belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    start: Timestamp,
    end: Timestamp,
}

/// The end of a window lies before its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window ends ({end}) before it begins ({start})")]
pub struct WindowReversed {
    /// The start that was asked for.
    pub start: Timestamp,
    /// The end that was asked for.
    pub end: Timestamp,
}

impl Window {
    /// All of time.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// From `start` to `end`, both included.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, WindowReversed> {
        if end < start { Err(WindowReversed { start, end }) } else { Ok(Self { start, end }) }
    }

    /// From `before` ahead of the earlier instant to `after` past the later one.
    ///
    /// An alert has one instant and gives it twice; a flow gives its first and its last packet's time.
    pub fn around(one: Timestamp, other: Timestamp, before: Duration, after: Duration) -> Self {
        Self { start: one.min(other).saturating_sub(before), end: one.max(other).saturating_add(after) }
    }

    /// The first instant inside.
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// The last instant inside.
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// Whether `at` lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at <= self.end
    }

    /// Whether any instant of `first ..= last` lies inside.
    pub fn overlaps(&self, first: Timestamp, last: Timestamp) -> bool {
        first <= self.end && self.start <= last
    }
}

/// Both ends in UTC: `2026-03-01T09:00:00.000000000Z..2026-03-01T09:12:00.000000000Z`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn both_ends_belong_to_it() {
        let w = Window::new(at(10), at(20)).unwrap();
        assert!(w.contains(at(10)) && w.contains(at(20)));
        assert!(!w.contains(Timestamp::from_nanos(at(10).as_nanos() - 1)));
        assert!(!w.contains(Timestamp::from_nanos(at(20).as_nanos() + 1)));
        assert!(w.overlaps(at(0), at(10)) && w.overlaps(at(20), at(30)) && !w.overlaps(at(21), at(30)));
    }

    #[test]
    fn a_reversed_window_is_refused() {
        assert_eq!(Window::new(at(2), at(1)), Err(WindowReversed { start: at(2), end: at(1) }));
        assert!(Window::new(at(1), at(1)).is_ok());
    }

    #[test]
    fn reaches_around_a_flow_whichever_time_comes_first() {
        let w = Window::around(at(100), at(40), Duration::from_secs(5), Duration::from_secs(7));
        assert_eq!(w, Window::new(at(35), at(107)).unwrap());
    }
}
