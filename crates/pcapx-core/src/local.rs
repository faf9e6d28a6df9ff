//! The one place where local time is read and written.
//!
//! ```text
//! "2026-03-01 10:11:12" ──parse──────────► Timestamp ──compact──► "20260301_101112"   (file names)
//! "01.03.26 10:11:12"   ──parse_dotted──►   (UTC)    ──spoken───► "2026-03-01 10:11:12" (npcapextract)
//! ```
//!
//! When clocks are set back, an hour of local time happens twice (a *fold*); when they are set forward, an hour
//! is left out (a *gap*). A text cannot say which of the two is meant, so [`Edge`] decides for the wider window.
//! A time in a gap counts on from the moment before it: 02:30 in a gap from 02:00 to 03:00 is 03:30.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::time::Timestamp;

/// The form that [`LocalZone::parse`] reads.
const SPOKEN_FORM: &str = "YYYY-MM-DD hh:mm:ss";
/// The form that [`LocalZone::parse_dotted`] reads.
const DOTTED_FORM: &str = "dd.mm.yy HH:MM:SS";
/// The system's own zone: a link into the zone database, or a copy out of it.
const LOCAL_ZONE: &str = "/etc/localtime";
/// Where systems have the zone database.
const ZONE_FOLDER: &str = "/usr/share/zoneinfo";
/// Characters of a refused text that an error repeats; more than any right text has.
const QUOTED_CHARS: usize = 40;

/// A time zone with its rules for summer time.
///
/// ```
/// use pcapx_core::local::{Edge, LocalZone};
///
/// let warsaw = LocalZone::named("Europe/Warsaw")?;
/// let at = warsaw.parse("2026-03-01 10:11:12", Edge::Begin)?;
/// assert_eq!(at.as_secs(), 1_772_356_272);
/// assert_eq!(warsaw.compact(at), "20260301_101112");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalZone(TimeZone);

/// Which end of a window a time is, for an hour that happens twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The window begins here: the first of the two.
    Begin,
    /// The window ends here: the second of the two.
    End,
}

/// No time zone has this name on this system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {:?}: expected a name such as Europe/Warsaw", quoted(.0))]
pub struct UnknownZone(pub String);

/// Why a text is not a local time. Its `Display` escapes and shortens the text, which may come from anywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalTimeError {
    /// The text does not look like the form.
    #[error("{:?} is not a time: expected {form}", quoted(.text))]
    Form {
        /// The text as given.
        text: String,
        /// What it should look like.
        form: &'static str,
    },
    /// The text looks right, but there is no such day or no such time of day.
    #[error("{:?} is not on the calendar: expected {form}, hours 00 to 23", quoted(.text))]
    NoSuchTime {
        /// The text as given.
        text: String,
        /// What it should look like.
        form: &'static str,
    },
    /// The time lies outside the years that a [`Timestamp`] can tell.
    #[error("{:?} is out of range: expected {form} with a year from 1678 to 2261", quoted(.text))]
    OutOfRange {
        /// The text as given.
        text: String,
        /// What it should look like.
        form: &'static str,
    },
}

impl LocalZone {
    /// The zone of the system: `TZ` when it is set (a name, a path or a POSIX rule), else `/etc/localtime`.
    ///
    /// UTC when neither can be read, as the C library does it; a warning is logged then.
    pub fn system() -> Self {
        let searched = || {
            TimeZone::try_system().unwrap_or_else(|error| {
                log::warn!("the system's time zone is unknown, local times are UTC: {error}");
                TimeZone::UTC
            })
        };
        Self(usual().unwrap_or_else(searched))
    }

    /// The zone of this name in the system's zone database, for example `Europe/Warsaw`.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name).map(Self).map_err(|_| UnknownZone(name.to_owned()))
    }

    /// Reads `YYYY-MM-DD hh:mm:ss`, all digits present, nothing before or behind.
    pub fn parse(&self, text: &str, edge: Edge) -> Result<Timestamp, LocalTimeError> {
        self.resolve(text, SPOKEN_FORM, edge, spoken_fields(text))
    }

    /// Reads `dd.mm.yy HH:MM:SS`, the form of an alert's `timestamp`.
    ///
    /// As C's and Python's `strptime` do, years 69 to 99 are in the 20th century, a leading zero may be missing
    /// (not in the year) and any white space may separate day and time. In a fold, the first of the two is meant.
    pub fn parse_dotted(&self, text: &str) -> Result<Timestamp, LocalTimeError> {
        self.resolve(text, DOTTED_FORM, Edge::Begin, dotted_fields(text))
    }

    /// `YYYYmmdd_HHMMSS`, for names of files.
    pub fn compact(&self, at: Timestamp) -> String {
        let at = self.civil(at);
        format!(
            "{:04}{:02}{:02}_{:02}{:02}{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }

    /// `YYYY-MM-DD HH:MM:SS`, for command lines and people. A fraction of a second is cut off.
    pub fn spoken(&self, at: Timestamp) -> String {
        let at = self.civil(at);
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }

    /// Seconds by which local time is ahead of UTC at an instant; negative where it is behind.
    pub fn offset_secs(&self, at: Timestamp) -> i64 {
        let at = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_nanos(at.as_nanos());
        i64::from(self.0.to_offset(at).seconds())
    }

    fn civil(&self, at: Timestamp) -> DateTime {
        // The sum stays inside jiff's years -9999..=9999: 64 bits of nanoseconds reach 292 years from the epoch.
        self.0.to_datetime(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_nanos(at.as_nanos()))
    }

    fn resolve(
        &self,
        text: &str,
        form: &'static str,
        edge: Edge,
        fields: Option<[i16; 6]>,
    ) -> Result<Timestamp, LocalTimeError> {
        let Some([year, month, day, hour, minute, second]) = fields else {
            return Err(LocalTimeError::Form { text: text.to_owned(), form });
        };
        // Every field but the year has two digits.
        let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|field| field as i8);
        let Ok(civil) = DateTime::new(year, month, day, hour, minute, second, 0) else {
            return Err(LocalTimeError::NoSuchTime { text: text.to_owned(), form });
        };
        let candidates = self.0.to_ambiguous_timestamp(civil);
        let at = match edge {
            Edge::Begin => candidates.compatible(),
            Edge::End => candidates.later(),
        };
        at.ok()
            .and_then(|at| i64::try_from(at.as_nanosecond()).ok())
            .map(Timestamp::from_nanos)
            .ok_or_else(|| LocalTimeError::OutOfRange { text: text.to_owned(), form })
    }
}

/// The system's zone where it is told as nearly everywhere: by `TZ` as a name such as `Europe/Warsaw`, or by `/etc/localtime`
/// as a link into the zone database. One file is read; to find a zone by its name, the whole database is listed else, which
/// takes longer than to answer a question.
fn usual() -> Option<TimeZone> {
    let (name, file) = if let Some(zone) = env::var_os("TZ") {
        let name = zone.into_string().ok().filter(|name| is_place(name))?;
        let file = Path::new(ZONE_FOLDER).join(&name);
        (name, file)
    } else {
        let file = PathBuf::from(LOCAL_ZONE);
        let target = fs::read_link(&file).ok()?;
        let (_, name) = target.to_str()?.rsplit_once("zoneinfo/")?;
        (name.to_owned(), file)
    };
    TimeZone::tzif(&name, &fs::read(file).ok()?).ok()
}

/// Whether a `TZ` is the name of a zone, `Region/City` or `UTC`, and neither a rule, which has digits, nor a path.
fn is_place(zone: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
    };
    if zone.contains('/') {
        zone.split('/').all(is_word)
    } else {
        !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphabetic())
    }
}

/// The zone's name, for example `Europe/Warsaw`; one that comes from a rule or an unnamed file has none.
impl fmt::Display for LocalZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iana_name() {
            Some(name) => f.write_str(name),
            None => f.write_str("a zone without a name"),
        }
    }
}

/// Year, month, day, hour, minute, second of `YYYY-MM-DD hh:mm:ss`.
fn spoken_fields(text: &str) -> Option<[i16; 6]> {
    let (date, clock) = text.split_once(' ')?;
    let [year, month, day] = parts(date, '-')?;
    let [hour, minute, second] = parts(clock, ':')?;
    Some([
        digits(year, 4, 4)?,
        digits(month, 2, 2)?,
        digits(day, 2, 2)?,
        digits(hour, 2, 2)?,
        digits(minute, 2, 2)?,
        digits(second, 2, 2)?,
    ])
}

/// Year, month, day, hour, minute, second of `dd.mm.yy HH:MM:SS`.
fn dotted_fields(text: &str) -> Option<[i16; 6]> {
    let [day, month, rest] = parts(text, '.')?;
    let (year, clock) = rest.split_once(char::is_whitespace)?;
    let [hour, minute, second] = parts(clock.trim_start(), ':')?;
    let year = match digits(year, 2, 2)? {
        year @ 69.. => 1900 + year,
        year => 2000 + year,
    };
    // strptime lets a blank stand for the day's leading zero.
    let day = match day.strip_prefix(' ') {
        Some(day) => digits(day, 1, 1)?,
        None => digits(day, 1, 2)?,
    };
    Some([year, digits(month, 1, 2)?, day, digits(hour, 1, 2)?, digits(minute, 1, 2)?, digits(second, 1, 2)?])
}

/// The three parts of `text` between two separators; the last one may hold more of them.
fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut split = text.splitn(3, separator);
    Some([split.next()?, split.next()?, split.next()?])
}

/// A number of `least` to `most` ASCII digits (at most four, so it cannot overflow).
fn digits(text: &str, least: usize, most: usize) -> Option<i16> {
    let right = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED_CHARS).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warsaw() -> LocalZone {
        LocalZone::named("Europe/Warsaw").unwrap()
    }

    fn utc(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    }

    fn begin(text: &str) -> i64 {
        warsaw().parse(text, Edge::Begin).unwrap().as_secs()
    }

    fn end(text: &str) -> i64 {
        warsaw().parse(text, Edge::End).unwrap().as_secs()
    }

    #[test]
    fn tells_how_far_local_time_is_ahead() {
        let offset = |secs| warsaw().offset_secs(Timestamp::from_secs(secs));
        assert_eq!((offset(1_772_356_272), offset(utc("2026-07-01T08:11:12Z"))), (3600, 7200));
        for extreme in [Timestamp::MIN, Timestamp::MAX] {
            assert!(warsaw().offset_secs(extreme).abs() < 86_400);
        }
    }

    #[test]
    fn a_name_is_told_from_a_rule_and_a_path() {
        for name in ["UTC", "CET", "Europe/Warsaw", "America/Argentina/Buenos_Aires", "Etc/GMT-14"] {
            assert!(is_place(name), "{name}");
        }
        for other in [
            "",
            "/",
            ":UTC",
            "CET-1",
            "EST5EDT",
            "/etc/localtime",
            "Europe/",
            "../UTC",
            "Europe/../UTC",
            "<-03>3",
        ] {
            assert!(!is_place(other), "{other}");
        }
    }

    #[test]
    fn reads_winter_and_summer_time() {
        assert_eq!(begin("2026-03-01 10:11:12"), utc("2026-03-01T09:11:12Z"));
        assert_eq!(begin("2026-07-01 10:11:12"), utc("2026-07-01T08:11:12Z"));
        assert_eq!(end("2026-07-01 10:11:12"), utc("2026-07-01T08:11:12Z"));
    }

    #[test]
    fn an_hour_that_happens_twice_widens_the_window() {
        // 2026-10-25: 03:00 summer time is 02:00 winter time.
        assert_eq!(begin("2026-10-25 02:30:00"), utc("2026-10-25T00:30:00Z"));
        assert_eq!(end("2026-10-25 02:30:00"), utc("2026-10-25T01:30:00Z"));
        assert_eq!(begin("2026-10-25 02:00:00"), utc("2026-10-25T00:00:00Z"));
        assert_eq!(end("2026-10-25 02:00:00"), utc("2026-10-25T01:00:00Z"));
        assert_eq!(begin("2026-10-25 01:59:59"), utc("2026-10-24T23:59:59Z"));
        assert_eq!(end("2026-10-25 03:00:00"), utc("2026-10-25T02:00:00Z"));
        let dotted = warsaw().parse_dotted("25.10.26 02:30:00").unwrap();
        assert_eq!(dotted.as_secs(), utc("2026-10-25T00:30:00Z"));
    }

    #[test]
    fn an_hour_that_is_left_out_moves_forward() {
        // 2026-03-29: 02:00 winter time is 03:00 summer time.
        for at in [begin("2026-03-29 02:30:00"), end("2026-03-29 02:30:00")] {
            assert_eq!(at, utc("2026-03-29T01:30:00Z"));
        }
        assert_eq!(
            warsaw().spoken(Timestamp::from_secs(begin("2026-03-29 02:30:00"))),
            "2026-03-29 03:30:00"
        );
        let dotted = warsaw().parse_dotted("29.03.26 02:30:00").unwrap();
        assert_eq!(dotted.as_secs(), utc("2026-03-29T01:30:00Z"));
        assert_eq!(begin("2026-03-29 01:59:59"), utc("2026-03-29T00:59:59Z"));
        assert_eq!(begin("2026-03-29 03:00:00"), utc("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn writes_both_forms_and_cuts_fractions_towards_the_past() {
        let zone = warsaw();
        let at = Timestamp::from_nanos(1_772_356_272_999_999_999);
        assert_eq!(zone.compact(at), "20260301_101112");
        assert_eq!(zone.spoken(at), "2026-03-01 10:11:12");
        assert_eq!(LocalZone::named("UTC").unwrap().spoken(Timestamp::from_nanos(-1)), "1969-12-31 23:59:59");
    }

    #[test]
    fn both_forms_cover_all_of_time() {
        let zone = LocalZone::named("UTC").unwrap();
        assert_eq!(zone.compact(Timestamp::MIN), "16770921_001243");
        assert_eq!(zone.spoken(Timestamp::MAX), "2262-04-11 23:47:16");
        assert_eq!(
            zone.parse("2262-04-11 23:47:16", Edge::End),
            Ok(Timestamp::from_nanos(i64::MAX / 1_000_000_000 * 1_000_000_000))
        );
        assert!(matches!(
            zone.parse("2262-04-11 23:47:17", Edge::End),
            Err(LocalTimeError::OutOfRange { .. })
        ));
        for text in ["0000-01-01 00:00:00", "1677-09-21 00:12:43", "9999-12-31 23:59:59"] {
            let error = zone.parse(text, Edge::Begin).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "\"{text}\" is out of range: expected YYYY-MM-DD hh:mm:ss with a year from 1678 to 2261"
                )
            );
        }
    }

    #[test]
    fn refuses_what_has_another_form() {
        for text in [
            "",
            " ",
            "now",
            "2026-03-01",
            "2026-03-01T10:11:12",
            "2026-03-01 10:11",
            "2026-03-01 10:11:12 ",
            " 2026-03-01 10:11:12",
            "2026-03-01  10:11:12",
            "2026-03-01 10:11:12.5",
            "2026-03-01 10:11:12Z",
            "2026-3-1 10:11:12",
            "26-03-01 10:11:12",
            "-2026-03-01 10:11:12",
            "+026-03-01 10:11:12",
            "12026-03-01 10:11:12",
            "2026-03-01 10:11:+2",
            "2026-03-01 10:11:12:13",
            "2026-03-01-01 10:11:12",
            "٢٠٢٦-03-01 10:11:12",
        ] {
            let error = warsaw().parse(text, Edge::Begin).unwrap_err();
            assert_eq!(error.to_string(), format!("{text:?} is not a time: expected YYYY-MM-DD hh:mm:ss"));
        }
    }

    #[test]
    fn refuses_what_is_not_on_the_calendar() {
        for text in [
            "2026-02-30 10:11:12",
            "2026-02-29 10:11:12",
            "2026-13-01 10:11:12",
            "2026-00-01 10:11:12",
            "2026-01-00 10:11:12",
            "2026-03-01 24:00:00",
            "2026-03-01 10:60:00",
            "2026-03-01 10:00:60",
            "2026-99-99 99:99:99",
        ] {
            assert_eq!(
                warsaw().parse(text, Edge::End).unwrap_err().to_string(),
                format!("{text:?} is not on the calendar: expected YYYY-MM-DD hh:mm:ss, hours 00 to 23")
            );
        }
        assert!(warsaw().parse("2024-02-29 10:11:12", Edge::End).is_ok());
        assert!(matches!(
            warsaw().parse_dotted("30.02.26 10:11:12"),
            Err(LocalTimeError::NoSuchTime { form: "dd.mm.yy HH:MM:SS", .. })
        ));
        assert!(warsaw().parse_dotted("01.03.26 24:00:00").is_err());
    }

    #[test]
    fn dotted_times_are_read_as_strptime_reads_them() {
        for (text, told) in [
            ("01.03.26 10:11:12", "2026-03-01T09:11:12Z"),
            ("1.3.26 9:1:2", "2026-03-01T08:01:02Z"),
            (" 1.03.26 10:11:12", "2026-03-01T09:11:12Z"),
            ("01.03.26 \t 10:11:12", "2026-03-01T09:11:12Z"),
            ("01.03.68 10:11:12", "2068-03-01T09:11:12Z"),
            ("01.03.69 10:11:12", "1969-03-01T09:11:12Z"),
            ("01.03.99 10:11:12", "1999-03-01T09:11:12Z"),
        ] {
            assert_eq!(warsaw().parse_dotted(text).map(Timestamp::as_secs), Ok(utc(told)), "{text:?}");
        }
        for text in [
            "",
            "01.03.2026 10:11:12",
            "01.03.6 10:11:12",
            "01.03.26",
            "01.03.26 10:11",
            "01.03.26 10:11:12 ",
            "01.03.26 10:11:12.5",
            " 01.03.26 10:11:12",
            "2026-03-01 10:11:12",
            "001.03.26 10:11:12",
        ] {
            assert_eq!(
                warsaw().parse_dotted(text).unwrap_err().to_string(),
                format!("{text:?} is not a time: expected dd.mm.yy HH:MM:SS")
            );
        }
    }

    #[test]
    fn an_error_repeats_no_raw_or_endless_text() {
        let text = format!("\x1b[2J\r\n{}", "x".repeat(100_000));
        let told = warsaw().parse(&text, Edge::Begin).unwrap_err().to_string();
        assert!(told.starts_with(r#""\u{1b}[2J\r\nxxx"#), "{told}");
        assert!(told.len() < 120 && told.chars().all(|c| !c.is_control()));
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = LocalZone::named("Mars/Olympus").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown time zone \"Mars/Olympus\": expected a name such as Europe/Warsaw"
        );
        assert_eq!(warsaw().to_string(), "Europe/Warsaw");
    }
}
