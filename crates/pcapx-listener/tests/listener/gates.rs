//! Every gate, with requests that a client library would not send.

use std::time::Duration;

use pcapx_core::config::Secret;
use pcapx_testkit::process::{Authority, Connection, NoReply, Service, Site, basic, poll};
use serde_json::Value;

use crate::fake::{Fake, HELD};
use crate::{ALERT, ALERT_FILE, assert_result, evidence, listener, post, post_bytes, request, told};

/// 2 MiB, the largest body.
const LIMIT: usize = 2_097_152;

/// Sends `bytes` on a new connection and compares status and body.
#[track_caller]
fn assert_told(service: &Service, bytes: &[u8], status: u16, body: &str) -> pcapx_testkit::process::Reply {
    let reply = Connection::open(service.address()).exchange(bytes);
    assert_eq!(told(&reply), (status, body.to_owned()), "{}", bytes[..bytes.len().min(80)].escape_ascii());
    reply
}

/// An alert without a usable address, padded with blanks to `len` bytes.
fn padded(len: usize) -> Vec<u8> {
    let mut body = b"{\"id\": 1}".to_vec();
    body.resize(len, b' ');
    body
}

fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    request("POST /", &["Transfer-Encoding: chunked"], &body)
}

#[test]
fn gate_0_wants_an_address_that_may_ask() {
    for (allowed, trusted, forwarded, status) in [
        (vec![], vec![], "192.0.2.1", 200),
        (vec!["127.0.0.0/8"], vec![], "192.0.2.1", 200),
        (vec!["192.0.2.1"], vec![], "192.0.2.1", 403),
        (vec!["192.0.2.1"], vec!["127.0.0.1"], "192.0.2.1", 200),
        (vec!["192.0.2.1"], vec!["127.0.0.1"], "192.0.2.1, 192.0.2.2", 403),
        (vec!["192.0.2.1"], vec!["127.0.0.1"], "unknown", 400),
    ] {
        let mut site = Site::new();
        site.set("listener_allowed_ips", allowed.clone()).set("trusted_proxies", trusted);
        let service = listener(&site);
        let header = format!("X-Forwarded-For: {forwarded}");
        for line in ["GET /", "POST /"] {
            let bytes = request(line, &[&header, "Content-Length: 8"], b"{\"a\": 1}");
            let reply = Connection::open(service.address()).exchange(&bytes);
            assert_eq!(reply.status, status, "{allowed:?} {forwarded} {line}");
            if status == 403 {
                assert_eq!(reply.text(), "Forbidden");
            }
        }
        assert_told(&service, &request("GET /healthz", &[], b""), 200, "ok");
    }
}

#[test]
fn an_address_that_may_not_ask_learns_nothing_of_passwords() {
    let mut site = Site::new();
    site.set("listener_auth_pass", "p").set("listener_allowed_ips", vec!["192.0.2.1"]);
    let service = listener(&site);
    for header in [basic(b":p"), basic(b":x")] {
        let header = format!("Authorization: {header}");
        assert_told(&service, &request("GET /", &[&header], b""), 403, "Forbidden");
    }
}

#[test]
fn passwords_and_tokens_may_be_hashes() {
    let mut site = Site::new();
    site.set("listener_auth_user", "sycope").set("listener_auth_pass", Secret::hash("a:b").unwrap());
    site.set("listener_auth_token", Secret::hash("t0ken").unwrap());
    let service = listener(&site);
    for (header, status) in [
        (basic(b"sycope:a:b"), 200),
        (basic(b"sycope:a"), 401),
        (basic(b"sycopa:a:b"), 401),
        ("Bearer t0ken".to_owned(), 200),
        ("Bearer token".to_owned(), 401),
    ] {
        let header = format!("Authorization: {header}");
        let reply = Connection::open(service.address()).exchange(&request("GET /", &[&header], b""));
        assert_eq!(reply.status, status, "{header}");
    }
}

#[test]
fn gate_1_asks_for_credentials_first() {
    let mut site = Site::new();
    site.set("listener_auth_user", "sycope")
        .set("listener_auth_pass", "a:b")
        .set("listener_auth_token", "t0ken");
    let service = listener(&site);
    let right = "Authorization: Basic c3ljb3BlOmE6Yg==";
    for (line, headers) in [
        ("POST /extract", vec!["Content-Length: 0"]),
        ("POST /extract", vec![]),
        ("POST /extract", vec!["Content-Length: 99999999"]),
        ("GET /", vec![]),
        ("GET /", vec!["Authorization: Basic c3ljb3BlOmE="]),
        ("GET /", vec!["Authorization: Basic %%%"]),
        ("GET /", vec!["Authorization: Bearer token"]),
        ("GET /", vec!["Authorization: Digest c3ljb3BlOmE6Yg=="]),
        ("GET /", vec![right, right]),
    ] {
        let reply = assert_told(&service, &request(line, &headers, b""), 401, "Unauthorized");
        assert_eq!(
            reply.header("WWW-Authenticate"),
            Some("Basic realm=\"pcap-extractor\""),
            "{line} {headers:?}"
        );
    }
    for header in [right, "Authorization: Bearer t0ken"] {
        assert_eq!(
            Connection::open(service.address()).exchange(&request("GET /", &[header], b"")).status,
            200
        );
        assert_told(&service, &request("POST /", &[header], b""), 411, "Missing Content-Length");
    }
    assert_told(&service, &request("GET /healthz", &[], b""), 200, "ok");
}

#[test]
fn one_empty_credential_switches_authentication_on() {
    for (user, pass, header) in [("u", "", "dTo="), ("", "p", "OnA=")] {
        let mut site = Site::new();
        site.set("listener_auth_user", user).set("listener_auth_pass", pass);
        let service = listener(&site);
        assert_told(&service, &request("GET /", &[], b""), 401, "Unauthorized");
        let header = format!("Authorization: Basic {header}");
        assert_eq!(
            Connection::open(service.address()).exchange(&request("GET /", &[&header], b"")).status,
            200
        );
    }
}

#[test]
fn gate_2_wants_a_length() {
    let service = listener(&Site::new());
    assert_told(&service, &request("POST /", &[], b""), 411, "Missing Content-Length");
    assert_told(&service, b"POST / HTTP/1.0\r\n\r\n", 411, "Missing Content-Length");
    for length in ["abc", "-1", "+1", "1 2", "5, 6", "0x10", "18446744073709551616", ""] {
        let bytes = request("POST /", &[&format!("Content-Length: {length}")], b"{}");
        let reply = Connection::open(service.address()).exchange(&bytes);
        assert_eq!(reply.status, 400, "{length:?}");
    }
    let two = request("POST /", &["Content-Length: 2", "Content-Length: 3"], b"{}");
    assert_eq!(Connection::open(service.address()).exchange(&two).status, 400);
}

#[test]
fn gate_3_takes_two_mebibytes_and_not_one_byte_more() {
    let service = listener(&Site::new());
    let reply = assert_told(&service, &post_bytes("/", &padded(LIMIT)), 200, "NO BPF FILTER");
    assert_eq!(reply.header("X-Result"), Some("NO BPF FILTER"));
    assert_told(&service, &post_bytes("/", &padded(LIMIT + 1)), 413, "Payload too large");
    // Announced only: the answer does not wait for the bytes.
    let announced = request("POST /", &["Content-Length: 2097153", "Expect: 100-continue"], b"");
    assert_told(&service, &announced, 413, "Payload too large");
    assert_told(
        &service,
        &request("POST /", &["Content-Length: 9999999999999"], b""),
        413,
        "Payload too large",
    );
}

#[test]
fn chunked_bodies_have_the_same_bound() {
    let service = listener(&Site::new());
    let body = padded(LIMIT + 1);
    let (half, rest) = body[..LIMIT].split_at(1_000_000);
    assert_told(&service, &chunked(&[half, rest]), 200, "NO BPF FILTER");
    assert_told(&service, &chunked(&[&body]), 413, "Payload too large");
    assert_told(&service, &chunked(&[half, rest, b" "]), 413, "Payload too large");
    let single: Vec<&[u8]> = b"{\"id\": 1}".chunks(1).collect();
    assert_told(&service, &chunked(&single), 200, "NO BPF FILTER");
    let trailers = b"2;name=value\r\n{}\r\n0\r\nX: y\r\n\r\n";
    let trailers = request("POST /", &["Transfer-Encoding: chunked"], trailers);
    assert_told(&service, &trailers, 200, "NO BPF FILTER");
    let broken = request("POST /", &["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n");
    assert_told(&service, &broken, 400, "Incomplete request body");
}

#[test]
fn gate_4_wants_a_body() {
    let service = listener(&Site::new());
    assert_told(&service, &post_bytes("/", b""), 400, "Empty request body");
    assert_told(&service, &chunked(&[]), 400, "Empty request body");
}

#[test]
fn a_body_that_stops_half_way_is_given_up() {
    let service = listener(&Site::new());
    let half = request("POST /", &["Content-Length: 1000"], b"{\"id\"");
    let half_chunk = request("POST /", &["Transfer-Encoding: chunked"], b"64\r\n{\"id\"");
    for half in [&half, &half_chunk] {
        let mut closed = Connection::open(service.address());
        closed.send(half);
        closed.finish_sending();
        assert_eq!(told(&closed.reply().unwrap()), (400, "Incomplete request body".to_owned()));
    }
    let mut silent = Connection::open(service.address());
    silent.send(&half);
    assert_eq!(told(&silent.reply().unwrap()), (408, "Request body timeout".to_owned()));
    assert!(silent.is_closed_within(Duration::from_secs(5)));
}

#[test]
fn a_trickled_header_does_not_hold_a_connection() {
    let service = listener(&Site::new());
    let mut connection = Connection::open(service.address());
    let mut bytes = b"POST / HTTP/1.1\r\nX: ".iter().copied().chain(std::iter::repeat(b'x'));
    let closed = poll(Duration::from_secs(15), || {
        let sent = connection.send(&[bytes.next()?]);
        (!sent || connection.is_closed_within(Duration::from_millis(100))).then_some(())
    });
    assert!(closed.is_some(), "still open");
}

#[test]
fn gate_5_wants_an_object() {
    let service = listener(&Site::new());
    for body in ["{", "id=1", "{\"id\": 1,}", "\u{0}", " ", "{} {}"] {
        assert_told(&service, &post_bytes("/", body.as_bytes()), 400, "Invalid JSON");
    }
    assert_told(
        &service,
        &post_bytes("/", &[b"[".repeat(10_000), b"]".repeat(10_000)].concat()),
        400,
        "Invalid JSON",
    );
    for body in ["[]", "[{}]", "null", "7", "\"text\""] {
        assert_told(&service, &post_bytes("/", body.as_bytes()), 400, "Invalid JSON: not an object");
    }
}

#[test]
fn gate_6_has_so_many_places() {
    let mut fake = Fake::new(HELD);
    fake.site.set("max_concurrent_extractions", 2);
    let service = fake.listener();
    let mut running: Vec<_> = (0..2)
        .map(|number| {
            let mut connection = Connection::open(service.address());
            connection.send(&post_bytes("/", ALERT.replace("12345", &number.to_string()).as_bytes()));
            connection
        })
        .collect();
    fake.wait_for_starts(2);
    let refused =
        assert_told(&service, &post_bytes("/", ALERT.as_bytes()), 429, "Too many concurrent extractions");
    assert_eq!(refused.header("Retry-After"), Some("5"));
    // The gates before it come first.
    assert_told(&service, &post_bytes("/", b"{"), 400, "Invalid JSON");
    fake.release(2);
    for connection in &mut running {
        assert_eq!(connection.reply().unwrap().status, 200);
    }
    fake.release(1);
    assert_eq!(post(service.address(), "/", ALERT).status, 200);
}

#[test]
fn any_path_will_do_and_no_other_method() {
    let service = listener(&Site::new());
    for target in
        ["/", "/extract", "/a/b?c=d", "/extract&filter=full", "http://other.example/x", "/%2e%2e/%00", "//"]
    {
        assert_result(&post(service.address(), target, "{}"), "NO BPF FILTER");
        let got = Connection::open(service.address()).exchange(&request(&format!("GET {target}"), &[], b""));
        assert_eq!((got.status, got.header("Content-Type")), (200, Some("application/json")), "{target}");
    }
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "HEAD", "BREW"] {
        let mut connection = Connection::open(service.address());
        connection.send(&request(&format!("{method} /"), &[], b""));
        let reply = connection.reply_to(method).unwrap();
        assert_eq!((reply.status, reply.header("Allow")), (405, Some("GET, POST")), "{method}");
    }
}

#[test]
fn get_tells_how_the_service_is_used() {
    let mut site = Site::new();
    site.set("host", "192.168.0.109").set("default_filter", "hosts").set("default_before", 60);
    let service = listener(&site);
    let reply = Connection::open(service.address()).exchange(&request("GET /", &[], b""));
    let text = reply.text();
    assert!(text.starts_with("{\n  \"status\": \"ok\",\n  \"usage\": {\n    \"endpoint\": "), "{text}");
    let told: Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["status", "usage", "examples"]);
    let usage: Vec<_> = told["usage"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(usage, ["endpoint", "filter_modes", "defaults"]);
    let modes: Vec<_> =
        told["usage"]["filter_modes"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(modes, ["full", "hosts", "client", "server", "port"]);
    let defaults = serde_json::json!({"filter": "hosts", "before": 60, "after": 360});
    assert_eq!(told["usage"]["defaults"], defaults);
    let examples = told["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 3);
    assert!(examples.iter().all(|example| example.as_str().unwrap().starts_with("http://192.168.0.109:")));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let service = listener(&Site::new());
    let mut connection = Connection::open(service.address());
    let bytes = [
        post_bytes("/", b"{}"),
        request("GET /healthz", &[], b""),
        chunked(&[b"[]"]),
        post_bytes("/", b""),
        post_bytes("/", b"{\"clientIp\": \"1.1.1.1 or net 0.0.0.0/0\"}"),
    ];
    connection.send(&bytes.concat());
    let answers: Vec<_> = (0..bytes.len()).map(|_| told(&connection.reply().unwrap())).collect();
    let wanted = [
        (200, "NO BPF FILTER"),
        (200, "ok"),
        (400, "Invalid JSON: not an object"),
        (400, "Empty request body"),
        (200, "NO BPF FILTER"),
    ];
    assert_eq!(answers, wanted.map(|(status, text)| (status, text.to_owned())));
}

#[test]
fn what_is_no_http_is_refused() {
    let service = listener(&Site::new());
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"]
    {
        let mut connection = Connection::open(service.address());
        connection.send(bytes);
        match connection.reply() {
            Ok(reply) => assert_eq!(reply.status, 400, "{}", bytes.escape_ascii()),
            Err(why) => assert!(matches!(why, NoReply::Closed(_)), "{why}"),
        }
    }
    assert_told(&service, &request("GET /healthz", &[], b""), 200, "ok");
}

#[test]
fn the_filter_of_the_address_decides() {
    let fake = Fake::new("echo packets > \"$output\"");
    let service = fake.listener();
    let full = "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443";
    for (target, filter, begin, end) in [
        ("/", full, "2025-02-09 11:14:00", "2025-02-09 11:26:00"),
        ("/extract?filter=client", "tcp and host 10.0.0.10", "2025-02-09 11:14:00", "2025-02-09 11:26:00"),
        (
            "/extract&filter=port&before=60&after=0",
            "tcp and host 10.0.0.20 and port 443",
            "2025-02-09 11:19:00",
            "2025-02-09 11:20:00",
        ),
        ("/?filter=FOO&before=-5&after=999999", full, "2025-02-09 11:20:00", "2025-02-10 11:20:00"),
        ("/?before=x&after=", full, "2025-02-09 11:14:00", "2025-02-09 11:26:00"),
    ] {
        assert_eq!(post(service.address(), target, ALERT).status, 200);
        let argv = fake.argv();
        assert_eq!((&*argv[3], &*argv[5], &*argv[7]), (begin, end, filter), "{target}");
    }
    // The last question is the first one again; what else was asked about the alert stands beside it.
    let aside = |number| crate::ALERT_FILE.replace(".pcap", &format!(".{number}.pcap"));
    assert_eq!(evidence(&fake.site), [aside(2), aside(3), aside(4), crate::ALERT_FILE.to_owned()]);
}

#[test]
fn over_tls_the_help_and_the_links_say_https() {
    let authority = Authority::new("test");
    let mut fake = Fake::new("echo packets > \"$output\"");
    authority.issue("both").write(fake.site.path(), "both");
    for service in ["listener", "fileserver"] {
        for (key, ending) in [("cert", "crt"), ("key", "key")] {
            let path = fake.path(&format!("both.{ending}"));
            fake.site.set(&format!("{service}_tls_{key}"), path);
        }
    }
    let service = fake.listener();
    let client = authority.client(None);
    let ask = |bytes: &[u8]| Connection::open_tls(service.address(), &client).unwrap().exchange(bytes);
    let help: Value = serde_json::from_slice(&ask(&request("GET /", &[], b"")).body).unwrap();
    assert!(help["examples"][0].as_str().unwrap().starts_with("https://127.0.0.1:"), "{help}");
    assert_result(&ask(&post_bytes("/", ALERT.as_bytes())), &format!("https://127.0.0.1:0/{ALERT_FILE}"));
}

#[test]
fn links_have_the_base_that_is_set() {
    let mut fake = Fake::new("echo packets > \"$output\"");
    fake.site.set("download_url_base", "https://pcap.example.com/evidence");
    let service = fake.listener();
    let link = format!("https://pcap.example.com/evidence/{ALERT_FILE}");
    assert_result(&post(service.address(), "/", ALERT), &link);
}
