//! The time bar: what was asked for, what of it was recorded, and where the alert and the packets lie.
//!
//! ```text
//!            ▼ alert
//! ████████████████▨▨▨█████████┄┄┄┄   recorded │ not recorded │ still to come
//!       ─────────                    from the first packet to the last
//! 10:06   10:08   10:10   10:12
//! ```
//!
//! Seconds in a window of days would be thinner than a line, so they are drawn wider than they are, over the alert's needle and over
//! long stretches, of which enough remains. Of two that are both too short the gap lies on top: nothing that was recorded may hide that
//! something is missing beside it. It is the narrower one, too, so that both are seen.

use std::time::Duration;

use maud::{Markup, html};
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{Manifest, Span};
use pcapx_core::time::Timestamp;
use pcapx_http::page::axis::{Axis, Place};
use pcapx_http::page::{number, time};

/// Baseline of the axis's labels.
const LABELS: u32 = 82;
/// Pixels that what was recorded, and the time of the packets, have at least.
const LEAST_KEPT: f64 = 6.0;
/// Pixels that a gap has at least.
const LEAST_GAP: f64 = 2.0;
/// Stretches that take less of the axis lie on top of longer ones. In a bar of 288 pixels, a telephone's, a longer one keeps three where
/// short ones at both its ends reach into it.
const SHORT: f64 = (LEAST_KEPT + 3.0) / 288.0;
/// Stretches that are drawn of each kind; more of them would be thinner than a line.
const MOST_DRAWN: usize = 400;
/// Gaps that are told one by one.
const MOST_TOLD: usize = 50;

/// What a time bar shows.
#[derive(Debug)]
pub(super) struct Coverage<'a> {
    manifest: &'a Manifest,
    /// The times of the first packet and of the last.
    packets: Option<(Timestamp, Timestamp)>,
    axis: Axis,
}

impl<'a> Coverage<'a> {
    /// Of what `manifest` tells; `packets` are the times of the first and the last one.
    pub(super) fn new(manifest: &'a Manifest, packets: Option<(Timestamp, Timestamp)>) -> Self {
        let Span { from, to } = manifest.asked;
        // An alert may be raised somewhat after its flow; one that is far off would make a dot of everything else.
        let most = time::between(from, to) / 2;
        let alert = manifest.about.as_ref().map(|about| about.time);
        let near = alert.filter(|at| *at >= from.saturating_sub(most) && *at <= to.saturating_add(most));
        let axis = Axis::new(near.map_or(from, |at| at.min(from)), near.map_or(to, |at| at.max(to)));
        Self { manifest, packets, axis }
    }

    /// The axis, for charts that stand below.
    pub(super) fn axis(&self) -> Axis {
        self.axis
    }

    /// The bar, and in words what it shows.
    pub(super) fn markup(&self, zone: &LocalZone) -> Markup {
        let told = self.told();
        html! {
            section {
                h2 { "What was recorded" }
                p { (told.0) " " (told.1) }
                figure {
                    (self.bar(zone, &told.0))
                    (self.legend())
                }
                (self.gaps(zone))
            }
        }
    }

    fn bar(&self, zone: &LocalZone, told: &str) -> Markup {
        let (axis, manifest) = (&self.axis, self.manifest);
        let Span { from, to } = manifest.asked;
        let stretch = |span: &Span, class: &str, top: u32, height: u32, fill: Option<&str>| {
            let (at, width) = (axis.place(span.from), axis.width(span.from, span.to));
            let least = if class == "gap" { LEAST_GAP } else { LEAST_KEPT };
            html! {
                @if width.0 < SHORT {
                    rect .(class) x=(Place(at.0 + width.0 / 2.0)) width=(least) y=(top) height=(height) fill=[fill]
                        transform={ "translate(" (-least / 2.0) ")" } {}
                }
                rect .(class) x=(at) width=(width) y=(top) height=(height) fill=[fill] {}
            }
        };
        let is_short = |span: &&Span| axis.width(span.from, span.to).0 < SHORT;
        let gaps: Vec<Span> = self.missing().take(MOST_DRAWN).collect();
        let covered = &manifest.covered[..manifest.covered.len().min(MOST_DRAWN)];
        let kept = |span: &Span| stretch(span, "kept", 22, 24, None);
        let gap = |span: &Span| stretch(span, "gap", 22, 24, Some("url(#hatch)"));
        html! {
            svg role="img" aria-label=(told) height=(LABELS + axis.depth(zone)) {
                defs {
                    pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                        line.hatch x1="1" y1="0" x2="1" y2="6" {}
                    }
                }
                (axis.markup(zone, 20, LABELS))
                (stretch(&manifest.asked, "ground", 22, 24, None))
                @for span in covered.iter().filter(|span| !is_short(span)) { (kept(span)) }
                @for span in gaps.iter().filter(|span| !is_short(span)) { (gap(span)) }
                @if let Some(later) = self.later() { (stretch(&later, "later", 22, 24, None)) }
                line.axis x1=(axis.place(from)) x2=(axis.place(from)) y1="18" y2="60" {}
                line.axis x1=(axis.place(to)) x2=(axis.place(to)) y1="18" y2="60" {}
                @if let Some(at) = self.alert() {
                    @let place = axis.place(at);
                    line.alert x1=(place) x2=(place) y1="14" y2="60" {}
                    svg x=(place) y="0" width="1" height="14" overflow="visible" { path.alert-head d="M-5 6H5L0 14Z" {} }
                }
                @for span in covered.iter().filter(is_short) { (kept(span)) }
                @for span in gaps.iter().filter(is_short) { (gap(span)) }
                @if let Some((from, to)) = self.packets { (stretch(&Span { from, to }, "packets", 52, 5, None)) }
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            figcaption {
                @if !self.manifest.covered.is_empty() { span.key."k-kept" { "recorded" } }
                @if self.missing().next().is_some() { span.key."k-gap" { "not recorded" } }
                @if self.later().is_some() { span.key."k-later" { "still to come" } }
                @if self.packets.is_some() { span.key."k-packets" { "first to last packet" } }
                @if self.alert().is_some() { span.key."k-alert" { "alert" } }
            }
        }
    }

    /// The alert's instant, where it lies on the axis.
    fn alert(&self) -> Option<Timestamp> {
        let at = self.manifest.about.as_ref()?.time;
        (at >= self.axis.from() && at <= self.axis.to()).then_some(at)
    }

    /// What is still to come of an open window.
    fn later(&self) -> Option<Span> {
        let manifest = self.manifest;
        let from = manifest.searched_up_to.unwrap_or(manifest.asked.from).max(manifest.asked.from);
        (manifest.open && from < manifest.asked.to).then_some(Span { from, to: manifest.asked.to })
    }

    /// Gaps, without what is still to come.
    fn missing(&self) -> impl Iterator<Item = Span> {
        let later = self.later().map(|later| later.from);
        self.manifest.gaps.iter().filter_map(move |gap| match later {
            Some(later) if gap.from >= later => None,
            Some(later) => Some(Span { from: gap.from, to: gap.to.min(later) }),
            None => Some(*gap),
        })
    }

    /// In words: what was recorded, and what was lost.
    fn told(&self) -> (String, Markup) {
        let manifest = self.manifest;
        let asked = number::duration(time::between(manifest.asked.from, manifest.asked.to));
        let gaps: Vec<Duration> = self.missing().map(|gap| time::between(gap.from, gap.to)).collect();
        let recorded = if manifest.covered.is_empty() && gaps.is_empty() {
            format!("Window of {asked}: what of it was recorded is not known.")
        } else if gaps.is_empty() {
            let all = if self.later().is_some() {
                "so far all of it was recorded"
            } else {
                "all of it was recorded"
            };
            format!("Window of {asked}: {all}.")
        } else {
            let missing = gaps.iter().fold(Duration::ZERO, |sum, gap| sum.saturating_add(*gap));
            let places = if gaps.len() == 1 {
                String::new()
            } else {
                format!(", with {} gaps", number::count(gaps.len() as u64))
            };
            let recorded = manifest.covered.iter().map(|span| time::between(span.from, span.to));
            let recorded = recorded.fold(Duration::ZERO, Duration::saturating_add);
            if recorded < missing {
                // What is told in two units would say of two days less a minute that it is two days.
                format!("Window of {asked}: only {} of it were recorded{places}.", number::duration(recorded))
            } else {
                format!("Window of {asked}: {} of it were not recorded{places}.", number::duration(missing))
            }
        };
        let lost = match manifest.capture_drops {
            None => html! { "Whether the recorder lost packets is not known." },
            Some(0) => html! { "The recorder lost no packets." },
            Some(1) => html! { strong.bad { "The recorder lost 1 packet meanwhile." } },
            Some(lost) => {
                html! { strong.bad { "The recorder lost " (number::count(lost)) " packets meanwhile." } }
            }
        };
        (recorded, lost)
    }

    fn gaps(&self, zone: &LocalZone) -> Markup {
        let gaps: Vec<Span> = self.missing().collect();
        html! {
            @if !gaps.is_empty() {
                details {
                    summary { "Gaps" }
                    ul.small {
                        @for gap in gaps.iter().take(MOST_TOLD) {
                            li {
                                (time::span(zone, gap.from, gap.to))
                                span.quiet { " · " (number::duration(time::between(gap.from, gap.to))) }
                            }
                        }
                        @if gaps.len() > MOST_TOLD { li.quiet { "and " (gaps.len() - MOST_TOLD) " more, see the manifest" } }
                    }
                }
            }
        }
    }
}
