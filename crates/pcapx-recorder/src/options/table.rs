//! The table of all options: n2disk's, in the order of its guide, and ours.

/// How alike a misspelt name and the one it is taken for must be: 1 is the same, 0 has nothing in common.
const SIMILARITY: f64 = 0.7;
/// Longer words are not compared: the longest name has 27 bytes, and comparing takes the product of both lengths.
const COMPARED_BYTES: usize = 40;
/// The shortest beginning of a name that is taken for it.
const PREFIX_CHARS: usize = 3;

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// The long name, without dashes.
    pub name: &'static str,
    /// The letter.
    pub letter: Option<char>,
    /// Another long name.
    pub alias: Option<&'static str>,
    /// Whether a value belongs to it.
    pub value: Value,
    /// What becomes of it.
    pub effect: Effect,
}

/// Whether a value belongs to an option; the text stands for the value in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// None.
    None,
    /// Always one.
    Needed(&'static str),
    /// Perhaps one, attached to the option.
    Maybe(&'static str),
}

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It sets something.
    Sets {
        /// What it sets.
        setting: Setting,
        /// What it is for, with unit and default.
        doc: &'static str,
    },
    /// n2disk's, and nothing is different here without it: why, and what to do instead.
    Idle(&'static str),
    /// n2disk's, and not to be gone on without: why, and what to do instead.
    Refused(&'static str),
}

/// What options set. Several may set the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table says what each is")]
pub enum Setting {
    Inputs,
    Snaplen,
    Slicing,
    Direction,
    NotPromiscuous,
    Filter,
    HardwareTime,
    LinkUp,
    Nanoseconds,
    Threads,
    Buffer,
    Dump,
    FileBytes,
    FileDuration,
    FilePackets,
    DiskLimit,
    FileMode,
    DirMode,
    Index,
    Timeline,
    Simulation,
    User,
    PidFile,
    Metrics,
    Verbosity,
    Check,
    Help,
    Version,
}

impl OptionSpec {
    const fn new(name: &'static str, effect: Effect) -> Self {
        Self { name, letter: None, alias: None, value: Value::None, effect }
    }

    const fn alias(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }

    const fn letter(self, letter: char) -> Self {
        Self { letter: Some(letter), ..self }
    }

    const fn value(self, value: Value) -> Self {
        Self { value, ..self }
    }

    /// What it sets, if anything.
    pub const fn setting(&self) -> Option<Setting> {
        match self.effect {
            Effect::Sets { setting, .. } => Some(setting),
            Effect::Idle(_) | Effect::Refused(_) => None,
        }
    }

    /// Whether this option, on the command line, takes the place of `other` in the file.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.name == other.name || (self.setting().is_some() && self.setting() == other.setting())
    }
}

macro_rules! options {
    ($($name:literal $(/ $alias:literal)? $(| $letter:literal)? $(($value:ident $what:literal))? => $effect:expr;)+) => {
        /// Every option.
        pub const OPTIONS: &[OptionSpec] = &[$(
            OptionSpec::new($name, $effect)$(.alias($alias))?$(.letter($letter))?$(.value(Value::$value($what)))?,
        )+];
    };
}

const fn sets(setting: Setting, doc: &'static str) -> Effect {
    Effect::Sets { setting, doc }
}

use Effect::{Idle, Refused};

const CORES: &str =
    "threads run where the system puts them; CPUAffinity= of the unit or taskset(1) chooses cores";
const PRIORITY: &str = "threads have the process's priority; Nice= of the unit sets it";
const STAMPS: &str = "the kernel stamps every packet when it comes; there is no clock to tune";
const BURSTS: &str = "the status file in the timeline tells the peak of each second";
const FLOWS: &str = "no flows are exported; a flow probe such as softflowd can run on the same interface";
const MEMORY: &str = "the memory for it is the ring of --buffer-len and a few chunks";
const LICENCE: &str = "there is no licence to ask for";

options! {
    // Capture.
    "interface" | 'i' (Needed "NAME|FILE") =>
        sets(Setting::Inputs, "interface to record; several, a,b or -i a -i b, are one recording in the order \
            of time. A name that has a / or ends in .pcap is a capture file, read to its end");
    "active-wait" | 'g' =>
        Idle("the recorder sleeps while nothing comes; it loses nothing by that, the kernel fills the ring");
    "poll-duration" | 'q' (Needed "MSEC") => Idle("the kernel wakes the recorder when there are packets");
    "snaplen" | 's' (Needed "BYTES") =>
        sets(Setting::Snaplen, "most bytes kept of a packet, 0 for all [default: 1536]");
    "packet-slicing" | '0' (Needed "2|3|4") =>
        sets(Setting::Slicing, "keep headers only: 2 the link header with its tags, 3 with that of IP or \
            ARP, 4 with that of TCP, UDP, SCTP or ICMP");
    "strip-header-bytes" | 'Y' (Needed "BYTES") =>
        Refused("packets are recorded from their first byte, none can be cut there; take the option away");
    "sample-rate" | 'y' (Needed "RATE") =>
        Refused("every packet is recorded; choose packets with --filter, or take the option away");
    "capture-direction" | '2' (Needed "0|1") =>
        sets(Setting::Direction, "0 what is received and what is sent, 1 what is received [default: 1]");
    "not-promisc" | '3' =>
        sets(Setting::NotPromiscuous, "record only what is sent to this machine: leave the interface out of \
            promiscuous mode");
    "dump-fcs" => Idle("the card takes checksums off before; `ethtool -K NAME rx-fcs on` keeps them");
    "kernel-cluster-id" | 'K' (Needed "ID") => Idle("it is PF_RING's; --threads shares an interface out");
    "disable-rss" => Idle("packets of all queues are recorded");

    // Filter.
    "filter" | 'f' (Needed "FILTER") =>
        sets(Setting::Filter, "record only packets that this is true of, in tcpdump's syntax; tags hide \
            nothing");
    "fast-filter" | 'F' (Needed "FILTER") => sets(Setting::Filter, "the same as --filter");
    "l7-filter-conf" (Needed "FILE") =>
        Refused("application protocols are not recognised; choose packets with --filter, or take the option \
            away");

    // Times.
    "hw-timestamp" | 'J' (Needed "MODE") =>
        Idle("stamps that a switch puts into packets are not read, they are recorded as they are; \
            --hardware-time uses the card's");
    "link-up" =>
        sets(Setting::LinkUp, "set interfaces up that are down; needs CAP_NET_ADMIN");
    "hardware-time" =>
        sets(Setting::HardwareTime, "prefer the stamps of the card's clock, which has to follow the system's \
            (phc2sys)");
    "time-pulse" | 'S' (Needed "CORE") => Idle(STAMPS);
    "time-pulse-precision" (Needed "USEC") => Idle(STAMPS);
    "nanoseconds" | 'd' =>
        sets(Setting::Nanoseconds, "write time stamps of nanoseconds instead of microseconds");
    "no-timestamp" | 'T' => Idle(STAMPS);

    // Files.
    "chunk-len" | 'C' (Needed "KB") => Idle("writes have the size that was measured to be best");
    "journaling" | 'j' =>
        Idle("files need no journal: after a crash the next start completes the one that was open");
    "buffer-len" | 'b' (Needed "MB") =>
        sets(Setting::Buffer, "memory for packets that wait for the disk, shared with the kernel [default: \
            128]");
    "threads" (Needed "N") =>
        sets(Setting::Threads, "threads, each with a ring, that one interface is shared out to by flows, for fast \
            links [default: 1]");
    "dump-directory" | 'o' (Needed "DIR") => sets(Setting::Dump, "folder of the capture files");
    "archive-directory" | 'O' (Needed "DIR") =>
        Idle("nothing is moved; files that have their final name can be copied away at any time");
    "max-file-len" | 'p' (Needed "MB") =>
        sets(Setting::FileBytes, "begin a new file before one is larger [default: 512]");
    "max-file-duration" | 't' (Needed "SEC") =>
        sets(Setting::FileDuration, "begin a new file after this time, 0 for never [default: 600 with \
            --timeline-dir, else 0]");
    "max-file-packets" | 'N' (Needed "N") =>
        sets(Setting::FilePackets, "begin a new file after so many packets, 0 for never [default: 0]");
    "disk-limit" | '6' (Needed "MB|%") =>
        sets(Setting::DiskLimit, "most that the recording takes of its disk; the oldest files are deleted \
            [default: 80%]");
    "max-num-files" | 'm' (Needed "N") =>
        Idle("--disk-limit says how much is kept; how many files share a folder makes no difference");
    "max-nested-dirs" | 'n' (Needed "N") => Idle("--disk-limit says how much is kept");
    "dynamic-disk-limit-check" => Idle("the disk is always watched");
    "no-overwriting" | '4' =>
        Refused("the recorder always makes room by deleting its oldest files; take the option away, and copy \
            what is to stay");
    "file-prefix" | 'x' (Needed "PREFIX") =>
        Idle("a file is named by the time of its first packet, so that it is found");
    "no-tmp-file" | '5' =>
        Idle("a file that is being written always ends in .tmp, so that nobody takes it for complete; \
            searches read it nevertheless");
    "hugepages" | 'U' => Idle(MEMORY);
    "disable-direct-io" | 'r' =>
        Idle("where the file system cannot write past its cache, the recorder writes through it by itself");
    "stop-on-limit" | 'L' (Maybe "MODE") =>
        Refused("recording goes on until it is stopped; take the option away, and use timeout(1) or tcpdump \
            -c for a single file");
    "remove-ahead" | 'H' => Idle("room is always made ahead");
    "pcap-compression" | 'M' =>
        Idle("files are not compressed, so that every tool can read them; a file system such as Btrfs or ZFS \
            can");
    "file-mode" (Needed "MODE") => sets(Setting::FileMode, "rights of files, octal [default: 640]");
    "dir-mode" (Needed "MODE") => sets(Setting::DirMode, "rights of folders, octal [default: 750]");

    // Index.
    "index" | 'I' (Maybe "DIR") =>
        sets(Setting::Index, "build the index of each file while it is recorded, beside it");
    "timeline-dir" | 'A' (Needed "DIR") =>
        sets(Setting::Timeline, "folder of links to the files by time: YYYY/MM/DD/HH/M0; may be that of -o");
    "extended-index" | 'E' (Needed "TYPE") =>
        Idle("the index is pcapx's own; it knows the time of each block of packets");
    "index-tunnel-content" | 'G' (Needed "MODE") =>
        Idle("the index knows the outermost addresses, as filters do");
    "exec-cmd" (Needed "COMMAND") =>
        Idle("no command is run; a systemd path unit or inotifywait(1) can watch the timeline for new links");

    // Processors.
    "reader-cpu-affinity" | 'c' (Needed "CORE") => Idle(CORES);
    "writer-cpu-affinity" | 'w' (Needed "CORES") => Idle(CORES);
    "indexer-cpu-affinity" | 'k' (Needed "CORES") => Idle(CORES);
    "compressor-cpu-affinity" | 'z' (Needed "CORES") => Idle(CORES);
    "index-on-compressor-threads" | 'Z' => Idle("the index is built where the packets are written");
    "other-cpu-affinity" (Needed "CORE") => Idle(CORES);
    "reader-threads" (Needed "CORES") => Idle("--threads shares an interface out");
    "numa-affinity" (Needed "NODE") => Idle("NUMAPolicy= of the unit or numactl(8) chooses nodes");
    "reader-priority" (Needed "PRIORITY") => Idle(PRIORITY);
    "writer-priority" (Needed "PRIORITY") => Idle(PRIORITY);
    "indexer-priority" (Needed "PRIORITY") => Idle(PRIORITY);

    // Bursts and flows.
    "uburst-detection" => Idle(BURSTS);
    "uburst-log" (Needed "FILE") => Idle(BURSTS);
    "uburst-win-size" (Needed "USEC") => Idle(BURSTS);
    "uburst-link-speed" (Needed "MBIT/S") => Idle(BURSTS);
    "uburst-threshold" (Needed "PERCENT") => Idle(BURSTS);
    "zmq" (Needed "SOCKET") => Idle(FLOWS);
    "zmq-format" (Needed "FORMAT") => Idle(FLOWS);
    "zmq-encryption-key" (Needed "KEY") => Idle(FLOWS);
    "zmq-probe-mode" => Idle(FLOWS);
    "zmq-export-flows" => Idle(FLOWS);
    "probe-ip" (Needed "ADDRESS") => Idle(FLOWS);
    "lifetime-timeout" (Needed "SEC") => Idle(FLOWS);
    "idle-timeout" (Needed "SEC") => Idle(FLOWS);

    // The process.
    "daemon" => Idle("the recorder stays in the foreground; a systemd unit runs it in the background");
    "disable-chunk-mode" => Idle("it is for cards of ntop's drivers");
    "simulation-mode" / "simulate" | 'e' (Needed "MODE") =>
        sets(Setting::Simulation, "measure what this machine can record: 1 or disk, without capture; 2 or \
            capture, without disk; 3 or index, like 2 with indexes; 4 or core, without both");
    "hole-detection" (Needed "MSEC") => Idle("times without packets are told by capinfos and the like");
    "ts-lsb-interf-encoding" => Idle("time stamps are left as they are");
    "unprivileged-user" | 'u' (Needed "USER") =>
        sets(Setting::User, "user to become once the sockets are open, with all capabilities given up; USER:GROUP \
            names the group, too [default: stay]");
    "dont-change-user" => sets(Setting::User, "stay the user that started the recorder; it is the default");
    "pid" | 'P' (Needed "FILE") => sets(Setting::PidFile, "file for the number of the process");
    "metrics" (Needed "[ADDRESS:]PORT") =>
        sets(Setting::Metrics, "answer GET /metrics there, for Prometheus; without an address to this machine \
            alone");
    "version" | 'V' => sets(Setting::Version, "print the version");
    "help" | 'h' => sets(Setting::Help, "print this text");
    "verbose" | 'v' => sets(Setting::Verbosity, "tell more; -vv tells all");
    "check" => sets(Setting::Check, "print what the options come to and what stands in their way, and end");
    "show-system-id" => Idle(LICENCE);
    "check-license" => Idle(LICENCE);
    "check-maintenance" => Idle(LICENCE);
    "syslog" | 'l' => Idle("messages go to standard error; systemd brings them to the journal");
    "trace-log" (Needed "FILE") => Idle("messages go to standard error, which can be sent to a file");
    "event-log" | 'Q' (Needed "FILE") =>
        Idle("drops are told in the log and in the status file in the timeline");
}

/// The option of that long name.
pub(super) fn by_name(name: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.name == name || option.alias == Some(name))
}

/// The option of that letter.
pub(super) fn by_letter(letter: char) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.letter == Some(letter))
}

/// A word that is no option, and what to say of it.
pub(super) fn unknown(word: &str) -> (String, String) {
    let reason = match similar_to(word) {
        Some(similar) => format!("unknown option; did you mean {similar}?"),
        None if word.starts_with('-') => "unknown option".to_owned(),
        None => "unknown word; an option begins with a dash".to_owned(),
    };
    (super::error::excerpt(word), reason)
}

/// The option that a word probably stands for, with its dashes.
fn similar_to(word: &str) -> Option<String> {
    let name = word.trim_start_matches('-').to_ascii_lowercase();
    let letter = word.strip_prefix('-').and_then(|letters| letters.chars().next());
    if let Some(letter) = letter.filter(|_| name.chars().count() == 1) {
        let other = if letter.is_ascii_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        };
        return by_letter(other).filter(|_| other != letter).map(|_| format!("-{other}"));
    }
    if name.len() > COMPARED_BYTES {
        return None;
    }
    let names = || OPTIONS.iter().flat_map(|option| [Some(option.name), option.alias]).flatten();
    let begun = names().find(|known| name.len() >= PREFIX_CHARS && known.starts_with(&name));
    let alike = || {
        names()
            .map(|known| (strsim::normalized_damerau_levenshtein(&name, known), known))
            .filter(|(similarity, _)| *similarity >= SIMILARITY)
            .max_by(|(one, _), (other, _)| one.total_cmp(other))
            .map(|(_, known)| known)
    };
    begun.or_else(alike).map(|known| format!("--{known}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_letters_are_unique_and_every_row_says_something() {
        let (mut names, mut letters) = (HashSet::new(), HashSet::new());
        for option in OPTIONS {
            assert!(names.insert(option.name), "--{}", option.name);
            assert!(option.alias.is_none_or(|alias| names.insert(alias)), "--{}", option.name);
            assert!(option.letter.is_none_or(|letter| letters.insert(letter)), "--{}", option.name);
            let (Effect::Sets { doc: text, .. } | Effect::Idle(text) | Effect::Refused(text)) = option.effect;
            assert!(text.len() > 10 && !text.ends_with('.'), "--{}: {text}", option.name);
        }
    }

    #[test]
    fn a_slip_is_taken_for_the_nearest_option() {
        let cases = [
            ("--disk-limt", Some("--disk-limit")),
            ("--Index", Some("--index")),
            ("--max-file-lenght", Some("--max-file-len")),
            ("--timeline", Some("--timeline-dir")),
            ("--file-mod", Some("--file-mode")),
            ("-X", Some("-x")),
            ("--q", None),
            ("--colour", None),
            ("-ß", None),
        ];
        for (word, expected) in cases {
            assert_eq!(similar_to(word).as_deref(), expected, "{word}");
        }
    }
}
