//! Finding evidence by its name and by what its manifest tells, at a bounded price for each request.
//!
//! ```text
//! names from the cursor on ─┬─► all of them: is every word in the name? ─────────────────────┐ newest first,
//!  (in memory)              └─► as far as the time goes: manifest ─► is every word in both? ─┴─► a page of rows
//! ```
//!
//! Names cost nothing worth mentioning, so an id is found wherever it is. Manifests are read from the disk: where the time is over
//! first, the page says how far they were read, and has a link to go on.

use std::io;
use std::time::{Duration, Instant};

use pcapx_core::manifest::Outline;

use super::list::{PAGE, Row};
use super::reading::{Reader, Told};
use super::shelf::{Cursor, Files, Name, Shelf};

/// How long manifests are read for one request: some 35 000 of them from memory. A person waits that long for a search.
const BUDGET: Duration = Duration::from_millis(400);
/// The same where names have the words: who looks for an id has most likely found it.
const BUDGET_BESIDE_NAMES: Duration = Duration::from_millis(80);
/// So many are read in any case: a search over a disk that is slow comes to its end, too.
const LEAST_READ: u64 = 100;
/// Names that are taken from the shelf at once.
const AT_ONCE: usize = 5000;

/// What was found.
#[derive(Debug)]
pub(super) struct Search {
    /// The newest that fit.
    pub(super) rows: Vec<Row>,
    /// How many were looked at, their manifests too.
    pub(super) looked_at: usize,
    /// How many newer ones were passed over before.
    pub(super) newer: usize,
    /// How many there are in all.
    pub(super) total: usize,
    /// How far it got.
    pub(super) reached: Reached,
}

/// How far a search got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The oldest.
    Oldest,
    /// This one: its row is the last that fits.
    Full(Name),
    /// The oldest with names, and with manifests this one, when the time was over.
    Names(Name),
}

/// Words, all of which have to be there.
#[derive(Debug)]
struct Words(Vec<String>);

impl Words {
    fn of(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_lowercase).collect())
    }

    /// Whether each word is part of the name.
    fn are_in_name(&self, name: &Name, lower: &mut String) -> bool {
        lower.clear();
        let text = name.text();
        if text.is_ascii() {
            lower.push_str(&text);
            lower.make_ascii_lowercase();
        } else {
            lower.push_str(&text.to_lowercase());
        }
        self.0.iter().all(|word| lower.contains(word.as_str()))
    }

    /// Whether each word is part of the name, of what the alert says of itself, of the filter or of an address.
    fn are_in(&self, name: &Name, outline: &Outline) -> bool {
        let mut hay = name.text().to_lowercase();
        let about = outline.about.iter().flat_map(|about| [&about.id, &about.name]);
        for text in about.chain([&outline.filter]) {
            hay.push('\n');
            hay.push_str(&text.to_lowercase());
        }
        for address in &outline.client {
            hay.push('\n');
            hay.push_str(&address.to_string());
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
    search_within(shelf, reader, (text, cursor), (LEAST_READ, [BUDGET, BUDGET_BESIDE_NAMES]))
}

fn search_within(
    shelf: &Shelf,
    reader: &mut Reader<'_>,
    (text, cursor): (&str, &Cursor),
    (least_read, budgets): (u64, [Duration; 2]),
) -> io::Result<Search> {
    let (words, mut lower) = (Words::of(text), String::new());
    let by_name = shelf.find(cursor, PAGE, |name| words.are_in_name(name, &mut lower))?;
    let (begun, budget) = (Instant::now(), budgets[usize::from(!by_name.is_empty())]);
    let slice = shelf.slice(cursor, AT_ONCE)?;
    let (newer, total) = (slice.newer, slice.total);
    let mut found = Search { rows: Vec::new(), looked_at: 0, newer, total, reached: Reached::Oldest };
    let (mut names, mut read) = (slice.names, 0);
    while let Some(last) = names.last().map(|(name, _)| name.clone()) {
        for (name, files) in names {
            let is_named = words.are_in_name(&name, &mut lower);
            if !is_named && files.manifest {
                if read >= least_read && begun.elapsed() >= budget {
                    found.add_named(reader, by_name, &name)?;
                    return Ok(found);
                }
                read += 1;
            }
            found.looked_at += 1;
            found.reached = Reached::Names(name.clone());
            if let Some(row) = row(reader, &words, is_named, (&name, files))? {
                found.rows.push(row);
                if found.rows.len() == PAGE {
                    found.reached = Reached::Full(name);
                    break;
                }
            }
        }
        if found.rows.len() == PAGE {
            break;
        }
        names = shelf.slice(&Cursor::Before(last), AT_ONCE)?.names;
    }
    if found.newer + found.looked_at >= found.total {
        found.reached = Reached::Oldest;
    }
    Ok(found)
}

/// The row of evidence, if it is what is looked for.
fn row(
    reader: &mut Reader<'_>,
    words: &Words,
    is_named: bool,
    (name, files): (&Name, Files),
) -> io::Result<Option<Row>> {
    let outline = match (is_named, files.manifest) {
        (_, false) => Told::Nothing,
        (true, true) => reader.outline(name)?,
        (false, true) => reader.look(name)?,
    };
    let is_it = is_named || outline.known().is_some_and(|outline| words.are_in(name, outline));
    is_it.then(|| Row::new(reader, name.clone(), files, outline)).transpose()
}

impl Search {
    /// Adds what bears the words in its name, from `from` on, to what was found before it.
    fn add_named(
        &mut self,
        reader: &mut Reader<'_>,
        by_name: Vec<(Name, Files)>,
        from: &Name,
    ) -> io::Result<()> {
        for (name, files) in by_name.into_iter().filter(|(name, _)| name <= from) {
            if self.rows.len() == PAGE {
                break;
            }
            let outline = if files.manifest { reader.outline(&name)? } else { Told::Nothing };
            self.rows.push(Row::new(reader, name, files, outline)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::folder::Folder;

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
            assert_eq!(Words::of(text).are_in(&name, &outline), is_in, "{text:?}");
        }
        let is_in_name = |text| Words::of(text).are_in_name(&name, &mut String::new());
        assert!(is_in_name("ALERT_7 101112") && !is_in_name("beacon") && !is_in_name("alert_7 beacon"));
        let polish = Name::new("20260301_101112_Łódź".as_bytes());
        assert!(Words::of("łÓDŹ").are_in_name(&polish, &mut String::new()));
    }

    /// Evidence `a_0` … `a_9`, the last one the newest; each alert is called by its number, the oldest `needle` in its name, too.
    fn ten() -> (tempfile::TempDir, Shelf, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..10 {
            let id = if number == 0 { "needle" } else { "a" };
            let name = format!("20260301_10111{number}_{id}");
            let manifest = format!(
                r#"{{"schema": "pcapx-evidence/1", "name": "{name}", "state": "complete", "open": false,
                    "about": {{"id": "{number}", "name": "Needle number {number}", "time": "2026-03-01T10:11:12Z"}},
                    "asked": {{"from": "2026-03-01T10:05:12Z", "to": "2026-03-01T10:17:12Z"}}}}"#
            );
            fs::write(dir.path().join(format!("{name}.json")), manifest).unwrap();
        }
        let (shelf, folder) = (Shelf::new(dir.path().to_owned()), Folder::new(dir.path().to_owned()));
        (dir, shelf, folder)
    }

    #[test]
    fn names_are_searched_to_the_end_when_the_time_for_manifests_is_over() {
        let (_dir, shelf, folder) = ten();
        let name = |number: usize| Name::new(format!("20260301_10111{number}_a").as_bytes());
        let search = |text: &str, cursor: &Cursor, least: u64| {
            let mut reader = Reader::new(&folder);
            let found =
                search_within(&shelf, &mut reader, (text, cursor), (least, [Duration::ZERO; 2])).unwrap();
            (found.rows.len(), found.looked_at, found.newer, found.reached)
        };
        let newest = &Cursor::Newest;
        // Three manifests are read; a name is found at the other end.
        assert_eq!(search("needle", newest, 3), (4, 3, 0, Reached::Names(name(7))));
        assert_eq!(search("needle 4", newest, 3), (0, 3, 0, Reached::Names(name(7))));
        assert_eq!(search("101110", newest, 3), (1, 3, 0, Reached::Names(name(7))));
        // From there on, and so to the end.
        assert_eq!(search("needle 4", &Cursor::Before(name(7)), 3), (1, 3, 3, Reached::Names(name(4))));
        assert_eq!(search("needle 4", &Cursor::Before(name(4)), 3), (0, 3, 6, Reached::Names(name(1))));
        assert_eq!(search("needle 4", &Cursor::Before(name(1)), 3), (0, 1, 9, Reached::Oldest));
        assert_eq!(search("needle", newest, 9), (10, 10, 0, Reached::Oldest));
    }
}
