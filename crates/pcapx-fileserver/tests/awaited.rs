//! Links whose file is not there yet, not any more, or never: what the manifest beside it says is told.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use pcapx_core::time::Timestamp;
use pcapx_testkit::process::{PATIENCE, Reply, Service, Site, poll, request};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");

fn start() -> (Site, Service) {
    let site = Site::new();
    let service = Service::start(BINARY, &site);
    (site, service)
}

/// Writes the manifest of `name`, whose window is over in `ahead` seconds, with `fields` on top.
fn shelve(site: &Site, name: &str, ahead: i64, fields: &Value) {
    let end = Timestamp::from_secs(Timestamp::now().as_secs() + ahead);
    let mut manifest = json!({
        "schema": "pcapx-evidence/1", "name": name, "state": "partial", "open": true, "file": null, "reason": null,
        "asked": {"from": Timestamp::from_secs(0), "to": end}, "filter": "host 10.0.0.1",
        "alert": {"name": "decoy", "file": "decoy.pcap", "open": false},
    });
    for (key, value) in fields.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    fs::write(site.output_dir().join(format!("{name}.json")), manifest.to_string()).unwrap();
}

fn get(service: &Service, target: &str) -> Reply {
    request(service.address(), "GET", target, &[], b"")
}

/// A number of seconds out of the range, in header and text alike.
#[track_caller]
fn assert_coming(reply: &Reply, seconds: std::ops::RangeInclusive<u64>) {
    let secs: u64 = reply.header("Retry-After").unwrap().parse().unwrap();
    assert!(seconds.contains(&secs), "{secs}");
    let text = format!("The evidence is being collected. Ask again in {secs} s.");
    assert_eq!((reply.status, reply.text()), (202, text));
    assert_eq!(reply.header("Content-Type"), Some("text/plain"));
    assert_eq!(reply.header("Cache-Control"), Some("no-cache"));
}

#[test]
fn what_is_being_collected_is_accepted_with_a_time_to_come_back() {
    let (site, service) = start();
    shelve(&site, "a", 30, &json!({}));
    shelve(&site, "far", 86_400, &json!({"state": "queued"}));
    shelve(&site, "over.1", -30, &json!({}));
    assert_coming(&get(&service, "/a.pcap"), 20..=31);
    assert_coming(&get(&service, "/a.pcapng"), 20..=31);
    assert_coming(&get(&service, "/far.pcap"), 60..=60);
    assert_coming(&get(&service, "/over.1.pcap"), 5..=5);
    let line = service.wait_for_log(|line| line.contains("status=202"));
    assert!(line.contains(" evidence=partial"), "{line}");
    // And then it is there.
    fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    assert_eq!(get(&service, "/a.pcap").text(), "packets");
}

#[test]
fn methods_ranges_and_conditions_keep_their_meaning() {
    let (site, service) = start();
    shelve(&site, "a", 30, &json!({}));
    let head = request(service.address(), "HEAD", "/a.pcap", &[], b"");
    assert_eq!((head.status, head.body.len()), (202, 0));
    assert!(head.header("Retry-After").is_some());
    let ask = |name, value| request(service.address(), "GET", "/a.pcap", &[(name, value)], b"").status;
    assert_eq!(ask("Range", "bytes=0-1"), 202);
    assert_eq!(ask("If-None-Match", "*"), 202);
    assert_eq!(ask("If-Modified-Since", "Thu, 01 Jan 1970 00:16:39 GMT"), 202);
    assert_eq!(ask("If-Match", "\"1-2-3\""), 412);
    assert_eq!(request(service.address(), "POST", "/a.pcap", &[], b"x").status, 405);
    assert_eq!(get(&service, "/a.pcap/").status, 404);
    // The manifest itself is a file like any other.
    let manifest = get(&service, "/a.json");
    assert_eq!((manifest.status, manifest.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(serde_json::from_slice::<Value>(&manifest.body).unwrap()["name"], "a");
}

#[test]
fn a_file_of_the_other_ending_is_shown_the_way_to() {
    let (site, service) = start();
    fs::create_dir(site.output_dir().join("day")).unwrap();
    for (name, open) in [("a", false), ("b", true), ("day/c", false)] {
        let plain = name.rsplit('/').next().unwrap();
        let file = format!("{plain}.pcapng");
        shelve(&site, plain, 30, &json!({"state": "complete", "open": open, "file": file}));
        if name != plain {
            let folder = site.output_dir();
            fs::rename(folder.join("c.json"), folder.join("day/c.json")).unwrap();
        }
        fs::write(site.output_dir().join(format!("{name}.pcapng")), name).unwrap();
        let reply = get(&service, &format!("/{name}.pcap"));
        assert_eq!((reply.status, reply.header("Location")), (307, Some(file.as_str())));
        assert_eq!(get(&service, &format!("/{name}.pcapng")).text(), name);
    }
    // One that somebody has taken away leads nowhere, and not in circles.
    fs::remove_file(site.output_dir().join("a.pcapng")).unwrap();
    assert_eq!(get(&service, "/a.pcapng").text(), "Not Found");
}

#[test]
fn what_will_never_come_says_why() {
    let (site, service) = start();
    let long = format!("{}\r\nSet-Cookie: x=1\u{1b}[31m", "a".repeat(450));
    for (name, state, reason, text) in [
        (
            "a",
            "no_match",
            Some("no packet came in this time"),
            "No packets matched: no packet came in this time",
        ),
        ("b", "failed", Some("npcapextract failed"), "There is no evidence: npcapextract failed"),
        ("c", "partial", None, "There is no evidence"),
        (
            "d",
            "failed",
            Some(&long),
            &format!("There is no evidence: {}  Set-Cookie: x=1 [31m", "a".repeat(450)),
        ),
    ] {
        shelve(&site, name, 30, &json!({"state": state, "open": false, "reason": reason}));
        let reply = get(&service, &format!("/{name}.pcap"));
        assert_eq!((reply.status, reply.text()), (404, text.to_owned()));
        assert_eq!(reply.header("Content-Type"), Some("text/plain"));
        assert_eq!(reply.header("Set-Cookie"), None);
    }
}

#[test]
fn a_manifest_is_not_believed_more_than_any_file() {
    let (site, service) = start();
    let folder = site.output_dir();
    for (name, content) in [
        ("empty", ""),
        ("half", r#"{"schema": "pcapx-evidence/1", "name": "half", "state": "#),
        ("text", "no JSON"),
        ("list", "[1]"),
        ("state", r#"{"schema": "pcapx-evidence/1", "name": "state", "state": "odd", "open": true}"#),
    ] {
        fs::write(folder.join(format!("{name}.json")), content).unwrap();
    }
    shelve(&site, "schema", 30, &json!({"schema": "pcapx-evidence/2"}));
    shelve(&site, "name", 30, &json!({"name": "other"}));
    shelve(&site, ".hidden", 30, &json!({}));
    fs::write(site.path().join("outside.json"), fs::read(folder.join("name.json")).unwrap()).unwrap();
    symlink("../outside.json", folder.join("outside.json")).unwrap();
    mknodat(CWD, folder.join("fifo.json"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::create_dir(folder.join("folder.json")).unwrap();
    let names =
        ["empty", "half", "text", "list", "state", "schema", "name", "outside", "fifo", "folder", "none"];
    for name in names.into_iter().chain([".hidden"]) {
        let reply = get(&service, &format!("/{name}.pcap"));
        assert_eq!((reply.status, reply.text().as_str()), (404, "Not Found"), "{name}");
    }
    // A place that is no plain name is not told.
    for file in ["../secret.pcapng", "/etc/passwd", ".hidden", "http://elsewhere/", "a\r\nb", ""] {
        shelve(&site, "place", 30, &json!({"state": "complete", "open": false, "file": file}));
        let reply = get(&service, "/place.pcap");
        assert_eq!((reply.status, reply.header("Location")), (404, None), "{file}");
    }
}

#[test]
fn who_may_not_download_learns_nothing_of_what_is_coming() {
    let mut site = Site::new();
    site.set("fileserver_auth_user", "u").set("fileserver_auth_pass", "p");
    let service = Service::start(BINARY, &site);
    shelve(&site, "a", 30, &json!({}));
    assert_eq!(get(&service, "/a.pcap").text(), "Unauthorized");
}

/// Retention removes what nobody has locked.
#[test]
fn a_file_that_is_being_downloaded_is_locked_until_it_has_been_sent() {
    use std::io::{Read, Write};

    let (site, service) = start();
    let path = site.output_dir().join("large.pcap");
    File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let is_locked = || flock(File::open(&path).unwrap(), FlockOperation::NonBlockingLockExclusive).is_err();
    assert!(!is_locked());
    let mut stream = std::net::TcpStream::connect(service.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /large.pcap HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    assert!(is_locked());
    assert_eq!(request(service.address(), "GET", "/large.pcap", &[("Range", "bytes=-9")], b"").body.len(), 9);
    assert!(is_locked(), "another download has ended, this one has not");
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    assert!(poll(PATIENCE, || (!is_locked()).then_some(())).is_some(), "the lock outlives the download");
}
