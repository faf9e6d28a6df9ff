//! The digest: what a page shows of the packets of a piece of evidence, without reading them.
//!
//! ```text
//! bins            packets and bytes over time, by direction        a chart
//! conversations   who spoke with whom, the largest first           a table, with an honest row for the rest
//! protocols       what was spoken                                  a table
//! lines           the first packets, one line each                 a listing
//! ```
//!
//! It is made in the pass that extracts the packets, in bounded memory, and stands beside them as `<name>.digest.json`. All
//! texts come from the wire: whoever shows them escapes them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The form that this version writes.
pub const SCHEMA: &str = "pcapx-digest/1";

/// What a page shows of packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Packets, and their bytes on the wire.
    pub total: Amount,
    /// The first packet's time.
    pub first: Option<Timestamp>,
    /// The last packet's time.
    pub last: Option<Timestamp>,
    /// Packets over time.
    pub bins: Bins,
    /// The largest conversations by bytes, the largest first.
    pub conversations: Vec<Conversation>,
    /// All others together; `null` when there are none.
    #[serde(default)]
    pub other_conversations: Option<Others>,
    /// What was spoken, the most frequent first.
    pub protocols: Vec<Protocol>,
    /// The first packets.
    pub lines: Vec<Line>,
}

/// So many packets with so many bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

/// Packets over time, in stretches of one width.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bins {
    /// Where the first stretch begins; `null` when there is none.
    pub start: Option<Timestamp>,
    /// How long each is, in milliseconds.
    pub width_ms: u64,
    /// The stretches, in order, without holes.
    pub counts: Vec<Bin>,
}

/// One stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// Sent by the client.
    pub from_client: Amount,
    /// Sent to the client.
    pub to_client: Amount,
    /// Neither, or the client is not known.
    pub other: Amount,
}

/// Two ends that spoke with each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// `tcp`, `udp`, `icmp`, `arp`, or a number.
    pub protocol: String,
    /// The end that sent the first packet.
    pub a: End,
    /// The other end.
    pub b: End,
    /// What `a` sent.
    pub a_to_b: Amount,
    /// What `b` sent.
    pub b_to_a: Amount,
    /// The first packet's time.
    pub first: Timestamp,
    /// The last packet's time.
    pub last: Timestamp,
}

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct End {
    /// Its address.
    pub address: IpAddr,
    /// Its port, where the protocol has ports.
    pub port: Option<u16>,
}

/// Conversations that are not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// How many, at least: where there are too many to be told apart, a part of them is not counted.
    pub conversations: u64,
    /// What was sent in them.
    pub amount: Amount,
}

/// A protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// Its name.
    pub name: String,
    /// What was sent with it.
    pub amount: Amount,
}

/// One packet in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its time.
    pub time: Timestamp,
    /// From whom: an address with its port, in tcpdump's manner.
    pub source: String,
    /// To whom.
    pub destination: String,
    /// `tcp`, `udp`, `icmp`, `arp` …
    pub protocol: String,
    /// Bytes on the wire.
    pub bytes: u32,
    /// What is in it: flags, a name that is asked for, a request line.
    pub info: String,
}
