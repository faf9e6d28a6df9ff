//! Packets per second, by direction: what the client sent above the line, what it got below.

use maud::{Markup, html};
use pcapx_core::digest::{Amount, Bin, Bins};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
#[cfg(test)]
use pcapx_http::page::axis::Place;
use pcapx_http::page::axis::{Axis, ceiling};
use pcapx_http::page::number;
use pcapx_http::page::time::{self, Clock};

/// Columns at most: on a telephone each has two pixels.
const MOST_COLUMNS: usize = 180;
/// Height of the bars at their highest, both directions together.
const HEIGHT: u32 = 170;
/// Room beyond the highest bar for the end of the scale, which no bar may cross.
const LABEL_HEIGHT: u32 = 18;
/// The chart has the time bar's axis when its packets take at least this part of it.
const LEAST_SHARE: f64 = 0.25;

/// What a chart shows.
#[derive(Debug)]
pub(super) struct Traffic {
    columns: Vec<Column>,
    axis: Axis,
    /// Ends of the scale above and below the line, in packets per second.
    scale: (f64, f64),
    has_directions: bool,
    has_others: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    from: Timestamp,
    to: Timestamp,
    /// Sent by the client, sent to it, neither.
    packets: [u64; 3],
    seconds: f64,
}

impl Column {
    fn rate(&self, direction: usize) -> f64 {
        self.packets[direction] as f64 / self.seconds
    }
}

impl Traffic {
    /// Of `bins`; `None` when there is nothing to be seen. `bar` is the time bar's axis, where there is one.
    pub(super) fn new(bins: &Bins, bar: Option<Axis>) -> Option<Self> {
        let start = bins.start?;
        let columns = columns(start, bins);
        let end = columns.last()?.to;
        let has = |direction: usize| columns.iter().any(|column| column.packets[direction] > 0);
        let has_directions = has(0) || has(1);
        if !has_directions && !has(2) {
            return None;
        }
        let own = Axis::new(start, end);
        let axis = match bar {
            Some(bar) if bar.width(start, end).0 >= LEAST_SHARE => {
                Axis::new(bar.from().min(start), bar.to().max(end))
            }
            _ => own,
        };
        let most = |rate: fn(&Column) -> f64| columns.iter().map(rate).fold(0.0, f64::max);
        let (up, down) = (most(|column| column.rate(0) + column.rate(2)), most(|column| column.rate(1)));
        let end_of = |most: f64| if most > 0.0 { ceiling(most) } else { 0.0 };
        let has_others = has(2);
        Some(Self { columns, axis, scale: (end_of(up), end_of(down)), has_directions, has_others })
    }

    /// The chart.
    pub(super) fn markup(&self, zone: &LocalZone, clock: Clock<'_>) -> Markup {
        let most = |rate: fn(&Column) -> f64| self.columns.iter().map(rate).fold(0.0, f64::max);
        let told = if self.has_directions {
            format!(
                "At most {} packets per second from the client and {} to it.",
                number::rate(most(|column| column.rate(0))),
                number::rate(most(|column| column.rate(1)))
            )
        } else {
            format!("At most {} packets per second.", number::rate(most(|column| column.rate(2))))
        };
        html! {
            section {
                h2 { "Packets per second" }
                figure {
                    (self.chart(zone, clock, &told))
                    (self.legend())
                }
            }
        }
    }

    fn chart(&self, zone: &LocalZone, clock: Clock<'_>, told: &str) -> Markup {
        let (up, down) = self.scale;
        let pixels = f64::from(HEIGHT) / (up + down);
        let room = |rate: f64| if rate > 0.0 { LABEL_HEIGHT } else { 0 };
        let (top, bottom) = (room(up), room(up) + HEIGHT);
        let zero = f64::from(top) + up * pixels;
        // The labels of the axis stand below that of the scale.
        let labels = bottom + room(down) + 18;
        let bar = |column: &Column, class: &str, top: f64, height: f64| {
            html! {
                @if height > 0.0 {
                    rect .(class) x=(self.axis.place(column.from)) width=(self.axis.width(column.from, column.to))
                        y=(pixel(top)) height=(pixel(height)) {}
                }
            }
        };
        html! {
            svg role="img" aria-label=(told) height=(labels + self.axis.depth(zone)) shape-rendering="crispEdges" {
                (self.axis.markup(zone, top, labels))
                (grid(top, up, "-.4em"))
                (grid(bottom, down, "1.1em"))
                @for column in &self.columns {
                    @let [from, to, other] = [0, 1, 2].map(|direction| column.rate(direction) * pixels);
                    (bar(column, "from", zero - from, from))
                    (bar(column, "other", zero - from - other, other))
                    (bar(column, "to", zero, to))
                }
                line.axis x1="0" x2="100%" y1=(pixel(zero)) y2=(pixel(zero)) {}
                @for column in self.columns.iter().filter(|column| column.packets != [0; 3]) {
                    rect.column x=(self.axis.place(column.from)) width=(self.axis.width(column.from, column.to)) y=(top) height=(HEIGHT) {
                        title { (self.column_told(column, clock)) }
                    }
                }
            }
        }
    }

    fn column_told(&self, column: &Column, clock: Clock<'_>) -> String {
        let [from, to, other] = column.packets.map(number::count);
        let (begin, width) =
            (clock.text(column.from), number::duration(time::between(column.from, column.to)));
        let others = if column.packets[2] > 0 { format!(", {other} others") } else { String::new() };
        if self.has_directions {
            format!("{begin}, {width}: {from} from the client, {to} to it{others}")
        } else {
            format!("{begin}, {width}: {other} packets")
        }
    }

    fn legend(&self) -> Markup {
        html! {
            figcaption {
                @if self.has_directions {
                    span.key."k-from" { "from the client" }
                    span.key."k-to" { "to the client" }
                    @if self.has_others { span.key."k-other" { "others" } }
                } @else {
                    span.key."k-other" { "packets; which side is the client is not known" }
                }
            }
        }
    }
}

/// The line at an end of the scale, and what it stands for.
fn grid(at: u32, rate: f64, shift: &str) -> Markup {
    html! {
        @if rate > 0.0 {
            line.grid x1="0" x2="100%" y1=(at) y2=(at) {}
            text x="4" y=(at) dy=(shift) { (number::rate(rate)) "/s" }
        }
    }
}

/// A place in pixels, to a tenth.
fn pixel(at: f64) -> String {
    format!("{at:.1}")
}

/// The bins, as many together as make few enough columns.
fn columns(start: Timestamp, bins: &Bins) -> Vec<Column> {
    let together = bins.counts.len().div_ceil(MOST_COLUMNS).max(1);
    let width = std::time::Duration::from_millis(bins.width_ms);
    let at =
        |number: usize| start.saturating_add(width.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX)));
    let column = |(number, part): (usize, &[Bin])| {
        let sum =
            |of: fn(&Bin) -> Amount| part.iter().fold(0u64, |sum, bin| sum.saturating_add(of(bin).packets));
        let first = number * together;
        Column {
            from: at(first),
            to: at(first + part.len()),
            packets: [sum(|bin| bin.from_client), sum(|bin| bin.to_client), sum(|bin| bin.other)],
            seconds: (width.as_secs_f64() * part.len() as f64).max(0.001),
        }
    };
    bins.counts.chunks(together).enumerate().map(column).collect()
}

/// For tests of the page: where a column begins.
#[cfg(test)]
fn begins(traffic: &Traffic, number: usize) -> Place {
    traffic.axis.place(traffic.columns[number].from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(width_ms: u64, counts: &[[u64; 3]]) -> Bins {
        let amount = |packets| Amount { packets, bytes: packets };
        let bin = |[from, to, other]: &[u64; 3]| Bin {
            from_client: amount(*from),
            to_client: amount(*to),
            other: amount(*other),
        };
        Bins { start: Some(Timestamp::from_secs(1000)), width_ms, counts: counts.iter().map(bin).collect() }
    }

    fn clock(zone: &LocalZone) -> Clock<'_> {
        Clock::new(zone, Timestamp::from_secs(1000), Timestamp::from_secs(2000))
    }

    #[test]
    fn a_column_has_the_sum_of_its_bins() {
        let counts: Vec<[u64; 3]> = (0..361).map(|n| [n, 1, 0]).collect();
        let traffic = Traffic::new(&bins(500, &counts), None).unwrap();
        assert_eq!(traffic.columns.len(), 121);
        let first = Column {
            from: Timestamp::from_secs(1000),
            to: Timestamp::from_nanos(1_001_500_000_000),
            packets: [3, 3, 0],
            seconds: 1.5,
        };
        assert_eq!(traffic.columns[0], first);
        let last = traffic.columns[120];
        assert_eq!((last.packets, last.seconds), ([360, 1, 0], 0.5));
        assert_eq!(traffic.scale, (800.0, 2.0));
    }

    #[test]
    fn a_short_burst_has_an_axis_of_its_own() {
        let at = Timestamp::from_secs;
        let bar = Some(Axis::new(at(900), at(1100)));
        let long = Traffic::new(&bins(1000, &[[1, 0, 0]; 60]), bar).unwrap();
        assert_eq!(
            (long.axis, begins(&long, 0).to_string()),
            (Axis::new(at(900), at(1100)), "50%".to_owned())
        );
        let short = Traffic::new(&bins(1000, &[[1, 0, 0]; 10]), bar).unwrap();
        assert_eq!(
            (short.axis, begins(&short, 5).to_string()),
            (Axis::new(at(1000), at(1010)), "50%".to_owned())
        );
    }

    #[test]
    fn what_is_empty_or_odd_is_not_drawn() {
        assert!(Traffic::new(&Bins::default(), None).is_none());
        assert!(Traffic::new(&bins(1000, &[]), None).is_none());
        assert!(Traffic::new(&bins(1000, &[[0, 0, 0]]), None).is_none());
        let zone = LocalZone::named("UTC").unwrap();
        for width in [0, 1, u64::MAX] {
            let odd = Traffic::new(&bins(width, &[[u64::MAX; 3], [u64::MAX; 3]]), None).unwrap();
            let text = odd.markup(&zone, clock(&zone)).into_string();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
    }

    #[test]
    fn without_a_client_there_is_one_direction() {
        let zone = LocalZone::named("UTC").unwrap();
        let text =
            Traffic::new(&bins(1000, &[[0, 0, 7]]), None).unwrap().markup(&zone, clock(&zone)).into_string();
        assert!(
            text.contains("At most 7 packets per second.")
                && text.contains("<title>00:16:40, 1\u{a0}s: 7 packets</title>")
        );
        assert!(!text.contains("from the client") && !text.contains("class=\"to\""), "{text}");
    }
}
