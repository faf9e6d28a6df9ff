//! Where the packets go, decided from the command line.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use pcapx_timeline::Limits;

use crate::args::Args;
use crate::failure::Failure;

/// Bytes of a megabyte. The smaller of the two readings, so that a file is within either.
const MEGABYTE: u64 = 1_000_000;

/// Where the packets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One capture file.
    File(PathBuf),
    /// Capture files within `limits`, numbered, in a folder that may not be there yet.
    Parts { folder: PathBuf, prefix: String, limits: Limits },
    /// Standard output.
    Stdout,
    /// A pipe or device that is there already, such as `/dev/null`: written to, not replaced.
    Device(PathBuf),
    /// Only to the listing: no more than this many packets are needed.
    Listing { packets: u64 },
    /// Nowhere: it is made and thrown away, to see what it takes.
    Nowhere,
}

impl Target {
    pub(crate) fn of(args: &Args) -> Result<Self, Failure> {
        let limits = Limits {
            max_bytes: limit(args.part_megabytes.saturating_mul(MEGABYTE)),
            max_packets: limit(args.part_packets),
        };
        let has_parts = limits != Limits::default();
        match &args.output {
            None if args.stdout => Self::stdout(args, has_parts),
            Some(path) if path == Path::new("-") => Self::stdout(args, has_parts),
            None => match args.print {
                Some(packets) => Ok(Self::Listing { packets }),
                None if args.explain => Ok(Self::Nowhere),
                None => Err(Failure::Usage(
                    "no place for the packets: give -o FILE, -O (standard output), --print N (text), -l (a list of files) or \
                     --explain (what a search takes)",
                )),
            },
            Some(path) if is_folder(path) => Self::parts(path.clone(), args.prefix.clone(), limits),
            Some(path) if has_parts => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let prefix = args.prefix.clone().unwrap_or_else(|| format!("{stem}-"));
                Self::parts(folder_of(path).to_owned(), Some(prefix), limits)
            }
            Some(path) => Ok(Self::one(path)),
        }
    }

    fn one(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(there) if !there.is_file() => Self::Device(path.to_owned()),
            // A link stays and the file behind it is replaced.
            Ok(_) if path.is_symlink() => {
                Self::File(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
            }
            _ => Self::File(path.to_owned()),
        }
    }

    /// The first of `timelines` that files of this target would lie in.
    pub(crate) fn timeline_around<'t>(&self, timelines: &'t [PathBuf]) -> Option<&'t Path> {
        let folder = match self {
            Self::File(path) => folder_of(path),
            Self::Parts { folder, .. } => folder,
            Self::Stdout | Self::Device(_) | Self::Listing { .. } | Self::Nowhere => return None,
        };
        let folder = fs::canonicalize(folder).ok()?;
        let is_around = |timeline: &&PathBuf| fs::canonicalize(timeline).is_ok_and(|t| folder.starts_with(t));
        timelines.iter().find(is_around).map(PathBuf::as_path)
    }

    fn stdout(args: &Args, has_parts: bool) -> Result<Self, Failure> {
        if args.print.is_some() {
            return Err(Failure::Usage(
                "standard output takes either the capture (-o -) or its text (--print)",
            ));
        }
        if has_parts {
            return Err(Failure::Usage("-P and -N make several files: give a folder with -o DIR/"));
        }
        if io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "standard output is a terminal and a capture is not text: redirect it, or use --print N",
            ));
        }
        Ok(Self::Stdout)
    }

    fn parts(folder: PathBuf, prefix: Option<String>, limits: Limits) -> Result<Self, Failure> {
        let prefix = prefix.unwrap_or_default();
        if prefix.contains('/') {
            return Err(Failure::Usage(
                "-x is how names of files begin, not a path: give the folder with -o DIR/",
            ));
        }
        Ok(Self::Parts { folder, prefix, limits })
    }
}

fn limit(number: u64) -> Option<u64> {
    (number > 0).then_some(number)
}

fn is_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir()
}

/// The folder that a file of this path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != OsStr::new("")).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn target(line: &str) -> Result<Target, Failure> {
        let line = ["pcapx-extract", "-t", "timeline"].into_iter().chain(line.split_whitespace());
        Target::of(&Args::try_parse_from(line).unwrap())
    }

    fn parts(folder: &str, prefix: &str, max_bytes: Option<u64>, max_packets: Option<u64>) -> Target {
        Target::Parts {
            folder: folder.into(),
            prefix: prefix.into(),
            limits: Limits { max_bytes, max_packets },
        }
    }

    #[test]
    fn a_file_is_a_file_until_it_is_cut() {
        assert_eq!(target("-o a/b.pcap").unwrap(), Target::File("a/b.pcap".into()));
        assert_eq!(target("-o a/b.pcap -P 0 -N 0").unwrap(), Target::File("a/b.pcap".into()));
        assert_eq!(target("-o a/b.pcap -N 5").unwrap(), parts("a", "b-", None, Some(5)));
        assert_eq!(target("-o b.pcap -P 2").unwrap(), parts(".", "b-", Some(2_000_000), None));
        assert_eq!(target("-o b.pcap -N 5 -x dns-").unwrap(), parts(".", "dns-", None, Some(5)));
    }

    #[test]
    fn a_folder_takes_numbered_files() {
        assert_eq!(target("-o new/").unwrap(), parts("new/", "", None, None));
        assert_eq!(target("-o src -N 1 -x p").unwrap(), parts("src", "p", None, Some(1)));
    }

    #[test]
    fn a_device_is_not_a_file() {
        assert_eq!(target("-o /dev/null").unwrap(), Target::Device("/dev/null".into()));
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file.pcap"), dir.path().join("link.pcap"));
        std::os::unix::fs::symlink("file.pcap", &link).unwrap();
        let of_link = || target(&format!("-o {}", link.display())).unwrap();
        assert_eq!(of_link(), Target::File(link.clone()));
        fs::write(&file, b"").unwrap();
        assert_eq!(of_link(), Target::File(fs::canonicalize(&file).unwrap()));
    }

    #[test]
    fn printing_needs_no_file() {
        assert_eq!(target("--print 10").unwrap(), Target::Listing { packets: 10 });
        assert_eq!(target("--print 10 -o a.pcap").unwrap(), Target::File("a.pcap".into()));
        assert_eq!(target("--explain").unwrap(), Target::Nowhere);
        assert_eq!(target("--explain -o a.pcap").unwrap(), Target::File("a.pcap".into()));
    }

    #[test]
    fn what_cannot_be_together_is_refused() {
        for line in ["", "-x p", "-o - --print 3", "-O -N 5", "-o - -P 1", "-o src -x a/b"] {
            assert!(matches!(target(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
