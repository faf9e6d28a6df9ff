//! Axes of charts: where an instant lies, what is written below, and where a scale ends.
//!
//! Places are percentages of the width, which SVG takes in attributes: a chart is as wide as the page, its text is not
//! stretched, and no style has to be computed for it.

use std::fmt;

use maud::{Markup, html};
use pcapx_core::local::LocalZone;
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// Labels of an axis at most, so that they do not touch on a telephone.
const MOST_TICKS: i128 = 6;
/// Labels nearer to an end than this part of the width are not centred.
const EDGE: f64 = 0.06;

const MILLI: i128 = NANOS_PER_SEC as i128 / 1000;
const SECOND: i128 = NANOS_PER_SEC as i128;
const DAY: i128 = 86_400 * SECOND;
/// Distances between labels.
const STEPS: [i128; 34] = [
    MILLI,
    2 * MILLI,
    5 * MILLI,
    10 * MILLI,
    20 * MILLI,
    50 * MILLI,
    100 * MILLI,
    200 * MILLI,
    500 * MILLI,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    300 * SECOND,
    600 * SECOND,
    900 * SECOND,
    1800 * SECOND,
    3600 * SECOND,
    7200 * SECOND,
    10_800 * SECOND,
    21_600 * SECOND,
    43_200 * SECOND,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
    3650 * DAY,
];

/// A stretch of time from the left to the right end of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    from: Timestamp,
    to: Timestamp,
}

/// A place or a length in a chart, as a part of its width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place(pub f64);

/// `12.345%`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{:.3}", self.0 * 100.0);
        write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A label and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where.
    pub place: Place,
    /// What is written there.
    pub label: String,
}

impl Axis {
    /// From one instant to another; an axis is never shorter than a millisecond.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        let shortest = from.saturating_add(std::time::Duration::from_millis(1));
        Self { from, to: to.max(shortest) }
    }

    /// Its left end.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Its right end.
    pub fn to(&self) -> Timestamp {
        self.to
    }

    /// Where an instant lies; beyond an end, at that end.
    pub fn place(&self, at: Timestamp) -> Place {
        let (from, length) = (i128::from(self.from.as_nanos()), self.length());
        let into = (i128::from(at.as_nanos()) - from).clamp(0, length);
        Place(into as f64 / length as f64)
    }

    /// How long a stretch is, as far as it lies on the axis.
    pub fn width(&self, from: Timestamp, to: Timestamp) -> Place {
        Place((self.place(to).0 - self.place(from).0).max(0.0))
    }

    /// Labels at round times of the zone.
    pub fn ticks(&self, zone: &LocalZone) -> Vec<Tick> {
        let length = self.length();
        let Some(step) = STEPS.into_iter().find(|step| length / step <= MOST_TICKS) else {
            return Vec::new();
        };
        let ahead = i128::from(zone.offset_secs(self.from)) * SECOND;
        let from = i128::from(self.from.as_nanos());
        // The first multiple of the step, counted in local time, that is not before the left end.
        let first = -(-(from + ahead)).div_euclid(step) * step - ahead;
        let instants = (0..=MOST_TICKS).map(|number| first + number * step);
        let ticks = instants.filter_map(|nanos| {
            let at = Timestamp::from_nanos(i64::try_from(nanos).ok()?);
            (at <= self.to).then(|| Tick { place: self.place(at), label: label(zone, at, step) })
        });
        ticks.collect()
    }

    /// The labels as text of an SVG image, and a thin line at each.
    pub fn markup(&self, zone: &LocalZone, top: u32, baseline: u32) -> Markup {
        html! {
            @for tick in self.ticks(zone) {
                @let anchor = match tick.place.0 { p if p < EDGE => "start", p if p > 1.0 - EDGE => "end", _ => "middle" };
                line.tick x1=(tick.place) x2=(tick.place) y1=(top) y2=(baseline.saturating_sub(12)) {}
                text.tick x=(tick.place) y=(baseline) text-anchor=(anchor) { (tick.label) }
            }
        }
    }

    fn length(&self) -> i128 {
        (i128::from(self.to.as_nanos()) - i128::from(self.from.as_nanos())).max(1)
    }
}

fn label(zone: &LocalZone, at: Timestamp, step: i128) -> String {
    let spoken = zone.spoken(at);
    let (day, clock) = spoken.split_once(' ').unwrap_or((&spoken, ""));
    if step >= 90 * DAY {
        day.get(..7).unwrap_or(day).to_owned()
    } else if step >= DAY {
        day.get(5..).unwrap_or(day).to_owned()
    } else if step >= 60 * SECOND {
        clock.get(..5).unwrap_or(clock).to_owned()
    } else if step >= SECOND {
        clock.to_owned()
    } else {
        format!("{clock}.{:03}", at.subsec_nanos() / 1_000_000)
    }
}

/// The least round number that is not below `most`: where a scale ends.
pub fn ceiling(most: f64) -> f64 {
    if !most.is_finite() || most <= 0.0 {
        return 1.0;
    }
    let magnitude = 10f64.powf(most.log10().floor());
    let rounds = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    rounds.into_iter().map(|round| round * magnitude).find(|end| *end >= most).unwrap_or(10.0 * magnitude)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const AT: i64 = 1_772_356_272; // 2026-03-01 09:11:12 UTC

    fn labels(zone: &str, secs: u64) -> Vec<String> {
        let from = Timestamp::from_secs(AT);
        let axis = Axis::new(from, from.saturating_add(Duration::from_secs(secs)));
        axis.ticks(&LocalZone::named(zone).unwrap()).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn labels_stand_at_round_local_times() {
        assert_eq!(labels("Europe/Warsaw", 720), ["10:12", "10:14", "10:16", "10:18", "10:20", "10:22"]);
        assert_eq!(
            labels("UTC", 30),
            ["09:11:15", "09:11:20", "09:11:25", "09:11:30", "09:11:35", "09:11:40"]
        );
        assert_eq!(labels("Asia/Kolkata", 86_400), ["18:00", "00:00", "06:00", "12:00"]);
        assert_eq!(labels("UTC", 5 * 86_400), ["03-02", "03-03", "03-04", "03-05", "03-06"]);
        assert_eq!(labels("UTC", 100 * 86_400), ["03-08", "04-07", "05-07", "06-06"]);
        assert_eq!(labels("UTC", 0)[0], "09:11:12.000");
        for axis in [Axis::new(Timestamp::MIN, Timestamp::MAX), Axis::new(Timestamp::MAX, Timestamp::MIN)] {
            assert!(axis.ticks(&LocalZone::named("Europe/Warsaw").unwrap()).len() <= 7);
        }
    }

    #[test]
    fn places_are_parts_of_the_width() {
        let at = Timestamp::from_secs;
        let axis = Axis::new(at(100), at(200));
        assert_eq!(axis.place(at(150)).to_string(), "50%");
        assert_eq!(axis.place(at(133)).to_string(), "33%");
        assert_eq!((axis.place(at(0)).0, axis.place(at(900)).0), (0.0, 1.0));
        assert_eq!(axis.width(at(0), at(125)).to_string(), "25%");
        assert_eq!(axis.width(at(125), at(0)).to_string(), "0%");
        assert_eq!(Place(0.0).to_string(), "0%");
        assert_eq!(Place(1.0 / 3.0).to_string(), "33.333%");
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (most, end) in
            [(0.0, 1.0), (0.3, 0.3), (1.0, 1.0), (7.0, 8.0), (1204.0, 1500.0), (99_999.0, 100_000.0)]
        {
            assert!((ceiling(most) - end).abs() < 1e-9 * end, "{most}: {}", ceiling(most));
        }
        assert!((ceiling(f64::NAN) - 1.0).abs() < f64::EPSILON);
    }
}
