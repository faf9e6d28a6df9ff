//! The blocks of a pcapng file that are not packets.
//!
//! ```text
//! section: what the file is (notes) │ interface │ packets … │ interface │ packets … │ statistics of each interface
//! ```

use super::encode::Kind;
use super::notes::Notes;
use crate::coverage::Coverage;
use crate::segment::{BYTE_ORDER_MAGIC, Interface, Resolution, pcapng_block};
use pcapx_core::time::Timestamp;

/// The most bytes that the value of an option can have.
pub(super) const OPTION_MOST_BYTES: usize = 0xffff;
/// The most bytes that [`statistics_block`] takes.
pub(super) const STATISTICS_MOST_BYTES: u64 = 76;

/// Codes of options.
mod code {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const SECTION_HARDWARE: u16 = 2;
    pub(super) const SECTION_OS: u16 = 3;
    pub(super) const SECTION_APPLICATION: u16 = 4;
    pub(super) const INTERFACE_NAME: u16 = 2;
    pub(super) const INTERFACE_RESOLUTION: u16 = 9;
    pub(super) const STATISTICS_START: u16 = 2;
    pub(super) const STATISTICS_END: u16 = 3;
    pub(super) const STATISTICS_DROPS: u16 = 5;
    pub(super) const STATISTICS_OS_DROPS: u16 = 7;
}

/// The section header: version 1.0, length not told.
pub(super) fn section_block(notes: &Notes) -> Vec<u8> {
    let mut out = Vec::new();
    block(&mut out, pcapng_block::SECTION, |out| {
        out.extend_from_slice(&BYTE_ORDER_MAGIC.to_le_bytes());
        out.extend_from_slice(&1_u16.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&u64::MAX.to_le_bytes());
        for comment in notes.clean_comments() {
            option(out, code::COMMENT, comment.as_bytes());
        }
        let application =
            notes.application.as_deref().unwrap_or(concat!("pcapx ", env!("CARGO_PKG_VERSION")));
        let texts = [
            (code::SECTION_HARDWARE, notes.hardware.as_deref()),
            (code::SECTION_OS, notes.os.as_deref()),
            (code::SECTION_APPLICATION, Some(application)),
        ];
        for (code, text) in texts.into_iter().filter_map(|(code, text)| Some((code, text?))) {
            option(out, code, front(text, OPTION_MOST_BYTES).as_bytes());
        }
        option(out, code::END, &[]);
    });
    out
}

/// What tells an interface.
pub(super) fn interface_block(written: &Interface) -> Vec<u8> {
    let mut out = Vec::new();
    block(&mut out, pcapng_block::INTERFACE, |out| {
        out.extend_from_slice(&written.link_type.0.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&written.snaplen.to_le_bytes());
        if let Some(name) = &written.name {
            option(out, code::INTERFACE_NAME, name.as_bytes());
        }
        option(out, code::INTERFACE_RESOLUTION, &[if Kind::of(written).is_nanos { 9 } else { 6 }]);
        option(out, code::END, &[]);
    });
    out
}

/// When the interface with this number was recorded, and what was lost meanwhile. The time of the block is that of the end.
/// Losses are known of a recording as a whole, and so told where there `is_alone` one interface.
pub(super) fn statistics_block(
    number: u32,
    interface: &Interface,
    coverage: &Coverage,
    is_alone: bool,
) -> Vec<u8> {
    let span = coverage.covered.first().zip(coverage.covered.last());
    let (start, end) = span.map_or((coverage.window.start(), coverage.window.end()), |(first, last)| {
        (first.start(), last.end())
    });
    let drops = coverage.drops;
    let mut out = Vec::with_capacity(STATISTICS_MOST_BYTES as usize);
    block(&mut out, pcapng_block::STATISTICS, |out| {
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&ticks(end, interface));
        option(out, code::STATISTICS_START, &ticks(start, interface));
        option(out, code::STATISTICS_END, &ticks(end, interface));
        let counts = [(code::STATISTICS_DROPS, drops.total()), (code::STATISTICS_OS_DROPS, drops.kernel)];
        for (code, count) in
            counts.into_iter().filter_map(|(code, count)| Some((code, count.filter(|_| is_alone)?)))
        {
            option(out, code, &count.to_le_bytes());
        }
        option(out, code::END, &[]);
    });
    out
}

/// A time in the interface's unit, the upper half first.
fn ticks(time: Timestamp, interface: &Interface) -> [u8; 8] {
    let unit = if interface.resolution == Resolution::NANOS { 1 } else { 1000 };
    let ticks = time.as_nanos().max(0).cast_unsigned() / unit;
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&((ticks >> 32) as u32).to_le_bytes());
    bytes[4..].copy_from_slice(&(ticks as u32).to_le_bytes());
    bytes
}

/// The characters of `text` that fit into so many bytes.
pub(super) fn front(text: &str, bytes: usize) -> &str {
    let mut ends = (0..=text.len().min(bytes)).rev();
    ends.find_map(|end| text.get(..end)).unwrap_or_default()
}

/// Appends a block: type, length, body padded to four bytes, length.
pub(super) fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    pad(out, start);
    let len = ((out.len() - start + 4) as u32).to_le_bytes();
    out[start + 4..start + 8].copy_from_slice(&len);
    out.extend_from_slice(&len);
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    pad(out, start);
}

/// Fills up to a multiple of four bytes from `start`.
fn pad(out: &mut Vec<u8>, start: usize) {
    let len = (out.len() - start).next_multiple_of(4);
    out.resize(start + len, 0);
}
