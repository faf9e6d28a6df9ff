//! The recorder as a program: started, listened to, stopped; and what it has recorded.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::Packet;
use pcapx_testkit::process::{PATIENCE, Running, Signal, poll};
use pcapx_timeline::Catalog;
use pcapx_timeline::index::{Identity, IndexPlace, IndexReader};
use pcapx_timeline::segment::SegmentReader;
use tempfile::TempDir;

/// A recorder that runs.
pub(crate) struct Program {
    process: Running,
    folder: TempDir,
}

/// A recorder that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    /// What it has printed besides.
    pub(crate) printed: String,
    /// All that it has recorded, in the order of the files and within them.
    pub(crate) packets: Vec<Packet>,
}

impl Program {
    /// Starts it with `words` beside the folder, an index and whole packets, and waits until it records.
    pub(crate) fn start(words: &str) -> Self {
        let program = Self::launch(words);
        program.logged("recording ", 1);
        program
    }

    /// The same as `nohup` does it.
    pub(crate) fn start_ignoring_hangup(words: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_pcapx-recorder")]);
        let program = Self::spawn(shell, words);
        program.logged("recording ", 1);
        program
    }

    /// Starts it as a service manager does that listens at `socket` and wants a sign of life every second.
    pub(crate) fn start_managed(words: &str, socket: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcapx-recorder"));
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "1000000").env_remove("WATCHDOG_PID");
        let program = Self::spawn(command, words);
        program.logged("recording ", 1);
        program
    }

    /// Starts it and waits for nothing.
    pub(crate) fn launch(words: &str) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_pcapx-recorder")), words)
    }

    fn spawn(mut command: Command, words: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name| File::create(folder.path().join(name)).unwrap();
        let (log, printed) = (file("log"), file("printed"));
        let dump = folder.path().join("dump");
        let process = Running::spawn(
            command
                .args(["-s", "0", "-d", "-I", "-b", "128", "-p", "64", "-6", "4096", "-o"])
                .arg(&dump)
                .arg("-A")
                .arg(&dump)
                .args(words.split_whitespace())
                .stdout(printed)
                .stderr(log),
        );
        Self { process: process.unwrap(), folder }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn dump(&self) -> std::path::PathBuf {
        self.folder.path().join("dump")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until the log has `text` so many times.
    #[track_caller]
    pub(crate) fn logged(&self, text: &str, times: usize) {
        let found = poll(PATIENCE, || (self.log().matches(text).count() >= times).then_some(()));
        assert!(found.is_some(), "no {text:?} in:\n{}", self.log());
    }

    /// Stops it, and reads what it has recorded.
    pub(crate) fn stop(self) -> Ended {
        self.process.signal(Signal::INT);
        self.end()
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Ended {
        let status = self.process.wait(PATIENCE);
        let log = self.log();
        let status = status.unwrap_or_else(|| panic!("it does not end:\n{log}"));
        let printed = fs::read_to_string(self.folder.path().join("printed")).unwrap();
        Ended { code: status.code(), packets: recorded(&self.dump()), log, printed }
    }
}

impl Ended {
    /// Fails unless it ended as asked, lost nothing, and the packets are in order.
    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        assert_eq!(self.code, Some(0), "{}", self.log);
        assert!(self.log.contains(" 0 dropped by the kernel"), "{}", self.log);
        assert!(!self.log.contains("panicked"), "{}", self.log);
        let disorder = self.packets.windows(2).position(|pair| pair[0].time > pair[1].time);
        assert_eq!(disorder, None, "packets are not in the order of time");
    }
}

/// The packets of all segments below a folder, oldest segment first; each has a valid index.
fn recorded(dump: &Path) -> Vec<Packet> {
    if !dump.exists() {
        return Vec::new();
    }
    let catalog = Catalog::open(&[dump]).unwrap();
    let mut files: Vec<_> = catalog.segments().iter().map(|segment| segment.file.clone()).collect();
    files.sort();
    let mut packets = Vec::new();
    for path in files {
        let identity = Identity::of(&fs::metadata(&path).unwrap());
        IndexReader::find(&IndexPlace::beside(), &path, &identity).unwrap().verify().unwrap();
        let mut reader = SegmentReader::open(&path).unwrap();
        while let Some(packet) = reader.next_packet().unwrap() {
            let time = Timestamp::from_nanos(packet.time.as_nanos());
            packets.push(Packet { orig_len: packet.orig_len, ..Packet::new(time, packet.data.to_vec()) });
        }
    }
    packets
}
