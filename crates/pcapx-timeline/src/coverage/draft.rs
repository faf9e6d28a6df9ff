//! What a query learns of its window's coverage on the way.
//!
//! Of the segments of the window each is kept, of all others only those that stand at the ends: of the timeline, and of
//! the stretch without segments that the window may begin or end in. Where only a name tells about one of these, the file
//! itself is asked when the query is done, and only if the answer can matter.

use std::collections::HashMap;
use std::path::Path;

use super::Coverage;
use super::gathered::{Gathered, Inside};
use super::spans::Recorded;
use super::troubled::Troubled;
use crate::catalog::probe::{self, Span};
use crate::catalog::{Learned, Segment};
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
    /// More of them, whose names and times of writing only are known.
    named: Vec<&'c Segment>,
    ends: Ends<'c>,
    /// Files that cannot be read.
    unreadable: Vec<&'c Segment>,
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
    pub(crate) fn unreadable(&mut self, segment: &'c Segment) {
        self.unreadable.push(segment);
    }

    /// Adds what another thread has found.
    pub(crate) fn add(&mut self, other: Self) {
        self.inside.extend(other.inside);
        self.named.extend(other.named);
        self.unreadable.extend(other.unreadable);
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
        let Self { inside, named, ends, unreadable } = self;
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
        let mut may_hide = warnings.iter().filter(|warning| warning.kind.may_hide_packets()).peekable();
        if may_hide.peek().is_none() {
            return all.coverage(&HashMap::new(), &[]);
        }
        let mut troubled: HashMap<&Path, Troubled> = all.troubled().collect();
        troubled.extend(unreadable.iter().map(|segment| (&*segment.path, Troubled::of_unreadable(segment))));
        let mut hidden: HashMap<&Path, &Warning> = HashMap::new();
        for warning in may_hide {
            if troubled.get(&*warning.path).is_none_or(|troubled| troubled.concerns(window)) {
                hidden.entry(&warning.path).or_insert(warning);
            }
        }
        let mut segments_unreadable: Vec<_> = hidden.values().copied().cloned().collect();
        segments_unreadable.sort_by(|a, b| a.path.cmp(&b.path));
        // What was never read, an archive that stands beside, is no part of the recording.
        let is_lost = |path: &&&Path| hidden.get(**path).is_some_and(|warning| warning.kind.is_lost());
        let lost: Vec<_> = troubled.keys().filter(is_lost).map(|path| troubled[path].stretch()).collect();
        Coverage { segments_unreadable, ..all.coverage(&hidden, &lost) }
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

/// The earlier of two instants, as far as there are any.
pub(super) fn least(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
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
