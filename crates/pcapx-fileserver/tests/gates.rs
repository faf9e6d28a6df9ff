//! Who gets in: credentials, addresses, methods, and the health path in front of all.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use pcapx_core::config::Secret;
use pcapx_testkit::process::{Reply, Service, Site, basic, request};
use pcapx_testkit::tool;

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");

fn site() -> Site {
    let site = Site::new();
    std::fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    site
}

fn start(settings: &[(&str, serde_json::Value)]) -> (Site, Service) {
    let mut site = site();
    for (key, value) in settings {
        site.set(key, value.clone());
    }
    let service = Service::start(BINARY, &site);
    (site, service)
}

fn get(service: &Service, headers: &[(&str, &str)]) -> Reply {
    request(service.address(), "GET", "/a.pcap", headers, b"")
}

fn assert_unauthorized(reply: &Reply, what: &str) {
    assert_eq!((reply.status, reply.text().as_str()), (401, "Unauthorized"), "{what}");
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"pcap-files\""), "{what}");
    assert_eq!(reply.header("content-type"), Some("text/plain"), "{what}");
    assert_eq!(reply.header("content-length"), Some("12"), "{what}");
}

#[test]
fn credentials_matrix() {
    let plain = [("", ""), ("sycope", ""), ("", "s3cret"), ("sycope", "s3:cr:et"), ("łoś", "żółw")];
    let plain = plain.map(|(user, password)| (user, password, password.to_owned()));
    let hashed = [("sycope", "s3:cr:et", Secret::hash("s3:cr:et").unwrap())];
    for (user, password, written) in plain.into_iter().chain(hashed) {
        let (_site, service) =
            start(&[("fileserver_auth_user", user.into()), ("fileserver_auth_pass", written.into())]);
        let right = basic(format!("{user}:{password}").as_bytes());
        assert_eq!(get(&service, &[("Authorization", &right)]).text(), "packets", "{user}:{password}");
        if user.is_empty() && password.is_empty() {
            assert_eq!(get(&service, &[]).text(), "packets");
            assert_eq!(get(&service, &[("Authorization", "Basic ***")]).text(), "packets");
            continue;
        }
        let lower = right.replace("Basic", "basic");
        assert_eq!(get(&service, &[("Authorization", &lower)]).text(), "packets", "{user}:{password}");
        assert_unauthorized(&get(&service, &[]), "none");
        let wrong = [
            basic(format!("{user}:{password}x").as_bytes()),
            basic(format!("x{user}:{password}").as_bytes()),
            basic(b":"),
            basic(user.as_bytes()),
            basic(b"\xff\xfe:\xff"),
            right.replace("Basic", "Bearer"),
            right.replace("Basic ", "Basic"),
            right.replace("Basic ", "Digest "),
            format!("{right}!"),
            "Basic".to_owned(),
            "Basic ====".to_owned(),
        ];
        for value in &wrong {
            assert_unauthorized(&get(&service, &[("Authorization", value)]), value);
        }
        assert_unauthorized(&get(&service, &[("Authorization", &right), ("Authorization", &right)]), "twice");
        let log = service.stop().stderr;
        assert!(log.contains("status=401") && log.contains("denied=\"wrong credentials\""), "{log}");
        assert!(password.is_empty() || !log.contains(password), "the password is in the log:\n{log}");
    }
}

#[test]
fn addresses_matrix() {
    for (allowed, status) in [
        (vec![], 200),
        (vec!["127.0.0.1"], 200),
        (vec!["127.0.0.99/8"], 200),
        (vec!["::ffff:127.0.0.0/104"], 200),
        (vec!["10.0.0.0/8", "127.0.0.1/32"], 200),
        (vec!["10.0.0.0/8"], 403),
        (vec!["127.0.0.2"], 403),
        (vec!["::1", "::/0"], 403),
    ] {
        let (_site, service) = start(&[("allowed_ips", allowed.clone().into())]);
        let reply = get(&service, &[]);
        assert_eq!(reply.status, status, "{allowed:?}");
        assert_eq!(reply.text(), if status == 200 { "packets" } else { "Forbidden" }, "{allowed:?}");
    }
}

#[test]
fn addresses_matrix_over_ipv6() {
    if let Err(error) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        tool::skipped(format_args!("no IPv6 on this machine: {error}"));
        return;
    }
    for (allowed, over_v6, over_v4) in [
        (vec![], 200, 200),
        (vec!["::1"], 200, 403),
        (vec!["127.0.0.0/8"], 403, 200),
        (vec!["::ffff:127.0.0.1"], 403, 200),
        (vec!["::1/64", "127.0.0.1"], 200, 200),
        (vec!["2001:db8::/32"], 403, 403),
    ] {
        let (_site, service) =
            start(&[("bind_address", "::".into()), ("allowed_ips", allowed.clone().into())]);
        let port = service.address().port();
        for (peer, status) in [("::1", over_v6), ("127.0.0.1", over_v4)] {
            let server = SocketAddr::new(peer.parse().unwrap(), port);
            let reply = request(server, "GET", "/a.pcap", &[], b"");
            assert_eq!(reply.status, status, "{allowed:?} {peer}");
            service.wait_for_log(|line| line.contains(&format!("peer={peer} ")));
        }
    }
}

#[test]
fn the_order_of_the_gates() {
    let (_site, service) =
        start(&[("fileserver_auth_user", "u".into()), ("allowed_ips", vec!["192.0.2.1"].into())]);
    let right = basic(b"u:");
    for (method, target, authorized, status, text) in [
        ("GET", "/healthz", false, 200, "ok"),
        ("POST", "/healthz", false, 405, "Method Not Allowed"),
        ("GET", "/healthz/", false, 401, "Unauthorized"),
        ("GET", "/../x", false, 401, "Unauthorized"),
        ("DELETE", "/a.pcap", false, 401, "Unauthorized"),
        ("GET", "/a.pcap", true, 403, "Forbidden"),
        ("GET", "/missing", true, 403, "Forbidden"),
        ("DELETE", "/a.pcap", true, 403, "Forbidden"),
    ] {
        let headers = [("Authorization", right.as_str())];
        let reply = request(service.address(), method, target, &headers[..usize::from(authorized)], b"");
        assert_eq!((reply.status, reply.text().as_str()), (status, text), "{method} {target}");
    }
}

#[test]
fn only_get_and_head() {
    let (site, service) = start(&[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"] {
        let reply = request(service.address(), method, "/a.pcap", &[], b"new content");
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(std::fs::read(site.output_dir().join("a.pcap")).unwrap(), b"packets");
}

#[test]
fn health_does_not_need_the_folder_and_hides_a_file_of_its_name() {
    let (site, service) = start(&[("fileserver_auth_user", "u".into())]);
    std::fs::write(site.output_dir().join("healthz"), "a file").unwrap();
    let reply = request(service.address(), "HEAD", "/healthz", &[], b"");
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("2")));
    let right = basic(b"u:");
    let reply = request(service.address(), "GET", "/healthz", &[("Authorization", &right)], b"");
    assert_eq!(reply.text(), "ok");
}

#[test]
fn proxies_matrix() {
    // The peer is loopback; what its headers say counts where it is trusted.
    let (own, foreign) = ("192.0.2.7", "198.51.100.7");
    for (trusted, allowed, headers, status) in [
        (vec![], vec!["127.0.0.1"], vec![("X-Forwarded-For", foreign)], 200),
        (vec![], vec![own], vec![("X-Forwarded-For", own)], 403),
        (vec!["127.0.0.1"], vec![own], vec![("X-Forwarded-For", own)], 200),
        (vec!["127.0.0.1"], vec![own], vec![("X-Forwarded-For", foreign)], 403),
        (vec!["127.0.0.1"], vec![own], vec![("X-Forwarded-For", "192.0.2.7, 198.51.100.7")], 403),
        (vec!["127.0.0.1", foreign], vec![own], vec![("X-Forwarded-For", "192.0.2.7, 198.51.100.7")], 200),
        (vec!["127.0.0.1"], vec![own], vec![("Forwarded", "for=192.0.2.7;proto=https")], 200),
        (vec!["127.0.0.1"], vec![own], vec![("Forwarded", "for=\"[::ffff:192.0.2.7]:80\"")], 200),
        (
            vec!["127.0.0.1"],
            vec![own],
            vec![("X-Forwarded-For", own), ("Forwarded", "for=198.51.100.7")],
            400,
        ),
        (vec!["127.0.0.1"], vec![own], vec![("X-Forwarded-For", "unknown")], 400),
        (vec!["127.0.0.1"], vec![own], vec![], 403),
        (vec!["127.0.0.1"], vec!["127.0.0.1"], vec![], 200),
        (vec!["10.0.0.1"], vec!["127.0.0.1"], vec![("X-Forwarded-For", "nonsense")], 200),
    ] {
        let (_site, service) =
            start(&[("trusted_proxies", trusted.clone().into()), ("allowed_ips", allowed.clone().into())]);
        let reply = get(&service, &headers);
        assert_eq!(reply.status, status, "{trusted:?} {allowed:?} {headers:?}");
        if status == 400 {
            assert_eq!(reply.text(), "Bad Request");
        }
    }
    let (_site, service) = start(&[("trusted_proxies", vec!["127.0.0.1"].into())]);
    assert_eq!(get(&service, &[("X-Forwarded-For", "2001:db8::7")]).status, 200);
    service.wait_for_log(|line| line.contains(" peer=127.0.0.1 client=2001:db8::7 method=GET"));
}

#[test]
fn an_open_service_is_warned_of() {
    for (bind, user, warned) in [("0.0.0.0", "", true), ("0.0.0.0", "u", false), ("127.0.0.1", "", false)] {
        let (_site, service) = start(&[("bind_address", bind.into()), ("fileserver_auth_user", user.into())]);
        let log = service.stop().stderr;
        let told =
            log.lines().any(|line| line.contains("WARN") && line.contains("can download evidence: set "));
        assert_eq!(told, warned, "{bind} {user}\n{log}");
    }
}
