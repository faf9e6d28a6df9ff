//! Directory and trailer: what a reader needs to find everything else.

use super::block::{BlockSpan, difference, later};
use super::chunk::{CRC_BYTES, Extent};
use super::codec::{Cursor, Put};
use super::kind::Kind;
use super::term::Class;
use super::{CHUNK_BLOCKS, Identity, IndexError, PART_BLOCKS, PART_FLOWS, Summary, VERSION};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// The first and the last bytes of every index.
pub(super) const MARK: [u8; 8] = *b"PCAPXIX\n";
pub(super) const TRAILER_BYTES: usize = 64;
/// What the trailer's checksum covers.
const TRAILER_CHECKED_BYTES: usize = 52;

const STATISTIC_KERNEL_DROPS: u64 = 1;
const STATISTIC_RECORDER_DROPS: u64 = 2;
const STATISTIC_RECORDED_FROM: u64 = 3;
const STATISTIC_RECORDED_TO: u64 = 4;

/// Everything but the chunks themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) summary: Summary,
    pub(super) parts: Vec<PartEntry>,
}

/// Where the chunks of a part are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PartEntry {
    pub(super) blocks: u32,
    pub(super) has_unlisted: bool,
    pub(super) kinds: Vec<Kind>,
    pub(super) flow_chunks: Vec<FlowChunk>,
    pub(super) term_chunks: Vec<TermChunkEntry>,
    pub(super) block_chunks: Vec<(BlockSpan, Extent)>,
}

/// A chunk of flows of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowChunk {
    pub(super) kind: u32,
    pub(super) extent: Extent,
}

/// A chunk of terms of one class, the first of which is `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TermChunkEntry {
    pub(super) class: Class,
    pub(super) first: u128,
    pub(super) extent: Extent,
}

impl Directory {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let summary = &self.summary;
        out.push(u8::from(!summary.is_whole));
        out.put_u64(summary.end);
        out.put_u64(summary.packets);
        let origin = Timestamp::from_nanos(0);
        let (first, last) = summary.span.unwrap_or((origin, origin));
        out.put_signed(difference(first, origin));
        out.put_varint(difference(last, first));
        let recorded = summary.recorded.and_then(nanos_of);
        let statistics = [
            (STATISTIC_KERNEL_DROPS, summary.kernel_drops),
            (STATISTIC_RECORDER_DROPS, summary.recorder_drops),
            (STATISTIC_RECORDED_FROM, recorded.map(|(from, _)| from)),
            (STATISTIC_RECORDED_TO, recorded.map(|(_, to)| to)),
        ];
        let known: Vec<_> = statistics.iter().filter_map(|&(name, value)| Some((name, value?))).collect();
        out.put_u64(known.len() as u64);
        for (name, value) in known {
            out.put_u64(name);
            out.put_u64(value);
        }
        out.put_u64(self.parts.len() as u64);
        let mut before = (0, first);
        for part in &self.parts {
            part.encode(&mut before, &mut out);
        }
        out
    }

    /// `chunks_end` is where the directory itself begins. `None` when the bytes cannot be a directory.
    pub(super) fn decode(payload: &[u8], chunks_end: u64) -> Option<Self> {
        let mut from = Cursor(payload);
        let is_whole = match from.byte()? {
            0 => true,
            1 => false,
            _ => return None,
        };
        let (end, packets) = (from.u64()?, from.u64()?);
        let first = later(Timestamp::from_nanos(0), from.signed()?)?;
        let last = later(first, from.varint()?)?;
        let mut summary = Summary {
            end,
            is_whole,
            packets,
            span: (packets > 0).then_some((first, last)),
            ..Summary::default()
        };
        let (mut recorded_from, mut recorded_to) = (None, None);
        for _ in 0..from.count()? {
            let (name, value) = (from.u64()?, from.u64()?);
            match name {
                STATISTIC_RECORDED_FROM => recorded_from = Some(value),
                STATISTIC_RECORDED_TO => recorded_to = Some(value),
                STATISTIC_KERNEL_DROPS => summary.kernel_drops = Some(value),
                STATISTIC_RECORDER_DROPS => summary.recorder_drops = Some(value),
                _ => {}
            }
        }
        summary.recorded = recorded_from.zip(recorded_to).and_then(window_of);
        let count = from.count()?;
        let mut state = Decoding { at: MARK.len() as u64, chunks_end, before: (0, first) };
        let parts =
            (0..count).map(|_| PartEntry::decode(&mut from, &mut state)).collect::<Option<Vec<_>>>()?;
        (from.is_at_end() && state.at == chunks_end).then_some(Self { summary, parts })
    }
}

/// Both ends since 1970; what was recorded before is not told.
fn nanos_of(window: Window) -> Option<(u64, u64)> {
    let since_1970 = |time: Timestamp| u64::try_from(time.as_nanos()).ok();
    Some((since_1970(window.start())?, since_1970(window.end())?))
}

/// Statistics that contradict each other tell nothing: no packet is found or missed by them.
fn window_of((from, to): (u64, u64)) -> Option<Window> {
    let time = |nanos: u64| i64::try_from(nanos).ok().map(Timestamp::from_nanos);
    Window::new(time(from)?, time(to)?).ok()
}

/// Where the next chunk begins, where chunks end, and what the next block chunk is told against.
struct Decoding {
    at: u64,
    chunks_end: u64,
    before: (u64, Timestamp),
}

impl Decoding {
    fn extent(&mut self, len: u64) -> Option<Extent> {
        let extent = Extent { at: self.at, len };
        self.at = extent.end().filter(|&end| end <= self.chunks_end)?;
        Some(extent)
    }
}

impl PartEntry {
    fn encode(&self, before: &mut (u64, Timestamp), out: &mut Vec<u8>) {
        out.put_u64(self.blocks.into());
        out.push(u8::from(self.has_unlisted));
        out.put_u64(self.kinds.len() as u64);
        self.kinds.iter().for_each(|kind| kind.put(out));
        out.put_u64(self.flow_chunks.len() as u64);
        let mut kind = 0;
        for chunk in &self.flow_chunks {
            out.put_u64((chunk.kind - kind).into());
            out.put_u64(chunk.extent.len);
            kind = chunk.kind;
        }
        out.put_u64(self.term_chunks.len() as u64);
        for chunk in &self.term_chunks {
            out.push(chunk.class as u8);
            out.put_varint(chunk.first);
            out.put_u64(chunk.extent.len);
        }
        out.put_u64(self.block_chunks.len() as u64);
        for (span, extent) in &self.block_chunks {
            out.put_u64(span.start - before.0);
            out.put_signed(difference(span.first, before.1));
            out.put_varint(difference(span.last, span.first));
            out.put_u64(extent.len);
            *before = (span.start, span.first);
        }
    }

    fn decode(from: &mut Cursor<'_>, state: &mut Decoding) -> Option<Self> {
        // Each flow may name all blocks of its part, and each term all flow chunks: with more of them than a part has, a
        // small file could ask for hours of work.
        let blocks = from.u32().filter(|&blocks| blocks as usize <= PART_BLOCKS)?;
        let has_unlisted = match from.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let kinds = (0..from.count()?).map(|_| Kind::take(from)).collect::<Option<Vec<_>>>()?;
        let mut kind = 0_u32;
        let flow_chunks = (0..from.count()?)
            .map(|_| {
                kind = kind.checked_add(from.u32()?).filter(|&kind| (kind as usize) < kinds.len())?;
                Some(FlowChunk { kind, extent: state.extent(from.u64()?)? })
            })
            .collect::<Option<Vec<_>>>()?;
        let term_chunks = (0..from.count()?)
            .map(|_| {
                let class = Class::from_byte(from.byte()?)?;
                Some(TermChunkEntry { class, first: from.varint()?, extent: state.extent(from.u64()?)? })
            })
            .collect::<Option<Vec<_>>>()?;
        let block_chunks = (0..from.count()?)
            .map(|_| {
                let start = state.before.0.checked_add(from.u64()?)?;
                let first = later(state.before.1, from.signed()?)?;
                let last = later(first, from.varint()?)?;
                state.before = (start, first);
                Some((BlockSpan { start, first, last }, state.extent(from.u64()?)?))
            })
            .collect::<Option<Vec<_>>>()?;
        let chunks_wanted = (blocks as usize).div_ceil(CHUNK_BLOCKS);
        (block_chunks.len() == chunks_wanted && flow_chunks.len() <= PART_FLOWS).then_some(Self {
            blocks,
            has_unlisted,
            kinds,
            flow_chunks,
            term_chunks,
            block_chunks,
        })
    }
}

/// The last bytes of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) directory: Extent,
    pub(super) segment: Identity,
}

impl Trailer {
    pub(super) fn encode(&self) -> Option<[u8; TRAILER_BYTES]> {
        let mut bytes = [0; TRAILER_BYTES];
        let len = self.directory.end()?.checked_add(TRAILER_BYTES as u64)?;
        bytes[0..8].copy_from_slice(&self.directory.at.to_le_bytes());
        bytes[8..12].copy_from_slice(&u32::try_from(self.directory.len).ok()?.to_le_bytes());
        bytes[12..16].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.segment.len.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.segment.modified.as_nanos().to_le_bytes());
        bytes[32..40].copy_from_slice(&self.segment.inode.to_le_bytes());
        bytes[40..48].copy_from_slice(&len.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..TRAILER_CHECKED_BYTES]);
        bytes[52..56].copy_from_slice(&crc.to_le_bytes());
        bytes[56..].copy_from_slice(&MARK);
        Some(bytes)
    }

    /// Reads the trailer of an index of `len` bytes.
    pub(super) fn decode(bytes: &[u8; TRAILER_BYTES], len: u64) -> Result<Self, IndexError> {
        let u64_at = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let damaged = IndexError::damaged(len.saturating_sub(TRAILER_BYTES as u64));
        if bytes[56..] != MARK || u32_at(52) != crc32fast::hash(&bytes[..TRAILER_CHECKED_BYTES]) {
            return Err(damaged);
        }
        let version = u32_at(12);
        if version != VERSION {
            return Err(IndexError::Version { version });
        }
        let directory = Extent { at: u64_at(0), len: u32_at(8).into() };
        let is_placed = directory.at >= MARK.len() as u64
            && directory.end().and_then(|end| end.checked_add(TRAILER_BYTES as u64)) == Some(len);
        if u64_at(40) != len || !is_placed || u32_at(48) != 0 {
            return Err(damaged);
        }
        let modified = Timestamp::from_nanos(u64_at(24).cast_signed());
        Ok(Self { directory, segment: Identity { len: u64_at(16), modified, inode: u64_at(32) } })
    }
}

/// Bytes of an index that has nothing but marks, an empty directory and a trailer: no file is shorter.
pub(super) const LEAST_BYTES: u64 = (MARK.len() + CRC_BYTES + TRAILER_BYTES) as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    fn directory() -> Directory {
        let extent = |at, len| Extent { at, len };
        let block = |start, first, last| BlockSpan { start, first: at(first), last: at(last) };
        let part = |at: u64, start| PartEntry {
            blocks: 3,
            has_unlisted: at > 8,
            kinds: vec![Kind::default(); 3],
            flow_chunks: vec![
                FlowChunk { kind: 0, extent: extent(at, 10) },
                FlowChunk { kind: 2, extent: extent(at + 14, 20) },
            ],
            term_chunks: vec![TermChunkEntry {
                class: Class::V6,
                first: u128::MAX,
                extent: extent(at + 38, 1),
            }],
            block_chunks: vec![(
                block(start, 1_000_000 - start.cast_signed(), 2_000_000),
                extent(at + 43, 9),
            )],
        };
        let summary = Summary {
            end: 999,
            is_whole: false,
            packets: 77,
            span: Some((at(-5), at(i64::MAX))),
            kernel_drops: Some(3),
            recorder_drops: None,
            recorded: Window::new(at(1_000), at(i64::MAX)).ok(),
        };
        Directory { summary, parts: vec![part(8, 24), part(64, 4_000_000)] }
    }

    #[test]
    fn a_directory_comes_back() {
        let directory = directory();
        let bytes = directory.encode();
        assert_eq!(Directory::decode(&bytes, 120), Some(directory));
        assert_eq!(Directory::decode(&bytes, 119), None, "a chunk reaches into the directory");
        assert_eq!(Directory::decode(&bytes, 121), None, "a gap in front of the directory");
        assert_eq!(Directory::decode(&bytes[..bytes.len() - 1], 120), None);
        let empty =
            Directory { summary: Summary { is_whole: true, ..Summary::default() }, parts: Vec::new() };
        assert_eq!(Directory::decode(&empty.encode(), 8), Some(empty));
    }

    #[test]
    fn a_span_of_recording_is_told_whole_or_not_at_all() {
        let of = |recorded| {
            let summary = Summary { recorded, ..Summary::default() };
            let bytes = Directory { summary, parts: Vec::new() }.encode();
            Directory::decode(&bytes, 8).unwrap().summary.recorded
        };
        let window = |from, to| Window::new(at(from), at(to)).ok();
        assert_eq!(of(window(5, 5)), window(5, 5));
        assert_eq!(of(window(-5, 5)), None, "before 1970");
        // One of the two, in the wrong order, or beyond all time.
        for statistics in [&[(3, 5)][..], &[(4, 5)], &[(3, 6), (4, 5)], &[(3, 5), (4, u64::MAX)]] {
            let mut bytes = vec![0, 0, 0, 0, 0, statistics.len() as u8];
            for (name, value) in statistics {
                bytes.put_u64(*name);
                bytes.put_u64(*value);
            }
            bytes.push(0);
            assert_eq!(Directory::decode(&bytes, 8).unwrap().summary.recorded, None);
        }
    }

    #[test]
    fn a_part_larger_than_any_is_damage() {
        let of = |blocks: usize, flow_chunks: usize| {
            let mut end = MARK.len() as u64;
            let mut extent = || {
                let extent = Extent { at: end, len: 0 };
                end += CRC_BYTES as u64;
                extent
            };
            let span = BlockSpan { start: 24, first: at(0), last: at(0) };
            let part = PartEntry {
                blocks: blocks as u32,
                kinds: vec![Kind::default()],
                flow_chunks: (0..flow_chunks).map(|_| FlowChunk { kind: 0, extent: extent() }).collect(),
                block_chunks: (0..blocks.div_ceil(CHUNK_BLOCKS)).map(|_| (span, extent())).collect(),
                ..PartEntry::default()
            };
            Directory::decode(&Directory { parts: vec![part], ..Directory::default() }.encode(), end)
        };
        assert!(of(PART_BLOCKS, PART_FLOWS).is_some());
        assert!(of(PART_BLOCKS + 1, 1).is_none());
        assert!(of(1, PART_FLOWS + 1).is_none());
    }

    #[test]
    fn a_trailer_comes_back_and_nothing_else_is_one() {
        let segment = Identity { len: 1 << 40, modified: at(-1), inode: 12 };
        let trailer = Trailer { directory: Extent { at: 8, len: 100 }, segment };
        let bytes = trailer.encode().unwrap();
        let len = 8 + 104 + 64;
        assert_eq!(Trailer::decode(&bytes, len).unwrap(), trailer);
        assert!(matches!(Trailer::decode(&bytes, len + 1), Err(IndexError::Damaged { .. })));
        for n in 0..TRAILER_BYTES {
            let mut wrong = bytes;
            wrong[n] ^= 1;
            assert!(Trailer::decode(&wrong, len).is_err(), "byte {n}");
        }
        let mut newer = bytes;
        newer[12] = 2;
        let crc = crc32fast::hash(&newer[..52]);
        newer[52..56].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(Trailer::decode(&newer, len), Err(IndexError::Version { version: 2 })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(mut bytes in prop::collection::vec(any::<u8>(), 0..200), flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..3)) {
            Directory::decode(&bytes, 120);
            bytes = directory().encode();
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            Directory::decode(&bytes, 120);
        }
    }
}
