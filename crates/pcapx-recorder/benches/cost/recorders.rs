//! The recorders, and how each is told to do the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use pcapx_testkit::bench::count_packets;
use pcapx_testkit::tool;

use super::rig::FAR;

/// The name of ours, beside which the others are seen.
pub(crate) const OURS: &str = "ours";

/// A recorder.
pub(crate) struct Recorder {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The program; of ours the one that was built with this bench.
    program: Option<&'static str>,
    /// Its words, for a folder that exists.
    words: fn(&Path) -> Vec<String>,
    /// How many packets it has recorded, from the folder and from what it has printed.
    recorded: fn(&Path, &str) -> Option<u64>,
}

/// All of them.
pub(crate) const RECORDERS: &[Recorder] = &[
    Recorder {
        name: OURS,
        title: "pcapx-recorder, with its index",
        program: None,
        words: |folder| {
            let mut words = ours(folder);
            words.push("-I".into());
            words
        },
        recorded: |folder, _| Some(packets_below(folder)),
    },
    Recorder {
        name: "unindexed",
        title: "pcapx-recorder, without",
        program: None,
        words: ours,
        recorded: |folder, _| Some(packets_below(folder)),
    },
    Recorder {
        name: "stenotype",
        title: "stenotype, with its index",
        program: Some("stenotype"),
        words: |folder| {
            for part in ["PKT0", "IDX0"] {
                let part = folder.join(part);
                fs::create_dir_all(&part).expect("a folder for stenotype");
                // It becomes the user nobody.
                fs::set_permissions(&part, fs::Permissions::from_mode(0o777)).expect("rights for stenotype");
            }
            [
                format!("--dir={}/", folder.display()),
                format!("--iface={FAR}"),
                "--blocks=256".into(),
                "--filesize_mb=512".into(),
                "--seccomp=none".into(),
                "--no_watchdogs".into(),
                "-v".into(),
                "--stats_blocks=0".into(),
                "--stats_sec=1".into(),
            ]
            .to_vec()
        },
        recorded: |_, _| None,
    },
    Recorder {
        name: "netsniff-ng",
        title: "netsniff-ng",
        program: Some("netsniff-ng"),
        words: |folder| {
            words(&format!("--in {FAR} --ring-size 256MiB --silent --interval 512MiB --out"), folder)
        },
        recorded: |folder, _| Some(packets_below(folder)),
    },
    Recorder {
        name: "tcpdump",
        title: "tcpdump -w",
        program: Some("tcpdump"),
        words: |folder| {
            words(&format!("-i {FAR} -n -s 0 -B 262144 -C 512 -Z root -w"), &folder.join("x.pcap"))
        },
        recorded: |folder, _| Some(packets_below(folder)),
    },
    Recorder {
        name: "dumpcap",
        title: "dumpcap",
        program: Some("dumpcap"),
        words: |folder| {
            words(&format!("-i {FAR} -q -s 0 -B 256 -P -b filesize:524288 -w"), &folder.join("x.pcap"))
        },
        recorded: |folder, _| Some(packets_below(folder)),
    },
];

impl Recorder {
    /// Whether it is installed; says so where it is not.
    pub(crate) fn is_here(&self) -> bool {
        self.program.is_none_or(|program| tool::require(program).is_some())
    }

    /// It, ready to record to a folder.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = match self.program.and_then(tool::find) {
            Some(tool) => tool.command(),
            None => Command::new(env!("CARGO_BIN_EXE_pcapx-recorder")),
        };
        command.args((self.words)(folder));
        command
    }

    pub(crate) fn recorded(&self, folder: &Path, printed: &str) -> Option<u64> {
        (self.recorded)(folder, printed)
    }
}

fn ours(folder: &Path) -> Vec<String> {
    // 16 MB of the buffer are chunks between the ring and the disk.
    words(&format!("-i {FAR} -s 0 -b 272 -p 512 --disk-limit 100000 -o"), folder)
}

fn words(words: &str, path: &Path) -> Vec<String> {
    words.split(' ').map(str::to_owned).chain([path.display().to_string()]).collect()
}

/// Packets of all capture files below a folder.
fn packets_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let packets = paths.map(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // tcpdump numbers its files behind the ending.
        let is_capture = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix(".pcap").is_some();
        match () {
            () if path.is_dir() => packets_below(&path),
            () if is_capture => count_packets(&path),
            () => 0,
        }
    });
    packets.sum()
}
