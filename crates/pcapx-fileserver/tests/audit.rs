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
        r#"{"act": "denied", "reason": "wrong credentials", "address": "192.0.2.1", "proxy": "127.0.0.1", "bytes": 12, "outcome": "401 complete"}"#,
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
fn a_killed_service_goes_on_with_its_chain() {
    let site = site();
    for runs in 1..=3 {
        let service = Service::start(BINARY, &site);
        assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").status, 200);
        let written = poll(PATIENCE, || (log(&site).len() == 2 * runs).then_some(()));
        assert!(written.is_some(), "{:?}", log(&site));
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
