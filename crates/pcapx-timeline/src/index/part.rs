//! A part of an index in the making: its flows, and which blocks they occur in.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::block::{self, Block};
use super::chunk::ChunkWriter;
use super::directory::{FlowChunk, PartEntry, TermChunkEntry};
use super::flow::{Ends, Flow, FlowChunkBuilder, Senders};
use super::kind::{Kind, PortsKind};
use super::term::{self, Class};
use super::{CHUNK_BLOCKS, PART_BLOCKS, PART_FLOWS, PART_KINDS, PART_MIN_BYTES, PART_POSTINGS};
use crate::packet::PacketKeys;
use pcapx_core::time::Timestamp;

/// No block has this number.
const NO_BLOCK: u32 = u32::MAX;

/// Flows, blocks, and which flow occurs where.
#[derive(Debug, Default)]
pub(super) struct PartBuilder {
    kinds: Vec<Kind>,
    kind_numbers: HashMap<Kind, u16, RandomState>,
    /// The kind of the packet before: most packets are of few kinds.
    last_kind: Option<(Kind, u16)>,
    flows: Vec<FlowState>,
    /// Places in `flows`, by kind and ends. The table has nothing but numbers: it stays in the processor's caches, and a
    /// packet waits for memory once, for its flow.
    flow_numbers: HashTable<u32>,
    flow_hasher: RandomState,
    blocks: Vec<Block>,
    /// Flows in the order of the blocks they occur in; those of block n end at `postings_ends[n]`.
    postings: Vec<u32>,
    postings_ends: Vec<u32>,
}

/// As long as a line of a processor's cache, and in one of them.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct FlowState {
    kind: u16,
    senders: Senders,
    last_block: u32,
    ends: Ends,
}

impl PartBuilder {
    /// Begins a block with a packet at `start`.
    pub(super) fn begin_block(&mut self, start: u64, time: Timestamp) {
        self.end_block();
        self.blocks.push(Block { start, end: start, first: time, last: time, is_unlisted: false });
    }

    fn end_block(&mut self) {
        if self.postings_ends.len() < self.blocks.len() {
            self.postings_ends.push(self.postings.len() as u32);
        }
    }

    /// The block that packets are added to.
    pub(super) fn open_block(&mut self) -> Option<&mut Block> {
        self.blocks.last_mut()
    }

    /// Adds a packet to the block.
    #[inline]
    pub(super) fn add(&mut self, keys: &PacketKeys) {
        if self.insert(keys).is_none() {
            self.add_unlisted();
        }
    }

    /// Adds a packet that no flow tells of.
    pub(super) fn add_unlisted(&mut self) {
        if let Some(block) = self.open_block() {
            block.is_unlisted = true;
        }
    }

    /// `None` when there is no room for one more flow, kind or posting.
    #[inline]
    fn insert(&mut self, keys: &PacketKeys) -> Option<()> {
        let kind = Kind::of(keys);
        let number = match self.last_kind {
            Some((last, number)) if last == kind => number,
            _ => self.kind_number(kind)?,
        };
        let (ends, sender) = Ends::of(&kind, keys);
        let flow = self.flow_number(number, &ends)?;
        let block = (self.blocks.len() - 1) as u32;
        let state = &mut self.flows[flow as usize];
        state.senders.add(sender);
        if state.last_block != block {
            if self.postings.len() >= PART_POSTINGS {
                return None;
            }
            state.last_block = block;
            self.postings.push(flow);
        }
        Some(())
    }

    /// `None` when there is no room for one more.
    #[inline]
    fn flow_number(&mut self, kind: u16, ends: &Ends) -> Option<u32> {
        let hash = hash(&self.flow_hasher, kind, ends);
        let is_it = |&flow: &u32| {
            let state = &self.flows[flow as usize];
            state.kind == kind && state.ends == *ends
        };
        if let Some(&flow) = self.flow_numbers.find(hash, is_it) {
            return Some(flow);
        }
        if self.flows.len() >= PART_FLOWS {
            return None;
        }
        let flow = self.flows.len() as u32;
        let senders = Senders::default();
        self.flows.push(FlowState { kind, senders, last_block: NO_BLOCK, ends: *ends });
        let (flows, hasher) = (&self.flows, &self.flow_hasher);
        self.flow_numbers.insert_unique(hash, flow, |&flow| {
            let state = &flows[flow as usize];
            self::hash(hasher, state.kind, &state.ends)
        });
        Some(flow)
    }

    #[cold]
    fn kind_number(&mut self, kind: Kind) -> Option<u16> {
        let number = match self.kind_numbers.get(&kind) {
            Some(&number) => number,
            None if self.kinds.len() >= PART_KINDS => return None,
            None => {
                let number = self.kinds.len() as u16;
                self.kinds.push(kind);
                self.kind_numbers.insert(kind, number);
                number
            }
        };
        self.last_kind = Some((kind, number));
        Some(number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether the next block belongs to another part.
    pub(super) fn is_full(&self) -> bool {
        let (Some(first), Some(last)) = (self.blocks.first(), self.blocks.last()) else { return false };
        let has_many = self.flows.len() >= PART_FLOWS
            || self.kinds.len() >= PART_KINDS
            || self.postings.len() >= PART_POSTINGS;
        self.blocks.len() >= PART_BLOCKS || (has_many && last.end - first.start >= PART_MIN_BYTES)
    }

    /// Writes the part and begins the next.
    pub(super) fn write<W: Write>(&mut self, out: &mut ChunkWriter<W>) -> io::Result<PartEntry> {
        self.end_block();
        let mut part = PartEntry {
            blocks: self.blocks.len() as u32,
            has_unlisted: self.blocks.iter().any(|block| block.is_unlisted),
            ..PartEntry::default()
        };
        let order = self.sort_flows();
        part.kinds = std::mem::take(&mut self.kinds);
        let mut terms = Terms::default();
        self.write_flows(&order, &mut part, &mut terms, out)?;
        for chunk in terms.chunks() {
            let extent = out.chunk(&chunk.payload)?;
            part.term_chunks.push(TermChunkEntry { class: chunk.class, first: chunk.first, extent });
        }
        for blocks in self.blocks.chunks(CHUNK_BLOCKS) {
            if let Some((span, payload)) = block::chunk(blocks) {
                part.block_chunks.push((span, out.chunk(&payload)?));
            }
        }
        self.clear();
        Ok(part)
    }

    /// Flows in the order of the file.
    fn sort_flows(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.flows.len() as u32).collect();
        order.sort_unstable_by_key(|&flow| {
            let state = &self.flows[flow as usize];
            (state.kind, state.ends)
        });
        order
    }

    fn write_flows<W: Write>(
        &self,
        order: &[u32],
        part: &mut PartEntry,
        terms: &mut Terms,
        out: &mut ChunkWriter<W>,
    ) -> io::Result<()> {
        let lists = self.lists();
        let mut chunk = FlowChunkBuilder::default();
        let mut open_kind = 0;
        for &number in order {
            let state = &self.flows[number as usize];
            let kind = &part.kinds[usize::from(state.kind)];
            let flow = Flow { ends: state.ends, senders: state.senders };
            let blocks = lists.of(number);
            if blocks.is_empty() {
                // There was no room for its only posting: its block is unlisted.
                continue;
            }
            if u32::from(state.kind) != open_kind || !chunk.push(kind, &flow, blocks) {
                if let Some(payload) = chunk.take() {
                    part.flow_chunks.push(FlowChunk { kind: open_kind, extent: out.chunk(&payload)? });
                }
                open_kind = state.kind.into();
                chunk.push(kind, &flow, blocks);
            }
            terms.add(kind, &state.ends, part.flow_chunks.len() as u32);
        }
        if let Some(payload) = chunk.take() {
            part.flow_chunks.push(FlowChunk { kind: open_kind, extent: out.chunk(&payload)? });
        }
        Ok(())
    }

    /// Turns postings round: blocks in the order of flows.
    fn lists(&self) -> Lists {
        let mut ends = vec![0_u32; self.flows.len()];
        for &flow in &self.postings {
            ends[flow as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum - *end;
        }
        // Now each is where its list begins; filling moves it to where the list ends.
        let mut blocks = vec![0_u32; self.postings.len()];
        let mut from = 0;
        for (block, &until) in self.postings_ends.iter().enumerate() {
            for &flow in &self.postings[from..until as usize] {
                let place = &mut ends[flow as usize];
                blocks[*place as usize] = block as u32;
                *place += 1;
            }
            from = until as usize;
        }
        Lists { ends, blocks }
    }

    fn clear(&mut self) {
        self.kinds.clear();
        self.kind_numbers.clear();
        self.last_kind = None;
        self.flows.clear();
        self.flow_numbers.clear();
        self.blocks.clear();
        self.postings.clear();
        self.postings_ends.clear();
    }
}

/// In three steps instead of one for each field.
#[inline]
fn hash(hasher: &RandomState, kind: u16, ends: &Ends) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write_u128(ends.a);
    hasher.write_u128(ends.b);
    hasher.write_u64(u64::from(ends.port_a) | u64::from(ends.port_b) << 16 | u64::from(kind) << 32);
    hasher.finish()
}

/// Blocks of each flow, one list behind the other.
struct Lists {
    ends: Vec<u32>,
    blocks: Vec<u32>,
}

impl Lists {
    fn of(&self, flow: u32) -> &[u32] {
        let flow = flow as usize;
        let start = if flow == 0 { 0 } else { self.ends[flow - 1] };
        &self.blocks[start as usize..self.ends[flow] as usize]
    }
}

/// Addresses and ports with the flow chunks they occur in.
#[derive(Debug, Default)]
struct Terms {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u32)>,
    ports: Vec<(u16, u32)>,
}

impl Terms {
    fn add(&mut self, kind: &Kind, ends: &Ends, chunk: u32) {
        if kind.is_wide() {
            self.v6.extend([(ends.a, chunk), (ends.b, chunk)]);
        } else if kind.has_addresses() {
            self.v4.extend([(ends.a as u32, chunk), (ends.b as u32, chunk)]);
        }
        match kind.ports() {
            PortsKind::None | PortsKind::Cut => {}
            PortsKind::Source => self.ports.push((ends.port_a, chunk)),
            PortsKind::Both => self.ports.extend([(ends.port_a, chunk), (ends.port_b, chunk)]),
        }
    }

    fn chunks(mut self) -> Vec<term::TermChunk> {
        let mut made = Vec::new();
        self.v4.sort_unstable();
        self.v4.dedup();
        term::chunks(Class::V4, &self.v4, &mut made);
        self.v6.sort_unstable();
        self.v6.dedup();
        term::chunks(Class::V6, &self.v6, &mut made);
        self.ports.sort_unstable();
        self.ports.dedup();
        term::chunks(Class::Port, &self.ports, &mut made);
        made
    }
}
