//! Ranges, validators and conditions: exact answers.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use pcapx_testkit::process::{Connection, Reply, Service, Site, request};

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");
const CONTENT: &[u8] = b"0123456789";
/// 2001-09-09 01:46:40 UTC.
const CHANGED_SECONDS: u64 = 1_000_000_000;
const BEFORE: &str = "Sun, 09 Sep 2001 01:46:39 GMT";
const CHANGED: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
const AFTER: &str = "Sun, 09 Sep 2001 01:46:41 GMT";

struct Scene {
    site: Site,
    service: Service,
}

impl Scene {
    fn new() -> Self {
        let site = Site::new();
        for (name, content) in [("a.pcap", CONTENT), ("empty.pcap", b"")] {
            write(&site, name, content);
        }
        let service = Service::start(BINARY, &site);
        Scene { site, service }
    }

    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
        request(self.service.address(), method, target, headers, b"")
    }

    fn tag(&self) -> String {
        self.ask("HEAD", "/a.pcap", &[]).header("etag").unwrap().to_owned()
    }
}

fn write(site: &Site, name: &str, content: &[u8]) {
    let path = site.output_dir().join(name);
    fs::write(&path, content).unwrap();
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(CHANGED_SECONDS);
    File::options().write(true).open(path).unwrap().set_modified(changed).unwrap();
}

#[test]
fn a_whole_file_has_all_its_headers_and_head_has_the_same() {
    let scene = Scene::new();
    let get = scene.ask("GET", "/a.pcap", &[]);
    let head = scene.ask("HEAD", "/a.pcap", &[]);
    for (reply, body) in [(&get, CONTENT), (&head, b"")] {
        assert_eq!((reply.status, reply.body.as_slice()), (200, body));
        for (name, value) in [
            ("content-type", "application/vnd.tcpdump.pcap"),
            ("content-length", "10"),
            ("content-disposition", "attachment; filename=\"a.pcap\""),
            ("last-modified", CHANGED),
            ("accept-ranges", "bytes"),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
        assert!(reply.header("date").is_some());
        assert_eq!(reply.header("content-range"), None);
    }
    assert_eq!(get.header("etag"), head.header("etag"));
    let tag = get.header("etag").unwrap();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 4, "{tag} is not strong");
    let names = |reply: &Reply| reply.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&get), names(&head));
}

#[test]
fn types_and_names() {
    let scene = Scene::new();
    for (name, target, content_type, disposition) in [
        ("b.pcapng", "/b.pcapng", "application/vnd.tcpdump.pcap", "attachment; filename=\"b.pcapng\""),
        ("c.cap", "/c.cap", "application/vnd.tcpdump.pcap", "attachment; filename=\"c.cap\""),
        ("d.json", "/d.json", "application/json", "attachment; filename=\"d.json\""),
        ("e", "/e", "application/octet-stream", "attachment; filename=\"e\""),
        (
            "ł\"x\".txt",
            "/%C5%82%22x%22.txt",
            "application/octet-stream",
            "attachment; filename=\"__x_.txt\"; filename*=UTF-8''%C5%82%22x%22.txt",
        ),
    ] {
        write(&scene.site, name, b"x");
        let reply = scene.ask("GET", target, &[]);
        assert_eq!(reply.header("content-type"), Some(content_type), "{name}");
        assert_eq!(reply.header("content-disposition"), Some(disposition), "{name}");
    }
}

#[test]
fn range_matrix() {
    let scene = Scene::new();
    for (range, status, content_range, body) in [
        ("bytes=0-0", 206, Some("bytes 0-0/10"), "0"),
        ("bytes=2-4", 206, Some("bytes 2-4/10"), "234"),
        ("bytes=2-", 206, Some("bytes 2-9/10"), "23456789"),
        ("bytes=0-", 206, Some("bytes 0-9/10"), "0123456789"),
        ("bytes=8-99", 206, Some("bytes 8-9/10"), "89"),
        ("bytes=-3", 206, Some("bytes 7-9/10"), "789"),
        ("bytes=-99", 206, Some("bytes 0-9/10"), "0123456789"),
        ("bytes=10-", 416, Some("bytes */10"), "Range Not Satisfiable"),
        ("bytes=-0", 416, Some("bytes */10"), "Range Not Satisfiable"),
        ("bytes=99999999999999999999-", 416, Some("bytes */10"), "Range Not Satisfiable"),
        ("bytes=0-1,4-5", 200, None, "0123456789"),
        ("bytes=4-2", 200, None, "0123456789"),
        ("bytes=x-", 200, None, "0123456789"),
        ("lines=0-1", 200, None, "0123456789"),
    ] {
        let reply = scene.ask("GET", "/a.pcap", &[("Range", range)]);
        assert_eq!((reply.status, reply.header("content-range")), (status, content_range), "{range}");
        assert_eq!(reply.text(), body, "{range}");
        assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()), "{range}");
        let head = scene.ask("HEAD", "/a.pcap", &[("Range", range)]);
        assert_eq!((head.status, head.header("content-length")), (200, Some("10")), "HEAD {range}");
    }
    let twice = scene.ask("GET", "/a.pcap", &[("Range", "bytes=0-1"), ("Range", "bytes=0-1")]);
    assert_eq!(twice.status, 200);
}

#[test]
fn empty_files() {
    let scene = Scene::new();
    for (range, status, content_range) in
        [("", 200, None), ("bytes=0-", 416, Some("bytes */0")), ("bytes=-5", 200, None)]
    {
        let reply = scene.ask("GET", "/empty.pcap", &[("Range", range)]);
        assert_eq!((reply.status, reply.header("content-range")), (status, content_range), "{range}");
        if status == 200 {
            assert_eq!((reply.header("content-length"), reply.body.len()), (Some("0"), 0), "{range}");
        }
    }
}

#[test]
fn conditions_matrix() {
    let scene = Scene::new();
    let tag = scene.tag();
    let weak = format!("W/{tag}");
    let list = format!("\"other\", {tag}");
    for (headers, status) in [
        (vec![("If-None-Match", tag.as_str())], 304),
        (vec![("If-None-Match", &weak)], 304),
        (vec![("If-None-Match", &list)], 304),
        (vec![("If-None-Match", "*")], 304),
        (vec![("If-None-Match", "\"other\"")], 200),
        (vec![("If-None-Match", "\"other\""), ("If-Modified-Since", AFTER)], 200),
        (vec![("If-Modified-Since", BEFORE)], 200),
        (vec![("If-Modified-Since", CHANGED)], 304),
        (vec![("If-Modified-Since", AFTER)], 304),
        (vec![("If-Modified-Since", "nonsense")], 200),
        (vec![("If-Match", &tag)], 200),
        (vec![("If-Match", &list)], 200),
        (vec![("If-Match", "*")], 200),
        (vec![("If-Match", &weak)], 412),
        (vec![("If-Match", "\"other\"")], 412),
        (vec![("If-Match", &tag), ("If-Unmodified-Since", BEFORE)], 200),
        (vec![("If-Unmodified-Since", BEFORE)], 412),
        (vec![("If-Unmodified-Since", CHANGED)], 200),
        (vec![("If-Match", &tag), ("If-None-Match", &tag)], 304),
        (vec![("If-Match", "\"other\""), ("If-None-Match", &tag)], 412),
        (vec![("If-None-Match", &tag), ("Range", "bytes=0-1")], 304),
        (vec![("If-Match", "\"other\""), ("Range", "bytes=0-1")], 412),
        (vec![("If-Match", &tag), ("Range", "bytes=0-1")], 206),
        (vec![("If-Match", &tag), ("Range", "bytes=10-")], 416),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = scene.ask(method, "/a.pcap", &headers);
            let status = if method == "HEAD" && matches!(status, 206 | 416) { 200 } else { status };
            assert_eq!(reply.status, status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!(reply.header("etag"), Some(tag.as_str()), "{headers:?}");
                assert_eq!(
                    (reply.header("last-modified"), reply.body.len()),
                    (Some(CHANGED), 0),
                    "{headers:?}"
                );
            }
        }
    }
    assert_eq!(scene.ask("GET", "/missing", &[("If-Match", "*")]).status, 404);
}

#[test]
fn if_range_matrix() {
    let scene = Scene::new();
    let tag = scene.tag();
    let weak = format!("W/{tag}");
    for (value, status) in [
        (tag.as_str(), 206),
        (CHANGED, 206),
        (&weak, 200),
        ("\"other\"", 200),
        (BEFORE, 200),
        (AFTER, 200),
        ("nonsense", 200),
    ] {
        let reply = scene.ask("GET", "/a.pcap", &[("Range", "bytes=2-4"), ("If-Range", value)]);
        assert_eq!(reply.status, status, "{value}");
        assert_eq!(reply.text(), if status == 206 { "234" } else { "0123456789" }, "{value}");
    }
}

#[test]
fn a_replaced_file_has_another_tag() {
    let scene = Scene::new();
    let before = scene.tag();
    write(&scene.site, ".new", b"9876543210");
    fs::rename(scene.site.output_dir().join(".new"), scene.site.output_dir().join("a.pcap")).unwrap();
    assert_ne!(scene.tag(), before);
    assert_eq!(scene.ask("GET", "/a.pcap", &[("If-None-Match", &before)]).text(), "9876543210");
}

#[test]
fn connections_are_kept_between_answers_of_every_kind() {
    let scene = Scene::new();
    let mut connection = Connection::open(scene.service.address());
    for (method, target, header, status) in [
        ("GET", "/a.pcap", "X: y", 200),
        ("HEAD", "/a.pcap", "X: y", 200),
        ("GET", "/a.pcap", "Range: bytes=1-2", 206),
        ("GET", "/a.pcap", "Range: bytes=10-", 416),
        ("GET", "/a.pcap", "If-None-Match: *", 304),
        ("GET", "/empty.pcap", "X: y", 200),
        ("GET", "/missing", "X: y", 404),
        ("HEAD", "/missing", "X: y", 404),
        ("DELETE", "/a.pcap", "X: y", 405),
        ("GET", "/", "X: y", 403),
        ("GET", "/a.pcap", "X: y", 200),
    ] {
        connection.send(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n").as_bytes());
        assert_eq!(connection.reply_to(method).unwrap().status, status, "{method} {target} {header}");
    }
}
