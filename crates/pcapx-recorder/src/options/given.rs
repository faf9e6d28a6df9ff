//! Options as they are given, and the reader of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::{Place, Problem, excerpt};
use super::table::{self, OptionSpec, Value};

/// An option that is given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) option: &'static OptionSpec,
    /// Its name as it is written, dashes included.
    pub(super) written: String,
    pub(super) value: Option<String>,
    pub(super) place: Place,
}

/// What is given at one place, and what there is no option.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) given: Vec<Given>,
    /// The configuration file, if one is named.
    pub(super) file: Option<PathBuf>,
    pub(super) problems: Vec<Problem>,
}

/// What a word or a line is refused for: the option, and the reason.
type Refused = (String, String);

/// Reads the words of a command line.
pub(super) fn command_line(words: impl IntoIterator<Item = OsString>) -> Listed {
    let mut reader = Reader { listed: Listed::default() };
    let mut words = words.into_iter().peekable();
    let mut is_literal = false;
    while let Some(word) = words.next() {
        let word = match word.into_string() {
            Ok(word) => word,
            // Of names that are not UTF-8, only the configuration file's is of use as it is.
            Err(word) if !word.as_encoded_bytes().starts_with(b"-") => {
                reader.file(word);
                continue;
            }
            Err(word) => {
                reader.refuse((excerpt(&word.to_string_lossy()), "is not UTF-8 text".to_owned()));
                continue;
            }
        };
        if is_literal || !word.starts_with('-') {
            reader.file(word.into());
        } else if word == "--" {
            is_literal = true;
        } else {
            let mut next = || {
                let is_value = |word: &OsString| !word.to_str().is_some_and(is_option);
                words
                    .next_if(is_value)
                    .map(|word| word.into_string().map_err(|word| excerpt(&word.to_string_lossy())))
            };
            let read = if word.starts_with("--") {
                reader.long(&word, &mut next)
            } else {
                reader.short(&word, &mut next)
            };
            if let Err(refused) = read {
                reader.refuse(refused);
            }
        }
    }
    reader.listed
}

/// Whether a word that stands where a value belongs is the next option. One that is a number with a sign is not.
fn is_option(word: &str) -> bool {
    let name = word.strip_prefix("--").map(|long| long.split('=').next().unwrap_or_default());
    match name {
        Some(name) => table::by_name(name).is_some(),
        None => word
            .strip_prefix('-')
            .is_some_and(|letters| letters.starts_with(|c: char| c.is_ascii_alphabetic())),
    }
}

/// The option of a letter, and how it is written. `word` is what it stands in; `is_first` tells whether at its begin.
pub(super) fn short(
    letter: char,
    word: &str,
    is_first: bool,
) -> Result<(&'static OptionSpec, String), Refused> {
    let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
    // One dash before a long name would be read as letters that mean something else.
    if is_first && name.len() > 1 && table::by_name(name).is_some() {
        return Err((excerpt(word), format!("unknown option; did you mean --{name}?")));
    }
    let written = format!("-{letter}");
    match table::by_letter(letter) {
        Some(option) => Ok((option, written)),
        None => Err(table::unknown(&written)),
    }
}

struct Reader {
    listed: Listed,
}

type NextWord<'a> = &'a mut dyn FnMut() -> Option<Result<String, String>>;

impl Reader {
    fn refuse(&mut self, (option, reason): Refused) {
        self.listed.problems.push(Problem { place: Some(Place::CommandLine), option, reason });
    }

    fn file(&mut self, word: OsString) {
        if self.listed.file.is_none() {
            self.listed.file = Some(word.into());
        } else {
            let reason =
                "is one word too many: there can be one configuration file, and options begin with a dash";
            self.refuse((excerpt(&word.to_string_lossy()), reason.to_owned()));
        }
    }

    /// `--name`, `--name=value`, `--name value`.
    fn long(&mut self, word: &str, next: NextWord<'_>) -> Result<(), Refused> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let option = name.strip_prefix("--").and_then(table::by_name).ok_or_else(|| table::unknown(name))?;
        self.take(option, name.to_owned(), value, next)
    }

    /// `-d`, `-dv`, `-b 7`, `-b7`, `-b=7`.
    fn short(&mut self, word: &str, next: NextWord<'_>) -> Result<(), Refused> {
        let mut rest = &word[1..];
        if rest.is_empty() {
            return Err(table::unknown(word));
        }
        let mut is_first = true;
        while let Some(letter) = rest.chars().next() {
            let (option, written) = short(letter, word, is_first)?;
            rest = &rest[letter.len_utf8()..];
            if option.value != Value::None || rest.starts_with('=') {
                let value = rest.strip_prefix('=').unwrap_or(rest);
                let value = (!rest.is_empty()).then(|| value.to_owned());
                return self.take(option, written, value, next);
            }
            self.take(option, written, None, next)?;
            is_first = false;
        }
        Ok(())
    }

    fn take(
        &mut self,
        option: &'static OptionSpec,
        written: String,
        value: Option<String>,
        next: NextWord<'_>,
    ) -> Result<(), Refused> {
        let value = match (option.value, value) {
            (Value::None, Some(value)) => {
                return Err((written, format!("takes no value, found {:?}", excerpt(&value))));
            }
            (Value::Needed(what), None) => match next() {
                Some(Ok(value)) => Some(value),
                Some(Err(word)) => return Err((written, format!("{word:?} is not UTF-8 text"))),
                None => return Err((written, format!("needs a value: {what}"))),
            },
            (_, value) => value,
        };
        self.listed.given.push(Given { option, written, value, place: Place::CommandLine });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Listed {
        command_line(words.split_whitespace().map(OsString::from))
    }

    fn given(words: &str) -> Vec<(&'static str, Option<String>)> {
        let listed = read(words);
        assert_eq!(listed.problems, [], "{words}");
        listed.given.into_iter().map(|given| (given.option.name, given.value)).collect()
    }

    #[test]
    fn a_value_is_attached_or_the_next_word() {
        for words in ["-p 500", "-p500", "-p=500", "--max-file-len 500", "--max-file-len=500"] {
            assert_eq!(given(words), [("max-file-len", Some("500".into()))], "{words}");
        }
        // An optional value is attached; the next word is something else.
        assert_eq!(given("-I -d"), [("index", None), ("nanoseconds", None)]);
        assert_eq!(given("-I/idx"), given("--index=/idx"));
        assert_eq!(read("-I /etc/a.conf").file, Some("/etc/a.conf".into()));
        // A number with a sign is a value, although -5 is an option.
        assert_eq!(given("--reader-priority -5"), [("reader-priority", Some("-5".into()))]);
    }

    #[test]
    fn n2disks_own_example_is_read() {
        let names: Vec<_> = given("-i eth1 -o /storage -b 1024 -p 512 --disk-limit 50% -I -A /storage")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let expected = [
            "interface",
            "dump-directory",
            "buffer-len",
            "max-file-len",
            "disk-limit",
            "index",
            "timeline-dir",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn every_word_that_is_wrong_is_told() {
        let told: Vec<_> = read("-i -o /x --buffer-lne=4 --daemon=yes a.conf b.conf -Ö --disk-limit")
            .problems
            .iter()
            .map(Problem::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "-i: needs a value: NAME|FILE",
                "--buffer-lne: unknown option; did you mean --buffer-len?",
                "--daemon: takes no value, found \"yes\"",
                "b.conf: is one word too many: there can be one configuration file, and options begin with a dash",
                "-Ö: unknown option",
                "--disk-limit: needs a value: MB|%",
            ]
        );
    }
}
