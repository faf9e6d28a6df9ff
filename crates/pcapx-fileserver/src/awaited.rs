//! A link whose file is not there: the manifest beside it tells what becomes of it.
//!
//! ```text
//! <name>.pcap │ <name>.pcapng is missing ─► <name>.json ─┬─ the file has the other ending ─► 307, where it is
//!                                                        ├─ open, queued ──────────────────► 202, Retry-After
//!                                                        ├─ nothing matched, failed ───────► 404 with the reason
//!                                                        └─ no manifest, a damaged one ────► 404 Not Found
//! ```
//!
//! Only a file that is missing comes here: who downloads pays nothing for it. A manifest is believed as little as any
//! other file: what it names has to be a plain name, what it tells is one line of printable characters.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use pcapx_core::manifest::{MANIFEST_SUFFIX, Manifest, Outline, State};
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};
use pcapx_http::reply::header_text;
use pcapx_http::{Context, Reply, reply};

use crate::folder::{Folder, Found, Patience};

/// The endings that evidence can have.
const ENDINGS: [&str; 2] = [".pcap", ".pcapng"];
/// The largest manifest that is read: its alert may have 2 MiB, each byte of it escaped.
const LARGEST_BYTES: u64 = 16 << 20;
/// When to ask again for what should be there already: as the listener tells those who come too early.
const OVERDUE_SECS: i64 = 5;
/// The longest time that a client is sent away for.
const LONGEST_SECS: i64 = 60;
/// Characters of a reason that are told.
const REASON_CHARS: usize = 500;

/// What a missing file's manifest says of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// It has been published meanwhile.
    Here,
    /// It has the other ending.
    Elsewhere(String),
    /// It is being made; worth asking again in so many seconds.
    Coming(i64),
    /// It will not come; this is why.
    Never(String),
    /// Nobody knows of it.
    Unknown,
}

/// Looks for the manifest of the missing file at `path`. Without patience this fails with `WouldBlock` when there is one.
pub(crate) fn awaited(
    folder: &Folder,
    path: &Path,
    context: &Context,
    patience: Patience,
) -> io::Result<Awaited> {
    let Some((name, manifest)) = manifest_path(path) else { return Ok(Awaited::Unknown) };
    let Found::File(file, _) = folder.find(&manifest, patience)? else { return Ok(Awaited::Unknown) };
    if patience == Patience::None {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let outline = match Outline::read(File::from(file).take(LARGEST_BYTES)) {
        Ok(outline) if outline.name == name => outline,
        read => {
            context.note("manifest", read.err().unwrap_or_else(|| "that of other evidence".to_owned()));
            return Ok(Awaited::Unknown);
        }
    };
    context.note("evidence", outline.state);
    Ok(of(&outline, path, Timestamp::now()))
}

/// The name of the evidence at `path`, and where its manifest is.
fn manifest_path(path: &Path) -> Option<(&str, PathBuf)> {
    let file = path.file_name().and_then(OsStr::to_str)?;
    let name = ENDINGS.into_iter().find_map(|ending| file.strip_suffix(ending))?;
    Manifest::is_name(name).then(|| (name, path.with_file_name(format!("{name}{MANIFEST_SUFFIX}"))))
}

fn of(manifest: &Outline, path: &Path, now: Timestamp) -> Awaited {
    match &manifest.file {
        Some(file) if path.file_name() == Some(OsStr::new(file)) => Awaited::Here,
        Some(file) if Manifest::is_name(file) => Awaited::Elsewhere(file.clone()),
        _ if manifest.open => Awaited::Coming(patience_secs(manifest.asked.to, now)),
        _ => {
            let what = match manifest.state {
                State::NoMatch => "No packets matched",
                _ => "There is no evidence",
            };
            Awaited::Never(match &manifest.reason {
                Some(reason) => format!("{what}: {}", one_line(reason)),
                None => what.to_owned(),
            })
        }
    }
}

/// Seconds until a window that ends at `end` is over.
fn patience_secs(end: Timestamp, now: Timestamp) -> i64 {
    let ahead = end.as_nanos().saturating_sub(now.as_nanos());
    if ahead <= 0 { OVERDUE_SECS } else { (ahead / NANOS_PER_SEC + 1).min(LONGEST_SECS) }
}

fn one_line(text: &str) -> String {
    let printable = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().take(REASON_CHARS).map(printable).collect()
}

impl Awaited {
    /// The answer to who asked for the file.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::Here | Self::Unknown => told(StatusCode::NOT_FOUND, "Not Found", None),
            Self::Elsewhere(file) => {
                let place = header_text(file);
                told(StatusCode::TEMPORARY_REDIRECT, "See the other file", Some((LOCATION, place)))
            }
            Self::Coming(secs) => {
                let text = format!("The evidence is being collected. Ask again in {secs} s.");
                told(StatusCode::ACCEPTED, &text, Some((RETRY_AFTER, HeaderValue::from(*secs))))
            }
            Self::Never(why) => told(StatusCode::NOT_FOUND, why, None),
        }
    }
}

/// The next answer may be another: caches ask before they tell.
fn told(status: StatusCode, text: &str, header: Option<(HeaderName, HeaderValue)>) -> Reply {
    let mut reply = reply::text(status, text.to_owned());
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some((name, value)) = header {
        reply.headers_mut().insert(name, value);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_has_a_manifest_beside_it() {
        let found = |path: &'static str| manifest_path(Path::new(path));
        assert_eq!(found("a.1.pcap"), Some(("a.1", "a.1.json".into())));
        assert_eq!(found("day/a.pcapng"), Some(("a", "day/a.json".into())));
        for path in ["a.json", "a", "a.PCAP", ".pcap", "a b.pcap", "ł.pcap", "a.pcap.gz"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn who_waits_is_told_for_how_long() {
        let at = Timestamp::from_secs(1_000);
        let patience = |nanos: i64| patience_secs(Timestamp::from_nanos(at.as_nanos() + nanos), at);
        assert_eq!(patience(1), 1);
        assert_eq!(patience(41_500_000_000), 42);
        assert_eq!(patience(86_400 * NANOS_PER_SEC), LONGEST_SECS);
        for over in [0, -1, -86_400 * NANOS_PER_SEC] {
            assert_eq!(patience(over), OVERDUE_SECS);
        }
    }
}
