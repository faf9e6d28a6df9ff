//! From the POST of an alert to the URL of its evidence: over real sockets, from a running listener.
//!
//! ```text
//! cargo bench -p pcapx-listener --bench latency
//! ```
//!
//! The timeline is an hour in twelve files with their indexes, generated once from a fixed seed below the target folder
//! (`PCAPX_BENCH_BYTES`, 4 GB; the benches of the timeline share it). Each alert is of one flow in a window of twelve
//! minutes, three files of a third of a gigabyte, and leaves evidence of its own, safe on disk, below `TMPDIR`.
//!
//! It prints, and never fails for being slow.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pcapx_testkit::bench::{Shelf, count_packets, median, percentile, say, segments, setting};
use pcapx_testkit::process::{Connection, Service, Site};
use pcapx_testkit::trace::{Needle, Trace};
use pcapx_timeline::CancelToken;
use pcapx_timeline::index::{IndexPlace, index_segment};

/// How many alerts a row has.
const POSTS: u64 = 1000;
/// Alerts before those that count.
const WARM_UP_POSTS: u64 = 20;
const HOUR: Duration = Duration::from_secs(3600);
/// As n2disk is shipped.
const FILE_DURATION: Duration = Duration::from_secs(300);
/// Seconds since the epoch: six minutes before and after it lie in three files, and hold the needle.
const ALERT_TIME: u64 = 1_772_355_600 + 1890;

fn main() {
    // `cargo bench` says so; a test run only wants to see that this compiles.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let trace = Trace::new(1).bytes(setting("PCAPX_BENCH_BYTES", 4_000_000_000)).duration(HOUR);
    let folder = Shelf::new(env!("CARGO_TARGET_TMPDIR")).trace(&trace, FILE_DURATION);
    index(&folder);
    let mut site = Site::new();
    site.set("timeline_dir", folder.to_string_lossy()).set("extractor", "builtin");
    let mut command = site.command(env!("CARGO_BIN_EXE_pcapx-listener"));
    command.env("TZ", "UTC").env_remove("STATE_DIRECTORY");
    let service = Service::spawn(&mut command).unwrap_or_else(|error| panic!("{error}"));

    println!("\nPOST to URL, {POSTS} alerts a row, milliseconds\n");
    println!("alert   connection        median     90 %     99 %  longest");
    let needle = [Needle::CLIENT, Needle::SERVER].map(|host| host.to_string());
    let missing = ["203.0.113.200", "203.0.113.201"].map(str::to_owned);
    for (name, hosts) in [("needle", needle), ("miss", missing)] {
        for is_kept in [false, true] {
            let times = row(&service, &site, name, &hosts, is_kept);
            let longest = times.iter().max().copied().unwrap_or_default();
            let numbers =
                [median(times.clone()), percentile(times.clone(), 90), percentile(times, 99), longest];
            let numbers = numbers.map(|time| format!("{:>9.2}", time.as_secs_f64() * 1e3)).concat();
            println!("{name:<8}{:<14}{numbers:>40}", if is_kept { "kept" } else { "one each" });
        }
    }
    let exit = service.stop();
    assert!(exit.status.success(), "{}", exit.stderr);
}

/// Posts alerts one after the other, and gives the time that each takes to the last byte of the answer; that of opening a
/// connection counts.
fn row(service: &Service, site: &Site, name: &str, hosts: &[String; 2], is_kept: bool) -> Vec<Duration> {
    let mut connection = Connection::open(service.address());
    let mut times = Vec::new();
    for number in 0..WARM_UP_POSTS + POSTS {
        let id = format!("{name}_{is_kept}_{number}");
        let request = post(&id, hosts);
        let begun = Instant::now();
        if !is_kept {
            connection = Connection::open(service.address());
        }
        let reply = connection.exchange(&request);
        let took = begun.elapsed();
        let text = reply.text();
        assert_eq!((reply.status, text.starts_with("http:")), (200, name == "needle"), "{text}");
        if name == "needle" {
            let file = text.rsplit('/').next().unwrap_or_default();
            assert_eq!(count_packets(&site.output_dir().join(file)), u64::from(Needle::PACKETS), "{text}");
        }
        if number >= WARM_UP_POSTS {
            times.push(took);
        }
    }
    times
}

fn post(id: &str, [client, server]: &[String; 2]) -> Vec<u8> {
    let port = Needle::SERVER_PORT;
    let alert = format!(
        r#"{{"id": "{id}", "name": "Suspicious traffic", "clientIp": "{client}", "serverIp": "{server}",
            "serverPort": {port}, "protocolName": "tcp", "unixTimestamp": {ALERT_TIME}}}"#
    );
    let length = alert.len();
    format!("POST /extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{alert}")
        .into_bytes()
}

/// Builds the indexes anew: what was built before may be of another make.
fn index(folder: &Path) {
    let files: Vec<PathBuf> = segments(folder);
    for (number, file) in files.iter().enumerate() {
        say(&format!("indexing {number} of {}", files.len()));
        index_segment(file, &IndexPlace::beside(), &CancelToken::new(), |_| ()).expect("an index");
    }
    say("");
}
