//! What tells two states of a file apart: entity tag and date (RFC 9110 §8.8).

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;
use pcapx_http::reply::header_text;
use rustix::fs::Stat;

/// The last second that an HTTP date can tell: 9999-12-31 23:59:59.
const LAST_HTTP_SECOND: u64 = 253_402_300_799;

/// Validators of one open file.
#[derive(Debug, Clone)]
pub(crate) struct Validators {
    /// A strong tag: inode, length and time of the last change in nanoseconds. Files of the folder are replaced by
    /// rename and never rewritten in place, so an inode stands for one content.
    pub(crate) tag: String,
    /// The last change, in whole seconds, never in the future.
    pub(crate) modified: SystemTime,
    /// Whether the change is older than a second, so that no other change can carry the same date.
    pub(crate) date_is_strong: bool,
}

impl Validators {
    pub(crate) fn of(stat: &Stat, now: SystemTime) -> Self {
        let mut tag = String::with_capacity(40);
        // Writing into a String cannot fail.
        let _ = write!(
            tag,
            "\"{:x}-{:x}-{:x}.{:x}\"",
            stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec
        );
        let changed = u64::try_from(stat.st_mtime).unwrap_or(0);
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).min(LAST_HTTP_SECOND);
        Validators {
            tag,
            modified: UNIX_EPOCH + Duration::from_secs(changed.min(now)),
            date_is_strong: changed + 1 < now,
        }
    }

    /// `ETag`.
    pub(crate) fn tag_header(&self) -> HeaderValue {
        header_text(&self.tag)
    }

    /// `Last-Modified`.
    pub(crate) fn modified_header(&self) -> HeaderValue {
        header_text(&httpdate::fmt_http_date(self.modified))
    }
}
