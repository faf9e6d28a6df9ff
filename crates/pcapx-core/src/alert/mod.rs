//! The alert as it was received, in any of the shapes that senders use.
//!
//! ```text
//! JSON object ──► fields (names in a fixed order) ──► address, port, protocol, instant ──► Alert
//!                                                                    └── unusable text ──► Refusal
//! ```
//!
//! What is read:
//!
//! - Sycope's webhook, its alert, aggregation and netflow rows, custom templates whose values are all text;
//! - Suricata's EVE, Zeek's logs, events of the Elastic Common Schema, nested or with dotted names;
//! - any of these within an object `result`.
//!
//! An alert that the original listener understood means here what it meant there: its names in its forms of a value
//! come before everything else. Where a value is missing (`""`, `null`, a template that was left unfilled) or cannot
//! be used, the next name is tried. Addresses, ports and protocols leave this module as numbers: whatever text
//! an alert holds, none of it reaches a filter or a command line.

mod address;
mod entries;
mod fields;
mod instant;
mod port;
mod protocol;
mod python;
mod refusal;

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};

pub use refusal::{Excerpt, Refusal, RefusalReason};

use crate::local::LocalZone;
use crate::time::{NANOS_PER_SEC, Timestamp};
use crate::window::Window;
use fields::Fields;

/// Characters of an id that a file name takes over.
const SAFE_ID_CHARS: usize = 64;

/// Reads one time in any of the forms that alerts have; without a zone it is in `local`.
pub fn read_time(value: &Value, local: &LocalZone) -> Option<Timestamp> {
    instant::any(value, local, &mut Vec::new())
}

/// What an alert says about the packets behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The sender's id as Python's `str()` prints it: text from outside, see [`safe_id`](Self::safe_id).
    ///
    /// An id counts when it is present, whatever it is: `null` is `None`. Without one it is `alert_` and the
    /// alert's time in seconds since the epoch.
    pub id: String,
    /// Whether the sender gave it that id; `null` and a text of nothing but spaces tell no alert from another.
    pub is_identified: bool,
    /// What the alert is about, printed likewise; `Unknown` without a name.
    pub name: String,
    /// Addresses of the side that opened the conversation: alternatives, each once, at most 64.
    pub client: Vec<IpAddr>,
    /// Addresses of the side that was called, likewise.
    pub server: Vec<IpAddr>,
    /// Ports of the side that was called, likewise; never 0.
    pub ports: Vec<u16>,
    /// IANA's number of the protocol: 1 (ICMP), 6 (TCP), 17 (UDP), 58 (ICMPv6) or 132 (SCTP).
    pub protocol: Option<u8>,
    /// When it was raised; the time of arrival when the alert does not say.
    pub time: Timestamp,
    /// First and last packet of the flow behind it. `None` also where the alert's own time is given in an
    /// original form (a number `unixTimestamp`, a dotted `timestamp`): the window then lies around that time.
    pub flow: Option<(Timestamp, Timestamp)>,
    /// Values that were passed over because they are malformed.
    pub refusals: Vec<Refusal>,
}

impl Alert {
    /// Reads an alert that arrived at `now`; times without a zone are in `local`.
    pub fn from_json(alert: &Map<String, Value>, now: Timestamp, local: &LocalZone) -> Self {
        let mut fields = Fields::of(alert);
        let client = fields.find(&fields::CLIENT, address::original, address::any).unwrap_or_default();
        let server = fields.find(&fields::SERVER, address::original, address::any).unwrap_or_default();
        let ports = fields.find(&fields::PORT, port::original, port::any).unwrap_or_default();
        let protocol = fields.find(&fields::PROTOCOL, protocol::original, protocol::any);
        let (time, flow) = times(&mut fields, now, local);
        let sent = fields.present(fields::ID);
        let is_nothing = |id: &Value| id.is_null() || id.as_str().is_some_and(|text| text.trim().is_empty());
        let id = match sent {
            Some(id) => python::str(id),
            None => format!("alert_{}", time.as_nanos() / NANOS_PER_SEC),
        };
        let name = fields.present(fields::NAME).map(python::str).or_else(|| fields.kind());
        Self {
            id,
            is_identified: sent.is_some_and(|id| !is_nothing(id)),
            name: name.unwrap_or_else(|| "Unknown".to_owned()),
            client,
            server,
            ports,
            protocol,
            time,
            flow,
            refusals: fields.into_refusals(),
        }
    }

    /// The id as a file name can hold it: its ASCII letters, digits, `-` and `_`, at most 64 of them, or `alert`.
    pub fn safe_id(&self) -> String {
        let is_safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let safe: String = self.id.chars().filter(is_safe).take(SAFE_ID_CHARS).collect();
        if safe.is_empty() { "alert".to_owned() } else { safe }
    }

    /// The name of the alert's evidence, without extension: `YYYYmmdd_HHMMSS_{safe id}`, local time.
    pub fn file_stem(&self, local: &LocalZone) -> String {
        format!("{}_{}", local.compact(self.time), self.safe_id())
    }

    /// The time to look through: from `before` ahead of the flow to `after` past it, or around the alert's time.
    pub fn window(&self, before: Duration, after: Duration) -> Window {
        let (first, last) = self.flow.unwrap_or((self.time, self.time));
        Window::around(first, last, before, after)
    }
}

/// The alert's own time, and the flow's where the original forms do not tell the alert's.
fn times(
    fields: &mut Fields<'_>,
    now: Timestamp,
    local: &LocalZone,
) -> (Timestamp, Option<(Timestamp, Timestamp)>) {
    let original = fields
        .find_original(fields::UNIX_TIME, instant::number)
        .or_else(|| fields.find_original(fields::DOTTED_TIME, |value, _| instant::dotted(value, local)));
    if let Some(time) = original {
        return (time, None);
    }
    let any = |value: &Value, reasons: &mut Vec<RefusalReason>| instant::any(value, local, reasons);
    let time = fields.find_any(&fields::TIME, any).unwrap_or(now);
    // Exporters write 0 for a time that they do not know.
    let mut known = |names| fields.find_any(names, any).filter(|at| *at > Timestamp::from_nanos(0));
    let flow = known(&fields::FLOW_FIRST).zip(known(&fields::FLOW_LAST));
    (time, flow)
}
