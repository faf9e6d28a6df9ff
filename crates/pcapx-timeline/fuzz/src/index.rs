//! Indexes: a file that says it is one is refused or answers every question, however wrong what it says.
//!
//! Checksums would keep a fuzzer out, so they are made right before the file is read. For that the directory is walked here a
//! second time, after the description of the format and not after the code.

use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::LazyLock;

use pcapx_core::filter::{Expr, parse};
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::index::{Identity, IndexReader, Plan, Wanted};
use pcapx_timeline::matcher::Matcher;

use crate::memory;
use crate::stretch::Stretched;

/// Longer than the tail that is read at once, and than what one look-up reads.
const MAX_FILE_BYTES: usize = 64 << 10;
const MARK: [u8; 8] = *b"PCAPXIX\n";
const TRAILER_BYTES: usize = 64;
const CRC_BYTES: usize = 4;

/// What an index is asked: each class of terms, ranges of them, kinds, and every way to join.
static FILTERS: LazyLock<Vec<(Expr, Matcher)>> = LazyLock::new(|| {
    let texts = [
        "host 10.0.0.1",
        "src host 2001:db8::1 or dst net 2001:db8:0:1::/64",
        "net 10.0.0.0/8 and port 443",
        "portrange 50-1000 and not arp",
        "not (udp or host 10.0.1.2)",
        "arp host 192.168.0.1 or icmp6 or vlan 5",
        "tcp port 443 or ether host ff:ff:ff:ff:ff:ff",
        "host 203.0.113.9",
    ];
    let filter = |text: &&str| parse(text).map(|filter| (filter.clone(), Matcher::new(&filter)));
    texts.iter().map(filter).collect::<Result<_, _>>().expect("filters")
});

/// Asks the index that `input` stands for.
pub fn check(input: &[u8]) {
    let Stretched { mut bytes, share, .. } = Stretched::new(input, MAX_FILE_BYTES);
    // Now and then the file is read as it is.
    if share % 8 != 7 {
        seal(&mut bytes);
    }
    let file = memory::file(&bytes);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(reader) = IndexReader::open(Path::new(&path), &identity(&bytes)) else { return };
    let is_sound = reader.verify().is_ok();
    let begin = reader.summary().span.map_or(Timestamp::MIN, |(first, last)| {
        assert!(first <= last, "a span that ends before it begins");
        first
    });
    for window in [Window::ALL, Window::around(begin, begin, SECOND, SECOND)] {
        let Some(all) = asked(&reader, None, window, is_sound) else { continue };
        for (filter, matcher) in &*FILTERS {
            let Some(plan) = asked(&reader, Some((filter, matcher)), window, is_sound) else { continue };
            assert!(plan.blocks_wanted <= all.blocks_wanted, "{filter}: more than all");
            let is_within = |wanted: &Wanted| {
                let Range { start, end } = wanted.range;
                all.ranges.iter().any(|other| other.range.start <= start && end <= other.range.end)
            };
            assert!(plan.ranges.iter().all(is_within), "{filter}: {plan:?} is not within {all:?}");
        }
    }
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

/// The plan for a filter, if the index has one; a sound index has.
fn asked(
    reader: &IndexReader,
    filter: Option<(&Expr, &Matcher)>,
    window: Window,
    is_sound: bool,
) -> Option<Plan> {
    match reader.plan(filter, window) {
        Ok(plan) => {
            let is_ascending = plan.ranges.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start);
            let are_ranges = plan.ranges.iter().all(|wanted| wanted.range.start <= wanted.range.end);
            assert!(is_ascending && are_ranges, "{plan:?}");
            assert!(plan.blocks_wanted <= plan.blocks && plan.flows_wanted <= plan.flows_tried, "{plan:?}");
            Some(plan)
        }
        Err(error) => {
            assert!(!is_sound, "sound, and yet {error}");
            None
        }
    }
}

/// The segment that the index says it is of.
fn identity(bytes: &[u8]) -> Identity {
    let trailer = bytes.last_chunk::<TRAILER_BYTES>().copied().unwrap_or([0; TRAILER_BYTES]);
    let number =
        |at: usize| trailer[at..at + 8].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
    Identity { len: number(16), modified: Timestamp::from_nanos(number(24).cast_signed()), inode: number(32) }
}

/// Makes the trailer one, and every checksum right as far as there are chunks.
fn seal(file: &mut [u8]) {
    let len = file.len();
    let Some(directory_end) = len.checked_sub(TRAILER_BYTES + CRC_BYTES).filter(|&end| end >= MARK.len())
    else {
        return;
    };
    file[..MARK.len()].copy_from_slice(&MARK);
    let trailer = len - TRAILER_BYTES;
    let told = u32::from_le_bytes([file[trailer], file[trailer + 1], file[trailer + 2], file[trailer + 3]]);
    let directory_at = (told as usize).clamp(MARK.len(), directory_end);
    file[trailer..trailer + 8].copy_from_slice(&(directory_at as u64).to_le_bytes());
    file[trailer + 8..trailer + 12].copy_from_slice(&((directory_end - directory_at) as u32).to_le_bytes());
    file[trailer + 12..trailer + 16].copy_from_slice(&1_u32.to_le_bytes());
    file[trailer + 40..trailer + 48].copy_from_slice(&(len as u64).to_le_bytes());
    file[trailer + 48..trailer + 52].fill(0);
    let crc = crc32fast::hash(&file[trailer..trailer + 52]);
    file[trailer + 52..trailer + 56].copy_from_slice(&crc.to_le_bytes());
    file[trailer + 56..].copy_from_slice(&MARK);

    let mut lengths = Vec::new();
    // A directory that cannot be read to its end has chunks up to there.
    let _ = chunk_lengths(&mut Walk(&file[directory_at..directory_end]), &mut lengths);
    let mut at = MARK.len();
    for length in lengths {
        let Some(end) = at.checked_add(length).filter(|end| end + CRC_BYTES <= directory_at) else { break };
        seal_chunk(file, at, end);
        at = end + CRC_BYTES;
    }
    seal_chunk(file, directory_at, directory_end);
}

fn seal_chunk(file: &mut [u8], at: usize, end: usize) {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file[at..end]);
    crc.update(&(at as u64).to_le_bytes());
    file[end..end + CRC_BYTES].copy_from_slice(&crc.finalize().to_le_bytes());
}

/// Goes through a directory; what it stumbles over is for the reader to judge.
struct Walk<'b>(&'b [u8]);

impl Walk<'_> {
    fn bytes(&mut self, count: usize) -> Option<u8> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        bytes.last().copied()
    }

    fn number(&mut self) -> Option<usize> {
        let len = self.0.iter().position(|byte| byte & 0x80 == 0)? + 1;
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        // Longer ones are no lengths of anything.
        (len <= 9).then(|| bytes.iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f)))
    }

    /// A number that may be any.
    fn skip(&mut self) -> Option<()> {
        let len = self.0.iter().position(|byte| byte & 0x80 == 0)? + 1;
        self.0 = &self.0[len..];
        Some(())
    }

    fn times(&mut self, each: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        let count = self.count()?;
        (0..count).try_for_each(|_| each(self))
    }

    /// A number of things, at most as many as there are bytes.
    fn count(&mut self) -> Option<usize> {
        Some(self.number()?.min(self.0.len()))
    }
}

fn chunk_lengths(walk: &mut Walk<'_>, lengths: &mut Vec<usize>) -> Option<()> {
    walk.bytes(1)?;
    (0..4).try_for_each(|_| walk.skip())?;
    walk.times(|walk| walk.skip().and_then(|()| walk.skip()))?;
    let parts = walk.count()?;
    for _ in 0..parts {
        walk.skip()?;
        walk.bytes(1)?;
        walk.times(|walk| {
            let follows = walk.bytes(4)?;
            let tags = usize::from(follows >> 4 & 7);
            let len =
                2 * usize::from(follows & 1) + usize::from(follows >> 1 & 1) + usize::from(follows >> 2 & 1);
            if len + tags > 0 { walk.bytes(len + 2 * tags).map(|_| ()) } else { Some(()) }
        })?;
        for (bytes, numbers) in [(0, 1), (1, 1), (0, 3)] {
            let chunks = walk.count()?;
            for _ in 0..chunks {
                if bytes > 0 {
                    walk.bytes(bytes)?;
                }
                (0..numbers).try_for_each(|_| walk.skip())?;
                lengths.push(walk.number()?);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use pcapx_testkit::capture::Pcap;
    use pcapx_testkit::trace::Trace;
    use pcapx_timeline::CancelToken;
    use pcapx_timeline::index::{IndexPlace, index_segment};

    use super::*;

    /// If the format has changed and the walk here has not, checksums stay wrong and the fuzzer stays outside.
    #[test]
    fn every_chunk_of_an_index_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let segment = folder.path().join("segment");
        Pcap::new().write(&segment, &Trace::new(3).bytes(64 << 10).packets().collect::<Vec<_>>());
        let built = index_segment(&segment, &IndexPlace::beside(), &CancelToken::new(), |_| ()).unwrap();
        let index = std::fs::read(built.path).unwrap();
        let trailer = index.len() - TRAILER_BYTES;
        let directory_at = u64::from_le_bytes(*index[trailer..].first_chunk().unwrap()) as usize;
        for at in MARK.len()..directory_at {
            let mut changed = index.clone();
            changed[at] ^= 1;
            seal(&mut changed);
            let differing = index.iter().zip(&changed).filter(|(one, other)| one != other).count();
            // A byte of a chunk and its checksum, or nothing when the byte was of a checksum.
            assert_ne!(differing, 1, "byte {at} is of a chunk that was not found");
        }
    }
}
