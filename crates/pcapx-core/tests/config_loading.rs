//! Configurations as they come: where the file is found, what its values may be, what is told of mistakes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcapx_core::config::{Config, ConfigError, ExtractorChoice, KEYS, Loaded, Sources};
use pcapx_core::filter::Mode;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// Every required key, nothing else.
fn least() -> Value {
    json!({
        "host": "192.168.0.109",
        "listen_port": 8888,
        "fileserver_port": 8081,
        "timeline_dir": "/t",
        "output_dir": "/o",
        "default_filter": "full",
        "default_before": 360,
        "default_after": 360,
    })
}

fn least_and(more: &Value) -> Value {
    let mut config = least();
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn without(key: &str) -> Value {
    let mut config = least();
    config.as_object_mut().unwrap().remove(key);
    config
}

fn load_text(text: impl AsRef<[u8]>, environment: &[(&str, &str)]) -> (PathBuf, Result<Loaded, ConfigError>) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, text).unwrap();
    let loaded = sources(dir.path(), Some(&path), environment).load();
    (path, loaded)
}

fn load(config: &Value, environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    load_text(config.to_string(), environment).1
}

fn sources(dir: &Path, explicit: Option<&Path>, environment: &[(&str, &str)]) -> Sources {
    Sources {
        explicit: explicit.map(Path::to_path_buf),
        environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        working_dir: dir.to_path_buf(),
        system_file: dir.join("etc/pcapx/config.json"),
    }
}

fn config_of(more: &Value) -> Config {
    load(&least_and(more), &[]).unwrap().config
}

fn warnings_of(config: &Value, environment: &[(&str, &str)]) -> Vec<String> {
    load(config, environment).unwrap().warnings.iter().map(ToString::to_string).collect()
}

/// The error without the path in front.
fn told(config: &Value, environment: &[(&str, &str)]) -> String {
    told_of_text(config.to_string(), environment)
}

fn told_of_text(text: impl AsRef<[u8]>, environment: &[(&str, &str)]) -> String {
    let (path, loaded) = load_text(text, environment);
    let told = loaded.unwrap_err().to_string();
    assert!(!told.contains('\n'), "one line: {told}");
    told.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&told).to_owned()
}

// Where the file is.

#[test]
fn the_first_place_that_is_named_wins() {
    let dir = TempDir::new().unwrap();
    let place = |name: &str, host: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, least_and(&json!({ "host": host })).to_string()).unwrap();
        path
    };
    let host = |sources: Sources| sources.load().map(|loaded| (loaded.config.host, loaded.path));

    let system = place("etc/pcapx/config.json", "system");
    assert_eq!(host(sources(dir.path(), None, &[])).unwrap(), ("system".to_owned(), system));
    let local = place("config/config.json", "local");
    assert_eq!(host(sources(dir.path(), None, &[])).unwrap(), ("local".to_owned(), local.clone()));
    assert_eq!(host(sources(dir.path(), None, &[("PCAPX_CONFIG", "")])).unwrap().1, local);
    let named = place("named.json", "named");
    let variable = [("PCAPX_CONFIG", named.to_str().unwrap())];
    assert_eq!(host(sources(dir.path(), None, &variable)).unwrap(), ("named".to_owned(), named.clone()));
    let explicit = place("explicit.json", "explicit");
    assert_eq!(
        host(sources(dir.path(), Some(&explicit), &variable)).unwrap(),
        ("explicit".to_owned(), explicit)
    );
}

#[test]
fn a_missing_file_is_told_with_every_place() {
    let dir = TempDir::new().unwrap();
    let told =
        |sources: Sources| sources.load().unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "");
    assert_eq!(
        told(sources(dir.path(), None, &[])),
        "no configuration file: looked for /config/config.json, /etc/pcapx/config.json"
    );
    // A place that is named is the only one.
    fs::create_dir(dir.path().join("config")).unwrap();
    fs::write(dir.path().join("config/config.json"), least().to_string()).unwrap();
    let gone = dir.path().join("gone\n.json");
    assert_eq!(
        told(sources(dir.path(), Some(&gone), &[])),
        "no configuration file: looked for /gone\\n.json"
    );
    assert_eq!(
        told(sources(dir.path(), None, &[("PCAPX_CONFIG", gone.to_str().unwrap())])),
        "no configuration file: looked for /gone\\n.json"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_no_missing_file() {
    let dir = TempDir::new().unwrap();
    let error = sources(dir.path(), Some(dir.path()), &[]).load().unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
    let error = sources(dir.path(), Some(Path::new("/dev/zero")), &[]).load().unwrap_err();
    assert_eq!(error.to_string(), "/dev/zero: larger than 1048576 bytes, this is no configuration");
}

#[test]
fn mistakes_in_the_file_are_told_with_line_and_column() {
    for (text, error) in [
        ("", "line 1, column 0: not JSON: EOF while parsing a value"),
        ("{\"host\": \"a\",\n \"listen_port\": 1,\n}", "line 3, column 1: not JSON: trailing comma"),
        ("{\n  \"host\": a\n}", "line 2, column 11: not JSON: expected value"),
        ("{} x", "line 1, column 4: not JSON: trailing characters"),
        ("{\"host\": \"a", "line 1, column 11: not JSON: EOF while parsing a string"),
        ("[]", "line 1, column 1: expected an object {\"key\": value, …}, found a list"),
        ("null", "line 1, column 1: expected an object {\"key\": value, …}, found null"),
        ("7", "line 1, column 1: expected an object {\"key\": value, …}, found a number"),
        ("\"host\"", "line 1, column 1: expected an object {\"key\": value, …}, found a text"),
        ("true", "line 1, column 1: expected an object {\"key\": value, …}, found true or false"),
    ] {
        assert_eq!(told_of_text(text, &[]), error, "{text:?}");
    }
    assert_eq!(told_of_text(b"{\n \"\xff\": 1}", &[]), "line 2, column 3: not UTF-8 text");
    let deep = told_of_text(format!("{{\"host\": {}", "[".repeat(100_000)), &[]);
    assert!(deep.contains("recursion limit"), "{deep}");
}

#[test]
fn a_byte_order_mark_and_repeated_keys_are_accepted() {
    let (_, loaded) = load_text(format!("\u{feff}{}", least()), &[]);
    assert_eq!(loaded.unwrap().config.host, "192.168.0.109");
    let twice = least().to_string().replacen('{', "{\"host\": \"first\",", 1);
    assert_eq!(load_text(twice, &[]).1.unwrap().config.host, "192.168.0.109");
}

// What values may be.

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
    assert_eq!(config.extractor, ExtractorChoice::Auto);
    assert_eq!(config.extractor_timeout, Duration::from_secs(300));
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    assert_eq!(config.bind.to_string(), "0.0.0.0");
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
            let pair = auth.basic.as_ref().map(|basic| (basic.user.as_str(), basic.password.as_str()));
            assert_eq!(pair.unwrap_or_default(), (user, password), "{own}");
        }
    }
    let config = least_and(&json!({
        "basic_auth_user": "u", "listener_auth_user": "", "fileserver_auth_user": "f",
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
    assert_eq!(config.fileserver_auth.basic.unwrap().password, "1234");
    assert!(!config.listener_auth.is_on());
    let config = config_of(&json!({ "listener_auth_token": "t" }));
    assert_eq!(config.listener_auth.bearer.as_deref(), Some("t"));
    assert!(config.listener_auth.basic.is_none() && !config.fileserver_auth.is_on());
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

// The environment.

#[test]
fn every_key_can_be_overridden() {
    let environment = [
        ("PCAPX_HOST", "::1"),
        ("PCAPX_LISTEN_PORT", "0"),
        ("PCAPX_FILESERVER_PORT", "81"),
        ("PCAPX_TIMELINE_DIR", "rolling"),
        ("PCAPX_OUTPUT_DIR", "alerts"),
        ("PCAPX_DEFAULT_FILTER", "server"),
        ("PCAPX_DEFAULT_BEFORE", "1"),
        ("PCAPX_DEFAULT_AFTER", "2"),
        ("PCAPX_MAX_CONCURRENT_EXTRACTIONS", "3"),
        ("PCAPX_BASIC_AUTH_USER", "old"),
        ("PCAPX_BASIC_AUTH_PASS", "older"),
        ("PCAPX_LISTENER_AUTH_PASS", "true"),
        ("PCAPX_FILESERVER_AUTH_USER", "0123"),
        ("PCAPX_FILESERVER_AUTH_PASS", ""),
        ("PCAPX_ALLOWED_IPS", "10.0.0.0/8, ::1"),
        ("PCAPX_LISTENER_AUTH_TOKEN", "t0ken"),
        ("PCAPX_EXTRACTOR", "builtin"),
        ("PCAPX_EXTRACTOR_TIMEOUT", "4.5"),
        ("PCAPX_DRAIN_TIMEOUT", "6"),
        ("PCAPX_BIND_ADDRESS", "::"),
        ("PCAPX_CONFIG", "/elsewhere"),
        ("PCAPX_LOG", "debug"),
        ("PCAPX_CAPTURES", "."),
        ("PATH", "/bin"),
    ];
    let file = json!({
        "allowed_ips": ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "fileserver_auth_pass": "file", "host": ["no"],
    });
    let from_environment_alone = load(&json!({}), &environment).unwrap();
    let over_file = load(&least_and(&file), &environment).unwrap();
    assert_eq!(from_environment_alone.config, over_file.config);
    let older = "basic_auth_pass (from PCAPX_BASIC_AUTH_PASS): has no effect, \
                 listener_auth_pass and fileserver_auth_pass are set";
    for loaded in [&from_environment_alone, &over_file] {
        assert_eq!(loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [older]);
    }
    let config = over_file.config;
    assert_eq!(config.host, "::1");
    assert_eq!((config.listen_port, config.fileserver_port), (0, 81));
    assert_eq!((config.timeline_dir, config.output_dir), ("rolling".into(), "alerts".into()));
    assert_eq!(config.default_mode, Mode::Server);
    assert_eq!(
        (config.default_before, config.default_after),
        (Duration::from_secs(1), Duration::from_secs(2))
    );
    assert_eq!(config.max_concurrent_extractions.get(), 3);
    let listener = config.listener_auth.basic.unwrap();
    assert_eq!((listener.user.as_str(), listener.password.as_str()), ("old", "true"));
    let fileserver = config.fileserver_auth.basic.unwrap();
    assert_eq!((fileserver.user.as_str(), fileserver.password.as_str()), ("0123", ""));
    assert_eq!(config.allowed_ips, ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
    assert_eq!(config.listener_auth.bearer.as_deref(), Some("t0ken"));
    assert_eq!(config.extractor, ExtractorChoice::Builtin);
    assert_eq!(
        (config.extractor_timeout, config.drain_timeout),
        (Duration::from_millis(4500), Duration::from_secs(6))
    );
    assert_eq!(config.bind.to_string(), "::");
}

#[test]
fn a_key_of_the_file_stands_before_an_older_key_of_the_environment() {
    let config = least_and(&json!({ "listener_auth_user": "file" }));
    let loaded = load(&config, &[("PCAPX_BASIC_AUTH_USER", "older")]).unwrap().config;
    assert_eq!(loaded.listener_auth.basic.unwrap().user, "file");
    assert_eq!(loaded.fileserver_auth.basic.unwrap().user, "older");
}

#[test]
fn a_variable_that_is_no_text_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, least().to_string()).unwrap();
    let mut sources = sources(dir.path(), Some(&path), &[]);
    sources.environment.push(("PCAPX_LISTENER_AUTH_PASS".into(), OsString::from_vec(vec![b'p', 0xff])));
    sources.environment.push((OsString::from_vec(b"PCAPX_\xff".to_vec()), "x".into()));
    sources.environment.push((OsString::from_vec(b"\xff".to_vec()), OsString::from_vec(vec![0xff])));
    assert_eq!(
        sources.load().unwrap_err().to_string(),
        format!(
            "{}: listener_auth_pass (from PCAPX_LISTENER_AUTH_PASS): expected UTF-8 text",
            path.display()
        )
    );
}

// What is told.

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
            json!({ "listener_auth_user": "a:b" }),
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
            "listener [::1]:8888, auth basic or bearer",
            "fileserver [::1]:8081, auth basic, open to 10.0.0.0/8",
            "defaults: filter full, 360 s before, 360 s after",
            "extractor auto, 1 at once, 300s each; 30s to finish when stopped",
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

#[test]
fn numbers_beyond_all_ranges_are_told() {
    for number in ["1e999", "-1e999", "123456789012345678901234567890", "1e-999", "18446744073709551616"] {
        for key in KEYS {
            let mut fields: Vec<String> = least()
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| *name != key.name)
                .map(|(name, value)| format!("{name:?}: {value}"))
                .collect();
            fields.push(format!("{:?}: {number}", key.name));
            let (_, loaded) = load_text(format!("{{{}}}", fields.join(", ")), &[]);
            if ["listen_port", "fileserver_port"].contains(&key.name) && number != "1e-999" {
                assert!(loaded.is_err(), "{} {number}", key.name);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9a-f:./, ]{0,24}".prop_map(Value::from),
        Just(json!({ "$serde_json::private::Number": "x" })),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A name of the table, or any other.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(KEYS).prop_map(|key| key.name.to_owned()),
        1 => any::<String>(),
        1 => "[a-z_.\\[\\]0-9]{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_value_of_any_key_panics(
        file in prop::collection::vec((any_name(), any_json()), 0..12),
        environment in prop::collection::vec((any_name(), "[^\0]{0,20}"), 0..4),
    ) {
        let mut config = least();
        config.as_object_mut().unwrap().extend(file);
        let environment: Vec<(String, String)> = environment
            .into_iter()
            .map(|(name, value)| (format!("PCAPX_{}", name.to_uppercase()), value))
            .collect();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match load(&config, &environment) {
            Ok(loaded) => {
                let config = loaded.config;
                prop_assert!(config.default_before <= Duration::from_secs(86_400));
                prop_assert!(!config.extractor_timeout.is_zero());
                prop_assert!(config.summary().iter().all(|line| !line.contains('\n')));
                prop_assert!(config.download_url("a").bytes().all(|byte| byte.is_ascii_graphic()));
                for net in config.allowed_ips {
                    prop_assert_eq!(net.ip(), net.network());
                }
                prop_assert!(loaded.warnings.iter().all(|warning| !warning.to_string().contains('\n')));
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }

    #[test]
    fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,0-9a-z. \n]{0,60}") {
        let _ = load_text(bytes, &[]);
        let (_, loaded) = load_text(text, &[]);
        prop_assert!(loaded.is_err(), "the required keys are missing");
    }

    #[test]
    fn no_secret_is_repeated(secret in "[\\PC]{4,20}", junk in any::<bool>()) {
        let marked = format!("x{secret}s3cr3t");
        let value = if junk { json!([marked]) } else { json!(marked) };
        let secrets: Map<String, Value> =
            KEYS.iter().filter(|key| key.secret).map(|key| (key.name.to_owned(), value.clone())).collect();
        let printed = match load(&least_and(&Value::Object(secrets)), &[]) {
            Ok(loaded) => format!("{loaded:?} {:?}", loaded.config.summary()),
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!printed.contains("s3cr3t"), "{}", printed);
    }
}
