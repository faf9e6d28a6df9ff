//! Output records: what a packet looks like in the output file.
//!
//! Files are little-endian, whatever the segments were.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::blocks::{OPTION_MOST_BYTES, block, front};
use super::numbering::NUMBER_AT;
use crate::link::LinkType;
use crate::segment::{
    Interface, MAGIC_MICROS, MAGIC_NANOS, PCAP_HEADER_BYTES, PCAP_RECORD_HEADER_BYTES, Packet, Resolution,
    pcapng_block,
};
use pcapx_core::time::Timestamp;

/// What has to be the same for two packets to stand in one pcap file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) link_type: LinkType,
    /// Nanoseconds, or else microseconds.
    pub(super) is_nanos: bool,
}

impl Kind {
    pub(super) fn of(interface: &Interface) -> Self {
        Self { link_type: interface.link_type, is_nanos: !interface.resolution.fits_micros() }
    }
}

/// The output's format.
#[derive(Debug)]
pub(super) enum Encoding {
    /// One kind of packets.
    Pcap,
    /// An interface for each source of packets.
    Pcapng(Mutex<Interfaces>),
}

/// The interfaces that scans have met, in the order in which they have met them.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    numbers: HashMap<(usize, Interface), u32>,
    written: Vec<Interface>,
    /// What those are called that have no name of their own.
    name: Option<String>,
}

/// Where an enhanced packet block has its packet.
const PACKET_AT: usize = 28;
/// Snaplen of a file whose segments name no limit: libpcap's greatest.
pub(super) const SNAPLEN_DEFAULT: u32 = 262_144;

impl Encoding {
    pub(super) fn pcap() -> Self {
        Self::Pcap
    }

    /// Interfaces that their segments do not name are called `name`.
    pub(super) fn pcapng(name: Option<String>) -> Self {
        Self::Pcapng(Mutex::new(Interfaces { name, ..Interfaces::default() }))
    }

    pub(super) fn is_pcapng(&self) -> bool {
        matches!(self, Self::Pcapng(_))
    }

    /// A number for an interface of the catalog's root `root`; new ones get the next one. A pcap file has one.
    pub(super) fn interface_number(&self, root: usize, interface: &Interface, snaplen: Option<u32>) -> u32 {
        let Self::Pcapng(interfaces) = self else { return 0 };
        let mut interfaces = interfaces.lock().unwrap_or_else(PoisonError::into_inner);
        let next = interfaces.written.len() as u32;
        let key = (root, interface.clone());
        if let Some(&number) = interfaces.numbers.get(&key) {
            return number;
        }
        let written = as_written(interface, interfaces.name.as_deref(), snaplen);
        interfaces.written.push(written);
        interfaces.numbers.insert(key, next);
        next
    }

    /// The interface that got this number, as a reader of the file finds it.
    pub(super) fn interface(&self, number: u32) -> Option<Interface> {
        let Self::Pcapng(interfaces) = self else { return None };
        let interfaces = interfaces.lock().unwrap_or_else(PoisonError::into_inner);
        interfaces.written.get(number as usize).cloned()
    }

    /// Appends the record of `packet`, of which the first `captured` bytes are kept.
    #[inline]
    pub(super) fn record(
        &self,
        out: &mut Vec<u8>,
        packet: &Packet<'_>,
        captured: usize,
        kind: Kind,
        number: u32,
    ) {
        let data = &packet.data[..captured.min(packet.data.len())];
        match self {
            Self::Pcap => {
                let unit = if kind.is_nanos { 1 } else { 1000 };
                let mut head = [0; PCAP_RECORD_HEADER_BYTES];
                // `fits_pcap` has been asked before.
                let secs = u32::try_from(packet.time.as_secs()).unwrap_or(u32::MAX);
                head[0..4].copy_from_slice(&secs.to_le_bytes());
                head[4..8].copy_from_slice(&(packet.time.subsec_nanos() / unit).to_le_bytes());
                head[8..12].copy_from_slice(&(data.len() as u32).to_le_bytes());
                head[12..16].copy_from_slice(&packet.orig_len.to_le_bytes());
                out.extend_from_slice(&head);
                out.extend_from_slice(data);
            }
            Self::Pcapng(_) => {
                let unit = if kind.is_nanos { 1 } else { 1000 };
                let ticks = packet.time.as_nanos().max(0).cast_unsigned() / unit;
                let words = [number, (ticks >> 32) as u32, ticks as u32, data.len() as u32, packet.orig_len];
                block(out, pcapng_block::ENHANCED_PACKET, |out| {
                    for word in words {
                        out.extend_from_slice(&word.to_le_bytes());
                    }
                    out.extend_from_slice(data);
                });
            }
        }
    }
}

/// A record of the output, read again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'b> {
    pub(super) link_type: LinkType,
    pub(super) orig_len: u32,
    pub(super) data: &'b [u8],
}

impl<'b> Written<'b> {
    /// Of a pcap file, whose packets are of one `kind`, or of a pcapng file with these `interfaces`.
    #[inline]
    pub(super) fn of(bytes: &'b [u8], kind: Option<Kind>, interfaces: &[Interface]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        if let Some(kind) = kind {
            let data = bytes.get(PCAP_RECORD_HEADER_BYTES..)?;
            return Some(Self { link_type: kind.link_type, orig_len: word(12)?, data });
        }
        let data = bytes.get(PACKET_AT..)?.get(..word(20)? as usize)?;
        let interface = interfaces.get(word(NUMBER_AT)? as usize)?;
        Some(Self { link_type: interface.link_type, orig_len: word(24)?, data })
    }
}

/// Whether a pcap file can tell this time.
pub(super) fn fits_pcap(time: Timestamp) -> bool {
    u32::try_from(time.as_secs()).is_ok()
}

/// The header of a pcap file.
pub(super) fn pcap_header(kind: Kind, snaplen: u32) -> [u8; PCAP_HEADER_BYTES] {
    let magic = if kind.is_nanos { MAGIC_NANOS } else { MAGIC_MICROS };
    let mut header = [0; PCAP_HEADER_BYTES];
    header[0..4].copy_from_slice(&magic.to_le_bytes());
    header[4..6].copy_from_slice(&2_u16.to_le_bytes());
    header[6..8].copy_from_slice(&4_u16.to_le_bytes());
    header[16..20].copy_from_slice(&snaplen.to_le_bytes());
    header[20..24].copy_from_slice(&u32::from(kind.link_type.0).to_le_bytes());
    header
}

/// What a reader of the output finds: no offset, microseconds or nanoseconds, the snaplen that was cut to.
fn as_written(interface: &Interface, name: Option<&str>, snaplen: Option<u32>) -> Interface {
    let own = Some(interface.snaplen).filter(|&n| n > 0);
    Interface {
        snaplen: own.into_iter().chain(snaplen).min().unwrap_or(0),
        resolution: if Kind::of(interface).is_nanos { Resolution::NANOS } else { Resolution::MICROS },
        offset_secs: 0,
        name: interface.name.as_deref().or(name).map(|name| front(name, OPTION_MOST_BYTES).to_owned()),
        ..*interface
    }
}
