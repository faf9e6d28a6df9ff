//! What a query met that its answer does not show: files that could not be used, or not to their end.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::link::LinkType;
use crate::segment::SegmentError;

/// Something about one file that the reader of an answer should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file or folder.
    pub path: PathBuf,
    /// What is the matter with it.
    pub kind: WarningKind,
}

/// What is the matter with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// It cannot be opened or listed.
    Unreadable(String),
    /// It was there when the timeline was listed and is not any more.
    Vanished,
    /// A link whose target is gone.
    DanglingLink,
    /// A folder in too many others to be looked into.
    TooDeep,
    /// It is no capture file.
    NotSearched(String),
    /// It is a capture of a kind that is not read.
    Unsupported(String),
    /// Its packets were read up to the place that is damaged.
    Damaged(String),
    /// It ends inside the record that begins at this byte.
    CutShort(u64),
    /// Its packets cannot be searched for addresses.
    LinkTypeUnknown(LinkType),
    /// It has an index that was not used: all of it was searched.
    IndexNotUsed(String),
}

impl Warning {
    /// How a segment's error reads as a warning: the query goes on without the file, or without the rest of it.
    pub(crate) fn of_error(path: PathBuf, error: &SegmentError) -> Self {
        let kind = match error {
            SegmentError::Io(e) if e.kind() == std::io::ErrorKind::NotFound => WarningKind::Vanished,
            SegmentError::Io(e) => WarningKind::Unreadable(e.to_string()),
            SegmentError::Damaged { .. } => WarningKind::Damaged(error.to_string()),
            // Something has been written over its beginning, or it never reached the disk.
            SegmentError::NotACapture { .. } if is_capture_name(&path) => {
                WarningKind::Damaged(error.to_string())
            }
            SegmentError::TooShort { .. } | SegmentError::NotACapture { .. } => {
                WarningKind::NotSearched(error.to_string())
            }
            SegmentError::Unsupported { .. } => WarningKind::Unsupported(error.to_string()),
        };
        Self { path, kind }
    }
}

/// Whether a recorder would call a capture like that: `x.pcap`, `x.pcap.tmp`, Suricata's `log.pcap.1739100000`.
fn is_capture_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut endings = name.rsplit('.').skip_while(|ending| *ending == "tmp" || is_number(ending));
    endings.next().is_some_and(|ending| matches!(ending, "pcap" | "pcapng" | "cap" | "dmp"))
}

impl WarningKind {
    /// Whether packets of the window can be missing from the answer because of it.
    pub fn may_hide_packets(&self) -> bool {
        match self {
            Self::Unreadable(_)
            | Self::Vanished
            | Self::TooDeep
            | Self::Unsupported(_)
            | Self::Damaged(_)
            | Self::LinkTypeUnknown(_) => true,
            // What a link pointed to has been rotated away; a record cut short was never whole.
            Self::DanglingLink | Self::NotSearched(_) | Self::CutShort(_) | Self::IndexNotUsed(_) => false,
        }
    }

    /// Whether it was a capture file that could be searched, or would be if it could be read.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Vanished | Self::Damaged(_))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ", self.path)?;
        match &self.kind {
            WarningKind::Unreadable(why) => write!(f, "cannot be read: {why}"),
            WarningKind::Vanished => f.write_str("is gone since the timeline was listed"),
            WarningKind::TooDeep => f.write_str("is not looked into: it lies in too many folders"),
            WarningKind::DanglingLink => f.write_str("is a link to a file that is gone"),
            WarningKind::NotSearched(why) | WarningKind::Unsupported(why) | WarningKind::Damaged(why) => {
                f.write_str(why)
            }
            WarningKind::CutShort(offset) => write!(f, "ends inside the record at byte {offset}"),
            WarningKind::IndexNotUsed(why) => write!(f, "was searched as a whole: {why}"),
            WarningKind::LinkTypeUnknown(link) => {
                write!(f, "has packets of {link}, which cannot be searched for addresses, ports or protocols")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_called_a_capture_and_is_none_is_damaged() {
        for (name, is_capture) in [
            ("1739100000.000001.pcap", true),
            ("x.pcapng.tmp", true),
            ("log.pcap.1739100000", true),
            ("a.cap", true),
            ("x.pcap.gz", false),
            ("notes.txt", false),
            ("pcap", true),
            ("1739100000", false),
            ("x.pcapx", false),
        ] {
            assert_eq!(is_capture_name(Path::new("/t").join(name).as_path()), is_capture, "{name}");
        }
    }
}
