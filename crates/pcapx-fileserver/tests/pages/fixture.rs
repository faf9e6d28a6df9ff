//! Evidence as the listener leaves it, of every state, with traffic that looks like traffic.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use pcapx_core::digest::{self, Amount, Bin, Bins, Conversation, Digest, End, Line, Others, Protocol};
use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{
    About, Directions, Failure, Format, Limit, Manifest, Requested, SCHEMA, Search, Segment, Span, State,
    Timings, Unreadable, Versions,
};
use pcapx_core::time::Timestamp;
use serde_json::json;

/// The alert of most of it: 2026-03-01 10:11:12 in Warsaw.
pub(crate) const AT: i64 = 1_772_356_272;

/// One piece of evidence.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) manifest: Manifest,
    pub(crate) digest: Option<Digest>,
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(AT + secs)
}

fn span(from: i64, to: i64) -> Span {
    Span { from: at(from), to: at(to) }
}

impl Piece {
    /// Complete evidence of an alert that was raised so many seconds after [`AT`].
    pub(crate) fn new(id: &str, name: &str, secs: i64) -> Self {
        let zone = LocalZone::named("Europe/Warsaw").unwrap();
        let safe: String =
            id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(64).collect();
        let stem = format!("{}_{safe}", zone.compact(at(secs)));
        let file = format!("{stem}.pcap");
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            name: stem.clone(),
            state: State::Complete,
            open: false,
            reason: None,
            failure: None,
            file: Some(file),
            packets: None,
            bytes: None,
            sha256: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned()),
            limit: None,
            directions: None,
            filter: "tcp and host 10.20.0.14 and host 203.0.113.77 and port 443".to_owned(),
            mode: Some("full".to_owned()),
            client: vec!["10.20.0.14".parse().unwrap()],
            asked: span(secs - 360, secs + 360),
            covered: vec![span(secs - 360, secs + 360)],
            gaps: Vec::new(),
            searched_up_to: Some(at(secs + 360)),
            recording: Some(span(secs - 6 * 86_400, secs + 370)),
            capture_drops: Some(0),
            search: Some(Search { segments: 2, excluded: 1, unread: 0, scanned: 18_402, in_window: 17_011 }),
            segments: (0..2)
                .map(|n| Segment {
                    file: format!("{}.000000/{}.000000.pcap", AT + secs + 300 * n, AT + secs + 300 * n),
                    first: Some(at(secs + 300 * n - 300)),
                    last: Some(at(secs + 300 * n)),
                    packets: Some(421_337),
                })
                .collect(),
            unreadable: Vec::new(),
            about: Some(About { id: id.to_owned(), name: name.to_owned(), time: at(secs) }),
            alert: Some(
                json!({"id": id, "name": name, "clientIp": "10.20.0.14", "serverIp": "203.0.113.77", "serverPort": 443,
                "protocolName": "tcp", "unixTimestamp": AT + secs}),
            ),
            refused: Vec::new(),
            request: Requested {
                id: "3f9a01-7".to_owned(),
                at: at(secs + 372),
                peer: "10.0.0.9".to_owned(),
                user: "sycope".to_owned(),
            },
            extractor: "builtin".to_owned(),
            format: Format::Pcap,
            timings: Timings { waited_ms: 0, plan_ms: 1, search_ms: 4, publish_ms: 3, searches: 1 },
            updated: at(secs + 373),
            finished: Some(at(secs + 373)),
            versions: Versions { pcapx: "0.1.0".to_owned() },
            question: "00112233445566778899aabbccddeeff".to_owned(),
            subject: "ffeeddccbbaa99887766554433221100".to_owned(),
        };
        let digest = traffic(secs);
        let sum = |of: fn(&Bin) -> Amount| digest.bins.counts.iter().map(of).fold(Amount::default(), add);
        let (from, to) = (sum(|bin| bin.from_client), sum(|bin| bin.to_client));
        let directions = Directions {
            packets_from_client: from.packets,
            bytes_from_client: from.bytes,
            packets_to_client: to.packets,
            bytes_to_client: to.bytes,
        };
        let (packets, bytes) = (digest.total.packets, digest.total.bytes + 24 + 16 * digest.total.packets);
        let manifest =
            Manifest { packets: Some(packets), bytes: Some(bytes), directions: Some(directions), ..manifest };
        Self { manifest, digest: Some(digest) }
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Manifest)) -> Self {
        change(&mut self.manifest);
        self
    }

    /// A job that has found nothing yet, or never will.
    pub(crate) fn empty(self, state: State, reason: Option<&str>) -> Self {
        let mut piece = self.change(|manifest| {
            manifest.state = state;
            manifest.open = state == State::Queued;
            manifest.reason = reason.map(str::to_owned);
            (manifest.file, manifest.packets, manifest.bytes, manifest.sha256) = (None, None, None, None);
            manifest.directions = None;
        });
        piece.digest = None;
        piece
    }

    /// Writes manifest, digest and a file of the right length into `folder`.
    pub(crate) fn write(&self, folder: &Path) {
        let name = &self.manifest.name;
        if let Some(file) = &self.manifest.file {
            let length = usize::try_from(self.manifest.bytes.unwrap_or(0)).unwrap();
            fs::write(folder.join(file), vec![7; length]).unwrap();
        }
        if let Some(digest) = &self.digest {
            fs::write(folder.join(format!("{name}.digest.json")), serde_json::to_vec(digest).unwrap())
                .unwrap();
        }
        fs::write(folder.join(format!("{name}.json")), self.manifest.to_json()).unwrap();
    }
}

/// Two days around the alert, of which 90 s were recorded, in two parts with ten seconds between them. All packets are from those.
pub(crate) fn brief() -> Piece {
    let mut piece = Piece::new("brief", "A long window of which little was recorded", 0).change(|manifest| {
        manifest.asked = span(-86_400, 86_400);
        manifest.covered = vec![span(-45, 0), span(10, 55)];
        manifest.gaps = vec![span(-86_400, -45), span(0, 10), span(55, 86_400)];
        manifest.state = State::Partial;
    });
    if let Some(digest) = &mut piece.digest {
        (digest.first, digest.last) = (Some(at(-45)), Some(at(54)));
        digest.bins.start = Some(at(-45));
        digest.bins.counts.truncate(100);
    }
    piece
}

/// Numbers that look like chance and are always the same.
fn dice(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

fn amount(packets: u64, bytes: u64) -> Amount {
    Amount { packets, bytes: packets * bytes }
}

fn add(sum: Amount, more: Amount) -> Amount {
    Amount { packets: sum.packets + more.packets, bytes: sum.bytes + more.bytes }
}

/// A beacon every 30 s and one long download, seen from five minutes before the alert to four minutes after it.
fn traffic(secs: i64) -> Digest {
    let counts: Vec<Bin> = (0..540u64)
        .map(|second| {
            let beacon = if second % 30 < 2 { 4 + dice(second) % 5 } else { 0 };
            let load =
                if (260..420).contains(&second) { 6 + dice(second) % 14 + (second - 260) / 12 } else { 0 };
            Bin {
                from_client: amount(beacon + load / 2, 120),
                to_client: amount(beacon + load, 1170),
                other: amount(u64::from(second.is_multiple_of(67)), 60),
            }
        })
        .collect();
    let all = counts.iter().flat_map(|bin| [bin.from_client, bin.to_client, bin.other]);
    let total = all.fold(Amount::default(), add);
    let end = |address: &str, port: u16| End { address: address.parse().unwrap(), port: Some(port) };
    let conversation =
        |protocol: &str, a: End, b: End, (sent, received): (u64, u64), from: i64, to: i64| Conversation {
            protocol: protocol.to_owned(),
            a,
            b,
            a_to_b: amount(sent, 120),
            b_to_a: amount(received, 1170),
            first: at(secs + from),
            last: at(secs + to),
        };
    let client = |port| end("10.20.0.14", port);
    let server = end("203.0.113.77", 443);
    Digest {
        schema: digest::SCHEMA.to_owned(),
        total,
        first: Some(at(secs - 300)),
        last: Some(at(secs + 239)),
        bins: Bins { start: Some(at(secs - 300)), width_ms: 1000, counts },
        conversations: vec![
            conversation("tcp", client(51_514), server, (892, 1640), -40, 120),
            conversation("tcp", client(51_377), server, (96, 104), -300, -270),
            conversation(
                "tcp",
                end("2001:db8:20::14", 49_920),
                end("2001:db8:77::1", 443),
                (61, 58),
                -210,
                180,
            ),
            conversation("udp", client(53_011), end("10.20.0.1", 53), (2, 2), -41, -41),
        ],
        other_conversations: Some(Others { conversations: 14, amount: amount(310, 210) }),
        protocols: [("tls", 1820), ("tcp", 904), ("dns", 4), ("arp", 9)]
            .map(|(name, packets)| Protocol { name: name.to_owned(), amount: amount(packets, 700) })
            .to_vec(),
        lines: (0..200).map(|number| line(secs, number)).collect(),
    }
}

/// A packet of a connection: its name is looked up, it is opened, TLS begins, data flow.
fn line(secs: i64, number: u64) -> Line {
    let (client, server) = ("10.20.0.14.51514", "203.0.113.77.443");
    let dns = ("10.20.0.14.53011", "10.20.0.1.53");
    let (source, destination, protocol, bytes, info) = match number {
        0 => (dns.0, dns.1, "udp", 89, "DNS 0x3f21 A? cdn.updates.example".to_owned()),
        1 => (dns.1, dns.0, "udp", 105, "DNS 0x3f21 cdn.updates.example A 203.0.113.77".to_owned()),
        2 => (client, server, "tcp", 74, "Flags [S], seq 3735928559, win 64240, length 0".to_owned()),
        3 => (
            server,
            client,
            "tcp",
            74,
            "Flags [S.], seq 195948557, ack 3735928560, win 65160, length 0".to_owned(),
        ),
        4 => (client, server, "tcp", 66, "Flags [.], ack 1, win 502, length 0".to_owned()),
        5 => (
            client,
            server,
            "tcp",
            583,
            "Flags [P.], length 517, TLS ClientHello, cdn.updates.example".to_owned(),
        ),
        _ if number.is_multiple_of(3) => {
            (client, server, "tcp", 66, format!("Flags [.], ack {}, win 501, length 0", number * 1448))
        }
        _ => (
            server,
            client,
            "tcp",
            1514,
            format!("Flags [.], seq {}:{}, length 1448", number * 1448, (number + 1) * 1448),
        ),
    };
    let time = at(secs - 41).saturating_add(Duration::from_micros(number * 18_211 + dice(number) % 9000));
    Line {
        time,
        source: source.to_owned(),
        destination: destination.to_owned(),
        protocol: protocol.to_owned(),
        bytes,
        info,
    }
}

/// Names that mean harm.
pub(crate) fn hostile() -> [Piece; 3] {
    let long = "A name without an end ".repeat(466);
    [
        Piece::new("x-1", "<script>alert(1)</script><img src=x onerror=alert(2)>", -4000),
        Piece::new("x-2", "התחברות חשודה \u{202e}gpj.exe", -4100),
        Piece::new("x-3", &long[..10_240], -4200),
    ]
}

/// A folder with evidence of every state.
pub(crate) fn scene(folder: &Path) {
    let now = Timestamp::now();
    let ahead = (now.as_secs() - AT) + 240;
    let mut open =
        Piece::new("alert_99121", "Large upload to a new destination", ahead - 360).change(|manifest| {
            manifest.state = State::Partial;
            manifest.open = true;
            manifest.finished = None;
            manifest.searched_up_to = Some(now);
            manifest.covered = vec![Span { from: manifest.asked.from, to: now }];
            manifest.gaps = vec![Span { from: now, to: manifest.asked.to }];
        });
    if let Some(digest) = &mut open.digest {
        digest.bins.counts.truncate(300);
        digest.last = digest.bins.start.map(|start| start.saturating_add(Duration::from_secs(299)));
    }
    let [script, right_to_left, long] = hostile();
    let pieces = [
        open,
        Piece::new("alert_99120", "Port scan", ahead - 330).empty(State::Queued, None),
        Piece::new("alert_12345", "C2 beacon to a known address", 0).change(|manifest| {
            manifest.covered = vec![span(-360, 95), span(115, 360)];
            manifest.gaps = vec![span(95, 115)];
            manifest.capture_drops = Some(1_204);
            manifest.refused = vec!["dstIp: \"203.0.113.77:443\" is no address".to_owned()];
            manifest.unreadable = vec![Unreadable {
                file: "1772356.pcap.gz".to_owned(),
                reason: "it is compressed (gzip)".to_owned(),
            }];
        }),
        Piece::new("alert_12344", "DNS tunnel suspected", -610),
        Piece::new("alert_12343", "Suspicious traffic", -1210)
            .empty(State::NoMatch, Some("the filter matched none of 17011 packets in 3 capture files")),
        Piece::new("alert_12342", "Brute force on SSH", -2000).change(|manifest| {
            manifest.state = State::Partial;
            manifest.limit = Some(Limit::Bytes);
            manifest.reason = Some("cut at max_output_bytes, 100000000 bytes".to_owned());
            (manifest.packets, manifest.bytes) = (Some(98_231), Some(1_000_000));
            "tcp and host 192.0.2.7 and port 22".clone_into(&mut manifest.filter);
        }),
        Piece::new("alert_12341", "Data exfiltration over HTTPS", -3000).empty(State::Failed, None).change(
            |manifest| {
                manifest.failure = Some(Failure::Timeout);
                manifest.reason = Some(Failure::Timeout.sentence().to_owned());
            },
        ),
        Piece::new("by hand", "", -3600).change(|manifest| {
            manifest.name = manifest.name.replace("_byhand", "_ask_0f1e2d3c4b");
            manifest.file = Some(format!("{}.pcap", manifest.name));
            (manifest.about, manifest.alert, manifest.mode) = (None, None, None);
            manifest.client.clear();
            manifest.directions = None;
            "net 10.20.0.0/16 and not port 443".clone_into(&mut manifest.filter);
            (manifest.capture_drops, manifest.covered) = (None, Vec::new());
        }),
        script,
        right_to_left,
        long,
    ];
    for piece in &pieces {
        piece.write(folder);
    }
    for number in 0..30u32 {
        let name = ["Suspicious traffic", "DNS tunnel suspected", "Beaconing", "New external host"]
            [number as usize % 4];
        let piece =
            Piece::new(&format!("alert_{}", 11_900 - number), name, -20_000 - 1800 * i64::from(number));
        piece.change(|manifest| manifest.packets = Some(dice(number.into()) % 90_000)).write(folder);
    }
    fs::write(folder.join("20250101_120000_4711.pcap"), vec![0; 7_340_032]).unwrap();
    let lab = folder.join("capture from the lab.pcapng");
    fs::write(&lab, vec![0; 52_000]).unwrap();
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::open(&lab).unwrap().set_modified(long_ago).unwrap();
}
