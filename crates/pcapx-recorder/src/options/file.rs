//! The configuration file: one option a line.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::error::{OptionsError, Place, Problem, excerpt};
use super::given::{Given, Listed, short};
use super::table::{self, OptionSpec, Value};

/// The most that is read of a configuration file: a hundred times what one has, and nothing in it takes long to compare.
const LIMIT_BYTES: u64 = 64 << 10;

/// Reads a configuration file.
pub(super) fn read(path: &Path) -> Result<Listed, OptionsError> {
    let failed = |source| OptionsError::Unreadable { path: path.to_owned(), source };
    // Looked at before it is opened: opening a pipe waits for who writes to it.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(OptionsError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LIMIT_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(OptionsError::TooLarge { path: path.to_owned(), limit_bytes: LIMIT_BYTES });
    }
    Ok(text(&bytes, path))
}

/// Reads the text of a configuration file, of which `path` is told in messages.
fn text(bytes: &[u8], path: &Path) -> Listed {
    let mut listed = Listed::default();
    // Some editors mark a text's encoding with a character that shows nowhere.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (at, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let place = Place::Line { path: path.to_owned(), number: at + 1 };
        let wrong = |(option, reason)| Problem { place: Some(place.clone()), option, reason };
        let Ok(line) = str::from_utf8(bytes) else {
            listed.problems.push(wrong(("line".to_owned(), "is not UTF-8 text".to_owned())));
            continue;
        };
        match read_line(line.trim()) {
            Ok(options) => {
                listed.given.extend(options.into_iter().map(|(option, written, value)| Given {
                    option,
                    written,
                    value,
                    place: place.clone(),
                }));
            }
            Err(refused) => listed.problems.push(wrong(refused)),
        }
    }
    listed
}

type Written = (&'static OptionSpec, String, Option<String>);

/// The options of a line without blanks around it: one, or several letters without values.
fn read_line(line: &str) -> Result<Vec<Written>, (String, String)> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(Vec::new());
    }
    let name_end = line.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    if let Some(long) = name.strip_prefix("--") {
        let option = table::by_name(long).ok_or_else(|| table::unknown(name))?;
        return Ok(vec![with_value(option, name.to_owned(), rest)?]);
    }
    let Some(letters) = line.strip_prefix('-') else {
        return Err(table::unknown(name));
    };
    let mut all = Vec::new();
    let mut rest = letters;
    while let Some(letter) = rest.chars().next().filter(|c| !c.is_whitespace()) {
        let (option, written) = short(letter, name, all.is_empty())?;
        rest = &rest[letter.len_utf8()..];
        if option.value != Value::None || rest.starts_with('=') {
            all.push(with_value(option, written, rest)?);
            return Ok(all);
        }
        all.push((option, written, None));
    }
    if all.is_empty() {
        return Err(table::unknown(name));
    }
    match bare(rest) {
        None => Ok(all),
        Some(more) => Err((name.to_owned(), format!("takes no value, found {:?}", excerpt(&more)))),
    }
}

/// An option and what follows it on its line.
fn with_value(option: &'static OptionSpec, written: String, rest: &str) -> Result<Written, (String, String)> {
    let rest = rest.trim();
    let value = match rest.strip_prefix('=') {
        Some(value) => Some(bare(value.trim()).unwrap_or_default()),
        None => bare(rest),
    };
    match (option.value, value) {
        (Value::None, Some(value)) => Err((written, format!("takes no value, found {:?}", excerpt(&value)))),
        (Value::Needed(what), None) => Err((written, format!("needs a value: {what}"))),
        (_, value) => Ok((option, written, value)),
    }
}

/// A value without its quotes and without the comment behind it; `None` where there is nothing.
fn bare(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(quote @ ('"' | '\'')) = text.chars().next()
        && let Some((inner, behind)) = text[1..].split_once(quote)
        && (behind.is_empty() || is_comment(behind))
    {
        return Some(inner.to_owned());
    }
    let comment = text.char_indices().find(|(at, c)| *c == '#' && text[..*at].ends_with(char::is_whitespace));
    let value =
        if text.starts_with('#') { "" } else { text[..comment.map_or(text.len(), |(at, _)| at)].trim() };
    (!value.is_empty()).then(|| value.to_owned())
}

/// Whether a text is a blank and a comment.
fn is_comment(text: &str) -> bool {
    text.starts_with(char::is_whitespace) && text.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Vec<(&'static str, Option<String>)> {
        read_line(line).unwrap().into_iter().map(|(option, _, value)| (option.name, value)).collect()
    }

    #[test]
    fn a_value_stands_behind_an_equals_sign_a_blank_or_nothing() {
        for line in
            ["-p=500", "-p 500", "-p500", "-p = 500", "--max-file-len=500", "--max-file-len   500", "-p\t500"]
        {
            assert_eq!(values(line), [("max-file-len", Some("500".into()))], "{line}");
        }
        for line in ["-I", "--index", "-I # here", "--index\t# here"] {
            assert_eq!(values(line), [("index", None)], "{line}");
        }
        assert_eq!(values("-I/idx"), values("--index=/idx"));
        assert_eq!(values("-vd3"), [("verbose", None), ("nanoseconds", None), ("not-promisc", None)]);
        assert_eq!(values("-db=7"), [("nanoseconds", None), ("buffer-len", Some("7".into()))]);
    }

    #[test]
    fn quotes_and_comments_are_not_part_of_a_value() {
        let cases = [
            ("-f=\"host 10.0.0.1\"", "host 10.0.0.1"),
            ("-f 'host 10.0.0.1'  # him", "host 10.0.0.1"),
            ("-f host 10.0.0.1 # him", "host 10.0.0.1"),
            ("-o=/a#b", "/a#b"),
            ("-o=\"/a #b\"", "/a #b"),
            ("-o=/a b/c", "/a b/c"),
            ("-o=/a=b", "/a=b"),
            ("-o=\"half", "\"half"),
        ];
        for (line, value) in cases {
            assert_eq!(values(line)[0].1.as_deref(), Some(value), "{line}");
        }
    }

    #[test]
    fn what_is_no_option_is_refused_with_what_it_may_be() {
        let cases = [
            ("interface=eth0", "--interface"),
            ("--disc-limit=80%", "--disk-limit"),
            ("-disk-limit=80%", "--disk-limit"),
            ("--max-file-l=4", "--max-file-len"),
            ("-a=/x", "-A"),
            ("-i", "needs a value"),
            ("-d=1", "takes no value"),
            ("-d 1", "takes no value"),
            ("--nanoseconds yes", "takes no value"),
            ("-", "unknown"),
            ("--", "unknown"),
        ];
        for (line, expected) in cases {
            let (option, reason) = read_line(line).unwrap_err();
            assert!(reason.contains(expected), "{line}: {option}: {reason}");
        }
    }

    #[test]
    fn lines_are_counted_and_all_are_read() {
        let listed = text(b"\xef\xbb\xbf-d\r\n\n# -x\n\xff\n--wrong\n  -I  \n", Path::new("a.conf"));
        let names: Vec<_> = listed.given.iter().map(|given| given.option.name).collect();
        assert_eq!(names, ["nanoseconds", "index"]);
        let told: Vec<_> = listed.problems.iter().map(Problem::to_string).collect();
        assert_eq!(told, ["a.conf:4: line: is not UTF-8 text", "a.conf:5: --wrong: unknown option"]);
    }
}
