//! Questions by hand: a filter and two times instead of an alert.

use std::fs;

use pcapx_core::manifest::State;
use pcapx_testkit::capture::{Packet, read_pcap};
use pcapx_testkit::process::{Connection, Reply, Service, Site};
use serde_json::{Value, json};

use crate::shelf::{AT, ask, manifest, packets, record};
use crate::{listener, post, request, told};

const OFF: &str =
    "Questions by hand are switched off: allow_ad_hoc, or credentials for the listener, switch them on";

fn site(allow: impl Into<Value>) -> Site {
    let mut site = Site::new();
    site.set("allow_ad_hoc", allow);
    record(&site, 8);
    site
}

fn question(filter: &str, from: impl Into<Value>, to: impl Into<Value>) -> String {
    json!({"filter": filter, "from": from.into(), "to": to.into()}).to_string()
}

/// The file that a link names, read.
fn packets_of(site: &Site, link: &str) -> Vec<Packet> {
    let file = link.strip_prefix("http://127.0.0.1:0/").unwrap_or_else(|| panic!("{link}"));
    read_pcap(&fs::read(site.output_dir().join(file)).unwrap()).unwrap().packets
}

#[test]
fn a_filter_and_two_times_are_answered_like_an_alert() {
    let site = site(true);
    let service = listener(&site);
    let wanted: Vec<_> = packets(2).into_iter().chain(packets(3)).collect();
    for (from, to) in [
        (json!(AT - 10), json!(AT + 10)),
        (json!("2025-02-09 11:19:50"), json!("2025-02-09T11:20:10Z")),
        (json!("2025-02-09T12:19:50+01:00"), json!((AT + 10) * 1000)),
    ] {
        let link = post(service.address(), "/", &question("host 10.1.0.3 or host 10.1.0.4", from, to)).text();
        assert!(link.contains("/20250209_111950_ask_"), "{link}");
        let mut found = packets_of(&site, &link);
        found.sort_by_key(|packet| wanted.iter().position(|other| other == packet));
        assert!(found == wanted, "{found:?}");
    }
    let (status, document) = ask(service.address(), "POST /any", &question("port 443", AT - 10, AT + 10));
    assert_eq!(
        (status, &document["state"], &document["manifest"]["packets"]),
        (200, &"complete".into(), &20.into())
    );
    let told = manifest(&site, document["name"].as_str().unwrap());
    assert_eq!((told.about, told.alert, told.mode, told.filter.as_str()), (None, None, None, "port 443"));
    assert_eq!(told.state, State::Complete);
    // The same question has the same answer, another one a file of its own.
    let again = ask(service.address(), "POST /", &question("port 443", AT - 10, AT + 10)).1;
    assert_eq!(again["name"], document["name"]);
    let other = ask(service.address(), "POST /", &question("port 443", AT - 10, AT + 11)).1;
    assert_ne!(other["name"], document["name"]);
    let none = post(service.address(), "/", &question("port 80", AT - 10, AT + 10)).text();
    assert!(none.starts_with("ERROR: no packets matched 'port 80' between "), "{none}");
}

#[test]
fn who_may_ask_by_hand_is_configured() {
    let asked = question("port 443", AT - 10, AT + 10);
    for (allow, auth, status) in [
        (json!(true), false, 200),
        (json!(false), false, 403),
        (json!("auto"), false, 403),
        (json!("auto"), true, 200),
        (json!(false), true, 403),
    ] {
        let mut site = site(allow.clone());
        if auth {
            site.set("listener_auth_pass", "p");
        }
        let service = listener(&site);
        let reply = with_password(&service, &asked);
        assert_eq!(reply.status, status, "{allow} {auth}: {}", reply.text());
        if status == 403 {
            assert_eq!(reply.text(), OFF);
            assert!(crate::shelf::manifests(&site).is_empty());
        }
        // An alert is answered in any case.
        assert_eq!(with_password(&service, &crate::shelf::alert("a", 1)).status, 200);
    }
}

fn with_password(service: &Service, body: &str) -> Reply {
    let length = format!("Content-Length: {}", body.len());
    let headers = ["Authorization: Basic OnA=", &length];
    Connection::open(service.address()).exchange(&request("POST /", &headers, body.as_bytes()))
}

#[test]
fn what_cannot_be_understood_is_told_in_a_line() {
    let site = site(true);
    let service = listener(&site);
    let long = "host 10.0.0.1 or ".repeat(20_000) + "nonsense";
    let deep = format!("{}host 10.0.0.1{}", "(".repeat(50_000), ")".repeat(50_000));
    for (body, part) in [
        (question("host", 1, 2), "filter: "),
        (question("", 1, 2), "filter: "),
        (question("host example.org", 1, 2), "filter: "),
        (question("tcp[13] & 2 != 0", 1, 2), "filter: "),
        (question("host 10.0.0.1\r\nX: y", 1, 2), "filter: "),
        (question(&long, 1, 2), "filter: "),
        (question(&deep, 1, 2), "filter: "),
        (question("port 1", "soon", 2), "from: expected a time"),
        (question("port 1", Value::Null, 2), "from: expected a time"),
        (question("port 1", 1, json!([2])), "to: expected a time"),
        (question("port 1", 2, 1), "ends"),
        (json!({"filter": 5, "from": 1, "to": 2}).to_string(), "filter: expected one such as"),
        (json!({"filter": "port 1", "from": 1}).to_string(), "to: expected a time"),
        (json!({"filter": "port 1", "to": 1}).to_string(), "from: expected a time"),
    ] {
        let reply = post(service.address(), "/", &body);
        let text = reply.text();
        assert_eq!(reply.status, 400, "{body:.100}: {text:.300}");
        assert!(text.contains(part) && text.len() < 1000 && !text.contains('\n'), "{text:.1200}");
        let (status, document) = ask(service.address(), "POST /", &body);
        assert_eq!((status, document["error"].as_str()), (400, Some(&*text)));
    }
    // What has no time is an alert, and one without an address; so is what has an address that cannot be used.
    for body in [json!({"filter": "port 1"}), json!({"filter": 1, "from": 1, "clientIp": "nonsense"})] {
        assert_eq!(told(&post(service.address(), "/", &body.to_string())), (200, "NO BPF FILTER".to_owned()));
    }
    assert!(crate::shelf::manifests(&site).is_empty());
}
