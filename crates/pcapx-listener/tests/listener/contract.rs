//! What a plain webhook client relies on, answer by answer and byte by byte – with windows that are followed, as is the
//! default, and with the answer as things stand. A client sees no difference but one: a window that is not over is answered
//! with its link where it is followed, and with what is there where it is not.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::read_pcap;
use pcapx_testkit::process::{Connection, PATIENCE, Service, Site, basic};

use crate::fake::{Fake, HELD};
use crate::shelf::{AT, alert, ended, link, manifest, packets, record, stem};
use crate::{ALERT, ALERT_FILE, evidence, listener, post_bytes, request};

/// Both values of `completion`; nothing is the default.
const MODES: [Option<&str>; 2] = [None, Some("now")];

/// 2 MiB, the largest body.
const LIMIT: usize = 2_097_152;

fn site(mode: Option<&str>) -> Site {
    let mut site = Site::new();
    if let Some(mode) = mode {
        site.set("completion", mode);
    }
    site
}

/// The bytes of an answer, without those that tell when it was given.
fn answer(server: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who announces too much is answered before all of it is sent.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    // A reset after the answer is not told apart from its end.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    let lines = head.split("\r\n").filter(|line| !line.starts_with("date: "));
    format!("{}\n\n{body}", lines.collect::<Vec<_>>().join("\n"))
}

/// An answer in plain text, as it has to be.
fn plain(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\ncontent-type: text/plain\ncontent-length: {length}\n{header}connection: close\n\n{body}"
    )
}

/// The answer of an accepted alert: the text twice.
fn outcome(text: &str) -> String {
    plain("200 OK", &format!("x-result: {text}\n"), text)
}

fn asked(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    request(line, &[&["Connection: close"], headers].concat(), body)
}

fn posted(target: &str, body: &str) -> Vec<u8> {
    asked(&format!("POST {target}"), &[&format!("Content-Length: {}", body.len())], body.as_bytes())
}

#[track_caller]
fn assert_outcome(service: &Service, target: &str, body: &str, text: &str) {
    assert_eq!(answer(service.address(), &posted(target, body)), outcome(text), "{target} {body:.200}");
}

#[test]
fn gates_answer_in_their_order() {
    const CHALLENGE: &str = "www-authenticate: Basic realm=\"pcap-extractor\"\n";
    let unauthorized = plain("401 Unauthorized", CHALLENGE, "Unauthorized");
    let no_length = plain("411 Length Required", "", "Missing Content-Length");
    let too_large = plain("413 Payload Too Large", "", "Payload too large");
    let empty = plain("400 Bad Request", "", "Empty request body");
    let no_json = plain("400 Bad Request", "", "Invalid JSON");
    let no_object = plain("400 Bad Request", "", "Invalid JSON: not an object");
    let right = format!("Authorization: {}", basic(b"sycope:secret"));
    let wrong = format!("Authorization: {}", basic(b"sycope:secre"));
    let blanks = [b"{}".to_vec(), vec![b' '; LIMIT - 2]].concat();
    let rows: &[(&[&str], &[u8], &str)] = &[
        (&[], b"", &unauthorized),
        (&[&wrong], b"", &unauthorized),
        (&[&wrong, "Content-Length: 99999999"], b"", &unauthorized),
        (&["Content-Length: 1"], b"{", &unauthorized),
        (&["Authorization: Bearer secret", "Content-Length: 2"], b"{}", &unauthorized),
        (&[&right], b"", &no_length),
        (&[&right, "Content-Length: 2097153"], b"", &too_large),
        (&[&right, "Content-Length: 2097152"], &blanks, &outcome("NO BPF FILTER")),
        (&[&right, "Content-Length: 0"], b"", &empty),
        (&[&right, "Content-Length: 1"], b"{", &no_json),
        (&[&right, "Content-Length: 6"], b"id=one", &no_json),
        (&[&right, "Content-Length: 2"], b"[]", &no_object),
        (&[&right, "Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n", &outcome("NO BPF FILTER")),
        (&[&right, "Content-Length: 2"], b"{}", &outcome("NO BPF FILTER")),
    ];
    for mode in MODES {
        let mut site = site(mode);
        site.set("listener_auth_user", "sycope").set("listener_auth_pass", "secret");
        let service = listener(&site);
        for (headers, body, wanted) in rows {
            let told = answer(service.address(), &asked("POST /extract", headers, body));
            assert_eq!(&told, wanted, "{headers:?} {:.80}", body.escape_ascii());
        }
        assert_eq!(answer(service.address(), &asked("GET /any/path", &[], b"")), unauthorized);
        let help = answer(service.address(), &asked("GET /any/path", &[&right], b""));
        let (head, help) = help.split_once("\n\n").unwrap();
        let wanted =
            format!("HTTP/1.1 200 OK\ncontent-type: application/json\ncontent-length: {}", help.len());
        assert!(head.starts_with(&wanted), "{head}");
        assert!(help.starts_with("{\n  \"status\": \"ok\",\n  \"usage\": {\n"), "{help}");
        assert!(evidence(&site).is_empty());
    }
}

#[test]
fn a_taken_place_is_told_and_when_to_come_back() {
    for mode in MODES {
        let mut fake = Fake::new(HELD);
        if let Some(mode) = mode {
            fake.site.set("completion", mode);
        }
        let service = fake.listener();
        let mut first = Connection::open(service.address());
        first.send(&post_bytes("/extract", ALERT.as_bytes()));
        fake.wait_for_starts(1);
        let busy = plain("429 Too Many Requests", "retry-after: 5\n", "Too many concurrent extractions");
        let other = alert("other", 1);
        assert_eq!(answer(service.address(), &posted("/extract", &other)), busy);
        // Gates in front of it come first, what is behind it does not come.
        let empty = plain("400 Bad Request", "", "Empty request body");
        assert_eq!(answer(service.address(), &posted("/extract", "")), empty);
        assert_eq!(answer(service.address(), &posted("/extract", "{}")), busy);
        fake.release(1);
        let reply = first.reply().unwrap();
        assert_eq!((reply.status, reply.text()), (200, format!("http://127.0.0.1:0/{ALERT_FILE}")));
    }
}

#[test]
fn what_became_of_an_alert_is_a_line_of_text() {
    for mode in MODES {
        let site = site(mode);
        record(&site, 8);
        let service = listener(&site);
        for target in ["/extract", "/", "/extract?filter=full&before=60", "/extract&filter=full&before=60"] {
            assert_outcome(&service, target, &alert("a", 3), &link("a"));
        }
        let file = fs::read(site.output_dir().join(format!("{}.pcap", stem("a")))).unwrap();
        assert!(read_pcap(&file).unwrap().packets == packets(3));
        for body in [
            "{}",
            r#"{"clientIp": "", "serverIp": null}"#,
            r#"{"protocolName": "tcp"}"#,
            r#"{"clientIp": "10.0.0.1 or net 0.0.0.0/0"}"#,
        ] {
            assert_outcome(&service, "/extract", body, "NO BPF FILTER");
        }
        let missing = "ERROR: no packets matched 'tcp and host 10.1.0.250 and host 10.0.0.20 and port 443' between \
             2025-02-09 11:19:00 and 2025-02-09 11:20:01 (the filter matched none of 20 packets in 1 capture file, 58 s of the \
             time were not recorded)";
        assert_outcome(&service, "/extract?before=60&after=1", &alert("none", 249), missing);
        // The link shows what was asked last; the earlier answer stands beside it.
        assert_eq!(evidence(&site), [".1", ""].map(|aside| format!("{}{aside}.pcap", stem("a"))));
    }
}

#[test]
fn an_external_extractor_fails_in_its_own_words() {
    for mode in MODES {
        let mut fake = Fake::new("exit 1");
        if let Some(mode) = mode {
            fake.site.set("completion", mode);
        }
        fake.site.set("extractor_timeout", 1);
        let service = fake.listener();
        let rows = [
            ("exit 1", "ERROR: npcapextract failed".to_owned()),
            ("sleep 30", "ERROR: npcapextract timeout".to_owned()),
            (
                ": > \"$output\"",
                "ERROR: no packets matched 'tcp and host 10.0.0.10 and host 10.0.0.20 and port 443' between \
                 2025-02-09 11:14:00 and 2025-02-09 11:26:00"
                    .to_owned(),
            ),
            ("echo packets > \"$output\"", format!("http://127.0.0.1:0/{ALERT_FILE}")),
        ];
        for (script, text) in rows {
            fake.script(script);
            assert_outcome(&service, "/extract", ALERT, &text);
        }
    }
}

/// The first value wins, what is no number is none, what is too much is bounded, an unknown mode is the default.
#[test]
fn the_address_says_which_packets() {
    const HOSTS: &str = "tcp and host 10.1.0.4 and host 10.0.0.20";
    let full = format!("{HOSTS} and port 443");
    let rows = [
        ("/extract", full.as_str(), 360, 360),
        ("/extract?filter=&before=&after=", &full, 360, 360),
        ("/extract?filter=HOSTS&before=60&after=0", &full, 60, 0),
        ("/extract?filter=hosts&filter=port&before=1&before=2", HOSTS, 1, 360),
        ("/extract&filter=hosts&before=60&after=5", HOSTS, 60, 5),
        ("/extract?filter=client", "tcp and host 10.1.0.4", 360, 360),
        ("/extract?filter=server", "tcp and host 10.0.0.20", 360, 360),
        ("/extract?filter=port", "tcp and host 10.0.0.20 and port 443", 360, 360),
        ("/extract?filter=none&before=-1&after=86401", &full, 0, 86_400),
        ("/extract?before=1.5&after=1e3", &full, 360, 360),
    ];
    for mode in MODES {
        let site = site(mode);
        record(&site, 8);
        let service = listener(&site);
        for (number, (target, filter, before, after)) in rows.into_iter().enumerate() {
            let id = format!("q{number}");
            assert_outcome(&service, target, &alert(&id, 3), &link(&id));
            let told = manifest(&site, &stem(&id));
            let span = (told.asked.from, told.asked.to);
            let wanted = (Timestamp::from_secs(AT - before), Timestamp::from_secs(AT + after));
            assert_eq!((told.filter.as_str(), span), (filter, wanted), "{target}");
        }
    }
}

/// The one difference. Both are answers of the contract: a link, or a line that begins with `ERROR:`.
#[test]
fn a_window_that_is_not_over_is_answered_at_once() {
    let now = Timestamp::now().as_secs();
    let body = format!(r#"{{"id": "ahead", "clientIp": "10.9.9.9", "unixTimestamp": {now}}}"#);
    for mode in MODES {
        let site = site(mode);
        record(&site, 8);
        let service = listener(&site);
        let told = answer(service.address(), &posted("/extract", &body));
        let text = told.rsplit("\n\n").next().unwrap();
        assert_eq!(told, outcome(text));
        if mode.is_none() {
            assert!(text.starts_with("http://127.0.0.1:0/") && text.ends_with("_ahead.pcap"), "{text}");
        } else {
            assert!(text.starts_with("ERROR: no packets matched 'host 10.9.9.9' between "), "{text}");
            let name = evidence_of(&site, "_ahead");
            assert!(!ended(&site, &name).open);
        }
    }
}

/// The name of the only evidence that ends so.
fn evidence_of(site: &Site, ending: &str) -> String {
    let names = fs::read_dir(site.output_dir()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found =
        names.find_map(|name| name.strip_suffix(".json").map(str::to_owned).filter(|n| n.ends_with(ending)));
    found.unwrap_or_else(|| panic!("no evidence {ending}"))
}
