//! From the POST of an alert to the URL of its evidence: over real sockets, from a running listener.
//!
//! ```text
//! cargo bench -p pcapx-listener --bench latency
//! ```
//!
//! The timeline is an hour in twelve files with their indexes, generated once from a fixed seed below the target folder
//! (`PCAPX_BENCH_BYTES`, 4 GB; the benches of the timeline share it). Each alert is of one flow in a window of twelve
//! minutes, three files of a third of a gigabyte, and leaves evidence of its own, safe on disk, below `TMPDIR`. A broad
//! question – a tenth of all packets of the same minutes – is asked by hand, and tcpdump is asked for the same in turns.
//!
//! It prints, and never fails for being slow.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pcapx_testkit::bench::{Cost, Shelf, count_packets, median, percentile, say, segments, setting, turns};
use pcapx_testkit::process::{Connection, Service, Site};
use pcapx_testkit::tool;
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
/// The files that hold these minutes.
const FILES: std::ops::Range<usize> = 5..8;

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
    site.set("allow_ad_hoc", true);
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
    broad(&service, &site, &segments(&folder)[FILES]);
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

/// Asks for a tenth of all packets, and tcpdump for the same.
fn broad(service: &Service, site: &Site, files: &[PathBuf]) {
    let Some(tcpdump) = tool::require("tcpdump") else { return };
    let list = site.path().join("files");
    let lines: Vec<_> = files.iter().map(|path| path.to_string_lossy()).collect();
    std::fs::write(&list, lines.join("\n")).expect("the list of files is written");
    let (mut ours, mut theirs, mut packets) = (Vec::new(), Vec::new(), 0);
    for turn in 0..=turns() {
        say(&format!("broad: turn {turn} of {}", turns()));
        // Another millisecond is another question.
        let question = format!(
            r#"{{"filter": "{}", "from": {}.{turn:03}, "to": {}}}"#,
            Trace::TENTH,
            ALERT_TIME - 360,
            ALERT_TIME + 360
        );
        let begun = Instant::now();
        let text = Connection::open(service.address()).exchange(&posted(&question)).text();
        let took = begun.elapsed();
        let file = text.rsplit('/').next().unwrap_or_default();
        packets = count_packets(&site.output_dir().join(file));
        let mut command = tcpdump.command();
        // As root it would give its rights up and could not write here any more.
        command.args(["-n", "-Z", "root", "-V"]).arg(&list).arg("-w").arg(site.path().join("theirs"));
        let (Cost { wall, .. }, _) = Cost::of(command.arg(Trace::TENTH));
        if turn > 0 {
            ours.push(took);
            theirs.push(wall);
        }
    }
    say("");
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "\n{packets} packets, a tenth of all: {:.0} ms from the POST to the URL, tcpdump {:.0} ms, {:.1} times faster",
        ours.as_secs_f64() * 1e3,
        theirs.as_secs_f64() * 1e3,
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

fn post(id: &str, [client, server]: &[String; 2]) -> Vec<u8> {
    let port = Needle::SERVER_PORT;
    let alert = format!(
        r#"{{"id": "{id}", "name": "Suspicious traffic", "clientIp": "{client}", "serverIp": "{server}",
            "serverPort": {port}, "protocolName": "tcp", "unixTimestamp": {ALERT_TIME}}}"#
    );
    posted(&alert)
}

fn posted(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
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
