//! Builds an index packet by packet.

use std::io::{self, Write};

use super::chunk::ChunkWriter;
use super::directory::{Directory, MARK, PartEntry, Trailer};
use super::part::PartBuilder;
use super::{BLOCK_BYTES, Identity, Summary};
use crate::link::LinkType;
use crate::packet::PacketKeys;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// Takes the packets of one segment in the order of recording and writes the index to `W`, part after part.
#[derive(Debug)]
pub struct Builder<W> {
    out: ChunkWriter<W>,
    part: PartBuilder,
    parts: Vec<PartEntry>,
    packets: u64,
    span: Option<(Timestamp, Timestamp)>,
}

/// What ends an index; the counts that a builder has made itself are added to it.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    /// The segment, as it is on disk.
    pub segment: Identity,
    /// Place behind the last whole record.
    pub end: u64,
    /// Whether the segment ends there.
    pub is_whole: bool,
    /// Packets that the kernel dropped while the segment was recorded, where that is known.
    pub kernel_drops: Option<u64>,
    /// Packets that the recorder dropped, where that is known.
    pub recorder_drops: Option<u64>,
    /// Between which instants the segment is the recording, packets or not, where that is known.
    pub recorded: Option<Window>,
}

impl<W: Write> Builder<W> {
    /// Begins an index.
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = ChunkWriter::new(out);
        out.raw(&MARK)?;
        Ok(Self { out, part: PartBuilder::default(), parts: Vec::new(), packets: 0, span: None })
    }

    /// Adds the packet whose record takes `start .. end` of the segment.
    ///
    /// Records follow one another: what stands between two belongs to the first. `may_cut` tells whether a reader that has
    /// seen nothing but the head of the segment can begin to read here.
    #[inline]
    pub fn add(
        &mut self,
        (start, end): (u64, u64),
        time: Timestamp,
        link: LinkType,
        keys: &PacketKeys,
        may_cut: bool,
    ) -> io::Result<()> {
        self.packets += 1;
        match self.part.open_block() {
            Some(block) if !may_cut || start - block.start < BLOCK_BYTES => {
                block.end = end;
                block.first = block.first.min(time);
                block.last = block.last.max(time);
            }
            _ => self.begin_block(start, end, time)?,
        }
        if link.is_understood() {
            self.part.add(keys);
        } else {
            // Whoever asks for addresses is to be told that these packets could not be searched.
            self.part.add_unlisted();
        }
        Ok(())
    }

    fn begin_block(&mut self, start: u64, end: u64, time: Timestamp) -> io::Result<()> {
        if let Some(block) = self.part.open_block() {
            block.end = start;
            let (first, last) = (block.first, block.last);
            self.include(first, last);
        }
        if self.part.is_full() {
            self.parts.push(self.part.write(&mut self.out)?);
        }
        self.part.begin_block(start, time);
        if let Some(block) = self.part.open_block() {
            block.end = end;
        }
        Ok(())
    }

    fn include(&mut self, first: Timestamp, last: Timestamp) {
        let span = self.span.get_or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }

    /// Packets added so far.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Writes what is left. Nothing but the bytes is written: making them durable and giving them a name is the caller's.
    pub fn finish(mut self, sealed: &Sealed) -> io::Result<(W, Summary)> {
        if let Some(block) = self.part.open_block() {
            block.end = block.end.max(sealed.end);
            let (first, last) = (block.first, block.last);
            self.include(first, last);
        }
        if !self.part.is_empty() {
            self.parts.push(self.part.write(&mut self.out)?);
        }
        let summary = Summary {
            end: sealed.end,
            is_whole: sealed.is_whole,
            packets: self.packets,
            span: self.span,
            kernel_drops: sealed.kernel_drops,
            recorder_drops: sealed.recorder_drops,
            recorded: sealed.recorded,
        };
        let directory = Directory { summary, parts: self.parts };
        let extent = self.out.chunk(&directory.encode())?;
        let trailer = Trailer { directory: extent, segment: sealed.segment }.encode();
        self.out.raw(&trailer.ok_or(io::ErrorKind::FileTooLarge)?)?;
        Ok((self.out.into_inner(), directory.summary))
    }
}
