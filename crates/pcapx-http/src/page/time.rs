//! Instants, in the local time of the machine; what programs read beside it is UTC.

use std::time::Duration;

use maud::{Markup, html};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;

/// `2026-03-01 10:11:12`.
pub fn instant(zone: &LocalZone, at: Timestamp) -> Markup {
    html! { time datetime=(at) { (zone.spoken(at)) } }
}

/// `2026-03-01 10:05:12 – 10:17:12`: the day is told once where both are on it.
pub fn span(zone: &LocalZone, from: Timestamp, to: Timestamp) -> Markup {
    let (begin, end) = (zone.spoken(from), zone.spoken(to));
    let end = match (begin.split_once(' '), end.split_once(' ')) {
        (Some((one, _)), Some((other, clock))) if one == other => clock,
        _ => &end,
    };
    html! { time datetime=(from) { (begin) } " – " time datetime=(to) { (end) } }
}

/// `10:11:12`: for what lies within an hour.
pub fn clock(zone: &LocalZone, at: Timestamp) -> String {
    let spoken = zone.spoken(at);
    spoken.split_once(' ').map_or_else(String::new, |(_, clock)| clock.to_owned())
}

/// Tells the instants of one stretch of time, as short as they can be told apart: `10:11:12` where all of it is on one day, else
/// `03-01 10:11:12`, and with the year where that changes.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'z> {
    zone: &'z LocalZone,
    /// Letters of `2026-03-01 10:11:12` that all of them have.
    known: usize,
}

impl<'z> Clock<'z> {
    /// For what lies between two instants.
    pub fn new(zone: &'z LocalZone, from: Timestamp, to: Timestamp) -> Self {
        let (begin, end) = (zone.spoken(from), zone.spoken(to));
        let is_same = |letters: &usize| begin.get(..*letters) == end.get(..*letters);
        Self { zone, known: ["YYYY-mm-dd ".len(), "YYYY-".len()].into_iter().find(is_same).unwrap_or(0) }
    }

    /// An instant.
    pub fn text(&self, at: Timestamp) -> String {
        self.zone.spoken(at).split_off(self.known)
    }

    /// From one instant to another; what is said of the first is not said again of the second.
    pub fn span(&self, from: Timestamp, to: Timestamp) -> Markup {
        let own = Self::new(self.zone, from, to);
        let end = if own.known > self.known { own.text(to) } else { self.text(to) };
        html! { time datetime=(from) { (self.text(from)) } " – " time datetime=(to) { (end) } }
    }

    /// An instant with its microseconds.
    pub fn micros(&self, at: Timestamp) -> String {
        format!("{}.{:06}", self.text(at), at.subsec_nanos() / 1000)
    }
}

/// The time from one instant to a later one; none when it is earlier.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    if to < from { Duration::ZERO } else { Duration::from_nanos(to.as_nanos().abs_diff(from.as_nanos())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_and_programs_read_utc() {
        let zone = LocalZone::named("Europe/Warsaw").unwrap();
        let at = Timestamp::from_nanos(1_772_356_272_123_456_789);
        let text = r#"<time datetime="2026-03-01T09:11:12.123456789Z">2026-03-01 10:11:12</time>"#;
        assert_eq!(instant(&zone, at).into_string(), text);
        let later = at.saturating_add(Duration::from_secs(720));
        let end = r#" – <time datetime="2026-03-01T09:23:12.123456789Z">10:23:12</time>"#;
        assert_eq!(span(&zone, at, later).into_string(), format!("{text}{end}"));
        let next_day = at.saturating_add(Duration::from_secs(86_400));
        assert!(span(&zone, at, next_day).into_string().ends_with(">2026-03-02 10:11:12</time>"));
        let told = |to| Clock::new(&zone, at, to).micros(at);
        assert_eq!(told(later), "10:11:12.123456");
        assert_eq!(told(next_day), "03-01 10:11:12.123456");
        // The day of the zone: 14 hours later it is the next one in Warsaw, and not yet in UTC.
        let night = at.saturating_add(Duration::from_secs(14 * 3600));
        assert_eq!(Clock::new(&zone, at, night).text(night), "03-02 00:11:12");
        let days = Clock::new(&zone, at, night);
        assert!(days.span(at, night).into_string().ends_with(">03-02 00:11:12</time>"));
        assert!(days.span(at, later).into_string().ends_with(">10:23:12</time>"));
        let utc = LocalZone::named("UTC").unwrap();
        assert_eq!(Clock::new(&utc, at, night).text(night), "23:11:12");
        let next_year = at.saturating_add(Duration::from_secs(365 * 86_400));
        assert_eq!(told(next_year), "2026-03-01 10:11:12.123456");
        assert_eq!((between(at, later).as_secs(), between(later, at)), (720, Duration::ZERO));
    }
}
