//! The one log line of a job.
//!
//! ```text
//! job id=3f9a01-7 peer=10.0.0.9 user=sycope alert=alert_12345 name="Suspicious traffic" mode=full
//!     filter="tcp and host 10.0.0.10 and port 443" window=2026-03-01T09:05:12…Z..2026-03-01T09:17:12…Z
//!     extractor=builtin outcome=packets file=20260301_101112_alert_12345.pcap packets=42 bytes=31337
//!     segments=3 excluded=1 unread=0 scanned=120415 in_window=80211 ms=18.204
//! ```
//!
//! (One line in the log.) `segments` were read, as a whole or where their indexes point; those `excluded` have packets in
//! the window and none that matches, their indexes say. `scanned` and `in_window` count packets that were looked at. `id` is the request's, as on its access line. What is not known is left out. Texts from
//! outside are escaped and bounded by [`LogValue`]; whoever reads the log can trust its line ends and blanks.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use pcapx_core::window::Window;
use pcapx_http::LogValue;

use crate::extractor::Search;
use crate::outcome::Outcome;

/// Bytes of the filter's text that are shown: some dozen hosts.
const FILTER_BOUND_BYTES: usize = 1000;
/// Bytes of the list of refused fields that are shown.
const REFUSED_BOUND_BYTES: usize = 1000;
/// Bytes of a failure's reason that are shown: all that is kept of a program's stderr, and a sentence.
const DETAIL_BOUND_BYTES: usize = 4096 + 200;

/// Everything worth telling of one job.
#[derive(Debug)]
pub(crate) struct JobLine<'a> {
    /// The request's id.
    pub(crate) request: &'a str,
    /// The TCP peer that posted the alert.
    pub(crate) peer: IpAddr,
    /// As whom it posted.
    pub(crate) user: &'a str,
    /// The alert's id, as it came.
    pub(crate) alert: &'a str,
    /// The alert's name, as it came.
    pub(crate) name: &'a str,
    /// The filter mode.
    pub(crate) mode: &'a str,
    /// The filter, if there is one.
    pub(crate) filter: Option<&'a str>,
    /// The window asked for.
    pub(crate) window: Window,
    /// The extractor's name.
    pub(crate) extractor: &'a str,
    /// How it ended.
    pub(crate) outcome: &'a Outcome,
    /// Packets found.
    pub(crate) packets: Option<u64>,
    /// The file's length.
    pub(crate) bytes: Option<u64>,
    /// What was searched, where that is known.
    pub(crate) search: Option<Search>,
    /// What was not used of alert and request, and why.
    pub(crate) refused: &'a [String],
    /// Why it failed.
    pub(crate) detail: Option<&'a str>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl JobLine<'_> {
    /// Writes the line, louder when the job failed.
    pub(crate) fn log(&self) {
        let level = match self.outcome {
            Outcome::Packets { .. } | Outcome::NoFilter | Outcome::NoMatch { .. } => log::Level::Info,
            _ => log::Level::Warn,
        };
        log::log!(level, "{self}");
    }
}

impl fmt::Display for JobLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job id={} peer={} user={}", self.request, self.peer, LogValue::new(self.user))?;
        write!(f, " alert={} name={}", LogValue::new(self.alert), LogValue::new(self.name))?;
        write!(f, " mode={}", self.mode)?;
        if let Some(filter) = self.filter {
            write!(f, " filter={}", LogValue::new(filter).bounded(FILTER_BOUND_BYTES))?;
        }
        write!(f, " window={} extractor={}", self.window, self.extractor)?;
        write!(f, " outcome={}", self.outcome.word())?;
        if let Outcome::Packets { file } = self.outcome {
            write!(f, " file={}", LogValue::new(file))?;
        }
        for (key, count) in [("packets", self.packets), ("bytes", self.bytes)] {
            if let Some(count) = count {
                write!(f, " {key}={count}")?;
            }
        }
        if let Some(Search { segments, excluded, unread, scanned, in_window }) = self.search {
            write!(
                f,
                " segments={segments} excluded={excluded} unread={unread} scanned={scanned} in_window={in_window}"
            )?;
        }
        if !self.refused.is_empty() {
            let refused = self.refused.join("; ");
            write!(f, " refused={}", LogValue::new(&refused).bounded(REFUSED_BOUND_BYTES))?;
        }
        if let Some(detail) = self.detail {
            write!(f, " detail={}", LogValue::new(detail).bounded(DETAIL_BOUND_BYTES))?;
        }
        write!(f, " ms={:.3}", self.took.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use pcapx_core::time::Timestamp;

    use super::*;

    #[test]
    fn one_line_with_everything_in_its_place() {
        let outcome = Outcome::Packets { file: "20260301_101112_a.pcap".to_owned() };
        let (start, end) = (Timestamp::from_secs(1_772_356_272), Timestamp::from_secs(1_772_356_273));
        let mut line = JobLine {
            request: "0a0b0c-1",
            peer: "10.0.0.9".parse().unwrap(),
            user: "-",
            alert: "a\nb",
            name: "x\u{1b}[31m outcome=packets",
            mode: "full",
            filter: Some("host 10.0.0.1"),
            window: Window::new(start, end).unwrap(),
            extractor: "builtin",
            outcome: &outcome,
            packets: Some(3),
            bytes: Some(400),
            search: Some(Search { segments: 1, excluded: 4, unread: 2, scanned: 30, in_window: 20 }),
            refused: &["clientIp: not an address".to_owned(), "filter: unknown mode".to_owned()],
            detail: None,
            took: Duration::from_micros(1500),
        };
        assert_eq!(
            line.to_string(),
            "job id=0a0b0c-1 peer=10.0.0.9 user=- alert=\"a\\x0ab\" name=\"x\\x1b[31m outcome=packets\" mode=full \
             filter=\"host 10.0.0.1\" \
             window=2026-03-01T09:11:12.000000000Z..2026-03-01T09:11:13.000000000Z extractor=builtin \
             outcome=packets file=20260301_101112_a.pcap packets=3 bytes=400 segments=1 excluded=4 unread=2 scanned=30 in_window=20 \
             refused=\"clientIp: not an address; filter: unknown mode\" ms=1.500"
        );

        line.outcome = &Outcome::NpcapextractFailed;
        (line.filter, line.packets, line.bytes, line.search, line.refused) = (None, None, None, None, &[]);
        line.detail = Some("exit status: 3, stderr: \"no\x07\"");
        assert!(line.to_string().ends_with(
            "extractor=builtin outcome=failed detail=\"exit status: 3, stderr: \\\"no\\x07\\\"\" ms=1.500"
        ));
    }
}
