//! From a filter and a window to the ranges of a segment that have to be read.
//!
//! ```text
//! expression ─► terms ─► flow chunks that can have a matching flow: `and` intersects, `or` unites,
//!               kinds    `not` and what has no terms is all of them; kinds that cannot match are left out
//!                            │
//!                            ▼
//!               flows that may match, tried with the matcher itself ─► their blocks ─► those in the window ─► ranges
//! ```

use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};

use fixedbitset::FixedBitSet;

use super::directory::PartEntry;
use super::reader::IndexReader;
use super::term::{self, Class};
use super::{CHUNK_BLOCKS, IndexError, block, flow};
use crate::matcher::{Known, Matcher};
use crate::packet::Pair;
use pcapx_core::filter::{Expr, Primitive};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// Blocks that are this close are read at once, with what is between them: the next read costs as much.
const GAP_BYTES: u64 = 8 * 1024;
/// Ranges are not joined beyond this, so that several threads can share a segment.
const RANGE_BYTES: u64 = 1 << 19;

/// What has to be read of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Places of the segment, ascending. The last one may reach beyond the segment's end.
    pub ranges: Vec<Wanted>,
    /// Blocks that the segment has.
    pub blocks: u64,
    /// Blocks that can hold a matching packet of the window.
    pub blocks_wanted: u64,
    /// Flows that were tried.
    pub flows_tried: u64,
    /// Flows that may match.
    pub flows_wanted: u64,
}

/// A piece of a segment that has to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its place; it begins with a record.
    pub range: Range<u64>,
    /// No packet in it is earlier.
    pub first: Timestamp,
}

impl IndexReader {
    /// What has to be read for `filter` and `window`; no filter is true of every packet.
    pub fn plan(&self, filter: Option<(&Expr, &Matcher)>, window: Window) -> Result<Plan, IndexError> {
        let mut plan = Plan::default();
        let mut bytes = Vec::new();
        for (n, part) in self.directory.parts.iter().enumerate() {
            // Where the part's last block ends at the latest: no packet is read twice, whatever the chunks say.
            let behind = self.directory.parts[n + 1..].iter().find_map(|part| part.block_chunks.first());
            let end = behind.map_or(self.summary().end, |(span, _)| span.start);
            plan.blocks += u64::from(part.blocks);
            let is_due = part.block_chunks.iter().any(|(span, _)| window.overlaps(span.first, span.last));
            if !is_due {
                continue;
            }
            let blocks = match filter {
                None => None,
                Some((expr, matcher)) => {
                    Some(Search { reader: self, part, bytes: &mut bytes }.blocks(expr, matcher, &mut plan)?)
                }
            };
            self.add_blocks((part, end), blocks.as_ref(), window, &mut bytes, &mut plan)?;
        }
        let summary = self.summary();
        if !summary.is_whole {
            // Nothing is known of what stands there; it comes behind all that is whole.
            let first = plan.ranges.last().map_or(Timestamp::MIN, |last| last.first);
            plan.ranges.push(Wanted { range: summary.end..u64::MAX, first });
        }
        Ok(plan)
    }

    /// Adds the places of the blocks in `wanted`, or of all, as far as they lie in the window.
    fn add_blocks(
        &self,
        (part, end): (&PartEntry, u64),
        wanted: Option<&FixedBitSet>,
        window: Window,
        bytes: &mut Vec<u8>,
        plan: &mut Plan,
    ) -> Result<(), IndexError> {
        for (number, (span, extent)) in part.block_chunks.iter().enumerate() {
            let base = number * CHUNK_BLOCKS;
            let count = (part.blocks as usize - base).min(CHUNK_BLOCKS);
            let is_wanted = wanted.is_none_or(|set| set.contains_any_in_range(base..base + count));
            if !window.overlaps(span.first, span.last) || !(is_wanted || part.has_unlisted) {
                continue;
            }
            self.chunk(*extent, bytes)?;
            let limit = part.block_chunks.get(number + 1).map_or(end, |(next, _)| next.start);
            block::read(*span, limit, bytes, count, |number, block| {
                let is_wanted = wanted.is_none_or(|set| set.contains(base + number));
                if (is_wanted || block.is_unlisted) && window.overlaps(block.first, block.last) {
                    plan.blocks_wanted += 1;
                    match plan.ranges.last_mut() {
                        Some(Wanted { range, first })
                            if block.start.saturating_sub(range.end) <= GAP_BYTES
                                && block.end.saturating_sub(range.start) <= RANGE_BYTES =>
                        {
                            range.end = block.end;
                            *first = block.first.min(*first);
                        }
                        _ => plan.ranges.push(Wanted { range: block.start..block.end, first: block.first }),
                    }
                }
            })
            .ok_or(IndexError::damaged(extent.at))?;
        }
        Ok(())
    }

    /// Reads every flow and term of a part.
    pub(super) fn verify_part(&self, part: &PartEntry) -> Result<(), IndexError> {
        let mut bytes = Vec::new();
        for chunk in &part.flow_chunks {
            self.chunk(chunk.extent, &mut bytes)?;
            let kind = &part.kinds[chunk.kind as usize];
            flow::read_flows(kind, &bytes, part.blocks, |_| false, |_| ())
                .ok_or(IndexError::damaged(chunk.extent.at))?;
        }
        for chunk in &part.term_chunks {
            self.chunk(chunk.extent, &mut bytes)?;
            term::find(&bytes, &(0..=u128::MAX), part.flow_chunks.len() as u32, |_| ())
                .ok_or(IndexError::damaged(chunk.extent.at))?;
        }
        Ok(())
    }
}

/// Flow chunks of a part.
enum Chunks {
    All,
    Some(FixedBitSet),
}

impl Chunks {
    fn is_none(&self) -> bool {
        matches!(self, Self::Some(set) if set.is_clear())
    }
}

/// The search of one part.
struct Search<'s> {
    reader: &'s IndexReader,
    part: &'s PartEntry,
    bytes: &'s mut Vec<u8>,
}

impl Search<'_> {
    /// Blocks of the part that have a flow which may match.
    fn blocks(mut self, expr: &Expr, matcher: &Matcher, plan: &mut Plan) -> Result<FixedBitSet, IndexError> {
        let part = self.part;
        let mut blocks = FixedBitSet::with_capacity(part.blocks as usize);
        let chunks = match self.chunks(expr)? {
            Chunks::All => None,
            Chunks::Some(set) if set.is_clear() => return Ok(blocks),
            Chunks::Some(set) => Some(set),
        };
        let kinds: Vec<bool> = part
            .kinds
            .iter()
            .map(|kind| {
                let keys = kind.keys(Pair::default(), Pair::default());
                matcher.may_match(&keys, Known::Kind)
            })
            .collect();
        for (number, chunk) in part.flow_chunks.iter().enumerate() {
            if !kinds[chunk.kind as usize] || chunks.as_ref().is_some_and(|set| !set.contains(number)) {
                continue;
            }
            self.reader.chunk(chunk.extent, self.bytes)?;
            let kind = &part.kinds[chunk.kind as usize];
            let (mut tried, mut wanted) = (0, 0);
            flow::read_flows(
                kind,
                self.bytes,
                part.blocks,
                |flow| {
                    let may =
                        flow.keys(kind).iter().flatten().any(|keys| matcher.may_match(keys, Known::Flow));
                    tried += 1;
                    wanted += u64::from(may);
                    may
                },
                |run| blocks.insert_range(run.start as usize..run.end as usize),
            )
            .ok_or(IndexError::damaged(chunk.extent.at))?;
            plan.flows_tried += tried;
            plan.flows_wanted += wanted;
        }
        Ok(blocks)
    }

    /// Flow chunks that can have a flow of which `expr` is true.
    fn chunks(&mut self, expr: &Expr) -> Result<Chunks, IndexError> {
        match expr {
            Expr::And(parts) => {
                let mut all = Chunks::All;
                for part in parts {
                    all = match (all, self.chunks(part)?) {
                        (set, Chunks::All) | (Chunks::All, set) => set,
                        (Chunks::Some(mut one), Chunks::Some(other)) => {
                            one.intersect_with(&other);
                            Chunks::Some(one)
                        }
                    };
                    if all.is_none() {
                        break;
                    }
                }
                Ok(all)
            }
            Expr::Or(parts) => {
                let mut any = FixedBitSet::with_capacity(self.part.flow_chunks.len());
                for part in parts {
                    match self.chunks(part)? {
                        Chunks::All => return Ok(Chunks::All),
                        Chunks::Some(set) => any.union_with(&set),
                    }
                }
                Ok(Chunks::Some(any))
            }
            Expr::Not(_) => Ok(Chunks::All),
            Expr::Term(primitive) => match terms(primitive) {
                None => Ok(Chunks::All),
                Some((class, keys)) => Ok(Chunks::Some(self.look_up(class, &keys)?)),
            },
        }
    }

    /// Flow chunks with a term of `class` in `keys`.
    fn look_up(&mut self, class: Class, keys: &RangeInclusive<u128>) -> Result<FixedBitSet, IndexError> {
        let count = self.part.flow_chunks.len();
        let mut found = FixedBitSet::with_capacity(count);
        let all = &self.part.term_chunks;
        let of_class =
            &all[all.partition_point(|c| c.class < class)..all.partition_point(|c| c.class <= class)];
        // The chunk before the first one that begins behind the range's start can still hold its first terms.
        let from = of_class.partition_point(|chunk| chunk.first <= *keys.start()).saturating_sub(1);
        for chunk in of_class[from..].iter().take_while(|chunk| chunk.first <= *keys.end()) {
            self.reader.chunk(chunk.extent, self.bytes)?;
            term::find(self.bytes, keys, count as u32, |run| {
                found.insert_range(run.start as usize..run.end as usize);
            })
            .ok_or(IndexError::damaged(chunk.extent.at))?;
        }
        Ok(found)
    }
}

/// The terms one of which a packet must have to match; `None` where that is not told by terms.
fn terms(primitive: &Primitive) -> Option<(Class, RangeInclusive<u128>)> {
    let address = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => (Class::V4, u128::from(u32::from(addr))),
        IpAddr::V6(addr) => (Class::V6, u128::from(addr)),
    };
    match primitive {
        Primitive::Host { addr, .. } => {
            let (class, key) = address(*addr);
            Some((class, key..=key))
        }
        Primitive::Net { net, .. } => {
            let ((class, first), (_, last)) = (address(net.network()), address(net.broadcast()));
            Some((class, first..=last))
        }
        Primitive::Port { first, last, .. } => Some((Class::Port, (*first).into()..=(*last).into())),
        Primitive::IpProto { .. }
        | Primitive::EtherProto(_)
        | Primitive::EtherHost { .. }
        | Primitive::Vlan(_) => None,
    }
}
