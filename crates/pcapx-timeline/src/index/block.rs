//! Blocks: pieces of a segment, and chunks that tell where and when they are.

use super::codec::{Cursor, Put};
use super::{BLOCK_BYTES, CHUNK_BLOCKS};
use pcapx_core::time::Timestamp;

/// Nanoseconds in which times within a chunk are counted: a block takes about as long at 2 Gbit/s.
const UNIT_NANOS: u128 = 1 << 16;

/// A piece of a segment: whole records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Place of the first record in the segment, and place behind the last.
    pub(super) start: u64,
    pub(super) end: u64,
    /// No packet is earlier or later. Read from an index, both can be up to [`UNIT_NANOS`] too far out.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Whether it holds packets that no flow tells of.
    pub(super) is_unlisted: bool,
}

/// What the directory tells of a block chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockSpan {
    pub(super) start: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// A block chunk's payload and what the directory tells of it; `blocks` follow one another and are not empty.
pub(super) fn chunk(blocks: &[Block]) -> Option<(BlockSpan, Vec<u8>)> {
    debug_assert!(blocks.len() <= CHUNK_BLOCKS);
    let origin = blocks.iter().map(|block| block.first).min()?;
    let last = blocks.iter().map(|block| block.last).max()?;
    let mut payload = Vec::new();
    let mut before = 0_u128;
    for block in blocks {
        let from = difference(block.first, origin) / UNIT_NANOS;
        let to = difference(block.last, origin).div_ceil(UNIT_NANOS);
        let excess = i128::from(block.end - block.start) - i128::from(BLOCK_BYTES);
        payload.put_signed((excess.cast_unsigned() << 1) | u128::from(block.is_unlisted));
        payload.put_signed(from.wrapping_sub(before));
        payload.put_varint(to - from);
        before = from;
    }
    Some((BlockSpan { start: blocks[0].start, first: origin, last }, payload))
}

/// Reads the `count` blocks of a chunk, which end at `limit` at the latest. `None` when the chunk cannot be one.
pub(super) fn read(
    span: BlockSpan,
    limit: u64,
    payload: &[u8],
    count: usize,
    mut each: impl FnMut(usize, Block),
) -> Option<()> {
    let mut from = Cursor(payload);
    let (mut start, mut before) = (span.start, 0_u128);
    let time =
        |units: u128| Some(later(span.first, units.checked_mul(UNIT_NANOS)?).unwrap_or(Timestamp::MAX));
    for number in 0..count {
        let head = from.signed()?;
        let excess = head.cast_signed() >> 1;
        let len = u64::try_from(excess.checked_add(BLOCK_BYTES.into())?).ok()?;
        let end = start.checked_add(len).filter(|&end| end <= limit)?;
        let first = before.wrapping_add(from.signed()?);
        let last = first.checked_add(from.varint()?)?;
        each(
            number,
            Block { start, end, first: time(first)?, last: time(last)?, is_unlisted: head & 1 != 0 },
        );
        (start, before) = (end, first);
    }
    from.is_at_end().then_some(())
}

/// `time` less `before`, wrapping, as a number to be written.
pub(super) fn difference(time: Timestamp, before: Timestamp) -> u128 {
    wide(time).wrapping_sub(wide(before))
}

/// The time that is `difference` after `before`; `None` when there is no such time.
pub(super) fn later(before: Timestamp, difference: u128) -> Option<Timestamp> {
    let nanos = wide(before).wrapping_add(difference).cast_signed();
    i64::try_from(nanos).ok().map(Timestamp::from_nanos)
}

fn wide(time: Timestamp) -> u128 {
    i128::from(time.as_nanos()).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_come_back_and_their_times_are_never_too_narrow(
            sizes in prop::collection::vec((1_u64..1 << 40, any::<i64>(), any::<i64>(), any::<bool>()), 1..20),
            at in 0_u64..1 << 20,
        ) {
            let mut start = at;
            let blocks: Vec<_> = sizes.iter().map(|&(len, one, other, is_unlisted)| {
                let time = |nanos: i64| Timestamp::from_nanos(nanos);
                let block = Block { start, end: start + len, first: time(one.min(other)), last: time(one.max(other)), is_unlisted };
                start += len;
                block
            }).collect();
            let (span, payload) = chunk(&blocks).unwrap();
            let mut number = 0;
            read(span, start, &payload, blocks.len(), |n, read| {
                let block = blocks[n];
                assert_eq!((n, read.start, read.end, read.is_unlisted), (number, block.start, block.end, block.is_unlisted));
                assert!(read.first <= block.first && block.last <= read.last, "{read:?} for {block:?}");
                assert!(difference(block.first, read.first) < UNIT_NANOS);
                number += 1;
            }).unwrap();
            prop_assert_eq!(number, blocks.len());
            prop_assert_eq!(read(span, start, &payload, blocks.len() + 1, |_, _| ()), None);
            let next_starts_before = read(span, start - 1, &payload, blocks.len(), |_, _| ());
            prop_assert_eq!(next_starts_before, None, "a block that reaches into the next chunk's is damage");
        }
    }
}
