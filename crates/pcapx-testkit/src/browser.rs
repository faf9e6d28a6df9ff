//! A real browser without a window: what it says of a page, and whom it asks.

use std::fs;
use std::path::Path;

use crate::tool::{self, Tool};

/// Either name of the browser's headless form; says `SKIPPED` where there is none.
pub fn find() -> Option<Tool> {
    tool::find("chromium-headless-shell").or_else(|| tool::require("chromium"))
}

/// What a browser found.
#[derive(Debug)]
pub struct Visit {
    /// Lines of its console: what a page refused, or what ran in it.
    pub console: Vec<String>,
    /// URLs that it asked for, each once.
    pub asked: Vec<String>,
    /// What it wrote to its standard output, where `more` asks for something.
    pub output: String,
}

/// Opens `url` in a browser of its own, which keeps its files in `folder` and has `more` options.
///
/// # Panics
///
/// When the browser does not end well.
pub fn visit(browser: &Tool, folder: &Path, url: &str, more: &[String]) -> Visit {
    let profile = tempfile::tempdir_in(folder).expect("a folder for the browser");
    let net_log = profile.path().join("net.json");
    let output = browser
        .command()
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--hide-scrollbars", "--disable-background-networking", "--disable-component-update"])
        .args(["--disable-sync", "--disable-extensions"])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
        .arg(format!("--log-net-log={}", net_log.display()))
        .args(more)
        .arg(url)
        .output()
        .expect("a browser that runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    Visit {
        console: stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect(),
        asked: urls(&fs::read_to_string(net_log).expect("the browser's log of its network")),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// Photographs `url` into `folder`, in both colour schemes on a screen and on a telephone, as high as `heights` say. Returns
/// what the console said.
pub fn photograph(browser: &Tool, folder: &Path, url: &str, name: &str, heights: [u32; 2]) -> Vec<String> {
    let mut console = Vec::new();
    for (width, height) in [1280, 400].into_iter().zip(heights) {
        for scheme in ["light", "dark"] {
            let picture = folder.join(format!("{name}-{width}-{scheme}.png"));
            let more = [
                format!("--screenshot={}", picture.display()),
                format!("--window-size={width},{height}"),
                // Blink's PreferredColorScheme: 0 is dark.
                format!("--blink-settings=preferredColorScheme={}", u8::from(scheme == "light")),
            ];
            console.extend(visit(browser, folder, url, &more).console);
            eprintln!("{}", picture.display());
        }
    }
    console
}

/// The URLs in a log of the browser's network, each once.
fn urls(net_log: &str) -> Vec<String> {
    let parts = net_log.split("\"url\":\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let mut urls: Vec<_> =
        parts.map(|(url, _)| url.to_owned()).filter(|url| url.starts_with("http")).collect();
    urls.sort();
    urls.dedup();
    urls
}
