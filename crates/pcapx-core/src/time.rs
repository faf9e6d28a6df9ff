//! Points in time as capture files need them: integers, nanoseconds, UTC.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Nanoseconds in a second.
pub const NANOS_PER_SEC: i64 = 1_000_000_000;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// The range, 1677 to 2262, is that of a signed 64-bit count. Arithmetic stops at its ends instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time that can be told.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest time that can be told.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the epoch; the ends of the range are kept.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// The current time of the system clock.
    pub fn now() -> Self {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Self(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => Self(i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n)),
        }
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SEC)
    }

    /// Nanoseconds past [`as_secs`](Self::as_secs): 0 ..= 999 999 999.
    pub const fn subsec_nanos(self) -> u32 {
        self.0.rem_euclid(NANOS_PER_SEC) as u32
    }

    /// Later by `by`, at most [`MAX`](Self::MAX).
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos_of(by)))
    }

    /// Earlier by `by`, at least [`MIN`](Self::MIN).
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos_of(by)))
    }
}

fn nanos_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC with nanoseconds: `2026-03-01T09:11:12.123456789Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(at) => write!(f, "{at:.9}"),
            Err(_) => write!(f, "{}.{:09}", self.as_secs(), self.subsec_nanos()),
        }
    }
}

/// As [`Display`](fmt::Display) prints it.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// RFC 3339 with a zone.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        i64::try_from(at.as_nanosecond()).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_times_before_the_epoch_towards_the_past() {
        let t = Timestamp::from_nanos(-1);
        assert_eq!((t.as_secs(), t.subsec_nanos()), (-1, 999_999_999));
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::from_secs(1)), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::from_secs(i64::MAX), Timestamp::MAX);
    }

    #[test]
    fn is_told_in_json_to_the_nanosecond() {
        for nanos in [0, -1, 1_772_356_272_123_456_789] {
            let text = serde_json::to_string(&Timestamp::from_nanos(nanos)).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap().as_nanos(), nanos, "{text}");
        }
        assert!(
            serde_json::from_str::<Timestamp>("\"2026-03-01 10:00:00\"").is_err(),
            "a time without a zone"
        );
        assert!(serde_json::from_str::<Timestamp>("5").is_err());
    }

    #[test]
    fn prints_rfc_3339() {
        assert_eq!(
            Timestamp::from_nanos(1_772_356_272_123_456_789).to_string(),
            "2026-03-01T09:11:12.123456789Z"
        );
    }
}
