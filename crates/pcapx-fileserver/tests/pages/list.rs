//! The list: order, paging, search, and what comes and goes.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use pcapx_core::manifest::State;
use pcapx_testkit::process::Site;

use crate::fixture::{AT, Piece, hostile, scene};
use crate::{assert_has, between, get, listed, page, start};

/// Alerts `a_0`, `a_1` … one second apart, the last one the newest.
fn many(site: &Site, count: i64) -> Vec<String> {
    let mut names: Vec<String> = (0..count)
        .map(|number| {
            let mut piece = Piece::new(&format!("a_{number}"), &format!("Alert number {number}"), number);
            piece.digest = None;
            piece.manifest.bytes = Some(10);
            piece.write(&site.output_dir());
            piece.manifest.name
        })
        .collect();
    names.reverse();
    names
}

pub(crate) fn link(page: &str, text: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\">{text}</a>"))?;
    Some(format!("/{}", before.rsplit_once("href=\"")?.1.replace("&amp;", "&")))
}

#[test]
fn pages_lead_from_the_newest_to_the_oldest_and_back() {
    let mut site = Site::new();
    let names = many(&site, 120);
    let service = start(&mut site);
    let first = page(&service, "/");
    assert_eq!(listed(&first), names[..50]);
    assert_has(&first, &["1–50 of 120, newest first"]);
    assert!(link(&first, "← Newer").is_none() && link(&first, "Newest").is_none());

    let second = page(&service, &link(&first, "Older →").unwrap());
    assert_eq!(listed(&second), names[50..100]);
    assert_has(&second, &["51–100 of 120, newest first"]);
    let third = page(&service, &link(&second, "Older →").unwrap());
    assert_eq!(listed(&third), names[100..]);
    assert!(link(&third, "Older →").is_none());
    assert_eq!(listed(&page(&service, &link(&third, "← Newer").unwrap())), names[50..100]);
    assert_eq!(link(&third, "Newest").as_deref(), Some("/./"));

    // A page does not shift when newer evidence comes.
    Piece::new("new", "New", 500).write(&site.output_dir());
    assert_eq!(listed(&page(&service, &link(&first, "Older →").unwrap())), names[50..100]);
    assert_eq!(listed(&page(&service, "/"))[1..], names[..49]);
    service.wait_for_log(|line| {
        line.contains(" path=/ status=200 ") && line.ends_with(" manifests=50 listings=1")
    });
}

#[test]
fn a_row_has_what_the_manifest_tells() {
    let mut site = Site::new();
    scene(&site.output_dir());
    let service = start(&mut site);
    let text = page(&service, "/");
    let rows = between(&text, "<tr role=\"row\"><td", "</tr>");
    assert_eq!(rows.len(), 43);
    let row = |part: &str| *rows.iter().find(|row| row.contains(part)).unwrap_or_else(|| panic!("{part}"));
    assert_has(
        row("alert_12345"),
        &[
            "<time datetime=\"2026-03-01T09:11:12.000000000Z\">2026-03-01 10:11:12</time>",
            "<a href=\"?view=20260301_101112_alert_12345\"><bdi>C2 beacon to a known address</bdi></a>",
            "<code><bdi>tcp and host 10.20.0.14 and host 203.0.113.77 and port 443</bdi></code>",
            "4 955<span class=\"unit\"> packets</span>",
            "4.10 MB",
            "<span class=\"state complete\">complete</span>",
        ],
    );
    for (part, mark) in [
        ("alert_99121", "open\">collecting"),
        ("alert_99120", "queued\">queued"),
        ("alert_12343", "no_match\">no match"),
        ("alert_12342", "partial\">partial"),
        ("alert_12341", "failed\">failed"),
        ("20250101_120000_4711", "bare\">file only"),
    ] {
        assert_has(row(part), &[&format!("<span class=\"state {mark}</span>")]);
    }
    assert_has(row("_ask_"), &[">Asked by hand</a>", "net 10.20.0.0/16 and not port 443"]);
    assert_has(row("20250101_120000_4711"), &["<time>2025-01-01 12:00:00</time>", "7.34 MB"]);
    // What has no time in its name stands where its file was written, which is long ago.
    assert_has(rows[42], &["?view=capture%20from%20the%20lab", "<bdi>capture from the lab</bdi>", "52 kB"]);
}

#[test]
fn a_file_without_a_time_in_its_name_stands_by_the_time_that_is_shown() {
    let mut site = Site::new();
    let names = many(&site, 60);
    let folder = site.output_dir();
    let put = |name: &str, secs: i64| {
        let file = fs::File::create(folder.join(name)).unwrap();
        let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(AT + secs).unwrap());
        file.set_modified(at).unwrap();
    };
    put("newest.pcap", 1000);
    put("last of the page.pcap", 11);
    let service = start(&mut site);
    let first = page(&service, "/");
    assert_eq!(listed(&first)[0], "newest");
    assert_eq!(listed(&first)[1..49], names[..48]);
    assert_eq!(listed(&first)[49], "last%20of%20the%20page");
    assert_has(&first, &["2026-03-01 10:11:23</time>"]);
    // Pages lead on from it, and from where it was when it is gone.
    let older = link(&first, "Older →").unwrap();
    assert_eq!(older, "/?before=last%20of%20the%20page&at=20260301_101123");
    assert_eq!(listed(&page(&service, &older)), names[48..]);
    fs::remove_file(folder.join("last of the page.pcap")).unwrap();
    assert_eq!(listed(&page(&service, &older)), names[48..]);
    // What is dated anew while the service runs takes its new place.
    put("newest.pcap", -1000);
    assert_eq!(listed(&page(&service, "/")), names[..50]);
    assert_eq!(listed(&page(&service, &older)).last().unwrap(), "newest");
}

#[test]
fn names_that_mean_harm_are_text() {
    let mut site = Site::new();
    for piece in hostile() {
        piece.write(&site.output_dir());
    }
    fs::write(site.output_dir().join("\"><script>alert(3)\u{202e}\n.pcap"), "x").unwrap();
    let service = start(&mut site);
    let text = page(&service, "/");
    assert_has(
        &text,
        &[
            "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;</bdi>",
            "<bdi>התחברות חשודה ⟨U+202E⟩gpj.exe</bdi>",
            "… (10120 more characters)</bdi>",
            "<bdi>&quot;&gt;&lt;script&gt;alert(3)⟨U+202E⟩␊</bdi>",
            "href=\"?view=%22%3E%3Cscript%3Ealert%283%29%E2%80%AE%0A\"",
        ],
    );
    assert!(!text.contains("<script") && !text.contains("<img") && !text.contains('\u{202e}'));
    assert!(text.len() < 40_000, "{}", text.len());
    let text = page(&service, "/?q=%3Cscript%3E%22&day=%22%3E");
    assert_has(&text, &["value=\"&lt;script&gt;&quot;\"", "“<bdi>&lt;script&gt;&quot;</bdi>”"]);
    assert!(!text.contains("<script"));
}

#[test]
fn what_is_found_is_in_the_manifest() {
    let mut site = Site::new();
    scene(&site.output_dir());
    let service = start(&mut site);
    let found = |query: &str| listed(&page(&service, &format!("/?q={query}")));
    assert_eq!(found("c2+BEACON"), ["20260301_101112_alert_12345"]);
    assert_eq!(found("192.0.2.7"), ["20260301_093752_alert_12342"]);
    assert_eq!(found("20250101"), ["20250101_120000_4711"]);
    assert_eq!(found("lab"), ["capture%20from%20the%20lab"]);
    assert_eq!(found("beacon+192.0.2.7"), Vec::<String>::new());
    assert_has(
        &page(&service, "/?q=nowhere"),
        &["0 matches for “<bdi>nowhere</bdi>” in 43 of 43 looked at, down to the oldest"],
    );
    let day = page(&service, "/?q=beacon&day=2026-02-28");
    assert_has(&day, &["value=\"2026-02-28\"", "value=\"beacon\"", "Search from the newest"]);
    assert!(listed(&day).iter().all(|name| name.starts_with("20260228")) && !listed(&day).is_empty());
}

#[test]
fn a_name_is_found_among_all_and_a_full_page_goes_on() {
    let mut site = Site::new();
    let folder = site.output_dir();
    let (newest, oldest) = (Piece::new("needle", "Needle", 10_000), Piece::new("needle", "Needle", 0));
    for piece in [&newest, &oldest] {
        piece.write(&folder);
    }
    fs::write(folder.join("seed.pcap"), "x").unwrap();
    for number in 0..6500 {
        let name =
            format!("20260301_{:02}{:02}{:02}_h.pcap", 11 + number / 3600, number / 60 % 60, number % 60);
        fs::hard_link(folder.join("seed.pcap"), folder.join(name)).unwrap();
    }
    fs::remove_file(folder.join("seed.pcap")).unwrap();
    let service = start(&mut site);
    let found = page(&service, "/?q=needle");
    assert_eq!(listed(&found), [newest.manifest.name, oldest.manifest.name]);
    let told = "2 matches for “<bdi>needle</bdi>” in 6 502 of 6 502 looked at, down to the oldest";
    assert_has(&found, &[told]);
    assert!(link(&found, "Go on searching older evidence").is_none());

    // A page full of matches goes on where it stopped.
    let first = page(&service, "/?q=_h");
    assert_eq!(listed(&first).len(), 50);
    let second = page(&service, &link(&first, "Go on searching older evidence").unwrap());
    let (last, next) = (listed(&first)[49].clone(), listed(&second)[0].clone());
    assert_eq!((last.as_str(), next.as_str()), ("20260301_124730_h", "20260301_124729_h"));
}

#[test]
fn what_comes_and_goes_is_in_the_next_answer() {
    let mut site = Site::new();
    let folder = site.output_dir();
    let service = start(&mut site);
    assert_has(&page(&service, "/"), &["There is no evidence yet."]);
    let piece = Piece::new("a", "Alert", 0);
    piece.clone().empty(State::Queued, None).write(&folder);
    assert_has(&page(&service, "/"), &["1–1 of 1, newest first", ">queued</span>"]);
    piece.write(&folder);
    assert_has(&page(&service, "/"), &["1–1 of 1, newest first", ">complete</span>"]);
    fs::remove_file(folder.join("20260301_101112_a.json")).unwrap();
    assert_has(&page(&service, "/"), &[">file only</span>"]);
    fs::write(folder.join("20260301_101112_a.json"), "{").unwrap();
    assert_has(&page(&service, "/"), &[">manifest damaged</span>"]);
    for entry in fs::read_dir(&folder).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_has(&page(&service, "/"), &["There is no evidence yet."]);
    fs::remove_dir(&folder).unwrap();
    assert_eq!(get(&service, "/").status, 200);
}
