//! Several interfaces and several threads are one recording.

use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};

use crate::namespace::alone;
use crate::program::Program;
use crate::veth::{FAR, NEAR, assert_same, connect, frames, numbered, pair, send};

/// Packets of many flows, which threads share out.
fn flows(n: u32, flows: u32) -> Vec<Vec<u8>> {
    let frame = |nth: u32| {
        let udp = Udp::new(1000 + (nth % flows) as u16, 53).payload(&nth.to_be_bytes());
        Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&udp))
    };
    (0..n).map(frame).collect()
}

#[test]
fn two_interfaces_are_recorded_in_the_order_of_time() {
    alone("several::two_interfaces_are_recorded_in_the_order_of_time", || {
        connect();
        pair("near2", "far2");
        for words in ["-i far -i far2", "-i far,far2"] {
            let program = Program::start(words);
            let sent = numbered(6000, 200);
            // Turns of different length: one of the two is always behind.
            let mut rest = &sent[..];
            for turn in 0.. {
                let (some, after) = rest.split_at(rest.len().min(1 + turn * 37 % 300));
                if turn % 2 == 0 {
                    send(some, NEAR, FAR);
                } else {
                    send(some, "near2", "far2");
                }
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let ended = program.stop();
            ended.assert_complete();
            assert!(ended.log.contains("recording far,far2"), "{}", ended.log);
            assert_same(&frames(ended.packets), &sent);
        }
    });
}

#[test]
fn threads_share_an_interface_and_keep_the_order() {
    alone("several::threads_share_an_interface_and_keep_the_order", || {
        connect();
        let program = Program::start("-i far --threads 3");
        let sent = flows(8000, 64);
        send(&sent, NEAR, FAR);
        let ended = program.stop();
        ended.assert_complete();
        assert_same(&frames(ended.packets), &sent);
    });
}

#[test]
fn filter_and_slices_hold_for_all_of_them() {
    alone("several::filter_and_slices_hold_for_all_of_them", || {
        connect();
        pair("near2", "far2");
        let program = Program::start("-i far,far2 --threads 2 --packet-slicing 3 --filter udp");
        let wanted = flows(500, 16);
        for (near, far) in [(NEAR, FAR), ("near2", "far2")] {
            send(&wanted, near, far);
            send(&numbered(300, 100), near, far);
        }
        let ended = program.stop();
        ended.assert_complete();
        assert!(ended.log.contains("1000 packets recorded"), "{}", ended.log);
        let sliced: Vec<_> = wanted.iter().chain(&wanted).map(|frame| frame[..34].to_vec()).collect();
        assert_same(&frames(ended.packets), &sliced);
    });
}

#[test]
fn interfaces_of_different_links_are_refused() {
    alone("several::interfaces_of_different_links_are_refused", || {
        let tool = pcapx_testkit::tool::find("ip").unwrap();
        if !tool.run(["tuntap", "add", "name", "tun9", "mode", "tun"]).status.success() {
            pcapx_testkit::tool::skipped("no tunnel to be had");
            return;
        }
        connect();
        let ended = Program::launch("-i far,tun9").end();
        assert_eq!(ended.code, Some(3), "{}", ended.log);
        assert!(ended.log.contains("far (ETHERNET) and tun9 (RAW)"), "{}", ended.log);
    });
}

#[test]
fn what_an_interface_brings_is_measured_without_being_recorded() {
    alone("several::what_an_interface_brings_is_measured_without_being_recorded", || {
        connect();
        for words in ["-i far --simulate capture", "-i far --threads 2 -e index"] {
            let program = Program::launch(words);
            program.logged("taking packets", 1);
            send(&flows(3000, 16), NEAR, FAR);
            let ended = program.stop();
            assert_eq!((ended.code, ended.packets.len()), (Some(0), 0), "{}", ended.log);
            let row = ended.printed.lines().find(|line| line.starts_with("what came")).unwrap();
            let words: Vec<_> = row.split_whitespace().collect();
            assert_eq!((words[3], words.last()), ("3000", Some(&"0")), "{}", ended.printed);
        }
    });
}
