//! Why an answer has no packets: each reason made on purpose, and told in the text, the log and the manifest.

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use pcapx_core::local::LocalZone;
use pcapx_core::manifest::{Manifest, State};
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::process::Site;

use crate::{assert_result, listener, post};

/// Seconds since the epoch: 2025-02-09 11:20:00.
const AT: i64 = 1_739_100_000;

/// A packet each second of a stretch around [`AT`], in a file of its own.
fn record(site: &Site, name: &str, from: i64, to: i64) {
    let frame = Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(53, 53)));
    let packets: Vec<_> =
        (from..to).map(|second| Packet::new(Timestamp::from_secs(AT + second), frame.clone())).collect();
    Pcap::new().write(&site.timeline_dir().join(name), &packets);
}

/// Asks for a host in the ten seconds around an instant, and asserts the reason.
#[track_caller]
fn assert_reason(site: &Site, second: i64, window: &str, reason: &str) {
    let service = listener(site);
    let alert = format!(r#"{{"id": "e{second}", "clientIp": "10.9.9.9", "unixTimestamp": {}}}"#, AT + second);
    let reply = post(service.address(), "/?before=5&after=5", &alert);
    assert_result(&reply, &format!("ERROR: no packets matched 'host 10.9.9.9' between {window} ({reason})"));
    let name = fs::read_dir(site.output_dir()).unwrap().find_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(&format!("_e{second}.json")).map(|stem| format!("{stem}_e{second}.json"))
    });
    let manifest = Manifest::from_json(&fs::read(site.output_dir().join(name.unwrap())).unwrap()).unwrap();
    assert_eq!((manifest.state, manifest.open, manifest.file), (State::NoMatch, false, None));
    assert_eq!(manifest.reason.as_deref(), Some(reason));
    let exit = service.stop();
    assert!(exit.stderr.contains(" outcome=no-match ") && exit.stderr.contains(reason), "{}", exit.stderr);
}

const MIDDLE: &str = "2025-02-09 11:19:55 and 2025-02-09 11:20:05";

#[test]
fn an_empty_timeline() {
    assert_reason(&Site::new(), 0, MIDDLE, "nothing is recorded at all");
}

#[test]
fn a_time_in_which_nobody_recorded() {
    let site = Site::new();
    record(&site, "1.pcap", -300, -100);
    record(&site, "2.pcap", 100, 300);
    assert_reason(&site, 0, MIDDLE, "nothing was recorded in this time");
}

#[test]
fn a_time_that_has_been_rotated_out() {
    let site = Site::new();
    record(&site, "1.pcap", 100, 300);
    let reason = "already rotated out or never recorded, the recording reaches back to 2025-02-09 11:21:40";
    assert_reason(&site, 0, MIDDLE, reason);
}

/// A time of which packets are still to come is told in `follow`.
#[test]
fn a_time_of_which_nobody_has_written() {
    let site = Site::new();
    record(&site, "1.pcap", -300, -100);
    let reason = "nothing was written after 2025-02-09 11:18:19, is the recorder running?";
    assert_reason(&site, 0, MIDDLE, reason);
}

#[test]
fn a_filter_that_is_true_of_nothing() {
    let site = Site::new();
    record(&site, "1.pcap", -300, 0);
    record(&site, "2.pcap", 0, 300);
    assert_reason(&site, 0, MIDDLE, "the filter matched none of 600 packets in 2 capture files");
    record(&site, "2.pcap", 2, 300);
    let reason = "the filter matched none of 298 packets in 1 capture file";
    assert_reason(&site, 200, "2025-02-09 11:23:15 and 2025-02-09 11:23:25", reason);
}

#[test]
fn files_that_cannot_be_read() {
    let site = Site::new();
    record(&site, "1.pcap", -300, 300);
    fs::write(site.timeline_dir().join("packed.pcap"), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4]).unwrap();
    assert_reason(&site, 0, MIDDLE, "the capture file packed.pcap could not be read");
    fs::write(site.timeline_dir().join("also.pcap"), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4]).unwrap();
    let reason = "2 capture files could not be read, the first is also.pcap";
    assert_reason(&site, 100, "2025-02-09 11:21:35 and 2025-02-09 11:21:45", reason);
}

/// The packets are on the disk, at whichever end of the recording: nobody is told that they are gone or still to come.
#[test]
fn a_segment_whose_beginning_is_spoilt_is_not_taken_for_a_time_without_a_recording() {
    let span = |n: i64| (-250 + 100 * n, -150 + 100 * n);
    let name = |n: i64| format!("{}.000000.pcap", AT + span(n).0);
    for spoilt in 0..5 {
        let site = Site::new();
        for n in 0..5 {
            record(&site, &name(n), span(n).0, span(n).1);
        }
        let path = site.timeline_dir().join(name(spoilt));
        let mut bytes = fs::read(&path).unwrap();
        bytes[..1000].fill(0);
        fs::write(&path, bytes).unwrap();
        let modified = UNIX_EPOCH + Duration::from_secs((AT + span(spoilt).1).cast_unsigned());
        File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
        let middle = i64::midpoint(span(spoilt).0, span(spoilt).1);
        let zone = LocalZone::named("UTC").unwrap();
        let [from, to] = [-5, 5].map(|by| zone.spoken(Timestamp::from_secs(AT + middle + by)));
        let reason = format!("the capture file {} could not be read", name(spoilt));
        assert_reason(&site, middle, &format!("{from} and {to}"), &reason);

        // Over all of it the answer is not complete, and the manifest says where it is not; elsewhere nothing is the matter.
        let service = listener(&site);
        let ask = |id: &str, at: i64, around: u32| {
            let alert = format!(r#"{{"id": "{id}", "clientIp": "10.0.0.1", "unixTimestamp": {}}}"#, AT + at);
            assert_eq!(
                post(service.address(), &format!("/?before={around}&after={around}"), &alert).status,
                200
            );
            let stem = zone.compact(Timestamp::from_secs(AT + at));
            let path = site.output_dir().join(format!("{stem}_{id}.json"));
            Manifest::from_json(&fs::read(path).unwrap()).unwrap()
        };
        let all = ask("all", 0, 260);
        assert_eq!((all.state, all.packets), (State::Partial, Some(400)), "{spoilt}: {:?}", all.reason);
        assert_eq!(all.unreadable.iter().map(|of| of.file.clone()).collect::<Vec<_>>(), [name(spoilt)]);
        assert_eq!(all.search.unwrap().unread, 1);
        assert!(all.gaps.iter().any(|gap| gap.from <= Timestamp::from_secs(AT + middle)));
        for n in (0..5).filter(|n| *n != spoilt) {
            let other = ask("other", i64::midpoint(span(n).0, span(n).1), 5);
            assert_eq!((other.state, other.packets, other.reason), (State::Complete, Some(11), None));
            assert_eq!((other.unreadable, other.gaps), (vec![], vec![]));
        }
    }
}

/// What was found beside a file that could not be read is not all there was; an archive that stands there is nobody's concern.
#[test]
fn packets_beside_a_file_that_cannot_be_read_are_not_called_complete() {
    for (is_damaged, state, reason) in [
        (
            true,
            State::Partial,
            Some("files of that time could not be read to their ends: packets can be missing"),
        ),
        (false, State::Complete, None),
    ] {
        let site = Site::new();
        record(&site, "1.pcap", -30, 0);
        record(&site, "2.pcap", 0, 30);
        if is_damaged {
            let file = site.timeline_dir().join("2.pcap");
            let mut bytes = fs::read(&file).unwrap();
            // The length of the first packet.
            bytes[32..36].fill(0xff);
            fs::write(file, bytes).unwrap();
        }
        fs::write(site.timeline_dir().join("old.pcap"), [0x1f, 0x8b, 8, 0, 1, 2, 3, 4]).unwrap();
        let service = listener(&site);
        let alert = format!(r#"{{"id": "beside", "clientIp": "10.0.0.1", "unixTimestamp": {AT}}}"#);
        assert_eq!(post(service.address(), "/?before=60&after=60", &alert).status, 200);
        let manifest = fs::read(site.output_dir().join("20250209_112000_beside.json")).unwrap();
        let manifest = Manifest::from_json(&manifest).unwrap();
        assert_eq!((manifest.state, manifest.reason.as_deref()), (state, reason));
        assert_eq!((manifest.open, manifest.packets), (false, Some(if is_damaged { 30 } else { 60 })));
    }
}
