//! The digest of an answer: who spoke with whom, when, and how it began, without reading the file again.
//!
//! ```text
//! record on its way into the file ─► keys ─┬─► direction: from the client, to it, neither
//!                                          ├─► bins over time
//!                                          ├─► conversations ─► protocols
//!                                          └─► the first packets, a line each
//! ```
//!
//! Its form stands in [`pcapx_core::digest`], since others show it. A record is looked at when it is written, so the digest
//! is of exactly the packets that are in the file, whatever a limit has cut; those that are taken over from a previous
//! answer are looked at as they are found there. The order of packets does not matter, so that an answer that is gone on
//! with has the digest of one that was made at once.
//!
//! **Memory** is bounded: 1024 bins that double their width when they do not reach, 32 768 conversations of which the smaller
//! half goes into one row when there are more, 200 lines.
//!
//! Lines hold text from the wire. It comes out as printable ASCII, with escapes for everything else, and bounded.

mod bins;
mod conversations;
mod line;
mod protocols;
mod spoken;
mod text;

use std::net::IpAddr;
use std::path::Path;

use crate::control::CancelToken;
use crate::extract::ExtractError;
use crate::link::LinkType;
use crate::packet::{Network, PacketKeys};
use crate::segment::{SegmentError, SegmentReader};
use bins::Bins;
use conversations::Conversations;
use line::Lines;
pub use line::line;
use pcapx_core::digest::{Amount, Digest, SCHEMA};
use pcapx_core::manifest::Directions;
use pcapx_core::time::Timestamp;
use protocols::Protocols;

/// Packets between two looks at the caller's token.
const CHECK_EVERY_PACKETS: u64 = 4096;

/// Which way a packet went, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    FromClient,
    ToClient,
    Other,
}

/// What is counted of packets.
#[derive(Clone, Debug, Default)]
pub struct Watcher {
    client: Vec<IpAddr>,
    directions: Directions,
    digest: Option<Box<Digester>>,
}

/// A digest in the making.
#[derive(Clone, Debug, Default)]
struct Digester {
    total: Amount,
    span: Option<(Timestamp, Timestamp)>,
    bins: Bins,
    conversations: Conversations,
    protocols: Protocols,
    lines: Lines,
}

impl Watcher {
    /// Tells directions as one sees them who has the addresses of `client`; makes a digest, too, if it `is_digested`.
    pub fn new(client: Vec<IpAddr>, is_digested: bool) -> Self {
        Self { client, directions: Directions::default(), digest: is_digested.then(Box::default) }
    }

    /// Whether there is anything to be counted.
    pub(crate) fn is_idle(&self) -> bool {
        self.client.is_empty() && self.digest.is_none()
    }

    /// Counts a packet of link type `link` that had `orig_len` bytes on the wire, of which `data` was kept.
    #[inline]
    pub fn add(&mut self, time: Timestamp, link: LinkType, orig_len: u32, data: &[u8]) {
        let keys = PacketKeys::of(link, data);
        let direction = self.direction(&keys);
        let bytes = u64::from(orig_len);
        match direction {
            Direction::FromClient => {
                self.directions.packets_from_client += 1;
                self.directions.bytes_from_client += bytes;
            }
            Direction::ToClient => {
                self.directions.packets_to_client += 1;
                self.directions.bytes_to_client += bytes;
            }
            Direction::Other => {}
        }
        let Some(digest) = &mut self.digest else { return };
        digest.total.packets += 1;
        digest.total.bytes += bytes;
        let (first, last) = digest.span.get_or_insert((time, time));
        (*first, *last) = (time.min(*first), time.max(*last));
        digest.bins.add(time, direction, bytes);
        if !digest.conversations.add(time, &keys, bytes, &mut digest.protocols) {
            digest.protocols.add_other(&keys, link, bytes);
        }
        if digest.lines.wants(time) {
            digest.lines.add(line(time, link, orig_len, data));
        }
    }

    /// A packet from the client to itself is one that it has sent.
    fn direction(&self, keys: &PacketKeys) -> Direction {
        if self.client.is_empty() {
            return Direction::Other;
        }
        let is = |v4: Option<u32>, v6: Option<u128>| {
            self.client.iter().any(|client| match client {
                IpAddr::V4(client) => v4 == Some(client.to_bits()),
                IpAddr::V6(client) => v6 == Some(client.to_bits()),
            })
        };
        let (is_from, is_to) = match keys.network {
            Network::V4(pair) | Network::Arp(pair) => (is(Some(pair.src), None), is(Some(pair.dst), None)),
            Network::V6(pair) => (is(None, Some(pair.src)), is(None, Some(pair.dst))),
            Network::None | Network::Rarp(_) => (false, false),
        };
        match (is_from, is_to) {
            (true, _) => Direction::FromClient,
            (false, true) => Direction::ToClient,
            (false, false) => Direction::Other,
        }
    }

    /// What went from and to the client, where there is one, and the digest, where it was asked for.
    pub fn finish(self) -> (Option<Directions>, Option<Digest>) {
        let directions = (!self.client.is_empty()).then_some(self.directions);
        (directions, self.digest.map(|digest| digest.finish()))
    }
}

impl Digester {
    fn finish(self) -> Digest {
        let mut protocols = self.protocols;
        let (conversations, other_conversations) = self.conversations.finish(&mut protocols);
        Digest {
            schema: SCHEMA.to_owned(),
            total: self.total,
            first: self.span.map(|(first, _)| first),
            last: self.span.map(|(_, last)| last),
            bins: self.bins.finish(),
            conversations,
            other_conversations,
            protocols: protocols.finish(),
            lines: self.lines.finish(),
        }
    }
}

/// Counts the packets of a capture file that somebody else has written, up to where it can be read.
pub fn of_capture(path: &Path, mut watcher: Watcher, cancel: &CancelToken) -> Result<Watcher, DigestError> {
    let mut reader = SegmentReader::open(path)?;
    let mut packets = 0_u64;
    while let Some(packet) = reader.next_packet()? {
        watcher.add(packet.time, packet.link_type, packet.orig_len, packet.data);
        packets += 1;
        if packets.is_multiple_of(CHECK_EVERY_PACKETS) && cancel.is_cancelled() {
            return Err(DigestError::Ended(ExtractError::cancelled(cancel)));
        }
    }
    Ok(watcher)
}

/// Why a capture file has no digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// It cannot be read.
    #[error(transparent)]
    Capture(#[from] SegmentError),
    /// The caller's token ended it.
    #[error(transparent)]
    Ended(ExtractError),
}
