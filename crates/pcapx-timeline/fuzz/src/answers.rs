//! Answers: with an index, a query gives the packets and the warnings that it gives without, however odd the capture.

use std::fs;
use std::path::Path;

use pcapx_core::filter::Expr;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;
use pcapx_timeline::index::{IndexError, IndexPlace, index_segment};
use pcapx_timeline::packet::PacketKeys;
use pcapx_timeline::segment::SegmentReader;
use pcapx_timeline::warning::WarningKind;
use pcapx_timeline::{CancelToken, Catalog};

use crate::questions::questions;
use crate::stretch::Stretched;

/// Several blocks of the index, and files that are probed at both ends only.
const MAX_FILE_BYTES: usize = 1200 << 10;
/// Of longer files the times are guessed from both ends; an index knows better, so that the answers may differ.
const MAX_TIMED_BYTES: usize = 1 << 20;
/// Questions asked of each capture; each costs two files.
const MAX_QUESTIONS: usize = 4;
/// Packets among which the one is chosen that is asked for.
const MAX_PACKETS: usize = 64;

/// Asks the capture that `input` stands for about one of its packets.
pub fn check(input: &[u8]) {
    let Stretched { bytes, place, share } = Stretched::new(input, MAX_FILE_BYTES);
    let folder = tempfile::Builder::new().prefix("pcapx-fuzz-").tempdir_in("/dev/shm");
    let folder = folder.expect("a folder in memory");
    let file = folder.path().join("segment.pcap");
    fs::write(&file, &bytes).expect("room in memory");
    match index_segment(&file, &IndexPlace::beside(), &CancelToken::new(), |_| ()) {
        Ok(_) => {}
        Err(IndexError::Segment(_)) => return,
        Err(error) => panic!("no index: {error}"),
    }
    let (time, keys) = packet_of(&file, usize::from(share));
    let narrow = Window::around(time, time, std::time::Duration::ZERO, std::time::Duration::from_millis(1));
    let all = questions(&keys);
    let asked = (0..MAX_QUESTIONS).map(|n| all[(place + usize::from(share) + n * 61) % all.len()].clone());
    let catalog = Catalog::open(&[&file]).expect("a catalog");
    for (n, filter) in asked.enumerate() {
        let windows =
            if bytes.len() <= MAX_TIMED_BYTES { &[Window::ALL, narrow][n % 2..] } else { &[Window::ALL][..] };
        for &window in windows {
            let out = folder.path().join("answer");
            let with = ask(&catalog, &filter, window, Some(IndexPlace::beside()), &out);
            let without = ask(&catalog, &filter, window, None, &out);
            assert_eq!(with, without, "{filter} in {window}");
        }
    }
}

/// What an answer consists of.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    name: Option<std::path::PathBuf>,
    file: Vec<u8>,
    packets: u64,
    warnings: Vec<String>,
}

fn ask(catalog: &Catalog, filter: &Expr, window: Window, indexes: Option<IndexPlace>, out: &Path) -> Answer {
    let query = catalog.query(Some(filter.clone()), window).threads(1).indexes(indexes);
    let answer = query.write_to(out).expect("an answer");
    let file = answer.output.as_ref().map(|path| {
        let bytes = fs::read(path).expect("the answer");
        fs::remove_file(path).expect("the answer's file");
        bytes
    });
    assert!(
        !answer.warnings.iter().any(|warning| matches!(warning.kind, WarningKind::IndexNotUsed(_))),
        "{:?}",
        answer.warnings
    );
    let told = answer.warnings.iter().map(|warning| match warning.kind {
        // An index leads to the end past the sections before it; without them, it may look otherwise.
        WarningKind::CutShort(_) | WarningKind::Damaged(_) => "has an end that is not whole".to_owned(),
        _ => warning.to_string(),
    });
    let mut warnings: Vec<_> = told.collect();
    warnings.sort();
    Answer {
        name: answer.output,
        file: file.unwrap_or_default(),
        packets: answer.counts.packets_matched,
        warnings,
    }
}

/// Time and keys of one of the first packets.
fn packet_of(file: &Path, choice: usize) -> (Timestamp, PacketKeys) {
    let mut packets = Vec::new();
    if let Ok(mut reader) = SegmentReader::open(file) {
        while let Ok(Some(packet)) = reader.next_packet()
            && packets.len() < MAX_PACKETS
        {
            packets.push((packet.time, PacketKeys::of(packet.link_type, packet.data)));
        }
    }
    packets.get(choice % packets.len().max(1)).copied().unwrap_or_default()
}
