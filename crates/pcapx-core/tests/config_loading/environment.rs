//! The environment over the file.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use pcapx_core::config::{Auth, ExtractorChoice, Secret};
use pcapx_core::filter::Mode;
use serde_json::json;
use tempfile::TempDir;

use crate::{least, least_and, load, sources};

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
        ("PCAPX_LISTENER_ALLOWED_IPS", "192.0.2.1"),
        ("PCAPX_TRUSTED_PROXIES", "192.0.2.2,192.0.2.3"),
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
    let empty = "fileserver_auth_pass (from PCAPX_FILESERVER_AUTH_PASS): is empty: whoever knows the user's name gets in";
    for loaded in [&from_environment_alone, &over_file] {
        assert_eq!(loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [older, empty]);
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
    assert_eq!((listener.user.as_str(), listener.password.plain()), ("old", Some("true")));
    let fileserver = config.fileserver_auth.basic.unwrap();
    assert_eq!((fileserver.user.as_str(), fileserver.password.plain()), ("0123", Some("")));
    assert_eq!(config.allowed_ips, ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
    assert_eq!(config.listener_auth.bearer.as_ref().and_then(Secret::plain), Some("t0ken"));
    assert_eq!(config.listener_allowed_ips, ["192.0.2.1/32".parse().unwrap()]);
    assert_eq!(config.trusted_proxies, ["192.0.2.2/32".parse().unwrap(), "192.0.2.3/32".parse().unwrap()]);
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

#[test]
fn secrets_come_as_credentials_too() {
    let dir = TempDir::new().unwrap();
    for (name, content) in [
        ("listener_auth_pass", "from credential\n"),
        ("fileserver_auth_pass", "two\r\n"),
        ("listener_auth_token", "t0ken"),
        ("listener_auth_user", "no secret, so no credential of ours"),
        ("tls_key", "somebody else's"),
    ] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let folder = ("CREDENTIALS_DIRECTORY", dir.path().to_str().unwrap());
    let file = least_and(&json!({ "listener_auth_user": "u", "listener_auth_pass": "file" }));
    let loaded = load(&file, &[folder, ("PCAPX_FILESERVER_AUTH_PASS", "environment")]).unwrap();
    assert_eq!(loaded.warnings, []);
    let plain = |auth: &Auth| {
        let basic = auth.basic.clone().unwrap();
        (basic.user, basic.password.plain().map(str::to_owned))
    };
    assert_eq!(plain(&loaded.config.listener_auth), ("u".to_owned(), Some("from credential".to_owned())));
    assert_eq!(plain(&loaded.config.fileserver_auth), (String::new(), Some("environment".to_owned())));
    assert_eq!(loaded.config.listener_auth.bearer.as_ref().and_then(Secret::plain), Some("t0ken"));

    fs::write(dir.path().join("listener_auth_pass"), b"\xff").unwrap();
    fs::write(dir.path().join("listener_auth_token"), "x".repeat(20_000)).unwrap();
    let told = load(&file, &[folder]).unwrap_err().to_string();
    assert!(
        told.contains("listener_auth_pass (from the credential listener_auth_pass): cannot be read: "),
        "{told}"
    );
    assert!(
        told.contains(
            "listener_auth_token (from the credential listener_auth_token): cannot be read: too long"
        )
    );
    let nowhere = ("CREDENTIALS_DIRECTORY", "/nonexistent");
    assert_eq!(load(&file, &[nowhere]).unwrap().config, load(&file, &[]).unwrap().config);
}
