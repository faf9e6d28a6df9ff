//! Terms: each address and port of a part, with the flow chunks it occurs in.

use std::ops::{Range, RangeInclusive};

use super::CHUNK_BYTES;
use super::codec::{Cursor, Put};

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    V4,
    V6,
    Port,
}

impl Class {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::V4,
            1 => Self::V6,
            2 => Self::Port,
            _ => return None,
        })
    }
}

/// A chunk of terms in the making or made.
#[derive(Debug)]
pub(super) struct TermChunk {
    pub(super) class: Class,
    pub(super) first: u128,
    pub(super) payload: Vec<u8>,
}

/// Cuts terms of one class into chunks. `pairs` are terms with a flow chunk each, sorted, without repetition.
pub(super) fn chunks<K: Copy + PartialEq + Into<u128>>(
    class: Class,
    pairs: &[(K, u32)],
    out: &mut Vec<TermChunk>,
) {
    let mut chunk = TermChunk { class, first: 0, payload: Vec::new() };
    let mut before = 0;
    let mut list = Vec::new();
    for term in pairs.chunk_by(|one, other| one.0 == other.0) {
        let key: u128 = term[0].0.into();
        list.clear();
        list.extend(term.iter().map(|pair| pair.1));
        let start = chunk.payload.len();
        chunk.payload.put_varint(key - before);
        chunk.payload.put_list(&list);
        if start > 0 && chunk.payload.len() > CHUNK_BYTES {
            chunk.payload.truncate(start);
            let mut next = TermChunk { class, first: key, payload: Vec::new() };
            next.payload.put_varint(key);
            next.payload.put_list(&list);
            out.push(std::mem::replace(&mut chunk, next));
        } else if start == 0 {
            chunk.first = key;
        }
        before = key;
    }
    if !chunk.payload.is_empty() {
        out.push(chunk);
    }
}

/// Finds the terms of a chunk that lie in `keys`, and gives the runs of flow chunks that they occur in to `each`.
/// `None` when the chunk cannot be one.
pub(super) fn find(
    payload: &[u8],
    keys: &RangeInclusive<u128>,
    flow_chunks: u32,
    mut each: impl FnMut(Range<u32>),
) -> Option<()> {
    let mut from = Cursor(payload);
    let mut key = 0_u128;
    while !from.is_at_end() {
        key = key.checked_add(from.varint()?)?;
        if key > *keys.end() {
            return Some(());
        }
        let is_wanted = keys.contains(&key);
        from.list(flow_chunks, |run| {
            if is_wanted {
                each(run);
            }
        })?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_range_finds_its_terms(
            terms in prop::collection::btree_map(any::<u32>(), prop::collection::btree_set(0_u32..90, 1..6), 0..3000),
            ranges in prop::collection::vec((any::<u32>(), any::<u32>()), 1..8),
        ) {
            let pairs: Vec<(u32, u32)> =
                terms.iter().flat_map(|(&term, list)| list.iter().map(move |&chunk| (term, chunk))).collect();
            let mut made = Vec::new();
            chunks(Class::V4, &pairs, &mut made);
            prop_assert!(made.iter().all(|chunk| chunk.payload.len() <= CHUNK_BYTES));
            prop_assert!(made.is_sorted_by_key(|chunk| chunk.first));
            let ranges = ranges.into_iter().map(|(one, other)| one.min(other)..=one.max(other));
            for range in ranges.chain(terms.keys().take(50).map(|&term| term..=term)) {
                let keys = u128::from(*range.start())..=u128::from(*range.end());
                let (mut found, mut expected) = (Vec::new(), Vec::<u32>::new());
                for chunk in &made {
                    find(&chunk.payload, &keys, 90, |run| found.extend(run)).unwrap();
                }
                for (_, list) in terms.range(range) {
                    expected.extend(list);
                }
                prop_assert_eq!(found, expected);
            }
        }
    }
}
