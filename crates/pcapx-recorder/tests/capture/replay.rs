//! Recorded is what was sent, as fast as it can be sent.

use std::fs;
use std::path::Path;

use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Packet, Pcap};
use pcapx_testkit::process::{PATIENCE, poll};
use pcapx_testkit::tool::{self, Tool};
use pcapx_testkit::trace::{Mix, Trace};

use crate::bytes::tagged;
use crate::namespace::alone;
use crate::program::Program;
use crate::veth::{FAR, NEAR, assert_same, connect, frames, numbered, packets_of};

/// Sends a capture file as fast as it goes, and waits until all of it has arrived.
fn replay(tcpreplay: &Tool, file: &Path, packets: usize) {
    let before = packets_of(FAR);
    let sent = tcpreplay.run(["--quiet", "--topspeed", "--preload-pcap", "-i", NEAR, file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&sent.stdout).into_owned() + &String::from_utf8_lossy(&sent.stderr);
    assert!(sent.status.success(), "{told}");
    let arrived = poll(PATIENCE, || (packets_of(FAR) - before >= packets as u64).then_some(()));
    assert!(arrived.is_some(), "of {packets} came {}: {told}", packets_of(FAR) - before);
}

fn assert_recorded(words: &str, sent: &[Packet]) {
    let Some(tcpreplay) = tool::require("tcpreplay") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sent.pcap");
    Pcap::new().snaplen(1 << 17).write(&file, sent);
    connect();
    let program = Program::start(words);
    replay(&tcpreplay, &file, sent.len());
    let ended = program.stop();
    ended.assert_complete();
    assert!(ended.packets.iter().all(|packet| packet.orig_len as usize == packet.data.len()));
    assert_same(&frames(ended.packets), &sent.iter().map(|packet| packet.data.clone()).collect::<Vec<_>>());
}

fn packets(trace: Trace) -> Vec<Packet> {
    trace.packets().collect()
}

fn as_packets(frames: Vec<Vec<u8>>) -> Vec<Packet> {
    let times = (1_700_000_000_000_000_000..).map(Timestamp::from_nanos);
    times.zip(frames).map(|(time, frame)| Packet::new(time, frame)).collect()
}

#[test]
fn a_trace_is_recorded_as_it_was_sent() {
    alone("replay::a_trace_is_recorded_as_it_was_sent", || {
        assert_recorded("-i far", &packets(Trace::new(21).bytes(32 << 20)));
    });
}

#[test]
fn a_trace_over_several_threads_is_recorded_as_it_was_sent() {
    alone("replay::a_trace_over_several_threads_is_recorded_as_it_was_sent", || {
        assert_recorded("-i far --threads 3", &packets(Trace::new(22).bytes(16 << 20)));
    });
}

#[test]
fn a_flood_of_the_smallest_packets_is_recorded_as_it_was_sent() {
    alone("replay::a_flood_of_the_smallest_packets_is_recorded_as_it_was_sent", || {
        assert_recorded("-i far", &packets(Trace::new(23).bytes(12 << 20).mix(Mix::Flood)));
    });
}

#[test]
fn tags_and_jumbo_frames_are_recorded_as_they_were_sent() {
    alone("replay::tags_and_jumbo_frames_are_recorded_as_they_were_sent", || {
        let mut frames = Vec::new();
        for _ in 0..20 {
            frames.extend(tagged());
            frames.extend(numbered(50, 9014));
        }
        assert_recorded("-i far", &as_packets(frames));
    });
}

#[test]
fn bursts_after_idle_are_recorded_as_they_were_sent() {
    alone("replay::bursts_after_idle_are_recorded_as_they_were_sent", || {
        let Some(tcpreplay) = tool::require("tcpreplay") else { return };
        let folder = tempfile::tempdir().unwrap();
        let burst = packets(Trace::new(24).bytes(4 << 20));
        let file = folder.path().join("burst.pcap");
        Pcap::new().write(&file, &burst);
        connect();
        let program = Program::start("-i far");
        let status = program.dump().join(".pcapx-recorder.json");
        for turn in 1..=3 {
            replay(&tcpreplay, &file, burst.len());
            // Idle when the recorder says that all of it was recorded, and its ring has been empty for a while.
            let all = format!("\"packets_recorded\": {}", turn * burst.len());
            let idle = poll(PATIENCE, || fs::read_to_string(&status).ok()?.contains(&all).then_some(()));
            assert!(idle.is_some(), "{:?}", fs::read_to_string(&status));
        }
        let ended = program.stop();
        ended.assert_complete();
        let burst: Vec<_> = frames(burst);
        assert_same(&frames(ended.packets), &[&burst[..], &burst, &burst].concat());
    });
}

/// Half a gigabyte; `--ignored` asks for it.
#[test]
#[ignore = "takes a minute and gigabytes of memory"]
fn half_a_gigabyte_is_recorded_as_it_was_sent() {
    alone("replay::half_a_gigabyte_is_recorded_as_it_was_sent", || {
        assert_recorded("-i far -b 512", &packets(Trace::new(25).bytes(500_000_000)));
    });
}
