//! `/metrics` and `/readyz` of the listener.

use std::fs;
use std::path::{Path, PathBuf};

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp};
use pcapx_testkit::process::{Connection, PATIENCE, Service, Site, poll};
use pcapx_testkit::prometheus::{check_metrics, sample_names};
use pcapx_testkit::tool;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::{ALERT, ALERT_FILE, listener, post, request};

fn get(service: &Service, target: &str) -> (u16, String) {
    let reply = Connection::open(service.address()).exchange(&request(&format!("GET {target}"), &[], b""));
    (reply.status, reply.text())
}

/// Writes the status of a recorder that is at work, with some figures.
fn record(site: &Site, running: bool) {
    let now = Timestamp::now().as_nanos();
    let status = json!({
        "program": "pcapx-recorder 0.1.0", "process": 1, "started_at_ns": now - 9_000_000_000_i64,
        "written_at_ns": now, "running": running, "searchable_up_to_ns": now - 500_000_000,
        "oldest_kept_ns": now - 3_600_000_000_000_i64, "packets_received": 1000, "kernel_drops": 7,
    });
    fs::write(site.timeline_dir().join(".pcapx-recorder.json"), status.to_string()).unwrap();
}

#[test]
fn metrics_are_a_path_like_any_other_until_they_are_switched_on() {
    let service = listener(&Site::new());
    let (status, text) = get(&service, "/metrics");
    assert!(status == 200 && text.starts_with("{\n  \"status\": \"ok\""), "{text}");
}

#[test]
fn jobs_are_counted_by_outcome() {
    let mut fake = Fake::new("[ \"$(cat \"$site/way\")\" = good ] && echo packets > \"$output\"");
    fake.site.set("metrics", "open");
    let service = fake.listener();
    for (way, alert) in [("good", ALERT.to_owned()), ("bad", ALERT.replace("alert_12345", "other"))] {
        fs::write(fake.path("way"), way).unwrap();
        assert_eq!(post(service.address(), "/", &alert).status, 200);
    }
    let page = get(&service, "/metrics").1;
    for line in [
        "pcapx_jobs_ended_total{outcome=\"complete\"} 1",
        "pcapx_jobs_ended_total{outcome=\"failed\"} 1",
        "pcapx_jobs_ended_total{outcome=\"no-match\"} 0",
        "pcapx_job_bytes_total 8",
        "pcapx_job_read_bytes_total 0",
        "pcapx_job_stage_seconds_count{stage=\"search\"} 2",
        "pcapx_jobs_running 0.0",
        "pcapx_job_seats 1.0",
        "pcapx_build_info{service=\"pcapx-listener\",version=\"0.1.0\"} 1",
    ] {
        assert!(page.lines().any(|told| told == line), "{line}\n{page}");
    }
    assert!(!page.contains("pcapx_recorder_"), "there is no recorder of ours");
    record(&fake.site, true);
    let page = get(&service, "/metrics").1;
    for line in [
        "pcapx_recorder_up 1.0",
        "pcapx_recorder_received_packets_total 1000",
        "pcapx_recorder_kernel_drops_total 7",
    ] {
        assert!(page.lines().any(|told| told == line), "{line}\n{page}");
    }
    check_metrics(service.address(), &[]);
    let horizon = page.lines().find_map(|line| line.strip_prefix("pcapx_timeline_horizon_seconds "));
    let horizon: f64 = horizon.unwrap_or_else(|| panic!("{page}")).parse().unwrap();
    assert!((3600.0..3700.0).contains(&horizon), "{horizon}");
}

#[test]
fn what_was_read_and_what_matched_is_counted() {
    let mut site = Site::new();
    site.set("metrics", "open").set("background_indexing", false);
    let to = |port| {
        Ethernet::new().carry(&Ipv4::new([10, 0, 0, 10], [10, 0, 0, 20]).carry(&Tcp::new(40_000, port)))
    };
    let packets: Vec<_> = (0..10_u16)
        .map(|number| {
            Packet::new(Timestamp::from_secs(1_739_100_000 + i64::from(number)), to(443 + number % 2))
        })
        .collect();
    let file = site.timeline_dir().join("a.pcap");
    Pcap::new().write(&file, &packets);
    let service = listener(&site);
    assert_eq!(post(service.address(), "/", ALERT).status, 200);
    let answer = fs::metadata(site.output_dir().join(ALERT_FILE)).unwrap().len();
    let page = get(&service, "/metrics").1;
    for (name, value) in [
        ("pcapx_job_scanned_packets_total", 10),
        ("pcapx_job_read_bytes_total", fs::metadata(file).unwrap().len()),
        ("pcapx_job_packets_total", 5),
        ("pcapx_job_bytes_total", answer),
    ] {
        assert!(page.contains(&format!("\n{name} {value}\n")), "{name} {value}\n{page}");
    }
}

#[test]
fn ready_means_timeline_output_and_recorder() {
    let site = Site::new();
    let service = listener(&site);
    let wait_for = |told: (u16, &str)| {
        let seen = poll(PATIENCE, || (get(&service, "/readyz") == (told.0, told.1.to_owned())).then_some(()));
        assert!(seen.is_some(), "{told:?}, not {:?}", get(&service, "/readyz"));
    };
    wait_for((200, "timeline: ok\noutput: ok\nrecorder: ok\nready\n"));
    record(&site, true);
    wait_for((200, "timeline: ok\noutput: ok\nrecorder: ok\nready\n"));
    record(&site, false);
    wait_for((503, "timeline: ok\noutput: ok\nrecorder: failed\nnot ready\n"));
    fs::rename(site.timeline_dir(), site.path().join("moved")).unwrap();
    wait_for((503, "timeline: failed\noutput: ok\nrecorder: ok\nnot ready\n"));
    fs::rename(site.path().join("moved"), site.timeline_dir()).unwrap();
    fs::remove_file(site.timeline_dir().join(".pcapx-recorder.json")).unwrap();
    fs::remove_dir_all(site.output_dir()).unwrap();
    wait_for((503, "timeline: ok\noutput: failed\nrecorder: ok\nnot ready\n"));
    assert_eq!(get(&service, "/healthz"), (200, "ok".to_owned()));
}

/// Who is told that the service is ready may expect an answer with packets.
#[test]
fn without_the_room_that_has_to_be_free_it_is_not_ready() {
    let mut site = Site::new();
    site.set("min_free_bytes", 1_u64 << 60);
    let service = listener(&site);
    assert_eq!(
        get(&service, "/readyz"),
        (503, "timeline: ok\noutput: failed\nrecorder: ok\nnot ready\n".to_owned())
    );
    service.wait_for_log(|line| line.contains("not ready: output: less than min_free_bytes is free for "));
}

/// `deploy/monitoring`.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring").join(name)
}

/// All expressions of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(expression)) = object.get("expr") {
                found.push(expression.clone());
            }
            object.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn rules_and_dashboard_name_series_that_are_there() {
    let mut site = Site::new();
    site.set("metrics", "open").set("extractor", "builtin");
    record(&site, true);
    let service = listener(&site);
    assert_eq!(post(service.address(), "/", ALERT).status, 200);
    // The first look at the timeline finds nothing to index and says so with a zero.
    let page = get(&service, "/metrics").1;
    let series = sample_names(&page);
    let dashboard = fs::read_to_string(shipped("grafana-dashboard.json")).unwrap();
    let rules = fs::read_to_string(shipped("pcapx.rules.yml")).unwrap();
    let mut texts = vec![rules, fs::read_to_string(shipped("pcapx.rules.test.yml")).unwrap()];
    expressions(&serde_json::from_str(&dashboard).unwrap(), &mut texts);
    assert!(texts.len() > 20);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut checked = 0;
    for text in &texts {
        // Files and programs have a dot or a dash behind their first word.
        for (at, _) in text.match_indices("pcapx_").chain(text.match_indices("process_")) {
            let name = text[at..].split(|c| !is_name(c)).next().unwrap();
            assert!(series.contains(name), "{name} in {text:.200}\n{page}");
            checked += 1;
        }
    }
    assert!(checked > 70, "{checked}");
}

#[test]
fn promtool_takes_rules_and_expressions() {
    let Some(promtool) = tool::require("promtool") else { return };
    let run = |args: &[&str]| {
        let output = promtool.command().args(args).current_dir(shipped("")).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["check", "rules", "pcapx.rules.yml"]);
    run(&["test", "rules", "pcapx.rules.test.yml"]);
    // The dashboard's expressions as rules.
    let mut found = Vec::new();
    let dashboard = fs::read_to_string(shipped("grafana-dashboard.json")).unwrap();
    expressions(&serde_json::from_str(&dashboard).unwrap(), &mut found);
    let site = Site::new();
    let rules: Vec<Value> = found
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            let expression = expression.replace("$__rate_interval", "5m");
            json!({ "record": format!("panel:number:{number}"), "expr": expression })
        })
        .collect();
    let path = site.path().join("panels.yml");
    // JSON is YAML.
    fs::write(&path, json!({ "groups": [{ "name": "panels", "rules": rules }] }).to_string()).unwrap();
    run(&["check", "rules", path.to_str().unwrap()]);
}
