//! Traces that are generated once and kept.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::say;
use crate::trace::Trace;

/// A folder in which each trace has a folder of its own, named by what it is made of.
#[derive(Clone, Debug)]
pub struct Shelf(PathBuf);

impl Shelf {
    /// The traces below `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder of `trace`, recorded in files of `file_duration`; it is generated when it is not there yet.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn trace(&self, trace: &Trace, file_duration: Duration) -> PathBuf {
        let folder = self.0.join(format!("trace-{}-{}s", trace.name(), file_duration.as_secs()));
        if !folder.is_dir() {
            let partial = folder.with_extension("partial");
            let _ = fs::remove_dir_all(&partial);
            eprintln!("generating {}, once", folder.display());
            let progress = |done: u64| say(&format!("{} MB", done / 1_000_000));
            trace.write_rolling(&partial, file_duration, progress).expect("the trace is written");
            fs::rename(&partial, &folder).expect("the trace gets its name");
            say("");
        }
        folder
    }
}

/// The capture files of a trace, oldest first.
///
/// # Panics
/// When `folder` is no trace.
pub fn segments(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    };
    let mut files: Vec<_> = list(folder).iter().flat_map(|folder| list(folder)).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    files.sort();
    files
}

/// How many packets a little-endian pcap file has.
///
/// # Panics
/// When it cannot be read.
pub fn count_packets(path: &Path) -> u64 {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).expect("a capture file"));
    let mut header = [0; 24];
    file.read_exact(&mut header).expect("a file header");
    let (mut count, mut record) = (0, [0; 16]);
    while file.read_exact(&mut record).is_ok() {
        let [.., a, b, c, d, _, _, _, _] = record;
        let len = i64::from(u32::from_le_bytes([a, b, c, d]));
        file.seek_relative(len).expect("a packet");
        count += 1;
    }
    count
}
