//! TLS: who is served, what others are told, and certificates that change under load.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcapx_testkit::process::{
    Authority, Connection, PATIENCE, Service, Signal, Site, TlsClient, poll, request,
};
use pcapx_testkit::tool;

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");
const GET: &[u8] = b"GET /a.pcap HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Secure {
    site: Site,
    authority: Authority,
}

impl Secure {
    fn new() -> Self {
        let (mut site, authority) = (Site::new(), Authority::new("test authority"));
        fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
        authority.issue("first").write(site.path(), "server");
        fs::write(site.path().join("ca.crt"), authority.pem()).unwrap();
        for (key, name) in [("fileserver_tls_cert", "server.crt"), ("fileserver_tls_key", "server.key")] {
            let path = site.path().join(name);
            site.set(key, path.to_str().unwrap());
        }
        Secure { site, authority }
    }

    fn start(&self) -> Service {
        Service::start(BINARY, &self.site)
    }

    /// The certificate that the server shows now.
    fn shown(service: &Service, client: &TlsClient) -> Vec<u8> {
        Connection::open_tls(service.address(), client).unwrap().server_certificate().unwrap()
    }
}

#[test]
fn files_are_served_over_tls_and_the_ready_line_says_https() {
    let secure = Secure::new();
    let service = secure.start();
    assert!(service.stdout()[0].starts_with("pcapx-fileserver: listening on https://127.0.0.1:"));
    let client = secure.authority.client(None);
    let mut connection = Connection::open_tls(service.address(), &client).unwrap();
    for _ in 0..3 {
        assert_eq!(connection.exchange(GET).text(), "packets");
    }
    let stranger = Authority::new("somebody else").client(None);
    assert!(Connection::open_tls(service.address(), &stranger).is_err());
    service.wait_for_log(|line| line.contains("TLS handshake failed"));
    // A large file, byte for byte.
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    fs::write(secure.site.output_dir().join("large.pcap"), &content).unwrap();
    let reply = connection.exchange(b"GET /large.pcap HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(reply.body == content);
    let exit = service.stop();
    assert!(exit.status.success(), "{}", exit.stderr);
}

#[test]
fn plain_http_is_told_that_the_port_speaks_https() {
    let secure = Secure::new();
    let service = secure.start();
    let reply = request(service.address(), "GET", "/a.pcap", &[], b"");
    assert_eq!((reply.status, reply.text().as_str()), (400, "This port speaks HTTPS only."));
    assert_eq!(reply.header("connection"), Some("close"));
    // Also one that goes on sending.
    let mut connection = Connection::open(service.address());
    connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    connection.send(&vec![b'x'; 1_000_000]);
    assert_eq!(connection.reply().unwrap().status, 400);
    // What is neither is closed without a word.
    let mut connection = Connection::open(service.address());
    connection.send(b"\x00\x01\x02");
    assert!(connection.is_closed_within(PATIENCE));
    service.wait_for_log(|line| line.contains("ended=\"not TLS\""));
}

#[test]
fn who_does_not_shake_hands_keeps_nobody_out() {
    let secure = Secure::new();
    let service = secure.start();
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(service.address()).unwrap()).collect();
    let mut half = TcpStream::connect(service.address()).unwrap();
    half.write_all(&[22, 3, 1]).unwrap();
    let client = secure.authority.client(None);
    let started = Instant::now();
    assert_eq!(Connection::open_tls(service.address(), &client).unwrap().exchange(GET).text(), "packets");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    service.wait_for_log(|line| line.contains("TLS handshake not complete in time"));
    drop(silent);
}

#[test]
fn client_certificates_matrix() {
    let mut secure = Secure::new();
    let ca = secure.site.path().join("ca.crt");
    secure.site.set("fileserver_tls_client_ca", ca.to_str().unwrap());
    let service = secure.start();
    let ask = |client: &TlsClient| {
        let mut connection = Connection::open_tls(service.address(), client)?;
        connection.send(GET);
        // With TLS 1.3 a client learns only now that it was refused.
        connection.reply().map(|reply| reply.status).map_err(std::io::Error::other)
    };
    let known = secure.authority.issue("client");
    assert_eq!(ask(&secure.authority.client(Some(&known))).unwrap(), 200);
    assert!(ask(&secure.authority.client(None)).is_err());
    let unknown = Authority::new("test authority").issue("client");
    assert!(ask(&secure.authority.client(Some(&unknown))).is_err());
}

#[test]
fn check_and_start_name_what_is_wrong_with_the_files() {
    let secure = Secure::new();
    let check = || {
        let output = secure.site.command(BINARY).arg("--check").output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = check();
    assert_eq!(code, Some(0));
    let cert = secure.site.path().join("server.crt");
    let expected = format!("ok: TLS with {}, certificates: 1, good until ", cert.display());
    let line = told.lines().find(|line| line.starts_with(&expected)).expect(&told);
    assert_eq!(line.rsplit_once("sha256:").unwrap().1.len(), 64, "{told}");
    if let Some(openssl) = tool::require("openssl") {
        let fields = ["x509", "-noout", "-serial", "-enddate", "-dateopt", "iso_8601", "-in"];
        let said = openssl.run(fields.into_iter().chain([cert.to_str().unwrap()]));
        let said = String::from_utf8(said.stdout).unwrap().to_lowercase();
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        let inside = format!(
            "good until {}, serial {}, ",
            field("notafter=").replace(' ', "t").to_uppercase(),
            field("serial=")
        );
        assert!(line.contains(&inside), "{line} has not {inside}");
    }

    let other = secure.authority.issue("other");
    for (name, content, why) in [
        ("server.key", other.key.as_str(), "are no pair that could be used"),
        ("server.key", "nonsense", "server.key: has no private key in PEM form"),
        ("server.crt", other.key.as_str(), "server.crt: has no certificate in PEM form"),
        ("server.crt", "", "server.crt: has no certificate in PEM form"),
    ] {
        let path = secure.site.path().join(name);
        let right = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        let (code, told) = check();
        assert_eq!(code, Some(3));
        assert!(told.lines().any(|line| line.starts_with("error: ") && line.contains(why)), "{told}");
        let output = secure.site.command(BINARY).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
        assert!(String::from_utf8_lossy(&output.stderr).contains(why));
        fs::write(&path, right).unwrap();
    }
    fs::remove_file(&cert).unwrap();
    assert!(check().1.contains("server.crt: cannot be read: No such file"), "{}", check().1);
}

#[test]
fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let secure = Secure::new();
    let service = secure.start();
    let client = secure.authority.client(None);
    let first = Secure::shown(&service, &client);
    let mut kept = Connection::open_tls(service.address(), &client).unwrap();
    assert_eq!(kept.exchange(GET).status, 200);

    // The key alone, as while a renewal is under way.
    let second = secure.authority.issue("second");
    fs::write(secure.site.path().join("server.key"), &second.key).unwrap();
    service.wait_for_log(|line| line.contains("TLS goes on with what was read before"));
    assert_eq!(Secure::shown(&service, &client), first);
    second.write(secure.site.path(), "server");
    let renewed = poll(PATIENCE, || (Secure::shown(&service, &client) != first).then_some(()));
    assert!(renewed.is_some(), "the new certificate is not shown");
    let told = service.wait_for_log(|line| line.contains("read again: TLS with "));
    assert!(
        told.contains(", serial ") && told.contains("; changed: ") && told.contains("server.crt"),
        "{told}"
    );
    assert_eq!(kept.exchange(GET).text(), "packets", "a connection outlives its certificate");
}

#[test]
fn a_reload_says_that_the_certificate_is_another() {
    let mut secure = Secure::new();
    let audit = secure.site.path().join("audit");
    fs::create_dir(&audit).unwrap();
    secure.site.set("audit_log", audit.to_str().unwrap());
    let service = secure.start();
    let hang_up = |ended: &str| {
        let before = service.log().len();
        service.signal(Signal::HUP);
        let new = || service.log().split_off(before);
        let told = poll(PATIENCE, || new().iter().any(|line| line.contains(ended)).then(new));
        told.expect("no word of a reload").join("\n")
    };
    assert!(hang_up("reload: changed: ").contains("reload: changed: nothing"));
    let (cert, key) = (secure.site.path().join("server.crt"), secure.site.path().join("server.key"));
    let shown = |told: &str| {
        let line = told.lines().find(|line| line.contains("reload: TLS with ")).unwrap();
        line.split_once("good until").unwrap().1.to_owned()
    };
    let first = shown(&hang_up("reload: changed: "));
    secure.authority.issue("renewed").write(secure.site.path(), "server");
    // Whether the watcher was first or the signal, one of them tells.
    let told = hang_up("reload: changed: ");
    let changed = format!("changed: content of {}, content of {}", cert.display(), key.display());
    let by_itself = format!("changed: \"{}, {}\"", cert.display(), key.display());
    let log = service.log().join("\n");
    assert!(told.contains(&changed) != log.contains(&by_itself), "{log}");
    let second = shown(&told);
    assert_ne!(first, second);
    // A broken one is told, and the old one goes on.
    fs::write(&key, "nonsense").unwrap();
    let told = hang_up("goes on as before");
    assert!(told.contains("server.key: has no private key in PEM form; everything goes on"), "{told}");
    service.stop();
    let text = fs::read_to_string(audit.join("pcapx-fileserver.audit.jsonl")).unwrap();
    let second = second.rsplit_once("sha256:").unwrap().1;
    assert!(text.lines().any(|line| line.contains("\"act\":\"reload\"") && line.contains(second)), "{text}");
    assert!(text.contains("\"act\":\"reload\",\"outcome\":\"failed\""), "{text}");
}

#[test]
fn a_reload_tells_what_differs_from_what_was_shown_last() {
    let mut secure = Secure::new();
    let audit = secure.site.path().join("audit");
    fs::create_dir(&audit).unwrap();
    secure.site.set("audit_log", audit.to_str().unwrap());
    let service = secure.start();
    let client = secure.authority.client(None);
    let files = ["server.crt", "server.key"].map(|name| secure.site.path().join(name));
    let first = files.each_ref().map(|path| fs::read(path).unwrap());
    let put_back = || files.iter().zip(&first).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    let reloads = || {
        let text = fs::read_to_string(audit.join("pcapx-fileserver.audit.jsonl")).unwrap();
        text.lines().filter(|line| line.contains("\"act\":\"reload\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    let hang_up = || {
        let before = reloads().len();
        service.signal(Signal::HUP);
        poll(PATIENCE, || reloads().into_iter().nth(before)).unwrap()
    };
    let shown = Secure::shown(&service, &client);
    secure.authority.issue("second").write(secure.site.path(), "server");
    let is_taken = || (Secure::shown(&service, &client) != shown).then_some(());
    assert!(poll(PATIENCE, is_taken).is_some());
    // Taken without being asked: there is nothing new for who asks.
    let line = hang_up();
    assert!(line.contains("\"changed\":\"\""), "{line}");
    // And what was there at the start is new now.
    put_back();
    let told = reloads().len();
    let line = hang_up();
    assert!(line.contains("server.crt") && reloads().len() == told + 1, "{line}");
    assert_eq!(Secure::shown(&service, &client), shown);
    service.stop();
}

#[test]
fn swapping_certificates_under_load_loses_no_request() {
    const CLIENTS: usize = 4;
    const SWAPS: usize = 2;
    let secure = Secure::new();
    let service = secure.start();
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            let (server, client) = (service.address(), secure.authority.client(None));
            thread::spawn(move || {
                let mut kept = Connection::open_tls(server, &client).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    // Half of them begin anew each time.
                    if number % 2 == 0 {
                        kept = Connection::open_tls(server, &client).unwrap();
                    }
                    assert_eq!(kept.exchange(GET).text(), "packets");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let client = secure.authority.client(None);
    for swap in 0..SWAPS {
        let before = Secure::shown(&service, &client);
        secure.authority.issue(&format!("swap {swap}")).write(secure.site.path(), "server");
        let swapped = poll(PATIENCE, || (Secure::shown(&service, &client) != before).then_some(()));
        assert!(swapped.is_some(), "swap {swap}");
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    assert!(asked.load(Ordering::Relaxed) > 0);
    let exit = service.stop();
    assert!(!exit.stderr.contains("end=cut") && !exit.stderr.contains("end=failed"), "{}", exit.stderr);
}

#[test]
fn openssl_finds_tls_1_2_and_1_3_and_nothing_older() {
    let Some(openssl) = tool::require("openssl") else { return };
    let secure = Secure::new();
    let service = secure.start();
    let ca = secure.site.path().join("ca.crt");
    for (version, works) in [("-tls1_3", true), ("-tls1_2", true), ("-tls1_1", false), ("-tls1", false)] {
        let mut command = openssl.command();
        command.args(["s_client", "-brief", "-verify_return_error", "-servername", "localhost", version]);
        command.args(["-cipher", "DEFAULT@SECLEVEL=0", "-connect", &service.address().to_string()]);
        let output = command.arg("-CAfile").arg(&ca).stdin(Stdio::null()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(told.contains("CONNECTION ESTABLISHED"), works, "{version}: {told}");
        if works {
            assert!(told.contains("Verification: OK"), "{told}");
        }
    }
}

#[test]
fn curl_downloads_over_https() {
    let Some(curl) = tool::require("curl") else { return };
    let secure = Secure::new();
    let service = secure.start();
    let ca = secure.site.path().join("ca.crt");
    let url = format!("https://localhost:{}/a.pcap", service.address().port());
    let output = curl.run(["-sS", "--ipv4", "--noproxy", "*", "--cacert", ca.to_str().unwrap(), &url]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "packets", "{output:?}");
    let output = curl.run(["-sS", "--ipv4", "--noproxy", "*", &url]);
    assert!(!output.status.success(), "trusted without its authority");
    service.signal(Signal::TERM);
}
