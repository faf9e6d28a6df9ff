//! The pages of the listener: the recorder and jobs at a glance, and the form for a question by hand.

use std::fs;
use std::path::Path;

use pcapx_core::time::Timestamp;
use pcapx_testkit::browser::{self, photograph, visit};
use pcapx_testkit::devtools::Devtools;
use pcapx_testkit::process::{self, Connection, PATIENCE, Reply, Service, Site, basic, poll};
use serde_json::{Value, json};

use crate::fake::{Fake, HELD};
use crate::shelf::{self, AT, alert, manifests, record};
use crate::{ALERT, listener, post, told};

/// What a browser accepts when somebody follows a link or sends a form.
const BROWSER: (&str, &str) =
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const OWN: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

/// The form that asks for the packets of two flows of [`record`].
const ASKED: &str = "view=ask&filter=host+10.1.0.3+or+host+10.1.0.4&from=2025-02-09T11%3A19%3A50&to=2025-02-09T11%3A20%3A10&format=pcap";

fn get(service: &Service, target: &str) -> Reply {
    process::request(service.address(), "GET", target, &[BROWSER], b"")
}

fn send(service: &Service, headers: &[(&str, &str)], form: &str) -> Reply {
    process::request(service.address(), "POST", "/?view=ask", headers, form.as_bytes())
}

/// A page's text; narrow and unbroken blanks as plain ones.
#[track_caller]
fn page(reply: &Reply, status: u16) -> String {
    let kind = reply.header("content-type");
    assert_eq!((reply.status, kind), (status, Some("text/html; charset=utf-8")), "{}", reply.text());
    reply.text().replace(['\u{a0}', '\u{202f}'], " ")
}

#[track_caller]
fn assert_has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part}\nis not in\n{page}");
    }
}

/// Writes the status of a recorder that is at work, with some figures, after so many seconds of 1 Mbit/s.
fn status(site: &Site, seconds: u64, more: &Value) {
    let now = Timestamp::now().as_nanos();
    let mut status = json!({
        "program": "pcapx-recorder 0.1.0", "process": 1, "started_at_ns": 1_739_000_000_000_000_000_i64,
        "written_at_ns": now, "running": true, "searchable_up_to_ns": now - 500_000_000,
        "oldest_kept_ns": now - 3_600_000_000_000_i64, "sources": ["eth0", "<script>alert(1)</script>"],
        "packets_received": seconds * 1250, "bytes_received": seconds * 125_000, "kernel_drops": 7,
        "packets_per_second": 1250.0, "bits_per_second": 1e6, "burst_packets_per_second": 9000.0,
        "burst_bits_per_second": 5e6, "ring_fill": 0.03, "queue_fill": 0.1, "slowest_write_ms": 1.5,
        "bytes_kept": 1_500_000_000_000_u64, "disk_limit_bytes": 2_000_000_000_000_u64, "disk_free_bytes": 800_000_000_000_u64,
    });
    status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let hidden = site.timeline_dir().join(".pcapx-recorder.json.new");
    fs::write(&hidden, status.to_string()).unwrap();
    fs::rename(hidden, site.timeline_dir().join(".pcapx-recorder.json")).unwrap();
}

fn site() -> Site {
    let mut site = Site::new();
    site.set("allow_ad_hoc", true).set("fileserver_port", 8081).set("extractor", "builtin");
    record(&site, 8);
    site
}

#[test]
fn who_names_no_html_is_told_in_json_as_ever() {
    let service = listener(&site());
    let plain = process::request(service.address(), "GET", "/", &[], b"");
    assert!(plain.status == 200 && plain.text().starts_with("{\n  \"status\": \"ok\""));
    for (target, accept) in [
        ("/", "*/*"),
        ("/", "application/json"),
        ("/", "application/json, text/html"),
        ("/", "text/*"),
        ("/", "text/html;q=0"),
        ("/?view=ask", "*/*"),
        ("/extract", "text/html"),
        ("/&filter=full", "text/html"),
        ("/index.html", BROWSER.1),
    ] {
        let reply = process::request(service.address(), "GET", target, &[("Accept", accept)], b"");
        let names = |reply: &Reply| {
            let names = reply.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
            names.collect::<Vec<_>>()
        };
        assert_eq!(told(&reply), told(&plain), "{target} {accept}");
        assert_eq!(names(&reply), names(&plain), "{target} {accept}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let reply = get(&service, "/");
    page(&reply, 200);
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!((reply.header("cache-control"), reply.header("x-result")), (Some("no-store"), None));
}

#[test]
fn pages_stand_behind_the_gates() {
    let mut site = site();
    site.set("listener_auth_user", "u").set("listener_auth_pass", "p");
    let service = listener(&site);
    let right = basic(b"u:p");
    for (method, body) in [("GET", ""), ("POST", ASKED)] {
        let with = |more: &[(&str, &str)]| {
            let headers = [&[BROWSER, FORM, OWN][..], more].concat();
            process::request(service.address(), method, "/?view=ask", &headers, body.as_bytes())
        };
        assert_eq!(told(&with(&[])), (401, "Unauthorized".to_owned()));
        assert!(with(&[("Authorization", &right)]).status < 400);
    }
    let mut closed = Site::new();
    closed.set("listener_allowed_ips", json!(["192.0.2.1"]));
    assert_eq!(told(&get(&listener(&closed), "/")), (403, "Forbidden".to_owned()));
}

#[test]
fn the_overview_tells_of_recorder_disks_and_jobs() {
    let mut site = site();
    site.set("directory_listing", true).set("max_queued_extractions", 5);
    status(&site, 1, &json!({}));
    let service = listener(&site);
    assert_eq!(post(service.address(), "/", &alert("good", 3)).status, 200);
    let first = page(&get(&service, "/"), 200);
    assert_has(
        &first,
        &[
            r#"<span class="state complete">recording</span>"#,
            "<code><bdi>eth0</bdi></code>, <code><bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi></code>",
            "<dt>The recording reaches back</dt><dd>1 h<small>to ",
            "<dt>Received now</dt><dd>1 Mbit/s<small>1 250 packets/s</small>",
            "<dt>Lost since the recorder started</dt><dd>7 packets<small>",
            "<dt>The recording takes</dt><dd>1.50 TB<small>of 2 TB that it may take</small>",
            "<rect class=\"kept\" width=\"75%\"",
            "<dt>The ring was full to</dt><dd>3%</dd>",
            "0 running of at most 1, 0 waiting of at most 5, 0 not done.",
            r#"<meta http-equiv="refresh" content="10">"#,
            r#"<a class="button first" href="?view=ask">Ask for packets</a>"#,
            r#"<a href="http://127.0.0.1:8081/?view=20250209_112000_good"><bdi>Flow 3</bdi></a>"#,
            "<code><bdi>tcp and host 10.1.0.4 and host 10.0.0.20 and port 443</bdi></code>",
        ],
    );
    assert!(!first.contains("<script") && !first.contains("Last failures"), "{first}");
    assert!(!page(&get(&service, "/?still"), 200).contains("http-equiv"));
    for (running, more, part) in [
        (
            true,
            json!({ "written_at_ns": 1_739_000_000_000_000_000_i64 }),
            "The recorder has not told of itself since",
        ),
        (false, json!({ "running": false }), "The recorder has ended at"),
    ] {
        status(&site, 1, &more);
        let page = page(&get(&service, "/"), 200);
        assert_has(&page, &[part, r#"<span class="state failed">"#]);
        assert!(!page.contains("Received now"), "{running}: {page}");
    }
    fs::write(site.timeline_dir().join(".pcapx-recorder.json"), "{").unwrap();
    assert_has(&page(&get(&service, "/"), 200), &["The recorder’s status cannot be read"]);
    fs::remove_file(site.timeline_dir().join(".pcapx-recorder.json")).unwrap();
    let other = page(&get(&service, "/"), 200);
    // The time that its oldest packet tells, whenever the file was written.
    assert_has(
        &other,
        &["No pcapx-recorder writes to this timeline", r#"<small>to <time datetime="2025-02-09T11:19:58."#],
    );
    assert!(!other.contains("The last hour"), "{other}");
    // A page tells neither paths nor what the system said.
    let moved = site.path().join("moved");
    fs::rename(site.timeline_dir(), &moved).unwrap();
    let gone = page(&get(&service, "/"), 200);
    assert!(!gone.contains(site.path().to_str().unwrap()), "{gone}");
    fs::rename(moved, site.timeline_dir()).unwrap();
}

/// The overview once it has a curve, which takes two looks at the recorder.
fn drawn(site: &Site, service: &Service) -> String {
    let began = Timestamp::now().as_nanos();
    let drawn = poll(PATIENCE, || {
        let seconds = u64::try_from((Timestamp::now().as_nanos() - began) / 1_000_000_000).unwrap();
        status(site, 1 + seconds, &json!({ "kernel_drops": 7 + seconds }));
        let page = page(&get(service, "/?still"), 200);
        page.contains("class=\"curve\"").then_some(page)
    });
    drawn.unwrap_or_else(|| panic!("{}", page(&get(service, "/"), 200)))
}

#[test]
fn the_last_hour_is_drawn_from_what_the_recorder_tells() {
    let site = site();
    status(&site, 1, &json!({}));
    let service = listener(&site);
    let drawn = drawn(&site, &service);
    assert_has(
        &drawn,
        &[
            "bit/s on average, at most",
            "class=\"area\"",
            "class=\"lost\"",
            " lost/min</text>",
            " since the recorder started</small>",
        ],
    );
    let Some(browser) = browser::find() else { return };
    let devtools = Devtools::start(&browser, site.path());
    devtools.open(&service.url("/?still"));
    for width in [1280, 400, 320] {
        devtools.look(width, "light");
        assert!(devtools.assert_legible(&format!("the last hour at {width}")) > 2);
    }
}

#[test]
fn jobs_that_wait_run_and_fail_are_told() {
    let mut fake = Fake::new(&format!("{HELD}\nfalse"));
    fake.site.set("max_queued_extractions", 1).set("fileserver_port", 8081);
    let service = fake.listener();
    let server = service.address();
    let asking: Vec<_> = (0..2)
        .map(|number| {
            let alert = ALERT.replace("alert_12345", &format!("a{number}"));
            std::thread::spawn(move || post(server, "/", &alert))
        })
        .collect();
    let busy = poll(PATIENCE, || {
        let page = page(&get(&service, "/"), 200);
        page.contains("1 running of at most 1, 1 waiting of at most 1, 2 not done.").then_some(page)
    });
    let busy = busy.unwrap_or_else(|| panic!("{}", page(&get(&service, "/"), 200)));
    assert_has(
        &busy,
        &["Jobs that are not done", r#"<span class="state queued">queued</span>"#, "Suspicious traffic"],
    );
    fake.release(2);
    for asked in asking {
        assert_eq!(asked.join().unwrap().status, 200);
    }
    let failed = poll(PATIENCE, || {
        let page = page(&get(&service, "/"), 200);
        page.contains("Last failures").then_some(page)
    });
    assert_has(&failed.unwrap(), &["Jobs that have failed", r#"<span class="state failed">failed</span>"#]);
}

#[test]
fn what_is_hostile_is_shown_as_text() {
    let mut site = site();
    site.set("directory_listing", true);
    let service = listener(&site);
    let long = "x".repeat(10_240);
    for (number, name) in ["<script>alert(1)</script>", "\u{202e}gpj.exe שלום", &long].iter().enumerate()
    {
        let mut alert: Value = serde_json::from_str(&alert(&format!("h{number}"), 3)).unwrap();
        alert["name"] = json!(name);
        assert_eq!(post(service.address(), "/", &alert.to_string()).status, 200);
    }
    let overview = page(&get(&service, "/"), 200);
    assert_has(
        &overview,
        &[
            "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
            "⟨U+202E⟩gpj.exe שלום",
            "… (10120 more characters)",
        ],
    );
    assert!(!overview.contains("<script") && overview.len() < 40_000, "{}", overview.len());
    for target in [
        "/?view=ask&filter=%3Cscript%3Ealert(1)%3C/script%3E&from=%22%3E%3Cscript%3E&to=%3C/main%3E",
        "/?job=%3Cscript%3E",
        "/?job=20250209_112000_h0",
    ] {
        let reply = get(&service, target);
        // The form has one of ours.
        let scripts = usize::from(target.contains("view=ask"));
        assert_eq!(reply.text().matches("<script").count(), scripts, "{target}: {}", reply.text());
        assert!(reply.status < 500, "{target}");
    }
}

#[test]
fn check_shows_what_would_be_asked_and_does_nothing() {
    let site = site();
    let service = listener(&site);
    let form = page(&get(&service, "/?view=ask"), 200);
    assert_has(
        &form,
        &[
            r#"<form class="ask" action="./?view=ask#told" method="post">"#,
            r#"<button type="submit" formmethod="get" formaction="./#told">Check</button>"#,
            r#"<a href="?view=ask&amp;last=900" aria-label="The last 15 minutes">15 minutes</a>"#,
            r#"<input type="datetime-local" name="from" step="1" value="20"#,
            "Times are local to the server: UTC.",
        ],
    );
    assert!(!form.contains("http-equiv"), "a form that is being filled in is not taken away");
    let checked =
        page(&get(&service, &format!("/?{}", ASKED.replace("host+10.1.0.4", "(udp+%26%26+port+53)"))), 200);
    assert_has(
        &checked,
        &[
            "<bdi>host 10.1.0.3 or (udp and port 53)</bdi>",
            "2025-02-09T11:19:50Z</span> – <span class=\"nowrap\">2025-02-09T11:20:10Z",
            r#"value="host 10.1.0.3 or (udp &amp;&amp; port 53)""#,
            r#"value="2025-02-09T11:19:50""#,
        ],
    );
    let wrong = page(
        &get(
            &service,
            "/?view=ask&filter=host+10.1.0.3+adn+port+53&from=2025-02-09T11:00&to=2025-02-09T12:00",
        ),
        200,
    );
    assert_has(&wrong, &["<mark><bdi>adn</bdi></mark>", "Position 15", r#"aria-invalid="true""#]);
    assert!(manifests(&site).is_empty());
}

#[test]
fn extract_leads_to_the_evidence() {
    let site = site();
    let service = listener(&site);
    let sent = send(&service, &[BROWSER, FORM, OWN], ASKED);
    assert_eq!((sent.status, sent.text()), (303, String::new()));
    let place = sent.header("location").unwrap();
    let name = place.strip_prefix("./?job=").unwrap_or_else(|| panic!("{place}"));
    let found = shelf::manifest(&site, name);
    assert_eq!(
        (found.filter.as_str(), found.packets, found.about),
        ("host 10.1.0.3 or host 10.1.0.4", Some(7), None)
    );
    let job = page(&get(&service, &format!("/?job={name}")), 200);
    let link = format!(r#"<a class="button first" href="http://127.0.0.1:8081/{name}.pcap">Download</a>"#);
    assert_has(
        &job,
        &["<h1>Asked by hand</h1>", r#"<span class="state complete">complete</span>"#, &link, "<dd>7</dd>"],
    );
    assert!(!job.contains("http-equiv"));
    // The same as a program would have asked.
    let same = json!({"filter": "host 10.1.0.3 or host 10.1.0.4", "from": AT - 10, "to": AT + 10});
    assert!(post(service.address(), "/", &same.to_string()).text().ends_with(&format!("/{name}.pcap")));
    assert_eq!(get(&service, "/?job=nothing").status, 404);
    // What is not found has a page that says so.
    let none = send(&service, &[BROWSER, FORM, OWN], &ASKED.replace("10.1.0", "10.9.9"));
    let none = page(&get(&service, &none.header("location").unwrap()[1..]), 200);
    assert_has(&none, &[r#"<span class="state no_match">no match</span>"#]);
    assert!(!none.contains("Download"));
}

#[test]
fn only_a_form_of_ours_may_ask() {
    let site = site();
    let service = listener(&site);
    let (own, other) = (format!("http://{}", service.address()), format!("http://x.{}", service.address()));
    let origin = |value| ("Origin", value);
    for (more, status) in [
        (vec![OWN], 303),
        (vec![OWN, origin("null")], 303),
        (vec![origin(own.as_str())], 303),
        (vec![], 403),
        (vec![origin("null")], 403),
        (vec![origin(other.as_str())], 403),
        (vec![("Sec-Fetch-Site", "cross-site"), origin(own.as_str())], 403),
        (vec![("Sec-Fetch-Site", "same-site"), origin(own.as_str())], 403),
        (vec![("Sec-Fetch-Site", "none")], 403),
        (vec![OWN, ("Sec-Fetch-Site", "cross-site")], 403),
        (vec![origin(own.as_str()), origin(other.as_str())], 403),
        (vec![("Referer", own.as_str())], 403),
    ] {
        let before = manifests(&site).len();
        // Each question is another one.
        let form = ASKED.replace("A10&", &format!("A{:02}&", 10 + before));
        let reply = send(&service, &[&[BROWSER, FORM][..], &more].concat(), &form);
        assert_eq!(reply.status, status, "{more:?}: {}", reply.text());
        assert_eq!(manifests(&site).len(), before + usize::from(status == 303), "{more:?}");
        if status == 403 {
            assert_has(
                &page(&reply, 403),
                &["This was not sent by the form on this page", "host 10.1.0.3 or host 10.1.0.4"],
            );
        }
    }
    // The same in JSON, which a page of another site can make a browser send as well.
    let question = json!({"filter": "port 443", "from": AT - 10, "to": AT + 10}).to_string();
    for (more, asked, alerted) in [
        (vec![], 200, 200),
        (vec![OWN], 200, 200),
        (vec![("Sec-Fetch-Site", "cross-site")], 403, 403),
        (vec![("Origin", "http://elsewhere")], 403, 403),
    ] {
        let answered = |body: &str| process::request(service.address(), "POST", "/", &more, body.as_bytes());
        assert_eq!(answered(&question).status, asked, "{more:?}");
        assert_eq!(answered(&alert("a", 1)).status, alerted, "{more:?}");
    }
}

#[test]
fn without_credentials_a_name_that_is_pointed_here_may_not_ask() {
    let question = json!({"filter": "port 443", "from": AT - 10, "to": AT + 10}).to_string();
    for (user, host, form, asked) in [
        ("", "rebound.example.net:8888", 403, 403),
        ("", "pcap.example.com", 303, 200),
        ("", "localhost:8888", 303, 200),
        ("u", "rebound.example.net:8888", 303, 200),
    ] {
        let mut site = site();
        site.set("allow_ad_hoc", true).set("download_url_base", "https://pcap.example.com/evidence/");
        site.set("listener_auth_user", user);
        let service = listener(&site);
        let (origin, right) = (format!("http://{host}"), basic(b"u:"));
        let send = |more: &[(&str, &str)], body: &str| {
            let lines: String = more.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
            let head = format!(
                "POST /?view=ask HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nAuthorization: {right}\r\n{lines}\r\n",
                body.len()
            );
            Connection::open(service.address()).exchange(&[head.as_bytes(), body.as_bytes()].concat()).status
        };
        let origin = ("Origin", origin.as_str());
        assert_eq!(send(&[BROWSER, FORM, origin], ASKED), form, "{user} {host}");
        assert_eq!(send(&[BROWSER, FORM, OWN], ASKED), form, "{user} {host}");
        assert_eq!(send(&[origin], &question), asked, "{user} {host}");
        assert_eq!(send(&[origin], &alert("a", 1)), asked, "{user} {host}");
        // No browser asks.
        assert_eq!(send(&[], &question), 200, "{user} {host}");
        assert_eq!(send(&[], &alert("a", 1)), 200, "{user} {host}");
    }
}

#[test]
fn a_page_of_another_site_reads_and_cancels_nothing() {
    let site = site();
    let service = listener(&site);
    let asked = |method: &str, target: &str, more: &[(&str, &str)]| {
        process::request(service.address(), method, target, more, b"").status
    };
    let link =
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    for (more, deleted, read) in [
        (&[][..], 404, 200),
        (&[OWN], 404, 200),
        (&[("Sec-Fetch-Site", "cross-site")], 403, 403),
        (&[("Origin", "http://evil.example")], 403, 403),
        (&[("Sec-Fetch-Site", "none")], 403, 200),
        (&link, 403, 200),
    ] {
        assert_eq!(asked("DELETE", "/jobs/nobody", more), deleted, "{more:?}");
        assert_eq!(asked("GET", "/jobs", more), read, "{more:?}");
        assert_eq!(asked("GET", "/", &[&[BROWSER][..], more].concat()), read, "{more:?}");
    }
    let rebound = "DELETE /jobs/nobody HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n";
    assert_eq!(Connection::open(service.address()).exchange(rebound.as_bytes()).status, 403);
}

#[test]
fn the_webhook_takes_no_form() {
    let site = site();
    let service = listener(&site);
    let invalid = || (400, "Invalid JSON".to_owned());
    for (target, headers) in [
        ("/", vec![BROWSER, FORM, OWN]),
        ("/extract?view=ask", vec![BROWSER, FORM, OWN]),
        ("/?view=ask", vec![FORM, OWN]),
        ("/?view=ask", vec![("Accept", "*/*"), FORM, OWN]),
        ("/?view=ask", vec![BROWSER, OWN]),
        ("/?view=ask", vec![BROWSER, ("Content-Type", "text/plain"), OWN]),
        ("/?view=ask", vec![BROWSER, ("Content-Type", "multipart/form-data; boundary=x"), OWN]),
    ] {
        let reply = process::request(service.address(), "POST", target, &headers, ASKED.as_bytes());
        assert_eq!(told(&reply), invalid(), "{target} {headers:?}");
    }
    assert!(manifests(&site).is_empty());
    // curl calls everything a form. What is JSON is an alert, wherever it goes.
    let reply = process::request(
        service.address(),
        "POST",
        "/?view=ask",
        &[BROWSER, FORM, OWN],
        alert("a", 1).as_bytes(),
    );
    assert_eq!(told(&reply), (200, "http://127.0.0.1:8081/20250209_112000_a.pcap".to_owned()));
    // The other gates come first, and a body is needed.
    let empty = process::request(
        service.address(),
        "POST",
        "/?view=ask",
        &[BROWSER, FORM, OWN, ("Content-Length", "0")],
        b"",
    );
    assert_eq!(told(&empty), (400, "Empty request body".to_owned()));
    assert_eq!(
        told(&process::request(service.address(), "POST", "/?view=ask", &[BROWSER, FORM, OWN], b"")),
        (411, "Missing Content-Length".to_owned())
    );
}

#[test]
fn a_form_that_cannot_be_answered_says_why() {
    let site = site();
    let service = listener(&site);
    for (form, part) in [
        ("filter=&from=2025-02-09T11:00&to=2025-02-09T12:00", "A filter is needed"),
        ("filter=port&from=2025-02-09T11:00&to=2025-02-09T12:00", "The filter cannot be read."),
        ("filter=port+1&from=soon&to=2025-02-09T12:00", "From: "),
        ("filter=port+1&from=2025-02-09T11:00", "To: "),
        ("filter=port+1&from=2025-02-09T12:00&to=2025-02-09T11:00", "ends before it begins"),
        ("%00%ff=&&&=", "A filter is needed"),
    ] {
        assert_has(&page(&send(&service, &[BROWSER, FORM, OWN], form), 400), &[part]);
    }
    drop(service);
    let mut off = Site::new();
    off.set("allow_ad_hoc", false);
    let service = listener(&off);
    for reply in [get(&service, "/?view=ask"), send(&service, &[BROWSER, FORM, OWN], ASKED)] {
        assert_has(&page(&reply, 403), &["Questions by hand are switched off."]);
    }
    assert!(!page(&get(&service, "/"), 200).contains("?view=ask"));

    let mut fake = Fake::new(HELD);
    fake.site.set("allow_ad_hoc", true);
    let service = fake.listener();
    let server = service.address();
    let asking = std::thread::spawn(move || post(server, "/", ALERT));
    fake.wait_for_starts(1);
    let busy = send(&service, &[BROWSER, FORM, OWN], ASKED);
    assert_eq!(busy.header("retry-after"), Some("5"));
    assert_has(&page(&busy, 429), &["As many extractions run and wait as may", "host 10.1.0.3"]);
    fake.release(1);
    assert_eq!(asking.join().unwrap().status, 200);
}

/// A listener about which there is much to tell.
fn scene() -> (Site, Service, Vec<(&'static str, String)>) {
    let mut site = site();
    site.set("directory_listing", true);
    status(&site, 1, &json!({}));
    let service = listener(&site);
    for (number, name) in
        ["<script>alert(1)</script>", "\u{202e}gpj.exe שלום", &"x".repeat(10_240)].iter().enumerate()
    {
        let mut alert: Value = serde_json::from_str(&alert(&format!("h{number}"), 3)).unwrap();
        alert["name"] = json!(name);
        post(service.address(), "/", &alert.to_string());
    }
    post(service.address(), "/", &alert("nothing", 200));
    let sent = send(&service, &[BROWSER, FORM, OWN], ASKED);
    let job = sent.header("location").unwrap()[1..].to_owned();
    let pages = vec![
        ("overview", "/?still".to_owned()),
        ("form", "/?view=ask".to_owned()),
        ("check", format!("/?{ASKED}")),
        ("slip", format!("/?{}", ASKED.replace("or", "ro"))),
        ("job", job),
        ("none", "/?job=nothing".to_owned()),
    ];
    (site, service, pages)
}

#[test]
fn a_browser_has_nothing_to_complain_of_and_asks_nobody_else() {
    let Some(browser) = browser::find() else { return };
    let (site, service, pages) = scene();
    let own = service.url("/");
    for (name, target) in &pages[..4] {
        status(&site, 1, &json!({}));
        let visit = visit(&browser, site.path(), &service.url(target), &["--dump-dom".to_owned()]);
        assert_eq!(visit.console, Vec::<String>::new(), "{name}");
        let others: Vec<_> = visit.asked.iter().filter(|url| !url.starts_with(&own)).collect();
        assert!(others.is_empty() && !visit.asked.is_empty(), "{name}: {:?}", visit.asked);
        assert!(visit.output.contains("<main id=\"main\""), "{name}: {}", visit.output);
    }
}

#[test]
fn the_form_shows_what_is_meant_while_somebody_types() {
    let Some(browser) = browser::find() else { return };
    let site = site();
    let service = listener(&site);
    let devtools = Devtools::start(&browser, site.path());
    devtools.look(1280, "light");
    devtools.open(&service.url("/?view=ask"));
    // How many requests are on their way at once, and how many there were.
    devtools.evaluate(
        "window.asked = {now: 0, most: 0, all: 0}; const own = window.fetch; window.fetch = async (...given) => {
            asked.all += 1; asked.now += 1; asked.most = Math.max(asked.most, asked.now);
            try { return await own(...given) } finally { asked.now -= 1 } }; 0",
    );
    devtools.evaluate("document.querySelector('[name=filter]').focus()");
    let shows = |text: &str| {
        devtools.wait_for(&format!(
            "document.getElementById('told').innerText.replaceAll('\\u00a0', ' ').includes({})",
            json!(text)
        ));
    };
    let field = |name: &str| devtools.evaluate(&format!("document.querySelector('[name={name}]').value"));
    devtools.type_text("host 10.1.0.3 and prot 53");
    shows("The filter cannot be read. Position 19");
    assert_eq!(devtools.evaluate("document.querySelector('#told mark').textContent"), "prot");
    assert_eq!(devtools.evaluate("document.querySelector('[name=filter]').ariaInvalid"), "true");
    for _ in 0..7 {
        devtools.press("Backspace", false);
    }
    devtools.type_text("(port 53 or icmp)");
    shows("host 10.1.0.3 and (port 53 or icmp)");
    shows("Local time");
    shows("10 min");
    assert_eq!(devtools.evaluate("document.querySelector('[name=filter]').ariaInvalid"), Value::Null);
    // A quick choice changes the times and nothing else.
    devtools.evaluate("document.querySelector('.quick a:nth-of-type(4)').click()");
    shows("1 d");
    assert_eq!(field("filter"), "host 10.1.0.3 and (port 53 or icmp)");
    let (from, to) = (field("from"), field("to"));
    assert!(from.as_str() < to.as_str() && from.as_str().unwrap().len() == 19, "{from} {to}");
    // Forty characters are not forty requests, and never two of them at once.
    let asked = devtools.evaluate("asked");
    let number = |name: &str| asked[name].as_u64().unwrap();
    assert!(number("most") == 1 && (3..40).contains(&number("all")), "{asked}");
    assert_eq!(devtools.complaints(), Vec::<String>::new());
    // Nothing has been done by all that.
    assert!(manifests(&site).is_empty());
    // Who types on is told when there is no listener any more.
    drop(service);
    devtools.evaluate("document.querySelector('[name=filter]').focus()");
    devtools.type_text(" ");
    shows("There is no preview just now.");
}

#[test]
fn all_text_can_be_read_and_the_keyboard_goes_everywhere() {
    let Some(browser) = browser::find() else { return };
    let (site, service, pages) = scene();
    let devtools = Devtools::start(&browser, site.path());
    for (name, target) in &pages {
        status(&site, 30, &json!({}));
        devtools.look(1280, "light");
        devtools.open(&service.url(target));
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (400, "light"), (320, "dark")] {
            devtools.look(width, scheme);
            devtools.assert_legible(&format!("{name} {width} {scheme}"));
        }
    }
    for (width, scheme) in [(1280, "light"), (400, "dark")] {
        devtools.look(width, scheme);
        status(&site, 30, &json!({}));
        devtools.open(&service.url("/?still"));
        let stops = devtools.walk("overview");
        assert_eq!(
            stops[..4],
            ["a Skip to the content", "a pcapx", "a Ask for packets", "a Keep up to date"]
        );
        devtools.open(&service.url("/?view=ask"));
        let stops = devtools.walk("form");
        let form = ["input[filter]", "input[from]", "input[to]"];
        assert_eq!(stops[3..6], form);
        assert_eq!(
            stops[6..10].iter().filter(|stop| stop.starts_with("a The last ")).count(),
            4,
            "{stops:?}"
        );
        assert_eq!(stops[11..], ["button Check", "button Extract"]);
    }
    assert!(devtools.complaints().iter().all(|said| said.contains("404")), "{:?}", devtools.complaints());
}

#[test]
#[ignore = "makes pictures to be looked at"]
fn every_page_is_photographed() {
    let Some(browser) = browser::find() else { return };
    let (site, service, pages) = scene();
    drawn(&site, &service);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    for (name, target) in pages {
        status(&site, 30, &json!({}));
        let console = photograph(&browser, &folder, &service.url(&target), name, [1700, 2600]);
        // The page that is not there is told of by the browser itself.
        assert!(console.is_empty() || name == "none", "{console:?}");
    }
}
