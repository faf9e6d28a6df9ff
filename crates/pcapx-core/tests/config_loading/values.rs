//! What the values of the file may be.

use std::path::PathBuf;
use std::time::Duration;

use pcapx_core::config::{ExtractorChoice, KEYS, Loaded, Secret, Service};
use pcapx_core::filter::Mode;
use serde_json::{Map, Value, json};

use crate::{config_of, least, least_and, load, warnings_of};

#[test]
fn the_least_configuration_has_the_defaults() {
    let Loaded { config, warnings, .. } = load(&least(), &[]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((config.listen_port, config.fileserver_port), (8888, 8081));
    assert_eq!((config.timeline_dir, config.output_dir), (PathBuf::from("/t"), PathBuf::from("/o")));
    assert_eq!(config.default_mode, Mode::Full);
    assert_eq!(config.default_before, Duration::from_secs(360));
    assert_eq!(config.default_after, Duration::from_secs(360));
    assert_eq!(config.max_concurrent_extractions.get(), 1);
    assert!(!config.listener_auth.is_on() && !config.fileserver_auth.is_on());
    assert_eq!(config.allowed_ips, []);
    assert_eq!((config.listener_allowed_ips, config.trusted_proxies), (vec![], vec![]));
    assert_eq!(config.extractor, ExtractorChoice::Auto);
    assert_eq!(config.extractor_timeout, Duration::from_secs(300));
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    assert_eq!(config.bind.to_string(), "0.0.0.0");
    assert_eq!((config.index_dir, config.background_indexing), (None, true));
    assert!(!config.directory_listing);
}

#[test]
fn null_says_nothing_about_a_key_that_may_be_missing() {
    let nulls: Map<String, Value> =
        KEYS.iter().filter(|key| !key.required).map(|key| (key.name.to_owned(), Value::Null)).collect();
    assert_eq!(
        load(&least_and(&Value::Object(nulls)), &[]).unwrap().config,
        load(&least(), &[]).unwrap().config
    );
}

#[test]
fn digits_do_for_numbers() {
    let config = config_of(&json!({
        "listen_port": "18888", "fileserver_port": " 0 ", "default_before": "60", "default_after": 90.0,
        "max_concurrent_extractions": "4", "extractor_timeout": "0.5", "drain_timeout": 0,
    }));
    assert_eq!((config.listen_port, config.fileserver_port), (18888, 0));
    assert_eq!(
        (config.default_before, config.default_after),
        (Duration::from_secs(60), Duration::from_secs(90))
    );
    assert_eq!(config.max_concurrent_extractions.get(), 4);
    assert_eq!(
        (config.extractor_timeout, config.drain_timeout),
        (Duration::from_millis(500), Duration::ZERO)
    );
}

#[test]
fn indexes_may_have_a_folder_of_their_own() {
    let config = config_of(&json!({ "index_dir": "/var/lib/pcapx/index", "background_indexing": "false" }));
    assert_eq!(config.index_dir, Some(PathBuf::from("/var/lib/pcapx/index")));
    assert!(!config.background_indexing);
    let warnings = warnings_of(&least_and(&json!({ "index_dir": "/o/index" })), &[]);
    assert!(
        matches!(warnings.as_slice(), [one] if one.starts_with("index_dir: lies in output_dir: ")),
        "{warnings:?}"
    );
}

#[test]
fn modes_are_known_or_count_as_full() {
    for mode in Mode::ALL {
        assert_eq!(config_of(&json!({ "default_filter": mode.to_string() })).default_mode, mode);
    }
    for other in [json!("everything"), json!(""), json!(7), json!(null), json!(["client"]), json!({})] {
        let config = least_and(&json!({ "default_filter": other }));
        assert_eq!(load(&config, &[]).unwrap().config.default_mode, Mode::Full);
        let warnings = warnings_of(&config, &[]);
        assert!(
            matches!(warnings.as_slice(), [one] if one.starts_with("default_filter: ")
                && one.ends_with(" counts as full: known are full, hosts, client, server, port")),
            "{warnings:?}"
        );
    }
}

#[test]
fn older_credentials_fill_each_key_that_is_missing() {
    let older = json!({ "basic_auth_user": "u", "basic_auth_pass": "p" });
    for (own, listener, fileserver) in [
        (json!({}), ("u", "p"), ("u", "p")),
        (json!({ "listener_auth_user": "own" }), ("own", "p"), ("u", "p")),
        (json!({ "fileserver_auth_pass": "own" }), ("u", "p"), ("u", "own")),
        (json!({ "listener_auth_user": null, "listener_auth_pass": null }), ("u", "p"), ("u", "p")),
        (json!({ "fileserver_auth_user": "", "fileserver_auth_pass": "" }), ("u", "p"), ("", "")),
        (json!({ "fileserver_auth_user": "" }), ("u", "p"), ("", "p")),
    ] {
        let mut all = older.clone();
        all.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let config = config_of(&all);
        for (auth, (user, password)) in
            [(&config.listener_auth, listener), (&config.fileserver_auth, fileserver)]
        {
            let pair = auth.basic.as_ref().map(|basic| (basic.user.as_str(), basic.password.plain()));
            assert_eq!(pair.unwrap_or(("", Some(""))), (user, Some(password)), "{own}");
        }
    }
    let config = least_and(&json!({
        "basic_auth_user": "u", "listener_auth_user": "", "fileserver_auth_user": "f",
        "fileserver_auth_pass": "p",
    }));
    assert_eq!(
        warnings_of(&config, &[]),
        ["basic_auth_user: has no effect, listener_auth_user and fileserver_auth_user are set"]
    );
}

#[test]
fn one_of_user_and_password_switches_authentication_on() {
    for (user, password, on) in [("", "", false), ("u", "", true), ("", "p", true), ("u", "p", true)] {
        let config = config_of(&json!({ "listener_auth_user": user, "listener_auth_pass": password }));
        assert_eq!(config.listener_auth.is_on(), on);
        assert!(!config.fileserver_auth.is_on());
    }
    let config = config_of(&json!({ "fileserver_auth_user": "u", "fileserver_auth_pass": 1234 }));
    assert_eq!(config.fileserver_auth.basic.unwrap().password.plain(), Some("1234"));
    assert!(!config.listener_auth.is_on());
    let config = config_of(&json!({ "listener_auth_token": "t" }));
    assert_eq!(config.listener_auth.bearer.as_ref().and_then(Secret::plain), Some("t"));
    assert!(config.listener_auth.basic.is_none() && !config.fileserver_auth.is_on());
}

#[test]
fn passwords_may_be_hashes() {
    let hash = Secret::hash("hunter2").unwrap();
    let config = config_of(&json!({ "fileserver_auth_pass": hash, "listener_auth_token": hash }));
    let password = config.fileserver_auth.basic.unwrap().password;
    assert!(password.is_hashed() && password.matches(b"hunter2") && !password.matches(hash.as_bytes()));
    assert!(config.listener_auth.bearer.unwrap().matches(b"hunter2"));
}

#[test]
fn a_service_that_is_open_to_the_network_is_told() {
    let auth = json!({ "listener_auth_user": "u", "fileserver_auth_pass": "p" });
    let token = json!({ "listener_auth_token": "t" });
    let addresses = json!({ "listener_allowed_ips": ["10.0.0.0/8"], "allowed_ips": ["10.0.0.0/8"] });
    let all = json!({ "listener_allowed_ips": ["::/0", "0.0.0.0/0"], "allowed_ips": ["0.0.0.0/0"] });
    for (config, listener, fileserver) in [
        (json!({}), true, true),
        (json!({ "bind_address": "127.0.0.1" }), false, false),
        (json!({ "bind_address": "::" }), true, true),
        (auth, false, false),
        (token, false, true),
        (addresses, false, false),
        (all, true, true),
    ] {
        let of = config_of(&config);
        let open = (of.openness(Service::Listener).is_some(), of.openness(Service::Fileserver).is_some());
        assert_eq!(open, (listener, fileserver), "{config}");
    }
    assert_eq!(
        config_of(&json!({})).openness(Service::Fileserver).unwrap(),
        "everybody who reaches 0.0.0.0:8081 can download evidence: set fileserver_auth_user and \
         fileserver_auth_pass, or allowed_ips"
    );
}

#[test]
fn networks_are_normalised() {
    let config = config_of(&json!({ "allowed_ips": ["10.0.0.5/24", "::ffff:192.0.2.1", "2001:db8::1/64"] }));
    let nets: Vec<_> = config.allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.0.0.0/24", "192.0.2.1/32", "2001:db8::/64"]);
}

#[test]
fn links_take_host_and_port_from_the_configuration() {
    let name = "20260301_101112_7.pcap";
    assert_eq!(config_of(&json!({})).download_url(name), format!("http://192.168.0.109:8081/{name}"));
    assert_eq!(
        config_of(&json!({ "host": "2001:db8::5", "fileserver_port": 80 })).download_url(name),
        format!("http://[2001:db8::5]:80/{name}")
    );
}

#[test]
fn links_follow_tls_of_the_fileserver_and_their_own_base() {
    let tls = json!({ "fileserver_tls_cert": "/c", "fileserver_tls_key": "/k" });
    let config = config_of(&tls);
    assert_eq!(config.download_url("a.pcap"), "https://192.168.0.109:8081/a.pcap");
    assert_eq!(config.url(Service::Listener, 1, "x"), "http://192.168.0.109:1/x");
    let of = config.tls(Service::Fileserver).unwrap();
    assert_eq!((of.cert.clone(), of.key.clone(), of.client_ca.clone()), ("/c".into(), "/k".into(), None));
    assert_eq!(config.tls(Service::Listener), None);

    let config = config_of(
        &json!({ "listener_tls_cert": "/c", "listener_tls_key": "/k", "listener_tls_client_ca": "/a" }),
    );
    assert_eq!(config.download_url("a.pcap"), "http://192.168.0.109:8081/a.pcap");
    assert_eq!(config.url(Service::Listener, 1, "x"), "https://192.168.0.109:1/x");
    assert!(config.openness(Service::Listener).is_none() && config.openness(Service::Fileserver).is_some());

    let base = json!({ "download_url_base": "https://pcap.example.com/evidence", "host": "::1" });
    assert_eq!(config_of(&base).download_url("a.pcap"), "https://pcap.example.com/evidence/a.pcap");
}

#[test]
fn what_changed_between_two_readings_is_named() {
    let names = |one: &Value, other: &Value| {
        let (one, other) = (load(&least_and(one), &[]).unwrap(), load(&least_and(other), &[]).unwrap());
        one.changed(&other).map(|key| key.name).collect::<Vec<_>>()
    };
    let none = json!({});
    assert_eq!(names(&none, &none), [""; 0]);
    assert_eq!(names(&none, &json!({ "extractor": "auto" })), [""; 0], "the default, spelt out");
    assert_eq!(
        names(&json!({ "listener_auth_pass": "old" }), &json!({ "listener_auth_pass": "new", "host": "h" })),
        ["host", "listener_auth_pass"]
    );
    assert_eq!(
        names(&none, &json!({ "basic_auth_user": "u" })),
        ["listener_auth_user", "fileserver_auth_user", "basic_auth_user"]
    );
    let printed =
        format!("{:?}", load(&least_and(&json!({ "listener_auth_pass": "hunter2" })), &[]).unwrap());
    assert!(!printed.contains("hunter2"), "{printed}");
}
