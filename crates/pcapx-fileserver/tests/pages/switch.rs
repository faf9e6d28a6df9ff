//! Who gets to see pages: nobody as shipped, and whoever may have the files where they are switched on.

use std::fs;

use pcapx_testkit::process::{Service, Site, basic, request};

use crate::{BINARY, assert_has, fixture, get, page, start};

#[test]
fn as_shipped_there_are_no_pages() {
    let site = Site::new();
    fixture::Piece::new("a", "Alert", 0).write(&site.output_dir());
    let service = Service::start(BINARY, &site);
    for target in ["/", "/?q=a", "/?view=20260301_101112_a"] {
        let reply = get(&service, target);
        assert_eq!((reply.status, reply.text().as_str()), (403, "Directory listing disabled"), "{target}");
        assert_eq!(reply.header("content-type"), Some("text/plain"));
    }
}

#[test]
fn a_page_comes_under_a_policy_that_allows_nothing() {
    let mut site = Site::new();
    fixture::Piece::new("a", "Alert", 0).write(&site.output_dir());
    let service = start(&mut site);
    for (target, status) in
        [("/", 200), ("/?view=20260301_101112_a", 200), ("/?view=b", 404), ("/?view=..", 404)]
    {
        let reply = get(&service, target);
        assert_eq!(reply.status, status, "{target}");
        let policy = reply.header("content-security-policy").unwrap();
        let (first, rest) = policy.split_once("; ").unwrap();
        let (style, rest) = rest.split_once("; ").unwrap();
        assert_eq!(first, "default-src 'none'");
        assert!(
            style.starts_with("style-src 'sha256-") && style.len() == "style-src 'sha256-'".len() + 44,
            "{style}"
        );
        assert_eq!(rest, "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{target}");
        }
        let text = reply.text();
        for forbidden in ["<script", " style=", " onclick", "javascript:", "http://", "https://", " src="] {
            let hits: Vec<_> =
                text.match_indices(forbidden).map(|(at, _)| &text[at..text.len().min(at + 80)]).collect();
            // The commands name the configured host.
            let hits: Vec<_> = hits
                .into_iter()
                .filter(|hit| {
                    !hit.starts_with("http://pcap.example.com:0/")
                        && !hit.contains("'http://www.w3.org/2000/svg'")
                        && !hit.starts_with("http://www.w3.org/2000/svg'")
                })
                .collect();
            assert!(hits.is_empty(), "{target}: {hits:?}");
        }
        assert_has(
            &text,
            &["<html lang=\"en\">", "href=\"#main\">Skip to the content</a>", "<main id=\"main\""],
        );
    }
    let head = request(service.address(), "HEAD", "/", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(request(service.address(), "POST", "/", &[], b"x").status, 405);
}

#[test]
fn a_page_stands_behind_the_same_gates_as_a_file() {
    let mut site = Site::new();
    fixture::Piece::new("a", "Alert", 0).write(&site.output_dir());
    site.set("fileserver_auth_user", "ana").set("fileserver_auth_pass", "s3cret");
    let service = start(&mut site);
    let right = basic(b"ana:s3cret");
    for target in ["/", "/?q=x", "/?view=20260301_101112_a", "/20260301_101112_a.json"] {
        let reply = get(&service, target);
        assert_eq!((reply.status, reply.text().as_str()), (401, "Unauthorized"), "{target}");
        let reply = request(service.address(), "GET", target, &[("Authorization", &right)], b"");
        assert_eq!(reply.status, 200, "{target}");
    }
    let reply =
        request(service.address(), "GET", "/?view=20260301_101112_a", &[("Authorization", &right)], b"");
    assert_has(
        &reply.text(),
        &["curl -f -u ana -o ./20260301_101112_a.pcap http://pcap.example.com:0/20260301_101112_a.pcap"],
    );
    assert!(!reply.text().contains("s3cret"));
    service.wait_for_log(|line| {
        line.contains(" user=ana ") && line.contains(" evidence=20260301_101112_a manifests=1 listings=1")
    });
    drop(service);

    site.set("allowed_ips", vec!["10.0.0.0/8"]);
    let service = start(&mut site);
    let reply = request(service.address(), "GET", "/", &[("Authorization", &right)], b"");
    assert_eq!((reply.status, reply.text().as_str()), (403, "Forbidden"));
}

#[test]
fn files_and_folders_are_what_they_were() {
    let mut site = Site::new();
    fs::write(site.output_dir().join("view"), "a file of that name").unwrap();
    fs::create_dir(site.output_dir().join("day")).unwrap();
    let service = start(&mut site);
    assert_eq!(get(&service, "/view").text(), "a file of that name");
    assert_eq!(get(&service, "/view?view=x").text(), "a file of that name");
    let reply = get(&service, "/day/");
    assert_eq!((reply.status, reply.text().as_str()), (403, "Directory listing disabled"));
    assert_has(&page(&service, "/"), &["There is no evidence yet."]);
}
