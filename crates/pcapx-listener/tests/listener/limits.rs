//! Where an answer is cut, and when there is no room for one.

use std::fs;

use pcapx_core::manifest::{Failure, Limit, State};
use pcapx_testkit::capture::read_pcap;
use pcapx_testkit::process::Site;
use serde_json::Value;

use crate::shelf::{alert, ask, link, manifest, packets, record, stem};
use crate::{assert_result, evidence, listener, post};

/// Flow 3 has four packets.
fn cut(key: &str, value: impl Into<Value>) -> (Site, pcapx_core::manifest::Manifest, Vec<u8>) {
    let mut site = Site::new();
    site.set(key, value);
    record(&site, 8);
    let service = listener(&site);
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
    let (status, document) = ask(service.address(), "POST /", &alert("a", 3));
    assert_eq!((status, &document["url"]), (200, &link("a").into()));
    let told = manifest(&site, &stem("a"));
    let file = fs::read(site.output_dir().join(told.file.clone().unwrap())).unwrap();
    (site, told, file)
}

#[test]
fn a_file_over_a_limit_ends_with_a_whole_packet_and_says_so() {
    let record_bytes = 16 + packets(3)[0].data.len() as u64;
    let three = 24 + 3 * record_bytes;
    for (key, value, count, limit) in [
        ("max_output_packets", 3, 3, Some(Limit::Packets)),
        ("max_output_packets", 1, 1, Some(Limit::Packets)),
        ("max_output_packets", 4, 4, None),
        ("max_output_bytes", three, 3, Some(Limit::Bytes)),
        ("max_output_bytes", three + record_bytes - 1, 3, Some(Limit::Bytes)),
        ("max_output_bytes", three + record_bytes, 4, None),
    ] {
        let (_site, told, file) = cut(key, value);
        let read = read_pcap(&file).unwrap().packets;
        assert!(read == packets(3)[..count], "{key} {value}: {read:?}");
        assert_eq!((told.packets, told.bytes), (Some(count as u64), Some(file.len() as u64)));
        let (state, reason) = match limit {
            Some(_) => (State::Partial, Some(format!("cut off at {key}"))),
            None => (State::Complete, None),
        };
        assert_eq!(
            (told.state, told.open, told.limit, told.reason),
            (state, false, limit, reason),
            "{key} {value}"
        );
        // Behind the cut there can be more at any time.
        assert_eq!(told.searched_up_to.is_some(), limit.is_none(), "{key} {value}");
    }
}

#[test]
fn a_limit_that_has_no_room_for_a_packet_is_named() {
    let mut site = Site::new();
    site.set("max_output_bytes", 60);
    record(&site, 8);
    let service = listener(&site);
    let text = post(service.address(), "/", &alert("a", 3)).text();
    let reason = "max_output_bytes has no room for the first packet that matched";
    assert!(text.starts_with("ERROR: no packets matched ") && text.contains(reason), "{text}");
    let told = manifest(&site, &stem("a"));
    assert_eq!((told.state, told.limit, told.file), (State::Partial, Some(Limit::Bytes), None));
    assert_eq!(ask(service.address(), "POST /", &alert("a", 3)).0, 404);
    assert!(evidence(&site).is_empty());
}

/// Visible in Wireshark's capture properties.
#[test]
fn a_pcapng_file_tells_how_it_ends() {
    let last = "with the last packet found";
    for (key, value, ending) in [
        ("max_output_packets", 3, "cut off at max_output_packets"),
        ("max_output_packets", 9, last),
        ("max_output_bytes", 1060, "cut off at max_output_bytes"),
        ("max_output_bytes", 1 << 20, last),
        ("max_output_bytes", 0, ""),
    ] {
        let mut site = Site::new();
        site.set(key, value).set("output_format", "pcapng");
        record(&site, 8);
        let service = listener(&site);
        assert_eq!(post(service.address(), "/", &alert("a", 3)).status, 200);
        let file = fs::read(site.output_dir().join(format!("{}.pcapng", stem("a")))).unwrap();
        let told = String::from_utf8_lossy(&file);
        let told = told.split_once("end: ").map_or("", |(_, rest)| &rest[..ending.len()]);
        assert_eq!(told, ending, "{key} {value}");
    }
}

#[test]
fn without_room_an_extraction_fails_and_says_so() {
    let mut site = Site::new();
    site.set("min_free_bytes", u64::MAX);
    record(&site, 8);
    let service = listener(&site);
    let text = "ERROR: extraction failed, there is not enough free space for evidence";
    assert_result(&post(service.address(), "/", &alert("a", 3)), text);
    let told = manifest(&site, &stem("a"));
    assert_eq!((told.state, told.failure), (State::Failed, Some(Failure::NoSpace)));
    assert_eq!(told.reason.as_deref(), Some("there is not enough free space for evidence"));
    let line = service.wait_for_log(|line| line.contains("job id="));
    assert!(line.contains(" outcome=no-space detail=\"less than min_free_bytes is left\""), "{line}");
    assert!(evidence(&site).is_empty());
    service.stop();
    // There is room again.
    site.set("min_free_bytes", 0);
    let service = listener(&site);
    assert_result(&post(service.address(), "/", &alert("a", 3)), &link("a"));
}
