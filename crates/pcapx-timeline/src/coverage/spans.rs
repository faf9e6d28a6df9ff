//! Spans of recording: joined where one recording goes on, cut to the window, with the gaps between them.

use std::time::Duration;

use super::{Gap, GapKind};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// A stretch of time in which something was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Whether its recorder tells where it ends; otherwise packets do.
    pub(super) is_exact: bool,
}

impl Recorded {
    pub(super) fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from), is_exact: false }
    }

    pub(super) fn exactly(window: Window) -> Self {
        Self { from: window.start(), to: window.end(), is_exact: true }
    }
}

/// Joins spans that are one recording; the result is in order, and no span touches the next. Where there is `hidden` – a
/// stretch of which something was recorded that cannot be read – a pause is no pause.
pub(super) fn join(
    mut spans: Vec<Recorded>,
    tolerance: Duration,
    hidden: &[(Timestamp, Timestamp)],
) -> Vec<Recorded> {
    spans.sort_unstable_by_key(|span| (span.from, span.to));
    let mut joined: Vec<Recorded> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.to || is_pause(last, &span, tolerance, hidden) => {
                if span.to > last.to || (span.to == last.to && span.is_exact) {
                    (last.to, last.is_exact) = (span.to, span.is_exact);
                }
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// Whether one recording goes on from `last` to `next`. Two recorders that tell their times exactly are believed.
fn is_pause(
    last: &Recorded,
    next: &Recorded,
    tolerance: Duration,
    hidden: &[(Timestamp, Timestamp)],
) -> bool {
    next.from <= last.to.saturating_add(tolerance)
        && !(last.is_exact && next.is_exact)
        && !hidden.iter().any(|&(from, to)| last.to <= to && from < next.from)
}

/// What of `window` lies in the joined `spans`, and what does not. A window without an end reaches as far as they do.
pub(super) fn cut(spans: &[Recorded], window: Window) -> (Vec<Window>, Vec<Gap>) {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        let gap = Gap { from: window.start(), to: window.end(), kind: GapKind::Between };
        return (Vec::new(), vec![gap]);
    };
    let start = if window.start() == Timestamp::MIN { first.from } else { window.start() };
    let end = if window.end() == Timestamp::MAX { last.to } else { window.end() };
    let covered = spans
        .iter()
        .filter_map(|span| Window::new(span.from.max(start), span.to.min(end)).ok())
        .filter(|span| span.start() <= end && start <= span.end())
        .collect();
    let mut gaps = Vec::new();
    // Spans do not touch: of a gap that begins before the window's end and ends after its start, something is in the window.
    let mut gap = |from: Timestamp, to: Timestamp, kind| {
        if from < end && start < to {
            gaps.push(Gap { from: from.max(start), to: to.min(end), kind });
        }
    };
    gap(Timestamp::MIN, first.from, GapKind::BeforeOldest);
    for (span, next) in spans.iter().zip(&spans[1..]) {
        gap(span.to, next.from, GapKind::Between);
    }
    gap(last.to, Timestamp::MAX, GapKind::AfterNewest);
    (covered, gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOLERANCE: Duration = Duration::from_secs(10);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn window(from: i64, to: i64) -> Window {
        Window::new(at(from), at(to)).unwrap()
    }

    fn gap(from: i64, to: i64, kind: GapKind) -> Gap {
        Gap { from: at(from), to: at(to), kind }
    }

    fn by_packets(spans: &[(i64, i64)]) -> Vec<Recorded> {
        join(spans.iter().map(|&(from, to)| Recorded::between(at(from), at(to))).collect(), TOLERANCE, &[])
    }

    #[test]
    fn a_short_pause_is_no_gap_and_a_long_one_is() {
        let spans = by_packets(&[(110, 200), (0, 100), (211, 300)]);
        assert_eq!(
            cut(&spans, window(50, 250)),
            (
                vec![window(50, 200), window(211, 250)],
                vec![Gap { from: at(200), to: at(211), kind: GapKind::Between }]
            )
        );
    }

    #[test]
    fn recorders_that_tell_are_believed_to_the_nanosecond() {
        let exactly = |from, to| Recorded::exactly(window(from, to));
        let nano = Recorded { from: Timestamp::from_nanos(at(20).as_nanos() + 1), ..exactly(20, 30) };
        let spans = join(vec![exactly(0, 10), exactly(10, 20), nano], TOLERANCE, &[]);
        assert_eq!(spans, [exactly(0, 20), nano]);
        // Beside one that does not tell, the tolerance holds.
        let spans = join(vec![exactly(0, 10), Recorded::between(at(15), at(20))], TOLERANCE, &[]);
        assert_eq!(spans, [Recorded { is_exact: false, ..exactly(0, 20) }]);
    }

    #[test]
    fn what_cannot_be_read_is_no_pause() {
        let (one, two) = (Recorded::between(at(0), at(10)), Recorded::between(at(18), at(30)));
        let joined = |hidden| join(vec![one, two], TOLERANCE, &[hidden]).len() == 1;
        assert!(!joined((at(11), at(17))) && !joined((at(10), at(10))) && !joined((at(17), at(40))));
        // What lies elsewhere has nothing to do with it, and what was recorded beside it by somebody else is there.
        assert!(joined((at(0), at(9))) && joined((at(18), at(40))));
        let beside = Recorded::between(at(9), at(20));
        assert_eq!(join(vec![one, two, beside], TOLERANCE, &[(at(11), at(17))]).len(), 1);
    }

    #[test]
    fn what_lies_before_and_after_everything_is_named() {
        let spans = by_packets(&[(100, 200)]);
        let (before, after) = (GapKind::BeforeOldest, GapKind::AfterNewest);
        assert_eq!(cut(&spans, window(0, 50)), (vec![], vec![gap(0, 50, before)]));
        assert_eq!(cut(&spans, window(300, 400)), (vec![], vec![gap(300, 400, after)]));
        let all = cut(&spans, window(50, 250));
        assert_eq!(all, (vec![window(100, 200)], vec![gap(50, 100, before), gap(200, 250, after)]));
        assert_eq!(cut(&spans, Window::ALL), (vec![window(100, 200)], vec![]));
        assert_eq!(cut(&[], window(1, 2)), (vec![], vec![gap(1, 2, GapKind::Between)]));
    }

    #[test]
    fn a_window_within_a_gap_is_all_gap() {
        let spans = by_packets(&[(0, 100), (200, 300)]);
        assert_eq!(cut(&spans, window(120, 180)), (vec![], vec![gap(120, 180, GapKind::Between)]));
    }

    proptest! {
        /// Covered stretches and gaps follow one another from the first to the last instant of the window.
        #[test]
        fn covered_and_gaps_are_the_window(
            spans in prop::collection::vec((0..1000_i64, 0..80_i64, any::<bool>()), 0..20),
            hidden in prop::collection::vec((0..1000_i64, 0..30_i64), 0..3),
            from in -100..1100_i64, len in 0..500_i64,
        ) {
            let spans = spans.into_iter().map(|(from, len, is_exact)| {
                Recorded { is_exact, ..Recorded::between(at(from), at(from + len)) }
            });
            let hidden: Vec<_> = hidden.into_iter().map(|(from, len)| (at(from), at(from + len))).collect();
            let spans = join(spans.collect(), TOLERANCE, &hidden);
            prop_assert!(spans.windows(2).all(|two| two[0].to < two[1].from));
            let (covered, gaps) = cut(&spans, window(from, from + len));
            let mut all: Vec<_> = covered.iter().map(|w| (w.start(), w.end())).collect();
            all.extend(gaps.iter().map(|g| (g.from, g.to)));
            all.sort_unstable();
            prop_assert_eq!(all.first().map(|a| a.0), Some(at(from)));
            prop_assert_eq!(all.last().map(|a| a.1), Some(at(from + len)));
            prop_assert!(all.windows(2).all(|two| two[0].1 == two[1].0));
        }
    }
}
