//! What a manifest is made of beside its words.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::window::Window;

/// A closed stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// Its last instant.
    pub to: Timestamp,
}

/// Traffic from and to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directions {
    /// Packets that the client sent.
    pub packets_from_client: u64,
    /// Their bytes on the wire.
    pub bytes_from_client: u64,
    /// Packets that went to the client.
    pub packets_to_client: u64,
    /// Their bytes on the wire.
    pub bytes_to_client: u64,
}

/// What an extraction has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Capture files searched.
    pub segments: u64,
    /// Capture files of the window whose indexes tell that no packet matches.
    pub excluded: u64,
    /// Capture files that could not be read, or not to their end.
    pub unread: u64,
    /// Packets looked at: of files with indexes those near a match, of others all.
    pub scanned: u64,
    /// Those of them that are in the window.
    pub in_window: u64,
}

/// A segment that was searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its path below the timeline.
    pub file: String,
    /// Its first packet.
    #[serde(default)]
    pub first: Option<Timestamp>,
    /// Its last packet.
    #[serde(default)]
    pub last: Option<Timestamp>,
    /// Its packets.
    #[serde(default)]
    pub packets: Option<u64>,
}

/// A capture file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its path below the timeline.
    pub file: String,
    /// What is the matter with it.
    pub reason: String,
}

/// What the alert says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its id, as text.
    pub id: String,
    /// What it is about.
    pub name: String,
    /// When it was raised.
    pub time: Timestamp,
}

/// Who asked, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// The request's id in the listener's log.
    pub id: String,
    /// When it came.
    pub at: Timestamp,
    /// From where.
    pub peer: String,
    /// As whom; `-` is nobody in particular.
    pub user: String,
}

/// How long it took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// From the request to the first search.
    pub waited_ms: u64,
    /// Finding out what has to be read, all searches together.
    pub plan_ms: u64,
    /// Reading, testing and writing.
    pub search_ms: u64,
    /// Bringing the file onto the disk and under its name.
    pub publish_ms: u64,
    /// Searches that were made: one, and one more when an open window was over.
    pub searches: u32,
}

/// Which programs made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// pcapx's version.
    pub pcapx: String,
}

impl Span {
    /// The window as a stretch of time.
    pub const fn of(window: Window) -> Self {
        Self { from: window.start(), to: window.end() }
    }
}
