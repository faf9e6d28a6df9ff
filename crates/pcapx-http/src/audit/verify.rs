//! Proving that nothing of an audit log was removed or changed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::chain::{self, Link};

/// A head that was kept elsewhere: `NUMBER:HASH`, as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    seq: u64,
    hash: String,
}

impl FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected NUMBER:HASH, as the service's log has it behind head=";
        let (seq, hash) = text.split_once(':').ok_or(expected)?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let seq = seq.parse().ok().filter(|_| is_hash).ok_or(expected)?;
        Ok(Head { seq, hash: hash.to_ascii_lowercase() })
    }
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of the first line. Above 1 the lines before it are not here.
    pub first: u64,
    /// Number of the last line.
    pub last: u64,
    /// Hash of the last line.
    pub hash: String,
}

/// Where a log is broken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A file cannot be read.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what was written.
    #[error("{}: line {line} {why}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// There is not one line.
    #[error("there are no lines")]
    Empty,
    /// The log is whole as far as it goes, and does not go to the head, or has another line there.
    #[error("the log does not have line {seq} as it was kept: lines were cut off, or it is another log")]
    Head {
        /// The number of the line.
        seq: u64,
    },
}

/// Reads all files, which may be named in any order, as one log. Holds one line in memory.
pub fn verify(files: &[impl AsRef<Path>], head: Option<&Head>) -> Result<Verified, VerifyError> {
    let mut ordered = Vec::new();
    for path in files {
        let path = path.as_ref();
        if let Some(first) = first_seq(path)? {
            ordered.push((first, path));
        }
    }
    ordered.sort();
    let (mut former, mut first, mut head_is_met): (Option<Link>, u64, bool) = (None, 0, false);
    for (_, path) in ordered {
        for (number, line) in lines(path)?.enumerate() {
            let broken = |why: String| VerifyError::Line { path: path.to_owned(), line: number + 1, why };
            let line = line.map_err(|source| VerifyError::Unreadable { path: path.to_owned(), source })?;
            let read = chain::read(&line).map_err(|why| broken(why.to_owned()))?;
            match &former {
                None => first = read.link.seq,
                Some(before) if read.link.seq != before.seq + 1 => {
                    return Err(broken(format!(
                        "has number {}, not {}: lines are missing or in doubt",
                        read.link.seq,
                        before.seq + 1
                    )));
                }
                Some(before) if read.prev != before.hash => {
                    return Err(broken("does not follow the line before".to_owned()));
                }
                Some(_) => {}
            }
            if former.is_none() && read.link.seq == 1 && read.prev != Link::start().hash {
                return Err(broken("is number 1 and does not begin a log".to_owned()));
            }
            head_is_met |= head.is_some_and(|head| head.seq == read.link.seq && head.hash == read.link.hash);
            former = Some(read.link);
        }
    }
    let last = former.ok_or(VerifyError::Empty)?;
    if let Some(head) = head
        && !head_is_met
    {
        return Err(VerifyError::Head { seq: head.seq });
    }
    Ok(Verified { first, last: last.seq, hash: last.hash })
}

fn lines(path: &Path) -> Result<io::Lines<BufReader<File>>, VerifyError> {
    let opened = File::open(path);
    opened
        .map(|file| BufReader::new(file).lines())
        .map_err(|source| VerifyError::Unreadable { path: path.to_owned(), source })
}

/// The number of a file's first line, to put files in order; `None` for an empty one.
fn first_seq(path: &Path) -> Result<Option<u64>, VerifyError> {
    let Some(line) = lines(path)?.next() else { return Ok(None) };
    let line = line.map_err(|source| VerifyError::Unreadable { path: path.to_owned(), source })?;
    let read = chain::read(&line);
    read.map(|read| Some(read.link.seq)).map_err(|why| VerifyError::Line {
        path: path.to_owned(),
        line: 1,
        why: why.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pcapx_core::config::Service;

    use super::super::{Act, Audit};
    use super::*;

    /// A log of `count` acts in files of two hundred bytes or so, and its files in order of time.
    fn log(folder: &Path, count: u32, most_bytes: u64) -> Vec<PathBuf> {
        let audit = Audit::open(Service::Listener, folder, most_bytes).unwrap();
        for number in 0..count {
            audit.write(Act::new("test").with("number", number).with("name", "a\nb\"ż"));
        }
        audit.close();
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        // Rotated files have numbers, which come before letters.
        files.sort();
        files
    }

    fn told(files: &[PathBuf]) -> String {
        verify(files, None).unwrap_err().to_string()
    }

    #[test]
    fn a_log_is_one_chain_over_restarts_and_rotated_files() {
        let dir = tempfile::tempdir().unwrap();
        log(dir.path(), 5, 700);
        let files = log(dir.path(), 5, 700);
        assert!(files.len() > 2, "{files:?}");
        let verified = verify(&files, None).unwrap();
        assert_eq!((verified.first, verified.last), (1, 10));
        let backwards: Vec<_> = files.iter().rev().collect();
        assert_eq!(verify(&backwards, None).unwrap(), verified);
        // Without the oldest file the rest is whole, and does not begin at 1.
        assert!(verify(&files[1..], None).unwrap().first > 1);
        // Without one in between it is not.
        let gap: Vec<PathBuf> = [&files[..1], &files[2..]].concat();
        assert!(told(&gap).contains("lines are missing"), "{}", told(&gap));
    }

    #[test]
    fn whatever_is_done_to_a_line_shows() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 6, 1 << 20);
        let text = fs::read_to_string(&files[0]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (name, changed, why) in [
            ("removed", [&lines[..2], &lines[3..]].concat(), "line 3 has number 4, not 3"),
            ("swapped", vec![lines[0], lines[2], lines[1]], "line 2 has number 3, not 2"),
            ("doubled", vec![lines[0], lines[0]], "line 2 has number 1, not 2"),
            ("cut", vec![lines[0], &lines[1][..50]], "line 2 is no line of an audit log"),
            ("foreign", vec![lines[0], "{}"], "line 2 is no line of an audit log"),
        ] {
            fs::write(&files[0], changed.join("\n")).unwrap();
            assert!(told(&files).contains(why), "{name}: {}", told(&files));
        }
        fs::write(&files[0], text.replace("\"number\":3", "\"number\":9")).unwrap();
        assert!(told(&files).contains("line 4 was changed"), "{}", told(&files));
        fs::write(&files[0], "").unwrap();
        assert_eq!(told(&files), "there are no lines");
    }

    #[test]
    fn a_head_shows_what_is_missing_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 4, 1 << 20);
        let verified = verify(&files, None).unwrap();
        let head: Head = format!("{}:{}", verified.last, verified.hash).parse().unwrap();
        assert!(verify(&files, Some(&head)).is_ok());
        let text = fs::read_to_string(&files[0]).unwrap();
        let cut: Vec<&str> = text.lines().take(3).collect();
        fs::write(&files[0], cut.join("\n") + "\n").unwrap();
        assert!(verify(&files, None).is_ok(), "a chain alone cannot tell");
        assert!(matches!(verify(&files, Some(&head)), Err(VerifyError::Head { seq: 4 })));
        assert!("4".parse::<Head>().is_err() && "4:xyz".parse::<Head>().is_err());
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_taken_away_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 3, 1 << 20);
        let text = fs::read_to_string(&files[0]).unwrap();
        fs::write(&files[0], &text[..text.len() - 20]).unwrap();
        let files = log(dir.path(), 1, 1 << 20);
        assert_eq!(verify(&files, None).unwrap().last, 3);
    }

    #[test]
    fn a_log_whose_end_was_changed_is_not_continued() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 2, 1 << 20);
        let text = fs::read_to_string(&files[0]).unwrap();
        fs::write(&files[0], text.replace("\"number\":1", "\"number\":7")).unwrap();
        let error = Audit::open(Service::Listener, dir.path(), 1 << 20).unwrap_err().to_string();
        assert!(error.contains("was changed") && error.contains("move it away"), "{error}");
    }
}
