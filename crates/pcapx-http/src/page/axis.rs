//! Axes of charts: where an instant lies, what is written below, and where a scale ends.
//!
//! Places are percentages of the width, which SVG takes in attributes: a chart is as wide as the page, its text is not
//! stretched, and no style has to be computed for it. How many labels have room depends on the width, though, which only the
//! browser knows. So a chart carries two sets of them, one for screens and one for telephones, and the style shows one.
//!
//! ```text
//! │       │       │       │       │
//! 12:00   00:00   12:00   00:00   12:00
//! 03-01   03-02           03-03            the day, below the first label and wherever it is another one
//! ```

use std::fmt;

use maud::{Markup, html};
use pcapx_core::local::LocalZone;
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// The narrowest chart on a page that is wider than the style's break of 46rem, in pixels: without the page's margins, and
/// without a scroll bar.
const SCREEN: f64 = 670.0;
/// The narrowest chart below that: of a telephone of 320 pixels.
const TELEPHONE: f64 = 288.0;
/// Pixels between two labels at least.
const GAP: f64 = 12.0;
/// Labels are not wanted nearer than this, even where they would have room: more of them tell no more.
const NEAREST: f64 = 56.0;
/// Pixels from a label's baseline to that of the day below it.
const DAY_BELOW: u32 = 15;
/// Pixels that letters reach below their baseline.
const DESCENT: u32 = 4;

const MILLI: i128 = NANOS_PER_SEC as i128 / 1000;
const SECOND: i128 = NANOS_PER_SEC as i128;
const DAY: i128 = 86_400 * SECOND;
/// Distances between labels.
const STEPS: [i128; 36] = [
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
    730 * DAY,
    1825 * DAY,
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

/// A line across a chart, and what is written below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where.
    pub place: Place,
    /// What is written there; nothing where a neighbour's label needs the room.
    pub label: Option<Label>,
}

/// A label below a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The text.
    pub text: String,
    /// What is written below it: the day of a time, the year of a day, where it is another one than that of the label before.
    /// It is never wider than the text.
    pub day: Option<String>,
    anchor: Anchor,
}

/// Which part of a label stands below its line: near an end of the chart not the middle, so that all of it stays inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    /// As SVG calls it.
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

impl Label {
    /// The label of a line at `place` in a chart of `width` pixels.
    fn new(text: String, day: Option<String>, place: Place, width: f64) -> Self {
        let half = pixels(&text) / 2.0;
        let anchor = match place.0 * width {
            at if at < half => Anchor::Start,
            at if at > width - half => Anchor::End,
            _ => Anchor::Middle,
        };
        Self { text, day, anchor }
    }

    /// From which pixel to which it reaches.
    fn reach(&self, place: Place, width: f64) -> (f64, f64) {
        let (at, long) = (place.0 * width, pixels(&self.text));
        match self.anchor {
            Anchor::Start => (at, at + long),
            Anchor::Middle => (at - long / 2.0, at + long / 2.0),
            Anchor::End => (at - long, at),
        }
    }
}

/// How wide a label of digits and marks is at the style's 12 pixels, in the widest of usual fonts, Verdana.
fn pixels(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii_digit() { 7.7 } else { 4.8 }).sum()
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

    /// Lines at round times of the zone, with as many labels as a chart of `width` pixels has room for, and more room than that
    /// does not tear them apart.
    fn ticks(&self, zone: &LocalZone, width: f64) -> Vec<Tick> {
        let length = self.length();
        let widest = |step: i128| pixels(&label(zone, self.from, step));
        let apart = |step: i128| step as f64 / length as f64 * width;
        let has_room = |step: &i128| apart(*step) >= (widest(*step) + GAP).max(NEAREST);
        let Some(step) = STEPS.into_iter().find(has_room) else { return Vec::new() };
        let ahead = i128::from(zone.offset_secs(self.from)) * SECOND;
        let from = i128::from(self.from.as_nanos());
        // The first multiple of the step, counted in local time, that is not before the left end.
        let first = -(-(from + ahead)).div_euclid(step) * step - ahead;
        let instants = (0..=length / step).map(|number| first + number * step);
        let ticks = instants.filter_map(|nanos| {
            let at = Timestamp::from_nanos(i64::try_from(nanos).ok()?);
            let place = self.place(at);
            let label = || Label::new(label(zone, at, step), day(zone, at, step), place, width);
            (at <= self.to).then(|| Tick { place, label: Some(label()) })
        });
        let mut ticks: Vec<_> = ticks.collect();
        give_way(&mut ticks, width);
        self.tell_days(&mut ticks, zone, step);
        ticks
    }

    /// Leaves the day below the first label, and below each that has another one than its neighbour: at midnight. An axis within
    /// one day needs none.
    fn tell_days(&self, ticks: &mut [Tick], zone: &LocalZone, step: i128) {
        let is_told = day(zone, self.from, step) != day(zone, self.to, step);
        let mut told = None;
        for label in ticks.iter_mut().filter_map(|tick| tick.label.as_mut()) {
            let own = label.day.take().filter(|day| is_told && told.as_ref() != Some(day));
            if own.is_some() {
                told.clone_from(&own);
                label.day = own;
            }
        }
    }

    /// The labels as text of an SVG image, and a thin line at each.
    pub fn markup(&self, zone: &LocalZone, top: u32, baseline: u32) -> Markup {
        let (screen, telephone) = (self.ticks(zone, SCREEN), self.ticks(zone, TELEPHONE));
        html! {
            @for (set, ticks) in [("screen", screen), ("telephone", telephone)] {
                g .(set) {
                    @for tick in ticks {
                        line.tick x1=(tick.place) x2=(tick.place) y1=(top) y2=(baseline.saturating_sub(12)) {}
                        @if let Some(label) = &tick.label {
                            text.tick x=(tick.place) y=(baseline) text-anchor=(label.anchor.name()) { (label.text) }
                            @if let Some(day) = &label.day {
                                text.tick.day x=(tick.place) y=(baseline + DAY_BELOW) text-anchor=(label.anchor.name()) { (day) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Pixels that the labels take below their baseline.
    pub fn depth(&self, zone: &LocalZone) -> u32 {
        let mut ticks = [SCREEN, TELEPHONE].into_iter().flat_map(|width| self.ticks(zone, width));
        let has_days = ticks.any(|tick| tick.label.is_some_and(|label| label.day.is_some()));
        DESCENT + if has_days { DAY_BELOW } else { 0 }
    }

    fn length(&self) -> i128 {
        (i128::from(self.to.as_nanos()) - i128::from(self.from.as_nanos())).max(1)
    }
}

/// Takes labels away that stand at an end of the chart and reach into their neighbours: those in the middle have room.
fn give_way(ticks: &mut [Tick], width: f64) {
    let collide = |one: &Tick, next: &Tick| match (&one.label, &next.label) {
        (Some(label), Some(other)) => {
            label.reach(one.place, width).1 + GAP > other.reach(next.place, width).0
        }
        _ => false,
    };
    for second in 1..ticks.len() {
        if collide(&ticks[second - 1], &ticks[second]) {
            let is_first = second == 1 && ticks.len() > 2;
            ticks[if is_first { 0 } else { second }].label = None;
        }
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

/// What a label at `at` does not tell and is the same for many.
fn day(zone: &LocalZone, at: Timestamp, step: i128) -> Option<String> {
    let spoken = zone.spoken(at);
    let part = if step >= 90 * DAY {
        return None;
    } else if step >= DAY {
        spoken.get(..4)
    } else {
        spoken.get(5..10)
    };
    part.map(str::to_owned)
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

    use proptest::prelude::*;

    use super::*;

    const AT: i64 = 1_772_356_272; // 2026-03-01 09:11:12 UTC

    fn labels(zone: &str, secs: u64, width: f64) -> Vec<String> {
        let from = Timestamp::from_secs(AT);
        let axis = Axis::new(from, from.saturating_add(Duration::from_secs(secs)));
        let ticks = axis.ticks(&LocalZone::named(zone).unwrap(), width);
        let told = |label: Label| match label.day {
            Some(day) => format!("{} / {day}", label.text),
            None => label.text,
        };
        ticks.into_iter().filter_map(|tick| Some(told(tick.label?))).collect()
    }

    #[test]
    fn labels_stand_at_round_local_times() {
        let six = ["10:12", "10:14", "10:16", "10:18", "10:20", "10:22"];
        assert_eq!(labels("Europe/Warsaw", 720, SCREEN), six);
        assert_eq!(labels("Europe/Warsaw", 720, TELEPHONE), ["10:15", "10:20"]);
        let five = ["09:11:15", "09:11:20", "09:11:25", "09:11:30", "09:11:35"];
        assert_eq!(labels("UTC", 30, SCREEN)[..5], five);
        assert_eq!(labels("UTC", 30, TELEPHONE), ["09:11:20", "09:11:30", "09:11:40"]);
        assert_eq!(labels("UTC", 3, TELEPHONE), ["09:11:12", "09:11:13", "09:11:14", "09:11:15"]);
        assert_eq!(labels("UTC", 1, TELEPHONE), ["09:11:12.000", "09:11:12.500", "09:11:13.000"]);
        let day = ["18:00 / 03-01", "00:00 / 03-02", "06:00", "12:00"];
        assert_eq!(labels("Asia/Kolkata", 86_400, TELEPHONE), day);
        let two_days = ["12:00 / 03-01", "00:00 / 03-02", "12:00", "00:00 / 03-03"];
        assert_eq!(labels("UTC", 2 * 86_400, TELEPHONE), two_days);
        let five_days = labels("UTC", 5 * 86_400, SCREEN);
        assert_eq!(five_days[..4], ["12:00 / 03-01", "00:00 / 03-02", "12:00", "00:00 / 03-03"]);
        // Across midnight, and across a year.
        assert_eq!(labels("Australia/Sydney", 7 * 3600, TELEPHONE)[..2], ["22:00 / 03-01", "00:00 / 03-02"]);
        let months = labels("UTC", 330 * 86_400, SCREEN);
        assert_eq!((months[0].as_str(), months[9].as_str()), ("04-07 / 2026", "01-02 / 2027"));
        assert_eq!(labels("UTC", 5 * 86_400, TELEPHONE), ["03-02", "03-03", "03-04", "03-05", "03-06"]);
        assert_eq!(labels("UTC", 100 * 86_400, TELEPHONE), ["03-08", "04-07", "05-07", "06-06"]);
        assert_eq!(labels("UTC", 0, TELEPHONE)[0], "09:11:12.000");
        for axis in [Axis::new(Timestamp::MIN, Timestamp::MAX), Axis::new(Timestamp::MAX, Timestamp::MIN)] {
            assert!(axis.ticks(&LocalZone::named("Europe/Warsaw").unwrap(), SCREEN).len() <= 12);
        }
    }

    /// Lengths from a millisecond to ten years, as many of each magnitude.
    fn length_nanos() -> impl Strategy<Value = i64> {
        (6.0..17.5f64).prop_map(|magnitude| 10f64.powf(magnitude) as i64)
    }

    proptest! {
        #[test]
        fn no_label_touches_another_or_leaves_the_chart(
            from in 0..4_000_000_000_000_000_000i64, length in length_nanos(), is_round: bool, width in TELEPHONE..1300.0,
            zone in prop::sample::select(vec!["UTC", "Europe/Warsaw", "Asia/Kolkata", "America/St_Johns"]),
        ) {
            // Windows of people begin and end at full seconds, and labels then stand at the very ends.
            let round = |nanos: i64| if is_round { nanos - nanos % 1_000_000_000 } else { nanos };
            let from = round(from);
            let axis = Axis::new(Timestamp::from_nanos(from), Timestamp::from_nanos(from + round(length)));
            let zone = LocalZone::named(zone).unwrap();
            // What was made for the narrowest is shown up to the widest.
            let made_for = [SCREEN, TELEPHONE].into_iter().filter(|least| *least <= width);
            for ticks in made_for.map(|least| axis.ticks(&zone, least)) {
                let labels: Vec<_> =
                    ticks.iter().filter_map(|tick| Some((tick.label.as_ref()?, tick.place))).collect();
                prop_assert!(!labels.is_empty(), "none");
                let reaches: Vec<_> = labels.iter().map(|(label, place)| label.reach(*place, width)).collect();
                for (left, right) in &reaches {
                    prop_assert!(*left >= -0.01 && *right <= width + 0.01, "{left} {right} {labels:?}");
                }
                let days: Vec<_> = labels.iter().filter_map(|(label, _)| label.day.as_deref()).collect();
                for (label, _) in &labels {
                    // Below a text nothing reaches further than it does.
                    prop_assert!(label.day.as_deref().map_or(0.0, pixels) <= pixels(&label.text), "{label:?}");
                }
                if let (Some(begin), Some(end)) = (day(&zone, axis.from, SECOND), day(&zone, axis.to, SECOND))
                    && labels[0].0.text.contains(':')
                {
                    prop_assert_eq!(labels[0].0.day.is_some(), begin != end);
                    prop_assert!(days.windows(2).all(|pair| pair[0] != pair[1]), "{days:?}");
                    let at_midnight = |label: &Label| label.text == "00:00" || label.text == "00:00:00";
                    let dated = labels.iter().all(|(label, _)| !at_midnight(label) || label.day.is_some());
                    prop_assert!(dated || begin == end, "{labels:?}");
                }
                for pair in reaches.windows(2) {
                    prop_assert!(pair[0].1 + 6.0 <= pair[1].0, "{pair:?} {labels:?}");
                }
            }
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
