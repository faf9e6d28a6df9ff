//! Finding evidence by what its manifest tells, at a bounded price for each request.
//!
//! ```text
//! names from the cursor on ─► outline ─► is every word in it? ─► a row
//!          └─ MOST_LOOKED_AT of them, or a page full of rows: the page says how far it got, and has a link to go on
//! ```

use std::io;

use pcapx_core::manifest::Outline;

use super::list::{PAGE, Row};
use super::reading::{Reader, Told};
use super::shelf::{Cursor, Name, Shelf};

/// Manifests that are looked at for one request: a twentieth of a second's work.
pub(super) const MOST_LOOKED_AT: usize = 2000;

/// What was found.
#[derive(Debug)]
pub(super) struct Search {
    /// The newest that fit.
    pub(super) rows: Vec<Row>,
    /// How many were looked at.
    pub(super) looked_at: usize,
    /// How many newer ones were passed over before.
    pub(super) newer: usize,
    /// How many there are in all.
    pub(super) total: usize,
    /// The last that was looked at, when there are more behind it.
    pub(super) go_on: Option<Name>,
}

/// Words, all of which have to be there.
#[derive(Debug)]
struct Words(Vec<String>);

impl Words {
    fn of(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_lowercase).collect())
    }

    /// Whether each word is part of the name, of what the alert says of itself, of the filter or of an address.
    fn are_in(&self, name: &Name, outline: Option<&Outline>) -> bool {
        let mut hay = name.text().to_lowercase();
        if let Some(outline) = outline {
            let about = outline.about.iter().flat_map(|about| [&about.id, &about.name]);
            for text in about.chain([&outline.filter]) {
                hay.push('\n');
                hay.push_str(&text.to_lowercase());
            }
            for address in &outline.client {
                hay.push('\n');
                hay.push_str(&address.to_string());
            }
        }
        self.0.iter().all(|word| hay.contains(word.as_str()))
    }
}

/// Looks for `text` from `cursor` on, towards older evidence.
pub(super) fn search(
    shelf: &Shelf,
    reader: &mut Reader<'_>,
    text: &str,
    cursor: &Cursor,
) -> io::Result<Search> {
    let words = Words::of(text);
    let slice = shelf.slice(cursor, MOST_LOOKED_AT)?;
    let (newer, total) = (slice.newer, slice.total);
    let mut found = Search { rows: Vec::new(), looked_at: 0, newer, total, go_on: None };
    for (name, files) in slice.names {
        let outline = if files.manifest { reader.outline(&name)? } else { Told::Nothing };
        if outline == Told::Unread {
            break;
        }
        found.looked_at += 1;
        let is_last = found.newer + found.looked_at == total;
        found.go_on = (!is_last).then(|| name.clone());
        if words.are_in(&name, outline.known()) {
            found.rows.push(Row::new(reader, name, files, outline)?);
            if found.rows.len() == PAGE {
                break;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_to_be_somewhere() {
        let name = Name::new(b"20260301_101112_Alert_7");
        let outline = Outline::from_json(
            br#"{"schema": "pcapx-evidence/1", "name": "a", "state": "complete", "open": false, "filter": "tcp and host 10.0.0.20",
                "client": ["2001:db8::5"], "about": {"id": "alert 7", "name": "C2 Beacon \u0141", "time": "2026-03-01T10:11:12Z"},
                "asked": {"from": "2026-03-01T10:05:12Z", "to": "2026-03-01T10:17:12Z"}}"#,
        )
        .unwrap();
        for (text, is_in) in [
            ("", true),
            ("beacon", true),
            ("ł BEACON 10.0.0.20", true),
            ("alert_7", true),
            ("2001:DB8::5 20260301", true),
            ("beacon 10.0.0.21", false),
            ("7\nc2", true),
            ("beacon\u{0}", false),
        ] {
            assert_eq!(Words::of(text).are_in(&name, Some(&outline)), is_in, "{text:?}");
        }
        assert!(Words::of("alert_7").are_in(&name, None) && !Words::of("beacon").are_in(&name, None));
    }
}
