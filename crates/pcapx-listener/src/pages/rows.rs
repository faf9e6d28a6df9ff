//! Jobs in tables, and the links to what they bring.

use maud::{Markup, html};
use pcapx_core::config::Config;
use pcapx_core::local::LocalZone;
use pcapx_http::page::{Foreign, Mark, number, time};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::jobs::Brief;

/// Characters of an alert's name that are shown.
const NAME_CHARS: usize = 120;
/// Characters of a filter that are shown.
const FILTER_CHARS: usize = 160;

/// Where evidence is looked at: at the file server, which has pages or none.
#[derive(Debug)]
pub(super) struct Links {
    base: String,
    has_pages: bool,
}

impl Links {
    pub(super) fn new(config: &Config) -> Self {
        Self { base: config.download_url(""), has_pages: config.directory_listing }
    }

    /// The file.
    pub(super) fn file(&self, file: &str) -> String {
        format!("{}{}", self.base, encoded(file))
    }

    /// The page about it, where the file server has one.
    pub(super) fn page(&self, name: &str) -> Option<String> {
        self.has_pages.then(|| format!("{}?view={}", self.base, encoded(name)))
    }

    /// The best there is: the page, else the file, else nothing.
    fn best(&self, job: &Brief) -> Option<String> {
        self.page(&job.name).or_else(|| Some(self.file(job.file.as_ref()?)))
    }
}

/// `text` in a link.
pub(super) fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

/// What a job is called.
pub(super) fn title(job: &Brief) -> Markup {
    html! {
        @match &job.about {
            Some(about) if !about.name.trim().is_empty() => { (Foreign::new(&about.name).bounded(NAME_CHARS)) }
            Some(about) => { (Foreign::new(&about.id).bounded(NAME_CHARS)) }
            None => "Asked by hand",
        }
    }
}

/// A table called `label`.
pub(super) fn table<'j>(
    label: &str,
    jobs: impl IntoIterator<Item = &'j Brief>,
    links: &Links,
    zone: &LocalZone,
) -> Markup {
    html! {
        // The roles stay where the style makes cards of rows.
        table.evidence.cards role="table" aria-label=(label) {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Asked at" }
                    th role="columnheader" scope="col" { "State" }
                    th role="columnheader" scope="col" { "Alert" }
                    th role="columnheader" scope="col" { "Filter" }
                    th.n role="columnheader" scope="col" { "Packets" }
                    th.n role="columnheader" scope="col" { "Size" }
                }
            }
            tbody role="rowgroup" { @for job in jobs { (row(job, links, zone)) } }
        }
    }
}

fn row(job: &Brief, links: &Links, zone: &LocalZone) -> Markup {
    let unit = if job.packets == Some(1) { "\u{a0}packet" } else { "\u{a0}packets" };
    html! {
        tr role="row" {
            td role="cell" .nowrap { (time::instant(zone, job.asked_at)) }
            td role="cell" .state-cell .end { (Mark::of(job.state, job.open).markup()) }
            td role="cell" .wide {
                @if let Some(link) = links.best(job) { a href=(link) { (title(job)) } } @else { (title(job)) }
                @if let Some(reason) = &job.reason { span.id { (Foreign::new(reason).bounded(NAME_CHARS)) } }
            }
            td role="cell" .filter .wide { code { (Foreign::new(&job.filter).bounded(FILTER_CHARS)) } }
            td role="cell" .n { @if let Some(packets) = job.packets { (number::count(packets)) span.unit { (unit) } } }
            td role="cell" .n { @if let Some(bytes) = job.bytes { (number::bytes(bytes)) } }
        }
    }
}
