//! From a query to a capture file.
//!
//! ```text
//! candidates ─► scan (a thread per segment) ─► batches ─► merge by time ─► output ─► resort ─► publish
//!               read, take apart, match,       ≤ 256 KiB   one thread      hidden    only if
//!               encode as output records       each                        file      needed
//! ```
//!
//! **Order.** Packets come out by time stamp, ties in the order of recording. Batches are sorted where they are made, and
//! merged where the segments meet. What still comes late – segments that overlap by the dozen, a clock that was set
//! back – starts a new *run* in the hidden file; a file of more than one run is merged once more before it is published.
//!
//! **Memory** does not depend on the size of segments or answer: a bounded number of segments is read at a time, each
//! with one read buffer and a queue of two batches.
//!
//! **Formats.** The hidden file is begun as pcap, when the first packet shows what kind. A packet of another kind ends
//! that attempt, and the query runs again for a pcapng file. It is rare and costs time, never a packet.

mod batch;
mod encode;
mod error;
mod merge;
mod output;
pub(crate) mod parts;
mod resort;
mod scan;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::catalog::Segment;
use crate::catalog::probe::{self, Span};
use crate::control::Progress;
use crate::matcher::Matcher;
use crate::query::Query;
use crate::segment::{SegmentError, SegmentReader};
use crate::warning::Warning;
use encode::Encoding;
pub use error::ExtractError;
pub use output::UNFINISHED_PREFIX;
pub use parts::{Part, PartedExtraction};
use pcapx_core::time::Timestamp;

/// Matched bytes that a scan hands on at once.
const BATCH_BYTES: usize = 256 * 1024;
/// Packets between two looks at the caller's token: well under a millisecond's work.
const CHECK_EVERY_PACKETS: u64 = 4096;
/// Batches that wait for the merge, for each segment.
const QUEUE_BATCHES: usize = 2;

/// What a query has written, and what it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extraction {
    /// The capture file; `None` when nothing matched.
    pub output: Option<PathBuf>,
    /// What was read and found.
    pub counts: Counts,
    /// The limit that ended the answer early, if one did.
    pub limit_hit: Option<LimitHit>,
    /// Files that could not be used, or not to their end.
    pub warnings: Vec<Warning>,
}

/// What was read and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments that were searched.
    pub segments: u64,
    /// Segments that have no packet in the window.
    pub segments_skipped: u64,
    /// Packets that were looked at, in the window or not.
    pub packets_scanned: u64,
    /// Packets in the window.
    pub packets_in_window: u64,
    /// Packets in the answer.
    pub packets_matched: u64,
    /// Bytes read from segments.
    pub bytes_read: u64,
    /// Length of the output file.
    pub bytes_written: u64,
}

/// The limit that ended an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitHit {
    /// [`Limits::max_bytes`](crate::query::Limits::max_bytes).
    Bytes,
    /// [`Limits::max_packets`](crate::query::Limits::max_packets).
    Packets,
}

/// A segment that can hold packets of the window.
#[derive(Debug)]
pub(crate) struct Candidate<'c> {
    segment: &'c Segment,
    /// No packet of it is earlier.
    not_before: Timestamp,
}

pub(crate) fn run(query: &Query<'_>, path: &Path) -> Result<Extraction, ExtractError> {
    let mut extraction = Extraction { warnings: query.catalog.warnings().to_vec(), ..Extraction::default() };
    let candidates = candidates(query, &mut extraction)?;
    let matcher = query.filter.as_ref().map(Matcher::new);
    let warnings = extraction.warnings.len();
    let skipped = extraction.counts;
    // Who names a pcapng file gets one; otherwise pcap is tried first.
    let is_pcapng = path.extension().is_some_and(|extension| extension == "pcapng");
    for encoding in [(!is_pcapng).then(Encoding::pcap), Some(Encoding::pcapng())].into_iter().flatten() {
        // An attempt that ended early has left warnings and counts of its own.
        extraction.warnings.truncate(warnings);
        extraction.counts = skipped;
        let output = output::Output::begin(path, &encoding, query.limits)?;
        match merge::run(query, &candidates, matcher.as_ref(), &encoding, output, &mut extraction) {
            Err(ExtractError::KindsDiffer) => query.progress.rewind(),
            Err(e) => return Err(e),
            Ok(output) => {
                extraction.output = output;
                return Ok(extraction);
            }
        }
    }
    // A pcapng file takes every kind.
    Err(ExtractError::KindsDiffer)
}

/// The segments that a query has to read, found out without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey<'c> {
    /// Those that can have packets in the window, in the order of their first packets.
    pub segments: Vec<&'c Segment>,
    /// Segments that have none.
    pub segments_skipped: u64,
    /// Files that cannot be used.
    pub warnings: Vec<Warning>,
}

pub(crate) fn survey<'c>(query: &Query<'c>) -> Result<Survey<'c>, ExtractError> {
    let mut extraction = Extraction { warnings: query.catalog.warnings().to_vec(), ..Extraction::default() };
    let segments = candidates(query, &mut extraction)?.iter().map(|c| c.segment).collect();
    let segments_skipped = extraction.counts.segments_skipped;
    Ok(Survey { segments, segments_skipped, warnings: extraction.warnings })
}

/// The segments to search, in the order of their first packets.
fn candidates<'c>(
    query: &Query<'c>,
    extraction: &mut Extraction,
) -> Result<Vec<Candidate<'c>>, ExtractError> {
    let mut candidates = Vec::new();
    for segment in query.catalog.segments() {
        if query.cancel.is_cancelled() {
            return Err(ExtractError::cancelled(&query.cancel));
        }
        if probe::is_outside_by_name(segment, query.window) {
            extraction.counts.segments_skipped += 1;
            continue;
        }
        let span = File::open(&segment.path)
            .map_err(SegmentError::from)
            .and_then(SegmentReader::new)
            .and_then(|reader| probe::span(segment, reader));
        match span {
            Ok(span @ Span::Packets { first, .. }) if span.may_overlap(query.window) => {
                candidates.push(Candidate { segment, not_before: first.saturating_sub(probe::SLACK) });
            }
            Ok(_) => extraction.counts.segments_skipped += 1,
            // The recorder has created the file and not written to it yet.
            Err(SegmentError::TooShort { .. }) if segment.is_open => extraction.counts.segments_skipped += 1,
            Err(e) => extraction.warnings.push(Warning::of_error(segment.path.clone(), &e)),
        }
    }
    candidates.sort_by(|a, b| (a.not_before, &a.segment.path).cmp(&(b.not_before, &b.segment.path)));
    let progress = &query.progress;
    progress.segments_total.store(candidates.len() as u64, Ordering::Relaxed);
    Progress::add(&progress.bytes_total, candidates.iter().map(|c| c.segment.len).sum());
    Ok(candidates)
}
