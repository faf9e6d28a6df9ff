//! Whatever a sender writes: nothing panics, and the filter is made of a filter's characters only.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use pcapx_core::alert::Alert;
use pcapx_core::filter::{Mode, from_alert};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};

const NAMES: &[&str] = &[
    "clientIp",
    "srcIp",
    "source",
    "source.ip",
    "_clientIp",
    "_joinClientIPs",
    "id.orig_h",
    "serverIp",
    "destination",
    "dest_ip",
    "_joinServerIPs",
    "serverPort",
    "port",
    "destination.port",
    "_joinServerPorts",
    "protocolName",
    "protocol",
    "network",
    "unixTimestamp",
    "timestamp",
    "@timestamp",
    "ts",
    "firstTimestamp",
    "lastTimestamp",
    "id",
    "name",
    "result",
    "ip",
    "addressString",
    "transport",
    "alert",
    "signature",
];

/// Texts near to what the fields expect, and any other.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(|addr| addr.to_string()),
        (any::<std::net::Ipv6Addr>(), "%?[a-z0-9 ]{0,6}(/[0-9]{1,3})?")
            .prop_map(|(addr, tail)| format!("{addr}{tail}")),
        vec(any::<std::net::IpAddr>(), 0..100).prop_map(|list| format!("{list:?}")),
        any::<u16>().prop_map(|port| port.to_string()),
        select(vec!["tcp", "UDP", "icmp", "ICMPv6", "sctp", "6", "58", "TLS", "null", "", "[(${x})]"])
            .prop_map(String::from),
        "[-+]?[0-9]{1,40}(\\.[0-9]{0,40})?([eE][-+]?[0-9]{1,12})?",
        "[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}[Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}([.,][0-9]{0,30})?(Z|[+-][0-9:]{1,6})?",
        "[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}",
        "[\\[\\]{}\"',:./% ()a-f0-9]{0,40}",
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u16>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][-+]?[0-9]{1,12})?"
            .prop_map(|number| serde_json::from_str(&number).unwrap()),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![vec(inner.clone(), 0..8).prop_map(Value::from), object(inner).prop_map(Value::Object)]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![9 => select(NAMES).prop_map(String::from), 1 => any::<String>()];
    vec((name, inner), 0..12).prop_map(|members| members.into_iter().collect())
}

fn filters(json: &Map<String, Value>) -> Vec<String> {
    let warsaw = LocalZone::named("Europe/Warsaw").unwrap();
    let alert = Alert::from_json(json, Timestamp::from_secs(1_751_450_400), &warsaw);
    let stem = alert.file_stem(&warsaw);
    assert!(stem.len() <= 4 + 2 + 2 + 1 + 6 + 1 + 64, "{stem}");
    assert!(stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{stem}");
    assert!(!stem.ends_with('_') || alert.id.contains('_'), "{stem}");
    let window = alert.window(Duration::from_secs(360), Duration::from_secs(86_400));
    assert!(window.start() <= window.end());
    for refusal in &alert.refusals {
        let line = refusal.to_string();
        assert!(line.len() < 800 && line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    }
    assert!(alert.client.len() <= 64 && alert.server.len() <= 64 && alert.ports.len() <= 64);
    Mode::ALL.into_iter().filter_map(|mode| from_alert(&alert, mode)).map(|expr| expr.to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_object_is_an_alert(json in object(value())) {
        for filter in filters(&json) {
            prop_assert!(
                filter.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b':' | b'/' | b'(' | b')' | b' ')),
                "{filter:?}",
            );
        }
    }
}

/// tcpdump's verdict on the syntax; without optimising, because a filter that no packet can meet is still well formed.
fn tcpdump_reads(filter: &str) -> bool {
    let run = Command::new("tcpdump").args(["-O", "-y", "EN10MB", "-d", filter]).output().unwrap();
    run.status.success()
}

#[test]
fn tcpdump_reads_every_filter() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        // The harness would keep what the print macros write to itself.
        let why = "alerts' filters are not read by tcpdump, which is not installed";
        let _ = writeln!(std::io::stderr().lock(), "SKIPPED: {why}");
        return;
    }
    assert!(tcpdump_reads("tcp and host 10.0.0.10 and port 443"));
    assert!(!tcpdump_reads("tcp and host 10.0.0.10 and and port 443"));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(150));
    runner
        .run(&object(value()), |json| {
            for filter in filters(&json) {
                prop_assert!(tcpdump_reads(&filter), "{filter}");
            }
            Ok(())
        })
        .unwrap();
}
