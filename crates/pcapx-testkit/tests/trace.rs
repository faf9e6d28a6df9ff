//! The trace generator: the same bytes for ever, the promised mixture, the needle, the recorder's layout.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use pcapx_core::local::LocalZone;
use pcapx_core::time::Timestamp;
use pcapx_testkit::capture::{Pcap, read_pcap};
use pcapx_testkit::tool::Tcpdump;
use pcapx_testkit::trace::{Mix, Needle, Trace, Traffic, link_timeline};

const MIB: u64 = 1 << 20;

/// FNV-1a, 64 bits.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mix = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    parts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325, mix)
}

fn digest_of(trace: Trace) -> u64 {
    let packets: Vec<_> = trace.packets().collect();
    let times: Vec<_> = packets.iter().map(|packet| packet.time.as_nanos().to_le_bytes()).collect();
    digest(times.iter().map(<[u8; 8]>::as_slice).chain(packets.iter().map(|packet| packet.data.as_slice())))
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_ever() {
    assert_eq!(digest_of(Trace::new(1).bytes(2 * MIB)), DIGEST_OF_SEED_1);
    assert_ne!(digest_of(Trace::new(2).bytes(2 * MIB)), DIGEST_OF_SEED_1);
}

/// Changes only when the generator does; benches of before and after are then not comparable.
const DIGEST_OF_SEED_1: u64 = 13_360_029_655_158_937_255;

#[test]
fn has_the_promised_mixture() {
    let packets: Vec<_> = Trace::new(3).bytes(48 * MIB).packets().collect();
    let total = packets.len();
    let per_mille = |matches: &dyn Fn(&[u8]) -> bool| {
        packets.iter().filter(|packet| matches(&packet.data)).count() * 1000 / total
    };
    let mean = packets.iter().map(|packet| packet.data.len()).sum::<usize>() / total;
    assert!((720..800).contains(&mean), "mean length {mean}");
    let v6 = per_mille(&|frame| frame[12..14] == [0x86, 0xdd]);
    assert!((30..50).contains(&v6), "IPv6 {v6} ‰");
    let tagged = per_mille(&|frame| matches!(frame[12..14], [0x81, 0] | [0x88, 0xa8]));
    assert!((40..60).contains(&tagged), "VLAN and QinQ {tagged} ‰");
    let tunnelled = per_mille(&|frame| matches!(frame[12..14], [0x88, 0x47 | 0x64]));
    assert!((5..20).contains(&tunnelled), "MPLS and PPPoE {tunnelled} ‰");
    let v4 = |frame: &[u8], protocol: u8| frame[12..14] == [8, 0] && frame[23] == protocol;
    let (tcp, udp) = (per_mille(&|frame| v4(frame, 6)), per_mille(&|frame| v4(frame, 17)));
    assert!((650..850).contains(&tcp) && (80..250).contains(&udp), "TCP {tcp} ‰, UDP {udp} ‰");
    assert!(per_mille(&|frame| v4(frame, 1)) >= 4 && per_mille(&|frame| frame[12..14] == [8, 6]) >= 1);
    assert!(packets.iter().any(|packet| v4(&packet.data, 132)), "SCTP");
    let later = |frame: &[u8]| v4(frame, 17) && (frame[20] & 0x1f, frame[21]) != (0, 0);
    assert!(packets.iter().any(|packet| later(&packet.data)), "fragments");
    let endpoints: HashSet<_> = packets.iter().map(|packet| packet.data[26..34].to_vec()).collect();
    assert!(endpoints.len() > 3000, "{} pairs of hosts", endpoints.len());
}

#[test]
fn floods_have_the_smallest_frames_of_few_flows_or_of_as_many_as_packets() {
    for (mix, few) in [(Mix::Flood, true), (Mix::SynFlood, false)] {
        let trace = Trace::new(3).mix(mix).bytes(4 * MIB);
        let packets: Vec<_> = trace.packets().filter(|packet| !Traffic::is_needle(packet)).collect();
        assert!(packets.iter().all(|packet| packet.data.len() == 60), "{mix:?}");
        assert!(packets.iter().all(|packet| packet.data[30..34] == [11, 0, 0, 1]), "{mix:?}");
        let flows: HashSet<_> = packets.iter().map(|packet| &packet.data[26..38]).collect();
        let expected = if few { 64 } else { packets.len() };
        assert_eq!((packets.len() > 50_000, flows.len()), (true, expected), "{mix:?}");
        assert!(trace.packets().any(|packet| Traffic::is_needle(&packet)), "{mix:?}");
        assert_ne!(digest_of(trace), digest_of(Trace::new(4).mix(mix).bytes(4 * MIB)), "{mix:?}");
    }
}

#[test]
fn time_never_goes_back_and_fills_the_duration() {
    let start = Timestamp::from_secs(1000);
    let trace = Trace::new(4).bytes(8 * MIB).start(start).duration(Duration::from_secs(60));
    let times: Vec<_> = trace.packets().map(|packet| packet.time).collect();
    assert!(times.is_sorted());
    let (first, last) = (times[0], times[times.len() - 1]);
    assert_eq!((first.as_secs(), last.as_secs()), (1000, 1059));
    assert!(times.iter().all(|time| time.as_nanos() % 1000 == 0), "microseconds unless asked for more");
    assert!(trace.nanos().packets().any(|packet| packet.time.as_nanos() % 1000 != 0));
}

#[test]
fn records_files_of_a_duration_with_the_needle_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let trace = Trace::new(5).bytes(6 * MIB);
    let mut told = Vec::new();
    let recording =
        trace.write_rolling(dir.path(), Duration::from_secs(300), |bytes| told.push(bytes)).unwrap();

    assert_eq!(recording.files.len(), 12);
    assert_eq!(told.last(), Some(&recording.bytes));
    let name = "1772355600.530536/1772355600.530536.pcap";
    assert_eq!(recording.files[0], dir.path().join(name));
    let mut packets = Vec::new();
    for (number, path) in (0..).zip(&recording.files) {
        let bytes = fs::read(path).unwrap();
        let capture = read_pcap(&bytes).unwrap();
        let first = capture.packets[0].time;
        let stem = format!("{}.{:06}", first.as_secs(), first.subsec_nanos() / 1000);
        assert_eq!(path.file_stem().unwrap().to_string_lossy(), stem);
        let period = |time: Timestamp| (time.as_secs() - 1_772_355_600) / 300;
        assert!(capture.packets.iter().all(|packet| period(packet.time) == number));
        packets.extend(capture.packets);
    }
    let sizes: u64 = recording.files.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!((recording.bytes, recording.packets), (sizes, packets.len() as u64));
    assert_eq!(packets, trace.packets().collect::<Vec<_>>());
    assert_eq!((recording.first, recording.last), (packets[0].time, packets[packets.len() - 1].time));

    let needle: Vec<_> = packets.into_iter().filter(Traffic::is_needle).collect();
    assert_eq!(needle.len(), Needle::PACKETS as usize);
    assert_eq!(recording.needle.packets, needle);
    assert!(needle.iter().all(|packet| (1800..1870).contains(&(packet.time.as_secs() - 1_772_355_600))));
}

#[test]
fn the_needles_filter_finds_the_needle() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let dir = tempfile::tempdir().unwrap();
    let packets: Vec<_> = Trace::new(6).bytes(4 * MIB).packets().collect();
    let file = dir.path().join("trace.pcap");
    Pcap::new().write(&file, &packets);
    let needle: Vec<_> = packets.iter().filter(|packet| Traffic::is_needle(packet)).cloned().collect();
    assert_eq!(tcpdump.read(&file, Needle::FILTER).unwrap().packets, needle);
    assert_eq!(tcpdump.read(&file, &format!("host {}", Needle::CLIENT)).unwrap().packets, needle);
    let tenth = tcpdump.read(&file, Trace::TENTH).unwrap().packets.len();
    assert!((packets.len() / 13..packets.len() / 8).contains(&tenth), "{tenth} of {}", packets.len());
    assert!(!tcpdump.read(&file, &format!("host {}", Trace::HOST)).unwrap().packets.is_empty());
}

#[test]
fn links_files_into_a_timeline_in_local_time() {
    let dir = tempfile::tempdir().unwrap();
    let trace = Trace::new(7).bytes(MIB / 4);
    let recording = trace.write_rolling(&dir.path().join("dump"), Duration::from_secs(1800), |_| ()).unwrap();
    let zone = LocalZone::named("Europe/Warsaw").unwrap();
    let timeline = dir.path().join("timeline");
    let links = link_timeline(&timeline, &recording.files, &zone).unwrap();
    assert_eq!(links[0], timeline.join("2026/03/01/10/00/1772355605.063735.pcap"));
    assert_eq!(links[1].parent().unwrap(), timeline.join("2026/03/01/10/30"));
    let name = format!("{}.timeline", recording.files[1].file_name().unwrap().to_string_lossy());
    let back = recording.files[1].with_file_name(name);
    assert_eq!(fs::read(&links[1]).unwrap(), fs::read(&recording.files[1]).unwrap());
    assert_eq!(fs::read_link(back).unwrap(), links[1]);
}
