//! The manifest: what a piece of evidence is, beside its packets.
//!
//! ```text
//! output_dir/<name>.pcap          the packets, once there are some
//! output_dir/<name>.json          the manifest: asked, covered, lost, found – and how far the job has come
//! output_dir/<name>.digest.json   what a page shows of the packets
//! ```
//!
//! The listener writes manifests and keeps no other state; the file server reads them. Both meet only in the folder, so the
//! form stands here, and as JSON Schema in `schema/manifest.schema.json`. Times are RFC 3339 in UTC with nanoseconds.
//!
//! ```text
//! queued ──► partial, open ──► complete
//!    │           │        └──► no_match
//!    │           └───────────► failed
//!    └──► any of them at once, where the window is over
//! ```
//!
//! `partial` with `open: false` is an answer that a limit has cut; `reason` says so.

mod outline;
mod parts;
mod state;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use outline::Outline;
pub use parts::{About, Directions, Requested, Search, Segment, Span, Timings, Unreadable, Versions};
pub use state::{Failure, Format, Limit, State, UnknownFormat};

use crate::time::Timestamp;
use crate::window::{Window, WindowReversed};

/// The form that this version writes. A reader takes any manifest that begins with `pcapx-evidence/1`.
pub const SCHEMA: &str = "pcapx-evidence/1";
/// How a manifest's file name ends.
pub const MANIFEST_SUFFIX: &str = ".json";
/// How a digest's file name ends.
pub const DIGEST_SUFFIX: &str = ".digest.json";

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the evidence: that of its files, without their endings.
    pub name: String,
    /// How far it has come.
    pub state: State,
    /// Whether work on it goes on.
    pub open: bool,
    /// Why there are no packets, or not all of them; one sentence for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// The kind of failure.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// The capture file in the same folder; `null` as long as there is none.
    #[serde(default)]
    pub file: Option<String>,
    /// Packets in it.
    #[serde(default)]
    pub packets: Option<u64>,
    /// Its length.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Its SHA-256, hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The limit that has cut it.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// Packets and bytes by direction, where the asker's side is known.
    #[serde(default)]
    pub directions: Option<Directions>,
    /// The packet filter, in BPF's text.
    pub filter: String,
    /// The mode that made it of the alert.
    #[serde(default)]
    pub mode: Option<String>,
    /// Addresses of the side that opened the conversation; directions are told by them.
    #[serde(default)]
    pub client: Vec<IpAddr>,
    /// The time that was asked for.
    pub asked: Span,
    /// What of it was recorded and can be read, as far as that is known.
    #[serde(default)]
    pub covered: Vec<Span>,
    /// The rest of it: not recorded, removed, or in files that cannot be read.
    #[serde(default)]
    pub gaps: Vec<Span>,
    /// Up to which instant the recording has been searched; the file has all matching packets before it.
    #[serde(default)]
    pub searched_up_to: Option<Timestamp>,
    /// The oldest and the newest packet of the whole recording, when it was searched.
    #[serde(default)]
    pub recording: Option<Span>,
    /// Packets that the recorder lost within the time; `null` where no recorder tells.
    #[serde(default)]
    pub capture_drops: Option<u64>,
    /// What was searched.
    #[serde(default)]
    pub search: Option<Search>,
    /// The segments that were searched, in the order of time; the first thousand of them.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// Capture files that could not be read, or not to their end.
    #[serde(default)]
    pub unreadable: Vec<Unreadable>,
    /// The alert's id, name and time; `null` for a question by hand.
    #[serde(default)]
    pub about: Option<About>,
    /// The alert as it was received.
    #[serde(default)]
    pub alert: Option<Value>,
    /// What of alert and request was not used, and why.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Who asked, and when.
    pub request: Requested,
    /// Who cuts the packets out: `builtin` or `npcapextract`.
    pub extractor: String,
    /// `pcap` or `pcapng`, as asked for.
    pub format: Format,
    /// How long it took.
    #[serde(default)]
    pub timings: Timings,
    /// When it was written last.
    pub updated: Timestamp,
    /// When it was done.
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// Which programs made it.
    pub versions: Versions,
    /// Identity of the question: the same alert, filter, window and format have the same.
    pub question: String,
    /// Identity of the alert: its id and time have the same.
    pub subject: String,
}

impl Manifest {
    /// The manifest of evidence `name` that has just been accepted: nothing has been searched yet. What else is known of the
    /// question is for the caller to add.
    pub fn accepted(name: String, filter: String, asked: Span, request: Requested) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            name,
            state: State::Queued,
            open: true,
            reason: None,
            failure: None,
            file: None,
            packets: None,
            bytes: None,
            sha256: None,
            limit: None,
            directions: None,
            filter,
            mode: None,
            client: Vec::new(),
            asked,
            covered: Vec::new(),
            gaps: Vec::new(),
            searched_up_to: None,
            recording: None,
            capture_drops: None,
            search: None,
            segments: Vec::new(),
            unreadable: Vec::new(),
            about: None,
            alert: None,
            refused: Vec::new(),
            extractor: String::new(),
            format: Format::default(),
            timings: Timings::default(),
            updated: request.at,
            request,
            finished: None,
            versions: Versions::default(),
            question: String::new(),
            subject: String::new(),
        }
    }

    /// Tells of no capture any more.
    pub fn forget_capture(&mut self) {
        (self.file, self.bytes, self.packets, self.sha256) = (None, None, None, None);
        (self.directions, self.searched_up_to) = (None, None);
    }

    /// The time that was asked for.
    pub fn window(&self) -> Result<Window, WindowReversed> {
        Window::new(self.asked.from, self.asked.to)
    }

    /// Whether `name` can be that of evidence: what names in the output folder are made of, and nothing that leads elsewhere.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= 200
            && !name.starts_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    }

    /// Reads a manifest; the reason tells what is the matter with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if is_known(&manifest.schema) {
            Ok(manifest)
        } else {
            Err(format!("schema {:?} is not known", manifest.schema))
        }
    }

    /// The manifest as it stands in its file.
    pub fn to_json(&self) -> Vec<u8> {
        // Texts, numbers and a JSON value under fixed names: there is nothing in it that JSON could not tell.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The name that the capture file has or will have.
    pub fn file_name(&self) -> String {
        self.file.clone().unwrap_or_else(|| format!("{}.{}", self.name, self.format.as_str()))
    }
}

/// `bytes` in hexadecimal digits, as hashes stand in manifests.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Whether this version reads manifests of `schema`: those of [`SCHEMA`], and of what adds to it.
fn is_known(schema: &str) -> bool {
    schema.strip_prefix(SCHEMA).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
