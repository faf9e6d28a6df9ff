//! The list: all evidence, newest first, a page at a time.

use std::io;

use maud::{Markup, html};
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{About, Outline};
use pcapx_core::time::Timestamp;
use pcapx_http::page::{Foreign, Mark, number, time};

use super::asked::ListAsked;
use super::reading::{Capture, Reader, Told};
use super::search::{Reached, Search, search};
use super::shelf::{Files, Name, Shelf, Slice};

/// Rows of a page.
pub(super) const PAGE: usize = 50;
/// Characters of a filter that are shown.
const FILTER_CHARS: usize = 160;
/// Characters of an alert's name that are shown.
const NAME_CHARS: usize = 120;

/// One piece of evidence in the list.
#[derive(Debug)]
pub(super) struct Row {
    name: Name,
    outline: Told<Outline>,
    capture: Option<Capture>,
}

/// The list as a page shows it.
#[derive(Debug)]
pub(super) enum List {
    /// A part of everything.
    Slice(Slice, Vec<Row>),
    /// What was found.
    Search(Search),
}

impl Row {
    /// The row of `name`, of whose manifest `outline` is known.
    pub(super) fn new(
        reader: &Reader<'_>,
        name: Name,
        files: Files,
        outline: Told<Outline>,
    ) -> io::Result<Self> {
        // What a manifest tells of its file, nobody has to ask the file system for.
        let capture = if outline.known().is_some() { None } else { reader.capture_of(&name, files)? };
        Ok(Self { name, outline, capture })
    }

    fn mark(&self) -> Mark {
        self.outline.mark(|outline| (outline.state, outline.open))
    }

    fn markup(&self, zone: &LocalZone) -> Markup {
        let outline = self.outline.known();
        let packets = outline.and_then(|outline| outline.packets);
        let bytes =
            outline.map_or_else(|| self.capture.as_ref().map(|file| file.bytes), |outline| outline.bytes);
        html! {
            tr role="row" {
                td role="cell" .nowrap { (self.time(zone)) }
                td role="cell" .state-cell .end { (self.mark().markup()) }
                td role="cell" .wide {
                    a href={ "?view=" (self.name.link("")) } { (title(outline.and_then(|o| o.about.as_ref()), &self.name)) }
                    @if let Some(about) = outline.and_then(|outline| outline.about.as_ref()) {
                        span.id { (Foreign::new(&about.id).bounded(NAME_CHARS)) }
                    }
                }
                td role="cell" .filter .wide {
                    @if let Some(outline) = outline { code { (Foreign::new(&outline.filter).bounded(FILTER_CHARS)) } }
                }
                td role="cell" .n {
                    @if let Some(packets) = packets { (number::count(packets)) span.unit { (unit(packets)) } }
                }
                td role="cell" .n { @if let Some(bytes) = bytes { (number::bytes(bytes)) } }
            }
        }
    }

    fn time(&self, zone: &LocalZone) -> Markup {
        let told = self
            .outline
            .known()
            .map(|outline| outline.about.as_ref().map_or(outline.asked.from, |about| about.time));
        match (told, self.name.time(), &self.capture) {
            (Some(at), _, _) => time::instant(zone, at),
            (None, Some(text), _) => html! { time { (text) } },
            (None, None, Some(capture)) => time::instant(zone, capture.written),
            (None, None, None) => html! {},
        }
    }
}

/// The unit of a count, for cards, where no heading tells it.
fn unit(packets: u64) -> &'static str {
    if packets == 1 { "\u{a0}packet" } else { "\u{a0}packets" }
}

/// What evidence is called.
pub(super) fn title(about: Option<&About>, name: &Name) -> Markup {
    let id = name.id();
    html! {
        @match about {
            Some(about) if !about.name.trim().is_empty() => { (Foreign::new(&about.name).bounded(NAME_CHARS)) }
            Some(about) => { (Foreign::new(&about.id).bounded(NAME_CHARS)) }
            None if id.starts_with("ask_") => "Asked by hand"
            None => { (Foreign::new(&id).bounded(NAME_CHARS)) }
        }
    }
}

impl List {
    /// What was asked for. Reads the manifests of its rows, and of a search those that were looked at.
    pub(super) fn read(shelf: &Shelf, reader: &mut Reader<'_>, asked: &ListAsked) -> io::Result<Self> {
        if asked.is_search() {
            return Ok(Self::Search(search(shelf, reader, &asked.text, &asked.cursor)?));
        }
        let mut slice = shelf.slice(&asked.cursor, PAGE)?;
        let mut rows = Vec::with_capacity(slice.names.len());
        for (name, files) in std::mem::take(&mut slice.names) {
            let outline = if files.manifest { reader.outline(&name)? } else { Told::Nothing };
            rows.push(Row::new(reader, name, files, outline)?);
        }
        Ok(Self::Slice(slice, rows))
    }

    fn rows(&self) -> &[Row] {
        match self {
            Self::Slice(_, rows) => rows,
            Self::Search(search) => &search.rows,
        }
    }

    /// The page's content.
    pub(super) fn markup(&self, asked: &ListAsked, zone: &LocalZone) -> Markup {
        let rows = self.rows();
        html! {
            h1 { "Evidence" }
            (form(asked))
            p.lead.quiet.small role="status" { (self.told(asked)) }
            @if !rows.is_empty() {
                (table(rows, zone))
            } @else if let Self::Slice(Slice { total: 0, .. }, _) = self {
                div.note { p { "There is no evidence yet. It appears here as soon as an alert has been answered." } }
            }
            (self.pager(asked))
        }
    }

    /// How much of how much is shown.
    fn told(&self, asked: &ListAsked) -> Markup {
        match self {
            Self::Slice(slice, rows) => html! {
                @if !rows.is_empty() {
                    (number::count(slice.newer as u64 + 1)) "–" (number::count((slice.newer + rows.len()) as u64))
                    " of " (number::count(slice.total as u64)) ", newest first"
                }
                @if slice.is_cut { "; the oldest are not listed, there are too many" }
            },
            Self::Search(search) => html! {
                (number::counted(search.rows.len() as u64, "match", "matches"))
                " for “" (Foreign::new(&asked.text)) "”"
                @let looked_at = html! { (number::count(search.looked_at as u64)) " of " (number::count(search.total as u64)) };
                @match &search.reached {
                    Reached::Oldest => { " in " (looked_at) " looked at, down to the oldest" }
                    Reached::Full(last) => { " in " (looked_at) " looked at, back to " (reached(last)) }
                    Reached::Names(last) => {
                        ". Names were looked at down to the oldest, what alerts and filters say in " (looked_at)
                        ", back to " (reached(last))
                    }
                }
            },
        }
    }

    fn pager(&self, asked: &ListAsked) -> Markup {
        let find = if asked.text.is_empty() { String::new() } else { format!("q={}&", encoded(&asked.text)) };
        match self {
            Self::Slice(slice, rows) => {
                let (first, last) = (rows.first().map(|row| &row.name), rows.last().map(|row| &row.name));
                let has_older = slice.newer + rows.len() < slice.total;
                html! {
                    @if slice.newer > 0 || has_older {
                        nav.pager aria-label="Pages" {
                            @if slice.newer > 0 {
                                a href="./" { "Newest" }
                                @if let Some(first) = first { a rel="prev" href={ "?after=" (first.place()) } { "← Newer" } }
                            }
                            @if let Some(last) = last.filter(|_| has_older) {
                                a rel="next" href={ "?before=" (last.place()) } { "Older →" }
                            }
                        }
                    }
                }
            }
            Self::Search(search) => html! {
                nav.pager aria-label="Pages" {
                    @if search.newer > 0 { a href={ "?" (find.trim_end_matches('&')) } { "Search from the newest" } }
                    @if let Reached::Full(last) | Reached::Names(last) = &search.reached {
                        a.button rel="next" href={ "?" (find) "before=" (last.place()) } { "Go on searching older evidence" }
                    }
                    a href="./" { "Show everything" }
                }
            },
        }
    }
}

/// How far a search got, as a time where the name has one.
fn reached(name: &Name) -> Markup {
    html! {
        @if let Some(time) = name.time() { time { (time) } } @else { (Foreign::new(&name.text()).bounded(NAME_CHARS)) }
    }
}

fn form(asked: &ListAsked) -> Markup {
    html! {
        form.find role="search" action="./" method="get" {
            label.wide {
                span { "Alert, address or filter" }
                input type="search" name="q" value=(asked.text) autocomplete="off" spellcheck="false";
            }
            label {
                span { "Up to the day" }
                input type="date" name="day" value=[&asked.day];
            }
            button.first type="submit" { "Search" }
        }
    }
}

fn table(rows: &[Row], zone: &LocalZone) -> Markup {
    html! {
        // The roles stay where the style makes cards of rows.
        table.evidence.cards role="table" aria-label="Evidence, newest first" {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Time" }
                    th role="columnheader" scope="col" { "State" }
                    th role="columnheader" scope="col" { "Alert" }
                    th role="columnheader" scope="col" { "Filter" }
                    th.n role="columnheader" scope="col" { "Packets" }
                    th.n role="columnheader" scope="col" { "Size" }
                }
            }
            tbody role="rowgroup" { @for row in rows { (row.markup(zone)) } }
        }
    }
}

fn encoded(text: &str) -> String {
    Name::new(text.as_bytes()).link("")
}

/// The instant that a file was written at, told where nothing else is known.
pub(super) fn written(zone: &LocalZone, at: Timestamp) -> Markup {
    html! { "written " (time::instant(zone, at)) }
}
