//! What a query knows of its segments when it is done, made into coverage.

use std::collections::HashMap;
use std::path::Path;

use super::draft::{Seen, least};
use super::spans::{self, Recorded};
use super::troubled::Troubled;
use super::{Coverage, Drops, GAP_TOLERANCE, SegmentCoverage};
use crate::catalog::probe::{self, Span};
use crate::catalog::{Learned, QUIET, Segment};
use crate::index::IndexReader;
use crate::query::Query;
use crate::recorder::Unsealed;
use crate::warning::{Warning, WarningKind};
use pcapx_core::time::Timestamp;

/// A segment that can have packets of the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside<'c> {
    pub(super) segment: &'c Segment,
    pub(super) learned: Learned,
    pub(super) is_indexed: bool,
}

/// All segments that matter, with what is known of them.
pub(super) struct Gathered<'q> {
    pub(super) query: &'q Query<'q>,
    pub(super) found: Vec<Found<'q>>,
    pub(super) oldest: Option<Timestamp>,
    pub(super) newest: Option<Timestamp>,
}

/// One of them, with its packets' times.
pub(super) struct Found<'c> {
    inside: Inside<'c>,
    first: Timestamp,
    last: Option<Timestamp>,
    pub(super) recorded: Recorded,
}

impl<'q> Gathered<'q> {
    /// Takes in a segment, of which a scan has `seen` what it has.
    pub(super) fn add(&mut self, mut inside: Inside<'q>, seen: Option<Seen>) {
        let Some((first, last)) = span(inside.segment, &inside.learned, seen) else { return };
        self.oldest = least(self.oldest, Some(first));
        self.newest = self.newest.max(last).max(Some(first));
        inside.learned.packets = inside.learned.packets.or(seen.map(|seen| seen.packets));
        let recorded = Recorded::of(&inside.learned, first, last);
        self.found.push(Found { inside, first, last, recorded });
    }

    /// Finds out about a segment that the query had no need to look at.
    pub(super) fn ask(&mut self, segment: Option<&'q Segment>) {
        let Some(segment) = segment else { return };
        if self.found.iter().any(|found| std::ptr::eq(found.inside.segment, segment)) {
            return;
        }
        let told = || segment.learned().copied().filter(|learned| learned.packets.is_some());
        let asked = || {
            let place = self.query.indexes.as_ref().filter(|_| !segment.is_open)?;
            let index = IndexReader::find(place, &segment.file, &segment.identity()).ok()?;
            Some(Learned::of(index.summary()))
        };
        if let Some(learned) = told().or_else(asked) {
            segment.learn(learned);
            self.add(Inside { segment, learned, is_indexed: true }, None);
        } else if let Ok(span) = segment.span() {
            self.add(Inside { segment, learned: Learned::of_span(span), is_indexed: false }, None);
        }
    }

    /// From where on there may be more in each segment than was read, should it not be readable to its end.
    pub(super) fn troubled(&self) -> impl Iterator<Item = (&'q Path, Troubled)> {
        self.found.iter().map(|found| {
            let segment = found.inside.segment;
            let begun = Some(found.last.unwrap_or(found.first));
            (&*segment.path, Troubled { begun, modified: segment.modified })
        })
    }

    /// The coverage, of which `hidden` takes away what cannot be read; that lies in the stretches `lost`.
    pub(super) fn coverage(
        self,
        hidden: &HashMap<&Path, &Warning>,
        lost: &[(Timestamp, Timestamp)],
    ) -> Coverage {
        let Self { query, found, oldest, newest } = self;
        let window = query.window;
        let mut recordings = Vec::with_capacity(found.len());
        for found in &found {
            let warning = hidden.get(&*found.inside.segment.path);
            recordings.extend(found.readable(warning.map(|warning| &warning.kind)));
        }
        if let Some((newest, up_to)) =
            newest.zip(query.complete_up_to).filter(|(newest, up_to)| newest < up_to)
        {
            recordings.push(Recorded::between(newest, up_to));
        }
        let (covered, gaps) = spans::cut(&spans::join(recordings, GAP_TOLERANCE, lost), window);
        let quiet_since = Timestamp::now().saturating_sub(QUIET);
        let is_inside = |found: &&Found<'_>| window.overlaps(found.recorded.from, found.recorded.to);
        let mut segments: Vec<_> =
            found.iter().filter(is_inside).map(|found| found.tell(query, newest, quiet_since)).collect();
        segments.sort_by(|a, b| (a.first, &a.path).cmp(&(b.first, &b.path)));
        let mut drops = Drops::default();
        for segment in &segments {
            drops.add(segment.drops);
        }
        // Of a file without an index mostly nobody knows: none of the others is not none at all.
        if drops.total() == Some(0) && segments.iter().any(|segment| segment.drops.total().is_none()) {
            drops = Drops::default();
        }
        let packets_in_segments = segments.iter().filter_map(|segment| segment.packets).sum();
        Coverage {
            segments,
            covered,
            gaps,
            drops,
            oldest,
            newest,
            packets_in_segments,
            ..Coverage::none(window)
        }
    }
}

impl Found<'_> {
    /// What of its recording can be read, when this is the matter with it.
    fn readable(&self, trouble: Option<&WarningKind>) -> Option<Recorded> {
        match trouble {
            Some(WarningKind::Unreadable(_) | WarningKind::Vanished) => None,
            Some(WarningKind::Damaged(_)) => {
                Some(Recorded::between(self.first, self.last.unwrap_or(self.first)))
            }
            _ => Some(self.recorded),
        }
    }

    fn tell(&self, query: &Query<'_>, newest: Option<Timestamp>, quiet_since: Timestamp) -> SegmentCoverage {
        let Inside { segment, learned, is_indexed } = &self.inside;
        let told = || query.unsealed.iter().find(|unsealed| unsealed.is_at(&segment.file));
        SegmentCoverage {
            path: segment.path.clone(),
            bytes: segment.len,
            first: self.first,
            last: self.last,
            packets: learned.packets,
            recorded: learned.recorded,
            drops: match learned.drops.total() {
                Some(_) => learned.drops,
                None => told().map(Unsealed::drops).unwrap_or_default(),
            },
            is_growing: segment.is_open || (self.last == newest && segment.modified > quiet_since),
            is_indexed: *is_indexed,
        }
    }
}

impl Recorded {
    /// Of a segment with packets from `first` to `last`.
    pub(super) fn of(learned: &Learned, first: Timestamp, last: Option<Timestamp>) -> Self {
        let packets = Self::between(first, last.unwrap_or(first));
        learned.recorded.map(Self::exactly).map_or(packets, |exact| Self {
            from: exact.from.min(packets.from),
            to: exact.to.max(packets.to),
            is_exact: true,
        })
    }
}

/// Earliest and latest packet of a segment: counted, told, or read from the file itself.
fn span(segment: &Segment, learned: &Learned, seen: Option<Seen>) -> Option<(Timestamp, Option<Timestamp>)> {
    if let Some(seen) = seen {
        return seen.span.map(|(first, last)| (first, Some(last)));
    }
    let Span::Packets { first, last } = learned.span else { return None };
    Some((first, last.or_else(|| probe::ends(segment).map(|(_, last)| last))))
}
