//! The names of each field, their order, the forms of a value, and what becomes of unusable ones.

use std::time::Duration;

use pcapx_core::alert::Alert;
use pcapx_core::filter::{Mode, from_alert};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use serde_json::{Value, json};

/// 2025-07-02T10:00:00Z.
const NOW_SECS: i64 = 1_751_450_400;

fn warsaw() -> LocalZone {
    LocalZone::named("Europe/Warsaw").unwrap()
}

fn alert(json: &Value) -> Alert {
    Alert::from_json(json.as_object().unwrap(), Timestamp::from_secs(NOW_SECS), &warsaw())
}

fn filter(json: &Value) -> String {
    from_alert(&alert(json), Mode::Full).map_or_else(|| "NO BPF FILTER".to_owned(), |expr| expr.to_string())
}

/// An object with `value` under the dotted `name`, taken as a path.
fn nested(name: &str, value: &Value) -> Value {
    name.rsplit('.').fold(value.clone(), |inner, key| json!({ key: inner }))
}

/// Checks each name alone: as a key, as a path, within `result`; then that each beats all names behind it.
fn check_names(names: &[&str], value: impl Fn(usize) -> Value, read: impl Fn(&Value) -> String) {
    for (i, name) in names.iter().enumerate() {
        let expected = read(&json!({ names[0]: value(i) }));
        assert_eq!(read(&json!({ *name: value(i) })), expected, "{name}");
        assert_eq!(read(&nested(name, &value(i))), expected, "{name} as a path");
        assert_eq!(read(&json!({ "result": { *name: value(i) } })), expected, "result.{name}");
        assert_eq!(read(&json!({ "result": nested(name, &value(i)) })), expected, "result.{name} as a path");

        let behind: Vec<(String, Value)> =
            names.iter().enumerate().skip(i).rev().map(|(j, name)| ((*name).to_owned(), value(j))).collect();
        assert_eq!(
            read(&Value::Object(behind.into_iter().collect())),
            expected,
            "{name} among those behind it"
        );
        let below = json!({ "result": { names[0]: value(99) }, *name: value(i) });
        assert_eq!(read(&below), expected, "{name} before result");
    }
}

#[test]
fn names_of_the_client() {
    check_names(
        &[
            "clientIp",
            "srcIp",
            "src_ip",
            "sourceIp",
            "source",
            "_clientIp",
            "_joinClientIPs",
            "_firstClientIp",
            "id.orig_h",
            "source.ip",
            "client.ip",
            "source_ip",
            "src",
        ],
        |i| json!(format!("10.0.0.{i}")),
        filter,
    );
}

#[test]
fn names_of_the_server() {
    check_names(
        &[
            "serverIp",
            "dstIp",
            "dst_ip",
            "destIp",
            "destination",
            "_serverIp",
            "_joinServerIPs",
            "_firstServerIp",
            "dest_ip",
            "id.resp_h",
            "destination.ip",
            "server.ip",
            "destination_ip",
            "dst",
        ],
        |i| json!(format!("2001:db8::{i:x}")),
        filter,
    );
}

#[test]
fn names_of_the_port() {
    check_names(
        &[
            "serverPort",
            "dstPort",
            "dst_port",
            "destPort",
            "port",
            "_serverPort",
            "_joinServerPorts",
            "_firstServerPort",
            "dest_port",
            "id.resp_p",
            "destination.port",
            "server.port",
            "destination_port",
        ],
        |i| json!(1000 + i),
        filter,
    );
}

#[test]
fn names_of_the_protocol() {
    check_names(
        &[
            "protocolName",
            "protocol",
            "proto",
            "ipProtocol",
            "_protocol",
            "network.transport",
            "network.iana_number",
            "transport",
        ],
        |i| json!(["tcp", "udp", "icmp"][i % 3]),
        |json| format!("{:?}", alert(json).protocol),
    );
}

#[test]
fn names_of_the_time() {
    // As numbers, the original three come first; a text under `timestamp` is checked below.
    check_names(
        &[
            "unixTimestamp",
            "timestamp_unix",
            "time",
            "timestamp",
            "@timestamp",
            "ts",
            "lastTimestamp",
            "firstTimestamp",
        ],
        |i| json!(1_700_000_000 + i),
        |json| alert(json).time.to_string(),
    );
}

#[test]
fn a_time_in_its_original_form_comes_before_all_others() {
    let dotted = "14.11.24 08:05:30";
    for (json, secs) in [
        (json!({"timestamp": dotted}), 1_731_567_930),
        (json!({"timestamp": dotted, "unixTimestamp": 1_700_000_000}), 1_700_000_000),
        (json!({"timestamp": dotted, "unixTimestamp": 1_700_000_000_000_i64}), 1_700_000_000),
        (json!({"timestamp": dotted, "unixTimestamp": "1700000000"}), 1_731_567_930),
        (json!({"timestamp": dotted, "unixTimestamp": null, "time": 1_700_000_001}), 1_700_000_001),
        (json!({"timestamp": dotted, "unixTimestamp": 1e300}), 1_731_567_930),
        (json!({"timestamp": dotted, "@timestamp": "2026-03-01T09:11:12Z"}), 1_731_567_930),
        (json!({"timestamp": "", "unixTimestamp": "1700000000"}), 1_700_000_000),
        (json!({"timestamp": 1_700_000_000_000_i64}), 1_700_000_000),
        (json!({"timestamp": "2026-03-01T09:11:12Z"}), 1_772_356_272),
        (json!({"timestamp": "[(${timestamp})]"}), NOW_SECS),
        (json!({"timestamp": "yesterday"}), NOW_SECS),
        (json!({"time": true}), NOW_SECS),
        (json!({"unixTimestamp": 0}), 0),
        (json!({}), NOW_SECS),
    ] {
        assert_eq!(alert(&json).time.as_secs(), secs, "{json}");
    }
}

#[test]
fn a_value_in_an_original_form_comes_before_further_forms() {
    let one = json!({"clientIp": ["10.0.0.1"], "srcIp": "10.0.0.2"});
    assert_eq!(filter(&one), "host 10.0.0.2");
    let one = json!({"clientIp": {"ip": "10.0.0.1"}, "source": {"addressString": "10.0.0.2"}});
    assert_eq!(filter(&one), "host 10.0.0.2");
    assert_eq!(filter(&json!({"serverPort": [80], "destPort": "443"})), "port 443");
    assert_eq!(filter(&json!({"protocolName": 58, "proto": "TCP", "src_ip": "::1"})), "tcp and host ::1");
    assert_eq!(filter(&json!({"protocolName": "6", "proto": 17, "src_ip": "::1"})), "udp and host ::1");
}

#[test]
fn the_flow_gives_the_window_where_no_original_form_gives_the_time() {
    let (before, after) = (Duration::from_secs(60), Duration::from_secs(30));
    let (first, last) = (1_700_000_000_250_i64, 1_700_000_100_500_i64);
    for (json, start, end) in [
        (
            json!({"timestamp": 1_700_000_300_000_i64, "firstTimestamp": first, "lastTimestamp": last}),
            1_699_999_940_250,
            1_700_000_130_500,
        ),
        // Swapped times span the same flow.
        (json!({"firstTimestamp": last, "lastTimestamp": first}), 1_699_999_940_250, 1_700_000_130_500),
        (
            json!({"result": {"firstTimestamp": first.to_string(), "lastTimestamp": last.to_string()}}),
            1_699_999_940_250,
            1_700_000_130_500,
        ),
        // Half a flow is none.
        (
            json!({"timestamp": 1_700_000_300_000_i64, "firstTimestamp": first}),
            1_700_000_240_000,
            1_700_000_330_000,
        ),
        (
            json!({"timestamp": 1_700_000_300_000_i64, "firstTimestamp": 0, "lastTimestamp": last}),
            1_700_000_240_000,
            1_700_000_330_000,
        ),
        // Alerts of the original forms keep their window.
        (
            json!({"unixTimestamp": 1_700_000_300, "firstTimestamp": first, "lastTimestamp": last}),
            1_700_000_240_000,
            1_700_000_330_000,
        ),
    ] {
        let window = alert(&json).window(before, after);
        let millis = |at: Timestamp| at.as_nanos() / 1_000_000;
        assert_eq!((millis(window.start()), millis(window.end())), (start, end), "{json}");
    }
}

#[test]
fn an_alert_without_a_time_but_its_flows_is_named_after_the_flows_end() {
    let json = json!({"firstTimestamp": 1_700_000_000_250_i64, "lastTimestamp": 1_700_000_100_500_i64});
    assert_eq!(alert(&json).file_stem(&warsaw()), "20231114_231500_alert_1700000100");
}

#[test]
fn ids_become_file_names() {
    let long = "abcdefghij".repeat(10);
    let cut = format!("20231114_231320_{}", &long[..64]);
    for (json, stem) in [
        (json!({"id": "alert_12345"}), "20231114_231320_alert_12345"),
        (json!({"id": "a", "alertId": "b"}), "20231114_231320_a"),
        (json!({"alertId": "b"}), "20231114_231320_b"),
        (json!({"id": null, "alertId": "b"}), "20231114_231320_None"),
        (json!({}), "20231114_231320_alert_1700000000"),
        (json!({"result": {"id": "r"}}), "20231114_231320_r"),
        (json!({"id": ""}), "20231114_231320_alert"),
        (json!({"id": "null"}), "20231114_231320_null"),
        (json!({"id": 42}), "20231114_231320_42"),
        (json!({"id": -42}), "20231114_231320_-42"),
        (json!({"id": 1.0}), "20231114_231320_10"),
        (json!({"id": true}), "20231114_231320_True"),
        (json!({"id": [1, "a", null]}), "20231114_231320_1aNone"),
        (json!({"id": {"k": "v\n"}}), "20231114_231320_kvn"),
        (json!({"id": ["\u{e9}\u{200b}"]}), "20231114_231320_u200b"),
        (json!({"id": "zażółć-gęślą_jaźń"}), "20231114_231320_za-gl_ja"),
        (json!({"id": "警报"}), "20231114_231320_alert"),
        (json!({"id": "!!!"}), "20231114_231320_alert"),
        (json!({"id": "../../etc/passwd"}), "20231114_231320_etcpasswd"),
        (json!({"id": "a/b\\c\0d.pcap"}), "20231114_231320_abcdpcap"),
        (json!({"id": "-rf"}), "20231114_231320_-rf"),
        (json!({"id": long}), cut.as_str()),
        (json!({"id": format!("{}{long}", "/".repeat(70))}), cut.as_str()),
    ] {
        let mut json = json;
        json["unixTimestamp"] = json!(1_700_000_000);
        assert_eq!(alert(&json).file_stem(&warsaw()), stem, "{json}");
    }
}

#[test]
fn an_id_is_what_tells_an_alert_from_others() {
    for (id, is_identified) in [
        (json!("a"), true),
        (json!("None"), true),
        (json!("alert_1739100000"), true),
        (json!(0), true),
        (json!(false), true),
        (json!([]), true),
        (json!(null), false),
        (json!(""), false),
        (json!(" \t"), false),
    ] {
        let alert = alert(&json!({"id": id, "unixTimestamp": 1_739_100_000}));
        assert_eq!(alert.is_identified, is_identified, "{id}");
    }
    assert!(!alert(&json!({"unixTimestamp": 1_739_100_000})).is_identified);
}

#[test]
fn an_id_of_its_own_time_is_cut_towards_the_epoch() {
    assert_eq!(alert(&json!({"time": 1_700_000_000.999})).id, "alert_1700000000");
    assert_eq!(alert(&json!({"time": -1.5})).id, "alert_-1");
}

#[test]
fn names_of_the_alert() {
    for (json, name) in [
        (json!({"name": "a", "alertName": "b"}), "a"),
        (json!({"alertName": "b", "note": "c"}), "b"),
        (json!({"name": null, "alertName": "b"}), "None"),
        (json!({"name": 7}), "7"),
        (json!({"alert": {"signature": "s"}, "rule.name": "r"}), "s"),
        (json!({"alert": {"signature": ""}, "rule": {"name": "r"}}), "r"),
        (json!({"note": "n"}), "n"),
        (json!({"note": 7}), "Unknown"),
        (json!({"result": {"alertName": "b"}}), "b"),
        (json!({}), "Unknown"),
    ] {
        assert_eq!(alert(&json).name, name, "{json}");
    }
}

#[test]
fn an_unusable_value_is_refused_and_the_next_name_tried() {
    let json = json!({
        "clientIp": "1.1.1.1 or net 0.0.0.0/0",
        "srcIp": "10.0.0.1",
        "serverIp": "-w/tmp/x",
        "serverPort": "70000",
        "destPort": 8080,
        "protocol": "$(id)",
        "unixTimestamp": "soon",
        "timestamp": "45.13.24 00:00:00",
    });
    let read = alert(&json);
    assert_eq!(from_alert(&read, Mode::Full).unwrap().to_string(), "host 10.0.0.1 and port 8080");
    let told: Vec<String> = read.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            r#"clientIp: "1.1.1.1 or net 0.0.0.0/0" is not an IP address"#,
            r#"serverIp: "-w/tmp/x" is not an IP address"#,
            r#"serverPort: "70000" is not a port from 1 to 65535"#,
            r#"protocol: "$(id)" is not a protocol"#,
            r#"unixTimestamp: "soon" is not a time from 1678 to 2261"#,
            r#"timestamp: "45.13.24 00:00:00" is not a time from 1678 to 2261"#,
        ]
    );
}

#[test]
fn a_missing_value_is_not_refused() {
    for missing in
        [json!(null), json!(""), json!(" "), json!("null"), json!("[(${result.value})]"), json!([])]
    {
        let mut fields = serde_json::Map::new();
        for name in ["clientIp", "serverIp", "serverPort", "protocolName", "unixTimestamp"] {
            fields.insert(name.to_owned(), missing.clone());
        }
        let is_list = missing.is_array();
        let read = alert(&Value::Object(fields));
        assert_eq!(from_alert(&read, Mode::Full), None, "{missing}");
        // A list is no time; nothing else of them is anything at all.
        assert_eq!(read.refusals.len(), usize::from(is_list), "{missing}: {:?}", read.refusals);
    }
}

#[test]
fn a_list_of_hundreds_is_cut_and_said_to_be() {
    let many: Vec<String> = (0..300).map(|i| format!("10.0.{}.{}", i / 256, i % 256)).collect();
    let read = alert(&json!({"clientIp": many.join(", "), "serverPort": (1..=65).collect::<Vec<u16>>()}));
    assert_eq!((read.client.len(), read.ports.len()), (64, 64));
    let told: Vec<String> = read.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "clientIp: the list is too long, at most 64 of its entries are used",
            "serverPort: the list is too long, at most 64 of its entries are used",
        ]
    );
}
