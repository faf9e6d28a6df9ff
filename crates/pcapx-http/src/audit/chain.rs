//! How lines hang together.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What stands between a line's content and its hash.
const SEAM: &str = ",\"hash\":\"";
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;
/// The hash in front of the first line of all.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A line of a chain: its number and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) hash: String,
}

impl Link {
    /// In front of the first line of all.
    pub(super) fn start() -> Self {
        Link { seq: 0, hash: NOTHING.to_owned() }
    }

    /// The line that follows, with its line end, and what follows from it.
    pub(super) fn next(&self, fields: Map<String, Value>) -> (String, Link) {
        let seq = self.seq + 1;
        let mut all = Map::from_iter([("seq".to_owned(), Value::from(seq))]);
        all.extend(fields);
        all.insert("prev".to_owned(), Value::from(self.hash.as_str()));
        let mut line = Value::Object(all).to_string();
        // The closing brace makes room for the hash.
        line.pop();
        let hash = hash(&line);
        // Writing into a String cannot fail.
        let _ = writeln!(line, "{SEAM}{hash}\"}}");
        (line, Link { seq, hash })
    }
}

/// A line that is whole in itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) link: Link,
    pub(super) prev: String,
    /// What was done.
    pub(super) act: String,
}

/// Reads a line without its end; the error tells what is wrong with it.
pub(super) fn read(line: &str) -> Result<Read, &'static str> {
    let (content, rest) = line.rsplit_once(SEAM).ok_or("is no line of an audit log")?;
    let told = rest.strip_suffix("\"}").filter(|hash| hash.len() == DIGITS).ok_or("is cut off")?;
    if hash(content) != told {
        return Err("was changed: its hash is another");
    }
    let fields: Map<String, Value> =
        serde_json::from_str(&format!("{content}}}")).map_err(|_| "is not JSON")?;
    let seq = fields.get("seq").and_then(Value::as_u64).ok_or("has no number")?;
    let prev = fields.get("prev").and_then(Value::as_str).ok_or("does not tell the line before")?;
    let act = fields.get("act").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Read { link: Link { seq, hash: told.to_owned() }, prev: prev.to_owned(), act })
}

fn hash(content: &str) -> String {
    let mut text = String::with_capacity(DIGITS);
    for byte in Sha256::digest(content.as_bytes()) {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let fields = Map::from_iter([("act".to_owned(), Value::from("x\n\",\"hash\":\"y"))]);
        let (first, link) = Link::start().next(fields.clone());
        let (second, last) = link.next(fields);
        assert_eq!(first.matches('\n').count(), 1);
        let act = "x\n\",\"hash\":\"y".to_owned();
        let expected = Read { link: link.clone(), prev: NOTHING.to_owned(), act: act.clone() };
        assert_eq!(read(first.trim_end()).unwrap(), expected);
        assert_eq!(read(second.trim_end()).unwrap(), Read { link: last.clone(), prev: link.hash, act });
        assert_eq!(last.seq, 2);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let fields = Map::from_iter([("act".to_owned(), Value::from("download"))]);
        let (line, _) = Link::start().next(fields);
        let line = line.trim_end();
        for at in 0..line.len() {
            let mut changed = line.to_owned().into_bytes();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(read(&changed).is_err(), "{changed}");
            assert!(read(&line[..at]).is_err());
        }
    }
}
