//! The pages in a real browser: nothing is amiss in its eyes, and it asks nobody else for anything.
//!
//! By hand, with pictures to look at in `target/tmp/pages`:
//! `cargo test -p pcapx-fileserver --test pages -- --ignored --nocapture every_page_is_photographed`

use std::fs;
use std::path::Path;

use pcapx_testkit::browser::{self, photograph, visit};
use pcapx_testkit::process::{Service, Site};

use crate::{fixture, listed, page, start};

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
    let Some(browser) = browser::find() else { return };
    let (site, service, targets) = scene();
    let own = service.url("/");
    // A list, a page with everything, and the hostile ones.
    let hostile = listed(&page(&service, "/?q=x-")).into_iter().map(|name| format!("/?view={name}"));
    for target in targets[..1].iter().cloned().chain(hostile).chain(targets[5..6].iter().cloned()) {
        let visit = visit(&browser, site.path(), &service.url(&target), &["--dump-dom".to_owned()]);
        // A page that refused something, or ran something, would say so here.
        assert_eq!(visit.console, Vec::<String>::new(), "{target}");
        let others: Vec<_> = visit.asked.iter().filter(|url| !url.starts_with(&own)).collect();
        assert!(others.is_empty() && !visit.asked.is_empty(), "{target}: {:?}", visit.asked);
    }
}

#[test]
#[ignore = "makes pictures to be looked at"]
fn every_page_is_photographed() {
    let Some(browser) = browser::find() else { return };
    let (_site, service, targets) = scene();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    let only = std::env::var("PAGES_ONLY").unwrap_or_default();
    for target in targets.iter().filter(|target| target.contains(&only)) {
        let name: String = target.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let console =
            photograph(&browser, &folder, &service.url(target), &format!("page{name}"), [2600, 4200]);
        assert_eq!(console, Vec::<String>::new(), "{target}");
    }
}
