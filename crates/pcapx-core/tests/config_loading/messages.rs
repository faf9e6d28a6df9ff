//! What is told: errors, warnings, the summary.

use pcapx_core::config::KEYS;
use serde_json::json;

use crate::{config_of, least, least_and, load, told, warnings_of, without};

#[test]
fn all_missing_keys_are_named_at_once() {
    assert_eq!(
        told(&json!({}), &[]),
        "missing required keys host, listen_port, fileserver_port, timeline_dir, output_dir, default_filter, \
         default_before, default_after"
    );
    for key in KEYS.iter().filter(|key| key.required) {
        assert_eq!(told(&without(key.name), &[]), format!("missing required key {}", key.name));
        let value = key.value.unwrap().json().replace('"', "");
        assert!(load(&without(key.name), &[(&key.variable(), &value)]).is_ok(), "{}", key.name);
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut config = without("output_dir");
    config.as_object_mut().unwrap().extend(
        json!({
            "host": "http://a/", "listen_port": 70000, "fileserver_port": null, "timeline_dir": "",
            "default_before": "soon", "listener_auth_pass": ["hunter2"], "listener_auth_token": "two words",
            "allowed_ips": ["10.0.0.1", "10.0.0.1/x", "host"], "extractor": "ntop", "extractor_timeout": 0,
            "bind_address": "eth0", "basic_auth_user": {},
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    assert_eq!(
        told(&config, &[("PCAPX_DRAIN_TIMEOUT", "never")]).split("; ").collect::<Vec<_>>(),
        [
            "missing required key output_dir",
            "host: expected a host name or an IP address and nothing else (no http://, no port, no blank), \
             found \"http://a/\"",
            "listen_port: expected a port from 0 to 65535, found 70000",
            "fileserver_port: expected a port from 0 to 65535, found null",
            "timeline_dir: expected a path, found \"\"",
            "default_before: expected seconds from 0 to 86400, found \"soon\"",
            "listener_auth_user (from basic_auth_user): expected a text, found an object",
            "listener_auth_pass: expected a text, found a list",
            "fileserver_auth_user (from basic_auth_user): expected a text, found an object",
            "listener_auth_token: expected ASCII letters, digits and signs: no blank, no line end",
            "allowed_ips: entries \"10.0.0.1/x\", \"host\" are no IP addresses or networks such as 10.0.0.0/8",
            "extractor: expected auto, builtin or npcapextract, found \"ntop\"",
            "extractor_timeout: expected seconds above 0, at most 86400, found 0",
            "drain_timeout (from PCAPX_DRAIN_TIMEOUT): expected seconds from 0 to 86400, found \"never\"",
            "bind_address: expected an IP address such as 0.0.0.0 or ::, found \"eth0\"",
        ]
    );
}

#[test]
fn half_of_what_tls_needs_is_refused() {
    let missing = |key: &str| format!("{key}: is missing: TLS needs a certificate and its key");
    for (config, key) in [
        (json!({ "listener_tls_cert": "/c" }), "listener_tls_key"),
        (json!({ "listener_tls_key": "/k" }), "listener_tls_cert"),
        (json!({ "fileserver_tls_client_ca": "/a" }), "fileserver_tls_cert"),
        (json!({ "fileserver_tls_cert": "/c", "fileserver_tls_client_ca": "/a" }), "fileserver_tls_key"),
    ] {
        assert_eq!(told(&least_and(&config), &[]), missing(key));
    }
}

#[test]
fn what_is_odd_is_warned_of() {
    for (more, warning) in [
        (
            json!({ "listen_prot": 1 }),
            "unknown key \"listen_prot\" is ignored: did you mean \"listen_port\"?",
        ),
        (json!({ "a.b[\n": 1 }), "unknown key \"a.b[\\n\" is ignored"),
        (json!({ "host.name": 1 }), "unknown key \"host.name\" is ignored"),
        (json!({ "max_concurrent_extractions": "lots" }), "max_concurrent_extractions: \"lots\" counts as 1"),
        (json!({ "max_concurrent_extractions": 0 }), "max_concurrent_extractions: 0 counts as 1"),
        (json!({ "default_after": 1e6 }), "default_after: 1000000 counts as 86400"),
        (
            json!({ "listener_auth_user": "a:b", "listener_auth_pass": "p" }),
            "listener_auth_user: holds a colon, but HTTP Basic ends the user at the first one: nobody can log in",
        ),
        (
            json!({ "fileserver_port": 8888 }),
            "fileserver_port: is 8888 as listen_port is: one of the services cannot start",
        ),
        (
            json!({ "output_dir": "/t/alerts" }),
            "output_dir: lies in timeline_dir: extracted packets are found again by later extractions",
        ),
        (
            json!({ "fileserver_auth_user": "u" }),
            "fileserver_auth_pass: is empty: whoever knows the user's name gets in",
        ),
        (
            json!({ "metrics": "auth", "listener_auth_pass": "p" }),
            "metrics: is auth, and a service without credentials tells its figures to everybody",
        ),
        (
            json!({ "trusted_proxies": ["10.0.0.1", "0.0.0.0/0"] }),
            "trusted_proxies: has every address: every client can say that it is another one",
        ),
    ] {
        assert_eq!(warnings_of(&least_and(&more), &[]), [warning]);
    }
    for (name, warning) in [
        (
            "PCAPX_LISTEN_PROT",
            "unknown environment variable \"PCAPX_LISTEN_PROT\" is ignored: did you mean \"PCAPX_LISTEN_PORT\"?",
        ),
        (
            "PCAPX_host",
            "unknown environment variable \"PCAPX_host\" is ignored: did you mean \"PCAPX_HOST\"?",
        ),
        ("PCAPX_", "unknown environment variable \"PCAPX_\" is ignored"),
    ] {
        assert_eq!(warnings_of(&least(), &[(name, "1")]), [warning]);
    }
    assert_eq!(warnings_of(&least(), &[("pcapx_host", "x"), ("PCAPXHOST", "x")]), [""; 0]);
    assert_eq!(
        warnings_of(&least(), &[("PCAPX_DEFAULT_FILTER", "all")]),
        ["default_filter (from PCAPX_DEFAULT_FILTER): \"all\" counts as full: \
          known are full, hosts, client, server, port"]
    );
}

#[test]
fn the_summary_tells_everything_but_secrets() {
    let config = config_of(&json!({
        "listener_auth_user": "sycope", "listener_auth_pass": "hunter2", "listener_auth_token": "t0ken",
        "fileserver_auth_pass": "s3cret", "allowed_ips": ["10.0.0.0/8"], "bind_address": "::1",
    }));
    assert_eq!(
        config.summary(),
        [
            "timeline \"/t\", output \"/o\"",
            "links http://192.168.0.109:8081/…",
            "listener [::1]:8888, TLS off, auth basic or bearer, open to everybody",
            "fileserver [::1]:8081, TLS off, auth basic, open to 10.0.0.0/8",
            "defaults: filter full, 360 s before, 360 s after",
            "extractor auto, 1 at once, 300s each; 30s to finish when stopped",
            "indexes by default, background indexing true",
            "open windows follow, up to 0 alerts wait",
        ]
    );
    let printed = format!("{config:?}{:?}", config.summary());
    for secret in ["hunter2", "t0ken", "s3cret"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn every_key_of_the_table_is_read() {
    for key in KEYS {
        let odd = least_and(&json!({ key.name: { "no": "such value" } }));
        let told = match load(&odd, &[]) {
            Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(key.name), "{}: {told}", key.name);
    }
}
