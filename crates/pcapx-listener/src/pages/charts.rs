//! What came and what was lost in the last hour, as two charts above one axis.
//!
//! The curve is drawn in a frame of its own, an hour by a thousand, which is stretched to the width of the page; its stroke and
//! all text are not.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_http::page::axis::{Axis, ceiling};
use pcapx_http::page::{number, time};

use super::history::Sample;

/// What a chart shows.
const SPAN: Duration = Duration::from_secs(3600);
/// Height of the curve's frame in its own units.
const FRAME: f64 = 1000.0;
/// Room above the curve for the end of the scale, which the curve may not cross.
const TOP: u32 = 18;
/// Height of the curve at its highest.
const HEIGHT: u32 = 140;
/// Baseline of the axis's labels.
const LABELS: u32 = TOP + HEIGHT + 18;
/// Height of the chart of losses.
const LOST_HEIGHT: f64 = 36.0;
/// Samples that lie further apart are not joined.
const HOLE_NANOS: i64 = 15_000_000_000;
/// What one bar of losses, and one answer to the pointer, stands for.
const COLUMN: Duration = Duration::from_secs(60);

/// The last hour.
#[derive(Debug)]
pub(super) struct Charts {
    samples: Vec<Sample>,
    axis: Axis,
    since: Timestamp,
    /// Of how much of the hour something is known.
    known: Duration,
}

/// What passed within a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    from: Timestamp,
    to: Timestamp,
    seconds: f64,
    packets: u64,
    bytes: u64,
    lost: u64,
}

impl Sample {
    fn seconds(&self) -> f64 {
        time::between(self.from, self.to).as_secs_f64().max(0.001)
    }

    fn bits_per_second(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.seconds()
    }
}

/// When the hour began that ends now.
pub(super) fn begin(now: Timestamp) -> Timestamp {
    now.saturating_sub(SPAN)
}

impl Charts {
    /// Of `samples` of the hour before `now`; nothing is known of the time before `since`.
    pub(super) fn new(samples: Vec<Sample>, since: Timestamp, now: Timestamp) -> Self {
        let known = samples.iter().map(|sample| time::between(sample.from, sample.to)).sum();
        Self { samples, axis: Axis::new(begin(now), now), since, known }
    }

    /// Packets lost; `None` when nothing is known of this hour.
    pub(super) fn told_lost(&self) -> Option<u64> {
        (!self.samples.is_empty()).then(|| self.lost())
    }

    fn lost(&self) -> u64 {
        self.samples.iter().map(|sample| sample.lost).fold(0, u64::saturating_add)
    }

    /// Both charts, and in words what they show.
    pub(super) fn markup(&self, zone: &LocalZone) -> Markup {
        let most = self.samples.iter().map(Sample::bits_per_second).fold(0.0, f64::max);
        let columns = self.columns();
        html! {
            section {
                h2 { "The last hour" }
                @if self.samples.is_empty() {
                    p.quiet { "Nothing is known yet: the listener looks at the recorder every ten seconds, since " (time::instant(zone, self.since)) "." }
                } @else {
                    p { (self.told(most)) }
                    figure { (self.rates(zone, most, &columns)) (self.losses(&columns)) (self.legend(zone)) }
                }
            }
        }
    }

    fn told(&self, most: f64) -> String {
        let bytes = self.samples.iter().map(|sample| sample.bytes).fold(0, u64::saturating_add);
        let mean = bytes as f64 * 8.0 / self.known.as_secs_f64().max(0.001);
        let lost = match self.lost() {
            0 => "Nothing was lost.".to_owned(),
            lost => format!("Lost: {}.", number::counted(lost, "packet", "packets")),
        };
        format!(
            "{} on average, at most {}. {lost}",
            number::bits_per_second(mean),
            number::bits_per_second(most)
        )
    }

    fn rates(&self, zone: &LocalZone, most: f64, columns: &[Column]) -> Markup {
        let scale = ceiling(most);
        let label = format!("Bits per second over the last hour; {}", self.told(most));
        html! {
            svg role="img" aria-label=(label) height=(LABELS + self.axis.depth(zone)) {
                (self.axis.markup(zone, TOP, LABELS))
                line.grid x1="0" x2="100%" y1=(TOP) y2=(TOP) {}
                svg x="0" y=(TOP) width="100%" height=(HEIGHT) viewBox={ "0 0 " (SPAN.as_secs()) " " (FRAME) } preserveAspectRatio="none" {
                    @for run in self.runs() {
                        (self.curve(run, scale))
                    }
                }
                line.axis x1="0" x2="100%" y1=(TOP + HEIGHT) y2=(TOP + HEIGHT) {}
                text x="4" y=(TOP) dy="-.4em" { (number::bits_per_second(scale)) }
                @for column in columns {
                    rect.column x=(self.axis.place(column.from)) width=(self.axis.width(column.from, column.to)) y=(TOP) height=(HEIGHT) {
                        title { (column.told(zone)) }
                    }
                }
            }
        }
    }

    /// Stretches of samples without a hole.
    fn runs(&self) -> impl Iterator<Item = &[Sample]> {
        self.samples.chunk_by(|one, next| next.from.as_nanos().saturating_sub(one.to.as_nanos()) < HOLE_NANOS)
    }

    /// The area below a stretch and the line above it. A sample is a step: it holds for all of its ten seconds.
    fn curve(&self, run: &[Sample], scale: f64) -> Markup {
        let across = |at: Timestamp| self.axis.place(at).0 * SPAN.as_secs_f64();
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return html! {} };
        let mut line = String::new();
        for sample in run {
            let height = FRAME - (sample.bits_per_second() / scale).clamp(0.0, 1.0) * FRAME;
            // Writing into a String cannot fail.
            let _ =
                write!(line, " {:.1} {height:.0} {:.1} {height:.0}", across(sample.from), across(sample.to));
        }
        html! {
            path.area d={ "M" (format!("{:.1}", across(first.from))) " " (FRAME) " L" (line) " L" (format!("{:.1}", across(last.to))) " " (FRAME) "Z" } {}
            path.curve d={ "M" (line) } {}
        }
    }

    fn losses(&self, columns: &[Column]) -> Markup {
        let most = columns.iter().map(|column| column.lost).max().unwrap_or(0);
        html! {
            @if most > 0 {
                svg role="img" aria-label={ "Lost packets over the last hour, at most " (number::count(most)) " within a minute" } height="66" {
                    @for column in columns.iter().filter(|column| column.lost > 0) {
                        // One lost packet is seen, too.
                        @let height = (column.lost as f64 / most as f64 * LOST_HEIGHT).max(2.0);
                        rect.lost x=(self.axis.place(column.from)) width=(self.axis.width(column.from, column.to))
                            y=(format!("{:.1}", 60.0 - height)) height=(format!("{height:.1}")) {
                            title { (number::counted(column.lost, "packet", "packets")) " lost" }
                        }
                    }
                    line.axis x1="0" x2="100%" y1="60" y2="60" {}
                    text x="4" y="16" { (number::count(most)) " lost/min" }
                }
            }
        }
    }

    fn legend(&self, zone: &LocalZone) -> Markup {
        html! {
            figcaption {
                span.key."k-packets" { "received" }
                @if self.lost() > 0 { span.key."k-lost" { "lost" } }
                @if self.since > self.axis.from() {
                    span { "looked at every ten seconds since " (time::clock(zone, self.since)) "; the time before is not known here" }
                } @else {
                    span { "looked at every ten seconds" }
                }
            }
        }
    }

    /// What passed in each minute of which anything is known.
    fn columns(&self) -> Vec<Column> {
        let width = i64::try_from(COLUMN.as_nanos()).unwrap_or(i64::MAX);
        let mut columns: Vec<Column> = Vec::new();
        for sample in &self.samples {
            let number = sample.from.as_nanos().saturating_sub(self.axis.from().as_nanos()).max(0) / width;
            let from = Timestamp::from_nanos(
                self.axis.from().as_nanos().saturating_add(number.saturating_mul(width)),
            );
            if columns.last().is_none_or(|column| column.from != from) {
                let to = from.saturating_add(COLUMN).min(self.axis.to());
                columns.push(Column { from, to, seconds: 0.0, packets: 0, bytes: 0, lost: 0 });
            }
            if let Some(column) = columns.last_mut() {
                column.seconds += sample.seconds();
                column.packets = column.packets.saturating_add(sample.packets);
                column.bytes = column.bytes.saturating_add(sample.bytes);
                column.lost = column.lost.saturating_add(sample.lost);
            }
        }
        columns
    }
}

impl Column {
    fn told(&self, zone: &LocalZone) -> String {
        let seconds = self.seconds.max(0.001);
        format!(
            "{}: {}, {} packets/s, {} lost",
            time::clock(zone, self.from),
            number::bits_per_second(self.bytes as f64 * 8.0 / seconds),
            number::rate(self.packets as f64 / seconds),
            number::count(self.lost)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_772_360_000 + secs)
    }

    fn sample(from: i64, bytes: u64, lost: u64) -> Sample {
        Sample { from: at(from), to: at(from + 10), packets: bytes / 100, bytes, lost }
    }

    fn charts(samples: Vec<Sample>) -> Charts {
        Charts::new(samples, at(-600), at(0))
    }

    fn utc() -> LocalZone {
        LocalZone::named("UTC").unwrap()
    }

    #[test]
    fn a_sample_is_drawn_as_high_as_its_rate() {
        let charts = charts(vec![sample(-20, 1_250_000, 0), sample(-10, 2_500_000, 3)]);
        let page = charts.markup(&utc()).into_string();
        for part in [
            "1.50\u{a0}Mbit/s on average, at most 2\u{a0}Mbit/s. Lost: 3\u{a0}packets.",
            // One and two Mbit/s, of a scale of two.
            r#"<path class="curve" d="M 3580.0 500 3590.0 500 3590.0 0 3600.0 0">"#,
            r#"<path class="area" d="M3580.0 1000 L 3580.0 500 3590.0 500 3590.0 0 3600.0 0 L3600.0 1000Z">"#,
            r#"<rect class="lost" x="98.333%" width="1.667%" y="24.0" height="36.0">"#,
            "<title>10:12:20: 1.50\u{a0}Mbit/s, 1\u{202f}875 packets/s, 3 lost</title>",
            "since 10:03:20",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    #[test]
    fn a_hole_is_not_bridged() {
        let page = charts(vec![sample(-300, 1000, 0), sample(-290, 1000, 0), sample(-100, 1000, 0)]);
        assert_eq!(page.markup(&utc()).into_string().matches("class=\"curve\"").count(), 2);
        assert!(!page.markup(&utc()).into_string().contains("class=\"lost\""));
    }

    #[test]
    fn odd_figures_draw_something_finite() {
        let odd = Sample { from: at(-10), to: at(-10), packets: u64::MAX, bytes: u64::MAX, lost: u64::MAX };
        for samples in [vec![odd; 3], vec![sample(-10, 0, 0)], Vec::new()] {
            let text = charts(samples).markup(&utc()).into_string();
            assert!(!text.contains("NaN") && !text.contains("inf\"") && !text.contains("inf "), "{text}");
        }
    }
}
