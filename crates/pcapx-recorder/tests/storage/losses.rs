//! What is lost is told with the segment in which it is missing: at once in the status, and in its index later.

use std::fs;

use pcapx_recorder::afpacket::Sender;
use pcapx_testkit::process::Signal;
use pcapx_timeline::index::{Identity, IndexPlace, IndexReader};

use crate::apart::apart;
use crate::kept::{numbers, sealed};
use crate::recorder::Place;
use crate::traffic::{Traffic, packet};

/// More bytes than ring and chunks have room for, and how they are cut into packets.
const FLOOD_PACKETS: u64 = 100_000;
const PACKET_BYTES: usize = 1400;

#[test]
fn what_the_kernel_drops_is_told_while_the_segment_is_written_and_by_its_index() {
    apart("losses::what_the_kernel_drops_is_told_while_the_segment_is_written_and_by_its_index", || {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::two_trees(folder.path());
        let recorder = place.record("-6 4000 -p 1000 -t 3600");
        let before = Traffic::start(100, 500);
        recorder.wait_for_status(|status| status.packets_recorded > 10);
        let sent = before.stop() + FLOOD_PACKETS;
        let status = recorder.wait_for_status(|status| status.unsealed.len() == 1);
        let [open] = &status.unsealed[..] else { panic!("{:?}", status.unsealed) };
        assert_eq!((open.kernel_drops, open.recorder_drops), (0, 0));

        // Nobody empties the ring.
        recorder.signal(Signal::STOP);
        let sender = Sender::open("lo").unwrap();
        for from in (0..FLOOD_PACKETS).step_by(50) {
            let frames: Vec<_> = (from..from + 50).map(|number| packet(number, PACKET_BYTES)).collect();
            sender.send(&frames).unwrap();
        }
        recorder.signal(Signal::CONT);
        let status = recorder.wait_for_status(|status| status.packets_received + status.kernel_drops == sent);
        let lost = status.kernel_drops;
        assert!(lost > 0, "{status:?}");
        let [still_open] = &status.unsealed[..] else { panic!("{:?}", status.unsealed) };
        assert_eq!((&still_open.file, still_open.kernel_drops), (&open.file, lost));
        assert_eq!((still_open.recorder_drops, status.recorder_drops), (0, 0));

        let (code, log) = recorder.stop();
        assert_eq!(code, Some(0), "{log}");
        let segments = sealed(&place.dump);
        let Some(segment) = segments.first().filter(|_| segments.len() == 1) else { panic!("{segments:?}") };
        assert_eq!(segment.file_name().unwrap().to_str(), Some(open.file.as_str()));
        let identity = Identity::of(&fs::metadata(segment).unwrap());
        let index = IndexReader::find(&IndexPlace::beside(), segment, &identity).unwrap();
        assert_eq!(index.summary().kernel_drops, Some(lost));
        assert_eq!(numbers(&segments).len() as u64 + lost, sent);
    });
}
