//! The shipped file, the table of keys and the README say the same.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use pcapx_core::config::{KEYS, Literal, Sources, markdown_table};
use serde_json::{Map, Value};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_shipped_file_holds_the_values_of_the_contract_in_its_order() {
    let text = fs::read_to_string(workspace().join("config/config.json")).unwrap();
    let contract = r#"{
  "host": "192.168.0.109",
  "listen_port": 8888,
  "fileserver_port": 8081,
  "timeline_dir": "/storage/pcaps/rolling",
  "output_dir": "/storage/pcaps/alerts",
  "default_filter": "full",
  "default_before": 360,
  "default_after": 360,
  "max_concurrent_extractions": 1,
  "listener_auth_user": "",
  "listener_auth_pass": "",
  "fileserver_auth_user": "",
  "fileserver_auth_pass": "",
  "allowed_ips": []
}
"#;
    assert_eq!(text, contract);
    let shipped: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let written: Vec<(&str, String)> =
        shipped.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
    let table: Vec<(&str, String)> = KEYS
        .iter()
        .filter(|key| key.shipped)
        .map(|key| (key.name, key.value.map(Literal::json).unwrap_or_default()))
        .collect();
    assert_eq!(written, table);
}

#[test]
fn the_shipped_file_loads_without_a_warning() {
    let sources = Sources {
        explicit: None,
        environment: Vec::new(),
        working_dir: workspace(),
        system_file: PathBuf::from("/nonexistent"),
    };
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(
        loaded.config.download_url("20260301_101112_7.pcap"),
        "http://192.168.0.109:8081/20260301_101112_7.pcap"
    );
}

#[test]
fn the_readme_has_the_table_of_keys() {
    const BEGIN: &str = "<!-- config:begin -->";
    const END: &str = "<!-- config:end -->";

    let Ok(readme) = fs::read_to_string(workspace().join("README.md")) else {
        // The harness would keep what the print macros write to itself.
        let why = "there is no README.md to compare the table of keys with";
        let _ = writeln!(std::io::stderr().lock(), "SKIPPED: {why}");
        return;
    };
    let told =
        readme.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(table, _)| table.trim());
    let table = markdown_table();
    assert_eq!(
        told,
        Some(table.trim()),
        "README.md must hold, between {BEGIN} and {END}, exactly this:\n\n{table}"
    );
}
