//! A real Prometheus that scrapes the programs under test, and its promtool.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{PATIENCE, Running, poll, request};
use crate::tool;

/// A Prometheus that scrapes each second.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    _process: Running,
}

impl Prometheus {
    /// One that scrapes `targets`, each as a job of that name, with `password` if there is one. It keeps its files in
    /// `folder`. Says `SKIPPED` and is `None` where there is none installed.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(folder: &Path, targets: &[(&str, SocketAddr)], password: Option<&str>) -> Option<Self> {
        let prometheus = tool::require("prometheus")?;
        let mut text = "global: {scrape_interval: 1s}\nscrape_configs:\n".to_owned();
        for (job, target) in targets {
            let _ = writeln!(text, "- job_name: {job}\n  static_configs: [{{targets: ['{target}']}}]");
            if let Some(password) = password {
                let _ = writeln!(text, "  basic_auth: {{password: {password}}}");
            }
        }
        let config = folder.join("prometheus.yml");
        fs::write(&config, text).expect("a folder that can be written");
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let mut command = prometheus.command();
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()));
        command.arg(format!("--web.listen-address={address}")).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Running::spawn(&mut command).expect("Prometheus runs");
        let is_up = poll(PATIENCE, || TcpStream::connect(address).ok()).is_some();
        assert!(is_up, "Prometheus does not listen");
        Some(Self { address, _process: process })
    }

    /// The value of the first series of `expression`, once it is there and `is_it`.
    ///
    /// # Panics
    /// When that does not come.
    #[track_caller]
    pub fn wait_for(&self, expression: &str, is_it: impl Fn(f64) -> bool) -> f64 {
        let mut encoded = String::new();
        for byte in expression.bytes() {
            let _ = write!(encoded, "%{byte:02x}");
        }
        let query = format!("/api/v1/query?query={encoded}");
        let ask = || request(self.address, "GET", &query, &[], b"");
        let found = poll(PATIENCE, || {
            let document: Value = serde_json::from_slice(&ask().body).ok()?;
            let value = document["data"]["result"][0]["value"][1].as_str()?.parse().ok()?;
            is_it(value).then_some(value)
        });
        found.unwrap_or_else(|| panic!("{expression}: {}", ask().text()))
    }
}

/// A page in OpenMetrics form in the older one, which promtool reads: a family of counters is called like its samples, and
/// there are no infos and no end.
pub fn classic(page: &str) -> String {
    let kind = |name: &str, kind: &str| page.contains(&format!("# TYPE {name} {kind}\n"));
    let line = |line: &str| {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "EOF"] => String::new(),
            ["#", word, name, rest] if kind(name, "counter") => format!("# {word} {name}_total {rest}\n"),
            ["#", "TYPE", name, "info"] => format!("# TYPE {name}_info gauge\n"),
            ["#", word, name, rest] if kind(name, "info") => format!("# {word} {name}_info {rest}\n"),
            _ => format!("{line}\n"),
        }
    };
    page.lines().map(line).collect()
}

/// Has promtool look at a page in OpenMetrics form; says `SKIPPED` where there is none installed.
///
/// # Panics
/// When promtool has something to say.
#[track_caller]
pub fn check_page(page: &str) {
    let Some(promtool) = tool::require("promtool") else { return };
    let page = classic(page);
    let mut command = promtool.command();
    let child = command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("promtool runs");
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}\n{page}");
}
