//! From an alert to its packets with the built-in extractor, compared with tcpdump.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::packet::{Ethernet, Ipv4, Ipv6, Tcp, Udp};
use pcapx_testkit::process::Site;
use pcapx_testkit::tool;

use crate::{ALERT, ALERT_FILE, assert_result, evidence, listener, post};

/// The alert's time, seconds.
const AT: i64 = 1_739_100_000;
const FILTER: &str = "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443";

/// A packet every 20 s from 20 min before the alert to 20 min past it, of five flows in turn.
fn packets() -> Vec<Packet> {
    let (client, server, other) = ([10, 0, 0, 10], [10, 0, 0, 20], [10, 0, 0, 30]);
    let frames = |number: u8| {
        let data = [number; 100];
        let ask = Tcp::new(40_000, 443).payload(&data);
        let answer = Tcp::new(443, 40_000).payload(&data);
        let six = |last| [0x2001, 0xdb8, 0, 0, 0, 0, 0, last];
        match number % 5 {
            0 => Ethernet::new().carry(&Ipv4::new(client, server).carry(&ask)),
            1 => Ethernet::new().carry(&Ipv4::new(server, client).carry(&answer)),
            2 => Ethernet::new().carry(&Ipv4::new(client, other).carry(&ask)),
            3 => {
                Ethernet::new().carry(&Ipv4::new(client, server).carry(&Udp::new(40_000, 443).payload(&data)))
            }
            _ => Ethernet::new().carry(&Ipv6::new(six(1), six(2)).carry(&ask)),
        }
    };
    (0..=120u8)
        .map(|number| {
            let at =
                Timestamp::from_nanos((AT - 1200 + 20 * i64::from(number)) * 1_000_000_000 + 123_456_000);
            Packet::new(at, frames(number))
        })
        .collect()
}

/// Three capture files of the packets, and one of those in the window of 360 s around the alert.
fn record(site: &Site) -> std::path::PathBuf {
    let packets = packets();
    for (number, part) in packets.chunks(41).enumerate() {
        Pcap::new().write(&site.timeline_dir().join(format!("part-{number}.pcap")), part);
    }
    let (start, end) = (Timestamp::from_secs(AT - 360), Timestamp::from_secs(AT + 360));
    let inside: Vec<_> =
        packets.into_iter().filter(|packet| start <= packet.time && packet.time <= end).collect();
    assert_eq!(inside.len(), 36);
    let file = site.path().join("inside.pcap");
    Pcap::new().write(&file, &inside);
    file
}

#[test]
fn the_file_holds_what_tcpdump_finds_byte_for_byte() {
    let mut site = Site::new();
    site.set("host", "192.168.0.109").set("fileserver_port", 8081);
    let inside = record(&site);
    let service = listener(&site);
    assert_result(
        &post(service.address(), "/extract", ALERT),
        &format!("http://192.168.0.109:8081/{ALERT_FILE}"),
    );
    assert_eq!(evidence(&site), [ALERT_FILE]);
    let file = site.output_dir().join(ALERT_FILE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    let line = service.wait_for_log(|line| line.contains("job id="));
    assert!(line.contains(&format!(" outcome=complete file={ALERT_FILE} packets=14 ")), "{line}");

    let told = fs::read(site.output_dir().join(ALERT_FILE.replace(".pcap", ".digest.json"))).unwrap();
    let digest: pcapx_core::digest::Digest = serde_json::from_slice(&told).unwrap();
    assert_eq!((digest.total.packets, digest.lines.len(), digest.conversations.len()), (14, 14, 1));
    let told = fs::read(site.output_dir().join(ALERT_FILE.replace(".pcap", ".json"))).unwrap();
    let manifest = pcapx_core::manifest::Manifest::from_json(&told).unwrap();
    let sent = manifest.directions.map(|told| (told.packets_from_client, told.packets_to_client));
    assert_eq!(sent.map(|(from, to)| from + to), Some(14));

    let Some(tcpdump) = tool::require("tcpdump") else { return };
    let wanted = tcpdump.run([
        "-n".as_ref(),
        "-w".as_ref(),
        "-".as_ref(),
        "-r".as_ref(),
        inside.as_os_str(),
        FILTER.as_ref(),
    ]);
    assert!(wanted.status.success(), "{}", String::from_utf8_lossy(&wanted.stderr));
    let ours = fs::read(file).unwrap();
    // The headers may tell different greatest lengths; all packets and times follow.
    assert!(ours[24..] == wanted.stdout[24..], "{} and {} bytes", ours.len(), wanted.stdout.len());
    assert_eq!(ours[..16], wanted.stdout[..16]);
}

#[test]
fn an_empty_answer_says_why() {
    let site = Site::new();
    record(&site);
    let service = listener(&site);
    let text = |tail: &str| format!("ERROR: no packets matched 'host 10.9.9.9' between {tail}");
    let alert = |time: i64| format!(r#"{{"id": "a", "clientIp": "10.9.9.9", "unixTimestamp": {time}}}"#);
    let found = post(service.address(), "/?before=1000&after=0", &alert(AT));
    assert_result(
        &found,
        &text(
            "2025-02-09 11:03:20 and 2025-02-09 11:20:00 (the filter matched none of 82 packets in 2 capture files, 20 s of the time were not recorded)",
        ),
    );
    let found = post(service.address(), "/", &alert(AT + 86_400));
    assert_result(
        &found,
        &text(
            "2025-02-10 11:14:00 and 2025-02-10 11:26:00 (nothing was written after 2025-02-09 11:40:00, is the recorder running?)",
        ),
    );
    // A file that may hold what was asked for, and cannot be read, is part of the answer.
    fs::write(site.timeline_dir().join("packed.pcap"), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4]).unwrap();
    let found = post(service.address(), "/?before=1000&after=0", &alert(AT));
    let tail = "2025-02-09 11:03:20 and 2025-02-09 11:20:00 (the capture file packed.pcap could not be read)";
    assert_result(&found, &text(tail));
    let line = service.wait_for_log(|line| line.contains(" unread=1 "));
    assert!(line.contains(" segments=2 excluded=0 unread=1 scanned=82 in_window="), "{line}");
    assert!(evidence(&site).is_empty());
}

#[test]
fn packets_of_different_links_come_as_pcapng() {
    let site = Site::new();
    let packets = packets();
    Pcap::new().write(&site.timeline_dir().join("ethernet.pcap"), &packets[..61]);
    let raw: Vec<_> = packets[61..].iter().map(|p| Packet::new(p.time, p.data[14..].to_vec())).collect();
    Pcap::new().link_type(link::RAW).write(&site.timeline_dir().join("raw.pcap"), &raw);
    let service = listener(&site);
    let file = ALERT_FILE.replace(".pcap", ".pcapng");
    assert_result(&post(service.address(), "/", ALERT), &format!("http://127.0.0.1:0/{file}"));
    assert_eq!(evidence(&site), [file]);
}

#[test]
fn an_extraction_over_the_limit_is_a_timeout_of_its_own_name() {
    let mut site = Site::new();
    record(&site);
    site.set("extractor_timeout", 0.000_001);
    let service = listener(&site);
    assert_result(&post(service.address(), "/", ALERT), "ERROR: extraction timeout");
    assert!(
        service.wait_for_log(|line| line.contains("job id=")).contains(" extractor=builtin outcome=timeout ")
    );
    assert!(evidence(&site).is_empty(), "{:?}", evidence(&site));
}

#[test]
fn a_foreign_file_in_the_timeline_is_a_warning() {
    let site = Site::new();
    record(&site);
    fs::write(site.timeline_dir().join("\u{1b}[31mnotes.txt"), "no capture").unwrap();
    let service = listener(&site);
    assert_result(&post(service.address(), "/", ALERT), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
    let warning = service.wait_for_log(|line| line.contains(" timeline id="));
    assert!(warning.contains("notes.txt") && !warning.contains('\u{1b}'), "{}", warning.escape_debug());
}

#[test]
fn a_disk_that_refuses_is_a_failed_extraction() {
    let site = Site::new();
    record(&site);
    let service = listener(&site);
    fs::remove_dir(site.output_dir()).unwrap();
    assert_result(
        &post(service.address(), "/", ALERT),
        "ERROR: extraction failed, the folder of evidence cannot be written",
    );
    fs::create_dir(site.output_dir()).unwrap();
    assert_eq!(post(service.address(), "/", ALERT).text(), format!("http://127.0.0.1:0/{ALERT_FILE}"));
}

#[test]
fn a_pcapng_file_says_what_it_is_and_its_hash_is_told() {
    let site = Site::new();
    record(&site);
    let service = listener(&site);
    let file = ALERT_FILE.replace(".pcap", ".pcapng");
    assert_result(&post(service.address(), "/?format=pcapng", ALERT), &format!("http://127.0.0.1:0/{file}"));
    let path = site.output_dir().join(&file);
    let manifest = fs::read(site.output_dir().join(ALERT_FILE.replace(".pcap", ".json"))).unwrap();
    let manifest = pcapx_core::manifest::Manifest::from_json(&manifest).unwrap();
    assert_eq!((manifest.packets, manifest.file.as_deref()), (Some(14), Some(&*file)));

    if let Some(sha256sum) = tool::require("sha256sum") {
        let told = sha256sum.run([path.as_os_str()]);
        let told = String::from_utf8_lossy(&told.stdout).split(' ').next().map(str::to_owned);
        assert_eq!(told, manifest.sha256);
    }
    let Some(capinfos) = tool::require("capinfos") else { return };
    let told = capinfos.run([path.as_os_str()]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    for part in [
        "alert: alert_12345, Suspicious traffic, raised 2025-02-09T11:20:00.000000000Z",
        &format!("filter: {FILTER}"),
        "window: 2025-02-09T11:14:00.000000000Z..2025-02-09T11:26:00.000000000Z",
        "recorded of it: 2025-02-09T11:14:00.000000000Z..",
        "lost while recording: not known",
    ] {
        assert!(told.contains(part), "{part}\nin\n{told}");
    }
}
