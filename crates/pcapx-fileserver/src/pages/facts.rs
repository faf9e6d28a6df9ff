//! How a piece of evidence was found, and what the alert said.

use std::time::Duration;

use maud::{Markup, html};
use pcapx_core::digest::Digest;
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::Manifest;
use pcapx_http::page::{Foreign, number, time};

use super::tables;

/// Characters of an alert that are shown; the manifest has all of it.
const ALERT_CHARS: usize = 20_000;
/// Files and refused values that are told one by one.
const MOST_TOLD: usize = 50;
/// Addresses of the client that are told.
const MOST_CLIENTS: usize = 8;

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// How it was found.
pub(super) fn markup(manifest: &Manifest, digest: Option<&Digest>, zone: &LocalZone) -> Markup {
    let (request, timings) = (&manifest.request, manifest.timings);
    let millis = |millis| number::duration(Duration::from_millis(millis));
    let searched = manifest.search.map(|search| {
        let files = |number, what: &str| format!("{} {what}", number::counted(number, "file", "files"));
        let mut told = vec![files(search.segments, "read")];
        told.extend((search.excluded > 0).then(|| files(search.excluded, "excluded by their indexes")));
        told.extend((search.unread > 0).then(|| files(search.unread, "could not be read")));
        told.join(", ")
    });
    html! {
        section {
            h2 { "How it was found" }
            dl.facts {
                (fact("Window asked for", &time::span(zone, manifest.asked.from, manifest.asked.to)))
                @if let Some(mode) = &manifest.mode { (fact("Filter mode", &html! { (Foreign::new(mode).bounded(40)) })) }
                @if !manifest.client.is_empty() {
                    @let clients = manifest.client.iter().take(MOST_CLIENTS).map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    @let more = manifest.client.len().saturating_sub(MOST_CLIENTS);
                    (fact("Client", &html! { (clients) @if more > 0 { " and " (more) " more" } }))
                }
                (fact("Asked", &html! {
                    (time::instant(zone, request.at)) span.quiet { " from " (Foreign::new(&request.peer).bounded(80)) }
                    @if request.user != "-" { span.quiet { " as " (Foreign::new(&request.user).bounded(80)) } }
                }))
                (fact("Took", &html! {
                    @match timings.plan_ms + timings.search_ms + timings.publish_ms {
                        0 => "less than 1\u{a0}ms",
                        took => (millis(took)),
                    }
                    @if timings.waited_ms > 0 { span.quiet { " after " (millis(timings.waited_ms)) " of waiting" } }
                    @if timings.searches > 1 { span.quiet { " in " (timings.searches) " searches" } }
                }))
                @if let Some(searched) = searched { (fact("Searched", &html! { (searched) })) }
                @if let Some(search) = manifest.search {
                    (fact("Packets looked at", &html! { (number::count(search.scanned)) }))
                }
                @if let Some(recording) = manifest.recording {
                    (fact("The recording reached", &time::span(zone, recording.from, recording.to)))
                }
                @if let Some(digest) = digest.filter(|digest| !digest.protocols.is_empty()) {
                    (fact("Protocols", &tables::protocols(&digest.protocols)))
                }
                (fact("Cut out by", &html! {
                    (Foreign::new(&manifest.extractor).bounded(40)) span.quiet { ", pcapx " (Foreign::new(&manifest.versions.pcapx).bounded(40)) }
                }))
                @if let Some(sha256) = &manifest.sha256 {
                    div.long { dt { "SHA-256" } dd { code { (Foreign::new(sha256).bounded(80)) } } }
                }
            }
            (files(manifest, zone))
        }
    }
}

/// The files that were searched, and those that could not be.
fn files(manifest: &Manifest, zone: &LocalZone) -> Markup {
    html! {
        @if !manifest.unreadable.is_empty() {
            details open {
                summary.bad { "Files that could not be read" }
                ul.small {
                    @for file in manifest.unreadable.iter().take(MOST_TOLD) {
                        li { code { (Foreign::new(&file.file)) } span.quiet { " " (Foreign::new(&file.reason)) } }
                    }
                    (more(manifest.unreadable.len()))
                }
            }
        }
        @if !manifest.segments.is_empty() {
            details {
                summary { "Files that were searched" }
                ul.small {
                    @for segment in manifest.segments.iter().take(MOST_TOLD) {
                        li {
                            code { (Foreign::new(&segment.file)) }
                            @if let Some((first, last)) = segment.first.zip(segment.last) { " " span.quiet { (time::span(zone, first, last)) } }
                            @if let Some(packets) = segment.packets { span.quiet { " · " (number::counted(packets, "packet", "packets")) } }
                        }
                    }
                    (more(manifest.segments.len()))
                }
            }
        }
    }
}

fn more(there_are: usize) -> Markup {
    html! { @if there_are > MOST_TOLD { li.quiet { "and " (there_are - MOST_TOLD) " more, see the manifest" } } }
}

/// The alert as it came, and what of it was not used.
pub(super) fn received(manifest: &Manifest) -> Markup {
    let alert = manifest.alert.as_ref().and_then(|alert| serde_json::to_string_pretty(alert).ok());
    html! {
        @if alert.is_some() || !manifest.refused.is_empty() {
            section {
                h2 { "The alert" }
                @if !manifest.refused.is_empty() {
                    div {
                        p { "Not used of alert and request:" }
                        ul.small {
                            @for refused in manifest.refused.iter().take(MOST_TOLD) { li { (Foreign::new(refused)) } }
                            (more(manifest.refused.len()))
                        }
                    }
                }
                @if let Some(alert) = alert {
                    details {
                        summary { "As it was received" }
                        pre tabindex="0" { (Foreign::new(&alert).bounded(ALERT_CHARS).with_lines()) }
                    }
                }
            }
        }
    }
}
