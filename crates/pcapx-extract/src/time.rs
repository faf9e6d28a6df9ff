//! Times as people and scripts write them.

use pcapx_core::local::{Edge, LocalTimeError, LocalZone};
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// Digits of a fraction that count: nanoseconds.
const FRACTION_DIGITS: usize = 9;

/// Why a text is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeError {
    #[error(
        "{0:?} is not a time: write \"YYYY-MM-DD hh:mm:ss\" (local time), 2026-03-01T10:11:12Z or seconds since 1970"
    )]
    Form(String),
    #[error("{0:?} is out of range: seconds since 1970 have ten digits, and years reach from 1678 to 2261")]
    OutOfRange(String),
    #[error(transparent)]
    Local(LocalTimeError),
}

/// Reads local time, RFC 3339, or seconds since 1970 with or without a fraction.
pub(crate) fn parse(text: &str, edge: Edge, zone: &LocalZone) -> Result<Timestamp, TimeError> {
    let text = text.trim();
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, nanos(fraction)),
        None => (text, Some(0)),
    };
    if is_digits(whole) {
        let fraction = fraction.ok_or_else(|| TimeError::Form(text.to_owned()))?;
        return epoch(whole, fraction).ok_or_else(|| TimeError::OutOfRange(text.to_owned()));
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        let nanos = i64::try_from(at.as_nanosecond());
        return nanos.map(Timestamp::from_nanos).map_err(|_| TimeError::OutOfRange(text.to_owned()));
    }
    let fraction = fraction.ok_or_else(|| TimeError::Form(text.to_owned()))?;
    // RFC 3339 without its zone is local time.
    let local = match whole.split_once('T') {
        Some((date, clock)) => zone.parse(&format!("{date} {clock}"), edge),
        None => zone.parse(whole, edge),
    };
    let at = local.map_err(|error| match error {
        LocalTimeError::Form { .. } => TimeError::Form(text.to_owned()),
        other => TimeError::Local(other),
    })?;
    Ok(Timestamp::from_nanos(at.as_nanos().saturating_add(fraction)))
}

fn epoch(whole: &str, fraction: i64) -> Option<Timestamp> {
    let nanos = whole.parse::<i64>().ok()?.checked_mul(NANOS_PER_SEC)?.checked_add(fraction)?;
    Some(Timestamp::from_nanos(nanos))
}

/// The nanoseconds of a fraction's digits; those behind the ninth are cut off.
fn nanos(digits: &str) -> Option<i64> {
    if !is_digits(digits) {
        return None;
    }
    let digits: String = digits.chars().chain("000000000".chars()).take(FRACTION_DIGITS).collect();
    digits.parse().ok()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        parse(text, Edge::Begin, &LocalZone::named("Europe/Warsaw").unwrap()).unwrap()
    }

    fn error(text: &str) -> TimeError {
        parse(text, Edge::Begin, &LocalZone::named("Europe/Warsaw").unwrap()).unwrap_err()
    }

    #[test]
    fn all_forms_of_one_instant_are_equal() {
        for text in [
            "2026-03-01 10:11:12",
            "2026-03-01T10:11:12",
            "2026-03-01T10:11:12+01:00",
            "2026-03-01T09:11:12Z",
            "2026-03-01T09:11:12.000z",
            "2026-03-01 09:11:12Z",
            "1772356272",
            "1772356272.0",
            " 1772356272 ",
        ] {
            assert_eq!(at(text), Timestamp::from_secs(1_772_356_272), "{text}");
        }
    }

    #[test]
    fn fractions_reach_to_nanoseconds() {
        let expected = Timestamp::from_nanos(1_772_356_272_123_456_789);
        for text in [
            "1772356272.123456789",
            "1772356272.1234567899",
            "2026-03-01 10:11:12.123456789",
            "2026-03-01T09:11:12.123456789Z",
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
        assert_eq!(at("1772356272.5"), Timestamp::from_nanos(1_772_356_272_500_000_000));
    }

    #[test]
    fn an_hour_that_happens_twice_widens_the_window() {
        let zone = LocalZone::named("Europe/Warsaw").unwrap();
        let text = "2026-10-25 02:30:00";
        assert_eq!(parse(text, Edge::Begin, &zone), Ok(at("2026-10-25T00:30:00Z")));
        assert_eq!(parse(text, Edge::End, &zone), Ok(at("2026-10-25T01:30:00Z")));
    }

    #[test]
    fn what_is_no_time_is_told_apart() {
        for text in [
            "",
            "soon",
            "2026-03-01",
            "10:11:12",
            "1772356272.",
            "1772356272.x",
            "-5",
            "2026-03-01 10:11:12.",
        ] {
            assert_eq!(error(text), TimeError::Form(text.to_owned()), "{text}");
        }
        assert!(matches!(error("2026-02-30 10:11:12"), TimeError::Local(LocalTimeError::NoSuchTime { .. })));
        // Milliseconds.
        assert!(matches!(error("1772356272123"), TimeError::OutOfRange(_)));
        assert!(matches!(error("99999999999999999999"), TimeError::OutOfRange(_)));
        assert!(matches!(error("2300-01-01T00:00:00Z"), TimeError::OutOfRange(_)));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = parse(&text, Edge::End, &LocalZone::named("UTC").unwrap());
        }

        #[test]
        fn every_second_of_the_range_is_read_back(secs in 0_i64..9_000_000_000, nanos in 0_u32..1_000_000_000) {
            let at = parse(&format!("{secs}.{nanos:09}"), Edge::Begin, &LocalZone::named("UTC").unwrap()).unwrap();
            prop_assert_eq!(at.as_nanos(), secs * NANOS_PER_SEC + i64::from(nanos));
        }
    }
}
