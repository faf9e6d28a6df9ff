//! The audit log of a service: who took what, in a chain that a crash does not break.

use std::fs;

use pcapx_core::config::Secret;
use pcapx_http::audit::{Kept, verify};
use pcapx_testkit::process::{Authority, Connection, PATIENCE, Service, Signal, Site, basic, poll, request};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");

fn site() -> Site {
    let mut site = Site::new();
    let folder = site.path().join("audit");
    fs::create_dir(&folder).unwrap();
    fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    site.set("audit_log", folder.to_str().unwrap());
    site
}

/// The lines of the log without what differs from run to run, and whether they are a chain.
fn log(site: &Site) -> Vec<Value> {
    let path = site.path().join("audit/pcapx-fileserver.audit.jsonl");
    verify(&[&path], &Kept::default()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let strip = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for key in ["seq", "time", "service", "request", "prev", "hash", "listening"] {
            line.as_object_mut().unwrap().remove(key);
        }
        line
    };
    text.lines().map(strip).collect()
}

#[test]
fn downloads_and_refusals_are_written_down_and_the_rest_is_not() {
    let mut site = site();
    site.set("fileserver_auth_user", "u").set("fileserver_auth_pass", Secret::hash("p").unwrap());
    site.set("trusted_proxies", vec!["127.0.0.1"]).set("allowed_ips", vec!["192.0.2.0/24"]);
    let service = Service::start(BINARY, &site);
    let (right, wrong) = (basic(b"u:p"), basic(b"u:\"x\n"));
    let own = ("X-Forwarded-For", "192.0.2.1");
    for (method, target, headers, status) in [
        ("GET", "/a.pcap", vec![("Authorization", right.as_str()), own], 200),
        ("GET", "/a.pcap", vec![("Authorization", right.as_str()), own, ("Range", "bytes=1-3")], 206),
        ("HEAD", "/a.pcap", vec![("Authorization", right.as_str()), own], 200),
        ("GET", "/missing", vec![("Authorization", right.as_str()), own], 404),
        ("GET", "/a.pcap", vec![own], 401),
        ("GET", "/a.pcap", vec![("Authorization", wrong.as_str()), own], 401),
        ("GET", "/a.pcap", vec![("Authorization", right.as_str()), ("X-Forwarded-For", "10.0.0.1")], 403),
        ("GET", "/healthz", vec![own], 200),
    ] {
        assert_eq!(request(service.address(), method, target, &headers, b"").status, status, "{target}");
    }
    service.stop();
    let expected = format!(
        "[{{\"act\": \"start\"}}, {}, {}, {}, {}, {{\"act\": \"stop\"}}]",
        r#"{"act": "download", "user": "u", "evidence": "a.pcap", "address": "192.0.2.1", "proxy": "127.0.0.1", "bytes": 7, "outcome": "200 complete"}"#,
        r#"{"act": "download", "user": "u", "evidence": "a.pcap", "address": "192.0.2.1", "proxy": "127.0.0.1", "bytes": 3, "outcome": "206 complete"}"#,
        r#"{"act": "denied", "reason": "wrong credentials", "user": "u", "address": "192.0.2.1", "proxy": "127.0.0.1", "bytes": 12, "outcome": "401 complete"}"#,
        r#"{"act": "denied", "reason": "address", "address": "10.0.0.1", "proxy": "127.0.0.1", "bytes": 9, "outcome": "403 complete"}"#,
    );
    assert_eq!(Value::from(log(&site)), serde_json::from_str::<Value>(&expected).unwrap());
}

#[test]
fn the_certificate_of_a_client_is_told() {
    let (mut site, authority) = (site(), Authority::new("test"));
    authority.issue("server").write(site.path(), "server");
    fs::write(site.path().join("ca.crt"), authority.pem()).unwrap();
    for (key, name) in [("cert", "server.crt"), ("key", "server.key"), ("client_ca", "ca.crt")] {
        let path = site.path().join(name);
        site.set(&format!("fileserver_tls_{key}"), path.to_str().unwrap());
    }
    let service = Service::start(BINARY, &site);
    let client = authority.client(Some(&authority.issue("analyst")));
    let mut connection = Connection::open_tls(service.address(), &client).unwrap();
    assert_eq!(connection.exchange(b"GET /a.pcap HTTP/1.1\r\nHost: x\r\n\r\n").text(), "packets");
    service.stop();
    let certificate = log(&site)[1]["certificate"].as_str().unwrap().to_owned();
    let digits = certificate.strip_prefix("sha256:").unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{certificate}");
}

#[test]
fn whoever_is_turned_away_is_told_with_the_name_that_was_tried() {
    let mut site = site();
    site.set("fileserver_auth_user", "u").set("fileserver_auth_pass", "p");
    let service = Service::start(BINARY, &site);
    let name = "\u{17c}".repeat(100);
    for credentials in ["admin:secret0", "\u{1b}[2J\n:secret1", &format!("{name}:secret2"), ":secret3"] {
        let authorization = basic(credentials.as_bytes());
        let reply = request(service.address(), "GET", "/a.pcap", &[("Authorization", &authorization)], b"");
        assert_eq!(reply.status, 401);
    }
    for broken in ["Basic c2VjcmV0NA==", "Bearer secret5"] {
        let reply = request(service.address(), "GET", "/a.pcap", &[("Authorization", broken)], b"");
        assert_eq!(reply.status, 401);
    }
    service.stop();
    let log = log(&site);
    let users: Vec<&Value> = log[1..log.len() - 1].iter().map(|act| &act["user"]).collect();
    let cut: String = name.chars().take(64).collect();
    let expected =
        ["admin".into(), "\u{1b}[2J\n".into(), cut.into(), "".into(), Value::Null, "(token)".into()];
    assert_eq!(users, expected.iter().collect::<Vec<_>>());
    let text = fs::read_to_string(site.path().join("audit/pcapx-fileserver.audit.jsonl")).unwrap();
    assert!(!text.contains("secret") && !text.contains("c2VjcmV0"), "{text}");
}

#[test]
fn clients_without_a_certificate_that_is_accepted_are_told() {
    let (mut site, authority) = (site(), Authority::new("test"));
    authority.issue("server").write(site.path(), "server");
    fs::write(site.path().join("ca.crt"), authority.pem()).unwrap();
    for (key, name) in [("cert", "server.crt"), ("key", "server.key"), ("client_ca", "ca.crt")] {
        let path = site.path().join(name);
        site.set(&format!("fileserver_tls_{key}"), path.to_str().unwrap());
    }
    let service = Service::start(BINARY, &site);
    let stranger = Authority::new("another").issue("client");
    for client in [authority.client(None), authority.client(Some(&stranger))] {
        // With TLS 1.3 a client learns with the first answer only.
        if let Ok(mut connection) = Connection::open_tls(service.address(), &client) {
            connection.send(b"GET /a.pcap HTTP/1.1\r\nHost: x\r\n\r\n");
            assert!(connection.reply().is_err());
        }
    }
    // Who does not trust this service, or only looks at the port, was not turned away by it.
    assert!(Connection::open_tls(service.address(), &Authority::new("third").client(None)).is_err());
    drop(Connection::open(service.address()));
    service.wait_for_log(|line| line.contains("TLS handshake failed: received fatal alert"));
    service.stop();
    let log = log(&site);
    let denied: Vec<_> = log.iter().filter(|act| act["act"] == "denied").collect();
    assert_eq!(denied.len(), 2, "{log:?}");
    assert_eq!(denied[0]["reason"], "no client certificate");
    let reason = denied[1]["reason"].as_str().unwrap();
    assert!(reason.starts_with("client certificate: invalid peer certificate"), "{reason}");
    assert!(denied.iter().all(|act| act["address"] == "127.0.0.1"), "{denied:?}");
}

#[test]
fn a_flood_of_refusals_does_not_fill_the_disk() {
    const REFUSED: u64 = 3000;
    let mut site = site();
    site.set("allowed_ips", vec!["192.0.2.0/24"]);
    let service = Service::spawn(site.command(BINARY).env("PCAPX_LOG", "error")).unwrap();
    let mut connection = Connection::open(service.address());
    for _ in 0..REFUSED {
        assert_eq!(connection.exchange(b"GET /a.pcap HTTP/1.1\r\nHost: x\r\n\r\n").status, 403);
    }
    service.stop();
    let log = log(&site);
    let written = log.iter().filter(|act| act["act"] == "denied").count() as u64;
    let counted: u64 =
        log.iter().filter(|act| act["act"] == "denied more").map(|act| act["acts"].as_u64().unwrap()).sum();
    // A burst, and some for the seconds that it took.
    assert!((1000..2500).contains(&written), "{written}");
    assert_eq!(written + counted, REFUSED);
}

#[test]
fn a_killed_service_goes_on_with_its_chain() {
    let site = site();
    for runs in 1..=3 {
        let service = Service::start(BINARY, &site);
        assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").status, 200);
        // Before the first line is there the file is none that could be verified.
        let path = site.path().join("audit/pcapx-fileserver.audit.jsonl");
        let lines = || fs::read_to_string(&path).map_or(0, |text| text.lines().count());
        assert!(poll(PATIENCE, || (lines() == 2 * runs).then_some(())).is_some(), "{:?}", log(&site));
        assert_eq!(log(&site).len(), 2 * runs);
        service.signal(Signal::KILL);
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_at_the_start() {
    let mut site = site();
    site.set("audit_log", "/nonexistent/audit");
    let output = site.command(BINARY).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("audit_log: /nonexistent/audit: No such file"), "{told}");
}
