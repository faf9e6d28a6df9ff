//! How far back a recording reaches, at the price of a few reads.
//!
//! A recorder of ours knows it, and names with a time tell it, see [`Segment::named_time`]. Of all other files – `tcpdump -G`, copies –
//! the first packet does, which is read once for each file and remembered. The time of writing tells nothing of copies.

use std::sync::Arc;

use pcapx_core::time::Timestamp;

use super::probe::Span;
use super::{Catalog, Segment};

/// Files that are opened for one look, those that were written first: tens of milliseconds, however many nobody has looked at yet.
const HEADS: usize = 32;

impl Catalog {
    /// When the oldest packet was recorded, as far as it is known. May wait for the disk.
    pub fn oldest(&self) -> Option<Timestamp> {
        let segments = self.segments.iter();
        let (known, mut unknown): (Vec<_>, Vec<_>) =
            segments.partition(|segment| segment.named_time.is_some() || segment.learned().is_some());
        unknown.sort_by_key(|segment| segment.age_order());
        known.into_iter().chain(unknown.into_iter().take(HEADS)).filter_map(begin).min()
    }
}

/// When the first packet of a segment was recorded; `None` when it has none, or none that can be read.
fn begin(segment: &Arc<Segment>) -> Option<Timestamp> {
    let learned = segment.learned().map(|learned| learned.span);
    match (learned, segment.named_time) {
        (Some(span), _) => first(span),
        (None, Some(named)) => Some(named),
        (None, None) => first(segment.span().ok()?),
    }
}

fn first(span: Span) -> Option<Timestamp> {
    match span {
        Span::Packets { first, .. } => Some(first),
        Span::Empty => None,
    }
}
