//! Which name a piece of evidence gets.
//!
//! | what stands under the alert's own name | what becomes of it | the newcomer's name |
//! |---|---|---|
//! | nothing | – | the alert's own: `<time>_<id>` |
//! | the same question | it is the answer, or is asked again | the same |
//! | another question about the same alert | steps aside: `<time>_<id>.1`, `.2`, … | the alert's own |
//! | the same, and this question's answer has stepped aside before | they change places | the alert's own |
//! | another question, for which packets are searched just now | stays | where this question's answer stepped aside to, else `<time>_<id>-2`, … |
//! | evidence of another alert, or a file that we know nothing of | stays | `<time>_<id>-2`, `-3`, … |
//!
//! So the link of an alert shows what was last asked about it, as links always have, and nothing is overwritten: not the
//! evidence of alerts whose ids become the same name, nor an earlier answer about the same alert.
//!
//! How evidence moves is told in [`aside`](super::aside).

use std::fs;
use std::io;

use pcapx_core::manifest::Manifest;

use super::{EvidenceFolder, Shelved};

/// Names that are tried for one alert. Whoever sends more alerts of one second whose ids have the same letters is told that
/// it does not work.
const ATTEMPTS: u32 = 10_000;
/// Names beside a name that are free before it is believed that no more follow: retention takes the oldest, and evidence
/// that comes back leaves its place empty.
const FREE_BEHIND_THE_LAST: usize = 32;

/// What the name is to be found for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The alert's own name.
    pub(crate) stem: &'a str,
    /// Identity of the question.
    pub(crate) question: &'a str,
    /// Identity of the alert.
    pub(crate) subject: &'a str,
}

/// What was found under the name that a piece of evidence gets.
#[derive(Debug)]
pub(crate) enum Standing {
    /// The name is free.
    Free(String),
    /// Evidence of the same question.
    Same(Box<Manifest>),
    /// Evidence of another question about the same alert, and evidence of this one that stepped aside before.
    Earlier(Box<Manifest>, Option<Box<Manifest>>),
}

impl EvidenceFolder {
    /// Looks for the name of `stem`'s evidence.
    pub(crate) fn standing(&self, stem: &str, question: &str, subject: &str) -> io::Result<Standing> {
        self.standing_of(Wanted { stem, question, subject })
    }

    fn standing_of(&self, wanted: Wanted<'_>) -> io::Result<Standing> {
        let mut earlier: Option<Box<Manifest>> = None;
        for attempt in 1..=ATTEMPTS {
            let name = match attempt {
                1 => wanted.stem.to_owned(),
                _ => format!("{}-{attempt}", wanted.stem),
            };
            match self.manifest(&name)? {
                Shelved::Nothing if self.is_free(&name) => {
                    let aside =
                        self.aside_answer(earlier.as_ref().map_or(&name, |found| &found.name), wanted)?;
                    return Ok(match (earlier, aside) {
                        (Some(found), aside) => Standing::Earlier(found, aside),
                        // Retention, or somebody, has taken what stood here.
                        (None, Some(aside)) => Standing::Same(aside),
                        (None, None) => Standing::Free(name),
                    });
                }
                Shelved::Manifest(found) if found.question == wanted.question => {
                    return Ok(Standing::Same(found));
                }
                // One that could not step aside has let this question's answer have a name further on.
                Shelved::Manifest(found) if found.subject == wanted.subject && earlier.is_none() => {
                    earlier = Some(found);
                }
                Shelved::Nothing | Shelved::Manifest(_) => {}
                Shelved::Damaged(reason) => {
                    log::warn!("the manifest of {name} cannot be read and is left alone: {reason}");
                }
            }
        }
        Err(too_many())
    }

    /// Evidence of the question that has stepped aside from `name`, if there is some.
    fn aside_answer(&self, name: &str, wanted: Wanted<'_>) -> io::Result<Option<Box<Manifest>>> {
        for name in self.asides(name) {
            if let Shelved::Manifest(earlier) = self.manifest(&name)?
                && earlier.question == wanted.question
            {
                return Ok(Some(earlier));
            }
        }
        Ok(None)
    }

    /// The names under which earlier answers stand beside `name`.
    pub(super) fn asides(&self, name: &str) -> impl Iterator<Item = String> {
        let mut free = 0;
        let names = (1..=ATTEMPTS).map(move |number| aside(name, number));
        let names = names.map(|name| (self.has_manifest(&name), name)).take_while(move |(is_there, _)| {
            free = if *is_there { 0 } else { free + 1 };
            free <= FREE_BEHIND_THE_LAST
        });
        names.filter(|(is_there, _)| *is_there).map(|(_, name)| name)
    }

    /// A name beside `name` under which nothing stands, for an earlier answer.
    pub(super) fn free_aside(&self, name: &str) -> io::Result<String> {
        let mut names = (1..=ATTEMPTS).map(|number| aside(name, number));
        names.find(|name| !self.has_manifest(name) && self.is_free(name)).ok_or_else(too_many)
    }

    /// A name beside `stem` under which nothing stands.
    pub(crate) fn free_name(&self, stem: &str) -> io::Result<String> {
        for attempt in 2..=ATTEMPTS {
            let name = format!("{stem}-{attempt}");
            if matches!(self.manifest(&name)?, Shelved::Nothing) && self.is_free(&name) {
                return Ok(name);
            }
        }
        Err(too_many())
    }

    /// Whether no capture stands under the name, of which no manifest tells.
    fn is_free(&self, name: &str) -> bool {
        [".pcap", ".pcapng"]
            .into_iter()
            .all(|ending| fs::symlink_metadata(self.path(&format!("{name}{ending}"))).is_err())
    }
}

fn aside(name: &str, number: u32) -> String {
    format!("{name}.{number}")
}

/// The name beside which `name` is, if it is such a name.
pub(super) fn stood_aside_from(name: &str) -> Option<&str> {
    let (first, number) = name.rsplit_once('.')?;
    number.parse().is_ok_and(|number| aside(first, number) == name).then_some(first)
}

fn too_many() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "there is too much evidence of this name")
}
