//! One packet after another, whatever the format.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::buffer::Buffer;
use super::pcap::{HEADER_BYTES, PcapHeader};
use super::pcapng::{Section, block_type};
use super::{Interface, SegmentError};
use crate::link::LinkType;
use pcapx_core::time::Timestamp;

/// Reads the packets of one segment in the order of recording.
#[derive(Debug)]
pub struct SegmentReader {
    buffer: Buffer,
    format: Format,
    interfaces: Vec<Interface>,
    /// The record handed out last; it is passed when the next one is asked for.
    current: Option<Record>,
    ending: Option<Ending>,
}

/// How a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the last byte of a record.
    Whole,
    /// Inside a record that begins at this byte, or in zeros from there on: the writer died, or has not come further.
    Cut(u64),
}

/// A packet of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it passed.
    pub time: Timestamp,
    /// Its bytes, as many as were kept.
    pub data: &'a [u8],
    /// How many bytes it had on the wire.
    pub orig_len: u32,
    /// What its bytes begin with.
    pub link_type: LinkType,
    /// Which of [`SegmentReader::interfaces`] it came from.
    pub interface: u32,
}

#[derive(Debug)]
enum Format {
    Pcap(PcapHeader),
    Pcapng(Section),
}

/// A record found in the buffer: `from..to` are the packet's bytes, counted from the record's first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    pub(crate) interface: u32,
    pub(crate) orig_len: u32,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) whole_len: u64,
}

/// What stands at the current place.
#[derive(Debug)]
pub(crate) enum Step {
    Packet(Record),
    End,
    Cut,
}

impl SegmentReader {
    /// Opens a capture file and checks its header.
    pub fn open(path: &Path) -> Result<Self, SegmentError> {
        Self::new(open_file(path)?)
    }

    /// Reads an open file from its first byte, whatever its cursor says.
    pub fn new(file: File) -> Result<Self, SegmentError> {
        let mut buffer = Buffer::new(file);
        let head = buffer.peek(HEADER_BYTES)?;
        let Some(magic) = head.first_chunk::<4>().map(|b| u32::from_be_bytes(*b)) else {
            return Err(SegmentError::TooShort { bytes: head.len() as u64 });
        };
        if magic == block_type::SECTION {
            let format = Format::Pcapng(Section::default());
            return Ok(Self { buffer, format, interfaces: Vec::new(), current: None, ending: None });
        }
        if let Some(what) = named_format(magic) {
            return Err(SegmentError::Unsupported { what });
        }
        let Some(head) = head.first_chunk() else {
            return Err(match magic.to_be_bytes() {
                [0xa1, 0xb2, ..] | [_, _, 0xb2, 0xa1] => SegmentError::TooShort { bytes: head.len() as u64 },
                _ => SegmentError::NotACapture { magic },
            });
        };
        let header = PcapHeader::parse(head).ok_or(SegmentError::NotACapture { magic })?;
        buffer.skip(HEADER_BYTES as u64);
        let interfaces = vec![header.interface()];
        Ok(Self { buffer, format: Format::Pcap(header), interfaces, current: None, ending: None })
    }

    /// The next packet, or `None` after the last whole one ([`ending`](Self::ending) then tells how the file ended).
    ///
    /// Asked again after the end, it looks whether the file has grown; after an error it answers the same error.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, SegmentError> {
        if let Some(record) = self.current.take() {
            self.buffer.skip(record.whole_len);
        }
        let step = match &mut self.format {
            Format::Pcap(header) => header.next(&mut self.buffer)?,
            Format::Pcapng(section) => section.next(&mut self.buffer, &mut self.interfaces)?,
        };
        match step {
            Step::Packet(record) => {
                self.current = Some(record);
                Ok(Some(self.packet(&record)))
            }
            Step::End => {
                self.ending = Some(match &self.format {
                    Format::Pcapng(section)
                        if self.buffer.offset() > self.buffer.file().metadata()?.len() =>
                    {
                        Ending::Cut(section.passed_at())
                    }
                    _ => Ending::Whole,
                });
                Ok(None)
            }
            Step::Cut => {
                self.ending = Some(Ending::Cut(self.buffer.offset()));
                Ok(None)
            }
        }
    }

    /// The packet that [`next_packet`](Self::next_packet) has answered last.
    pub fn current_packet(&self) -> Option<Packet<'_>> {
        self.current.as_ref().map(|record| self.packet(record))
    }

    #[inline]
    fn packet(&self, record: &Record) -> Packet<'_> {
        let link_type = match &self.format {
            Format::Pcap(header) => header.link_type,
            Format::Pcapng(_) => self.interfaces[record.interface as usize].link_type,
        };
        Packet {
            time: record.time,
            data: self.buffer.peeked(record.from, record.to),
            orig_len: record.orig_len,
            link_type,
            interface: record.interface,
        }
    }

    /// The interfaces that were named so far; a packet's interface is among them.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The section that is read; a pcap file has none.
    pub(crate) fn section(&self) -> Option<&Section> {
        match &self.format {
            Format::Pcap(_) => None,
            Format::Pcapng(section) => Some(section),
        }
    }

    /// How the file ended, once [`next_packet`](Self::next_packet) has answered `None`.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Bytes read from the file so far.
    pub fn bytes_read(&self) -> u64 {
        self.buffer.bytes_read()
    }

    /// Goes to a record's first byte at `offset`. For pcapng, `interfaces` are those named before.
    pub(crate) fn resume(&mut self, offset: u64, interfaces: Vec<Interface>) {
        self.buffer.seek(offset);
        self.current = None;
        self.ending = None;
        if let Format::Pcapng(section) = &mut self.format {
            section.resume();
            self.interfaces = interfaces;
        }
    }

    /// Goes to the first byte of `range`, which is that of a record, and reads nothing behind its end. For pcapng, the
    /// interfaces of the range are among those named so far.
    pub(crate) fn go_to(&mut self, range: Range<u64>) {
        self.buffer.seek_range(range);
        self.current = None;
        self.ending = None;
    }

    /// Place in the file behind the packet answered last: where the next record begins.
    #[inline]
    pub fn next_offset(&self) -> u64 {
        self.buffer.offset() + self.current.map_or(0, |record| record.whole_len)
    }

    /// The whole record of the packet answered last.
    pub(crate) fn current_record(&self) -> &[u8] {
        self.current.map_or(&[], |record| self.buffer.peeked(0, record.whole_len as usize))
    }

    /// The file header of a pcap segment.
    pub(crate) fn pcap_header(&self) -> Option<PcapHeader> {
        match self.format {
            Format::Pcap(header) => Some(header),
            Format::Pcapng(_) => None,
        }
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        self.buffer.file()
    }
}

/// Opens a file to read. A pipe of that name would let the opener wait for ever.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Formats that a capture folder may hold and that are worth a better word than "not a capture".
fn named_format(magic: u32) -> Option<&'static str> {
    Some(match magic {
        m if m >> 16 == 0x1f8b => "compressed with gzip",
        0x28b5_2ffd => "compressed with zstd",
        0x0422_4d18 => "compressed with lz4",
        m if m >> 8 == 0x0042_5a68 => "compressed with bzip2",
        0xfd37_7a58 => "compressed with xz",
        0xa1b2_cd34 | 0x34cd_b2a1 => "a pcap file of a patched libpcap (Kuznetzov's format)",
        0x736e_6f6f => "a snoop file",
        _ => return None,
    })
}
