//! Chunks: pieces of an index that are read one at a time, each with a checksum.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use super::IndexError;

/// Bytes of the checksum behind each payload.
pub(super) const CRC_BYTES: usize = 4;

/// Where a chunk stands: place of its first byte and length of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) at: u64,
    pub(super) len: u64,
}

impl Extent {
    /// Place behind the chunk.
    pub(super) fn end(self) -> Option<u64> {
        self.at.checked_add(self.len)?.checked_add(CRC_BYTES as u64)
    }
}

/// The checksum covers the place, so that a chunk counts only where it was written.
fn crc(payload: &[u8], at: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(payload);
    hasher.update(&at.to_le_bytes());
    hasher.finalize()
}

/// Writes chunks one behind the other.
#[derive(Debug)]
pub(super) struct ChunkWriter<W> {
    out: W,
    at: u64,
}

impl<W: Write> ChunkWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, at: 0 }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn chunk(&mut self, payload: &[u8]) -> io::Result<Extent> {
        let extent = Extent { at: self.at, len: payload.len() as u64 };
        let crc = crc(payload, self.at);
        self.raw(payload)?;
        self.raw(&crc.to_le_bytes())?;
        Ok(extent)
    }

    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

/// Reads a chunk and checks it. The caller has checked that it lies within the file.
pub(super) fn read(file: &File, extent: Extent, bytes: &mut Vec<u8>) -> Result<(), IndexError> {
    bytes.resize(extent.len as usize + CRC_BYTES, 0);
    match file.read_exact_at(bytes, extent.at) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(IndexError::damaged(extent.at)),
        Err(e) => return Err(IndexError::Read(e)),
    }
    if verify(bytes, extent.at) {
        bytes.truncate(extent.len as usize);
        Ok(())
    } else {
        Err(IndexError::damaged(extent.at))
    }
}

/// Whether `bytes`, a payload and its checksum, are a chunk that was written at `at`.
pub(super) fn verify(bytes: &[u8], at: u64) -> bool {
    bytes
        .split_last_chunk::<CRC_BYTES>()
        .is_some_and(|(payload, sum)| u32::from_le_bytes(*sum) == crc(payload, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two chunks of one length that have changed places, or the beginning of one that is told to be all of it.
    #[test]
    fn a_chunk_counts_only_where_and_as_it_was_written() {
        let mut out = ChunkWriter::new(Vec::new());
        out.raw(b"before").unwrap();
        let [one, other] = [b"the first", b"the other"].map(|payload| out.chunk(payload).unwrap());
        let written = out.into_inner();
        assert_eq!((one.at, one.end(), other.end()), (6, Some(other.at), Some(written.len() as u64)));
        let mut file = tempfile::tempfile().unwrap();
        let mut bytes = Vec::new();
        file.write_all(&written).unwrap();
        for (extent, payload) in [(one, b"the first"), (other, b"the other")] {
            read(&file, extent, &mut bytes).unwrap();
            assert_eq!(bytes, payload);
            for wrong in [Extent { len: extent.len - 1, ..extent }, Extent { at: extent.at - 1, ..extent }] {
                assert!(matches!(read(&file, wrong, &mut bytes), Err(IndexError::Damaged { .. })));
            }
        }
        assert!(matches!(
            read(&file, Extent { at: other.at, len: 10 }, &mut bytes),
            Err(IndexError::Damaged { .. })
        ));

        let exchanged =
            [&written[other.at as usize..], &written[one.at as usize..other.at as usize]].concat();
        file.write_all_at(&exchanged, one.at).unwrap();
        for extent in [one, other] {
            assert!(matches!(read(&file, extent, &mut bytes), Err(IndexError::Damaged { .. })));
        }
    }
}
