//! Tables of a digest: who spoke with whom, with what, and the first packets.

use maud::{Markup, html};
use pcapx_core::digest::{Amount, Conversation, Digest, End, Line, Protocol};
use pcapx_http::page::time::{self, Clock};
use pcapx_http::page::{Foreign, number};

/// Rows of a table at most. A digest has fewer; a file that only looks like one could have any number.
const MOST_ROWS: usize = 200;
/// Protocols that are told.
const MOST_PROTOCOLS: usize = 12;
/// Characters of a packet's line that are shown.
const INFO_CHARS: usize = 300;

/// Who spoke with whom.
pub(super) fn conversations(digest: &Digest, clock: Clock<'_>) -> Markup {
    html! {
        @if !digest.conversations.is_empty() {
            section {
                h2 { "Conversations" }
                div.scroll role="region" aria-label="Conversations" tabindex="0" {
                    table.cards role="table" {
                        thead role="rowgroup" {
                            tr role="row" {
                                @for heading in ["Protocol", "First to speak", "Other side"] {
                                    th role="columnheader" scope="col" { (heading) }
                                }
                                @for heading in ["Sent", "Received", "Start", "Duration"] {
                                    th.n role="columnheader" scope="col" { (heading) }
                                }
                            }
                        }
                        tbody role="rowgroup" {
                            @for conversation in digest.conversations.iter().take(MOST_ROWS) { (row(conversation, clock)) }
                            @if let Some(others) = &digest.other_conversations {
                                tr.rest role="row" {
                                    td role="cell" colspan="3" { (others_told(others.conversations)) }
                                    td.n role="cell" colspan="2" { (amount(others.amount)) }
                                    td role="cell" colspan="2" {}
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How many are not listed, at least.
fn others_told(conversations: u64) -> String {
    match conversations {
        0 => "Everything else".to_owned(),
        many => format!("At least {}", number::counted(many, "other", "others")),
    }
}

fn row(conversation: &Conversation, clock: Clock<'_>) -> Markup {
    let Conversation { protocol, a, b, a_to_b, b_to_a, first, last } = conversation;
    html! {
        tr role="row" {
            td role="cell" { (Foreign::new(protocol).bounded(40)) }
            td.mono.nowrap role="cell" { (end(a)) }
            td.mono.nowrap role="cell" { span.to-sign aria-hidden="true" { "→ " } (end(b)) }
            td.n role="cell" data-label="Sent" { (amount(*a_to_b)) }
            td.n role="cell" data-label="Received" { (amount(*b_to_a)) }
            td.n role="cell" data-label="Start" { time datetime=(first) { (clock.text(*first)) } }
            td.n role="cell" data-label="Duration" { (number::duration(time::between(*first, *last))) }
        }
    }
}

/// `10.0.0.10:443`, `[2001:db8::5]:443`, or an address alone.
fn end(end: &End) -> String {
    match end.port {
        Some(port) => std::net::SocketAddr::new(end.address, port).to_string(),
        None => end.address.to_string(),
    }
}

fn amount(amount: Amount) -> Markup {
    html! { (number::count(amount.packets)) span.quiet { " · " (number::bytes(amount.bytes)) } }
}

/// What was spoken, in one line.
pub(super) fn protocols(protocols: &[Protocol]) -> Markup {
    html! {
        @for (number, protocol) in protocols.iter().take(MOST_PROTOCOLS).enumerate() {
            @if number > 0 { span.quiet { " · " } }
            (Foreign::new(&protocol.name).bounded(40)) " " span.quiet.n { (number::count(protocol.amount.packets)) }
        }
        @if protocols.len() > MOST_PROTOCOLS { span.quiet { " · and others" } }
    }
}

/// The first packets, one line each.
pub(super) fn lines(digest: &Digest, clock: Clock<'_>) -> Markup {
    let lines = &digest.lines[..digest.lines.len().min(MOST_ROWS)];
    let shown = lines.len() as u64;
    let heading = match digest.total.packets {
        total if total <= shown => "Packets".to_owned(),
        total => format!("First {} of {} packets", number::count(shown), number::count(total)),
    };
    html! {
        @if !lines.is_empty() {
            section {
                h2 { (heading) }
                div.scroll role="region" aria-label="Packets" tabindex="0" {
                    table.lines.cards role="table" {
                        thead role="rowgroup" {
                            tr role="row" {
                                @for heading in ["Time", "From", "To", "Protocol"] {
                                    th role="columnheader" scope="col" { (heading) }
                                }
                                th.n role="columnheader" scope="col" { "Bytes" }
                                th role="columnheader" scope="col" { "What" }
                            }
                        }
                        tbody role="rowgroup" { @for packet in lines { (line(packet, clock)) } }
                    }
                }
            }
        }
    }
}

fn line(packet: &Line, clock: Clock<'_>) -> Markup {
    html! {
        tr role="row" {
            td.mono.nowrap role="cell" { time datetime=(packet.time) { (clock.micros(packet.time)) } }
            td.mono.nowrap role="cell" { (Foreign::new(&packet.source).bounded(80)) }
            td.mono.nowrap role="cell" {
                span.to-sign aria-hidden="true" { "→ " } (Foreign::new(&packet.destination).bounded(80))
            }
            td role="cell" { (Foreign::new(&packet.protocol).bounded(40)) }
            td.n role="cell" { (number::count(packet.bytes.into())) span.unit { "\u{a0}bytes" } }
            td.info role="cell" { (Foreign::new(&packet.info).bounded(INFO_CHARS)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use pcapx_core::digest::Others;
    use pcapx_core::local::LocalZone;
    use pcapx_core::time::Timestamp;

    use super::*;

    fn zone() -> LocalZone {
        LocalZone::named("UTC").unwrap()
    }

    /// Of a quarter of an hour, or of days.
    fn clock(zone: &LocalZone, seconds: i64) -> Clock<'_> {
        Clock::new(zone, Timestamp::from_secs(1_772_356_272), Timestamp::from_secs(1_772_356_272 + seconds))
    }

    fn conversation() -> Conversation {
        Conversation {
            protocol: "tcp".to_owned(),
            a: End { address: "2001:db8::5".parse().unwrap(), port: Some(40_000) },
            b: End { address: "10.0.0.20".parse().unwrap(), port: None },
            a_to_b: Amount { packets: 1204, bytes: 31_337 },
            b_to_a: Amount { packets: 1, bytes: 60 },
            first: Timestamp::from_secs(1_772_356_272),
            last: Timestamp::from_secs(1_772_356_292),
        }
    }

    #[test]
    fn a_conversation_has_two_ends_and_two_amounts() {
        let others = Some(Others { conversations: 12, amount: Amount { packets: 40, bytes: 4000 } });
        let digest =
            Digest { conversations: vec![conversation()], other_conversations: others, ..Digest::default() };
        let text = conversations(&digest, clock(&zone(), 900)).into_string();
        for part in [
            ">[2001:db8::5]:40000</td>",
            "→ </span>10.0.0.20</td>",
            "1\u{202f}204<span class=\"quiet\"> · 31.3\u{a0}kB</span>",
            ">09:11:12</time>",
            ">20\u{a0}s</td>",
            ">At least 12\u{a0}others</td>",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let text = conversations(&digest, clock(&zone(), 400_000)).into_string();
        assert!(text.contains(">03-01 09:11:12</time>"), "{text}");
        assert_eq!(conversations(&Digest::default(), clock(&zone(), 900)).into_string(), "");
    }

    #[test]
    fn what_a_packet_says_is_text() {
        let hostile = "<script>alert(1)</script>\u{202e}";
        let line = Line {
            time: Timestamp::from_nanos(1_772_356_272_123_456_789),
            source: hostile.to_owned(),
            destination: hostile.to_owned(),
            protocol: hostile.to_owned(),
            bytes: 1514,
            info: hostile.to_owned(),
        };
        let mut digest = Digest { lines: vec![line; 500], ..Digest::default() };
        digest.total.packets = 90_000;
        let text = lines(&digest, clock(&zone(), 900)).into_string();
        assert!(text.contains("<h2>First 200 of 90\u{202f}000 packets</h2>"), "{text:.400}");
        assert_eq!(text.matches("&lt;script&gt;").count(), 800);
        assert!(
            !text.contains("<script")
                && !text.contains('\u{202e}')
                && text.contains(">09:11:12.123456</time>")
        );
    }
}
