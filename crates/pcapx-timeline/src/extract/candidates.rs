//! Which segments a query has to read, and which parts of them.
//!
//! ```text
//! segment ─► name and time of writing ─► index: span, plan ─► nothing to be read, or ranges of it
//!                │ outside                 │ none, or not to be believed
//!                ▼                         ▼
//!              skipped                   span from head and tail ─► the whole segment, or skipped
//! ```
//!
//! Segments are looked at by several threads, since each costs some system calls and there can be thousands.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::piece::Piece;
use super::{Counts, ExtractError, PIECE_BYTES};
use crate::catalog::probe::{self, Span};
use crate::catalog::{Learned, Segment};
use crate::control::Progress;
use crate::coverage::Draft;
use crate::index::{IndexError, IndexReader, Wanted};
use crate::matcher::Matcher;
use crate::query::Query;
use crate::segment::SegmentError;
use crate::warning::{Warning, WarningKind};
use pcapx_core::time::Timestamp;

/// Segments that a thread takes at a time.
const SEGMENTS_AT_ONCE: usize = 16;

/// A segment that can hold packets that are asked for.
#[derive(Debug)]
pub(crate) struct Candidate<'c> {
    pub(super) segment: &'c Segment,
    /// No packet of it is earlier.
    pub(super) not_before: Timestamp,
    /// Decides between packets of the same time: the segment's place among all, and the piece's within the segment.
    pub(super) rank: (u32, u32),
    /// What has to be read of it, as its index tells; without one, all.
    pub(super) piece: Option<Piece>,
}

/// All candidates, and what is known of the other segments.
#[derive(Debug, Default)]
pub(crate) struct Candidates<'c> {
    /// In the order of their first packets.
    pub(super) list: Vec<Candidate<'c>>,
    pub(super) counts: Counts,
    pub(super) warnings: Vec<Warning>,
    pub(super) coverage: Draft<'c>,
}

/// Looks at every segment of the catalog.
pub(super) fn find<'c>(query: &Query<'c>, matcher: Option<&Matcher>) -> Result<Candidates<'c>, ExtractError> {
    let segments = query.catalog.segments();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Candidates<'c>, ExtractError> {
        let mut found = Candidates::default();
        loop {
            let from = next.fetch_add(SEGMENTS_AT_ONCE, Ordering::Relaxed);
            let Some(rest) = segments.get(from..) else { return Ok(found) };
            if query.cancel.is_cancelled() {
                return Err(ExtractError::cancelled(&query.cancel));
            }
            for segment in rest.iter().take(SEGMENTS_AT_ONCE) {
                found.look_at(segment, query, matcher);
            }
            if rest.len() <= SEGMENTS_AT_ONCE {
                return Ok(found);
            }
        }
    };
    let threads = query.threads_for(segments.len().div_ceil(SEGMENTS_AT_ONCE));
    let mut all = Candidates { warnings: query.catalog.warnings().to_vec(), ..Candidates::default() };
    thread::scope(|scope| {
        let helpers = (1..threads)
            .map(|_| thread::Builder::new().name("pcapx-plan".into()).spawn_scoped(scope, work))
            .collect::<Result<Vec<_>, _>>()
            .map_err(ExtractError::Thread)?;
        all.add(work()?);
        for helper in helpers {
            match helper.join() {
                Ok(found) => all.add(found?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })?;
    all.list = cut(std::mem::take(&mut all.list));
    all.warnings[query.catalog.warnings().len()..].sort_by(|a, b| a.path.cmp(&b.path));
    let progress = &query.progress;
    let segments = all.list.iter().filter(|candidate| candidate.is_first()).count();
    progress.segments_total.store(segments as u64, Ordering::Relaxed);
    Progress::add(&progress.bytes_total, all.list.iter().map(Candidate::bytes).sum());
    Ok(all)
}

impl Candidate<'_> {
    /// Bytes that are going to be read of it.
    fn bytes(&self) -> u64 {
        let len = self.segment.len;
        let inside = |wanted: &Wanted| wanted.range.end.min(len).saturating_sub(wanted.range.start);
        self.ranges().map_or(len, |ranges| ranges.iter().map(inside).sum())
    }

    /// What has to be read of it; all where `None`.
    pub(super) fn ranges(&self) -> Option<&[Wanted]> {
        self.piece.as_ref().map(Piece::ranges)
    }

    /// Whether it is a piece that is not larger than pieces are, of a file for which the plan holds: what comes of it can be
    /// kept in memory.
    pub(super) fn is_small(&self) -> bool {
        self.piece.as_ref().is_some_and(|piece| {
            piece.bytes() <= 2 * PIECE_BYTES && matches!(piece.open(self.segment), Ok((_, true)))
        })
    }

    /// Whether it is the first piece of its segment, or the only one.
    pub(super) fn is_first(&self) -> bool {
        self.rank.1 == 0
    }

    /// Whether no other piece of its segment follows.
    pub(super) fn is_last(&self) -> bool {
        self.piece.as_ref().is_none_or(Piece::is_last)
    }
}

/// Cuts candidates into pieces, so that threads can share a segment, and puts all in the order in which they can be next.
fn cut(mut whole: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    whole.sort_by(|a, b| (a.not_before, &a.segment.path).cmp(&(b.not_before, &b.segment.path)));
    let mut pieces = Vec::with_capacity(whole.len());
    for (rank, Candidate { segment, not_before, piece, .. }) in (0..).zip(whole) {
        let Some(piece) = piece else {
            pieces.push(Candidate { segment, not_before, rank: (rank, 0), piece: None });
            continue;
        };
        let begun = pieces.len();
        for (number, piece) in (0..).zip(piece.cut(PIECE_BYTES)) {
            pieces.push(Candidate { segment, not_before, rank: (rank, number), piece: Some(piece) });
        }
        // The first one can be next when its segment can. The others come no earlier than their packets, and in their order.
        let mut earliest = Timestamp::MAX;
        for piece in pieces[begun..].iter_mut().skip(1).rev() {
            let first = piece.ranges().into_iter().flatten().map(|wanted| wanted.first).min();
            earliest = earliest.min(first.unwrap_or(not_before));
            piece.not_before = earliest.max(not_before);
        }
    }
    pieces.sort_by_key(|piece| (piece.not_before, piece.rank));
    pieces
}

impl<'c> Candidates<'c> {
    fn add(&mut self, other: Self) {
        self.list.extend(other.list);
        self.counts.add(&other.counts);
        self.warnings.extend(other.warnings);
        self.coverage.add(other.coverage);
    }

    fn look_at(&mut self, segment: &'c Segment, query: &Query<'c>, matcher: Option<&Matcher>) {
        let window = query.searched;
        if let Some(learned) = segment.learned().filter(|learned| !learned.span.may_overlap(window)) {
            self.counts.segments_skipped += 1;
            self.coverage.outside(segment, learned, query.window);
            return;
        }
        if probe::is_outside_by_name(segment, window) {
            self.counts.segments_skipped += 1;
            self.coverage.outside_by_name(segment, query.window);
            return;
        }
        match self.index(segment, query, matcher) {
            Ok(()) => return,
            Err(IndexError::Missing) => {}
            // It was indexed while its recorder paused, or bears the name of a file that was.
            Err(IndexError::Stale) if segment.may_grow(Timestamp::now()) => {}
            Err(e) => {
                let kind = WarningKind::IndexNotUsed(e.to_string());
                self.warnings.push(Warning { path: segment.path.clone(), kind });
            }
        }
        match segment.span() {
            Ok(span) => {
                let learned = Learned::of_span(span);
                match span {
                    Span::Packets { first, .. } if span.may_overlap(window) => {
                        let not_before = first.saturating_sub(probe::SLACK);
                        self.counts.segments_without_index += 1;
                        self.coverage.inside(segment, learned, false);
                        self.list.push(Candidate { segment, not_before, rank: (0, 0), piece: None });
                    }
                    _ => {
                        self.counts.segments_skipped += 1;
                        self.coverage.outside(segment, &learned, query.window);
                    }
                }
            }
            // The recorder has created the file and not written to it yet.
            Err(SegmentError::TooShort { .. }) if segment.may_grow(Timestamp::now()) => {
                self.counts.segments_skipped += 1;
            }
            Err(e) => {
                self.coverage.unreadable(segment);
                self.warnings.push(Warning::of_error(segment.path.clone(), &e));
            }
        }
    }

    /// What the segment's index says of the query.
    fn index(
        &mut self,
        segment: &'c Segment,
        query: &Query<'c>,
        matcher: Option<&Matcher>,
    ) -> Result<(), IndexError> {
        let Some(place) = query.indexes.as_ref().filter(|_| !segment.is_open) else {
            return Err(IndexError::Missing);
        };
        let index = IndexReader::find(place, &segment.file, &segment.identity())?;
        let summary = index.summary();
        let learned = Learned::of(summary);
        segment.learn(learned);
        if !learned.span.may_overlap(query.searched) {
            self.counts.segments_skipped += 1;
            self.counts.index_bytes_read += index.bytes_read();
            self.coverage.outside(segment, &learned, query.window);
            return Ok(());
        }
        let filter = query.filter.as_ref().zip(matcher);
        let plan = index.plan(filter, query.searched)?;
        self.coverage.inside(segment, learned, true);
        self.counts.index_bytes_read += index.bytes_read();
        self.counts.blocks += plan.blocks;
        self.counts.blocks_read += plan.blocks_wanted;
        if plan.ranges.is_empty() {
            self.counts.segments_excluded += 1;
        } else {
            // As without an index: the order of segments decides between packets of the same time.
            let not_before =
                summary.span.map_or(Timestamp::MIN, |(first, _)| first.saturating_sub(probe::SLACK));
            let piece = Some(Piece::all(plan));
            self.list.push(Candidate { segment, not_before, rank: (0, 0), piece });
        }
        Ok(())
    }
}
