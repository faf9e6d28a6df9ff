//! The status of a recorder.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcapx_core::time::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::{Unsealed, nanos};

/// The name of the status file, in the timeline folder of a recorder.
pub const STATUS_NAME: &str = ".pcapx-recorder.json";
/// What it is called until it is whole.
const HIDDEN_NAME: &str = ".pcapx-recorder.json.new";
/// As the segments: owner writes, group reads.
const FILE_MODE: u32 = 0o640;
/// A status is two kilobytes; what is much longer is none.
const STATUS_BYTES_MOST: u64 = 64 << 10;
/// A recorder tells every second. One that has not for so long is stopped, stuck, or on a machine that was.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// What a recorder is doing, has done since its start, and keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecorderStatus {
    /// Program and version: `pcapx-recorder 0.1.0`.
    pub program: String,
    /// The number of its process.
    pub process: u32,
    /// The interfaces or files that are recorded.
    #[serde(default)]
    pub sources: Vec<String>,
    /// When it began.
    #[serde(rename = "started_at_ns", with = "nanos")]
    pub started_at: Timestamp,
    /// When this was written.
    #[serde(rename = "written_at_ns", with = "nanos")]
    pub written_at: Timestamp,
    /// `false` is its last word.
    pub running: bool,

    /// Every packet with an earlier time stamp that is ever recorded can be found by a query that begins now; `None` before
    /// the first look. It goes on with the clock when no packets come.
    #[serde(rename = "searchable_up_to_ns", with = "nanos::option", default)]
    pub searchable_up_to: Option<Timestamp>,
    /// The time of the oldest packet kept; `None` when there is none.
    #[serde(rename = "oldest_kept_ns", with = "nanos::option", default)]
    pub oldest_kept: Option<Timestamp>,

    /// Packets taken from the sources since the start, those that the filter left out included.
    #[serde(default)]
    pub packets_received: u64,
    /// Packets that the filter left out.
    #[serde(default)]
    pub packets_filtered: u64,
    /// Packets handed over to be written.
    #[serde(default)]
    pub packets_recorded: u64,
    /// Packets of which only the beginning is recorded: they are longer than what is kept of each.
    #[serde(default)]
    pub packets_cut: u64,
    /// Bytes of the packets received, as they were on the wire.
    #[serde(default)]
    pub bytes_received: u64,
    /// Bytes of segments written.
    #[serde(default)]
    pub bytes_written: u64,
    /// Packets that the kernel dropped because the ring was full.
    #[serde(default)]
    pub kernel_drops: u64,
    /// Packets that were taken from the ring and could not be stored.
    #[serde(default)]
    pub recorder_drops: u64,
    /// How often the ring was full.
    #[serde(default)]
    pub ring_freezes: u64,
    /// Segments that got their names.
    #[serde(default)]
    pub segments_sealed: u64,
    /// Segments removed to make room.
    #[serde(default)]
    pub segments_removed: u64,
    /// Segments whose indexes do not tell yet what was lost meanwhile; as of when
    /// [`searchable_up_to`](Self::searchable_up_to) was, or later.
    #[serde(default)]
    pub unsealed: Vec<Unsealed>,

    /// Packets received in the last second.
    #[serde(default)]
    pub packets_per_second: f64,
    /// Bits on the wire in the last second.
    #[serde(default)]
    pub bits_per_second: f64,
    /// Packets dropped in the last second, by whom ever.
    #[serde(default)]
    pub drops_per_second: f64,
    /// The greatest rate of packets over 10 ms within the last second.
    #[serde(default)]
    pub burst_packets_per_second: f64,
    /// The greatest rate of bits over 10 ms within the last second.
    #[serde(default)]
    pub burst_bits_per_second: f64,
    /// How full the ring was at most in the last second, 0 to 1.
    #[serde(default)]
    pub ring_fill: f64,
    /// How full the queue to the disk was at most in the last second, 0 to 1.
    #[serde(default)]
    pub queue_fill: f64,
    /// The slowest write of the last second, in milliseconds.
    #[serde(default)]
    pub slowest_write_ms: f64,

    /// Bytes that all segments and indexes take on the disk.
    #[serde(default)]
    pub bytes_kept: u64,
    /// The most that they may take.
    #[serde(default)]
    pub disk_limit_bytes: u64,
    /// Bytes that are free on the volume.
    #[serde(default)]
    pub disk_free_bytes: u64,
}

/// Whether there is a recorder behind a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecorderState {
    /// It has told within the last seconds.
    Recording,
    /// It ended, and said so.
    Ended,
    /// It has not told for some seconds and not said why: it was killed, or is stuck.
    Silent,
}

/// Why a folder tells no status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// There is no file: no recorder of ours writes to this timeline.
    #[error("no recorder of pcapx writes to {folder:?}")]
    Missing {
        /// The timeline.
        folder: PathBuf,
    },
    /// The file cannot be read.
    #[error("the recorder's status {path:?} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is not what a recorder writes: cut short, or another program's.
    #[error("{path:?} is not the status of a recorder: {reason}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl RecorderStatus {
    /// What the recorder of the timeline `folder` has told last.
    pub fn read(folder: &Path) -> Result<Self, StatusError> {
        let path = folder.join(STATUS_NAME);
        let bytes = match bytes_of(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(StatusError::Missing { folder: folder.to_owned() });
            }
            Err(source) => return Err(StatusError::Unreadable { path, source }),
        };
        let foreign = |reason: String| StatusError::Foreign { path: path.clone(), reason };
        if bytes.len() as u64 > STATUS_BYTES_MOST {
            return Err(foreign(format!("it is longer than {STATUS_BYTES_MOST} bytes")));
        }
        serde_json::from_slice(&bytes).map_err(|e| foreign(e.to_string()))
    }

    /// Replaces what the timeline `folder` tells. Who reads sees the status before or this one.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let hidden = folder.join(HIDDEN_NAME);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&hidden)?;
        // Not brought to the disk: after a power failure nobody asks what a recorder of then was doing.
        file.write_all(&text).and_then(|()| fs::rename(&hidden, folder.join(STATUS_NAME))).inspect_err(|_| {
            // A full disk keeps half of it; the next turn would write over it, a last one would leave it.
            let _ = fs::remove_file(&hidden);
        })
    }

    /// Whether there is a recorder behind this, when the clock says `now`.
    pub fn state(&self, now: Timestamp) -> RecorderState {
        let (earliest, latest) = (now.saturating_sub(FRESH_FOR), now.saturating_add(FRESH_FOR));
        if !self.running {
            RecorderState::Ended
        } else if (earliest..=latest).contains(&self.written_at) {
            RecorderState::Recording
        } else {
            RecorderState::Silent
        }
    }

    /// Whether packets up to and with `time` can all be found now, as far as they are ever recorded.
    pub fn is_searchable(&self, time: Timestamp) -> bool {
        self.searchable_up_to.is_some_and(|up_to| time < up_to)
    }
}

/// The bytes of a regular file, one more than a status has at most; a pipe or a link is none.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(STATUS_BYTES_MOST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> RecorderStatus {
        let text = r#"{"program": "pcapx-recorder 0.1.0", "process": 7, "started_at_ns": 1700000000000000001,
            "written_at_ns": 1700000000000000002, "running": true}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let written = RecorderStatus {
            sources: vec!["eth0".into(), "eth\"1\n".into()],
            searchable_up_to: Some(Timestamp::from_nanos(1_700_000_000_123_456_789)),
            packets_received: u64::MAX,
            bits_per_second: 1e9 / 3.0,
            unsealed: vec![Unsealed { file: "1.000002.pcap".into(), kernel_drops: 3, recorder_drops: 4 }],
            ..status()
        };
        for _ in 0..2 {
            written.write(dir.path()).unwrap();
            assert_eq!(RecorderStatus::read(dir.path()).unwrap(), written);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn fields_of_later_versions_are_passed_over_and_those_of_earlier_ones_may_be_missing() {
        assert_eq!((status().searchable_up_to, status().kernel_drops), (None, 0));
        let text = serde_json::to_string(&status()).unwrap().replacen('{', "{\"new\": [1], ", 1);
        assert_eq!(serde_json::from_str::<RecorderStatus>(&text).unwrap(), status());
    }

    #[test]
    fn a_status_is_fresh_for_some_seconds() {
        let secs = Duration::from_secs;
        let status = status();
        assert_eq!(status.state(status.written_at.saturating_add(secs(5))), RecorderState::Recording);
        assert_eq!(status.state(status.written_at.saturating_add(secs(6))), RecorderState::Silent);
        // The clock was set back since.
        assert_eq!(status.state(status.written_at.saturating_sub(secs(6))), RecorderState::Silent);
        let last = RecorderStatus { running: false, ..status.clone() };
        assert_eq!(last.state(status.written_at), RecorderState::Ended);
    }

    #[test]
    fn a_time_is_searchable_when_what_came_before_it_is() {
        let at = Timestamp::from_nanos;
        let status = RecorderStatus { searchable_up_to: Some(at(10)), ..status() };
        assert!(status.is_searchable(at(9)) && !status.is_searchable(at(10)));
        assert!(!RecorderStatus { searchable_up_to: None, ..status }.is_searchable(at(9)));
    }

    #[test]
    fn what_is_no_status_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(STATUS_NAME);
        assert!(matches!(RecorderStatus::read(dir.path()), Err(StatusError::Missing { .. })));
        let whole = serde_json::to_vec(&status()).unwrap();
        let mut foreign =
            vec![Vec::new(), b"{}".to_vec(), b"[]".to_vec(), vec![0; 4096], vec![b' '; 1 << 20]];
        foreign.extend((1..whole.len()).step_by(7).map(|cut| whole[..cut].to_vec()));
        for bytes in foreign {
            fs::write(&path, &bytes).unwrap();
            let error = RecorderStatus::read(dir.path()).unwrap_err();
            assert!(matches!(error, StatusError::Foreign { .. }), "{} bytes: {error}", bytes.len());
        }
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        assert!(matches!(RecorderStatus::read(dir.path()), Err(StatusError::Unreadable { .. })));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(matches!(RecorderStatus::read(dir.path()), Err(StatusError::Unreadable { .. })));
    }
}
