//! A capture of many flows, alerts about them, and what stands in the output folder of it.

use std::fs;
use std::net::SocketAddr;

use pcapx_core::manifest::Manifest;
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Tcp};
use pcapx_testkit::process::{Connection, PATIENCE, Site, poll};
use serde_json::Value;

use crate::request;

/// When all alerts are raised, in seconds: 2025-02-09 11:20:00 UTC.
pub(crate) const AT: i64 = 1_739_100_000;

/// The client's address of flow `number`.
pub(crate) fn client(number: u32) -> [u8; 4] {
    [10, 1, (number / 250) as u8, (number % 250 + 1) as u8]
}

/// An alert called `id` about flow `number`.
pub(crate) fn alert(id: &str, number: u32) -> String {
    let [a, b, c, d] = client(number);
    format!(
        r#"{{"id": "{id}", "name": "Flow {number}", "clientIp": "{a}.{b}.{c}.{d}", "serverIp": "10.0.0.20",
        "serverPort": 443, "protocolName": "tcp", "unixTimestamp": {AT}}}"#
    )
}

/// What evidence of the alert called `id` is called where local time is UTC.
pub(crate) fn stem(id: &str) -> String {
    format!("20250209_112000_{id}")
}

/// The link to it.
pub(crate) fn link(id: &str) -> String {
    format!("http://127.0.0.1:0/{}.pcap", stem(id))
}

/// The packets of flow `number`: one to four, around the alerts' time.
pub(crate) fn packets(number: u32) -> Vec<Packet> {
    let packet = |turn: u32| {
        let micros = i64::from(number) * 10 + i64::from(turn) * 1_000_000;
        let at = Timestamp::from_nanos((AT - 2) * 1_000_000_000 + micros * 1000);
        let data = [number.to_be_bytes(), turn.to_be_bytes()].concat();
        let tcp = Tcp::new(40_000, 443).payload(&data);
        Packet::new(at, Ethernet::new().carry(&Ipv4::new(client(number), [10, 0, 0, 20]).carry(&tcp)))
    };
    (0..=number % 4).map(packet).collect()
}

/// Records so many flows into one segment.
pub(crate) fn record(site: &Site, flows: u32) {
    let mut all: Vec<_> = (0..flows).flat_map(packets).collect();
    all.sort_by_key(|packet| packet.time);
    Pcap::new().write(&site.timeline_dir().join("flows.pcap"), &all);
}

/// The manifest called `name`.
#[track_caller]
pub(crate) fn manifest(site: &Site, name: &str) -> Manifest {
    let bytes = fs::read(site.output_dir().join(format!("{name}.json")));
    Manifest::from_json(&bytes.unwrap_or_else(|error| panic!("{name}: {error}"))).unwrap()
}

/// All manifests, by name.
pub(crate) fn manifests(site: &Site) -> Vec<Manifest> {
    let entries = fs::read_dir(site.output_dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| !name.starts_with('.') && !name.ends_with(".digest.json"));
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort();
    names.iter().map(|name| manifest(site, name)).collect()
}

/// The manifest called `name` once `is_it`.
#[track_caller]
pub(crate) fn wait_for(site: &Site, name: &str, is_it: impl Fn(&Manifest) -> bool) -> Manifest {
    let found = poll(PATIENCE, || Some(manifest(site, name)).filter(&is_it));
    found.unwrap_or_else(|| panic!("{:#?}", manifest(site, name)))
}

/// The manifest called `name` once its job has ended.
#[track_caller]
pub(crate) fn ended(site: &Site, name: &str) -> Manifest {
    wait_for(site, name, |manifest| !manifest.open)
}

/// What a program is told: the status, and the document.
#[track_caller]
pub(crate) fn ask(server: SocketAddr, line: &str, body: &str) -> (u16, Value) {
    let length = format!("Content-Length: {}", body.len());
    let headers = ["Accept: application/json", &length];
    let reply = Connection::open(server).exchange(&request(line, &headers, body.as_bytes()));
    assert_eq!(reply.header("Content-Type"), Some("application/json"), "{line}: {}", reply.text());
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}
