//! `openapi.yaml` beside this crate and the running listener say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pcapx_core::time::Timestamp;
use pcapx_testkit::process::{Connection, PATIENCE, Reply, Service, Site};
use pcapx_testkit::tool::skipped;
use serde_json::{Value, json};

use crate::fake::{Fake, HELD};
use crate::schema::SCHEMA;
use crate::shelf::{AT, alert, record, stem};
use crate::{listener, request};

const DOCUMENT: &str = include_str!("../../openapi.yaml");
/// Where the document finds the manifest's schema.
const SCHEMA_FILE: &str = "../pcapx-core/schema/manifest.schema.json";
const JSON: &str = "Accept: application/json";

/// The document, with the manifest's schema in it.
fn document() -> Value {
    let manifest: Value = serde_json::from_str(SCHEMA).unwrap();
    let text = DOCUMENT.replace(SCHEMA_FILE, manifest["$id"].as_str().unwrap());
    assert_ne!(text, DOCUMENT);
    let mut document: Value = serde_norway::from_str(&text).unwrap();
    document["$defs"] = json!({ "manifest": manifest });
    document
}

/// Compares replies with the document, and notes what has been heard.
struct Ear {
    document: Value,
    heard: BTreeSet<(String, String, String)>,
}

impl Ear {
    fn new() -> Self {
        Self { document: document(), heard: BTreeSet::new() }
    }

    /// Whatever the document says of a reply holds for `reply`, to `method` of the path `path`.
    #[track_caller]
    fn hear(&mut self, method: &str, path: &str, reply: &Reply) {
        let status = reply.status.to_string();
        let place = format!("{method} {path} {status}: {}", reply.text());
        let pointer =
            format!("/paths/{}/{}/responses/{status}", path.replace('/', "~1"), method.to_lowercase());
        let told = self.document.pointer(&pointer).unwrap_or_else(|| panic!("not documented: {place}"));
        let told = match told["$ref"].as_str() {
            Some(elsewhere) => self.document.pointer(elsewhere.trim_start_matches('#')).unwrap(),
            None => told,
        };
        let kind = reply.header("Content-Type").unwrap_or_else(|| panic!("{place}"));
        assert!(told["content"].get(kind).is_some(), "{kind} is not documented: {place}");
        for (name, header) in told["headers"].as_object().into_iter().flatten() {
            let is_number = header["schema"]["type"] == "integer";
            match reply.header(name) {
                Some(value) => assert!(!is_number || value.parse::<u64>().is_ok(), "{name}: {place}"),
                // Told only by some of these replies.
                None => assert!(kind == "application/json" || name == "Retry-After", "{name}: {place}"),
            }
        }
        let body = match kind {
            "application/json" => {
                serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {place}"))
            }
            _ => Value::from(reply.text()),
        };
        let mut schema = told["content"][kind]["schema"].clone();
        for shared in ["components", "$defs"] {
            schema[shared] = self.document[shared].clone();
        }
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?} {place}");
        self.heard.insert((method.to_owned(), path.to_owned(), status));
    }

    /// Sends a request with headers of its own and hears the reply; `target` is an address of the documented `path`.
    #[track_caller]
    fn ask(
        &mut self,
        service: &Service,
        method: &str,
        path: &str,
        target: &str,
        headers: &[&str],
        body: &str,
    ) -> Reply {
        let length = format!("Content-Length: {}", body.len());
        let headers = if body.is_empty() { headers.to_vec() } else { [headers, &[length.as_str()]].concat() };
        let bytes = request(&format!("{method} {target}"), &headers, body.as_bytes());
        let reply = Connection::open(service.address()).exchange(&bytes);
        self.hear(method, path, &reply);
        reply
    }

    /// A POST, as a webhook and as a program. Returns both statuses.
    #[track_caller]
    fn post(&mut self, service: &Service, target: &str, body: &str) -> (u16, u16) {
        let mut as_client = |headers| self.ask(service, "POST", "/extract", target, headers, body).status;
        (as_client(&[]), as_client(&[JSON]))
    }
}

/// All that the document tells: method, path, status.
fn documented(document: &Value) -> BTreeSet<(String, String, String)> {
    let mut told = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
        {
            for status in operation["responses"].as_object().unwrap().keys() {
                told.insert((method.to_uppercase(), path.clone(), status.clone()));
            }
        }
    }
    told
}

fn usual(ear: &mut Ear) {
    let site = Site::new();
    record(&site, 8);
    let service = listener(&site);
    // It takes ten seconds until these are given up; meanwhile all the rest is asked.
    let mut stalled = [&[][..], &[JSON]].map(|headers| {
        let mut connection = Connection::open(service.address()).patience(3 * PATIENCE);
        connection.send(&request("POST /extract", &[headers, &["Content-Length: 9"]].concat(), b"{"));
        connection
    });
    let ahead = |id: &str| {
        let soon = Timestamp::now().as_secs() + 3600;
        alert(id, 1).replace(&AT.to_string(), &soon.to_string())
    };
    assert_eq!(ear.post(&service, "/extract?filter=full&format=pcapng", &alert("a", 3)), (200, 200));
    assert_eq!(ear.post(&service, "/any/path", &alert("none", 99)), (200, 404));
    assert_eq!(ear.post(&service, "/extract&before=60", &ahead("open")), (200, 202));
    assert_eq!(ear.post(&service, "/", "{}"), (200, 422));
    for body in ["{", "[]"] {
        assert_eq!(ear.post(&service, "/extract", body), (400, 400));
    }
    let by_hand = json!({"filter": "port 443", "from": AT - 1, "to": AT}).to_string();
    assert_eq!(ear.post(&service, "/extract", &by_hand), (403, 403));
    for headers in [&[][..], &[JSON]] {
        assert_eq!(ear.ask(&service, "POST", "/extract", "/extract", headers, "").status, 411);
        let large = [headers, &["Content-Length: 9999999"]].concat();
        assert_eq!(ear.ask(&service, "POST", "/extract", "/extract", &large, "").status, 413);
        let empty = [headers, &["Content-Length: 0"]].concat();
        assert_eq!(ear.ask(&service, "POST", "/extract", "/extract", &empty, "").status, 400);
        for target in ["/", "/extract", "/no/such/path"] {
            assert_eq!(ear.ask(&service, "GET", "/", target, headers, "").status, 200);
        }
        assert_eq!(ear.ask(&service, "GET", "/healthz", "/healthz", headers, "").status, 200);
        for (target, status) in
            [("/jobs", 200), ("/jobs?limit=1", 200), ("/jobs?open=true", 200), ("/jobs?limit=0", 400)]
        {
            assert_eq!(ear.ask(&service, "GET", "/jobs", target, headers, "").status, status);
        }
    }
    let one = |ear: &mut Ear, method: &str, name: &str| {
        ear.ask(&service, method, "/jobs/{name}", &format!("/jobs/{name}"), &[], "").status
    };
    for name in ["a", "none"] {
        assert_eq!(one(ear, "GET", &stem(name)), 200);
        assert_eq!(one(ear, "DELETE", &stem(name)), 409);
    }
    let list = ear.ask(&service, "GET", "/jobs", "/jobs?open=true", &[], "");
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(one(ear, "DELETE", list["jobs"][0]["name"].as_str().unwrap()), 200);
    fs::write(site.output_dir().join("damaged.json"), "{").unwrap();
    for method in ["GET", "DELETE"] {
        assert_eq!(one(ear, method, "nobody"), 404);
        assert_eq!(one(ear, method, "damaged"), 500);
    }
    for connection in &mut stalled {
        ear.hear("POST", "/extract", &connection.reply().unwrap());
    }
    // Without its folder the listener can list nothing, and write nothing down.
    fs::remove_dir_all(site.output_dir()).unwrap();
    assert_eq!(ear.ask(&service, "GET", "/jobs", "/jobs", &[], "").status, 500);
    assert_eq!(ear.post(&service, "/extract", &alert("b", 3)), (200, 500));
}

/// The listener of somebody who has no right to ask.
fn kept_out(ear: &mut Ear, key: &str, value: impl Into<Value>, status: u16) {
    let mut site = Site::new();
    site.set(key, value);
    let service = listener(&site);
    assert_eq!(ear.post(&service, "/extract", "{}"), (status, status));
    for headers in [&[][..], &[JSON]] {
        for (method, path) in
            [("GET", "/"), ("GET", "/jobs"), ("GET", "/jobs/{name}"), ("DELETE", "/jobs/{name}")]
        {
            let reply = ear.ask(&service, method, path, &path.replace("{name}", "a"), headers, "");
            assert_eq!(reply.status, status, "{method} {path}");
        }
        assert_eq!(ear.ask(&service, "GET", "/healthz", "/healthz", headers, "").status, 200);
    }
}

fn troubled(ear: &mut Ear) {
    let fake = Fake::new("exit 3");
    assert_eq!(ear.post(&fake.listener(), "/extract", &alert("a", 1)), (200, 500));
    let fake = Fake::new(HELD);
    let service = fake.listener();
    let body = alert("a", 1);
    let mut running = Connection::open(service.address());
    let length = format!("Content-Length: {}", body.len());
    running.send(&request("POST /extract", &[JSON, &length], body.as_bytes()));
    fake.wait_for_starts(1);
    assert_eq!(ear.post(&service, "/extract", &alert("b", 1)), (429, 429));
    let target = format!("/jobs/{}", stem("a"));
    assert_eq!(ear.ask(&service, "DELETE", "/jobs/{name}", &target, &[], "").status, 200);
    let reply = running.reply().unwrap();
    assert_eq!(reply.status, 409);
    ear.hear("POST", "/extract", &reply);
    for (key, value, status) in
        [("extractor_timeout", json!(0.000_001), 504), ("min_free_bytes", json!(u64::MAX), 507)]
    {
        let mut site = Site::new();
        site.set(key, value);
        record(&site, 8);
        assert_eq!(ear.post(&listener(&site), "/extract", &alert("a", 3)), (200, status));
    }
}

#[test]
fn every_documented_answer_is_given_and_every_answer_given_is_documented() {
    let mut ear = Ear::new();
    usual(&mut ear);
    kept_out(&mut ear, "listener_auth_pass", "p", 401);
    kept_out(&mut ear, "listener_allowed_ips", vec!["192.0.2.1"], 403);
    troubled(&mut ear);
    let told = documented(&ear.document);
    let missing: Vec<_> = told.difference(&ear.heard).collect();
    // An extraction that does not end although it was told to, a folder that cannot be read at the start: that takes a disk
    // that does not answer.
    let stuck =
        ["DELETE /jobs/{name} 202", "DELETE /jobs/{name} 503", "GET /jobs 503", "GET /jobs/{name} 503"];
    let missing: Vec<_> =
        missing.iter().map(|(method, path, status)| format!("{method} {path} {status}")).collect();
    assert_eq!(missing, stuck);
}

/// schemathesis, where it has been installed for us.
fn schemathesis() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let program = target.join("schemathesis/bin/schemathesis");
    if program.is_file() {
        return Some(program);
    }
    skipped(format_args!(
        "schemathesis is not installed: python3 -m venv {0} && {0}/bin/pip install schemathesis",
        target.join("schemathesis").display()
    ));
    None
}

#[test]
fn requests_made_of_the_document_are_answered_as_it_says() {
    let Some(schemathesis) = schemathesis() else { return };
    let mut site = Site::new();
    site.set("listener_auth_user", "u").set("listener_auth_pass", "p").set("max_concurrent_extractions", 4);
    record(&site, 8);
    let service = listener(&site);
    for number in 0..3 {
        let authorization = "Authorization: Basic dTpw";
        let body = alert(&format!("a{number}"), number);
        let length = format!("Content-Length: {}", body.len());
        Connection::open(service.address()).exchange(&request(
            "POST /",
            &[authorization, &length],
            body.as_bytes(),
        ));
    }
    // What the contract wants otherwise: any path takes a POST and a GET, a query's odd values count as absent, what a filter is
    // can be told by no schema, and the end of a job does not remove it.
    let excluded = "unsupported_method,allow_header_conformance,negative_data_rejection,positive_data_acceptance,use_after_free";
    for accept in ["*/*", "application/json"] {
        let output = Command::new(&schemathesis)
            .current_dir(site.path())
            .arg("run")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.yaml"))
            .args(["--url", &service.url(""), "--auth", "u:p", "--header", &format!("Accept: {accept}")])
            .args(["--exclude-checks", excluded, "--max-examples", "10", "--max-time", "20", "--seed", "1"])
            .args([
                "--request-timeout",
                "30",
                "--generation-database",
                "none",
                "--no-color",
                "--continue-on-failure",
            ])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("Operations:       6 selected / 6 total"), "{told}");
        eprintln!(
            "schemathesis, {accept}: {}",
            told.lines().rev().find(|line| line.contains("generated")).unwrap_or_default()
        );
    }
    // It is as well as ever.
    let reply = Connection::open(service.address()).exchange(&request("GET /healthz", &[], b""));
    assert_eq!(reply.status, 200);
    assert!(!service.log().iter().any(|line| line.contains("panicked")), "a panic is in the log");
}
