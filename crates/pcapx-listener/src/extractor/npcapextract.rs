//! The external extractor: ntop's npcapextract, or whatever stands under that name on `PATH`.
//!
//! ```text
//! npcapextract -t TIMELINE -b "YYYY-MM-DD HH:MM:SS" -e "YYYY-MM-DD HH:MM:SS" -f FILTER -o OUTPUT
//! ```
//!
//! The arguments are passed as a vector, never through a shell. Times are local and whole seconds: the begin is
//! rounded down, the end up, so that no packet of the window is lost to the missing fraction. Success is exit
//! status 0 with a file at OUTPUT; a file of size 0 means that nothing matched. OUTPUT is a hidden name.
//!
//! The program knows of no floor of free space. So the disk is looked at while it runs, and it is ended when there is too
//! little left; what it writes between two looks can be over.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcapx_core::local::LocalZone;
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};
use pcapx_core::window::Window;
use pcapx_http::LogValue;
use tokio::time;

use super::child::{self, Ending};
use super::{Cut, CutError, Haul};
use crate::cancel::Cancel;
use crate::evidence::{EvidenceFolder, sha256};

/// The program's name.
pub(super) const PROGRAM: &str = "npcapextract";
/// The environment variables of our own configuration, secrets among them, which the program has no use for.
const OWN_VARIABLES: &str = "PCAPX_";
/// How often the disk is looked at while the program writes: a disk of 2 GB/s takes half a gigabyte meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How far clocks are set back at the end of summer time.
const FOLD: Duration = Duration::from_secs(3600);

/// npcapextract, found and ready to run.
#[derive(Debug)]
pub(crate) struct Npcapextract {
    /// Where the program is.
    pub(super) program: PathBuf,
    /// The rolling capture.
    pub(super) timeline: PathBuf,
    /// How long one run may take.
    pub(super) limit: Duration,
    /// The zone its times are in.
    pub(super) zone: LocalZone,
    /// Where the file goes.
    pub(super) evidence: Arc<EvidenceFolder>,
}

impl Npcapextract {
    /// Runs the program for `cut` and publishes its file.
    pub(super) async fn cut(&self, cut: &Cut, cancel: Cancel) -> Result<Haul, CutError> {
        let begun = Instant::now();
        let hidden = self.evidence.hidden(&cut.manifest.name, ".pcap");
        let mut command = Command::new(&self.program);
        command.args(self.arguments(cut, hidden.path()));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(OWN_VARIABLES) {
                command.env_remove(name);
            }
        }

        let run = child::run(command, self.limit, cancel, self.full(cut.keep_free))
            .await
            .map_err(|error| CutError::Failed(format!("cannot run {}: {error}", self.program.display())))?;
        match run.ending {
            Ending::TimedOut => return Err(CutError::TimedOut),
            Ending::Cancelled => return Err(CutError::Cancelled),
            Ending::NoRoom => return Err(no_room(cut.keep_free)),
            Ending::Exited(status) if status.success() => {}
            Ending::Exited(status) => {
                let said = LogValue::new(&run.stderr).bounded(run.stderr.len());
                return Err(CutError::Failed(format!("{status}, stderr: {said}")));
            }
        }

        let (before, keep_free) = (cut.manifest.bytes, cut.keep_free);
        let (stem, evidence) = (cut.manifest.name.clone(), Arc::clone(&self.evidence));
        let name = format!("{stem}.pcap");
        let published = tokio::task::spawn_blocking(move || match fs::symlink_metadata(hidden.path()) {
            Ok(file) if !file.is_file() => Err(CutError::Failed("left no regular file".to_owned())),
            Ok(file) if file.len() == 0 => Ok(None),
            // Packets have been rotated away since the same was asked for: the earlier file has more of them.
            Ok(file) if before.is_some_and(|bytes| bytes > file.len()) => Ok(None),
            // It was faster than we look.
            Ok(_) if !evidence.has_room(keep_free) => Err(no_room(keep_free)),
            Ok(file) => match evidence.publish(&hidden, &name) {
                Ok(()) => {
                    evidence.forget_digest(&stem);
                    let hash = sha256(&evidence.path(&name));
                    Ok(Some((name, file.len(), hash.ok())))
                }
                Err(error) => {
                    let told = format!("its file cannot be published: {error}");
                    Err(match error.kind() {
                        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CutError::NoSpace(told),
                        _ => CutError::NotWritable(told),
                    })
                }
            },
            Err(error) => Err(CutError::Failed(format!("exit status 0, but no file: {error}"))),
        });
        let published = published.await.map_err(|error| CutError::Failed(error.to_string()))??;
        let (file, bytes, sha256) = match published {
            Some((file, bytes, sha256)) => (Some(file), Some(bytes), sha256),
            None => (None, None, None),
        };
        let took_ms = (0, u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX), 0);
        Ok(Haul { file, bytes, sha256, took_ms, ..Haul::default() })
    }

    /// Ready once less than `keep_free` bytes are free.
    async fn full(&self, keep_free: u64) {
        loop {
            time::sleep(LOOK_EVERY).await;
            let evidence = Arc::clone(&self.evidence);
            // A disk that does not answer holds up nobody else; a panic has been logged where it happened.
            let has_room = tokio::task::spawn_blocking(move || evidence.has_room(keep_free)).await;
            if matches!(has_room, Ok(false)) {
                return;
            }
        }
    }

    fn arguments(&self, cut: &Cut, output: &Path) -> [OsString; 10] {
        let (begin, end) = spoken(&self.zone, cut.window);
        [
            "-t".into(),
            self.timeline.clone().into(),
            "-b".into(),
            begin.into(),
            "-e".into(),
            end.into(),
            "-f".into(),
            cut.filter.to_string().into(),
            "-o".into(),
            output.into(),
        ]
    }
}

fn no_room(keep_free: u64) -> CutError {
    CutError::NoSpace(format!("less than {keep_free} bytes would be left free"))
}

/// Both ends in local time, `YYYY-MM-DD HH:MM:SS`. When clocks are set back, a window's end can read earlier than its
/// begin; the begin is then told an hour earlier, which is more than what was asked for and never less.
fn spoken(zone: &LocalZone, window: Window) -> (String, String) {
    let end = zone.spoken(rounded_up(window.end()));
    let begin = zone.spoken(window.start());
    if begin <= end { (begin, end) } else { (zone.spoken(window.start().saturating_sub(FOLD)), end) }
}

fn rounded_up(at: Timestamp) -> Timestamp {
    if at.subsec_nanos() == 0 {
        at
    } else {
        Timestamp::from_nanos(at.as_nanos().saturating_add(NANOS_PER_SEC))
    }
}

/// The first executable file of the program's name in the folders of `path`, which has the form of `PATH`.
pub(super) fn find(path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).map(|folder| folder.join(PROGRAM)).find_map(|program| {
        let found = fs::metadata(&program).ok()?;
        let runs = found.is_file() && found.permissions().mode() & 0o111 != 0;
        // A relative folder on PATH must not change its meaning with the working directory later on.
        if runs { std::path::absolute(program).ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(start: i64, end: i64) -> (String, String) {
        let zone = LocalZone::named("Europe/Warsaw").unwrap();
        let window = Window::new(Timestamp::from_nanos(start), Timestamp::from_nanos(end)).unwrap();
        spoken(&zone, window)
    }

    fn texts(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn the_window_is_widened_to_whole_seconds() {
        let (start, end) = (1_772_356_272_900_000_000, 1_772_356_300_000_000_001);
        assert_eq!(told(start, end), texts("2026-03-01 10:11:12", "2026-03-01 10:11:41"));
        assert_eq!(told(start, 1_772_356_300_000_000_000).1, "2026-03-01 10:11:40");
    }

    /// 2026-10-25: 02:59:59 in summer time is followed by 02:00:00 in winter time.
    #[test]
    fn the_begin_never_reads_later_than_the_end_when_clocks_are_set_back() {
        let fold = 1_792_890_000_000_000_000;
        let minutes = |n: i64| n * 60 * NANOS_PER_SEC;
        assert_eq!(
            told(fold - minutes(6), fold + minutes(6)),
            texts("2026-10-25 01:54:00", "2026-10-25 02:06:00")
        );
        assert_eq!(
            told(fold - minutes(66), fold - minutes(54)),
            texts("2026-10-25 01:54:00", "2026-10-25 02:06:00")
        );
    }
}
