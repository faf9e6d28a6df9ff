//! From one value as written to the type it stands for.
//!
//! Numbers may come as numbers or as text of digits, as the environment has nothing else. No reading repeats a
//! value that it takes as plain text: it may be a password.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use config::ValueKind;

use super::{Completion, ExtractorChoice, MetricsAccess, Secret};
use crate::filter::Mode;
use crate::manifest::Format;

/// The longest time that any key takes: a day, as requests have it.
const LONGEST_SECS: u32 = 86_400;
/// Each running extraction keeps a thread and an open file or more, so there is an end to what is of use.
const MOST_EXTRACTIONS: u16 = 1024;
/// Each waiting alert is a file that a restart reads, so there is an end to what is of use.
const MOST_QUEUED: u32 = 100_000;
/// Characters of a value that an error repeats.
const QUOTED_CHARS: usize = 60;

/// A value that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading<T> {
    /// The value.
    pub value: T,
    /// What is odd about it and what was done.
    pub remark: Option<String>,
}

/// A reading, or why the value cannot be used.
pub(super) type Read<T> = Result<Reading<T>, String>;

impl<T> Reading<T> {
    pub(super) const fn plain(value: T) -> Self {
        Self { value, remark: None }
    }

    const fn odd(value: T, remark: String) -> Self {
        Self { value, remark: Some(remark) }
    }
}

/// Any text, also an empty one; a number is taken as its digits.
pub(super) fn text(written: &ValueKind) -> Read<String> {
    as_text(written).map(Reading::plain).ok_or_else(|| format!("expected a text, found {}", kind_of(written)))
}

/// A port; 0 is allowed.
pub(super) fn port(written: &ValueKind) -> Read<u16> {
    integer(written)
        .filter(|number| !number.fraction_cut)
        .and_then(|number| u16::try_from(number.value).ok())
        .map(Reading::plain)
        .ok_or_else(|| format!("expected a port from 0 to {}, found {}", u16::MAX, shown(written)))
}

/// Whole seconds; what is beyond a day or below zero is moved to that end, as in requests.
pub(super) fn reach(written: &ValueKind) -> Read<Duration> {
    let Some(number) = integer(written) else {
        return Err(format!("expected seconds from 0 to {LONGEST_SECS}, found {}", shown(written)));
    };
    let secs = u32::try_from(number.value.max(0)).map_or(LONGEST_SECS, |secs| secs.min(LONGEST_SECS));
    let reach = Duration::from_secs(secs.into());
    Ok(if number.is(secs) {
        Reading::plain(reach)
    } else {
        Reading::odd(reach, format!("{} counts as {secs}", shown(written)))
    })
}

/// Seconds with or without a fraction, at most a day, and zero only where `zero` says so.
pub(super) fn timeout(written: &ValueKind, zero: bool) -> Read<Duration> {
    let secs = match written {
        ValueKind::Float(secs) => Some(*secs),
        ValueKind::String(text) => text.trim().parse().ok(),
        other => integer(other).map(|number| number.value as f64),
    };
    secs.and_then(|secs| Duration::try_from_secs_f64(secs).ok())
        .filter(|time| *time <= Duration::from_secs(LONGEST_SECS.into()) && (zero || !time.is_zero()))
        .map(Reading::plain)
        .ok_or_else(|| {
            let least = if zero { "from 0 to" } else { "above 0, at most" };
            format!("expected seconds {least} {LONGEST_SECS}, found {}", shown(written))
        })
}

/// How many extractions may run at once; what is no such number counts as 1.
pub(super) fn concurrency(written: &ValueKind) -> Reading<NonZeroUsize> {
    let asked = integer(written);
    let count = asked.as_ref().map_or(1, |asked| {
        u16::try_from(asked.value.max(1)).map_or(MOST_EXTRACTIONS, |count| count.min(MOST_EXTRACTIONS))
    });
    let value = NonZeroUsize::new(count.into()).unwrap_or(NonZeroUsize::MIN);
    if asked.is_some_and(|asked| asked.is(count)) {
        Reading::plain(value)
    } else {
        Reading::odd(value, format!("{} counts as {count}", shown(written)))
    }
}

/// A filter mode; what is none counts as `full`.
pub(super) fn mode(written: &ValueKind) -> Reading<Mode> {
    let known = as_text(written).and_then(|word| word.parse().ok());
    known.map_or_else(
        || {
            let modes = Mode::ALL.iter().map(Mode::to_string).collect::<Vec<_>>().join(", ");
            Reading::odd(Mode::Full, format!("{} counts as full: known are {modes}", shown(written)))
        },
        Reading::plain,
    )
}

/// A path: anything but nothing.
pub(super) fn path(written: &ValueKind) -> Read<PathBuf> {
    match written {
        ValueKind::String(text) if !text.trim().is_empty() && !text.contains('\0') => {
            Ok(Reading::plain(PathBuf::from(text)))
        }
        other => Err(format!("expected a path, found {}", shown(other))),
    }
}

/// A path; an empty text is none.
pub(super) fn path_or_none(written: &ValueKind) -> Read<Option<PathBuf>> {
    match written {
        ValueKind::String(text) if text.is_empty() => Ok(Reading::plain(None)),
        other => Ok(Reading::plain(Some(path(other)?.value))),
    }
}

/// `true` or `false`, also as text.
pub(super) fn flag(written: &ValueKind) -> Read<bool> {
    match written {
        ValueKind::Boolean(flag) => Ok(Reading::plain(*flag)),
        other => word(other, "true or false"),
    }
}

/// A password, plain or hashed; empty is one, too.
pub(super) fn secret(written: &ValueKind) -> Read<Secret> {
    let text = text(written)?.value;
    Secret::new(text).map(Reading::plain).map_err(|error| error.to_string())
}

/// A token for the header `Authorization: Bearer …`, plain or hashed; empty is none.
pub(super) fn token(written: &ValueKind) -> Read<Option<Secret>> {
    let token = secret(written)?.value;
    if token.plain().unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Reading::plain(Some(token).filter(|token| !token.is_empty())))
    } else {
        Err("expected ASCII letters, digits and signs: no blank, no line end".to_owned())
    }
}

/// An address to bind.
pub(super) fn address(written: &ValueKind) -> Read<IpAddr> {
    word(written, "an IP address such as 0.0.0.0 or ::")
}

/// Who may read metrics.
pub(super) fn metrics(written: &ValueKind) -> Read<MetricsAccess> {
    word(written, "off, open or auth")
}

/// Who cuts packets out.
pub(super) fn extractor(written: &ValueKind) -> Read<ExtractorChoice> {
    word(written, "auto, builtin or npcapextract")
}

/// What becomes of a window that is not over yet.
pub(super) fn completion(written: &ValueKind) -> Read<Completion> {
    word(written, "follow or now")
}

/// The format of extracted captures.
pub(super) fn format(written: &ValueKind) -> Read<Format> {
    word(written, "pcap or pcapng")
}

/// How many alerts may wait.
pub(super) fn queue(written: &ValueKind) -> Read<usize> {
    integer(written)
        .filter(|number| !number.fraction_cut)
        .and_then(|number| u32::try_from(number.value).ok().filter(|count| *count <= MOST_QUEUED))
        .map(|count| Reading::plain(count as usize))
        .ok_or_else(|| format!("expected a number from 0 to {MOST_QUEUED}, found {}", shown(written)))
}

/// A whole number of bytes, packets or days; 0 is no limit.
pub(super) fn amount(written: &ValueKind) -> Read<Option<u64>> {
    integer(written)
        .filter(|number| !number.fraction_cut)
        .and_then(|number| u64::try_from(number.value).ok())
        .map(|amount| Reading::plain((amount > 0).then_some(amount)))
        .ok_or_else(|| format!("expected a whole number, 0 or above, found {}", shown(written)))
}

/// `true`, `false`, or `auto` for none of them.
pub(super) fn flag_or_auto(written: &ValueKind) -> Read<Option<bool>> {
    match written {
        ValueKind::String(text) if text.trim() == "auto" => Ok(Reading::plain(None)),
        other => {
            let known = flag(other);
            let known = known.map_err(|_| format!("expected auto, true or false, found {}", shown(other)));
            Ok(Reading::plain(Some(known?.value)))
        }
    }
}

fn word<T: FromStr>(written: &ValueKind, expected: &str) -> Read<T> {
    as_text(written)
        .and_then(|text| text.trim().parse().ok())
        .map(Reading::plain)
        .ok_or_else(|| format!("expected {expected}, found {}", shown(written)))
}

/// A whole number, without its fraction if it had one.
struct Integer {
    value: i128,
    fraction_cut: bool,
}

impl Integer {
    fn is(&self, number: impl Into<i128>) -> bool {
        !self.fraction_cut && self.value == number.into()
    }
}

fn integer(written: &ValueKind) -> Option<Integer> {
    let whole = |value| Some(Integer { value, fraction_cut: false });
    match written {
        ValueKind::I64(value) => whole(i128::from(*value)),
        ValueKind::U64(value) => whole(i128::from(*value)),
        ValueKind::Float(value) if value.is_finite() => {
            Some(Integer { value: value.trunc() as i128, fraction_cut: value.fract() != 0.0 })
        }
        ValueKind::String(text) => {
            let text = text.trim();
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            // Digits alone fail to parse only when there are too many of them.
            let most = if text.starts_with('-') { i128::MIN } else { i128::MAX };
            whole(text.parse().unwrap_or(most))
        }
        _ => None,
    }
}

fn as_text(written: &ValueKind) -> Option<String> {
    match written {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::I64(value) => Some(value.to_string()),
        ValueKind::U64(value) => Some(value.to_string()),
        ValueKind::Float(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A value for an error: a text in quotes, escaped and shortened.
pub(super) fn shown(written: &ValueKind) -> String {
    match written {
        ValueKind::String(text) if text.chars().nth(QUOTED_CHARS).is_some() => {
            format!("{:?}", text.chars().take(QUOTED_CHARS).chain(['…']).collect::<String>())
        }
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::Float(_) => as_text(written).unwrap_or_default(),
        other => kind_of(other).to_owned(),
    }
}

fn kind_of(written: &ValueKind) -> &'static str {
    match written {
        ValueKind::Nil => "null",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::String(_) => "a text",
        ValueKind::Table(_) => "an object",
        ValueKind::Array(_) => "a list",
        ValueKind::Float(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_) => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> ValueKind {
        ValueKind::from(text)
    }

    #[test]
    fn ports_are_whole_numbers_or_digits() {
        for (value, port_number) in [
            (ValueKind::I64(0), Some(0)),
            (ValueKind::I64(65_535), Some(65_535)),
            (ValueKind::Float(8888.0), Some(8888)),
            (written("8888"), Some(8888)),
            (written(" +8888\n"), Some(8888)),
            (ValueKind::I64(65_536), None),
            (ValueKind::I64(-1), None),
            (ValueKind::U64(u64::MAX), None),
            (ValueKind::Float(8888.5), None),
            (ValueKind::Float(f64::NAN), None),
            (ValueKind::Boolean(true), None),
            (ValueKind::Nil, None),
            (ValueKind::Array(Vec::new()), None),
            (written(""), None),
            (written("-"), None),
            (written("--1"), None),
            (written("0x50"), None),
            (written("80 81"), None),
            (written("８０"), None),
            (written(&"9".repeat(100)), None),
        ] {
            assert_eq!(port(&value).ok().map(|reading| reading.value), port_number, "{value:?}");
        }
        assert_eq!(port(&written("x")).unwrap_err(), "expected a port from 0 to 65535, found \"x\"");
    }

    #[test]
    fn a_reach_is_moved_into_the_day() {
        for (value, secs, remark) in [
            (ValueKind::I64(360), 360, None),
            (written("0"), 0, None),
            (ValueKind::I64(86_400), 86_400, None),
            (ValueKind::I64(86_401), 86_400, Some("86401 counts as 86400")),
            (ValueKind::I64(-5), 0, Some("-5 counts as 0")),
            (ValueKind::Float(1.5), 1, Some("1.5 counts as 1")),
            (ValueKind::Float(1e300), 86_400, None),
            (written("-1"), 0, Some("\"-1\" counts as 0")),
        ] {
            let reading = reach(&value).unwrap();
            assert_eq!(reading.value, Duration::from_secs(secs), "{value:?}");
            if !matches!(value, ValueKind::Float(value) if value > 1e299) {
                assert_eq!(reading.remark.as_deref(), remark, "{value:?}");
            }
        }
        assert!(reach(&written("1.5")).is_err());
        assert!(reach(&written("")).is_err());
        assert!(reach(&ValueKind::Nil).is_err());
    }

    #[test]
    fn a_timeout_may_be_a_fraction_of_a_second() {
        for (value, zero, time) in [
            (ValueKind::I64(300), false, Some(Duration::from_secs(300))),
            (ValueKind::Float(0.5), false, Some(Duration::from_millis(500))),
            (written("0.25"), false, Some(Duration::from_millis(250))),
            (ValueKind::I64(0), true, Some(Duration::ZERO)),
            (ValueKind::I64(0), false, None),
            (ValueKind::Float(1e-30), false, None),
            (ValueKind::Float(86_400.1), true, None),
            (ValueKind::Float(-0.1), true, None),
            (written("inf"), true, None),
            (written("NaN"), true, None),
            (written("5 s"), true, None),
            (ValueKind::Boolean(true), true, None),
        ] {
            assert_eq!(timeout(&value, zero).ok().map(|reading| reading.value), time, "{value:?}");
        }
        assert_eq!(
            timeout(&ValueKind::I64(0), false).unwrap_err(),
            "expected seconds above 0, at most 86400, found 0"
        );
    }

    #[test]
    fn a_concurrency_that_is_no_number_counts_as_one() {
        for (value, count, odd) in [
            (ValueKind::I64(1), 1, false),
            (ValueKind::I64(4), 4, false),
            (written("4"), 4, false),
            (ValueKind::Float(2.0), 2, false),
            (ValueKind::Float(2.5), 2, true),
            (written("2.5"), 1, true),
            (written("many"), 1, true),
            (written(""), 1, true),
            (ValueKind::I64(0), 1, true),
            (ValueKind::I64(-3), 1, true),
            (ValueKind::I64(1_000_000), 1024, true),
            (ValueKind::Boolean(true), 1, true),
            (ValueKind::Nil, 1, true),
            (ValueKind::Array(Vec::new()), 1, true),
        ] {
            let reading = concurrency(&value);
            assert_eq!((reading.value.get(), reading.remark.is_some()), (count, odd), "{value:?}");
        }
    }

    #[test]
    fn a_token_fits_into_a_header() {
        assert_eq!(token(&written("")), Ok(Reading::plain(None)));
        assert_eq!(
            token(&written("a.B-9_~+/=")),
            Ok(Reading::plain(Secret::new("a.B-9_~+/=".to_owned()).ok()))
        );
        for bad in ["a b", "token\n", "żeton", "\u{7f}"] {
            let told = token(&written(bad)).unwrap_err();
            assert!(!told.contains(bad), "{told}");
        }
        assert!(token(&written("$argon2id$v=19$")).is_err());
    }

    #[test]
    fn a_flag_is_true_or_false_and_nothing_else() {
        for (value, is_set) in [
            (ValueKind::Boolean(true), Some(true)),
            (ValueKind::Boolean(false), Some(false)),
            (written("true"), Some(true)),
            (written(" false\n"), Some(false)),
            (written("yes"), None),
            (written(""), None),
            (ValueKind::I64(1), None),
            (ValueKind::Nil, None),
        ] {
            assert_eq!(flag(&value).ok().map(|reading| reading.value), is_set, "{value:?}");
        }
        assert_eq!(flag(&written("on")).unwrap_err(), "expected true or false, found \"on\"");
    }

    #[test]
    fn an_amount_is_whole_and_zero_is_no_limit() {
        for (value, amount_read) in [
            (ValueKind::I64(0), Some(None)),
            (ValueKind::I64(5), Some(Some(5))),
            (written("10737418240"), Some(Some(10_737_418_240))),
            (ValueKind::I64(-1), None),
            (ValueKind::Float(1.5), None),
            (written("1 GB"), None),
            (ValueKind::Boolean(true), None),
        ] {
            assert_eq!(amount(&value).ok().map(|reading| reading.value), amount_read, "{value:?}");
        }
        assert_eq!(queue(&written("1000")), Ok(Reading::plain(1000)));
        assert!(queue(&ValueKind::I64(100_001)).is_err() && queue(&ValueKind::I64(-1)).is_err());
    }

    #[test]
    fn auto_is_neither_true_nor_false() {
        assert_eq!(flag_or_auto(&written("auto")), Ok(Reading::plain(None)));
        assert_eq!(flag_or_auto(&ValueKind::Boolean(false)), Ok(Reading::plain(Some(false))));
        assert_eq!(flag_or_auto(&written("on")).unwrap_err(), "expected auto, true or false, found \"on\"");
    }

    #[test]
    fn an_empty_path_is_none() {
        assert_eq!(path_or_none(&written("")), Ok(Reading::plain(None)));
        assert_eq!(path_or_none(&written("/a")), Ok(Reading::plain(Some("/a".into()))));
        assert!(path_or_none(&written("\0")).is_err() && path_or_none(&ValueKind::I64(1)).is_err());
    }

    #[test]
    fn long_values_are_shortened_and_escaped() {
        let shown = shown(&written(&"\n".repeat(1000)));
        assert_eq!(shown, format!("\"{}…\"", "\\n".repeat(QUOTED_CHARS)));
    }
}
