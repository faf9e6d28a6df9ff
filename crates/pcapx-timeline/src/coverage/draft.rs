//! What a query learns of its window's coverage on the way.
//!
//! Of the segments of the window each is kept, of all others only those that stand at the ends: of the timeline, and of
//! the stretch without segments that the window may begin or end in. Where only a name tells about one of these, the file
//! itself is asked when the query is done, and only if the answer can matter.

use std::collections::HashMap;
use std::path::PathBuf;

use super::spans::{self, Recorded};
use super::{Coverage, Drops, GAP_TOLERANCE, SegmentCoverage};
use crate::catalog::probe::{self, SLACK, Span};
use crate::catalog::{Learned, QUIET, Segment};
use crate::index::IndexReader;
use crate::query::Query;
use crate::recorder::Unsealed;
use crate::warning::Warning;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// What a scan has seen of a segment that it has read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Device and inode.
    pub(crate) file_id: (u64, u64),
    pub(crate) packets: u64,
    /// Earliest and latest.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
}

/// Coverage in the making. Threads have one each, and they are added up.
#[derive(Debug, Default)]
pub(crate) struct Draft<'c> {
    inside: Vec<Inside<'c>>,
    /// More of them, whose names and times of writing only are known.
    named: Vec<&'c Segment>,
    ends: Ends<'c>,
    /// Files that cannot be read, and were written to last before the window began.
    harmless: Vec<PathBuf>,
}

/// A segment that can have packets of the window.
#[derive(Clone, Copy, Debug)]
struct Inside<'c> {
    segment: &'c Segment,
    learned: Learned,
    is_indexed: bool,
}

/// Those of the segments outside of the window that stand at an end of something.
#[derive(Debug, Default)]
struct Ends<'c> {
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// What was recorded last before the window, and first after it.
    before: Option<(Recorded, &'c Segment)>,
    after: Option<(Recorded, &'c Segment)>,
    /// The same of segments of which only the name and the time of writing are known.
    named_oldest: Option<&'c Segment>,
    named_newest: Option<&'c Segment>,
    named_before: Option<&'c Segment>,
    named_after: Option<&'c Segment>,
}

impl<'c> Draft<'c> {
    /// A segment that can have packets of the window.
    pub(crate) fn inside(&mut self, segment: &'c Segment, learned: Learned, is_indexed: bool) {
        self.inside.push(Inside { segment, learned, is_indexed });
    }

    /// A segment of which `learned` tells that it has no packets of the window.
    pub(crate) fn outside(&mut self, segment: &'c Segment, learned: &Learned, window: Window) {
        let Span::Packets { first, last } = learned.span else { return };
        let recorded = Recorded::of(learned, first, last);
        if window.overlaps(recorded.from, recorded.to) {
            // The link was quiet in the window, or what is in the window was searched before.
            return self.inside(segment, *learned, learned.packets.is_some());
        }
        let ends = &mut self.ends;
        ends.oldest = least(ends.oldest, Some(first));
        ends.newest = ends.newest.max(Some(last.unwrap_or(first)));
        if last.is_none() {
            ends.named_newest = later(ends.named_newest, Some(segment));
        }
        ends.beside(recorded, segment, window);
    }

    /// A segment of which name and time of writing tell that nothing has to be read of it.
    pub(crate) fn outside_by_name(&mut self, segment: &'c Segment, window: Window) {
        if !probe::is_outside_by_name(segment, window) {
            return self.named.push(segment);
        }
        let ends = &mut self.ends;
        ends.named_oldest = earlier(ends.named_oldest, Some(segment));
        ends.named_newest = later(ends.named_newest, Some(segment));
        if segment.modified < window.start() {
            ends.named_before = later(ends.named_before, Some(segment));
        } else {
            ends.named_after = earlier(ends.named_after, Some(segment));
        }
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(&mut self, segment: &Segment, window: Window) {
        if segment.modified.saturating_add(SLACK) < window.start() {
            self.harmless.push(segment.path.clone());
        }
    }

    /// Adds what another thread has found.
    pub(crate) fn add(&mut self, other: Self) {
        self.inside.extend(other.inside);
        self.named.extend(other.named);
        self.harmless.extend(other.harmless);
        let (ends, other) = (&mut self.ends, other.ends);
        ends.oldest = least(ends.oldest, other.oldest);
        ends.newest = ends.newest.max(other.newest);
        ends.before = ends.before.into_iter().chain(other.before).max_by_key(|(span, _)| span.to);
        ends.after = ends.after.into_iter().chain(other.after).min_by_key(|(span, _)| span.from);
        ends.named_oldest = earlier(ends.named_oldest, other.named_oldest);
        ends.named_newest = later(ends.named_newest, other.named_newest);
        ends.named_before = later(ends.named_before, other.named_before);
        ends.named_after = earlier(ends.named_after, other.named_after);
    }

    /// The coverage of the window of `query`, which has `seen` what it has read and met `warnings`.
    pub(crate) fn finish(&self, query: &Query<'_>, seen: &[Seen], warnings: &[Warning]) -> Coverage {
        let Self { inside, named, ends, harmless } = self;
        let window = query.window;
        let mut all = Gathered {
            query,
            found: Vec::with_capacity(inside.len()),
            oldest: ends.oldest,
            newest: ends.newest,
        };
        let seen: HashMap<_, _> = seen.iter().map(|seen| (seen.file_id, *seen)).collect();
        for &inside in inside {
            let seen = seen.get(&inside.segment.file_id).copied();
            all.add(inside, seen);
        }
        for &segment in named {
            all.ask(Some(segment));
        }
        all.ask(ends.named_oldest.filter(|named| is_older(named, all.oldest)));
        all.ask(ends.named_newest.filter(|named| is_newer(named, all.newest)));
        // Only a window that begins or ends where nothing was recorded needs to know what stands next to it.
        if all.found.iter().all(|found| found.recorded.from > window.start()) {
            let known = ends.before.map(|(recorded, _)| recorded.to);
            all.ask(ends.before.map(|(_, segment)| segment));
            all.ask(ends.named_before.filter(|named| is_newer(named, known)));
        }
        if all.found.iter().all(|found| found.recorded.to < window.end()) {
            let known = ends.after.map(|(recorded, _)| recorded.from);
            all.ask(ends.after.map(|(_, segment)| segment));
            all.ask(ends.named_after.filter(|named| is_older(named, known)));
        }
        let is_meant =
            |warning: &&Warning| warning.kind.may_hide_packets() && !harmless.contains(&warning.path);
        Coverage {
            segments_unreadable: warnings.iter().filter(is_meant).cloned().collect(),
            ..all.coverage()
        }
    }
}

/// All segments that matter, with what is known of them.
struct Gathered<'q> {
    query: &'q Query<'q>,
    found: Vec<Found<'q>>,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
}

struct Found<'c> {
    inside: Inside<'c>,
    first: Timestamp,
    last: Option<Timestamp>,
    recorded: Recorded,
}

impl<'q> Gathered<'q> {
    fn add(&mut self, mut inside: Inside<'q>, seen: Option<Seen>) {
        let Some((first, last)) = span(inside.segment, &inside.learned, seen) else { return };
        self.oldest = least(self.oldest, Some(first));
        self.newest = self.newest.max(last).max(Some(first));
        inside.learned.packets = inside.learned.packets.or(seen.map(|seen| seen.packets));
        let recorded = Recorded::of(&inside.learned, first, last);
        self.found.push(Found { inside, first, last, recorded });
    }

    /// Finds out about a segment that the query had no need to look at.
    fn ask(&mut self, segment: Option<&'q Segment>) {
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

    fn coverage(self) -> Coverage {
        let Self { query, found, oldest, newest } = self;
        let window = query.window;
        let mut recordings: Vec<_> = found.iter().map(|found| found.recorded).collect();
        if let Some((newest, up_to)) =
            newest.zip(query.complete_up_to).filter(|(newest, up_to)| newest < up_to)
        {
            recordings.push(Recorded::between(newest, up_to));
        }
        let (covered, gaps) = spans::cut(&spans::join(recordings, GAP_TOLERANCE), window);
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

impl<'c> Ends<'c> {
    /// Something was recorded outside of the window.
    fn beside(&mut self, recorded: Recorded, segment: &'c Segment, window: Window) {
        let is_later = self.before.is_none_or(|(before, _)| before.to < recorded.to);
        if recorded.from <= window.start() && is_later {
            self.before = Some((recorded, segment));
        }
        let is_earlier = self.after.is_none_or(|(after, _)| after.from > recorded.from);
        if recorded.to >= window.end() && is_earlier {
            self.after = Some((recorded, segment));
        }
    }
}

impl Recorded {
    /// Of a segment with packets from `first` to `last`.
    fn of(learned: &Learned, first: Timestamp, last: Option<Timestamp>) -> Self {
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

fn least(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn earlier<'c>(one: Option<&'c Segment>, other: Option<&'c Segment>) -> Option<&'c Segment> {
    one.into_iter().chain(other).min_by_key(|segment| segment.named_time)
}

fn later<'c>(one: Option<&'c Segment>, other: Option<&'c Segment>) -> Option<&'c Segment> {
    one.into_iter().chain(other).max_by_key(|segment| segment.modified)
}

fn is_older(named: &Segment, than: Option<Timestamp>) -> bool {
    than.is_none_or(|than| named.named_time.is_some_and(|named| named < than))
}

fn is_newer(named: &Segment, than: Option<Timestamp>) -> bool {
    than.is_none_or(|than| named.modified > than)
}
