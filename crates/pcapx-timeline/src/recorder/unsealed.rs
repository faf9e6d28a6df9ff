//! Losses that no index tells of yet.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::coverage::Drops;

/// A segment that is being written or sealed, and what was lost while it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsealed {
    /// The name that it gets: `1772356272.123456.pcap`.
    pub file: String,
    /// Packets that the kernel dropped so far.
    pub kernel_drops: u64,
    /// Packets that could not be stored so far.
    pub recorder_drops: u64,
}

impl Unsealed {
    /// Whether this is the file at `path`, by the name that it has or by the one while it is written.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.strip_suffix(".tmp").unwrap_or(name) == self.file)
    }

    /// What was lost.
    pub(crate) fn drops(&self) -> Drops {
        Drops { kernel: Some(self.kernel_drops), recorder: Some(self.recorder_drops) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_known_by_either_of_its_names() {
        let unsealed = Unsealed { file: "7.000001.pcap".into(), kernel_drops: 1, recorder_drops: 2 };
        for (path, expected) in [
            ("/t/1/7.000001.pcap", true),
            ("7.000001.pcap.tmp", true),
            ("/t/7.000001.pcap/x", false),
            ("/t/17.000001.pcap", false),
            ("/t/7.000001.pcap.tmp.tmp", false),
            ("/", false),
        ] {
            assert_eq!(unsealed.is_at(Path::new(path)), expected, "{path}");
        }
        assert_eq!(unsealed.drops().total(), Some(3));
    }
}
