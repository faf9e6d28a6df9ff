//! The two forms in which figures for monitoring are told, and which of them a client wants.
//!
//! | form | who reads it | how it differs |
//! |---|---|---|
//! | [`Exposition::Classic`] | everybody: Prometheus of any age, `promtool check metrics`, agents, `curl` | a family of counters is called `…_total` like its samples, infos are gauges, nothing marks the end |
//! | [`Exposition::OpenMetrics`] | who asks for it, as Prometheus does since 2.5 | families of their own types, `# EOF` at the end |
//!
//! Samples are the same in both, names and values.

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus's text format 0.0.4.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Exposition {
    /// The form for a request whose header fields `Accept` have these values (RFC 9110, 12.5.1): OpenMetrics for who names it and
    /// likes it no less than plain text.
    pub fn accepted<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open, mut plain) = (0, 0);
        for range in fields.into_iter().flat_map(|field| field.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let (mut quality, mut is_known) = (1000, true);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                if name.eq_ignore_ascii_case("q") {
                    quality = thousandths(value).unwrap_or(0);
                } else if name.eq_ignore_ascii_case("version") {
                    is_known = ["1.0.0", "0.0.1"].contains(&value.trim_matches('"'));
                }
            }
            if kind.eq_ignore_ascii_case("application/openmetrics-text") {
                open = open.max(if is_known { quality } else { 0 });
            } else if kind.eq_ignore_ascii_case("text/plain") {
                plain = plain.max(quality);
            }
        }
        if open > 0 && open >= plain { Exposition::OpenMetrics } else { Exposition::Classic }
    }

    /// What the text is called.
    pub fn content_type(self) -> &'static str {
        match self {
            Exposition::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A quality, 0 to 1 with at most three decimals, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_who_asks_for_it() {
        use Exposition::{Classic, OpenMetrics};
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let newer = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.2";
        for (fields, form) in [
            (&[][..], Classic),
            (&[""], Classic),
            (&["*/*"], Classic),
            (&["text/plain; version=0.0.4"], Classic),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Classic),
            (&["application/openmetrics-text"], OpenMetrics),
            (&["Application/OpenMetrics-Text; version=\"1.0.0\"; charset=utf-8"], OpenMetrics),
            (&["text/plain", "application/openmetrics-text"], OpenMetrics),
            (&["text/plain;q=0.5, application/openmetrics-text;q=0.4"], Classic),
            (&["application/openmetrics-text;q=0"], Classic),
            (&["application/openmetrics-text;q=0.0001"], Classic),
            (&["application/openmetrics-text;q=2, */*"], Classic),
            (&["application/openmetrics-text;version=2.0.0"], Classic),
            (&["application/openmetrics-text;q=0.001"], OpenMetrics),
            (&["xapplication/openmetrics-text, ;;=,, q"], Classic),
            (&[prometheus], OpenMetrics),
            (&[newer], OpenMetrics),
        ] {
            assert_eq!(Exposition::accepted(fields.iter().copied()), form, "{fields:?}");
        }
    }
}
