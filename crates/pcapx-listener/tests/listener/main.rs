//! The real listener, over real sockets, in a temporary folder.

mod asking;
mod audit;
mod capture;
mod clock;
mod contract;
mod disk;
mod empties;
mod external;
mod fake;
mod floor;
mod follow;
mod gates;
mod guessing;
mod indexing;
mod joining;
mod kills;
mod limits;
mod live;
mod load;
mod monitoring;
mod openapi;
mod pages;
mod patience;
mod programs;
mod queue;
mod restart;
mod retention;
mod schema;
mod shelf;
mod start;
mod stop;
mod trail;

use std::net::SocketAddr;

use pcapx_testkit::process::{Connection, Reply, Service, Site};

/// The program under test.
const LISTENER: &str = env!("CARGO_BIN_EXE_pcapx-listener");

/// An alert that makes a filter: `tcp and host 10.0.0.10 and host 10.0.0.20 and port 443`.
const ALERT: &str = r#"{"id": "alert_12345", "name": "Suspicious traffic", "clientIp": "10.0.0.10",
    "serverIp": "10.0.0.20", "serverPort": 443, "protocolName": "tcp", "unixTimestamp": 1739100000}"#;

/// What the evidence of [`ALERT`] is called where local time is UTC.
const ALERT_FILE: &str = "20250209_112000_alert_12345.pcap";

/// A listener on `site` whose local time is UTC.
fn listener(site: &Site) -> Service {
    Service::spawn(site.command(LISTENER).env("TZ", "UTC")).unwrap_or_else(|error| panic!("{error}"))
}

/// A request as bytes: `method target`, headers, body. Nothing is added.
fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: x\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A POST with its length.
fn post_bytes(target: &str, body: &[u8]) -> Vec<u8> {
    request(&format!("POST {target}"), &[&format!("Content-Length: {}", body.len())], body)
}

/// One POST on a connection of its own.
fn post(server: SocketAddr, target: &str, body: &str) -> Reply {
    Connection::open(server).exchange(&post_bytes(target, body.as_bytes()))
}

/// Status and body of a reply, to compare at once.
fn told(reply: &Reply) -> (u16, String) {
    (reply.status, reply.text())
}

/// Asserts a job's answer: 200, plain text, the text in the header too.
#[track_caller]
fn assert_result(reply: &Reply, text: &str) {
    assert_eq!(told(reply), (200, text.to_owned()));
    assert_eq!(reply.header("X-Result"), Some(text));
    assert!(reply.header("Content-Type").is_some_and(|kind| kind.starts_with("text/plain")));
}

/// All names in the output folder but those of manifests, hidden ones too, in order.
fn evidence(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.output_dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_manifest = |name: &str| !name.starts_with('.') && name.strip_suffix(".json").is_some();
    let mut names: Vec<_> = names.filter(|name| !is_manifest(name)).collect();
    names.sort();
    names
}
