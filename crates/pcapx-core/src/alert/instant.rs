//! The times of an alert.
//!
//! | form | example |
//! |---|---|
//! | number, or a number as text: s, ms, µs or ns since the epoch | `1739100000`, `"1679614980000"`, `1772359872.123456` |
//! | RFC 3339; the zone's colon may be missing | `2026-03-01T10:11:12.123456+0100` |
//! | the same without a zone: local time | `2026-03-01 10:11:12` |
//! | day first, local time | `24.03.23 00:43:00` |
//!
//! Digits are read as text, never through a floating-point number: nanoseconds stay exact.

use serde_json::Value;

use super::entries::is_missing;
use super::refusal::{Excerpt, RefusalReason};
use crate::local::{Edge, LocalZone};
use crate::time::Timestamp;

/// The unit changes at one instant, 2001-09-09T01:46:40Z: a number above 10^12 counts milliseconds, above 10^15
/// microseconds, above 10^18 nanoseconds. Times before that instant are told in seconds.
const UNIT_STEPS: [(u128, u128); 3] = [
    // Number above which the unit holds, units in a second; the finest unit first.
    (10u128.pow(18), 10u128.pow(9)),
    (10u128.pow(15), 10u128.pow(6)),
    (10u128.pow(12), 10u128.pow(3)),
];

/// Decimal places that are kept of a number.
const PLACES: i32 = 9;

/// Significant digits that are kept of a number; more than 64 bits of nanoseconds and nine places have.
const DIGITS: usize = 29;

/// The original form of `unixTimestamp`: a number.
pub(super) fn number(value: &Value, reasons: &mut Vec<RefusalReason>) -> Option<Timestamp> {
    let Value::Number(number) = value else { return None };
    let found = since_epoch(&number.to_string());
    if found.is_none() {
        reasons.push(RefusalReason::NotATime(Excerpt::of_value(value)));
    }
    found
}

/// The original form of `timestamp`: day first, local time.
pub(super) fn dotted(value: &Value, local: &LocalZone) -> Option<Timestamp> {
    local.parse_dotted(value.as_str()?.trim()).ok()
}

/// Every form.
pub(super) fn any(value: &Value, local: &LocalZone, reasons: &mut Vec<RefusalReason>) -> Option<Timestamp> {
    let found = match value {
        Value::Null => return None,
        Value::Number(number) => since_epoch(&number.to_string()),
        Value::String(text) => {
            let text = text.trim();
            if is_missing(text) {
                return None;
            }
            since_epoch(text)
                .or_else(|| with_zone(text))
                .or_else(|| without_zone(text, local))
                .or_else(|| local.parse_dotted(text).ok())
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if found.is_none() {
        reasons.push(RefusalReason::NotATime(Excerpt::of_value(value)));
    }
    found
}

/// A decimal number as JSON writes it, a leading `+` allowed.
fn since_epoch(text: &str) -> Option<Timestamp> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let scaled = scaled(text)?;
    let one = 10u128.pow(PLACES.unsigned_abs());
    let per_second = UNIT_STEPS
        .into_iter()
        .find(|(above, _)| !negative && scaled > above * one)
        .map_or(1, |(_, per_second)| per_second);
    // `scaled` holds 10^-9 units; of seconds that is the count of nanoseconds.
    let nanos = i64::try_from(scaled / per_second).ok()?;
    Some(Timestamp::from_nanos(if negative { -nanos } else { nanos }))
}

/// The number without sign, times 10^9, cut off; `None` if it is malformed or far too large.
fn scaled(text: &str) -> Option<u128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let significant = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    let count = significant.clone().count();
    let kept = count.min(DIGITS);
    let number = significant.take(kept).fold(0u128, |number, digit| number * 10 + u128::from(digit - b'0'));
    if number == 0 {
        return Some(0);
    }
    // The weight of the last kept digit.
    let dropped = i32::try_from(count - kept).ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    let weight = exponent.checked_sub(places)?.checked_add(dropped)?.checked_add(PLACES)?;
    match u32::try_from(weight) {
        Ok(weight) => number.checked_mul(10u128.checked_pow(weight)?),
        Err(_) => Some(10u128.checked_pow(weight.unsigned_abs()).map_or(0, |divisor| number / divisor)),
    }
}

fn with_zone(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// `YYYY-MM-DDThh:mm:ss` with or without a fraction; in an hour that happens twice, the first.
fn without_zone(text: &str, local: &LocalZone) -> Option<Timestamp> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let (date, clock) = clock.split_once(['T', 't', ' '])?;
    let second = local.parse(&format!("{date} {clock}"), Edge::Begin).ok()?;
    let nanos = scaled(&format!("0.{fraction}"))?;
    Some(Timestamp::from_nanos(second.as_nanos().checked_add(i64::try_from(nanos).ok()?)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Option<i64> {
        let warsaw = LocalZone::named("Europe/Warsaw").unwrap();
        let mut reasons = Vec::new();
        let found = any(value, &warsaw, &mut reasons).map(Timestamp::as_nanos);
        assert!(found.is_some() || value.is_null() || reasons.len() == 1, "{value}: {reasons:?}");
        found
    }

    #[test]
    fn magnitude_tells_the_unit() {
        for (text, nanos) in [
            ("0", 0),
            ("1739100000", 1_739_100_000_000_000_000),
            ("1739100000000", 1_739_100_000_000_000_000),
            ("1739100000000000", 1_739_100_000_000_000_000),
            ("1739100000000000000", 1_739_100_000_000_000_000),
            ("1000000000001", 1_000_000_000_001_000_000),
            ("1000000000000001", 1_000_000_000_000_001_000),
            ("1000000000000000001", 1_000_000_000_000_000_001),
            ("1772359872.123456", 1_772_359_872_123_456_000),
            ("1772359872.123456789", 1_772_359_872_123_456_789),
            ("1772359872.1234567899", 1_772_359_872_123_456_789),
            ("1679614980000.25", 1_679_614_980_000_250_000),
            ("1.7391e9", 1_739_100_000_000_000_000),
            ("1.7391E+12", 1_739_100_000_000_000_000),
            ("1e-9", 1),
            ("1e-10", 0),
            ("0e999999999", 0),
            ("0.000000000000000000000000000000000000000000000000001e60", 1_000_000_000_000_000_000),
            ("-1.5", -1_500_000_000),
            ("-0", 0),
            ("9223372036.854775807", i64::MAX),
        ] {
            assert_eq!(read(&json!(text)), Some(nanos), "{text}");
            let number: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(&number), Some(nanos), "{text} as a number");
        }
    }

    #[test]
    fn numbers_beyond_the_range_are_refused() {
        for text in [
            "1000000000000",
            "1000000000000000",
            "1000000000000000000",
            "9223372036.854775808",
            "9223372036854775808",
            "-9223372037",
            "-1679614980000",
            "1e300",
            "1e2147483647",
            "1e99999999999",
            "123456789012345678901234567890123456789012345678901234567890",
        ] {
            assert_eq!(read(&json!(text)), None, "{text}");
            let number: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(&number), None, "{text} as a number");
        }
    }

    #[test]
    fn reads_calendar_times() {
        for (text, nanos) in [
            ("2026-03-01T09:11:12Z", 1_772_356_272_000_000_000),
            ("2026-03-01t09:11:12.5z", 1_772_356_272_500_000_000),
            ("2026-03-01T10:11:12.123456+0100", 1_772_356_272_123_456_000),
            ("2026-03-01T10:11:12.123456789+01:00", 1_772_356_272_123_456_789),
            ("2026-03-01 10:11:12+01", 1_772_356_272_000_000_000),
            ("2026-03-01T04:11:12-05:00", 1_772_356_272_000_000_000),
            ("2026-03-01T10:11:12", 1_772_356_272_000_000_000),
            ("2026-03-01 10:11:12.000000001", 1_772_356_272_000_000_001),
            (" 2026-03-01T10:11:12,25 ", 1_772_356_272_250_000_000),
            ("01.03.26 10:11:12", 1_772_356_272_000_000_000),
            ("24.03.23 00:43:00", 1_679_614_980_000_000_000),
            // An hour that happens twice: the first time is meant.
            ("2025-10-26 02:30:00", 1_761_438_600_000_000_000),
            ("26.10.25 02:30:00", 1_761_438_600_000_000_000),
        ] {
            assert_eq!(read(&json!(text)), Some(nanos), "{text}");
        }
    }

    #[test]
    fn other_values_are_no_times() {
        for value in [
            json!("NaN"),
            json!("Infinity"),
            json!("-inf"),
            json!("1_000"),
            json!("0x10"),
            json!("1e"),
            json!("."),
            json!("1."),
            json!(".5"),
            json!("--1"),
            json!("2026-03-01"),
            json!("10:11:12"),
            json!("2026-13-01T00:00:00Z"),
            json!("2026-02-30 00:00:00"),
            json!("9999-12-31T23:59:59Z"),
            json!("2026-03-01T10:11:12.x"),
            json!("32.01.26 00:00:00"),
            json!("yesterday"),
            json!(true),
            json!([1_739_100_000]),
            json!({"a": 1}),
        ] {
            assert_eq!(read(&value), None, "{value}");
        }
        assert_eq!(read(&json!(null)), None);
    }

    #[test]
    fn the_original_forms_are_narrow() {
        let warsaw = LocalZone::named("Europe/Warsaw").unwrap();
        let mut reasons = Vec::new();
        assert_eq!(number(&json!("1739100000"), &mut reasons), None);
        assert_eq!(number(&json!(true), &mut reasons), None);
        assert_eq!(reasons, []);
        assert_eq!(number(&json!(1.5), &mut reasons), Some(Timestamp::from_nanos(1_500_000_000)));
        assert_eq!(dotted(&json!("2026-03-01T09:11:12Z"), &warsaw), None);
        assert_eq!(dotted(&json!(1_739_100_000), &warsaw), None);
    }
}
