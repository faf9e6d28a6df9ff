//! Names of evidence in the order of their alerts, and which of their files are there.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound::{Excluded, Unbounded};

use pcapx_core::manifest::{DIGEST_SUFFIX, MANIFEST_SUFFIX};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::requested::is_servable;

/// What stands unencoded in links: the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Memory that all names together may take: some 300 000 of the usual length.
const MOST_BYTES: usize = 32 << 20;
/// What a name takes beside its letters.
const BYTES_PER_NAME: usize = 80;

/// The files of one piece of evidence, as far as a list needs to know of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// `<name>.json`.
    pub(crate) manifest: bool,
    /// `<name>.pcap`.
    pub(crate) pcap: bool,
    /// `<name>.pcapng`.
    pub(crate) pcapng: bool,
}

/// One kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Manifest,
    Pcap,
    Pcapng,
}

/// A local time in letters, `YYYYmmdd_HHMMSS`: later ones are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp([u8; STAMP_BYTES]);

/// The name of a piece of evidence: any bytes that a file's name can have. Later ones are newer: by the time that they begin with,
/// as the listener names them, or by that at which the file was written. One of which neither is known comes before all others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    stamp: Option<Stamp>,
    bytes: Box<[u8]>,
}

/// All names.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: BTreeMap<Name, Files>,
    /// When the files were written whose names tell no time.
    written: HashMap<Box<[u8]>, Stamp>,
    bytes: usize,
    is_cut: bool,
}

/// Where a page of the list begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// At the newest.
    Newest,
    /// With the next older one.
    Before(Name),
    /// So that it ends with the next newer one.
    After(Name),
}

/// A part of the list, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The names.
    pub(crate) names: Vec<(Name, Files)>,
    /// How many newer ones there are.
    pub(crate) newer: usize,
    /// How many there are in all.
    pub(crate) total: usize,
    /// Whether there are more than can be remembered; those are the oldest.
    pub(crate) is_cut: bool,
}

impl Name {
    /// A name of these bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let stamp = time_of(bytes).and_then(|_| Stamp::new(&bytes[..STAMP_BYTES]));
        Self { stamp, bytes: bytes.into() }
    }

    /// The same, of a file that was written at `at`, where its name does not tell a time.
    pub(crate) fn written(self, at: Option<Stamp>) -> Self {
        if time_of(&self.bytes).is_some() { self } else { Self { stamp: at, ..self } }
    }

    /// A name that would come behind all of a day, which is given as `YYYYmmdd`.
    pub(crate) fn behind_day(day: &str) -> Self {
        let letters = format!("{day}_~~~~~~").into_bytes();
        Self { stamp: letters.as_slice().try_into().ok().map(Stamp), bytes: letters.into() }
    }

    /// The name as a place in the list, as it stands in a link: it stays the same when the file goes.
    pub(crate) fn place(&self) -> String {
        match self.stamp.filter(|_| !self.is_dated()) {
            Some(Stamp(letters)) => format!("{}&at={}", self.link(""), String::from_utf8_lossy(&letters)),
            None => self.link(""),
        }
    }

    /// Whether it tells a time itself.
    pub(crate) fn is_dated(&self) -> bool {
        time_of(&self.bytes).is_some()
    }

    /// Its letters; what is none is replaced.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Its letters with `suffix`, as they stand in a link.
    pub(crate) fn link(&self, suffix: &str) -> String {
        format!("{}{suffix}", percent_encode(&self.bytes, ENCODED))
    }

    /// The name of a file of this evidence.
    pub(crate) fn file(&self, suffix: &str) -> Vec<u8> {
        [&self.bytes, suffix.as_bytes()].concat()
    }

    /// When it was raised, by its name: `2026-03-01 10:11:12` in the listener's local time.
    pub(crate) fn time(&self) -> Option<String> {
        let [year, month, day, hour, minute, second] = time_of(&self.bytes)?;
        Some(format!("{year}-{month}-{day} {hour}:{minute}:{second}"))
    }

    /// What stands behind the time: the alert's id.
    pub(crate) fn id(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(if self.is_dated() { &self.bytes[TIME_BYTES..] } else { &self.bytes })
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl Stamp {
    /// Of letters, if they are a time.
    pub(crate) fn new(letters: &[u8]) -> Option<Self> {
        let with_end = [letters, b"_"].concat();
        time_of(&with_end)?;
        letters.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

/// Letters of `YYYYmmdd_HHMMSS`.
const STAMP_BYTES: usize = 15;
/// The same with the `_` behind it.
const TIME_BYTES: usize = STAMP_BYTES + 1;

/// Year, month, day, hour, minute and second with which a name begins.
fn time_of(name: &[u8]) -> Option<[&str; 6]> {
    let time = std::str::from_utf8(name.get(..TIME_BYTES)?).ok()?;
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        8 | 15 => byte == b'_',
        _ => byte.is_ascii_digit(),
    });
    is_time.then(|| [&time[..4], &time[4..6], &time[6..8], &time[9..11], &time[11..13], &time[13..15]])
}

/// Of which evidence a file is, and what; `None` when it is not to be listed.
pub(super) fn belongs(file: &[u8]) -> Option<(&[u8], Kind)> {
    if !is_servable(file) || file.ends_with(DIGEST_SUFFIX.as_bytes()) {
        return None;
    }
    [(MANIFEST_SUFFIX, Kind::Manifest), (".pcap", Kind::Pcap), (".pcapng", Kind::Pcapng)]
        .into_iter()
        .find_map(|(suffix, kind)| Some((file.strip_suffix(suffix.as_bytes())?, kind)))
        .filter(|(name, _)| !name.is_empty())
}

impl Files {
    fn slot(&mut self, kind: Kind) -> &mut bool {
        match kind {
            Kind::Manifest => &mut self.manifest,
            Kind::Pcap => &mut self.pcap,
            Kind::Pcapng => &mut self.pcapng,
        }
    }

    /// The ending of the capture file, where there is one.
    pub(crate) fn capture(self) -> Option<&'static str> {
        match self {
            Self { pcap: true, .. } => Some(".pcap"),
            Self { pcapng: true, .. } => Some(".pcapng"),
            _ => None,
        }
    }
}

impl Names {
    /// A file is there, and was written at `written`; that is of interest only where its name does not tell a time.
    pub(super) fn came(&mut self, file: &[u8], written: Option<Stamp>) {
        let Some((name, kind)) = belongs(file) else { return };
        let before = self.known(Name::new(name));
        // Evidence is as old as its packets: a manifest beside them may be newer.
        let stamp = if kind == Kind::Manifest { before.stamp.or(written) } else { written.or(before.stamp) };
        let name = before.clone().written(stamp);
        let mut files = self.take(&before).unwrap_or_default();
        *files.slot(kind) = true;
        self.put(name, files);
        while self.bytes > MOST_BYTES
            && let Some(oldest) = self.by_name.first_key_value().map(|(name, _)| name.clone())
        {
            self.take(&oldest);
            self.is_cut = true;
        }
    }

    /// A file is gone.
    pub(super) fn went(&mut self, file: &[u8]) {
        let Some((name, kind)) = belongs(file) else { return };
        let name = self.known(Name::new(name));
        let Some(mut files) = self.take(&name) else { return };
        *files.slot(kind) = false;
        if files != Files::default() {
            self.put(name, files);
        }
    }

    fn put(&mut self, name: Name, files: Files) {
        if let Some(stamp) = name.stamp.filter(|_| !name.is_dated()) {
            self.written.insert(name.bytes.clone(), stamp);
        }
        self.bytes += weight(&name);
        self.by_name.insert(name, files);
    }

    fn take(&mut self, name: &Name) -> Option<Files> {
        let files = self.by_name.remove(name)?;
        self.written.remove(&name.bytes);
        self.bytes -= weight(name);
        Some(files)
    }

    /// The name with the time at which its file was written, where it does not tell one and none was told with it.
    fn known(&self, name: Name) -> Name {
        if name.stamp.is_some() {
            return name;
        }
        let stamp = self.written.get(&name.bytes).copied();
        name.written(stamp)
    }

    /// Whether so many have gone that some of those which had no room could come back.
    pub(super) fn has_room_again(&self) -> bool {
        self.is_cut && self.bytes < MOST_BYTES / 2
    }

    /// At most `most` names from `cursor` on.
    pub(super) fn slice(&self, cursor: &Cursor, most: usize) -> Slice {
        let cursor = &match cursor.clone() {
            Cursor::Newest => Cursor::Newest,
            Cursor::Before(name) => Cursor::Before(self.known(name)),
            Cursor::After(name) => Cursor::After(self.known(name)),
        };
        let owned = |(name, files): (&Name, &Files)| (name.clone(), *files);
        let names: Vec<_> = match cursor {
            Cursor::Newest => self.by_name.iter().rev().take(most).map(owned).collect(),
            Cursor::Before(name) => self.by_name.range(..name).rev().take(most).map(owned).collect(),
            Cursor::After(name) => {
                let above = self.by_name.range((Excluded(name), Unbounded)).take(most).map(owned);
                let mut names: Vec<_> = above.collect();
                names.reverse();
                names
            }
        };
        let newer = match (names.first(), cursor) {
            (Some((first, _)), _) => self.by_name.range((Excluded(first), Unbounded)).count(),
            (None, Cursor::Before(name)) => self.by_name.range(name..).count(),
            (None, _) => 0,
        };
        Slice { names, newer, total: self.by_name.len(), is_cut: self.is_cut }
    }

    /// The newest `most` of those that are older than the cursor.
    pub(super) fn older(&self, cursor: &Cursor, most: usize) -> Vec<(Name, Files)> {
        let end = match cursor {
            Cursor::Before(name) => Excluded(self.known(name.clone())),
            Cursor::Newest | Cursor::After(_) => Unbounded,
        };
        let names = self.by_name.range((Unbounded, end)).rev().take(most);
        names.map(|(name, files)| (name.clone(), *files)).collect()
    }

    /// What is known of one name.
    pub(super) fn files(&self, name: &Name) -> Option<Files> {
        self.by_name.get(&self.known(name.clone())).copied()
    }
}

/// Bytes that a name takes; one that does not tell a time is kept twice.
fn weight(name: &Name) -> usize {
    let kept = if name.is_dated() || name.stamp.is_none() { 1 } else { 2 };
    kept * (name.bytes.len() + BYTES_PER_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Names {
        let mut names = Names::default();
        for file in files {
            names.came(file.as_bytes(), None);
        }
        names
    }

    fn told(names: &Names, cursor: &Cursor, most: usize) -> (Vec<String>, usize) {
        let slice = names.slice(cursor, most);
        (slice.names.iter().map(|(name, _)| name.text().into_owned()).collect(), slice.newer)
    }

    #[test]
    fn files_of_one_name_are_one_piece_of_evidence() {
        let mut names = names(&[
            "a.json",
            "a.pcap",
            "a.digest.json",
            "b.pcapng",
            "b.pcap",
            ".c.pcap",
            "d.pcap.tmp",
            "e\\.pcap",
        ]);
        let a = Files { manifest: true, pcap: true, pcapng: false };
        assert_eq!(names.files(&Name::new(b"a")), Some(a));
        assert_eq!(told(&names, &Cursor::Newest, 9).0, ["b", "a"]);
        assert_eq!(names.files(&Name::new(b"b")).and_then(Files::capture), Some(".pcap"));
        names.went(b"a.digest.json");
        names.went(b"a.json");
        names.went(b"b.pcap");
        assert_eq!(names.files(&Name::new(b"a")), Some(Files { manifest: false, ..a }));
        assert_eq!(names.files(&Name::new(b"b")).and_then(Files::capture), Some(".pcapng"));
        names.went(b"a.pcap");
        names.went(b"b.pcapng");
        names.went(b"never.pcap");
        assert_eq!((names.by_name.len(), names.bytes), (0, 0));
    }

    #[test]
    fn the_newest_alert_comes_first_and_files_of_which_no_time_is_known_last() {
        let names = names(&[
            "zebra.pcap",
            "20260301_101112_b.pcap",
            "20260301_101112_a.pcap",
            "20251231_000000_z.pcap",
            "2025.pcap",
        ]);
        let order = ["20260301_101112_b", "20260301_101112_a", "20251231_000000_z", "zebra", "2025"];
        assert_eq!(told(&names, &Cursor::Newest, 9), (order.map(str::to_owned).to_vec(), 0));
        assert_eq!(told(&names, &Cursor::Newest, 2).0, order[..2]);
        let before = |name: &str| Cursor::Before(Name::new(name.as_bytes()));
        assert_eq!(told(&names, &before(order[1]), 2), (vec![order[2].to_owned(), order[3].to_owned()], 2));
        assert_eq!(told(&names, &before("20260301_101112_ab"), 1), (vec![order[1].to_owned()], 1));
        assert_eq!(told(&names, &before("2"), 1), (vec![], 5));
        let after = Cursor::After(Name::new(order[3].as_bytes()));
        assert_eq!(told(&names, &after, 2), (vec![order[1].to_owned(), order[2].to_owned()], 1));
        assert_eq!(told(&names, &Cursor::Before(Name::behind_day("20260228")), 1).0, [order[2]]);
        assert_eq!(told(&names, &Cursor::Before(Name::behind_day("20260301")), 1).0, [order[0]]);
    }

    #[test]
    fn a_file_without_a_time_in_its_name_stands_where_it_was_written() {
        let at = |text: &str| Stamp::new(text.as_bytes());
        let mut names = names(&["20260301_101112_b.pcap", "20260228_000000_z.pcap"]);
        names.came(b"lab.pcap", at("20260301_000000"));
        names.came(b"old.pcapng", at("20250101_000000"));
        let order = ["20260301_101112_b", "lab", "20260228_000000_z", "old"];
        assert_eq!(told(&names, &Cursor::Newest, 9).0, order);
        // A place in the list is told with the time, and without it as long as the file is there.
        let lab = names.slice(&Cursor::Newest, 2).names[1].0.clone();
        assert_eq!(lab.place(), "lab&at=20260301_000000");
        assert_eq!(told(&names, &Cursor::Before(Name::new(b"lab")), 1), (vec![order[2].to_owned()], 2));
        assert_eq!(told(&names, &Cursor::After(Name::new(b"lab")), 9).0, order[..1]);
        let files = Files { pcap: true, ..Files::default() };
        assert_eq!(names.files(&Name::new(b"lab")), Some(files));
        // Written anew it is newer, by a manifest it is not.
        names.came(b"lab.pcap", at("20260302_000000"));
        names.came(b"lab.json", at("20260401_000000"));
        assert_eq!(told(&names, &Cursor::Newest, 1).0, ["lab"]);
        assert_eq!(names.slice(&Cursor::Newest, 1).names[0].0.place(), "lab&at=20260302_000000");
        assert_eq!(names.files(&Name::new(b"lab")), Some(Files { manifest: true, ..files }));
        for file in ["lab.pcap", "lab.json", "old.pcapng", "20260301_101112_b.pcap", "20260228_000000_z.pcap"]
        {
            names.went(file.as_bytes());
        }
        assert_eq!((names.by_name.len(), names.written.len(), names.bytes), (0, 0, 0));
        assert_eq!(told(&names, &Cursor::Before(lab), 1).0, Vec::<String>::new());
        for odd in ["", "20260301", "20260301_0000000", "20260301-000000", "2026030a_000000"] {
            assert_eq!(at(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_name_tells_its_time_and_its_id() {
        let name = Name::new(b"20260301_101112_alert_1");
        assert_eq!((name.time().as_deref(), &*name.id()), (Some("2026-03-01 10:11:12"), "alert_1"));
        let odd = Name::new("ł ü\"".as_bytes());
        assert_eq!(
            (odd.time(), &*odd.id(), odd.link(".pcap").as_str()),
            (None, "ł ü\"", "%C5%82%20%C3%BC%22.pcap")
        );
    }

    #[test]
    fn names_have_bounded_room_and_the_oldest_give_way() {
        let mut names = Names::default();
        let long = "x".repeat(200);
        let most = MOST_BYTES / (16 + 200 + BYTES_PER_NAME);
        for number in 0..most + 10 {
            names.came(format!("20260301_{number:06}_{long}.pcap").as_bytes(), None);
        }
        let slice = names.slice(&Cursor::Newest, 1);
        assert!(slice.is_cut && slice.total == most, "{}", slice.total);
        assert!(names.bytes <= MOST_BYTES && !names.has_room_again());
        assert_eq!(names.by_name.first_key_value().unwrap().0.time().unwrap(), "2026-03-01 00:00:10");
    }
}
