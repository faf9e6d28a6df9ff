//! The one log line of a job.
//!
//! ```text
//! job id=3f9a01-7 peer=10.0.0.9 user=sycope alert=alert_12345 name="Suspicious traffic" mode=full
//!     filter="tcp and host 10.0.0.10 and port 443" window=2026-03-01T09:05:12…Z..2026-03-01T09:17:12…Z
//!     extractor=builtin outcome=complete file=20260301_101112_alert_12345.pcap packets=42 bytes=31337
//!     segments=3 excluded=1 unread=0 scanned=120415 in_window=80211 ms=18.204
//! ```
//!
//! (One line in the log.) `segments` were read, as a whole or where their indexes point; those `excluded` have packets in
//! the window and none that matches, their indexes say. `scanned` and `in_window` count packets that were looked at. `id` is the request's, as on its access line. What is not known is left out. Texts from
//! outside are escaped and bounded by [`LogValue`]; whoever reads the log can trust its line ends and blanks.

use std::fmt;
use std::time::Duration;

use pcapx_core::manifest::{About, Manifest, Search, State};
use pcapx_core::window::Window;
use pcapx_http::LogValue;

use crate::extractor::CutError;
use crate::jobs::Origin;

/// Bytes of the filter's text that are shown: some dozen hosts.
const FILTER_BOUND_BYTES: usize = 1000;
/// Bytes of the list of refused fields that are shown.
const REFUSED_BOUND_BYTES: usize = 1000;
/// Bytes of a failure's reason that are shown: all that is kept of a program's stderr, and a sentence.
const DETAIL_BOUND_BYTES: usize = 4096 + 200;

/// The line of a job that was searched for.
#[derive(Debug)]
pub(crate) struct JobLine<'a> {
    manifest: &'a Manifest,
    error: Option<&'a CutError>,
    took: Duration,
}

/// The line of an alert that no filter can be made of.
#[derive(Debug)]
pub(crate) struct NoFilterLine<'a> {
    /// Who asked.
    pub(crate) origin: &'a Origin,
    /// What the alert says of itself.
    pub(crate) about: &'a About,
    /// The filter mode.
    pub(crate) mode: &'a str,
    /// The window asked for.
    pub(crate) window: Window,
    /// What was not used of alert and request, and why.
    pub(crate) refused: &'a [String],
}

impl<'a> JobLine<'a> {
    /// The line of `manifest` after a search that took so long, and why that failed.
    pub(crate) const fn new(manifest: &'a Manifest, error: Option<&'a CutError>, took: Duration) -> Self {
        Self { manifest, error, took }
    }

    /// Writes the line, louder when the job failed.
    pub(crate) fn log(&self) {
        let level = if self.manifest.failure.is_some() { log::Level::Warn } else { log::Level::Info };
        log::log!(level, "{self}");
    }
}

/// What became of a job, in a word.
pub(crate) fn word(manifest: &Manifest) -> &'static str {
    use pcapx_core::manifest::Failure;
    match (manifest.failure, manifest.state) {
        (Some(Failure::Timeout | Failure::NpcapextractTimeout), _) => "timeout",
        (Some(Failure::Cancelled), _) => "cancelled",
        (Some(Failure::NoSpace), _) => "no-space",
        (Some(_), _) | (None, State::Failed) => "failed",
        (None, State::Queued) => "queued",
        (None, State::Partial) if manifest.open => "open",
        (None, State::Partial) => "partial",
        (None, State::Complete) => "complete",
        (None, State::NoMatch) => "no-match",
    }
}

impl fmt::Display for JobLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manifest = self.manifest;
        let request = &manifest.request;
        write!(f, "job id={} peer={} user={}", request.id, request.peer, LogValue::new(&request.user))?;
        if let Some(about) = &manifest.about {
            write!(f, " alert={} name={}", LogValue::new(&about.id), LogValue::new(&about.name))?;
        }
        if let Some(mode) = &manifest.mode {
            write!(f, " mode={mode}")?;
        }
        write!(f, " filter={}", LogValue::new(&manifest.filter).bounded(FILTER_BOUND_BYTES))?;
        let (from, to) = (manifest.asked.from, manifest.asked.to);
        write!(f, " window={from}..{to} extractor={} outcome={}", manifest.extractor, word(manifest))?;
        if let Some(file) = &manifest.file {
            write!(f, " file={}", LogValue::new(file))?;
        }
        for (key, count) in [("packets", manifest.packets), ("bytes", manifest.bytes)] {
            if let Some(count) = count {
                write!(f, " {key}={count}")?;
            }
        }
        if let Some(Search { segments, excluded, unread, scanned, in_window }) = manifest.search {
            write!(
                f,
                " segments={segments} excluded={excluded} unread={unread} scanned={scanned} in_window={in_window}"
            )?;
        }
        refused(f, &manifest.refused)?;
        if let Some(reason) = manifest.reason.as_ref().filter(|_| self.error.is_none()) {
            write!(f, " reason={}", LogValue::new(reason).bounded(DETAIL_BOUND_BYTES))?;
        }
        if let Some(error) = self.error {
            let detail = error.to_string();
            write!(f, " detail={}", LogValue::new(&detail).bounded(DETAIL_BOUND_BYTES))?;
        }
        write!(f, " ms={:.3}", self.took.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for NoFilterLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, about, mode, window, refused: values } = self;
        write!(f, "job id={} peer={} user={}", origin.request, origin.peer, LogValue::new(&origin.user))?;
        write!(f, " alert={} name={}", LogValue::new(&about.id), LogValue::new(&about.name))?;
        write!(f, " mode={mode} window={window} outcome=no-filter")?;
        refused(f, values)
    }
}

fn refused(f: &mut fmt::Formatter<'_>, values: &[String]) -> fmt::Result {
    if values.is_empty() {
        return Ok(());
    }
    let values = values.join("; ");
    write!(f, " refused={}", LogValue::new(&values).bounded(REFUSED_BOUND_BYTES))
}

#[cfg(test)]
mod tests {
    use pcapx_core::manifest::{Failure, Span};
    use pcapx_core::time::Timestamp;

    use super::*;
    use crate::jobs::tests::manifest;

    #[test]
    fn one_line_with_everything_in_its_place() {
        let mut told = manifest("20260301_101112_a");
        told.request.id = "0a0b0c-1".to_owned();
        told.request.peer = "10.0.0.9".to_owned();
        told.about = Some(About {
            id: "a\nb".to_owned(),
            name: "x\u{1b}[31m outcome=complete".to_owned(),
            time: Timestamp::from_secs(1),
        });
        told.mode = Some("full".to_owned());
        told.asked =
            Span { from: Timestamp::from_secs(1_772_356_272), to: Timestamp::from_secs(1_772_356_273) };
        (told.state, told.open) = (State::Complete, false);
        (told.file, told.packets, told.bytes) =
            (Some("20260301_101112_a.pcap".to_owned()), Some(3), Some(400));
        told.search = Some(Search { segments: 1, excluded: 4, unread: 2, scanned: 30, in_window: 20 });
        told.refused = vec!["clientIp: not an address".to_owned(), "filter: unknown mode".to_owned()];
        let took = Duration::from_micros(1500);
        assert_eq!(
            JobLine::new(&told, None, took).to_string(),
            "job id=0a0b0c-1 peer=10.0.0.9 user=- alert=\"a\\x0ab\" name=\"x\\x1b[31m outcome=complete\" mode=full \
             filter=\"host 10.0.0.1\" \
             window=2026-03-01T09:11:12.000000000Z..2026-03-01T09:11:13.000000000Z extractor=builtin \
             outcome=complete file=20260301_101112_a.pcap packets=3 bytes=400 segments=1 excluded=4 unread=2 scanned=30 in_window=20 \
             refused=\"clientIp: not an address; filter: unknown mode\" ms=1.500"
        );

        (told.state, told.failure) = (State::Failed, Some(Failure::NpcapextractFailed));
        (told.file, told.packets, told.bytes, told.search) = (None, None, None, None);
        told.refused.clear();
        let error = CutError::Failed("exit status: 3, stderr: \"no\x07\"".to_owned());
        let line = JobLine::new(&told, Some(&error), took).to_string();
        let tail =
            "extractor=builtin outcome=failed detail=\"exit status: 3, stderr: \\\"no\\x07\\\"\" ms=1.500";
        assert!(line.ends_with(tail), "{line}");
    }
}
