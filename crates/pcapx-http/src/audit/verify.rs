//! Proving that nothing of an audit log was removed or changed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::chain::{self, Link};
use super::{ROTATE, START, STOP};

/// A line that was kept elsewhere: `NUMBER:HASH`, as the log tells it.
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

/// What was kept elsewhere of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The last line of the files that were archived: what is verified may begin after it.
    pub after: Option<Head>,
    /// A line that the log must have: what is verified may not end before it.
    pub head: Option<Head>,
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of the first line.
    pub first: u64,
    /// Number of the last line.
    pub last: u64,
    /// Hash of the last line.
    pub hash: String,
    /// Numbers of the lines with which the service began anew without having ended: it was killed, or lines were cut off
    /// in front of these.
    pub unended: Vec<u64>,
    /// Whether the log ends with the end of the service or with a line that was kept. If not, the service runs, was
    /// killed, or lines were cut off.
    pub is_ended: bool,
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
    /// The first lines are not there.
    #[error(
        "{}: begins with line {first}: lines 1 to {} are missing. The service removes none. If their files were \
         archived, name them as well, or give the number and the hash of their last line with --after",
        .path.display(), first - 1
    )]
    Beginning {
        /// The file.
        path: PathBuf,
        /// The number of its first line.
        first: u64,
    },
    /// The last file is not there.
    #[error(
        "{}: ends with line {last}, which tells that the log goes on in another file: that one is missing or empty. If only \
         archived files shall be verified, give the number and the hash of this line with --head", .path.display()
    )]
    End {
        /// The file.
        path: PathBuf,
        /// The number of its last line.
        last: u64,
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

impl Head {
    fn is(&self, link: &Link) -> bool {
        self.seq == link.seq && self.hash == link.hash
    }
}

/// Reads all files, which may be named in any order, as one log. Holds one line in memory.
pub fn verify(files: &[impl AsRef<Path>], kept: &Kept) -> Result<Verified, VerifyError> {
    let mut ordered = Vec::new();
    for path in files {
        let path = path.as_ref();
        if let Some(first) = first_seq(path)? {
            ordered.push((first, path));
        }
    }
    ordered.sort();
    let mut walk = Walk::default();
    for (_, path) in &ordered {
        for (number, line) in lines(path)?.enumerate() {
            let line = line.map_err(|source| VerifyError::Unreadable { path: path.to_path_buf(), source })?;
            let broken = |why: String| VerifyError::Line { path: path.to_path_buf(), line: number + 1, why };
            let read = chain::read(&line).map_err(|why| broken(why.to_owned()))?;
            if walk.former.is_none() && !walk.may_begin(&read, kept) {
                let first = read.link.seq;
                return Err(if first == 1 {
                    broken("is number 1 and does not begin a log".to_owned())
                } else {
                    VerifyError::Beginning { path: path.to_path_buf(), first }
                });
            }
            walk.step(read, kept).map_err(broken)?;
        }
    }
    walk.end(ordered.last().map(|(_, path)| *path), kept)
}

/// How far a log was read.
#[derive(Default)]
struct Walk {
    former: Option<chain::Read>,
    first: u64,
    unended: Vec<u64>,
    after_is_met: bool,
    head_is_met: bool,
}

impl Walk {
    /// Whether `read` may be the first line of what is verified.
    fn may_begin(&mut self, read: &chain::Read, kept: &Kept) -> bool {
        self.first = read.link.seq;
        let follows = |seq: u64, hash: &str| read.link.seq == seq + 1 && read.prev == hash;
        self.after_is_met = kept.after.as_ref().is_some_and(|after| follows(after.seq, &after.hash));
        self.after_is_met || follows(0, &Link::start().hash)
    }

    /// Takes the next line; the error tells what is wrong with it.
    fn step(&mut self, read: chain::Read, kept: &Kept) -> Result<(), String> {
        let seq = read.link.seq;
        if let Some(former) = &self.former {
            let expected = former.link.seq + 1;
            if seq > expected {
                return Err(format!(
                    "has number {seq}: lines {expected} to {} are missing before it",
                    seq - 1
                ));
            }
            if seq < expected {
                return Err(format!("has number {seq}, not {expected}: it is not where it was written"));
            }
            if read.prev != former.link.hash {
                return Err("does not follow the line before".to_owned());
            }
            if read.act == START && former.act != STOP {
                self.unended.push(seq);
            }
        }
        self.after_is_met |= kept.after.as_ref().is_some_and(|after| after.is(&read.link));
        self.head_is_met |= kept.head.as_ref().is_some_and(|head| head.is(&read.link));
        self.former = Some(read);
        Ok(())
    }

    fn end(self, path: Option<&Path>, kept: &Kept) -> Result<Verified, VerifyError> {
        let (Some(last), Some(path)) = (self.former, path) else { return Err(VerifyError::Empty) };
        for (head, is_met) in [(&kept.after, self.after_is_met), (&kept.head, self.head_is_met)] {
            if let Some(head) = head
                && !is_met
            {
                return Err(VerifyError::Head { seq: head.seq });
            }
        }
        let is_kept = kept.head.as_ref().is_some_and(|head| head.is(&last.link));
        if last.act == ROTATE && !is_kept {
            return Err(VerifyError::End { path: path.to_owned(), last: last.link.seq });
        }
        Ok(Verified {
            first: self.first,
            last: last.link.seq,
            hash: last.link.hash,
            unended: self.unended,
            is_ended: last.act == STOP || is_kept,
        })
    }
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
        verify(files, &Kept::default()).unwrap_err().to_string()
    }

    fn whole(files: &[impl AsRef<Path>]) -> Verified {
        verify(files, &Kept::default()).unwrap()
    }

    /// The last line of a file, as the log told it when it began the next one.
    fn head(file: &Path) -> Head {
        let text = fs::read_to_string(file).unwrap();
        let link = chain::read(text.lines().last().unwrap()).unwrap().link;
        format!("{}:{}", link.seq, link.hash).parse().unwrap()
    }

    #[test]
    fn a_log_is_one_chain_over_restarts_and_rotated_files() {
        let dir = tempfile::tempdir().unwrap();
        log(dir.path(), 5, 700);
        let files = log(dir.path(), 5, 700);
        assert!(files.len() > 3, "{files:?}");
        let verified = whole(&files);
        // Each file but the newest ends with a line of its own.
        assert_eq!((verified.first, verified.last), (1, 10 + files.len() as u64 - 1));
        let backwards: Vec<_> = files.iter().rev().collect();
        assert_eq!(whole(&backwards), verified);
    }

    #[test]
    fn a_file_that_is_not_there_is_missed_wherever_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 20, 700);
        assert!(files.len() > 4, "{files:?}");
        let lasts: Vec<Head> = files.iter().map(|file| head(file)).collect();
        let missing = |from: u64, to: u64| format!("lines {from} to {to} are missing");
        // The oldest, the two oldest, one in between, two, and the newest.
        assert!(told(&files[1..]).contains(&missing(1, lasts[0].seq)), "{}", told(&files[1..]));
        assert!(told(&files[2..]).contains(&missing(1, lasts[1].seq)), "{}", told(&files[2..]));
        let gap = |from: usize, to: usize| told(&[&files[..from], &files[to..]].concat());
        assert!(gap(1, 2).contains(&missing(lasts[0].seq + 1, lasts[1].seq)), "{}", gap(1, 2));
        assert!(gap(1, 3).contains(&missing(lasts[0].seq + 1, lasts[2].seq)), "{}", gap(1, 3));
        let tail = told(&files[..files.len() - 1]);
        assert!(tail.contains("goes on in another file: that one is missing or empty"), "{tail}");
        // Archived files are vouched for by a line that was kept of them, and by the right one alone.
        let kept = |after: &Head| Kept { after: Some(after.clone()), head: None };
        assert_eq!(verify(&files[1..], &kept(&lasts[0])).unwrap().first, lasts[0].seq + 1);
        assert!(verify(&files, &kept(&lasts[0])).is_ok(), "they may be there as well");
        for (from, wrong) in [(1, &lasts[1]), (2, &lasts[0])] {
            let error = verify(&files[from..], &kept(wrong)).unwrap_err();
            assert!(matches!(error, VerifyError::Beginning { .. }), "{error}");
        }
        // And they can be verified without those that came later.
        let archive = Kept { after: None, head: Some(lasts[1].clone()) };
        let verified = verify(&files[..2], &archive).unwrap();
        assert_eq!((verified.last, verified.is_ended), (lasts[1].seq, true));
    }

    #[test]
    fn lines_that_are_not_there_are_missed_at_the_beginning_too() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 6, 1 << 20);
        let text = fs::read_to_string(&files[0]).unwrap();
        let rest: Vec<&str> = text.lines().skip(2).collect();
        fs::write(&files[0], rest.join("\n") + "\n").unwrap();
        assert!(told(&files).contains("begins with line 3: lines 1 to 2 are missing"), "{}", told(&files));
    }

    #[test]
    fn a_run_that_did_not_end_shows() {
        let dir = tempfile::tempdir().unwrap();
        for (run, is_ended) in [(0, true), (1, false), (2, true)] {
            let audit = Audit::open(Service::Listener, dir.path(), 1 << 20).unwrap();
            audit.write(Act::new(START));
            audit.write(Act::new("test").with("run", run));
            if is_ended {
                audit.close();
            } else {
                audit.break_off();
            }
        }
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        // 1 start, 2 test, 3 stop, 4 start, 5 test, 6 start, 7 test, 8 stop.
        let verified = whole(&files);
        assert_eq!((verified.unended.as_slice(), verified.is_ended), (&[6][..], true));
        // Whatever is cut off at the end takes the stop with it, unless it is whole runs.
        let text = fs::read_to_string(&files[0]).unwrap();
        for (lines, is_ended) in [(8, true), (7, false), (6, false), (5, false), (4, false), (3, true)] {
            let cut: String = text.lines().take(lines).flat_map(|line| [line, "\n"]).collect();
            fs::write(&files[0], cut).unwrap();
            assert_eq!(whole(&files).is_ended, is_ended, "{lines}");
        }
    }

    #[test]
    fn a_run_that_ends_in_a_flood_of_refusals_ends_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::open(Service::Listener, dir.path(), 1 << 20).unwrap();
        audit.write(Act::new(START));
        for _ in 0..3000 {
            audit.write(Act::denied("address"));
        }
        audit.close();
        audit.write(Act::denied("address"));
        audit.close();
        let file = dir.path().join("pcapx-listener.audit.jsonl");
        let text = fs::read_to_string(&file).unwrap();
        let acts: Vec<String> = text.lines().map(|line| chain::read(line).unwrap().act).collect();
        assert_eq!(acts[acts.len() - 2..], ["denied more", STOP]);
        assert!(whole(&[file]).is_ended);
    }

    #[test]
    fn whatever_is_done_to_a_line_shows() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 6, 1 << 20);
        let text = fs::read_to_string(&files[0]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (name, changed, why) in [
            (
                "removed",
                [&lines[..2], &lines[3..]].concat(),
                "line 3 has number 4: lines 3 to 3 are missing before it",
            ),
            (
                "swapped",
                vec![lines[0], lines[2], lines[1]],
                "line 2 has number 3: lines 2 to 2 are missing before it",
            ),
            (
                "doubled",
                vec![lines[0], lines[0]],
                "line 2 has number 1, not 2: it is not where it was written",
            ),
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
        let kept = Kept { after: None, head: Some(head(&files[0])) };
        assert!(verify(&files, &kept).is_ok());
        let text = fs::read_to_string(&files[0]).unwrap();
        let cut: Vec<&str> = text.lines().take(3).collect();
        fs::write(&files[0], cut.join("\n") + "\n").unwrap();
        assert!(!whole(&files).is_ended, "a chain alone cannot tell more");
        assert!(matches!(verify(&files, &kept), Err(VerifyError::Head { seq: 4 })));
        assert!("4".parse::<Head>().is_err() && "4:xyz".parse::<Head>().is_err());
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_taken_away_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let files = log(dir.path(), 3, 1 << 20);
        let text = fs::read_to_string(&files[0]).unwrap();
        fs::write(&files[0], &text[..text.len() - 20]).unwrap();
        let files = log(dir.path(), 1, 1 << 20);
        assert_eq!(whole(&files).last, 3);
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
