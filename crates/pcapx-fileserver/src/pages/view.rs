//! The page of one piece of evidence.
//!
//! | what is there | what is shown |
//! |---|---|
//! | manifest, digest, capture | everything |
//! | manifest | what was asked, covered and found; why there are no packets |
//! | capture alone | its name, length and time of writing: the original's files have no more |

use std::borrow::Cow;
use std::io;

use maud::{Markup, html};
use pcapx_core::digest::Digest;
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{MANIFEST_SUFFIX, Manifest, State};
use pcapx_core::time::Timestamp;
use pcapx_http::Identity;
use pcapx_http::page::time::{self, Clock};
use pcapx_http::page::{Foreign, number};

use super::commands::{self, Links};
use super::coverage::Coverage;
use super::facts;
use super::list;
use super::reading::{Capture, Reader, Told};
use super::shelf::{Name, Shelf};
use super::tables;
use super::traffic::Traffic;

/// What is known of one piece of evidence.
#[derive(Debug)]
pub(super) struct View<'n> {
    name: &'n Name,
    manifest: Told<Manifest>,
    digest: Told<Digest>,
    capture: Option<Capture>,
}

impl<'n> View<'n> {
    /// Reads what there is of `name`; `None` when there is nothing.
    pub(super) fn read(shelf: &Shelf, reader: &mut Reader<'_>, name: &'n Name) -> io::Result<Option<Self>> {
        let manifest = reader.manifest(name)?;
        let file = manifest.known().and_then(|manifest| manifest.file.clone());
        let capture = match file.filter(|file| Manifest::is_name(file)) {
            Some(file) => reader.capture(file.into_bytes())?,
            None if manifest.known().is_some() => None,
            None => match shelf.files(name)? {
                Some(files) => reader.capture_of(name, files)?,
                None => None,
            },
        };
        if manifest == Told::Nothing && capture.is_none() {
            return Ok(None);
        }
        let digest = if capture.is_some() { reader.digest(name)? } else { Told::Nothing };
        Ok(Some(Self { name, manifest, digest, capture }))
    }

    /// Whether more is to come.
    pub(super) fn is_open(&self) -> bool {
        self.manifest.known().is_some_and(|manifest| manifest.open)
    }

    /// What the browser's tab says.
    pub(super) fn title(&self) -> Cow<'_, str> {
        match self.manifest.known().and_then(|manifest| manifest.about.as_ref()) {
            Some(about) => Cow::Borrowed(&about.name),
            None => self.name.text(),
        }
    }

    /// The page's content.
    pub(super) fn markup(
        &self,
        zone: &LocalZone,
        links: &Links,
        identity: &Identity,
        refresh: Option<u32>,
    ) -> Markup {
        let manifest = self.manifest.known();
        let digest = self.digest.known();
        let packets = digest.and_then(|digest| digest.first.zip(digest.last));
        let coverage = manifest.map(|manifest| Coverage::new(manifest, packets));
        let traffic =
            digest.and_then(|digest| Traffic::new(&digest.bins, coverage.as_ref().map(Coverage::axis)));
        let clock = self.clock(zone);
        html! {
            (self.head(zone))
            (self.notes(zone, refresh))
            (self.actions())
            (self.figures(zone, clock))
            @if let Some(coverage) = &coverage { (coverage.markup(zone)) }
            @if let Some(traffic) = &traffic { (traffic.markup(zone, clock)) }
            @if let Some(digest) = digest { (tables::conversations(digest, clock)) }
            @if let Some(capture) = &self.capture {
                @let file = String::from_utf8_lossy(&capture.file);
                @let hash = manifest.and_then(|manifest| manifest.sha256.as_deref());
                (commands::markup(links, &file, &Name::new(&capture.file).link(""), hash, identity))
            }
            @if let Some(manifest) = manifest { (facts::markup(manifest, digest, zone)) (facts::received(manifest)) }
            @if let Some(digest) = digest { (tables::lines(digest, clock)) }
        }
    }

    /// Tells times on this page: with the day, where window and packets lie on several.
    fn clock<'z>(&self, zone: &'z LocalZone) -> Clock<'z> {
        let asked = self.manifest.known().map(|manifest| (manifest.asked.from, manifest.asked.to));
        let packets = self.digest.known().and_then(|digest| digest.first.zip(digest.last));
        let both = [asked, packets].into_iter().flatten();
        let reach = both.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        let (from, to) = reach.unwrap_or((Timestamp::MIN, Timestamp::MAX));
        Clock::new(zone, from, to)
    }

    fn head(&self, zone: &LocalZone) -> Markup {
        let manifest = self.manifest.known();
        let about = manifest.and_then(|manifest| manifest.about.as_ref());
        let mark = self.manifest.mark(|manifest| (manifest.state, manifest.open));
        html! {
            p.small { a href="./" { "← All evidence" } }
            h1.lead { (list::title(about, self.name)) }
            p.lead.split {
                span.quiet {
                    @match (about, self.name.time(), &self.capture) {
                        (Some(about), ..) => { (time::instant(zone, about.time)) " · " (Foreign::new(&about.id)) }
                        (None, Some(text), _) => { time { (text) } }
                        (None, None, Some(capture)) => { (list::written(zone, capture.written)) }
                        (None, None, None) => {}
                    }
                }
                (mark.markup())
            }
            @if let Some(manifest) = manifest { p.lead { code { (Foreign::new(&manifest.filter).bounded(2000)) } } }
        }
    }

    /// What a reader has to know before the rest.
    fn notes(&self, zone: &LocalZone, refresh: Option<u32>) -> Markup {
        let Some(manifest) = self.manifest.known() else {
            return html! {
                @if self.manifest == Told::Damaged {
                    div.note.warn { p { "The manifest of this evidence cannot be read. What is shown is what the file system knows." } }
                } @else {
                    div.note { p { "No manifest tells where this file comes from. What is shown is what the file system knows." } }
                }
            };
        };
        let class = match manifest.state {
            State::Failed => "bad",
            State::Partial if !manifest.open => "warn",
            _ => "",
        };
        html! {
            @if manifest.open {
                div.note.open role="status" {
                    p {
                        @if manifest.state == State::Queued { "This waits for its turn." }
                        @else { "The window is open until " (time::instant(zone, manifest.asked.to)) "; packets are added then." }
                        @if let Some(seconds) = refresh {
                            " The page asks again every " (seconds) " seconds. "
                            a href={ "?view=" (self.name.link("")) "&still" } { "Stop that" }
                        } @else {
                            " " a href={ "?view=" (self.name.link("")) } { "Keep the page up to date" }
                        }
                    }
                }
            }
            @if let Some(reason) = &manifest.reason {
                div.note .(class) { p { (sentence(reason)) } }
            }
            @if manifest.file.is_some() && self.capture.is_none() {
                div.note.bad { p { "The capture file that the manifest tells of is not there." } }
            }
            @if self.digest == Told::Damaged {
                div.note.warn { p { "The digest of the packets cannot be read; charts and tables are left out." } }
            }
        }
    }

    fn actions(&self) -> Markup {
        html! {
            div.actions {
                @if let Some(capture) = &self.capture {
                    a.button.first href={ "./" (Name::new(&capture.file).link("")) } download {
                        "Download " (number::bytes(capture.bytes))
                    }
                }
                @if self.manifest != Told::Nothing {
                    a.button href={ "./" (self.name.link(MANIFEST_SUFFIX)) } { "Manifest" }
                }
            }
        }
    }

    /// The few numbers that matter most.
    fn figures(&self, zone: &LocalZone, clock: Clock<'_>) -> Markup {
        let (manifest, digest) = (self.manifest.known(), self.digest.known());
        let packets =
            manifest.and_then(|manifest| manifest.packets).or(digest.map(|digest| digest.total.packets));
        let directions = manifest.and_then(|manifest| manifest.directions);
        if packets.is_none() && self.capture.is_none() {
            return html! {};
        }
        html! {
            dl.figures {
                @if let Some(packets) = packets { (figure("Packets", &number::count(packets), &html! {})) }
                @if let Some(capture) = &self.capture {
                    @let exact = number::counted(capture.bytes, "byte", "bytes");
                    (figure("File", &number::bytes(capture.bytes), &html! { (exact) }))
                }
                @if let Some((first, last)) = digest.and_then(|digest| digest.first.zip(digest.last)) {
                    (figure("First to last packet", &number::duration(time::between(first, last)), &clock.span(first, last)))
                }
                @if let Some(sent) = directions.filter(|sent| sent.packets_from_client + sent.packets_to_client > 0) {
                    @let packets = number::counted(sent.packets_from_client, "packet", "packets");
                    (figure("From the client", &number::bytes(sent.bytes_from_client), &html! { (packets) }))
                    @let packets = number::counted(sent.packets_to_client, "packet", "packets");
                    (figure("To the client", &number::bytes(sent.bytes_to_client), &html! { (packets) }))
                }
                @if manifest.is_none() && let Some(capture) = &self.capture {
                    (figure("Written", &time::clock(zone, capture.written), &time::instant(zone, capture.written)))
                }
            }
        }
    }
}

fn figure(name: &str, value: &str, small: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) small { (small) } } } }
}

/// A reason as a sentence.
fn sentence(reason: &str) -> Markup {
    let mut characters = reason.chars();
    let first: String = characters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let text = format!("{first}{}", characters.as_str());
    html! { (Foreign::new(text.trim_end_matches('.')).bounded(1000)) "." }
}
