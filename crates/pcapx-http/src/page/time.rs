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

/// `10:11:12`.
pub fn clock(zone: &LocalZone, at: Timestamp) -> String {
    let spoken = zone.spoken(at);
    spoken.split_once(' ').map_or_else(String::new, |(_, clock)| clock.to_owned())
}

/// `10:11:12.123456`.
pub fn clock_micros(zone: &LocalZone, at: Timestamp) -> String {
    format!("{}.{:06}", clock(zone, at), at.subsec_nanos() / 1000)
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
        assert_eq!(clock_micros(&zone, at), "10:11:12.123456");
        assert_eq!((between(at, later).as_secs(), between(later, at)), (720, Duration::ZERO));
    }
}
