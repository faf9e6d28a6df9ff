//! A trace as a recorder leaves it: files of a given duration, in folders, with a timeline of links.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;

use super::{Needle, Trace, Traffic};
use crate::capture::PcapWriter;

/// Files of one folder, before the next folder is begun.
const FILES_PER_FOLDER: usize = 8;
/// What is collected before it is written.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The files, oldest first.
    pub files: Vec<PathBuf>,
    /// Packets in all files.
    pub packets: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The time of the first packet.
    pub first: Timestamp,
    /// The time of the last packet.
    pub last: Timestamp,
    /// The planted flow.
    pub needle: Needle,
}

impl Trace {
    /// Writes `dir/<epoch.usec>/<epoch.usec>.pcap`, a file for each `file_duration`, named by its first packet as n2disk
    /// names them and with the time of its last packet as that of writing; `progress` is told the bytes written so far now and
    /// then.
    pub fn write_rolling(
        &self,
        dir: &Path,
        file_duration: Duration,
        mut progress: impl FnMut(u64),
    ) -> io::Result<Recording> {
        let mut recording = Recording::default();
        let span = i64::try_from(file_duration.as_nanos()).unwrap_or(i64::MAX).max(1);
        let mut folder = dir.to_path_buf();
        let mut open: Option<(i64, PcapWriter<BufWriter<File>>)> = None;
        for packet in self.packets() {
            let period = (packet.time.as_nanos() - self.start.as_nanos()) / span;
            let mut writer = match open.take() {
                Some((current, writer)) if current == period => writer,
                full => {
                    finish(full, recording.last)?;
                    progress(recording.bytes);
                    let name = format!("{}.{:06}", packet.time.as_secs(), packet.time.subsec_nanos() / 1000);
                    if recording.files.len().is_multiple_of(FILES_PER_FOLDER) {
                        folder = dir.join(&name);
                        fs::create_dir_all(&folder)?;
                    }
                    let path = folder.join(format!("{name}.pcap"));
                    let sink = BufWriter::with_capacity(WRITE_BUFFER_BYTES, File::create(&path)?);
                    recording.files.push(path);
                    recording.bytes += 24;
                    PcapWriter::new(self.form, sink)?
                }
            };
            recording.bytes += writer.packet(&packet)?;
            if recording.packets == 0 {
                recording.first = packet.time;
            }
            recording.packets += 1;
            recording.last = packet.time;
            if Traffic::is_needle(&packet) {
                recording.needle.packets.push(packet);
            }
            open = Some((period, writer));
        }
        finish(open, recording.last)?;
        progress(recording.bytes);
        Ok(recording)
    }
}

/// Completes a file whose last packet came at `last`.
fn finish(open: Option<(i64, PcapWriter<BufWriter<File>>)>, last: Timestamp) -> io::Result<()> {
    let Some((_, writer)) = open else { return Ok(()) };
    let file = writer.finish()?.into_inner()?;
    let since = Duration::from_nanos(u64::try_from(last.as_nanos()).unwrap_or(0));
    file.set_modified(SystemTime::UNIX_EPOCH + since)
}

/// Links `files`, whose names are `<epoch.usec>.pcap`, into a timeline as n2disk does:
/// `timeline/YYYY/MM/DD/HH/M0/<epoch.usec>.pcap` in local time, and `<file>.timeline` back beside each file.
pub fn link_timeline(timeline: &Path, files: &[PathBuf], zone: &LocalZone) -> io::Result<Vec<PathBuf>> {
    let mut links = Vec::with_capacity(files.len());
    for file in files {
        let file = fs::canonicalize(file)?;
        let name = file.file_name().unwrap_or_default();
        let seconds = name.to_string_lossy().split('.').next().and_then(|seconds| seconds.parse().ok());
        let Some(seconds) = seconds else {
            return Err(io::Error::other(format!("{} is not named by a time", file.display())));
        };
        // "YYYYmmdd_HHMMSS"
        let local = zone.compact(Timestamp::from_secs(seconds));
        let parts =
            [&local[0..4], &local[4..6], &local[6..8], &local[9..11], &format!("{}0", &local[11..12])];
        let folder = parts.iter().fold(timeline.to_path_buf(), |path, part| path.join(part));
        fs::create_dir_all(&folder)?;
        let link = folder.join(name);
        symlink(&file, &link)?;
        let mut back = file.clone().into_os_string();
        back.push(".timeline");
        symlink(&link, back)?;
        links.push(link);
    }
    Ok(links)
}
