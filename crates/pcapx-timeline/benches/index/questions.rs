//! What is asked of the one-hour trace, and of which minutes.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_testkit::trace::{Needle, Trace};
use pcapx_timeline::segment::SegmentReader;

/// Nothing in the trace has this address.
pub(super) const MISS: &str = "host 203.0.113.200";
/// When the trace begins.
const START: Timestamp = Timestamp::from_secs(1_772_355_600);

/// Twelve minutes around `middle` after the beginning of the trace, where its needle is: as an alert's default window, they
/// begin inside a file of five minutes and end inside the second one after it.
pub(super) fn window(middle: Duration) -> Window {
    let alert = START.saturating_add(middle);
    Window::around(alert, alert, Duration::from_secs(270), Duration::from_secs(450))
}

/// The files that hold packets of `window`, as their names tell.
pub(super) fn files_of(files: &[PathBuf], window: Window) -> Vec<PathBuf> {
    let begin = |file: &Path| {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
        let (seconds, micros) = name.split_once('.').expect("seconds and microseconds");
        let seconds = Timestamp::from_secs(seconds.parse().expect("seconds"));
        seconds.saturating_add(Duration::from_micros(micros.parse().expect("microseconds")))
    };
    let ends = files.iter().skip(1).map(|next| begin(next)).chain([Timestamp::MAX]);
    let spans = files.iter().zip(ends);
    spans.filter(|(file, end)| window.overlaps(begin(file), *end)).map(|(file, _)| file.clone()).collect()
}

/// A name and a filter each; the empty filter is true of every packet.
pub(super) fn questions(files: &[PathBuf], window: Window) -> Vec<(&'static str, String)> {
    let (server, client) = busy_pair(files, window);
    vec![
        ("needle", Needle::FILTER.to_owned()),
        ("host", format!("host {}", Trace::HOST)),
        ("host+port", format!("host {} and port 443", Trace::HOST)),
        ("pair", format!("host {server} and host {client}")),
        ("tenth", Trace::TENTH.to_owned()),
        ("everything", String::new()),
        ("miss", MISS.to_owned()),
    ]
}

/// The server with the most packets of the window, and of its clients the one with the middling number of packets.
///
/// Only IPv4 without tags is looked at: nine packets of ten.
fn busy_pair(files: &[PathBuf], window: Window) -> (Ipv4Addr, Ipv4Addr) {
    let mut packets: HashMap<Ipv4Addr, HashMap<Ipv4Addr, u64>> = HashMap::new();
    for file in files {
        let mut reader = SegmentReader::open(file).expect("a segment");
        while let Some(packet) = reader.next_packet().expect("a whole segment") {
            if packet.data.get(12..14) != Some(&[8, 0]) || !window.contains(packet.time) {
                continue;
            }
            let address = |at: usize| packet.data[at..].first_chunk::<4>().map_or([0; 4], |address| *address);
            let (src, dst) = (Ipv4Addr::from(address(26)), Ipv4Addr::from(address(30)));
            let (client, server) = if src.octets()[0] == 10 { (src, dst) } else { (dst, src) };
            *packets.entry(server).or_default().entry(client).or_default() += 1;
        }
    }
    let (server, clients) = packets
        .into_iter()
        .max_by_key(|(server, clients)| (clients.values().sum::<u64>(), *server))
        .expect("packets in the window");
    let mut clients: Vec<_> = clients.into_iter().map(|(client, packets)| (packets, client)).collect();
    clients.sort_unstable();
    (server, clients[clients.len() / 2].1)
}
