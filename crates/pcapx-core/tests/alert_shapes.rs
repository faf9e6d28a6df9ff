//! Every shape of an alert in `alerts/`, with the filter, the window and the file name it must give.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pcapx_core::alert::Alert;
use pcapx_core::filter::{Mode, from_alert};
use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use serde_json::{Map, Value};

/// 2025-07-02T10:00:00Z, when all of them arrive.
const NOW_SECS: i64 = 1_751_450_400;
const BEFORE: Duration = Duration::from_secs(360);
const AFTER: Duration = Duration::from_secs(60);

struct Expected {
    shape: &'static str,
    name: &'static str,
    filter: &'static str,
    window: &'static str,
    stem: &'static str,
}

const SHAPES: &[Expected] = &[
    Expected {
        shape: "sycope-readme.json",
        name: "Unusual upload",
        filter: "tcp and host 10.20.0.17 and host 198.51.100.23 and port 8443",
        window: "2025-07-01T11:34:00.000000000Z..2025-07-01T11:41:00.000000000Z",
        stem: "20250701_134000_case_00417",
    },
    Expected {
        shape: "sycope-default-webhook.json",
        name: "Password Guessing",
        filter: "host 192.168.40.12 and host 192.168.50.3",
        window: "2024-11-14T06:59:30.000000000Z..2024-11-14T07:06:30.000000000Z",
        stem: "20241114_080530_70f1a2b3-11c2d3e4-55a6b7c8",
    },
    Expected {
        shape: "sycope-alert-row.json",
        name: "Password Guessing",
        filter: "host 192.168.40.12 and host 192.168.50.3 and port 22",
        window: "2024-11-14T07:00:30.000000000Z..2024-11-14T07:07:30.000000000Z",
        stem: "20241114_080630_70f1a2b3-22d3e4f5-66b7c8d9",
    },
    Expected {
        shape: "sycope-aggregation-row.json",
        name: "Unknown",
        filter: "host 192.168.40.77 and host 203.0.113.80 and port 993",
        window: "2025-07-02T09:54:00.000000000Z..2025-07-02T10:01:00.000000000Z",
        stem: "20250702_120000_alert_1751450400",
    },
    Expected {
        shape: "sycope-netflow-row.json",
        name: "Unknown",
        filter: "udp and host 192.168.40.12 and host 203.0.113.80 and port 53",
        window: "2024-11-14T06:55:40.250000000Z..2024-11-14T07:02:43.000000000Z",
        stem: "20241114_080700_alert_1731568020",
    },
    Expected {
        shape: "sycope-custom-template-text.json",
        name: "Beacon",
        filter: "host 192.168.40.12 and port 8080",
        window: "2024-11-14T06:59:30.000000000Z..2024-11-14T07:06:30.000000000Z",
        stem: "20241114_080530_t-77",
    },
    Expected {
        shape: "sycope-template-result.json",
        name: "",
        filter: "tcp and host fe80::12 and host 203.0.113.80 and port 443",
        window: "2024-11-14T07:01:00.000000000Z..2024-11-14T07:08:00.000000000Z",
        stem: "20241114_080700_t-78",
    },
    Expected {
        shape: "sycope-joined-hosts.json",
        name: "Port Sweep",
        filter: "(host 192.168.40.12 or host 192.168.40.13) and (host 192.168.50.3 or host 2001:db8::50) \
                 and (port 445 or port 5900)",
        window: "2024-11-14T06:59:30.000000000Z..2024-11-14T07:06:30.000000000Z",
        stem: "20241114_080530_sweep-5",
    },
    Expected {
        shape: "sycope-passthrough-no-time.json",
        name: "Unknown",
        filter: "udp and host 172.20.1.2 and host 172.20.1.3 and port 8080",
        window: "2025-07-02T09:54:00.000000000Z..2025-07-02T10:01:00.000000000Z",
        stem: "20250702_120000_alert_1751450400",
    },
    Expected {
        shape: "suricata-eve.json",
        name: "LOCAL suspicious agent",
        filter: "tcp and host 10.9.8.7 and host 192.0.2.44 and port 8000",
        window: "2025-07-01T12:14:30.654321000Z..2025-07-01T12:21:30.654321000Z",
        stem: "20250701_142030_alert_1751372430",
    },
    Expected {
        shape: "zeek-notice.json",
        name: "Scan::Address_Scan",
        filter: "udp and host 2001:db8:1::7 and host 2001:db8:2::44 and port 123",
        window: "2025-07-01T12:14:30.654321000Z..2025-07-01T12:21:30.654321000Z",
        stem: "20250701_142030_alert_1751372430",
    },
    Expected {
        shape: "ecs-nested.json",
        name: "Odd transport",
        filter: "sctp and host 10.9.8.7 and (host 192.0.2.44 or host 2001:db8::44)",
        window: "2025-07-01T12:14:30.654321987Z..2025-07-01T12:21:30.654321987Z",
        stem: "20250701_142030_alert_1751372430",
    },
    Expected {
        shape: "ecs-dotted.json",
        name: "Echo tunnel",
        filter: "icmp6 and host 2001:db8:1::7 and host 2001:db8:2::44",
        window: "2025-07-01T12:14:30.000000000Z..2025-07-01T12:21:30.000000000Z",
        stem: "20250701_142030_alert_1751372430",
    },
];

#[test]
fn every_shape_gives_its_filter_window_and_file_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts");
    let warsaw = LocalZone::named("Europe/Warsaw").unwrap();
    for expected in SHAPES {
        let text = fs::read_to_string(folder.join(expected.shape)).unwrap();
        let json: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let alert = Alert::from_json(&json, Timestamp::from_secs(NOW_SECS), &warsaw);
        let shape = expected.shape;
        assert_eq!(alert.refusals, [], "{shape}");
        assert_eq!(from_alert(&alert, Mode::Full).unwrap().to_string(), expected.filter, "{shape}");
        assert_eq!(alert.window(BEFORE, AFTER).to_string(), expected.window, "{shape}");
        assert_eq!(alert.file_stem(&warsaw), expected.stem, "{shape}");
        assert_eq!(alert.name, expected.name, "{shape}");
    }
}

#[test]
fn every_file_has_its_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts");
    let mut files: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let mut rows: Vec<String> = SHAPES.iter().map(|row| row.shape.to_owned()).collect();
    files.sort();
    rows.sort();
    assert_eq!(files, rows);
}
