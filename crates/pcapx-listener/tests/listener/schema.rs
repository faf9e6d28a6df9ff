//! Manifests that a real listener wrote are what the JSON Schema says, in every state.

use std::fs;

use jsonschema::Validator;
use pcapx_core::manifest::Manifest;
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::process::{Connection, Service, Site};
use serde_json::{Value, json};

use crate::fake::{Fake, HELD};
use crate::shelf::{AT, alert, ask, client, manifests, packets, record, stem};
use crate::{listener, post, post_bytes, request};

/// The schema as it is published.
pub(crate) const SCHEMA: &str = include_str!("../../../pcapx-core/schema/manifest.schema.json");

/// The published schema, and that nothing is there which it does not tell of.
fn strict() -> Validator {
    let mut schema = serde_json::from_str(SCHEMA).unwrap();
    forbid_others(&mut schema);
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn forbid_others(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties {
        properties.values_mut().for_each(forbid_others);
        schema.insert("additionalProperties".into(), false.into());
    }
    if let Some(defs) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        defs.values_mut().for_each(forbid_others);
    }
    if let Some(items) = schema.get_mut("items") {
        forbid_others(items);
    }
    if let Some(others) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        others.iter_mut().for_each(forbid_others);
    }
}

#[track_caller]
fn assert_valid(validator: &Validator, manifest: &Value) {
    let errors: Vec<_> =
        validator.iter_errors(manifest).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{manifest:#}");
}

/// All manifests of a site, as they stand on the disk.
fn shelved(site: &Site) -> Vec<Value> {
    let names = manifests(site).into_iter().map(|manifest| manifest.name);
    let paths = names.map(|name| site.output_dir().join(format!("{name}.json")));
    paths.map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

/// Manifests of the built-in extractor: complete ones of every kind, open ones, a cancelled one, empties.
fn builtin() -> Vec<Value> {
    let mut site = Site::new();
    site.set("allow_ad_hoc", true).set("background_indexing", false);
    record(&site, 8);
    let raw: Vec<_> = packets(3).iter().map(|p| Packet::new(p.time, p.data[14..].to_vec())).collect();
    Pcap::new().link_type(link::RAW).write(&site.timeline_dir().join("raw.pcap"), &raw);
    fs::write(site.timeline_dir().join("packed.pcap"), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4]).unwrap();
    let service = listener(&site);
    let server = service.address();
    for (target, body) in [
        ("/", alert("plain", 1)),
        ("/?format=pcapng", alert("pcapng", 2)),
        ("/", alert("mixed", 3)),
        ("/?filter=odd&before=x", alert("refused", 1)),
        ("/?before=0", alert("same", 3)),
        ("/?after=0", alert("same", 3)),
        ("/", alert("none", 99)),
        ("/", alert("early", 1).replace(&AT.to_string(), "1000000000")),
        ("/", json!({"filter": "port 443", "from": AT - 1, "to": AT}).to_string()),
        ("/", json!({"id": null, "src_ip": "2001:db8::1", "timestamp": "2025-02-09T11:20:00Z"}).to_string()),
    ] {
        assert_eq!(post(server, target, &body).status, 200, "{body}");
    }
    let ahead = Timestamp::now().as_secs() + 3600;
    for id in ["open", "cancelled"] {
        let body = alert(id, 1).replace(&AT.to_string(), &ahead.to_string());
        let (status, document) = ask(server, "POST /", &body);
        assert_eq!(status, 202);
        if id == "cancelled" {
            let line = format!("DELETE /jobs/{}", document["name"].as_str().unwrap());
            assert_eq!(ask(server, &line, "").0, 200);
        }
    }
    shelved(&site)
}

/// A manifest of a listener with one more setting.
fn with(key: &str, value: impl Into<Value>) -> Vec<Value> {
    let mut site = Site::new();
    site.set(key, value);
    record(&site, 8);
    let service = listener(&site);
    assert_eq!(post(service.address(), "/", &alert("a", 3)).status, 200);
    shelved(&site)
}

/// Manifests of npcapextract: one that waits, one that runs, then what became of them.
fn external() -> Vec<Value> {
    let mut fake = Fake::new(HELD);
    fake.site
        .set("max_queued_extractions", 2)
        .set("listener_auth_user", "ł \"x")
        .set("listener_auth_pass", "p");
    let service = fake.listener();
    let send = |id: &str| {
        let body = alert(id, 1);
        let headers = [format!("Authorization: {}", pcapx_testkit::process::basic("ł \"x:p".as_bytes()))];
        let length = format!("Content-Length: {}", body.len());
        let mut connection = Connection::open(service.address());
        connection.send(&request("POST /", &[&headers[0], &length], body.as_bytes()));
        connection
    };
    let mut first = send("first");
    fake.wait_for_starts(1);
    send("second").reply().unwrap();
    let mut manifests = shelved(&fake.site);
    fake.release(1);
    assert_eq!(first.reply().unwrap().status, 200);
    fake.wait_for_starts(2);
    manifests.extend(shelved(&fake.site));
    drop(service);
    let fake = Fake::new("exit 3");
    let service = fake.listener();
    Connection::open(service.address()).exchange(&post_bytes("/", alert("failed", 1).as_bytes()));
    manifests.extend(shelved(&fake.site));
    manifests
}

#[test]
fn manifests_are_what_the_schema_says_in_every_state() {
    let validator = strict();
    let manifests: Vec<_> = [
        builtin(),
        external(),
        with("max_output_packets", 1),
        with("max_output_bytes", 100),
        with("min_free_bytes", u64::MAX),
        with("extractor_timeout", 0.000_001),
        with("timeline_dir", "/nonexistent/timeline"),
    ]
    .concat();
    for manifest in &manifests {
        assert_valid(&validator, manifest);
        // And our own reader says the same again.
        let read = Manifest::from_json(manifest.to_string().as_bytes()).unwrap();
        assert_eq!(&serde_json::from_slice::<Value>(&read.to_json()).unwrap(), manifest);
    }
    let mut seen: Vec<_> = manifests
        .iter()
        .map(|manifest| {
            let word = |key: &str| manifest[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", word("state"), manifest["open"], word("failure"), word("limit"))
        })
        .collect();
    seen.sort();
    seen.dedup();
    let wanted = [
        "complete false - -",
        "failed false cancelled -",
        "failed false no_space -",
        "failed false not_readable -",
        "failed false npcapextract_failed -",
        "failed false timeout -",
        "no_match false - -",
        "partial false - bytes",
        "partial false - packets",
        "partial true - -",
        "queued true - -",
    ];
    assert_eq!(seen, wanted);
}

#[test]
fn what_does_not_hold_together_is_no_manifest() {
    let site = Site::new();
    record(&site, 8);
    let service: Service = listener(&site);
    assert_eq!(post(service.address(), "/", &alert("a", 3)).status, 200);
    let validator = strict();
    let whole = shelved(&site).remove(0);
    assert_valid(&validator, &whole);
    assert_eq!(whole["name"], stem("a"));
    assert!(whole["filter"].as_str().unwrap().contains(&client(3).map(|part| part.to_string()).join(".")));
    for (key, value) in [
        ("schema", json!("pcapx-evidence/2")),
        ("name", json!("../a")),
        ("state", json!("done")),
        ("state", json!("no_match")),
        ("state", json!("queued")),
        ("open", json!(true)),
        ("file", json!(null)),
        ("file", json!("a.txt")),
        ("file", json!("/etc/a.pcap")),
        ("bytes", json!(-1)),
        ("bytes", json!(null)),
        ("packets", json!(1.5)),
        ("sha256", json!("00")),
        ("failure", json!("odd")),
        ("limit", json!("packets")),
        ("reason", json!("because")),
        ("finished", json!(null)),
        ("updated", json!("2026-03-01T09:11:12Z")),
        ("updated", json!("2026-13-01T09:11:12.000000000Z")),
        ("asked", json!({"from": whole["updated"]})),
        ("client", json!(["10.0.0.256"])),
        ("question", json!("x")),
        ("more", json!(1)),
    ] {
        let mut changed = whole.clone();
        changed[key] = value.clone();
        assert!(!validator.is_valid(&changed), "{key}: {value}");
    }
    for key in whole.as_object().unwrap().keys() {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&less), "without {key}");
    }
}
