//! Requests per second beside nginx, on the same file and in the same run.
//!
//! Measures, so it is run by hand and with optimisation:
//! `cargo test --release -p pcapx-fileserver --test throughput -- --ignored --nocapture`

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use pcapx_testkit::process::{PATIENCE, Running, Service, Signal, Site, poll, request};
use pcapx_testkit::tool::{self, Tool};

const FILE_BYTES: usize = 64 << 10;
/// 5 GB.
const LARGE_BYTES: u64 = 5_000_000_000;
const CONNECTIONS: &str = "-c16";
const ROUNDS: usize = 5;
/// The least that is promised, as a part of what nginx does.
const LEAST_RATIO: f64 = 0.5;

/// nginx in the foreground, ended when dropped.
struct Nginx(Running);

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master takes its workers along; killed, it would leave them behind.
        self.0.signal(Signal::TERM);
        self.0.wait(PATIENCE);
    }
}

fn start_nginx(program: &Tool, site: &Site) -> (Nginx, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (here, folder) = (site.path().display(), site.output_dir());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {here}/{kind};"))
        .concat();
    let configuration = format!(
        "daemon off; worker_processes 2; pid {here}/nginx.pid; error_log {here}/nginx.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{ access_log {here}/access.log; sendfile on; tcp_nopush on; keepalive_requests 10000000; {temporary}\n\
         server {{ listen 127.0.0.1:{port}; root {}; }} }}\n",
        folder.display()
    );
    let path = site.path().join("nginx.conf");
    fs::write(&path, configuration).unwrap();
    let nginx = Running::spawn(program.command().arg("-c").arg(path).stderr(Stdio::null()));
    let nginx = Nginx(nginx.unwrap());
    let up = poll(PATIENCE, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    assert!(up.is_some(), "nginx does not listen");
    (nginx, port)
}

/// Requests per second that wrk makes of `url`.
fn measure(wrk: &Tool, url: &str) -> f64 {
    let output = wrk.run(["-t2", CONNECTIONS, "-d3s", url]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

/// Seconds that curl takes for `url`.
fn download(curl: &Tool, url: &str) -> f64 {
    let output = curl.run(["-sS", "--fail", "-o", "/dev/null", "-w", "%{time_total} %{size_download}", url]);
    let text = String::from_utf8_lossy(&output.stdout);
    let (seconds, bytes) = text.split_once(' ').unwrap_or_else(|| panic!("{output:?}"));
    assert_eq!(bytes, LARGE_BYTES.to_string());
    seconds.parse().unwrap()
}

#[test]
#[ignore = "a measurement: needs curl, nginx, a quiet machine and --release"]
fn a_large_file_is_served_at_half_the_speed_of_nginx_or_better() {
    let Some((curl, nginx)) = tool::require("curl").zip(tool::require("nginx")) else { return };
    let site = Site::new();
    // A hole: what the disk can do is not the question.
    fs::File::create(site.output_dir().join("large.pcap")).unwrap().set_len(LARGE_BYTES).unwrap();
    let (_nginx, port) = start_nginx(&nginx, &site);
    let service = Service::start_with_log_in_file(env!("CARGO_BIN_EXE_pcapx-fileserver"), &site);
    let theirs_url = format!("http://127.0.0.1:{port}/large.pcap");
    let mut ratios: Vec<f64> = (0..3)
        .map(|_| {
            let (ours, theirs) = (download(&curl, &service.url("/large.pcap")), download(&curl, &theirs_url));
            let rate = |seconds: f64| LARGE_BYTES as f64 / seconds / 1e9;
            eprintln!(
                "5 GB: pcapx-fileserver {:.2} GB/s, nginx {:.2} GB/s: {:.2}",
                rate(ours),
                rate(theirs),
                theirs / ours
            );
            theirs / ours
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    assert!(ratios[1] >= LEAST_RATIO, "the median of {ratios:?} is below {LEAST_RATIO}");
}

#[test]
#[ignore = "a measurement: needs wrk, nginx, a quiet machine and --release"]
fn a_small_file_is_served_at_half_the_speed_of_nginx_or_better() {
    let Some((wrk, nginx)) = tool::require("wrk").zip(tool::require("nginx")) else { return };
    let site = Site::new();
    fs::write(site.output_dir().join("a.pcap"), vec![7; FILE_BYTES]).unwrap();
    let (_nginx, port) = start_nginx(&nginx, &site);
    let service = Service::start_with_log_in_file(env!("CARGO_BIN_EXE_pcapx-fileserver"), &site);
    assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").body.len(), FILE_BYTES);
    let theirs_url = format!("http://127.0.0.1:{port}/a.pcap");
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (ours, theirs) = (measure(&wrk, &service.url("/a.pcap")), measure(&wrk, &theirs_url));
            eprintln!("pcapx-fileserver {ours:.0}/s, nginx {theirs:.0}/s: {:.2}", ours / theirs);
            ours / theirs
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    assert!(ratios[ROUNDS / 2] >= LEAST_RATIO, "the median of {ratios:?} is below {LEAST_RATIO}");
}
