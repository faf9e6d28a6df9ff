//! `/metrics` and `/readyz`.

use std::collections::HashMap;
use std::fs;

use pcapx_testkit::process::{PATIENCE, Reply, Service, Site, basic, poll, request};
use pcapx_testkit::prometheus::{Prometheus, check_metrics};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");

fn start(settings: &[(&str, Value)]) -> (Site, Service) {
    let mut site = Site::new();
    fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    for (key, value) in settings {
        site.set(key, value.clone());
    }
    let service = Service::start(BINARY, &site);
    (site, service)
}

fn get(service: &Service, target: &str, headers: &[(&str, &str)]) -> Reply {
    request(service.address(), "GET", target, headers, b"")
}

/// The samples of a page, by name and labels.
fn samples(page: &str) -> HashMap<String, String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[test]
fn who_may_read_metrics() {
    let right = basic(b"u:p");
    let right = [("Authorization", right.as_str()), ("X-Forwarded-For", "192.0.2.1")];
    let (nothing, other) = (&right[1..], [right[0], ("X-Forwarded-For", "192.0.2.2")]);
    for (access, allowed, without, with, elsewhere) in [
        ("off", vec![], 401, 404, 404),
        ("open", vec![], 200, 200, 200),
        ("auth", vec![], 401, 200, 200),
        ("open", vec!["192.0.2.1"], 200, 200, 403),
        ("auth", vec!["192.0.2.1"], 401, 200, 403),
    ] {
        let (_site, service) = start(&[
            ("metrics", access.into()),
            ("metrics_allowed_ips", allowed.into()),
            ("trusted_proxies", vec!["127.0.0.1"].into()),
            ("fileserver_auth_user", "u".into()),
            ("fileserver_auth_pass", "p".into()),
        ]);
        for (headers, status) in [(nothing, without), (&right[..], with), (&other[..], elsewhere)] {
            assert_eq!(get(&service, "/metrics", headers).status, status, "{access} {headers:?}");
        }
    }
}

#[test]
fn the_figures_are_those_of_a_known_run() {
    let (_site, service) = start(&[
        ("metrics", "open".into()),
        ("fileserver_auth_user", "u".into()),
        ("fileserver_auth_pass", "p".into()),
    ]);
    let (right, wrong) = (basic(b"u:p"), basic(b"u:x"));
    for (target, authorization, status) in [
        ("/a.pcap", &right, 200),
        ("/a.pcap", &right, 200),
        ("/missing", &right, 404),
        ("/a.pcap", &wrong, 401),
        ("/healthz", &wrong, 200),
    ] {
        assert_eq!(get(&service, target, &[("Authorization", authorization)]).status, status);
    }
    assert_eq!(get(&service, "/a.pcap", &[]).status, 401);
    // An answer is counted when it has been handed over: what the client has read of it may be ahead of that.
    for _ in 0..6 {
        service.wait_for_log(|line| line.contains("request id="));
    }
    let counted = || {
        let reply = get(&service, "/metrics", &[]);
        let samples = samples(&reply.text());
        let requests = |status: &str| -> Option<String> {
            let name =
                format!("pcapx_http_requests_total{{method=\"GET\",status=\"{status}\",end=\"complete\"}}");
            samples.get(&name).cloned()
        };
        let all = [requests("200"), requests("404"), requests("401")];
        (all == ["3", "1", "2"].map(|count| Some(count.to_owned()))).then_some(samples)
    };
    let samples = poll(PATIENCE, counted);
    // Each look counts itself, so the sum is reached once or not at all.
    let samples = samples.unwrap_or_else(|| panic!("{}", get(&service, "/metrics", &[]).text()));
    assert_eq!(samples["pcapx_http_denied_total{reason=\"wrong_credentials\"}"], "1");
    assert_eq!(samples["pcapx_http_denied_total{reason=\"no_credentials\"}"], "1");
    assert_eq!(samples["pcapx_http_denied_total{reason=\"throttled\"}"], "0");
    // "packets" twice, "Not Found", "Unauthorized" twice, "ok".
    assert_eq!(samples["pcapx_http_sent_body_bytes_total"], (7 * 2 + 9 + 12 * 2 + 2).to_string());
    assert_eq!(samples["pcapx_http_connections_accepted_total"], "7");
    assert_eq!(samples["pcapx_http_request_seconds_count"], "6");
    assert_eq!(samples["pcapx_config_reloads_total{end=\"done\"}"], "0");
    let number = |name: &str| samples[name].parse::<f64>().unwrap();
    assert!(number("process_resident_memory_bytes") > 1e5 && number("process_start_time_seconds") > 1e9);
}

#[test]
fn both_forms_of_the_page_are_what_they_say() {
    let (_site, service) = start(&[("metrics", "auth".into()), ("fileserver_auth_pass", "p".into())]);
    let right = basic(b":p");
    let headers = [("Authorization", right.as_str())];
    get(&service, "/a.pcap", &headers);
    let page = check_metrics(service.address(), &headers);
    assert!(page.contains("\n# TYPE pcapx_http_requests_total counter\n"), "{page}");
}

#[test]
fn ready_means_that_the_folder_can_be_read() {
    let (site, service) = start(&[("fileserver_auth_pass", "p".into())]);
    let told = || {
        let reply = get(&service, "/readyz", &[]);
        (reply.status, reply.text())
    };
    assert_eq!(told(), (200, "output_dir: ok\nready\n".to_owned()));
    fs::rename(site.output_dir(), site.path().join("moved")).unwrap();
    let unready = (503, "output_dir: failed\nnot ready\n".to_owned());
    let seen = poll(PATIENCE, || (told() == unready).then_some(()));
    assert!(seen.is_some(), "{:?}", told());
    service.wait_for_log(|line| line.contains("not ready: output_dir: ") && line.contains("/alerts"));
    assert_eq!(request(service.address(), "POST", "/readyz", &[], b"").status, 405);
}

#[test]
fn prometheus_scrapes_what_is_counted() {
    let (site, service) = start(&[("metrics", "auth".into()), ("fileserver_auth_pass", "p".into())]);
    let right = basic(b":p");
    for _ in 0..5 {
        assert_eq!(get(&service, "/a.pcap", &[("Authorization", &right)]).status, 200);
    }
    let targets = [("pcapx", service.address())];
    let Some(prometheus) = Prometheus::start(site.path(), &targets, Some("p")) else { return };
    // The five, and the looks of Prometheus before its last one.
    prometheus.wait_for(r#"sum(pcapx_http_requests_total{status="200",method="GET"})"#, |count| count >= 5.0);
}
