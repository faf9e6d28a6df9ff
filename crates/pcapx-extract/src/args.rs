//! The command line as it is written.
//!
//! Letters and their meanings are npcapextract's
//! ([n2disk user's guide](https://www.ntop.org/guides/n2disk/utilities/npcapextract.html)); the long names are ours.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;

pub mod exit;

const FROM: &str = "Where from";
const WHICH: &str = "Which packets";
const TO: &str = "Where to";
const INDEXES: &str = "Indexes";
const OTHER: &str = "Other";
const NO_EFFECT: &str = "Known to npcapextract, without effect here";

// Lines of at most 78 characters, so that no terminal has to wrap them.
const EXAMPLES: &str = "\
Times:
  \"2026-03-01 10:11:12\" is local time: of TZ, else of the system. In the hour
  that happens twice in autumn, -b means the first of the two and -e the second.
  Also 2026-03-01T10:11:12Z, 2026-03-01T10:11:12+01:00, and seconds since 1970
  such as 1772356272.5. Both ends belong to the window, exactly: -e \"10:00:59\"
  leaves out what came half a second later.

Examples:
  # what a host did around an incident
  pcapx-extract -t /storage/pcaps/rolling -f \"host 10.0.0.10 and port 443\" \\
      -b \"2026-03-01 10:00:00\" -e \"2026-03-01 10:12:00\" -o incident.pcap
  # the first ten packets of a file, as text
  pcapx-extract -a incident.pcap --print 10
  # straight into another program
  pcapx-extract -t /storage/pcaps/rolling -f \"udp port 53\" -O | tshark -r -
  # once, so that every later search reads what matches and little else
  pcapx-extract --index /storage/pcaps/rolling
  # at most 100 MB each: dns-00001.pcap, dns-00002.pcap and so on
  pcapx-extract -t /storage/pcaps/rolling -f \"port 53\" -o dns/ -P 100 -x dns-";

const CALLED_NPCAPEXTRACT: &str = "\
Called as npcapextract:
  A link of that name is enough. The command line is the same, the manners are
  what scripts for that program expect: when nothing matched it ends with 0 and
  leaves a file of 0 bytes, and the file has exactly the name given, even when
  its format is pcapng.";

/// Cuts packets out of a rolling capture.
///
/// Reads n2disk's timelines and any folder of pcap and pcapng files, and writes the packets of a window of time that a
/// filter is true of, in the order of time, to a new capture file. The file appears when it is complete.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true, max_term_width = 120)]
#[command(after_help = exit::TABLE)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{CALLED_NPCAPEXTRACT}\n\n{}", exit::TABLE))]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Args {
    /// Folder of capture files, such as n2disk's timeline; may be repeated, the answer is merged.
    #[arg(short, long = "timeline", value_name = "DIR", help_heading = FROM)]
    pub timelines: Vec<PathBuf>,
    /// A single capture file; may be repeated, and stand beside -t.
    #[arg(short = 'a', long = "file", value_name = "FILE", help_heading = FROM)]
    pub files: Vec<PathBuf>,

    /// Packets from this time on [default: from the first].
    #[arg(short, long, value_name = "TIME", help_heading = WHICH)]
    pub begin: Option<String>,
    /// Packets up to this time [default: to the last].
    #[arg(short, long, value_name = "TIME", help_heading = WHICH)]
    pub end: Option<String>,
    /// Packets that this is true of, in tcpdump's syntax [default: all]. VLAN tags, MPLS and PPPoE hide nothing.
    #[arg(short, long, value_name = "FILTER", help_heading = WHICH)]
    pub filter: Option<String>,

    /// Capture file to write, - for standard output, or a folder; a name that ends in / is a folder.
    ///
    /// The file is a pcap file with the link type and precision of the packets found. Where those differ it is a pcapng
    /// file, and .pcap in its name becomes .pcapng; a name that ends in .pcapng gives a pcapng file in any case.
    #[arg(short, long, value_name = "FILE|DIR", help_heading = TO)]
    pub output: Option<PathBuf>,
    /// Write to standard output, once the answer is complete. It waits in $TMPDIR until then.
    #[arg(short = 'O', long, conflicts_with = "output", help_heading = TO)]
    pub stdout: bool,
    /// Keep at most this many bytes of each packet [default: 0, all].
    #[arg(short, long, value_name = "BYTES", default_value_t = 0, hide_default_value = true, help_heading = TO)]
    pub snaplen: u32,
    /// Begin a new file before one grows beyond this many megabytes (1 000 000 bytes) [default: 0, no limit].
    ///
    /// In a folder the files are called PREFIX00001.pcap and so on; beside -o NAME.pcap, NAME-00001.pcap. They appear
    /// together, when all are complete; until then the disk needs room for the answer twice.
    #[arg(short = 'P', long, value_name = "MB", default_value_t = 0, hide_default_value = true, help_heading = TO)]
    pub part_megabytes: u64,
    /// Begin a new file after this many packets [default: 0, no limit].
    #[arg(short = 'N', long, value_name = "PACKETS", default_value_t = 0, hide_default_value = true, help_heading = TO)]
    pub part_packets: u64,
    /// How the names of those files begin.
    #[arg(short = 'x', long, value_name = "PREFIX", help_heading = TO)]
    pub prefix: Option<String>,
    /// Write a capture file without packets when nothing matched.
    #[arg(short = '0', long, help_heading = TO)]
    pub empty: bool,

    /// Only list the capture files that hold a matching packet, one a line on standard output.
    #[arg(short, long, conflicts_with_all = ["output", "stdout", "print"], help_heading = OTHER)]
    pub list: bool,
    /// Print the first N packets of the answer as text on standard output; -o is not needed then.
    #[arg(long, value_name = "N", conflicts_with = "stdout", value_parser = clap::value_parser!(u64).range(1..), help_heading = OTHER)]
    pub print: Option<u64>,
    /// Tell what the search planned, read and took, on standard error.
    ///
    /// Without -o and the like the answer is made in $TMPDIR, measured, and thrown away.
    #[arg(long, conflicts_with = "list", help_heading = OTHER)]
    pub explain: bool,
    /// Files that are read at a time [default: one for each processor].
    #[arg(long, value_name = "N", help_heading = OTHER)]
    pub threads: Option<NonZeroUsize>,
    /// What is told on standard error: 0 errors, 1 warnings, 2 the summary, 3 (and -v alone) each file, 5 debugging.
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, default_value_t = 2, default_missing_value = "3",
        value_parser = clap::value_parser!(u8).range(0..=6), help_heading = OTHER)]
    pub verbose: u8,

    /// Build the missing indexes of a folder's capture files, or that of one file; may be repeated. Nothing is extracted.
    ///
    /// Indexes of files that have changed since, and damaged ones, are built again. A file in a folder that may still be
    /// written to is left out: one that was written to in the last minute (two seconds, where a newer one stands beside
    /// it), and one whose name ends in .tmp. Each file that is read at a time takes up to 48 MiB of memory.
    #[arg(long, value_name = "DIR|FILE", help_heading = INDEXES, conflicts_with_all = ["timelines", "files", "begin",
        "end", "filter", "output", "stdout", "print", "list", "explain", "no_index"])]
    pub index: Vec<PathBuf>,
    /// Folder below which indexes stand [default: beside their files; the service's are found, too].
    #[arg(long, value_name = "DIR", env = "PCAPX_INDEX_DIR", hide_env_values = true, help_heading = INDEXES)]
    index_dir: Option<OsString>,
    /// Use no index: search every file of the window from end to end.
    #[arg(long, help_heading = INDEXES)]
    pub no_index: bool,

    /// n2disk's index of the -a file.
    #[arg(short = 'i', long, value_name = "FILE", help_heading = NO_EFFECT)]
    pub ntop_index: Option<PathBuf>,
    /// Processor to run on.
    #[arg(short = 'g', long, value_name = "CORE", help_heading = NO_EFFECT)]
    pub core: Option<String>,
    /// User to become.
    #[arg(short, long, value_name = "NAME", help_heading = NO_EFFECT)]
    pub user: Option<String>,
}

impl Args {
    /// The folder below which indexes stand, if one is named.
    pub fn index_dir(&self) -> Option<PathBuf> {
        self.index_dir.clone().filter(|folder| !folder.is_empty()).map(PathBuf::from)
    }

    /// Options that were given and change nothing, with what is to be said about each.
    pub fn without_effect(&self) -> Vec<&'static str> {
        let has_parts = self.part_megabytes > 0 || self.part_packets > 0;
        let notes = [
            (self.ntop_index.is_some(), "-i has no effect: n2disk's index is not needed to search a file"),
            (self.core.is_some(), "-g has no effect: use taskset to choose processors"),
            (self.user.is_some(), "-u has no effect: the program stays the user it is run by"),
            (self.list && has_parts, "-P and -N have no effect with -l"),
        ];
        notes.into_iter().filter_map(|(given, note)| given.then_some(note)).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn args(line: &[&str]) -> Args {
        Args::try_parse_from([&["pcapx-extract"], line].concat()).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_contracts_command_line_is_read() {
        let args = args(&[
            "-t",
            "/storage/pcaps/rolling",
            "-b",
            "2026-03-01 10:00:00",
            "-e",
            "2026-03-01 10:12:00",
            "-f",
            "tcp and host 10.0.0.10",
            "-o",
            "/out/a.pcap",
        ]);
        assert_eq!(args.timelines, [PathBuf::from("/storage/pcaps/rolling")]);
        assert_eq!(args.begin.as_deref(), Some("2026-03-01 10:00:00"));
        assert_eq!(args.end.as_deref(), Some("2026-03-01 10:12:00"));
        assert_eq!(args.filter.as_deref(), Some("tcp and host 10.0.0.10"));
        assert_eq!(args.output, Some(PathBuf::from("/out/a.pcap")));
        assert_eq!(args.verbose, 2);
        assert!(args.without_effect().is_empty());
    }

    #[test]
    fn every_letter_of_npcapextract_is_known() {
        let line =
            "-t a -t b -a c -i c.idx -b 1 -e 2 -f tcp -o out -s 96 -P 5 -N 6 -x p- -g 1 -u root -0 -v 4";
        let args = args(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((args.timelines.len(), args.files.len()), (2, 1));
        assert_eq!((args.snaplen, args.part_megabytes, args.part_packets), (96, 5, 6));
        assert_eq!((args.prefix.as_deref(), args.empty, args.verbose), (Some("p-"), true, 4));
        assert_eq!(args.without_effect().len(), 3);
        assert!(Args::try_parse_from(["npcapextract", "-t", "a", "-O", "-l"]).is_err());
        assert!(Args::try_parse_from(["npcapextract", "-t", "a", "-l"]).unwrap().list);
        assert!(Args::try_parse_from(["npcapextract", "-t", "a", "-O"]).unwrap().stdout);
    }

    #[test]
    fn indexing_stands_alone_and_may_be_repeated() {
        let args = args(&["--index", "a", "--index", "b", "--index-dir", "c", "--threads", "2"]);
        assert_eq!(args.index, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!((args.index_dir(), args.threads), (Some("c".into()), NonZeroUsize::new(2)));
        for with in ["-t x", "-a x", "-f tcp", "-o x", "-O", "--print 1", "-l", "--explain"] {
            let line = ["x", "--index", "a"].into_iter().chain(with.split(' '));
            assert!(Args::try_parse_from(line).is_err(), "{with}");
        }
        assert!(Args::try_parse_from(["x", "--index", "a", "--threads", "0"]).is_err());
    }

    #[test]
    fn v_may_stand_alone_and_the_last_of_a_repeated_option_counts() {
        assert_eq!(args(&["-v", "-t", "a"]).verbose, 3);
        assert_eq!(args(&["-v0"]).verbose, 0);
        assert_eq!(args(&["-f", "tcp", "-f", "udp"]).filter.as_deref(), Some("udp"));
        assert!(Args::try_parse_from(["x", "-v", "7"]).is_err());
    }
}
