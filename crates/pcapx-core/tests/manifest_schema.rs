//! The manifest's JSON Schema tells of every field, and of no other.
//!
//! That it tells the truth of them is tested with manifests that a real listener wrote, in its own tests.

use std::collections::BTreeSet;

use pcapx_core::manifest::{Manifest, SCHEMA};
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(include_str!("../schema/manifest.schema.json")).unwrap()
}

/// A manifest with every part that may be there.
fn full() -> Manifest {
    let (at, span) =
        ("2026-03-01T09:11:12Z", json!({"from": "2026-03-01T09:05:12Z", "to": "2026-03-01T09:17:12Z"}));
    let manifest = json!({
        "schema": SCHEMA, "name": "a", "state": "partial", "open": false, "filter": "host 10.0.0.1", "asked": span,
        "directions": {"packets_from_client": 1, "bytes_from_client": 2, "packets_to_client": 3, "bytes_to_client": 4},
        "covered": [span], "gaps": [span], "recording": span,
        "search": {"segments": 1, "excluded": 2, "unread": 3, "scanned": 4, "in_window": 5},
        "segments": [{"file": "a.pcap"}], "unreadable": [{"file": "b.pcap", "reason": "r"}],
        "about": {"id": "a", "name": "b", "time": at},
        "request": {"id": "0-1", "at": at, "peer": "10.0.0.9", "user": "-"},
        "extractor": "builtin", "format": "pcap", "updated": at, "versions": {"pcapx": "0.1.0"},
        "question": "q", "subject": "s",
    });
    Manifest::from_json(manifest.to_string().as_bytes()).unwrap()
}

/// What `schema` tells of the object `value` is what is in it, and every part has a description.
fn assert_told(root: &Value, schema: &Value, value: &Value, place: &str) {
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let told = keys(&schema["properties"]);
    assert_eq!(told, keys(value), "{place}");
    let required =
        schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
    assert_eq!(required.collect::<BTreeSet<_>>(), told, "required of {place}");
    for (name, part) in schema["properties"].as_object().unwrap() {
        let place = format!("{place}.{name}");
        assert!(
            part["description"].as_str().is_some_and(|text| text.ends_with('.')),
            "{place} is not described"
        );
        let value = if value[name].is_array() { &value[name][0] } else { &value[name] };
        if value.is_object() {
            assert_told(root, object(root, part).unwrap_or_else(|| panic!("{place}")), value, &place);
        }
    }
}

/// The schema of the object that `part` may be, or may be a list of.
fn object<'a>(root: &'a Value, part: &'a Value) -> Option<&'a Value> {
    if part.get("properties").is_some() {
        return Some(part);
    }
    if let Some(name) = part["$ref"].as_str() {
        return object(root, root.pointer(name.strip_prefix('#')?)?);
    }
    let others = part["anyOf"].as_array().into_iter().flatten();
    others.chain(part.get("items")).find_map(|part| object(root, part))
}

#[test]
fn every_field_is_told() {
    let (schema, manifest) = (schema(), full());
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_told(&schema, &schema, &serde_json::from_slice(&manifest.to_json()).unwrap(), "manifest");
}

#[test]
fn a_manifest_reads_back_as_it_was_written() {
    let manifest = full();
    assert_eq!(Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
}
