//! Each packet is visited once or counted as dropped, whoever shares them.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use pcapx_recorder::afpacket::{Capture, CaptureOptions, Group, Sender};
use pcapx_recorder::source::{Counts, PacketSource, Waited};
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
use pcapx_testkit::process::{PATIENCE, poll};

use crate::namespace::alone;
use crate::veth::{
    FAR, NEAR, all, assert_same, connect, counts, feed, frames, numbered, open, options, packets_of, wait,
};

#[test]
fn a_full_ring_is_counted_and_goes_on_when_it_was_read() {
    alone("loss::a_full_ring_is_counted_and_goes_on_when_it_was_read", || {
        connect();
        // Two blocks of 1 MiB, and three times as much to come.
        let mut capture = [open(FAR, CaptureOptions { ring_bytes: 0, ..options() })];
        let sent = numbered(4096, 1514);
        feed(&sent, &mut capture);
        let full = counts(&mut capture);
        assert!(full.dropped > 2000 && full.freezes > 0, "{full:?}");
        assert_eq!(full.received + full.dropped, 4096);

        // What fits into a block comes through once the ring was read.
        let mut came = Vec::new();
        while came.len() < full.received as usize {
            wait(&mut capture[0], &mut came).unwrap();
        }
        let more = numbered(100, 60);
        feed(&more, &mut capture);
        came.extend(all(&mut capture[0]));
        let now = counts(&mut capture);
        assert_eq!(now, Counts { received: full.received + 100, ..full });
        let came = frames(came);
        assert_same(&came[..full.received as usize], &sent[..full.received as usize]);
        assert_same(&came[full.received as usize..], &more);
    });
}

#[test]
fn at_the_senders_limit_each_packet_is_visited_or_counted() {
    alone("loss::at_the_senders_limit_each_packet_is_visited_or_counted", || {
        connect();
        let sent = numbered(200_000, 60);
        let mut capture = open(FAR, options());
        let sender = thread::spawn(move || Sender::open(NEAR).unwrap().send(&sent).unwrap());
        let mut last = None;
        let mut visited = 0;
        let mut visit = |capture: &mut Capture| {
            let waited = capture.wait(Duration::from_millis(10), &mut |packet| {
                let number = u64::from_be_bytes(packet.data[14..22].try_into().unwrap());
                assert!(last < Some(number), "{number} came behind {last:?}");
                last = Some(number);
                visited += 1;
            });
            waited.unwrap()
        };
        while !sender.is_finished() {
            visit(&mut capture);
        }
        sender.join().unwrap();
        // What is still under way between the ends has arrived when their counts agree.
        let arrived = poll(PATIENCE, || {
            visit(&mut capture);
            let counts = capture.counts().unwrap();
            (counts.received + counts.dropped == packets_of(FAR)).then_some(counts)
        });
        capture.stop().unwrap();
        while visit(&mut capture) != Waited::End {}
        let counts = arrived.unwrap_or_else(|| panic!("{:?} of {}", capture.counts(), packets_of(FAR)));
        assert_eq!(capture.counts().unwrap(), counts);
        assert_eq!(visited, counts.received);
        assert!(visited > 1000, "{counts:?}");
    });
}

#[test]
fn what_this_machine_sends_is_taken_only_when_asked_for() {
    alone("loss::what_this_machine_sends_is_taken_only_when_asked_for", || {
        connect();
        let sent = numbered(300, 100);
        let mut captures = [open(FAR, options())];
        let mut without = open(NEAR, options());
        let mut with = open(NEAR, CaptureOptions { outgoing: true, ..options() });
        feed(&sent, &mut captures);
        assert_same(&frames(all(&mut captures[0])), &sent);
        assert_same(&frames(all(&mut with)), &sent);
        assert_same(&frames(all(&mut without)), &[]);
        assert_eq!(without.counts().unwrap().received, 0);
    });
}

#[test]
fn a_group_shares_packets_by_flow_and_takes_each_once() {
    alone("loss::a_group_shares_packets_by_flow_and_takes_each_once", || {
        connect();
        for outgoing in [false, true] {
            let options = CaptureOptions { outgoing, ..options() };
            let mut group =
                Capture::open_group(FAR, &options, &Group::default(), NonZeroUsize::new(3).unwrap()).unwrap();
            let frame = |flow: u16, nth: u32| {
                let udp = Udp::new(1000 + flow, 53).payload(&nth.to_be_bytes());
                Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&udp))
            };
            let sent: Vec<_> = (0..50).flat_map(|nth| (0..64).map(move |flow| frame(flow, nth))).collect();
            feed(&sent, &mut group);
            let mut seen = HashSet::new();
            let mut member_of = HashMap::new();
            for (member, capture) in group.iter_mut().enumerate() {
                let came = frames(all(capture));
                assert!(!came.is_empty(), "member {member} has nothing");
                for frame in came {
                    let flow = u16::from_be_bytes([frame[34], frame[35]]);
                    assert_eq!(*member_of.entry(flow).or_insert(member), member, "flow {flow}");
                    assert!(seen.insert(frame), "a packet came twice");
                }
            }
            assert_eq!(seen, sent.into_iter().collect());
        }
    });
}
