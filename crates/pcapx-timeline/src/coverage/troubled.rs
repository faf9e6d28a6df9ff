//! Segments that cannot be read, or not to their ends: of which time they can hide packets.

use crate::catalog::Segment;
use crate::catalog::probe::SLACK;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// Of which time a segment can hide packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Troubled {
    /// From its last packet that can be read, or from its beginning, where its name tells that.
    pub(super) begun: Option<Timestamp>,
    /// Up to when it was written to.
    pub(super) modified: Timestamp,
}

impl Troubled {
    /// Of a segment of which nothing can be read.
    pub(super) fn of_unreadable(segment: &Segment) -> Self {
        Self { begun: segment.named_time, modified: segment.modified }
    }

    /// Whether packets of the window may be hidden there.
    pub(super) fn concerns(&self, window: Window) -> bool {
        self.begun.is_none_or(|begun| begun <= window.end().saturating_add(SLACK))
            && window.start() <= self.modified.saturating_add(SLACK)
    }

    /// The time of what cannot be read. A file is written to for the last time a moment after its last packet came; of one
    /// whose name tells nothing, only that moment is known.
    pub(super) fn stretch(&self) -> (Timestamp, Timestamp) {
        (self.begun.unwrap_or_else(|| self.modified.saturating_sub(SLACK)), self.modified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_windows_of_its_time_are_concerned() {
        let at = Timestamp::from_secs;
        let window = |from, to| Window::new(at(from), at(to)).unwrap();
        let named = Troubled { begun: Some(at(100)), modified: at(200) };
        assert!(!named.concerns(window(0, 97)) && !named.concerns(window(203, 300)));
        assert!(named.concerns(window(0, 98)) && named.concerns(window(202, 300)));
        assert!(named.concerns(window(150, 160)) && named.concerns(window(0, 300)));
        // It may have begun at any time.
        let unnamed = Troubled { begun: None, ..named };
        assert!(unnamed.concerns(window(0, 1)) && !unnamed.concerns(window(203, 300)));
        assert_eq!((named.stretch(), unnamed.stretch()), ((at(100), at(200)), (at(198), at(200))));
    }
}
