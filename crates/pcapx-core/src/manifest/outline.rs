//! The few words of a manifest that tell whether there is a file.

use std::io::{BufReader, Read};

use serde::Deserialize;

use super::{SCHEMA, Span, State, is_known};

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
    /// The time that was asked for.
    pub asked: Span,
}

impl Outline {
    /// Reads the outline of a manifest in constant memory; the reason tells what is the matter with it.
    pub fn read(manifest: impl Read) -> Result<Self, String> {
        let outline: Self =
            serde_json::from_reader(BufReader::new(manifest)).map_err(|error| error.to_string())?;
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
        Outline::read(format!("{{{head}, {HEAD}{more}}}").as_bytes())
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
