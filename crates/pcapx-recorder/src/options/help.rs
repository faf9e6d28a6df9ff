//! The help, made from the table.

use super::table::{Effect, OPTIONS, OptionSpec, Setting, Value};

/// No terminal has to wrap this.
const WIDTH: usize = 78;
/// Where the text of an option begins.
const INDENT: usize = 32;

/// What the program does, in a sentence.
pub const ABOUT: &str = "Records network interfaces into rolling capture files, with n2disk's options.";

const USAGE: &str = "Usage: pcapx-recorder [CONFIGURATION FILE] [OPTIONS]";

/// What stands below the options.
pub const MORE: &str = "\
A size in MB counts 1 048 576 bytes, as n2disk's does.

The configuration file has one option a line, with = or a blank before the
value; # begins a comment. An option on the command line replaces the file's.

Examples:
  # what n2disk did
  pcapx-recorder /etc/n2disk/n2disk.conf
  # is the file all right, and what does it come to
  pcapx-recorder /etc/n2disk/n2disk.conf --check
  # two interfaces, five minutes a file, no more than 500 000 MB
  pcapx-recorder -i eth0,eth1 -o /storage/pcaps -A /storage/pcaps -I \\
      --max-file-duration 300 --disk-limit 500000
  # headers only, without the backup's traffic
  pcapx-recorder -i eth0 -o /storage/pcaps -I --packet-slicing 4 \\
      -f \"not host 10.0.0.9\"
  # a fast link: four rings with a thread each, 2 GB for bursts
  pcapx-recorder -i eth0 -o /storage/pcaps -I --threads 4 -b 2048
  # started as root, recording as n2disk's user
  pcapx-recorder -i eth0 -o /storage/pcaps -I -u n2disk:ntop
  # how fast is the disk; what of a link's traffic comes through
  pcapx-recorder -o /storage/pcaps --simulate disk -I
  pcapx-recorder -i eth0 --simulate index
  # without root, in a network of one's own
  unshare -Urn sh -c \\
      'ip link set lo up; pcapx-recorder -i lo -o /tmp/pcaps -I'

Exactly one folder is written to by one recorder. To record needs the
capability CAP_NET_RAW, which root has, a systemd unit gives
(AmbientCapabilities=CAP_NET_RAW), or the program itself is given:
  setcap cap_net_raw+ep /usr/bin/pcapx-recorder

Exit codes:
  0  ended as asked
  1  recording failed in another way than the following
  2  the options are wrong
  3  an interface or a file cannot be recorded from: it is not there, there is
     no right to it, or it is gone and cannot be opened again
  4  the disk cannot be recorded to: it is read-only, fails, is gone, or there
     is no right to a folder
  5  another recorder has the folder
";

/// The text that an option asks for, if it asks for one.
pub(super) fn asked(option: &OptionSpec) -> Option<String> {
    match option.setting()? {
        Setting::Help => Some(text()),
        Setting::Version => Some(format!("pcapx-recorder {}\n", env!("CARGO_PKG_VERSION"))),
        _ => None,
    }
}

/// The help.
fn text() -> String {
    let mut text = format!("{ABOUT}\n\n{USAGE}\n\nOptions:\n");
    for option in OPTIONS {
        if let Effect::Sets { doc, .. } = option.effect {
            entry(&mut text, &synopsis(option), doc);
        }
    }
    for (title, is_here) in [
        (
            "Known to n2disk, without effect here; a warning says what to do instead:",
            is_idle as fn(&OptionSpec) -> bool,
        ),
        ("Known to n2disk, refused here; the error says why:", is_refused),
    ] {
        text.push('\n');
        text.push_str(title);
        text.push('\n');
        let names: Vec<_> = OPTIONS.iter().filter(|option| is_here(option)).map(names).collect();
        wrap(&mut text, &names.join(", "), 2, 2);
    }
    text.push('\n');
    text.push_str(MORE);
    text
}

fn is_idle(option: &OptionSpec) -> bool {
    matches!(option.effect, Effect::Idle(_))
}

fn is_refused(option: &OptionSpec) -> bool {
    matches!(option.effect, Effect::Refused(_))
}

/// `--name` and, where there is a letter, `-n`.
fn names(option: &OptionSpec) -> String {
    option
        .letter
        .map_or_else(|| format!("--{}", option.name), |letter| format!("-{letter}/--{}", option.name))
}

fn synopsis(option: &OptionSpec) -> String {
    let letter = option.letter.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    let name = option.alias.unwrap_or(option.name);
    let value = match option.value {
        Value::None => String::new(),
        Value::Needed(what) => format!(" {what}"),
        Value::Maybe(what) => format!("[={what}]"),
    };
    format!("{letter}--{name}{value}")
}

/// An option on the left, its text on the right.
fn entry(text: &mut String, synopsis: &str, doc: &str) {
    let left = format!("  {synopsis}");
    if left.chars().count() + 2 > INDENT {
        text.push_str(&left);
        text.push('\n');
        wrap(text, doc, INDENT, INDENT);
    } else {
        text.push_str(&left);
        wrap(text, doc, INDENT - left.chars().count(), INDENT);
    }
}

/// Appends words in lines, the first one `first` columns from where the text stands.
fn wrap(text: &mut String, words: &str, first: usize, indent: usize) {
    let standing = text.chars().rev().take_while(|c| *c != '\n').count();
    text.extend(std::iter::repeat_n(' ', first));
    let mut column = standing + first;
    for (at, word) in words.split_whitespace().enumerate() {
        let len = word.chars().count();
        if at > 0 && column + 1 + len > WIDTH {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if at > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += len;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_option_and_fits_a_terminal() {
        let text = text();
        for option in OPTIONS {
            assert!(
                text.contains(&format!("--{}", option.alias.unwrap_or(option.name))),
                "--{}",
                option.name
            );
        }
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert_eq!(line, line.trim_end(), "blanks at the end of a line");
        }
    }
}
