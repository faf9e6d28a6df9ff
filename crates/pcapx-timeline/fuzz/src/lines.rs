//! Lines: any packet can be shown, and what is shown is harmless.
//!
//! Texts are printable ASCII and short, whatever the packet holds. What a digest counts of packets adds up.

use pcapx_core::digest::Line;
use pcapx_core::time::Timestamp;
use pcapx_timeline::digest::{Watcher, line};
use pcapx_timeline::link::LinkType;

use crate::packet_keys::LINK_TYPES;
use crate::stretch::Stretched;

/// Headers and the beginning of what they carry; what stands behind is only counted.
const MAX_CUT_BYTES: usize = 700;
/// No packet on a wire is longer.
const MAX_DATA_BYTES: usize = 65_535;
/// A name of 255 bytes, each of them an escape, and what stands around it.
const MAX_TEXT_BYTES: usize = 1200;

/// Shows the packet that `input` stands for, whole and cut: its first byte chooses the link type, the others are the packet.
pub fn check(input: &[u8]) {
    let Some((&choice, input)) = input.split_first() else { return };
    let link = LINK_TYPES[usize::from(choice) % LINK_TYPES.len()];
    let stretched = Stretched::new(input, MAX_DATA_BYTES);
    let data = &stretched.bytes[..];
    let mut watcher = Watcher::new(vec![[10, 0, 0, 1].into()], true);
    let mut count = 0;
    let mut see = |data: &[u8]| {
        harmless(&shown(link, data));
        // Times that follow from the packet, so that the fuzzer moves them.
        let nanos = data.iter().rev().fold(1_i64, |nanos, &byte| nanos.wrapping_mul(257) ^ i64::from(byte));
        watcher.add(Timestamp::from_nanos(nanos), link, data.len() as u32, data);
        count += 1;
    };
    (0..data.len().min(MAX_CUT_BYTES)).for_each(|len| see(&data[..len]));
    see(data);
    let (directions, digest) = watcher.finish();
    let (Some(directions), Some(digest)) = (directions, digest) else { panic!("asked for, and not made") };
    assert_eq!(digest.total.packets, count);
    let bins = digest
        .bins
        .counts
        .iter()
        .map(|bin| bin.from_client.packets + bin.to_client.packets + bin.other.packets);
    assert_eq!(bins.sum::<u64>(), count);
    assert_eq!(digest.protocols.iter().map(|row| row.amount.packets).sum::<u64>(), count);
    assert!(directions.packets_from_client + directions.packets_to_client <= count);
    assert!(
        digest.bins.counts.len() <= 1024 && digest.conversations.len() <= 100 && digest.lines.len() <= 200
    );
    assert!(digest.lines.is_sorted_by_key(|line| line.time));
    digest.lines.iter().for_each(harmless);
}

fn shown(link: LinkType, data: &[u8]) -> Line {
    line(Timestamp::from_nanos(0), link, data.len() as u32, data)
}

fn harmless(line: &Line) {
    for text in [&line.source, &line.destination, &line.protocol, &line.info] {
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
        assert!(text.len() <= MAX_TEXT_BYTES, "{} bytes: {text:?}", text.len());
    }
}
