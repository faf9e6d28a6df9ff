//! Builds the index of a finished file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::builder::Sealed;
use super::{Identity, IndexError, IndexPlace, IndexWriter, Summary};
use crate::control::CancelToken;
use crate::packet::PacketKeys;
use crate::segment::{Ending, SegmentError, SegmentReader};

/// Packets between two looks at the caller's token.
const CHECK_EVERY_PACKETS: u64 = 4096;

/// An index that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Where it stands.
    pub path: PathBuf,
    /// What it says of the segment.
    pub summary: Summary,
    /// Length of the segment.
    pub segment_bytes: u64,
    /// Length of the index.
    pub index_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// Reads the segment at `path` to its end and publishes its index. `progress` is told now and then how many more bytes have
/// been read.
///
/// A file that changes while it is read gets no index: [`IndexError::Stale`].
pub fn index_segment(
    path: &Path,
    place: &IndexPlace,
    cancel: &CancelToken,
    mut progress: impl FnMut(u64),
) -> Result<Built, IndexError> {
    let begun = Instant::now();
    let file = fs::canonicalize(path).map_err(SegmentError::Io)?;
    let mut reader = SegmentReader::open(&file)?;
    let identity = Identity::of(&reader.file().metadata().map_err(SegmentError::Io)?);
    let mut writer = IndexWriter::create(&place.to_write(&file))?;
    let (mut told, mut interfaces) = (0, None);
    let end = loop {
        let Some(builder) = writer.builder() else { return Err(IndexError::Cancelled) };
        if builder.packets().is_multiple_of(CHECK_EVERY_PACKETS) {
            if cancel.is_cancelled() {
                return Err(IndexError::Cancelled);
            }
            progress(reader.bytes_read() - told);
            told = reader.bytes_read();
        }
        let start = reader.next_offset();
        let (time, link, keys) = match reader.next_packet() {
            Ok(Some(packet)) => {
                (packet.time, packet.link_type, PacketKeys::of(packet.link_type, packet.data))
            }
            // Nobody would read a segment whose index tells of no packet, and so nobody would report the damage.
            Err(e @ SegmentError::Damaged { .. }) if builder.packets() == 0 => return Err(e.into()),
            // What is damaged is left to those who read the packets: they report it.
            Ok(None) | Err(SegmentError::Damaged { .. }) => break start,
            Err(e) => return Err(e.into()),
        };
        // Who begins to read here must know the interfaces: those named in front of the first packet, and no others.
        let known = reader.interfaces().len();
        let may_cut = *interfaces.get_or_insert(known) == known;
        builder.add((start, reader.next_offset()), time, link, &keys, may_cut)?;
    };
    progress(reader.bytes_read() - told);
    let is_whole = reader.ending() == Some(Ending::Whole);
    // What stands behind the last packet is read by who has seen the head, and would be taken for a packet of it.
    if !is_whole && interfaces.is_some_and(|known| known != reader.interfaces().len()) {
        let what = "it ends inside a record, and its interfaces are not all named in front of its packets";
        return Err(SegmentError::Damaged { offset: end, what }.into());
    }
    let sealed =
        Sealed { segment: identity, end, is_whole, kernel_drops: None, recorder_drops: None, recorded: None };
    // Whoever wrote to the file while it was read may have changed what was read already.
    let now = Identity::of(&fs::metadata(&file).map_err(SegmentError::Io)?);
    if now != identity {
        return Err(IndexError::Stale);
    }
    let (summary, index_bytes) = writer.publish(&sealed)?;
    let path = place.to_write(&file);
    Ok(Built { path, summary, segment_bytes: identity.len, index_bytes, took: begun.elapsed() })
}
