//! The same packets as tcpdump finds in the same files.

use pcapx_testkit::capture::{Packet, read_pcap};
use pcapx_testkit::tool::Tcpdump;

use crate::room::{Room, TEN, arg};

const FILTERS: [&str; 10] = [
    "",
    "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443",
    "udp and host 10.0.0.10 and port 53",
    "host 2001:db8::5",
    "port 53 or 443",
    "src host 10.0.0.10 and not dst port 443",
    "net 10.0.0.0/27",
    "not ip6",
    "portrange 50-60",
    "(tcp or udp) and (host 10.0.0.53 or 2001:db8::6)",
];

/// tcpdump sees what is in a VLAN only when told so; the files are in order, so their packets are too.
fn oracle(tcpdump: &Tcpdump, room: &Room, filter: &str, first: i64, last: i64) -> Vec<Packet> {
    let mut packets = Vec::new();
    for file in room.recorded() {
        let [plain, tagged] = if filter.is_empty() {
            [tcpdump.read(&file, "").unwrap().packets, Vec::new()]
        } else {
            [format!("({filter}) and not vlan"), format!("vlan and ({filter})")]
                .map(|filter| tcpdump.read(&file, &filter).unwrap().packets)
        };
        packets.extend(plain.into_iter().chain(tagged));
    }
    packets.retain(|p| (TEN + first..=TEN + last).contains(&p.time.as_secs()));
    packets.sort_by_key(|p| p.time);
    packets
}

#[test]
fn filters_and_windows_find_tcpdumps_packets() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let room = Room::new();
    for filter in FILTERS {
        for (first, last) in [(0, 239), (59, 60), (100, 200)] {
            let expected = oracle(&tcpdump, &room, filter, first, last);
            let (begin, end) = ((TEN + first).to_string(), format!("{}.999999999", TEN + last));
            let ran = room.extract(&["-b", &begin, "-e", &end, "-f", filter, "-O"]);
            let found = if ran.code == 1 { Vec::new() } else { read_pcap(&ran.stdout).unwrap().packets };
            assert_eq!(found.len(), expected.len(), "{filter:?} {first}..{last}: {}", ran.stderr);
            assert_eq!(found, expected, "{filter:?} {first}..{last}");
        }
    }
}

#[test]
fn tcpdump_reads_what_is_written() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let room = Room::new();
    room.extract(&["-f", "udp", "-s", "64", "-o", "a.pcap"]).ended(0);
    assert_eq!(tcpdump.read(arg(&room.out("a.pcap")).as_ref(), "").unwrap().packets, room.read("a.pcap"));
}
