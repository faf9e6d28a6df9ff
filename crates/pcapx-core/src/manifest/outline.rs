//! The few words of a manifest that tell whether there is a file, and what a list shows of it.

use std::io::{BufReader, Read};
use std::net::IpAddr;

use serde::Deserialize;

use super::{About, SCHEMA, Span, State, is_known};

/// What a manifest says of its file. The alert in a manifest can have megabytes; whoever reads an outline keeps none of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Outline {
    /// [`SCHEMA`].
    schema: String,
    /// Name of the evidence.
    pub name: String,
    /// How far it has come.
    pub state: State,
    /// Whether work on it goes on.
    pub open: bool,
    /// Why there are no packets, or not all of them.
    #[serde(default)]
    pub reason: Option<String>,
    /// The capture file in the same folder, if there is one.
    #[serde(default)]
    pub file: Option<String>,
    /// Packets in it.
    #[serde(default)]
    pub packets: Option<u64>,
    /// Its length.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// The packet filter, in BPF's text.
    #[serde(default)]
    pub filter: String,
    /// Addresses of the side that opened the conversation.
    #[serde(default)]
    pub client: Vec<IpAddr>,
    /// The alert's id, name and time.
    #[serde(default)]
    pub about: Option<About>,
    /// The time that was asked for.
    pub asked: Span,
}

impl Outline {
    /// Reads the outline of a manifest in constant memory; the reason tells what is the matter with it.
    pub fn read(manifest: impl Read) -> Result<Self, String> {
        Self::checked(serde_json::from_reader(BufReader::new(manifest)))
    }

    /// The same of a manifest that is in memory already, several times faster.
    pub fn from_json(manifest: &[u8]) -> Result<Self, String> {
        Self::checked(serde_json::from_slice(manifest))
    }

    fn checked(read: serde_json::Result<Self>) -> Result<Self, String> {
        let outline = read.map_err(|error| error.to_string())?;
        if is_known(&outline.schema) { Ok(outline) } else { Err(format!("it is not of {SCHEMA}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const HEAD: &str = r#""name": "a", "state": "partial", "open": true,
        "asked": {"from": "2026-03-01T09:05:12Z", "to": "2026-03-01T09:17:12.5Z"}"#;

    fn read(head: &str, more: &str) -> Result<Outline, String> {
        let text = format!("{{{head}, {HEAD}{more}}}");
        let read = Outline::read(text.as_bytes());
        assert_eq!(Outline::from_json(text.as_bytes()).ok(), read.as_ref().ok().cloned());
        read
    }

    #[test]
    fn what_is_left_out_is_not_there_and_what_is_more_is_passed_over() {
        let outline = read(r#""schema": "pcapx-evidence/1.7""#, r#", "alert": {"file": "b"}, "new": [1]"#);
        let outline = outline.unwrap();
        assert_eq!((outline.name.as_str(), outline.state, outline.open), ("a", State::Partial, true));
        assert_eq!((outline.file, outline.reason), (None, None));
        assert_eq!(outline.asked.to, Timestamp::from_nanos(1_772_356_632_500_000_000));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let why = read(r#""schema": "pcapx-evidence/2""#, "").unwrap_err();
        assert_eq!(why, "it is not of pcapx-evidence/1");
        for (head, more) in [
            (r#""schema": 1"#, ""),
            (r#""schema": "pcapx-evidence/1""#, r#", "name": "b""#),
            (r#""schema": "pcapx-evidence/1""#, "} {"),
        ] {
            assert!(read(head, more).is_err(), "{head}{more}");
        }
        assert!(Outline::read(&b""[..]).is_err());
    }
}
