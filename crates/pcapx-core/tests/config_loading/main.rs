//! Configurations as they come: where the file is found, what its values may be, what is told of mistakes.

mod any_input;
mod environment;
mod messages;
mod places;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use pcapx_core::config::{Config, ConfigError, Loaded, Sources};
use serde_json::{Value, json};
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
