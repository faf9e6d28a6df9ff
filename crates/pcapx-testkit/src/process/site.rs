//! One installation in a temporary folder: rolling capture, evidence, configuration.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A temporary folder with `timeline/`, `alerts/` and a `config.json`, removed when dropped.
#[derive(Debug)]
pub struct Site {
    dir: TempDir,
    config: Map<String, Value>,
}

impl Site {
    /// An empty installation: loopback, any free port, the shipped defaults, no authentication.
    ///
    /// # Panics
    /// When the folders cannot be made.
    pub fn new() -> Self {
        let dir = match TempDir::with_prefix("pcapx-test-") {
            Ok(dir) => dir,
            Err(error) => panic!("no temporary folder: {error}"),
        };
        let mut site = Self { dir, config: Map::new() };
        let (timeline_dir, output_dir) = (site.timeline_dir(), site.output_dir());
        for folder in [&timeline_dir, &output_dir] {
            if let Err(error) = std::fs::create_dir(folder) {
                panic!("cannot make {}: {error}", folder.display());
            }
        }
        site.set("host", "127.0.0.1")
            .set("bind_address", "127.0.0.1")
            .set("listen_port", 0)
            .set("fileserver_port", 0)
            .set("timeline_dir", text(&timeline_dir))
            .set("output_dir", text(&output_dir))
            .set("default_filter", "full")
            .set("default_before", 360)
            .set("default_after", 360);
        site
    }

    /// The folder of all.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The rolling capture.
    pub fn timeline_dir(&self) -> PathBuf {
        self.path().join("timeline")
    }

    /// The extracted captures.
    pub fn output_dir(&self) -> PathBuf {
        self.path().join("alerts")
    }

    /// The configuration file, as of the last [`command`](Self::command).
    pub fn config_path(&self) -> PathBuf {
        self.path().join("config.json")
    }

    /// Sets a key of the configuration.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// Leaves a key out of the configuration.
    pub fn unset(&mut self, key: &str) -> &mut Self {
        self.config.remove(key);
        self
    }

    /// Writes the configuration and prepares `binary --config FILE`, run in the site's folder without the `PCAPX_*`
    /// variables of this process. More options may be added.
    ///
    /// # Panics
    /// When the configuration cannot be written.
    pub fn command(&self, binary: impl AsRef<OsStr>) -> Command {
        let text = format!("{:#}\n", json!(self.config));
        if let Err(error) = std::fs::write(self.config_path(), text) {
            panic!("cannot write {}: {error}", self.config_path().display());
        }
        let mut command = Command::new(binary);
        command.arg("--config").arg(self.config_path()).current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PCAPX_") {
                command.env_remove(name);
            }
        }
        command
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// A path of a site as text: temporary folders have plain names.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
