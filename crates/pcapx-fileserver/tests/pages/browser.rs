//! The pages in a real browser: nothing is amiss in its eyes, and it asks nobody else for anything.
//!
//! By hand, with pictures to look at in `target/tmp/pages`:
//! `cargo test -p pcapx-fileserver --test pages -- --ignored --nocapture every_page_is_photographed`

use std::fs;
use std::path::Path;

use pcapx_core::manifest::Span;
use pcapx_testkit::browser::{self, photograph, visit};
use pcapx_testkit::devtools::Devtools;
use pcapx_testkit::process::{Service, Site};

use crate::fixture::{self, Piece, at, brief};
use crate::{listed, page, start};

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

/// Evidence of windows from two seconds to five days, each full of packets.
fn windows(site: &Site) {
    for (number, seconds) in [2u32, 3, 7, 45, 720, 7200, 86_400, 432_000].into_iter().enumerate() {
        let begin = 1000 * i64::try_from(number).unwrap();
        let mut piece = Piece::new(&format!("w-{seconds}"), "A window", begin).change(|manifest| {
            manifest.asked = Span { from: at(begin), to: at(begin + i64::from(seconds)) };
            manifest.covered = vec![manifest.asked];
        });
        if let Some(digest) = &mut piece.digest {
            (digest.first, digest.last) = (Some(at(begin)), Some(at(begin + i64::from(seconds))));
            digest.bins.start = Some(at(begin));
            digest.bins.width_ms = u64::from(seconds) * 1000 / 500;
            digest.bins.counts.truncate(500);
        }
        piece.write(&site.output_dir());
    }
    brief().write(&site.output_dir());
}

fn windowed(service: &Service) -> Vec<String> {
    let names = ["w-", "brief"].map(|text| listed(&page(service, &format!("/?q={text}"))));
    names.concat().iter().map(|name| format!("/?view={name}")).collect()
}

#[test]
fn all_text_can_be_read_at_any_width_in_either_scheme() {
    let Some(browser) = browser::find() else { return };
    let (site, service, mut targets) = scene();
    windows(&site);
    targets.extend(windowed(&service));
    let devtools = Devtools::start(&browser, site.path());
    let mut labels = 0;
    for target in &targets {
        devtools.look(1280, "light");
        devtools.open(&service.url(target));
        for (width, scheme) in
            [(1280, "light"), (1280, "dark"), (740, "light"), (400, "light"), (400, "dark"), (320, "dark")]
        {
            devtools.look(width, scheme);
            labels += devtools.assert_legible(&format!("{target} {width} {scheme}"));
        }
    }
    assert!(labels > 500, "{labels}");
    assert!(devtools.complaints().iter().all(|said| said.contains("404")), "{:?}", devtools.complaints());
}

#[test]
fn the_keyboard_stops_at_everything_in_order_and_one_sees_where() {
    let Some(browser) = browser::find() else { return };
    let (site, service, targets) = scene();
    let devtools = Devtools::start(&browser, site.path());
    for (width, scheme) in [(1280, "light"), (400, "dark")] {
        devtools.look(width, scheme);
        devtools.open(&service.url("/"));
        let stops = devtools.walk("the list");
        assert_eq!(
            stops[..5],
            ["a Skip to the content", "a pcapx", "input[q]", "input[day]", "button Search"]
        );
        assert_eq!(stops.len(), 5 + 43);
        let evidence = targets.iter().find(|target| target.contains("alert_12345")).unwrap();
        devtools.open(&service.url(evidence));
        let stops = devtools.walk("evidence");
        assert_eq!(
            stops[..5],
            ["a Skip to the content", "a pcapx", "a ← All evidence", "a Download 4.10\u{a0}MB", "a Manifest"]
        );
        assert!(stops[5..].contains(&"summary Gaps".to_owned()), "{stops:?}");
    }
    // The first stop leads past everything that each page begins with.
    devtools.open(&service.url("/"));
    devtools.press("Tab", false);
    devtools.press("Enter", false);
    assert_eq!(devtools.evaluate("document.activeElement.id"), "main");
    devtools.press("Tab", false);
    assert_eq!(devtools.evaluate("document.activeElement.name"), "q");
    // A search needs no mouse.
    devtools.type_text("beacon");
    devtools.press("Enter", false);
    devtools.wait_for("location.search.startsWith('?q=beacon')");
}

#[test]
#[ignore = "makes pictures to be looked at"]
fn every_page_is_photographed() {
    let Some(browser) = browser::find() else { return };
    let (site, service, mut targets) = scene();
    windows(&site);
    targets.extend(windowed(&service));
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
