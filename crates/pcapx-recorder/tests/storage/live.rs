//! A packet is found a moment after it came: by a query, and through the listener.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_recorder::afpacket::Sender;
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::process::{PATIENCE, Service, Site, poll, request};
use pcapx_testkit::tool;
use pcapx_timeline::Timeline;
use pcapx_timeline::recorder::RecorderStatus;
use pcapx_timeline::segment::SegmentReader;

use crate::apart::apart;
use crate::kept::found;
use crate::recorder::Place;
use crate::traffic::Traffic;

/// The first of the ports by which packets are told apart.
const FIRST_PORT: u16 = 20_000;

/// A program of the workspace that has been built beside this test.
pub(crate) fn sibling(name: &str) -> Option<PathBuf> {
    let this = env::current_exe().unwrap();
    let path = this.ancestors().nth(2)?.join(name);
    if !path.is_file() {
        tool::skipped(format_args!("{name} is not built; cargo test --workspace builds it"));
        return None;
    }
    Some(path)
}

/// Waits until each of `tries` packets is found, and tells how long that took. `is_found` is asked with the packet's port.
fn measure(what: &str, tries: u16, mut is_found: impl FnMut(u16, Timestamp) -> bool) {
    let sender = Sender::open("lo").unwrap();
    let mut times = Vec::new();
    for port in FIRST_PORT..FIRST_PORT + tries {
        let udp = Udp::new(40_000, port).payload(b"found at once");
        let frame = Ethernet::new().carry(&Ipv4::new([127, 0, 0, 10], [127, 0, 0, 20]).carry(&udp));
        let (sent, at) = (Instant::now(), Timestamp::now());
        sender.send(&[frame]).unwrap();
        let found = poll(PATIENCE, || is_found(port, at).then(|| sent.elapsed()));
        times.push(found.unwrap_or_else(|| panic!("the packet to port {port} is not found")));
        // Not in step with what the recorder does each 400 ms.
        std::thread::sleep(Duration::from_millis(u64::from(port) * 37 % 100));
    }
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_millis();
    eprintln!(
        "MEASURED: {what}: of {tries} packets half are found after {} ms, 99 % after {} ms, all after {} ms",
        at(50),
        at(99),
        at(100)
    );
}

fn campaign(tries: u16) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::one_tree(folder.path());
    let recorder = place.record("-6 1000 -p 100");
    let _traffic = Traffic::start(2000, 1000);

    let timeline = Timeline::new([&place.timeline]);
    measure("by a query", tries, |port, at| {
        let window = Window::new(at.saturating_sub(Duration::from_secs(5)), Timestamp::MAX).unwrap();
        let filter = pcapx_core::filter::parse(&format!("udp and port {port}")).unwrap();
        let answer = folder.path().join("answer.pcap");
        let catalog = timeline.catalog().unwrap();
        catalog.query(Some(filter), window).write_to(&answer).unwrap().counts.packets_matched == 1
    });

    let Some(listener) = sibling("pcapx-listener") else { return };
    let mut site = Site::new();
    site.set("timeline_dir", place.timeline.to_str().unwrap());
    let service = Service::start(listener, &site);
    measure("POST /extract", tries, |port, at| {
        let alert = format!(
            r#"{{"id": "{port}", "clientIp": "127.0.0.10", "serverIp": "127.0.0.20", "serverPort": {port}, "protocol": "udp",
                "unixTimestamp": {}}}"#,
            at.as_secs() + 1
        );
        let reply = request(service.address(), "POST", "/extract?before=5&after=0", &[], alert.as_bytes());
        // A link may be there before its packets are: what counts is the capture.
        let text = reply.text();
        let Some(name) = text.trim().strip_prefix("http://").and_then(|url| url.rsplit('/').next()) else {
            return false;
        };
        let Ok(mut reader) = SegmentReader::open(&site.output_dir().join(name)) else { return false };
        matches!(reader.next_packet(), Ok(Some(packet)) if packet.data.get(36..38) == Some(&port.to_be_bytes()[..]))
    });
    assert_eq!(recorder.stop().0, Some(0));
}

#[test]
fn a_packet_is_found_a_moment_after_it_came() {
    apart("live::a_packet_is_found_a_moment_after_it_came", || campaign(5));
}

/// A hundred; `--ignored` asks for them.
#[test]
#[ignore = "takes two minutes"]
fn a_hundred_packets_are_found_a_moment_after_they_came() {
    apart("live::a_hundred_packets_are_found_a_moment_after_they_came", || campaign(100));
}

/// What the status says can be found is found: all of it, whatever comes, and also when nothing does.
#[test]
fn all_packets_up_to_the_watermark_are_found() {
    apart("live::all_packets_up_to_the_watermark_are_found", || {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::two_trees(folder.path());
        let recorder = place.record("-6 256 -p 1 -t 1");
        let begun = Timestamp::now();
        for rate in [20, 3000, 0, 200] {
            let traffic = (rate > 0).then(|| Traffic::start(rate, 900));
            let from = Timestamp::now();
            let mut looks = 0;
            let end = Instant::now() + Duration::from_secs(2);
            let mut last = None;
            while Instant::now() < end {
                let Ok(status) = RecorderStatus::read(&place.timeline) else { continue };
                let Some(up_to) =
                    status.searchable_up_to.filter(|&up_to| Some(up_to) != last && up_to > from)
                else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                last = Some(up_to);
                looks += 1;
                let Some(traffic) = &traffic else { continue };
                let sent = traffic.between(from, up_to);
                let found = found(&place.timeline, Window::new(from, up_to).unwrap());
                let missing = sent.clone().find(|number| found.binary_search(number).is_err());
                assert_eq!(missing, None, "of {sent:?} up to {up_to}");
            }
            // It goes on with the clock.
            let up_to = last.unwrap_or(begun);
            let behind = Timestamp::now().as_nanos() - up_to.as_nanos();
            eprintln!(
                "MEASURED: {rate} packets a second: {looks} watermarks, the last one {} ms ago",
                behind / 1_000_000
            );
            recorder
                .wait_for_status(|status| status.is_searchable(from.saturating_add(Duration::from_secs(2))));
        }
        assert_eq!(recorder.stop().0, Some(0));
    });
}
