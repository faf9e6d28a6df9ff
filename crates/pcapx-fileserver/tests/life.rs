//! The service and its manager: readiness, watchdog, reload, sockets that are handed over.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use pcapx_testkit::process::{
    Authority, Connection, PATIENCE, Running, Service, Signal, Site, basic, poll, request,
};
use pcapx_testkit::tool;

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");

fn site() -> Site {
    let site = Site::new();
    fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    site
}

/// Writes the site's configuration anew and has the service read it; returns once it has.
fn reload(site: &Site, service: &Service) -> Vec<String> {
    let before = service.log().len();
    drop(site.command(BINARY));
    service.signal(Signal::HUP);
    let told = || {
        let new = service.log().split_off(before);
        // The last word of a reload.
        let ended = |line: &String| line.contains("reload: changed: ") || line.ends_with("goes on as before");
        new.iter().any(ended).then_some(new)
    };
    poll(PATIENCE, told).expect("no word of a reload")
}

/// What the service told its manager, one message a datagram.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn next(&self) -> String {
        let mut message = [0; 1024];
        let length = self.socket.recv(&mut message).expect("the manager is told nothing");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The next message that is not about the watchdog.
    fn next_change(&self) -> String {
        loop {
            let message = self.next();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_start_life_reload_and_stop() {
    let site = site();
    let path = site.path().join("notify");
    let manager = Manager { socket: UnixDatagram::bind(&path).unwrap() };
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = site.command(BINARY);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
    let service = Service::spawn(&mut command).unwrap();
    let ready = format!("READY=1\nSTATUS=listening on http://{}", service.address());
    assert_eq!(manager.next_change(), ready);
    for _ in 0..3 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    service.signal(Signal::HUP);
    let reloading = manager.next_change();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(since.parse::<u64>().unwrap() > 0);
    assert_eq!(manager.next_change(), "READY=1\nSTATUS=configuration read again");
    fs::write(site.config_path(), "{").unwrap();
    service.signal(Signal::HUP);
    assert!(manager.next_change().starts_with("RELOADING=1"));
    assert_eq!(manager.next_change(), "READY=1\nSTATUS=the last reload failed, see the log");
    service.signal(Signal::TERM);
    assert_eq!(manager.next_change(), "STOPPING=1\nSTATUS=finishing what runs");
}

#[test]
fn a_watchdog_for_another_process_is_not_fed() {
    let site = site();
    let path = site.path().join("notify");
    let manager = Manager { socket: UnixDatagram::bind(&path).unwrap() };
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = site.command(BINARY);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let service = Service::spawn(&mut command).unwrap();
    assert!(manager.next().starts_with("READY=1"));
    service.signal(Signal::TERM);
    assert!(manager.next().starts_with("STOPPING=1"));
}

#[test]
fn who_gets_in_changes_with_a_reload() {
    let mut site = site();
    site.set("fileserver_auth_user", "u").set("fileserver_auth_pass", "old");
    let service = Service::start(BINARY, &site);
    let status = |password: &str, client: &str| {
        let right = basic(format!("u:{password}").as_bytes());
        let headers = [("Authorization", right.as_str()), ("X-Forwarded-For", client)];
        request(service.address(), "GET", "/a.pcap", &headers, b"").status
    };
    let mut kept = Connection::open(service.address());
    let head = format!("GET /a.pcap HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\r\n", basic(b"u:old"));
    assert_eq!(kept.exchange(head.as_bytes()).status, 200);
    assert_eq!((status("old", "192.0.2.1"), status("new", "192.0.2.1")), (200, 401));

    site.set("fileserver_auth_pass", "new").set("allowed_ips", vec!["192.0.2.1"]);
    site.set("trusted_proxies", vec!["127.0.0.1"]).set("host", "elsewhere");
    let told = reload(&site, &service).join("\n");
    assert!(told.contains("reload: changed: fileserver_auth_pass, allowed_ips, trusted_proxies"), "{told}");
    assert!(!told.contains("restart"), "{told}");
    assert_eq!((status("old", "192.0.2.1"), status("new", "192.0.2.1")), (401, 200));
    assert_eq!(status("new", "192.0.2.2"), 403);
    assert_eq!(kept.exchange(head.as_bytes()).status, 401, "on a connection from before");
}

#[test]
fn what_needs_a_restart_is_named_each_time_until_it_comes() {
    let mut site = site();
    let service = Service::start(BINARY, &site);
    let other = site.path().join("other");
    site.set("output_dir", other.to_str().unwrap())
        .set("bind_address", "::1")
        .set("timeline_dir", "/elsewhere");
    for _ in 0..2 {
        let told = reload(&site, &service).join("\n");
        assert!(told.contains("reload: changed: nothing"), "{told}");
        assert!(told.contains("WARN") && told.contains("a restart only: output_dir, bind_address"), "{told}");
    }
    assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").text(), "packets");
}

#[test]
fn a_configuration_that_cannot_be_used_changes_nothing() {
    let mut site = site();
    site.set("fileserver_auth_pass", "p");
    let service = Service::start(BINARY, &site);
    let status = || request(service.address(), "GET", "/a.pcap", &[], b"").status;
    site.set("fileserver_auth_pass", "").set("allowed_ips", vec!["10.0.0.300"]);
    let told = reload(&site, &service).join("\n");
    assert!(told.contains("10.0.0.300") && told.contains("everything goes on as before"), "{told}");
    assert_eq!(status(), 401);
    site.unset("allowed_ips")
        .set("fileserver_tls_cert", "/nonexistent/c")
        .set("fileserver_tls_key", "/nonexistent/k");
    let told = reload(&site, &service).join("\n");
    assert!(told.contains("/nonexistent/c: cannot be read") && told.contains("as before"), "{told}");
    assert_eq!(status(), 401);
    site.unset("fileserver_tls_cert").unset("fileserver_tls_key");
    reload(&site, &service);
    assert_eq!(status(), 200);
}

#[test]
fn tls_can_be_switched_on_while_the_service_runs() {
    let mut site = site();
    let service = Service::start(BINARY, &site);
    assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").status, 200);
    let authority = Authority::new("test");
    authority.issue("server").write(site.path(), "server");
    for (key, name) in [("fileserver_tls_cert", "server.crt"), ("fileserver_tls_key", "server.key")] {
        let path = site.path().join(name);
        site.set(key, path.to_str().unwrap());
    }
    reload(&site, &service);
    assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").status, 400);
    let mut secure = Connection::open_tls(service.address(), &authority.client(None)).unwrap();
    assert_eq!(secure.exchange(b"GET /a.pcap HTTP/1.1\r\nHost: x\r\n\r\n").text(), "packets");
}

#[test]
fn sockets_are_taken_over_from_the_manager() {
    let Some(activate) = tool::require("systemd-socket-activate") else { return };
    let free = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ports = [0, 1].map(free).map(|socket| socket.local_addr().unwrap());
    let mut site = site();
    site.set("fileserver_port", 1).set("bind_address", "192.0.2.1");
    drop(site.command(BINARY));
    let mut command = activate.command();
    for address in ports {
        command.arg("--listen").arg(address.to_string());
    }
    command.arg(BINARY).arg("--config").arg(site.config_path());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _service = Running::spawn(&mut command).unwrap();
    // The first connection starts the service, and waits until it is there.
    let up = |address: &SocketAddr| poll(PATIENCE, || TcpStream::connect(address).ok());
    for address in &ports {
        assert!(up(address).is_some());
        assert_eq!(request(*address, "GET", "/a.pcap", &[], b"").text(), "packets");
    }
}
