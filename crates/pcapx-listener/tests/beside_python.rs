//! Requests per second beside a handler of Python's `http.server` that makes the same checks, in the same run.
//!
//! The alert makes no filter, so that what is compared is the way of a request through the gates, and no search.
//!
//! Measures, so it is run by hand and with optimisation:
//! `cargo test --release -p pcapx-listener --test beside_python -- --ignored --nocapture`

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use pcapx_testkit::process::{PATIENCE, Running, Service, Site, basic, poll, request};
use pcapx_testkit::tool::{self, Tool};

const CONNECTIONS: &str = "-c16";
const ROUNDS: usize = 3;
/// The least that is promised, as a multiple of what Python does in its usual way, a connection for each request.
const LEAST_RATIO: f64 = 20.0;

/// Credentials, length, body, JSON, the fields of the alert, a window, an answer: what every request goes through.
const HANDLER: &str = r#"
import base64, hmac, json, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

MODES = ("full", "hosts", "client", "server", "port")
RIGHT = base64.b64encode(b"u:p").decode()

def first(alert, names):
    for name in names:
        value = alert.get(name)
        if isinstance(value, str) and value:
            return value
    return None

class Handler(BaseHTTPRequestHandler):
    protocol_version = sys.argv[2]
    # Written at once, head and body: else each answer waits for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self, status, text, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or not hmac.compare_digest(given, RIGHT):
            return self.answer(401, "Unauthorized", [("WWW-Authenticate", 'Basic realm="pcap-extractor"')])
        if "Content-Length" not in self.headers:
            return self.answer(411, "Missing Content-Length")
        length = int(self.headers["Content-Length"])
        if length > 2097152:
            return self.answer(413, "Payload too large")
        body = self.rfile.read(length)
        if not body:
            return self.answer(400, "Empty request body")
        try:
            alert = json.loads(body)
        except ValueError:
            return self.answer(400, "Invalid JSON")
        query = parse_qs(urlparse(self.path).query)
        mode = query.get("filter", ["full"])[0]
        mode = mode if mode in MODES else "full"
        before, after = int(query.get("before", ["360"])[0]), int(query.get("after", ["360"])[0])
        at = alert.get("unixTimestamp") or time.time()
        window = (at - before, at + after)
        client = first(alert, ("clientIp", "srcIp", "src_ip", "sourceIp", "source"))
        server = first(alert, ("serverIp", "dstIp", "dst_ip", "destIp", "destination"))
        terms = [f"host {address}" for address in (client, server) if address]
        text = " and ".join(terms) if terms else "NO BPF FILTER"
        self.answer(200, text, [("X-Result", text)])

ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// An alert without an address; the rest is as it comes.
const ALERT: &str = r#"{"id": "alert_12345", "name": "Suspicious traffic", "severity": 7, "protocolName": "tcp", "unixTimestamp": 1739100000, "description": "Many connections within a short time, to addresses that were never seen before"}"#;

fn python(program: &Tool, folder: &Path, protocol: &str) -> (Running, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (script, log) = (folder.join("handler.py"), folder.join("handler.log"));
    fs::write(&script, HANDLER).unwrap();
    let mut command = program.command();
    command.arg(script).arg(address.port().to_string()).arg(protocol);
    // It writes a line for each request, as the listener does.
    command.stdout(Stdio::null()).stderr(fs::File::create(log).unwrap());
    let running = Running::spawn(&mut command).unwrap();
    assert!(poll(PATIENCE, || TcpStream::connect(address).ok()).is_some(), "the handler does not listen");
    (running, address)
}

/// Requests per second that wrk makes.
fn measure(wrk: &Tool, script: &Path, server: SocketAddr) -> f64 {
    let url = format!("http://{server}/extract?filter=full&before=60&after=60");
    let output = wrk.run(["-t2", CONNECTIONS, "-d3s", "-s", script.to_str().unwrap(), &url]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

#[test]
#[ignore = "a measurement: needs wrk, python3, a quiet machine and --release"]
fn a_request_takes_a_twentieth_of_what_it_takes_python() {
    let Some((wrk, program)) = tool::require("wrk").zip(tool::require("python3")) else { return };
    let mut site = Site::new();
    site.set("listener_auth_user", "u").set("listener_auth_pass", "p");
    // A place for each connection: nobody is told to come back.
    site.set("max_concurrent_extractions", 64);
    let service = Service::start_with_log_in_file(env!("CARGO_BIN_EXE_pcapx-listener"), &site);
    let script = site.path().join("post.lua");
    let right = basic(b"u:p");
    let lua =
        format!("wrk.method = 'POST'\nwrk.headers['Authorization'] = '{right}'\nwrk.body = [[{ALERT}]]\n");
    fs::write(&script, lua).unwrap();
    let usual = python(&program, site.path(), "HTTP/1.0");
    let kept = python(&program, site.path(), "HTTP/1.1");
    for server in [service.address(), usual.1, kept.1] {
        let reply = request(server, "POST", "/", &[("Authorization", &right)], ALERT.as_bytes());
        assert_eq!((reply.status, reply.text().as_str()), (200, "NO BPF FILTER"));
    }
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let [ours, theirs, kept] =
                [service.address(), usual.1, kept.1].map(|server| measure(&wrk, &script, server));
            eprintln!(
                "pcapx-listener {ours:.0}/s; http.server {theirs:.0}/s: {:.1} times; with connections kept open {kept:.0}/s: {:.1} times",
                ours / theirs,
                ours / kept
            );
            ours / theirs
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    assert!(median >= LEAST_RATIO, "the median of {ratios:?} is below {LEAST_RATIO}");
}
