//! A real Prometheus that scrapes the programs under test, and its promtool.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

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

/// Reads `/metrics` of `server` in both forms, asking as `headers` say, and has others look at them: promtool at the one, the
/// parser of Prometheus's Python client at the other. Says `SKIPPED` where one is not installed. Returns Prometheus's own form.
///
/// # Panics
/// When there is something to say of a page, or when one has samples that the other has not.
#[track_caller]
pub fn check_metrics(server: SocketAddr, headers: &[(&str, &str)]) -> String {
    let page = |accept: Option<&str>, kind: &str| {
        let accept = accept.map(|accept| ("Accept", accept));
        let headers: Vec<_> = headers.iter().copied().chain(accept).collect();
        let reply = request(server, "GET", "/metrics", &headers, b"");
        let told = ["content-type", "vary"].map(|name| reply.header(name));
        assert_eq!((reply.status, told), (200, [Some(kind), Some("Accept")]));
        reply.text()
    };
    let classic = page(None, "text/plain; version=0.0.4; charset=utf-8");
    // What Prometheus 2.42 sends.
    let accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                  text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let open = page(Some(accept), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(sample_names(&classic), sample_names(&open));
    if let Some(promtool) = tool::require("promtool") {
        let (_, told) = feed(promtool.command().args(["check", "metrics"]), &classic);
        assert!(told.is_empty(), "{told}\n{classic}");
    }
    let python = || {
        // The one of the system comes first: the client is a package of it.
        let pythons = ["/usr/bin/python3", "python3"];
        pythons.into_iter().find(|python| {
            let import = Command::new(python).args(["-c", "import prometheus_client"]).output();
            import.is_ok_and(|output| output.status.success())
        })
    };
    if let Some(python) = python() {
        let program = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
                       for family in read(sys.stdin.read()):\n    for sample in family.samples: print(sample.name)";
        let (names, _) = feed(Command::new(python).args(["-c", program]), &open);
        assert_eq!(names.lines().map(str::to_owned).collect::<BTreeSet<_>>(), sample_names(&open));
    } else {
        tool::skipped(
            "python3-prometheus-client is not installed, its parser has not read the OpenMetrics page",
        );
    }
    classic
}

/// The names of the series that Prometheus makes of a page.
pub fn sample_names(page: &str) -> BTreeSet<String> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())).collect()
}

/// What a command writes when it reads `page`.
#[track_caller]
fn feed(command: &mut Command, page: &str) -> (String, String) {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("a program that runs");
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("a program that reads");
    let output = child.wait_with_output().expect("a program that ends");
    let [told, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}: {complained}\n{page}", output.status);
    (told, complained)
}
