//! Where the file is found, and files that are no configuration.

use std::fs;
use std::path::Path;

use pcapx_core::config::{ConfigError, Sources};
use serde_json::json;
use tempfile::TempDir;

use crate::{least, least_and, load_text, sources, told_of_text};

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
