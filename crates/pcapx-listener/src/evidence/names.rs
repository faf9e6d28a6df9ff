//! Which name a piece of evidence gets.
//!
//! | what stands under the alert's own name | what becomes of it | the newcomer's name |
//! |---|---|---|
//! | nothing | – | the alert's own: `<time>_<id>` |
//! | the same question | it is the answer, or is asked again | the same |
//! | another question about the same alert | steps aside: `<time>_<id>.1`, `.2`, … | the alert's own |
//! | the same, and this question's answer has stepped aside before | they change places | the alert's own |
//! | evidence of another alert, or a file that we know nothing of | stays | `<time>_<id>-2`, `-3`, … |
//!
//! So the link of an alert shows what was last asked about it, as links always have, and nothing is overwritten: not the
//! evidence of alerts whose ids become the same name, nor an earlier answer about the same alert.
//!
//! Evidence steps aside by links: the new names come first, the old ones go when the newcomer's manifest stands. A crash in
//! between leaves evidence under both names, and none is lost.

use std::fs;
use std::io;

use pcapx_core::manifest::{DIGEST_SUFFIX, Manifest};

use super::manifests::manifest_file;
use super::{EvidenceFolder, Shelved};

/// Names that are tried for one alert. Whoever sends more alerts of one second whose ids have the same letters is told that
/// it does not work.
const ATTEMPTS: u32 = 10_000;

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
        for attempt in 1..=ATTEMPTS {
            let name = match attempt {
                1 => wanted.stem.to_owned(),
                _ => format!("{}-{attempt}", wanted.stem),
            };
            match self.manifest(&name)? {
                Shelved::Nothing if self.is_free(&name) => return Ok(Standing::Free(name)),
                Shelved::Manifest(found) if found.question == wanted.question => {
                    return Ok(Standing::Same(found));
                }
                Shelved::Manifest(found) if found.subject == wanted.subject => {
                    let aside = self.aside_answer(&found, wanted)?;
                    return Ok(Standing::Earlier(found, aside));
                }
                Shelved::Nothing | Shelved::Manifest(_) => {}
                Shelved::Damaged(reason) => {
                    log::warn!("the manifest of {name} cannot be read and is left alone: {reason}");
                }
            }
        }
        Err(too_many())
    }

    /// Evidence of the question that has stepped aside, if there is some.
    fn aside_answer(&self, found: &Manifest, wanted: Wanted<'_>) -> io::Result<Option<Box<Manifest>>> {
        for number in 1..=ATTEMPTS {
            match self.manifest(&aside(&found.name, number))? {
                Shelved::Nothing => break,
                Shelved::Manifest(earlier) if earlier.question == wanted.question => {
                    return Ok(Some(earlier));
                }
                Shelved::Manifest(_) | Shelved::Damaged(_) => {}
            }
        }
        Ok(None)
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

    /// Gives `earlier` a name beside its own, from where its old name can be taken. Returns it under its new name.
    pub(crate) fn step_aside(&self, earlier: &Manifest) -> io::Result<Manifest> {
        let number = (1..=ATTEMPTS).find(|number| {
            let name = aside(&earlier.name, *number);
            matches!(self.manifest(&name), Ok(Shelved::Nothing)) && self.is_free(&name)
        });
        let Some(number) = number else {
            return Err(too_many());
        };
        let mut moved = earlier.clone();
        moved.name = aside(&earlier.name, number);
        if let Some(file) = &earlier.file {
            let ending = file.strip_prefix(&earlier.name).unwrap_or(".pcap");
            let file_aside = format!("{}{ending}", moved.name);
            fs::hard_link(self.path(file), self.path(&file_aside))?;
            moved.file = Some(file_aside);
        }
        let digest = self.path(&format!("{}{DIGEST_SUFFIX}", earlier.name));
        match fs::hard_link(digest, self.path(&format!("{}{DIGEST_SUFFIX}", moved.name))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.write(&moved)?;
        Ok(moved)
    }

    /// Takes the capture and the digest of `earlier` away from its old name: a newcomer's manifest stands there.
    pub(crate) fn vacate(&self, earlier: &Manifest) -> io::Result<()> {
        let files = [earlier.file.clone(), Some(format!("{}{DIGEST_SUFFIX}", earlier.name))];
        for file in files.into_iter().flatten() {
            match fs::remove_file(self.path(&file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.sync()
    }

    /// Gives evidence that had stepped aside the name `name`, which has been left. Returns it under that name.
    pub(crate) fn come_back(&self, aside: &Manifest, name: &str) -> io::Result<Manifest> {
        let mut back = Manifest { name: name.to_owned(), ..aside.clone() };
        if let Some(file) = &aside.file {
            let file_back = format!("{name}{}", file.strip_prefix(&aside.name).unwrap_or(".pcap"));
            fs::rename(self.path(file), self.path(&file_back))?;
            back.file = Some(file_back);
        }
        let digest = |name: &str| self.path(&format!("{name}{DIGEST_SUFFIX}"));
        match fs::rename(digest(&aside.name), digest(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.write(&back)?;
        fs::remove_file(self.path(&manifest_file(&aside.name)))?;
        self.sync()?;
        Ok(back)
    }

    /// Whether no capture stands under the name, of which no manifest tells.
    fn is_free(&self, name: &str) -> bool {
        [".pcap", ".pcapng"]
            .into_iter()
            .all(|ending| fs::symlink_metadata(self.path(&format!("{name}{ending}"))).is_err())
    }
}

/// The names beside `name` to which earlier answers step, in their order.
pub(super) fn aside_names(name: &str) -> impl Iterator<Item = String> {
    (1..=ATTEMPTS).map(move |number| aside(name, number))
}

fn aside(name: &str, number: u32) -> String {
    format!("{name}.{number}")
}

fn too_many() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "there is too much evidence of this name")
}
