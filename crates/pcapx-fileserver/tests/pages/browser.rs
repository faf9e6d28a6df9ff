//! The pages in a real browser: nothing is amiss in its eyes, and it asks nobody else for anything.
//!
//! By hand, with pictures to look at in `target/tmp/pages`:
//! `cargo test -p pcapx-fileserver --test pages -- --ignored --nocapture every_page_is_photographed`

use std::fs;
use std::path::{Path, PathBuf};

use pcapx_testkit::process::{Service, Site};
use pcapx_testkit::tool::{self, Tool};

use crate::{fixture, listed, page, start};

/// Either name of the browser's headless form.
fn browser() -> Option<Tool> {
    tool::find("chromium-headless-shell").or_else(|| tool::require("chromium"))
}

/// What a browser found.
struct Visit {
    /// Lines of its console.
    console: Vec<String>,
    /// URLs that it asked for.
    asked: Vec<String>,
}

/// Opens `url` in a browser of its own.
fn visit(browser: &Tool, site: &Site, url: &str, more: &[String]) -> Visit {
    let profile = tempfile::tempdir_in(site.path()).unwrap();
    let net_log = profile.path().join("net.json");
    let output = browser
        .command()
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
        ])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
        .arg(format!("--log-net-log={}", net_log.display()))
        .args(more)
        .arg(url)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let console = stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Visit { console, asked: urls(&fs::read_to_string(net_log).unwrap()) }
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

fn scene() -> (Site, Service, Vec<String>) {
    let mut site = Site::new();
    fixture::scene(&site.output_dir());
    let service = start(&mut site);
    let mut targets = vec!["/".to_owned(), "/?q=beacon".to_owned(), "/?view=nothing".to_owned()];
    targets
        .extend(listed(&page(&service, "/")).into_iter().take(11).map(|name| format!("/?view={name}&still")));
    targets.push("/?view=20250101_120000_4711".to_owned());
    (site, service, targets)
}

#[test]
fn a_browser_has_nothing_to_complain_of_and_asks_nobody_else() {
    let Some(browser) = browser() else { return };
    let (site, service, targets) = scene();
    let own = service.url("/");
    // A list, a page with everything, and the hostile ones.
    let hostile = listed(&page(&service, "/?q=x-")).into_iter().map(|name| format!("/?view={name}"));
    for target in targets[..1].iter().cloned().chain(hostile).chain(targets[5..6].iter().cloned()) {
        let visit = visit(&browser, &site, &service.url(&target), &["--dump-dom".to_owned()]);
        // A page that refused something, or ran something, would say so here.
        assert_eq!(visit.console, Vec::<String>::new(), "{target}");
        let others: Vec<_> = visit.asked.iter().filter(|url| !url.starts_with(&own)).collect();
        assert!(others.is_empty() && !visit.asked.is_empty(), "{target}: {:?}", visit.asked);
    }
}

#[test]
#[ignore = "makes pictures to be looked at"]
fn every_page_is_photographed() {
    let Some(browser) = browser() else { return };
    let (site, service, targets) = scene();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    let only = std::env::var("PAGES_ONLY").unwrap_or_default();
    for target in targets.iter().filter(|target| target.contains(&only)) {
        for (width, height) in [(1280, 2600), (400, 4200)] {
            for scheme in ["light", "dark"] {
                let picture = picture(&folder, target, width, scheme);
                let mut more = vec![
                    format!("--screenshot={}", picture.display()),
                    format!("--window-size={width},{height}"),
                ];
                // Blink's PreferredColorScheme: 0 is dark.
                more.push(format!("--blink-settings=preferredColorScheme={}", u8::from(scheme == "light")));
                let visit = visit(&browser, &site, &service.url(target), &more);
                assert_eq!(visit.console, Vec::<String>::new(), "{target}");
                eprintln!("{}", picture.display());
            }
        }
    }
}

fn picture(folder: &Path, target: &str, width: u32, scheme: &str) -> PathBuf {
    let name: String = target.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    folder.join(format!("page{name}-{width}-{scheme}.png"))
}
