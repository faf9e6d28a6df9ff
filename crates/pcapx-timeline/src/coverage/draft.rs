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
use crate::query::Query;
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
    ends: Ends<'c>,
    /// Files that cannot be read, and were written to last before the window began.
    harmless: Vec<PathBuf>,
}

/// A segment that can have packets of the window.
#[derive(Debug)]
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
    /// The last instant that was recorded before the window, the first one after it.
    before: Option<Recorded>,
    after: Option<Recorded>,
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
            // The link was quiet in the window.
            return self.inside(segment, *learned, true);
        }
        let ends = &mut self.ends;
        ends.oldest = least(ends.oldest, Some(first));
        ends.newest = ends.newest.max(Some(last.unwrap_or(first)));
        if last.is_none() {
            ends.named_newest = later(ends.named_newest, Some(segment));
        }
        ends.beside(recorded, window);
    }

    /// A segment of which name and time of writing tell that it has no packets of the window.
    pub(crate) fn outside_by_name(&mut self, segment: &'c Segment, window: Window) {
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
        self.harmless.extend(other.harmless);
        let (ends, other) = (&mut self.ends, other.ends);
        ends.oldest = least(ends.oldest, other.oldest);
        ends.newest = ends.newest.max(other.newest);
        ends.before = ends.before.into_iter().chain(other.before).max_by_key(|span| span.to);
        ends.after = ends.after.into_iter().chain(other.after).min_by_key(|span| span.from);
        ends.named_oldest = earlier(ends.named_oldest, other.named_oldest);
        ends.named_newest = later(ends.named_newest, other.named_newest);
        ends.named_before = later(ends.named_before, other.named_before);
        ends.named_after = earlier(ends.named_after, other.named_after);
    }

    /// The coverage of the window of `query`, which has `seen` what it has read and met `warnings`.
    pub(crate) fn finish(self, query: &Query<'_>, seen: &[Seen], warnings: &[Warning]) -> Coverage {
        let window = query.window;
        let seen: HashMap<_, _> = seen.iter().map(|seen| (seen.file_id, *seen)).collect();
        let Ends { mut oldest, mut newest, before, after, .. } = self.ends;
        let mut found = Vec::with_capacity(self.inside.len());
        for Inside { segment, learned, is_indexed } in self.inside {
            let seen = seen.get(&segment.file_id).copied();
            let Some((first, last)) = span(segment, &learned, seen) else { continue };
            oldest = least(oldest, Some(first));
            newest = newest.max(last).max(Some(first));
            let packets = learned.packets.or(seen.map(|seen| seen.packets));
            let recorded = Recorded::of(&learned, first, last);
            found.push(Found {
                segment,
                learned: Learned { packets, ..learned },
                first,
                last,
                recorded,
                is_indexed,
            });
        }
        let mut recordings: Vec<_> = found.iter().map(|found| found.recorded).collect();
        let ask = |segment: Option<&Segment>| segment.and_then(probe::ends);
        if let Some((first, _)) = ask(self.ends.named_oldest.filter(|named| is_older(named, oldest))) {
            oldest = least(oldest, Some(first));
        }
        if let Some((_, last)) = ask(self.ends.named_newest.filter(|named| is_newer(named, newest))) {
            newest = newest.max(Some(last));
        }
        // Only a window that begins or ends where nothing was recorded needs to know what stands next to it.
        if recordings.iter().all(|recording| recording.from > window.start()) {
            let named = self.ends.named_before.filter(|named| is_newer(named, before.map(|span| span.to)));
            recordings.extend(before.into_iter().chain(ask(named).map(|(a, b)| Recorded::between(a, b))));
        }
        if recordings.iter().all(|recording| recording.to < window.end()) {
            let named = self.ends.named_after.filter(|named| is_older(named, after.map(|span| span.from)));
            recordings.extend(after.into_iter().chain(ask(named).map(|(a, b)| Recorded::between(a, b))));
        }
        if let (Some(newest), Some(up_to)) =
            (newest, query.complete_up_to.filter(|&up_to| Some(up_to) > newest))
        {
            recordings.push(Recorded::between(newest, up_to));
        }
        let (covered, gaps) = spans::cut(&spans::join(recordings, GAP_TOLERANCE), window);
        found.retain(|found| window.overlaps(found.recorded.from, found.recorded.to));
        let quiet_since = Timestamp::now().saturating_sub(QUIET);
        let mut segments: Vec<_> = found.iter().map(|found| found.tell(newest, quiet_since)).collect();
        segments.sort_by(|a, b| (a.first, &a.path).cmp(&(b.first, &b.path)));
        let mut drops = Drops::default();
        for segment in &segments {
            drops.add(segment.drops);
        }
        let packets_in_segments = segments.iter().filter_map(|segment| segment.packets).sum();
        let is_meant =
            |warning: &&Warning| warning.kind.may_hide_packets() && !self.harmless.contains(&warning.path);
        let segments_unreadable = warnings.iter().filter(is_meant).cloned().collect();
        Coverage {
            window,
            segments,
            covered,
            gaps,
            drops,
            oldest,
            newest,
            segments_unreadable,
            packets_in_segments,
        }
    }
}

/// A segment of the window, with all that is known of it.
struct Found<'c> {
    segment: &'c Segment,
    learned: Learned,
    first: Timestamp,
    last: Option<Timestamp>,
    recorded: Recorded,
    is_indexed: bool,
}

impl Found<'_> {
    fn tell(&self, newest: Option<Timestamp>, quiet_since: Timestamp) -> SegmentCoverage {
        let Self { segment, learned, first, last, is_indexed, .. } = *self;
        SegmentCoverage {
            path: segment.path.clone(),
            bytes: segment.len,
            first,
            last,
            packets: learned.packets,
            recorded: learned.recorded,
            drops: learned.drops,
            is_growing: segment.is_open || (last == newest && segment.modified > quiet_since),
            is_indexed,
        }
    }
}

impl Ends<'_> {
    /// Something was recorded outside of the window.
    fn beside(&mut self, recorded: Recorded, window: Window) {
        if recorded.from <= window.start() && self.before.is_none_or(|before| before.to < recorded.to) {
            self.before = Some(recorded);
        }
        if recorded.to >= window.end() && self.after.is_none_or(|after| after.from > recorded.from) {
            self.after = Some(recorded);
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
