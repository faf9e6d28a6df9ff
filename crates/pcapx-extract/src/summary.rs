//! The closing summary: what was asked, what was searched, what came out – and why, when it was nothing.

use std::fmt;
use std::time::Duration;

use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::Catalog;
use pcapx_timeline::warning::{Warning, WarningKind};

use crate::output::Answer;
use crate::request::Request;
use crate::target::Target;

/// One block of text for standard error.
#[derive(Debug)]
pub(crate) struct Summary<'s> {
    pub(crate) request: &'s Request,
    pub(crate) target: &'s Target,
    pub(crate) catalog: &'s Catalog,
    pub(crate) answer: &'s Answer,
    pub(crate) zone: &'s LocalZone,
    pub(crate) took: Duration,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        write!(f, "\n  window   {}", spoken(self.request.window, self.zone))?;
        if let Some(filter) = &self.request.filter {
            write!(f, "\n  filter   {filter}")?;
        }
        // An answer that ended early leaves files half read, which nobody has counted.
        if self.answer.extraction.limit_hit.is_none() {
            self.searched(f)?;
        }
        let hiding = self.warnings(|warning| warning.kind.may_hide_packets());
        if hiding > 0 {
            write!(f, "\n  warnings {hiding}: not every file could be searched to its end")?;
        }
        write!(f, "\n  took     {:.3} s", self.took.as_secs_f64())
    }
}

impl Summary<'_> {
    fn searched(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.answer.extraction.counts;
        let (searched, skipped) = (counts.segments, counts.segments_skipped);
        write!(f, "\n  files    {searched} searched, {skipped} skipped: outside of the window")?;
        if counts.segments_excluded > 0 {
            write!(f, ", {} excluded by their indexes", counts.segments_excluded)?;
        }
        write!(
            f,
            "\n  packets  {} looked at, {} of them in the window, {} matched",
            counts.packets_scanned, counts.packets_in_window, counts.packets_matched
        )?;
        write!(f, "\n  bytes    {} read, {} written", counts.bytes_read, self.bytes_written())
    }

    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.answer.extraction.counts;
        if counts.packets_matched == 0 {
            return write!(f, "nothing matched: {}", self.reason());
        }
        let packets = counted(counts.packets_matched, "packet");
        match (self.target, &self.answer.files[..]) {
            (Target::Listing { .. }, _) if self.answer.extraction.limit_hit.is_some() => {
                write!(f, "printed: the first {packets}, more match")
            }
            (Target::Listing { .. }, _) => write!(f, "printed: {packets}, all that match"),
            (Target::Nowhere, _) => write!(f, "found: {packets}, written nowhere"),
            (Target::Device(path), _) => write!(f, "{}: {packets}", path.display()),
            (_, []) => write!(f, "standard output: {packets}"),
            (_, [file]) => write!(f, "{}: {packets}", file.display()),
            (_, [first, .., last]) => {
                let files = self.answer.files.len();
                write!(f, "{} to {}: {packets} in {files} files", first.display(), last.display())
            }
        }
    }

    fn warnings(&self, counts: impl Fn(&Warning) -> bool) -> usize {
        self.answer.extraction.warnings.iter().filter(|warning| counts(warning)).count()
    }

    /// Files that do not stay are not counted.
    fn bytes_written(&self) -> u64 {
        match self.target {
            Target::Listing { .. } | Target::Nowhere => 0,
            _ => self.answer.extraction.counts.bytes_written,
        }
    }

    /// Why nothing matched.
    fn reason(&self) -> String {
        let counts = self.answer.extraction.counts;
        let files = self.catalog.segments().len() as u64;
        if files == 0 {
            return "there is no file in the timeline".to_owned();
        }
        if counts.segments == 0 && counts.segments_excluded == 0 {
            // An index that was not used only cost time.
            return match self.warnings(|warning| !matches!(warning.kind, WarningKind::IndexNotUsed(_))) {
                0 => format!("none of {} reaches into the window", counted(files, "file")),
                n => format!(
                    "no file that reaches into the window can be read ({})",
                    counted(n as u64, "warning")
                ),
            };
        }
        // Packets that an index tells are no match are not looked at, and so not counted.
        if counts.segments_excluded > 0 || counts.blocks_read < counts.blocks {
            let files = counted(counts.segments + counts.segments_excluded, "file");
            return format!("no packet of {files} is in the window and matches the filter");
        }
        if counts.packets_in_window == 0 {
            return format!("no packet of {} is in the window", counted(counts.segments, "file"));
        }
        format!("the filter is true of none of {} in the window", counted(counts.packets_in_window, "packet"))
    }
}

fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Both ends in local time.
fn spoken(window: Window, zone: &LocalZone) -> String {
    let end = |at: Timestamp, open_end, word: &str| match at {
        at if at == open_end => word.to_owned(),
        at => fraction(zone.spoken(at), at),
    };
    let begin = end(window.start(), Timestamp::MIN, "the first packet");
    let end = end(window.end(), Timestamp::MAX, "the last packet");
    format!("{begin} to {end}, {zone} time")
}

fn fraction(spoken: String, at: Timestamp) -> String {
    match at.subsec_nanos() {
        0 => spoken,
        nanos => format!("{spoken}.{nanos:09}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_told_in_local_time() {
        let zone = LocalZone::named("Europe/Warsaw").unwrap();
        assert_eq!(spoken(Window::ALL, &zone), "the first packet to the last packet, Europe/Warsaw time");
        let at = |nanos: i64| Timestamp::from_nanos(1_772_356_272_000_000_000 + nanos);
        let window = Window::new(at(0), at(500_000_000)).unwrap();
        let expected = "2026-03-01 10:11:12 to 2026-03-01 10:11:12.500000000, Europe/Warsaw time";
        assert_eq!(spoken(window, &zone), expected);
    }
}
