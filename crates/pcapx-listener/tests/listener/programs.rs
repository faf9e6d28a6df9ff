//! What programs are told: statuses with a meaning, lists of jobs, and the end of one.

use pcapx_core::manifest::State;
use pcapx_testkit::process::{Connection, Service, Site};
use serde_json::{Value, json};

use crate::fake::{Fake, HELD};
use crate::shelf::{AT, alert, ask, ended, link, manifest, record, stem};
use crate::{listener, post, post_bytes, request, told};

/// An alert about a time that lies ahead: its window is open.
fn ahead(id: &str, number: u32) -> String {
    let soon = pcapx_core::time::Timestamp::now().as_secs() + 3600;
    alert(id, number).replace(&AT.to_string(), &soon.to_string())
}

/// The status, and the state that the document tells.
fn outcome(service: &Service, line: &str, body: &str) -> (u16, String) {
    let (status, document) = ask(service.address(), line, body);
    let word = document["state"].as_str().or(document["error"].as_str());
    (status, word.unwrap_or_else(|| panic!("{document:#}")).to_owned())
}

fn is(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

#[test]
fn a_status_tells_what_became_of_the_question() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    let (status, document) = ask(service.address(), "POST /extract", &alert("a", 3));
    assert_eq!(status, 200);
    let keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["name", "state", "open", "url", "text", "manifest"]);
    assert_eq!(document["url"], link("a"));
    assert_eq!(document["text"], link("a"));
    assert_eq!(document["manifest"]["packets"], 4);
    // The answer that is there already is the same.
    assert_eq!(outcome(&service, "POST /", &alert("a", 3)), is(200, "complete"));

    let (status, document) = ask(service.address(), "POST /", &alert("none", 99));
    assert_eq!((status, &document["state"], &document["url"]), (404, &"no_match".into(), &Value::Null));
    assert!(document["text"].as_str().unwrap().starts_with("ERROR: no packets matched "), "{document:#}");
    assert!(
        document["manifest"]["reason"].as_str().unwrap().starts_with("the filter matched none of 20 packets")
    );

    assert_eq!(outcome(&service, "POST /", &ahead("open", 1)), is(202, "partial"));
    assert_eq!(outcome(&service, "POST /", "{}"), is(422, "NO BPF FILTER"));
    assert_eq!(outcome(&service, "POST /", "{"), is(400, "Invalid JSON"));
    assert_eq!(outcome(&service, "POST /", "[]"), is(400, "Invalid JSON: not an object"));
    assert_eq!(outcome(&service, "PUT /", ""), is(405, "Method not allowed"));
    let json = "Accept: application/json";
    let reply = Connection::open(service.address()).exchange(&request("POST /", &[json], b""));
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (411, "{\n  \"error\": \"Missing Content-Length\"\n}\n")
    );
}

#[test]
fn a_failure_has_a_status_of_its_own() {
    let fake = Fake::new("exit 3");
    let service = fake.listener();
    assert_eq!(outcome(&service, "POST /", &alert("a", 1)), is(500, "failed"));
    drop(service);
    for (key, value, status, failure) in [
        ("extractor_timeout", json!(0.000_001), 504, "timeout"),
        ("min_free_bytes", json!(u64::MAX), 507, "no_space"),
        ("timeline_dir", json!("/nonexistent/timeline"), 500, "not_readable"),
    ] {
        let mut site = Site::new();
        site.set(key, value);
        record(&site, 8);
        let service = listener(&site);
        let (told, document) = ask(service.address(), "POST /", &alert("a", 1));
        assert_eq!((told, &document["manifest"]["failure"]), (status, &failure.into()), "{document:#}");
        assert_eq!(document["state"], "failed");
        assert!(!document["manifest"]["reason"].as_str().unwrap().contains('/'), "{document:#}");
    }
}

#[test]
fn who_is_kept_out_is_told_so_in_a_document() {
    let mut site = Site::new();
    site.set("listener_auth_pass", "p");
    let service = listener(&site);
    for (line, length) in [("POST /", "Content-Length: 2"), ("GET /jobs", "X: y"), ("DELETE /jobs/a", "X: y")]
    {
        let headers = ["Accept: application/json", length];
        let reply = Connection::open(service.address()).exchange(&request(line, &headers, b"{}"));
        assert_eq!(reply.status, 401, "{line}");
        assert_eq!(reply.text(), "{\n  \"error\": \"Unauthorized\"\n}\n", "{line}");
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
        assert_eq!(reply.header("WWW-Authenticate"), Some("Basic realm=\"pcap-extractor\""));
    }
    let plain = Connection::open(service.address()).exchange(&request("GET /jobs", &[], b""));
    assert_eq!(told(&plain), (401, "Unauthorized".to_owned()));
}

#[test]
fn jobs_are_listed_newest_alert_first_a_page_at_a_time() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    let server = service.address();
    for number in 0..5 {
        let body = alert(&format!("a{number}"), number)
            .replace(&AT.to_string(), &(AT + i64::from(number)).to_string());
        assert_eq!(post(server, "/", &body).status, 200);
    }
    let names = |target: &str| {
        let (status, list) = ask(server, &format!("GET {target}"), "");
        assert_eq!(status, 200, "{list:#}");
        let names: Vec<_> = list["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["name"].as_str().unwrap().to_owned())
            .collect();
        (names, list["next"].as_str().map(str::to_owned))
    };
    let (all, next) = names("/jobs");
    let wanted: Vec<_> = (0..5).rev().map(|number| format!("20250209_11200{number}_a{number}")).collect();
    assert_eq!((&all, next), (&wanted, None));
    let (mut pages, mut target) = (Vec::new(), "/jobs?limit=2".to_owned());
    loop {
        let (page, next) = names(&target);
        pages.push(page);
        match next {
            Some(before) => target = format!("/jobs?limit=2&before={before}"),
            None => break,
        }
    }
    assert_eq!(pages, [wanted[..2].to_vec(), wanted[2..4].to_vec(), wanted[4..].to_vec()]);
    let (_, list) = ask(server, "GET /jobs/?limit=1", "");
    let job = &list["jobs"][0];
    assert_eq!(job["url"], "http://127.0.0.1:0/20250209_112004_a4.pcap");
    assert_eq!(
        (&job["state"], &job["open"], &job["packets"]),
        (&"complete".into(), &false.into(), &1.into())
    );
    assert_eq!(names("/jobs?open=true").0, Vec::<String>::new());
    assert_eq!(names("/jobs?open=false").0, wanted);

    for target in
        ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "open=maybe", "before=../x", "before="]
    {
        let (status, document) = ask(server, &format!("GET /jobs?{target}"), "");
        assert_eq!(status, 400, "{target}");
        let name = target.split('=').next().unwrap();
        assert!(document["error"].as_str().unwrap().starts_with(&format!("{name}: ")), "{document}");
    }
}

#[test]
fn one_job_is_its_manifest() {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    assert_eq!(post(service.address(), "/", &alert("a", 3)).status, 200);
    post(service.address(), "/", &alert("none", 99));
    let name = stem("a");
    for target in [name.clone(), name.replace('_', "%5F")] {
        let (status, document) = ask(service.address(), &format!("GET /jobs/{target}"), "");
        assert_eq!((status, &document["url"]), (200, &link("a").into()));
        let stands: Value =
            serde_json::from_slice(&std::fs::read(site.output_dir().join(format!("{name}.json"))).unwrap())
                .unwrap();
        assert_eq!(document["manifest"], stands);
        assert_eq!(document["manifest"]["alert"]["serverPort"], 443);
    }
    // Nothing was found, and the document is there.
    assert_eq!(outcome(&service, &format!("GET /jobs/{}", stem("none")), ""), is(200, "no_match"));
    for name in
        ["nobody", "..", "%2e%2e%2fconfig", "a/b", "", "a%00", ".hidden", "%ff", "x".repeat(300).as_str()]
    {
        let expected = if name.is_empty() { 200 } else { 404 };
        assert_eq!(ask(service.address(), &format!("GET /jobs/{name}"), "").0, expected, "{name}");
    }
    for (line, allow) in [
        ("PUT /jobs", "GET"),
        ("DELETE /jobs", "GET"),
        ("PATCH /jobs/a", "GET, DELETE"),
        ("HEAD /jobs", "GET"),
    ] {
        let mut connection = Connection::open(service.address());
        connection.send(&request(line, &[], b""));
        let reply = connection.reply_to(line.split(' ').next().unwrap()).unwrap();
        assert_eq!((reply.status, reply.header("Allow")), (405, Some(allow)), "{line}");
    }
    // A webhook may post anywhere.
    assert_eq!(told(&post(service.address(), "/jobs", "{}")), (200, "NO BPF FILTER".to_owned()));
}

#[test]
fn a_job_that_waits_ends_at_once_when_asked_to() {
    let mut fake = Fake::new(HELD);
    fake.site.set("max_queued_extractions", 1);
    let service = fake.listener();
    let mut first = Connection::open(service.address());
    first.send(&post_bytes("/", alert("first", 1).as_bytes()));
    fake.wait_for_starts(1);
    assert_eq!(post(service.address(), "/", &alert("second", 2)).status, 200);
    assert_eq!(post(service.address(), "/", &alert("third", 3)).status, 429);
    let (status, document) = ask(service.address(), &format!("DELETE /jobs/{}", stem("second")), "");
    assert_eq!(
        (status, &document["state"], &document["manifest"]["failure"]),
        (200, &"failed".into(), &"cancelled".into())
    );
    assert_eq!(document["text"], "ERROR: extraction cancelled");
    let stands = manifest(&fake.site, &stem("second"));
    assert_eq!((stands.state, stands.open), (State::Failed, false));
    // Its place in the queue is free.
    assert_eq!(post(service.address(), "/", &alert("third", 3)).status, 200);
    fake.release(2);
    assert_eq!(ended(&fake.site, &stem("third")).state, State::Complete);
    assert_eq!(first.reply().unwrap().status, 200);
    assert_eq!(fake.file("started").lines().count(), 2, "the cancelled one never ran");
}

#[test]
fn a_job_that_runs_or_whose_window_is_open_ends_with_what_it_has() {
    let fake = Fake::new(HELD);
    let service = fake.listener();
    let mut first = Connection::open(service.address());
    first.send(&request(
        "POST /",
        &["Accept: application/json", &format!("Content-Length: {}", alert("run", 1).len())],
        alert("run", 1).as_bytes(),
    ));
    fake.wait_for_starts(1);
    assert_eq!(outcome(&service, &format!("DELETE /jobs/{}", stem("run")), ""), is(200, "failed"));
    assert_eq!(first.reply().unwrap().status, 409, "who asked is told");
    drop(service);

    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    // Both begin with packets of the past; the window of the second is open.
    let far = format!("/?before={}", 86_400);
    let (_, document) = ask(service.address(), &format!("POST {far}"), &ahead("open", 1));
    let name = document["name"].as_str().unwrap();
    assert_eq!(document["open"], true);
    let (status, document) = ask(service.address(), &format!("DELETE /jobs/{name}"), "");
    assert_eq!((status, &document["open"], &document["state"]), (200, &false.into(), &"failed".into()));
    assert_eq!(
        document["manifest"]["reason"],
        "cancelled before the window was over: the extraction was cancelled"
    );
    assert_eq!(outcome(&service, &format!("DELETE /jobs/{name}"), ""), is(409, "This job has ended already"));
    assert_eq!(outcome(&service, "DELETE /jobs/nobody", ""), is(404, "There is no job of this name"));
    assert_eq!(ask(service.address(), "GET /jobs?open=true", "").1["jobs"], json!([]));
}
