//! When a pass begins, and when each of its packets leaves.

use std::time::Duration;

use jiff::{SignedDuration, Zoned};

/// The first full hour of local time after `now`.
pub(crate) fn next_full_hour(now: &Zoned) -> Zoned {
    let past =
        SignedDuration::new(i64::from(now.minute()) * 60 + i64::from(now.second()), now.subsec_nanosecond());
    now.saturating_add(SignedDuration::from_hours(1).saturating_sub(past))
}

/// When packet `index` of `count` leaves, counted from the beginning of a pass of length `pass`.
///
/// Each time is computed from the beginning, so that a late packet does not delay the following ones.
pub(crate) fn offset(index: u64, count: u64, pass: Duration) -> Duration {
    let nanos = pass.as_nanos().saturating_mul(u128::from(index)) / u128::from(count.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour_after(now: &str) -> String {
        next_full_hour(&now.parse().expect(now)).to_string()
    }

    #[test]
    fn the_next_full_hour_is_after_now() {
        assert_eq!(
            hour_after("2026-03-01T10:11:12.5+01:00[Europe/Warsaw]"),
            "2026-03-01T11:00:00+01:00[Europe/Warsaw]"
        );
        assert_eq!(
            hour_after("2026-12-31T23:00:00+01:00[Europe/Warsaw]"),
            "2027-01-01T00:00:00+01:00[Europe/Warsaw]"
        );
    }

    #[test]
    fn the_full_hour_is_that_of_local_time() {
        assert_eq!(
            hour_after("2026-03-01T10:11:12+05:45[Asia/Kathmandu]"),
            "2026-03-01T11:00:00+05:45[Asia/Kathmandu]"
        );
    }

    #[test]
    fn a_changed_clock_skips_or_repeats_an_hour() {
        assert_eq!(
            hour_after("2026-03-29T01:30:00+01:00[Europe/Warsaw]"),
            "2026-03-29T03:00:00+02:00[Europe/Warsaw]"
        );
        assert_eq!(
            hour_after("2026-10-25T02:30:00+02:00[Europe/Warsaw]"),
            "2026-10-25T02:00:00+01:00[Europe/Warsaw]"
        );
    }

    #[test]
    fn packets_are_spread_evenly() {
        let pass = Duration::from_secs(55 * 60);
        let seconds: Vec<u64> = (0..5).map(|i| offset(i, 5, pass).as_secs()).collect();
        assert_eq!(seconds, [0, 660, 1320, 1980, 2640]);
        assert_eq!(offset(1, 3, Duration::from_nanos(10)), Duration::from_nanos(3));
        assert_eq!(offset(0, 0, pass), Duration::ZERO);
        assert_eq!(offset(u64::MAX - 1, u64::MAX, Duration::MAX), Duration::from_nanos(u64::MAX));
    }
}
