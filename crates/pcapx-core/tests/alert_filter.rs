//! The filter text of each mode, and that no text of an alert gets into it.

use std::net::IpAddr;

use pcapx_core::alert::Alert;
use pcapx_core::filter::{Mode, from_alert};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use serde_json::{Value, json};

const NO_FILTER: &str = "NO BPF FILTER";

fn told(alert: &Alert, mode: Mode) -> String {
    from_alert(alert, mode).map_or_else(|| NO_FILTER.to_owned(), |expr| expr.to_string())
}

fn read(json: &Value) -> Alert {
    let utc = LocalZone::named("UTC").unwrap();
    Alert::from_json(json.as_object().unwrap(), Timestamp::from_secs(0), &utc)
}

fn full(json: &Value) -> String {
    told(&read(json), Mode::Full)
}

#[test]
fn every_mode_with_every_protocol() {
    // Rows: the protocol. Columns: full, hosts, client, server, port.
    for (protocol, expected) in [
        (
            json!("tcp"),
            [
                "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443",
                "tcp and host 10.0.0.10 and host 10.0.0.20",
                "tcp and host 10.0.0.10",
                "tcp and host 10.0.0.20",
                "tcp and host 10.0.0.20 and port 443",
            ],
        ),
        (
            json!(17),
            [
                "udp and host 10.0.0.10 and host 10.0.0.20 and port 443",
                "udp and host 10.0.0.10 and host 10.0.0.20",
                "udp and host 10.0.0.10",
                "udp and host 10.0.0.20",
                "udp and host 10.0.0.20 and port 443",
            ],
        ),
        // With a port it is not ICMP, whatever the alert says; and a port of ICMP is none.
        (
            json!("ICMP"),
            [
                "host 10.0.0.10 and host 10.0.0.20",
                "host 10.0.0.10 and host 10.0.0.20",
                "host 10.0.0.10",
                "host 10.0.0.20",
                "host 10.0.0.20",
            ],
        ),
        (
            json!(58),
            [
                "host 10.0.0.10 and host 10.0.0.20",
                "host 10.0.0.10 and host 10.0.0.20",
                "host 10.0.0.10",
                "host 10.0.0.20",
                "host 10.0.0.20",
            ],
        ),
        (
            json!("sctp"),
            [
                "sctp and host 10.0.0.10 and host 10.0.0.20",
                "sctp and host 10.0.0.10 and host 10.0.0.20",
                "sctp and host 10.0.0.10",
                "sctp and host 10.0.0.20",
                "sctp and host 10.0.0.20",
            ],
        ),
        (
            json!("TLS"),
            [
                "host 10.0.0.10 and host 10.0.0.20 and port 443",
                "host 10.0.0.10 and host 10.0.0.20",
                "host 10.0.0.10",
                "host 10.0.0.20",
                "host 10.0.0.20 and port 443",
            ],
        ),
    ] {
        let alert = read(&json!({
            "clientIp": "10.0.0.10", "serverIp": "10.0.0.20", "serverPort": 443, "protocol": protocol,
        }));
        for (mode, expected) in Mode::ALL.into_iter().zip(expected) {
            assert_eq!(told(&alert, mode), expected, "{protocol} {mode}");
        }
    }
}

#[test]
fn what_is_not_known_is_left_out() {
    // Columns: full, hosts, client, server, port.
    for (json, expected) in [
        (json!({}), [NO_FILTER; 5]),
        (json!({"protocol": "tcp"}), [NO_FILTER; 5]),
        (json!({"protocol": "icmp"}), [NO_FILTER; 5]),
        (json!({"protocol": "icmp", "serverPort": 8}), [NO_FILTER; 5]),
        (json!({"protocol": "sctp", "serverPort": 8}), [NO_FILTER; 5]),
        (json!({"serverPort": 443}), ["port 443", NO_FILTER, NO_FILTER, NO_FILTER, "port 443"]),
        (
            json!({"serverPort": 53, "proto": "udp"}),
            ["udp and port 53", NO_FILTER, NO_FILTER, NO_FILTER, "udp and port 53"],
        ),
        (
            json!({"serverPort": 53, "proto": "udp", "dst_ip": "10.0.0.20"}),
            [
                "udp and host 10.0.0.20 and port 53",
                "udp and host 10.0.0.20",
                NO_FILTER,
                "udp and host 10.0.0.20",
                "udp and host 10.0.0.20 and port 53",
            ],
        ),
        (
            json!({"clientIp": "2001:db8::5"}),
            ["host 2001:db8::5", "host 2001:db8::5", "host 2001:db8::5", NO_FILTER, NO_FILTER],
        ),
    ] {
        let alert = read(&json);
        for (mode, expected) in Mode::ALL.into_iter().zip(expected) {
            assert_eq!(told(&alert, mode), expected, "{json} {mode}");
        }
    }
}

#[test]
fn icmp_follows_the_addresses() {
    for (json, expected) in [
        (json!({"proto": "icmp", "src_ip": "10.0.0.1"}), "icmp and host 10.0.0.1"),
        (json!({"proto": "icmp", "src_ip": "2001:db8::1"}), "icmp6 and host 2001:db8::1"),
        (json!({"proto": "icmpv6", "src_ip": "2001:db8::1"}), "icmp6 and host 2001:db8::1"),
        (json!({"proto": 58, "src_ip": "2001:db8::1"}), "icmp6 and host 2001:db8::1"),
        (
            json!({"proto": 1, "src_ip": ["10.0.0.1", "2001:db8::1"]}),
            "(icmp or icmp6) and (host 10.0.0.1 or host 2001:db8::1)",
        ),
        (
            json!({"proto": 1, "src_ip": "10.0.0.1", "dst_ip": "2001:db8::1"}),
            "(icmp or icmp6) and host 10.0.0.1 and host 2001:db8::1",
        ),
        (json!({"proto": 1, "src_ip": "::ffff:10.0.0.1"}), "icmp and host 10.0.0.1"),
        (json!({"proto": 1, "src_ip": "10.0.0.1", "dst_port": 0}), "icmp and host 10.0.0.1"),
    ] {
        assert_eq!(full(&json), expected, "{json}");
    }
    // Only the addresses that the mode names decide.
    let mixed = read(&json!({"proto": 1, "src_ip": "10.0.0.1", "dst_ip": "2001:db8::1"}));
    assert_eq!(told(&mixed, Mode::Client), "icmp and host 10.0.0.1");
    assert_eq!(told(&mixed, Mode::Server), "icmp6 and host 2001:db8::1");
}

#[test]
fn lists_are_alternatives() {
    for (json, expected) in [
        (
            json!({"clientIp": "[10.0.0.1, 10.0.0.2]", "serverPort": "22,3389"}),
            "(host 10.0.0.1 or host 10.0.0.2) and (port 22 or port 3389)",
        ),
        (json!({"clientIp": ["10.0.0.1", "10.0.0.2"]}), "host 10.0.0.1 or host 10.0.0.2"),
        (
            json!({"serverIp": ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1/32"], "proto": "tcp"}),
            "tcp and host 10.0.0.1",
        ),
        (
            json!({"clientIp": [{"addressString": "10.0.0.1"}, {"ip": "10.0.0.2"}], "proto": "tcp"}),
            "tcp and (host 10.0.0.1 or host 10.0.0.2)",
        ),
    ] {
        assert_eq!(full(&json), expected, "{json}");
    }
}

const ATTACKS: &[&str] = &[
    "1.1.1.1 or net 0.0.0.0/0",
    "1.1.1.1)or(net 0.0.0.0/0",
    "1.1.1.1\nor net 0.0.0.0/0",
    "10.0.0.0/0",
    "0/0",
    "-w/tmp/x",
    "--help",
    "$(id)",
    "`id`",
    "; id",
    "443 or port 22",
    "host",
    "not",
    "\u{0}",
    "127.1",
    "localhost",
    "1.1.1.1%or",
    "fe80::1% or net ::/0",
    "１.１.１.１",
    "[(${payload})",
    "{}",
];

#[test]
fn an_attack_alone_makes_no_filter() {
    for attack in ATTACKS {
        let forms = [
            json!(attack),
            json!([attack]),
            json!({"addressString": attack}),
            json!({"ip": [attack]}),
            json!(format!("[{attack}]")),
            json!({"port": attack}),
        ];
        for value in forms {
            for names in [
                ["clientIp", "serverIp", "serverPort", "protocolName"],
                ["source.ip", "destination.ip", "destination.port", "network.transport"],
            ] {
                let alert: serde_json::Map<String, Value> =
                    names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
                let top = Value::Object(alert);
                for json in [json!({ "result": top.clone() }), top] {
                    for mode in Mode::ALL {
                        assert_eq!(told(&read(&json), mode), NO_FILTER, "{json} {mode}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_attack_beside_good_values_leaves_those() {
    for attack in ATTACKS {
        let json = json!({
            "clientIp": attack, "serverIp": "10.0.0.20", "serverPort": 443, "protocol": attack, "time": attack,
        });
        let alert = read(&json);
        assert_eq!(told(&alert, Mode::Full), "host 10.0.0.20 and port 443", "{attack:?}");
        assert!(alert.refusals.iter().any(|refusal| refusal.field == "clientIp"), "{attack:?}");
        for refusal in &alert.refusals {
            let line = refusal.to_string();
            assert!(line.is_ascii() && !line.contains(|c: char| c.is_ascii_control()), "{line:?}");
        }

        let list = read(&json!({"clientIp": ["10.0.0.10", attack], "serverPort": [attack, 22]}));
        assert_eq!(told(&list, Mode::Full), "host 10.0.0.10 and port 22", "{attack:?}");
        assert_eq!(list.refusals.len(), 2, "{attack:?}");
    }
}

#[test]
fn the_unspecified_address_is_an_address() {
    assert_eq!(full(&json!({"clientIp": "0.0.0.0", "proto": "udp"})), "udp and host 0.0.0.0");
    assert_eq!(read(&json!({"clientIp": "::"})).client, ["::".parse::<IpAddr>().unwrap()]);
}
