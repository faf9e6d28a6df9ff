//! A question by hand as a form: filter, two times of the server's zone, a format; what they mean, or what is wrong with them.
//!
//! "Check" is a GET, changes nothing and can be kept as a bookmark; "Extract" posts. What is told stands below the form, so that
//! nothing moves under the hands of who types: [`PREVIEW`] asks the same as "Check" then.

use std::time::Duration;

use maud::{Markup, html};
use pcapx_core::filter::{self, Expr, ParseError};
use pcapx_core::local::{Edge, LocalZone};
use pcapx_core::manifest::Format;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_http::page::{Foreign, number, time};

use super::asked::Fields;
use super::rows::encoded;

/// The window that is offered: the last ten minutes.
const OFFERED: Duration = Duration::from_secs(600);
/// Windows up to now that are a click away: seconds and what they are called.
const QUICK: [(u64, &str); 4] =
    [(300, "5 minutes"), (900, "15 minutes"), (3600, "hour"), (86_400, "24 hours")];
/// Shows what "Check" would, while somebody types.
pub(super) const PREVIEW: &str = include_str!("preview.js");
/// Characters of a filter that are repeated: a page of it.
const FILTER_CHARS: usize = 4000;
/// Characters of a filter in front of and behind a slip.
const AROUND_CHARS: usize = 300;

/// What the fields mean.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    /// Which packets.
    pub(super) filter: Expr,
    /// Of which time.
    pub(super) window: Window,
}

/// What is wrong with the fields.
#[derive(Debug)]
pub(super) enum Slip {
    /// There is no filter. To tcpdump that means everything; here it would be a slip.
    NoFilter,
    /// The filter cannot be read.
    Filter(ParseError),
    /// A time cannot be read.
    Time(&'static str, String),
    /// The end comes first.
    Reversed,
}

/// What stands above the form.
#[derive(Debug)]
pub(super) enum Told {
    /// Nothing has been asked yet.
    Nothing,
    /// The fields, looked at.
    Looked(Result<Meant, Slip>),
    /// It was not taken, for this reason.
    Refused(&'static str),
}

impl Fields {
    /// Whether there is anything to be looked at.
    pub(super) fn is_blank(&self) -> bool {
        self.filter.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The same with times in place of a window up to `now`.
    pub(super) fn timed(&self, zone: &LocalZone, now: Timestamp) -> Self {
        let Some(last) = self.last else { return self.clone() };
        let from = now.saturating_sub(Duration::from_secs(last));
        let [from, to] = [from, now].map(|at| Some(written(zone, at)));
        Self { from, to, last: None, ..self.clone() }
    }

    /// What they mean.
    pub(super) fn meant(&self, zone: &LocalZone) -> Result<Meant, Slip> {
        let text = self.filter.as_deref().unwrap_or("");
        if text.trim().is_empty() {
            return Err(Slip::NoFilter);
        }
        let filter = filter::parse(text).map_err(Slip::Filter)?;
        let read = |name, text: &Option<String>, edge| {
            let text = spoken(text.as_deref().unwrap_or(""));
            zone.parse(&text, edge).map_err(|error| Slip::Time(name, error.to_string()))
        };
        let (from, to) = (read("From", &self.from, Edge::Begin)?, read("To", &self.to, Edge::End)?);
        let window = Window::new(from, to).map_err(|_| Slip::Reversed)?;
        Ok(Meant { filter, window })
    }
}

/// An instant as a browser's field has it: `2026-03-01T10:11:12`.
fn written(zone: &LocalZone, at: Timestamp) -> String {
    zone.spoken(at).replacen(' ', "T", 1)
}

/// A browser's `YYYY-MM-DDThh:mm`, with or without seconds and their fraction, as the form that local time is read in.
fn spoken(text: &str) -> String {
    let whole = text.trim().split('.').next().unwrap_or("").replacen('T', " ", 1);
    if whole.len() == "YYYY-MM-DD hh:mm".len() { format!("{whole}:00") } else { whole }
}

/// The form, with what is known of its fields below it.
pub(super) fn markup(fields: &Fields, told: &Told, zone: &LocalZone, oldest: Option<Timestamp>) -> Markup {
    let now = Timestamp::now();
    let field =
        |value: &Option<String>, offered: Timestamp| value.clone().unwrap_or_else(|| written(zone, offered));
    let (from, to) = (field(&fields.from, now.saturating_sub(OFFERED)), field(&fields.to, now));
    let wrong = match told {
        Told::Looked(Err(slip)) => slip.field(),
        _ => "",
    };
    let slip = |name: &str| (name == wrong).then_some("slip");
    let is_invalid = |name: &str| (name == wrong).then_some("true");
    html! {
        p.small { a href="./" { "← Recorder and jobs" } }
        h1.lead { "Ask for packets" }
        p.lead.quiet { "A filter in tcpdump’s language and a span of time, instead of an alert. Times are local to the server: " (zone.to_string()) "." }
        section {
            form.ask action="./?view=ask#told" method="post" {
                // For "Check", whose fields take the place of the query.
                input type="hidden" name="view" value="ask";
                label.wide {
                    span { "Filter" }
                    input.mono type="text" name="filter" value=(fields.filter.as_deref().unwrap_or("")) required
                        placeholder="host 10.0.0.5 and port 53" autocomplete="off" autocapitalize="none" spellcheck="false"
                        aria-invalid=[is_invalid("filter")] aria-describedby=[slip("filter")];
                }
                label {
                    span { "From" }
                    input type="datetime-local" name="from" step="1" value=(from) required
                        aria-invalid=[is_invalid("from")] aria-describedby=[slip("from")];
                }
                label {
                    span { "To" }
                    input type="datetime-local" name="to" step="1" value=(to) required
                        aria-invalid=[is_invalid("to")] aria-describedby=[slip("to")];
                }
                p.quick.wide.small {
                    span.quiet { "The last" }
                    @for (seconds, name) in QUICK { a href=(quick(fields, seconds)) aria-label={ "The last " (name) } { (name) } }
                }
                label {
                    span { "Format" }
                    select name="format" {
                        @for format in [Format::Pcap, Format::Pcapng] {
                            option value=(format.as_str()) selected[fields.format == Some(format)] { (format.as_str()) }
                        }
                    }
                }
                // The first one is what the Enter key does: it changes nothing.
                div.actions.wide {
                    button type="submit" formmethod="get" formaction="./#told" { "Check" }
                    button.first type="submit" { "Extract" }
                }
            }
        }
        div id="told" aria-live="polite" { (told_of(fields, told, zone, oldest)) }
    }
}

/// A link to the form as it is, but for its times.
fn quick(fields: &Fields, seconds: u64) -> String {
    let filter = fields.filter.as_deref().filter(|filter| !filter.trim().is_empty());
    let filter = filter.map_or_else(String::new, |filter| format!("&filter={}", encoded(filter)));
    let format = fields.format.map_or_else(String::new, |format| format!("&format={}", format.as_str()));
    format!("?view=ask&last={seconds}{filter}{format}")
}

fn told_of(fields: &Fields, told: &Told, zone: &LocalZone, oldest: Option<Timestamp>) -> Markup {
    match told {
        Told::Nothing => html! {},
        Told::Refused(why) => html! { div.note.bad role="alert" { p { (why) } } },
        Told::Looked(Err(slip)) => {
            html! { div.note.bad id="slip" role="alert" { (slip.markup(fields.filter.as_deref().unwrap_or(""))) } }
        }
        Told::Looked(Ok(meant)) => html! {
            div.note.open role="status" {
                p { strong { "This would be looked for" } }
                pre dir="ltr" { code { (Foreign::new(&meant.filter.to_string()).bounded(FILTER_CHARS)) } }
                (meant.span(zone))
                @if let Some(oldest) = oldest.filter(|oldest| *oldest > meant.window.start()) {
                    p.warn { "The recording reaches back to " (time::instant(zone, oldest)) " only." }
                }
            }
        },
    }
}

impl Meant {
    fn span(&self, zone: &LocalZone) -> Markup {
        let (start, end) = (self.window.start(), self.window.end());
        html! {
            dl.facts {
                div { dt { "Local time" } dd { (time::span(zone, start, end)) } }
                div { dt { "UTC" } dd.mono { span.nowrap { (utc(start)) } " – " span.nowrap { (utc(end)) } } }
                div { dt { "Length" } dd { (number::duration(time::between(start, end))) } }
            }
        }
    }
}

/// `2026-03-01T09:00:00Z`: fields have whole seconds.
fn utc(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(whole, _)| format!("{whole}Z"))
}

impl Slip {
    /// The field that it is in.
    fn field(&self) -> &'static str {
        match self {
            Self::NoFilter | Self::Filter(_) => "filter",
            Self::Time("From", _) => "from",
            Self::Time(..) | Self::Reversed => "to",
        }
    }

    fn markup(&self, filter: &str) -> Markup {
        match self {
            Self::NoFilter => {
                html! { p { "A filter is needed, such as " code { "host 10.0.0.5 and port 53" } "." } }
            }
            Self::Filter(error) => html! {
                p { "The filter cannot be read. " (Foreign::new(&capital(&error.to_string())).bounded(600)) "." }
                (place(filter, error.position()))
            },
            Self::Time(name, reason) => html! { p { (name) ": " (Foreign::new(reason)) "." } },
            Self::Reversed => html! { p { "To: the span ends before it begins." } },
        }
    }
}

/// The filter, marked where it cannot be read.
fn place(filter: &str, at: usize) -> Markup {
    let Some((before, rest)) = filter.split_at_checked(at) else { return html! {} };
    let skipped = before.chars().count().saturating_sub(AROUND_CHARS);
    let shown: String = before.chars().skip(skipped).collect();
    // A word, or a single sign.
    let end = rest
        .char_indices()
        .skip(1)
        .find(|(_, c)| c.is_whitespace() || *c == ')')
        .map_or(rest.len(), |(end, _)| end);
    let (word, behind) = rest.split_at(end);
    html! {
        pre dir="ltr" {
            code {
                @if skipped > 0 { "…" }
                (Foreign::new(&shown).bounded(AROUND_CHARS))
                mark { @if word.is_empty() { "\u{a0}" } @else { (Foreign::new(word).bounded(AROUND_CHARS)) } }
                (Foreign::new(behind).bounded(AROUND_CHARS))
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(filter: &str, from: &str, to: &str) -> Fields {
        let some = |text: &str| Some(text.to_owned());
        Fields { filter: some(filter), from: some(from), to: some(to), last: None, format: None }
    }

    fn warsaw() -> LocalZone {
        LocalZone::named("Europe/Warsaw").unwrap()
    }

    #[test]
    fn times_are_those_of_the_server_s_zone_and_the_wider_window_is_meant() {
        let window = |from, to| {
            let meant = fields("port 53", from, to).meant(&warsaw()).unwrap();
            (meant.window.start().as_secs(), meant.window.end().as_secs())
        };
        assert_eq!(window("2026-03-01T10:00", "2026-03-01T10:12:30"), (1_772_355_600, 1_772_356_350));
        assert_eq!(window("2026-03-01 10:00:00", "2026-03-01T10:00:00.500"), (1_772_355_600, 1_772_355_600));
        // 02:30 happens twice on this day.
        let twice = "2026-10-25T02:30";
        assert_eq!(window(twice, twice), (1_792_888_200, 1_792_891_800));
    }

    #[test]
    fn a_window_up_to_now_becomes_times_of_the_zone() {
        let now = Timestamp::from_secs(1_772_356_350);
        let asked = Fields { last: Some(900), ..fields("port 53", "x", "y") };
        let timed = asked.timed(&warsaw(), now);
        assert_eq!(timed, fields("port 53", "2026-03-01T09:57:30", "2026-03-01T10:12:30"));
        assert_eq!(timed.timed(&warsaw(), now), timed);
        let endless = Fields { last: Some(u64::MAX), ..fields("port 53", "", "") };
        assert!(endless.timed(&warsaw(), now).meant(&warsaw()).is_ok());
        let page = markup(&asked, &Told::Nothing, &warsaw(), None).into_string();
        assert!(
            page.contains(r#"<a href="?view=ask&amp;last=3600&amp;filter=port%2053" aria-label="The last hour">hour</a>"#),
            "{page}"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |filter: &str, from: &str, to: &str| {
            let fields = fields(filter, from, to);
            let told = Told::Looked(fields.meant(&warsaw()));
            markup(&fields, &told, &warsaw(), None).into_string()
        };
        let good = ("2026-03-01T10:00", "2026-03-01T10:12");
        for (filter, from, to, part) in [
            ("", good.0, good.1, "A filter is needed"),
            ("host 1.1.1.1 and prot 5", good.0, good.1, "<mark><bdi>prot</bdi></mark>"),
            ("host", good.0, good.1, "<mark>\u{a0}</mark>"),
            ("<script>alert(1)</script>", good.0, good.1, "&lt;script&gt;alert(1"),
            ("port 53", "soon", good.1, "<p>From: <bdi>&quot;soon&quot; is not a time"),
            (
                "port 53",
                good.0,
                "2026-02-30T10:00",
                "<p>To: <bdi>&quot;2026-02-30 10:00:00&quot; is not on the calendar",
            ),
            ("port 53", good.1, good.0, "ends before it begins"),
        ] {
            let page = told(filter, from, to);
            assert!(page.contains(part) && !page.contains("<script"), "{part} is not in {page}");
            assert!(page.contains(r#"aria-invalid="true" aria-describedby="slip""#), "{page}");
        }
    }

    #[test]
    fn what_is_meant_is_told_in_the_language_of_filters_and_in_utc() {
        let fields = fields("src host 10.0.0.1 && (udp port 53)", "2026-03-01T10:00", "2026-03-01T10:12");
        let told = Told::Looked(fields.meant(&warsaw()));
        let page = markup(&fields, &told, &warsaw(), Some(Timestamp::from_secs(1_772_355_700))).into_string();
        for part in [
            "<bdi>src host 10.0.0.1 and udp port 53</bdi>",
            "2026-03-01T09:00:00Z</span> – <span class=\"nowrap\">2026-03-01T09:12:00Z",
            "12\u{a0}min",
            "10:01:40</time> only",
            r#"value="src host 10.0.0.1 &amp;&amp; (udp port 53)""#,
            r#"name="to" step="1" value="2026-03-01T10:12""#,
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }
}
