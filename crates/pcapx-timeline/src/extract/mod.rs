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
//! **Going on.** An answer whose window was not over when it was made is gone on with: what stays of its file is copied, and
//! only the rest of the window is searched. The same packets make the same file, whichever way it came about and however
//! many threads were at work.
//!
//! **Memory** does not depend on the size of segments or answer: a bounded number of segments is read at a time, each
//! with one read buffer and a queue of two batches.
//!
//! **Room.** Whatever is written – the hidden file, its copy in another order, parts – ends before the volume has less free
//! space than is to be kept (`room.rs`).
//!
//! **Formats.** The hidden file is begun as pcap, when the first packet shows what kind. A packet of another kind ends
//! that attempt, and the query runs again for a pcapng file. It is rare and costs time, never a packet.

mod batch;
mod blocks;
mod candidates;
mod checksum;
mod encode;
mod error;
mod hidden;
mod merge;
mod notes;
mod numbering;
mod output;
pub(crate) mod parts;
mod piece;
mod previous;
mod publish;
mod read_ahead;
mod resort;
mod room;
mod scan;
mod write_behind;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::catalog::Segment;
use crate::coverage::{Coverage, EmptyReason, Seen};
use crate::digest::Watcher;
use crate::matcher::Matcher;
use crate::query::{Format, Query};
use crate::segment::PCAP_HEADER_BYTES;
use crate::warning::Warning;
use blocks::section_block;
use candidates::{Candidate, Candidates};
use encode::Encoding;
pub use error::ExtractError;
pub use hidden::UNFINISHED_PREFIX;
pub use notes::Notes;
pub(crate) use notes::NotesOf;
use output::Output;
pub use parts::{Part, PartedExtraction};
use pcapx_core::digest::Digest;
use pcapx_core::manifest::Directions;
use previous::Previous;

/// Matched bytes that a scan hands on at once.
const BATCH_BYTES: usize = 256 * 1024;
/// Packets between two looks at the caller's token: well under a millisecond's work.
const CHECK_EVERY_PACKETS: u64 = 4096;
/// Batches that wait for the merge, for each segment that is read as a whole.
const QUEUE_BATCHES: usize = 2;
/// Bytes of a segment that a thread reads at a time where an index tells what to read. All that matches in them can wait
/// for the merge, so that a thread is never held up by those before it.
const PIECE_BYTES: u64 = 1 << 20;
/// Batches that a piece can give: packets of few bytes take up to that much more in the answer.
const PIECE_BATCHES: usize = 2 * PIECE_BYTES as usize / BATCH_BYTES;

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
    /// What of the window was recorded, and what was lost.
    pub coverage: Coverage,
    /// SHA-256 of the output file, where [asked for](Query::hash) and there is a file.
    pub sha256: Option<[u8; 32]>,
    /// What went from and to the client, where there is [one](Query::client).
    pub directions: Option<Directions>,
    /// The digest of the packets, where [asked for](Query::digest).
    pub digest: Option<Digest>,
    /// How long each step took.
    pub steps: Steps,
}

impl Extraction {
    /// Why there is no output; `None` where there is one.
    pub fn why_empty(&self) -> Option<EmptyReason> {
        self.output.is_none().then(|| self.coverage.why_empty())
    }
}

/// How long each step of a query took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Finding out what has to be read.
    pub plan: Duration,
    /// Reading it, testing packets, writing those that match.
    pub search: Duration,
    /// Putting the answer in order, onto the disk and under its name.
    pub publish: Duration,
}

/// What was read and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments that were searched.
    pub segments: u64,
    /// Segments that have no packet in the window.
    pub segments_skipped: u64,
    /// Segments with packets in the window whose indexes tell that none of them matches.
    pub segments_excluded: u64,
    /// Segments of the window that have no index to be believed: all of each is searched.
    pub segments_without_index: u64,
    /// Blocks of the segments that were asked by their indexes.
    pub blocks: u64,
    /// Those of them that can hold a packet of the answer.
    pub blocks_read: u64,
    /// Packets that were looked at, in the window or not.
    pub packets_scanned: u64,
    /// Packets in the window that were looked at.
    pub packets_in_window: u64,
    /// Packets in the answer.
    pub packets_matched: u64,
    /// Those of them that were taken over from a [previous answer](Query::continue_from).
    pub packets_taken_over: u64,
    /// Bytes read from segments.
    pub bytes_read: u64,
    /// Bytes read from indexes.
    pub index_bytes_read: u64,
    /// Length of the output file.
    pub bytes_written: u64,
}

impl Counts {
    /// Adds what another thread has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.segments_skipped += other.segments_skipped;
        self.segments_excluded += other.segments_excluded;
        self.segments_without_index += other.segments_without_index;
        self.blocks += other.blocks;
        self.blocks_read += other.blocks_read;
        self.packets_scanned += other.packets_scanned;
        self.packets_in_window += other.packets_in_window;
        self.packets_matched += other.packets_matched;
        self.packets_taken_over += other.packets_taken_over;
        self.bytes_read += other.bytes_read;
        self.index_bytes_read += other.index_bytes_read;
        self.bytes_written += other.bytes_written;
    }

    /// Read amplification: bytes read, of indexes and segments, for each byte written. `None` when nothing matched.
    pub fn read_amplification(&self) -> Option<f64> {
        let read = self.bytes_read + self.index_bytes_read;
        (self.bytes_written > 0).then(|| read as f64 / self.bytes_written as f64)
    }
}

/// The limit that ended an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitHit {
    /// [`Limits::max_bytes`](crate::query::Limits::max_bytes).
    Bytes,
    /// [`Limits::max_packets`](crate::query::Limits::max_packets).
    Packets,
}

/// What becomes the answer, while the query runs.
#[derive(Debug, Default)]
struct Account {
    extraction: Extraction,
    /// Segments that were read as a whole.
    seen: Vec<Seen>,
}

impl Query<'_> {
    /// Counts what becomes of the answer, if that is asked for.
    fn watcher(&self) -> Option<Watcher> {
        let watcher = Watcher::new(self.client.clone(), self.is_digested);
        (!watcher.is_idle()).then_some(watcher)
    }
}

pub(crate) fn run(query: &Query<'_>, path: &Path) -> Result<Extraction, ExtractError> {
    let Some(previous) = &query.previous else { return Search::new(query)?.write_to(path) };
    let is_changed = |previous: &Previous| query.format == Format::Pcapng && !previous.is_pcapng();
    let Some(previous) = Previous::open(previous).filter(|previous| !is_changed(previous)) else {
        return run(&query.anew(), path);
    };
    let search = Search::new(query)?;
    let head = if previous.is_pcapng() { search.section() } else { Head::Pcap };
    let mut watcher = query.watcher();
    let Some(previous) = previous.keep(query, head.len(), watcher.as_mut())? else {
        return run(&query.anew(), path);
    };
    if previous.packets == 0 {
        return search.write_to(path);
    }
    match search.attempt(path, head, watcher, Some(&previous)) {
        Err(ExtractError::KindsDiffer) => {
            query.progress.rewind();
            run(&query.anew(), path)
        }
        other => other,
    }
}

/// What an output file begins with.
enum Head {
    Pcap,
    /// A section header, and what interfaces are called that have no name.
    Section(Vec<u8>, Option<String>),
}

impl Head {
    fn len(&self) -> u64 {
        match self {
            Self::Pcap => PCAP_HEADER_BYTES as u64,
            Self::Section(section, _) => section.len() as u64,
        }
    }
}

/// A query that knows what it has to read.
struct Search<'q> {
    query: &'q Query<'q>,
    matcher: Option<Matcher>,
    candidates: Candidates<'q>,
    planned: Duration,
}

impl<'q> Search<'q> {
    fn new(query: &'q Query<'q>) -> Result<Self, ExtractError> {
        let begun = Instant::now();
        let matcher = query.filter.as_ref().map(Matcher::new);
        let candidates = candidates::find(query, matcher.as_ref())?;
        Ok(Self { query, matcher, candidates, planned: begun.elapsed() })
    }

    fn write_to(&self, path: &Path) -> Result<Extraction, ExtractError> {
        // Who names a pcapng file gets one; otherwise pcap is tried first.
        let is_named = path.extension().is_some_and(|extension| extension == "pcapng");
        if !is_named && self.query.format == Format::Auto {
            match self.attempt(path, Head::Pcap, self.query.watcher(), None) {
                Err(ExtractError::KindsDiffer) => self.query.progress.rewind(),
                other => return other,
            }
        }
        self.attempt(path, self.section(), self.query.watcher(), None)
    }

    /// The section header, as far as it can be told before the search.
    fn section(&self) -> Head {
        let Some(notes) = &self.query.notes else {
            return Head::Section(section_block(&Notes::default()), None);
        };
        let Candidates { coverage, warnings, .. } = &self.candidates;
        let notes = notes.of(&coverage.finish(self.query, &[], warnings), None);
        Head::Section(section_block(&notes), notes.interface)
    }

    /// Writes a file with this head, which takes packets of other kinds or does not.
    fn attempt(
        &self,
        path: &Path,
        head: Head,
        watcher: Option<Watcher>,
        previous: Option<&Previous>,
    ) -> Result<Extraction, ExtractError> {
        let Self { query, matcher, candidates, planned } = self;
        let mut extraction = Extraction {
            warnings: candidates.warnings.clone(),
            counts: candidates.counts,
            ..Extraction::default()
        };
        extraction.steps.plan = *planned;
        let (section, encoding) = match head {
            Head::Pcap => (None, Encoding::pcap()),
            Head::Section(section, interface) => (Some(section), Encoding::pcapng(interface)),
        };
        let mut output = Output::begin(path, section, watcher, query)?;
        if let Some(previous) = previous {
            output.take_over(previous, &query.cancel)?;
            extraction.counts.packets_taken_over = previous.packets;
        }
        // What is full takes nothing more.
        let list = if output.limit_hit().is_none() { &candidates.list[..] } else { &[] };
        let mut account = Account { extraction, seen: Vec::new() };
        let mut output = merge::run(query, list, matcher.as_ref(), &encoding, output, &mut account)?;
        let Account { mut extraction, seen } = account;
        extraction.counts.packets_matched = output.packets();
        extraction.limit_hit = output.limit_hit();
        extraction.coverage = candidates.coverage.finish(query, &seen, &extraction.warnings);
        if let Some(watcher) = output.take_watcher() {
            (extraction.directions, extraction.digest) = watcher.finish();
        }
        let begun = Instant::now();
        if let Some(file) = output.publish(query.notes.as_ref(), &extraction.coverage, &query.cancel)? {
            extraction.counts.bytes_written = file.bytes;
            extraction.sha256 = file.sha256;
            extraction.output = Some(file.path);
        }
        extraction.steps.publish = begun.elapsed();
        Ok(extraction)
    }
}

/// The segments that a query has to read, found out without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey<'c> {
    /// Those that can have packets of the answer, in the order of their first packets.
    pub segments: Vec<&'c Segment>,
    /// Segments that have no packet in the window.
    pub segments_skipped: u64,
    /// Segments whose indexes tell that none of their packets matches.
    pub segments_excluded: u64,
    /// Files that cannot be used.
    pub warnings: Vec<Warning>,
}

pub(crate) fn survey<'c>(query: &Query<'c>) -> Result<Survey<'c>, ExtractError> {
    let matcher = query.filter.as_ref().map(Matcher::new);
    let found = candidates::find(query, matcher.as_ref())?;
    Ok(Survey {
        segments: found.list.iter().filter(|piece| piece.is_first()).map(|piece| piece.segment).collect(),
        segments_skipped: found.counts.segments_skipped,
        segments_excluded: found.counts.segments_excluded,
        warnings: found.warnings,
    })
}
