//! Which paths lead to a file: none that leaves the folder, hides, or is not a file.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use pcapx_testkit::process::{Connection, Service, Site, request};

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");
const SECRET: &str = "the secret beside the folder";

/// A folder with one file of each kind, and a secret beside it.
fn site() -> Site {
    let site = Site::new();
    let folder = site.output_dir();
    fs::write(site.path().join("secret"), SECRET).unwrap();
    fs::create_dir_all(folder.join("day/.hidden")).unwrap();
    fs::create_dir(folder.join("dir.tmp")).unwrap();
    for (name, content) in [
        ("a.pcap", "packets"),
        ("day/b.pcap", "of the day"),
        ("a b%41.pcap", "odd name"),
        ("ł.pcap", "letters"),
        (".dot.pcap", SECRET),
        ("a.pcap.tmp", SECRET),
        ("a.pcap.Partial", SECRET),
        ("day/.hidden/c.pcap", SECRET),
        ("dir.tmp/d.pcap", SECRET),
        ("back\\slash", SECRET),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
    symlink("day/b.pcap", folder.join("inside.pcap")).unwrap();
    symlink("day", folder.join("inside-dir")).unwrap();
    symlink("../secret", folder.join("outside")).unwrap();
    symlink(site.path().join("secret"), folder.join("absolute")).unwrap();
    symlink("..", folder.join("outside-dir")).unwrap();
    symlink("/", folder.join("root")).unwrap();
    symlink("/proc/self/root/etc", folder.join("magic")).unwrap();
    symlink("circle", folder.join("circle")).unwrap();
    site
}

#[test]
fn files_of_the_folder_are_served_by_every_spelling_of_their_name() {
    let site = site();
    let service = Service::start(BINARY, &site);
    for (target, content) in [
        ("/a.pcap", "packets"),
        ("/%61.pcap", "packets"),
        ("/a.pcap?query=../secret", "packets"),
        ("http://elsewhere/a.pcap", "packets"),
        ("/day/b.pcap", "of the day"),
        ("/a%20b%2541.pcap", "odd name"),
        ("/%C5%82.pcap", "letters"),
        ("/inside.pcap", "of the day"),
        ("/inside-dir/b.pcap", "of the day"),
    ] {
        let reply = request(service.address(), "GET", target, &[], b"");
        assert_eq!((reply.status, reply.text().as_str()), (200, content), "{target}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
    }
}

#[test]
fn nothing_else_is_ever_readable() {
    let site = site();
    let service = Service::start(BINARY, &site);
    let absolute = format!("/{}/secret", site.path().display());
    let targets = [
        "/missing",
        "/../secret",
        "/..",
        "/../",
        "/.",
        "/./a.pcap",
        "/day/../a.pcap",
        "/day/../../secret",
        "/%2e%2e/secret",
        "/%2E%2E%2Fsecret",
        "/..%2fsecret",
        "/.%2e/secret",
        "/day/%2e%2e/%2e%2e/secret",
        "/%252e%252e/secret",
        "/day%2fb.pcap",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "//a.pcap",
        "/day//b.pcap",
        "/a.pcap//",
        absolute.as_str(),
        "/..\\secret",
        "/..%5csecret",
        "/%5c..%5csecret",
        "/back%5cslash",
        "/a.pcap%00",
        "/a.pcap%00.txt",
        "/%00",
        "/outside",
        "/absolute",
        "/outside-dir",
        "/outside-dir/secret",
        "/root/etc/passwd",
        "/magic/passwd",
        "/circle",
        "/.dot.pcap",
        "/%2edot.pcap",
        "/a.pcap.tmp",
        "/a.pcap.Partial",
        "/a.pcap.%74mp",
        "/day/.hidden/c.pcap",
        "/day/.hidden",
        "/day/.hidden/",
        "/dir.tmp/d.pcap",
        "/dir.tmp/",
        "/a.pcap/",
        "/a.pcap/x",
        "/a.pcap/..",
        "/a%C5.pcap",
        "*",
    ];
    for target in targets {
        for method in ["GET", "HEAD"] {
            let reply = request(service.address(), method, target, &[], b"");
            assert_eq!(reply.status, 404, "{method} {target}");
            assert_eq!(reply.text(), if method == "GET" { "Not Found" } else { "" }, "{method} {target}");
            assert_eq!(reply.header("content-length"), Some("9"), "{method} {target}");
        }
    }
    let long = format!("/{}", "x".repeat(300));
    assert_eq!(request(service.address(), "GET", &long, &[], b"").status, 404);
    let deep = "/d".repeat(5000);
    assert_eq!(request(service.address(), "GET", &deep, &[], b"").status, 404);
    // Bytes that no target may have are refused before there is a path.
    for target in ["/a\0b", "/a b", "/\u{7f}"] {
        let reply =
            Connection::open(service.address()).exchange(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes());
        assert_eq!(reply.status, 400, "{target:?}");
    }
    service.wait_for_log(|line| line.contains("connection peer=127.0.0.1 ended="));
}

#[test]
fn directories_are_never_listed() {
    let site = site();
    let service = Service::start(BINARY, &site);
    for target in ["/", "/?x", "/day", "/day/", "/inside-dir", "/inside-dir/"] {
        let reply = request(service.address(), "GET", target, &[], b"");
        assert_eq!((reply.status, reply.text().as_str()), (403, "Directory listing disabled"), "{target}");
    }
}

#[test]
fn what_is_not_a_regular_file_neither_blocks_nor_answers() {
    let site = site();
    let folder = site.output_dir();
    let made = Command::new("mkfifo").arg(folder.join("fifo")).status().unwrap();
    assert!(made.success() && fs::metadata(folder.join("fifo")).unwrap().file_type().is_fifo());
    let _socket = UnixListener::bind(folder.join("socket")).unwrap();
    let service = Service::start(BINARY, &site);
    for target in ["/fifo", "/socket"] {
        assert_eq!(request(service.address(), "GET", target, &[], b"").status, 404, "{target}");
    }
}

#[test]
fn the_log_shows_paths_escaped_and_in_one_line() {
    let site = site();
    let service = Service::start(BINARY, &site);
    assert_eq!(request(service.address(), "GET", "/a=b\"%0d%0astatus=200", &[], b"").status, 404);
    let line = service.wait_for_log(|line| line.contains("path=\"/a"));
    assert!(line.contains(r#" path="/a=b\"%0d%0astatus=200" status=404 "#), "{line}");
    assert_eq!(
        request(service.address(), "GET", "/day/b.pcap?secret", &[("Range", "bytes=1-3")], b"").text(),
        "f t"
    );
    let line = service.wait_for_log(|line| line.contains("path=/day/b.pcap"));
    let (start, end) = line.split_once(" ms=").unwrap();
    assert!(
        start.contains("INFO")
            && start.contains(" peer=127.0.0.1 method=GET path=/day/b.pcap status=206 sent=3")
    );
    assert!(end.ends_with(" end=complete range=1-3/10"), "{line}");
}
