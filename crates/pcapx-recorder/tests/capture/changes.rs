//! Interfaces change while they are recorded.

use pcapx_core::time::Timestamp;
use pcapx_testkit::process::Signal;

use crate::namespace::{alone, ip};
use crate::program::Program;
use crate::veth::{FAR, NEAR, assert_same, connect, frames, numbered, pair, send, up};

#[test]
fn an_interface_that_goes_down_or_changes_is_recorded_on() {
    alone("changes::an_interface_that_goes_down_or_changes_is_recorded_on", || {
        connect();
        let program = Program::start("-i far");
        let mut sent = numbered(300, 1400);
        send(&sent, NEAR, FAR);
        ip("link set far down");
        program.logged("far is down", 1);
        up(FAR);
        program.logged("far is up again", 1);
        let more = numbered(300, 60);
        send(&more, NEAR, FAR);
        sent.extend(more);
        // While it is up.
        for mtu in [68, 9000] {
            for end in [NEAR, FAR] {
                ip(&format!("link set {end} mtu {mtu}"));
            }
            program.logged(&format!("far takes packets of up to {mtu} bytes now"), 1);
            let more = numbered(100, 14 + mtu);
            send(&more, NEAR, FAR);
            sent.extend(more);
        }
        let ended = program.stop();
        ended.assert_complete();
        assert_same(&frames(ended.packets), &sent);
    });
}

#[test]
fn an_interface_that_is_removed_is_recorded_when_it_is_back() {
    alone("changes::an_interface_that_is_removed_is_recorded_when_it_is_back", || {
        for words in ["-i far", "-i far --threads 2"] {
            connect();
            let rings = if words.contains("threads") { 2 } else { 1 };
            let program = Program::start(words);
            let mut sent = numbered(300, 100);
            send(&sent, NEAR, FAR);
            ip("link del far");
            program.logged("far is gone; recording goes on when it is there again", rings);
            connect();
            program.logged("far is there again", rings);
            let more = numbered(300, 200);
            send(&more, NEAR, FAR);
            sent.extend(more);
            let ended = program.stop();
            ended.assert_complete();
            assert_same(&frames(ended.packets), &sent);
            ip("link del far");
        }
    });
}

#[test]
fn one_that_is_removed_leaves_the_others_going() {
    alone("changes::one_that_is_removed_leaves_the_others_going", || {
        connect();
        pair("near2", "far2");
        let program = Program::start("-i far,far2");
        let mut sent = numbered(300, 100);
        send(&sent, NEAR, FAR);
        ip("link del far");
        program.logged("far is gone", 1);
        let more = numbered(300, 200);
        send(&more, "near2", "far2");
        sent.extend(more);
        let ended = program.stop();
        ended.assert_complete();
        assert_same(&frames(ended.packets), &sent);
    });
}

#[test]
fn without_the_right_to_open_it_again_the_recorder_ends_and_says_so() {
    alone("changes::without_the_right_to_open_it_again_the_recorder_ends_and_says_so", || {
        connect();
        let me = rustix::process::getuid().as_raw();
        let program = Program::start(&format!("-i far -u {me}"));
        let sent = numbered(300, 100);
        send(&sent, NEAR, FAR);
        ip("link del far");
        program.logged("far is gone", 1);
        connect();
        let ended = program.end();
        assert_eq!(ended.code, Some(3), "{}", ended.log);
        assert!(ended.log.contains("CAP_NET_RAW, which was given up"), "{}", ended.log);
        assert_same(&frames(ended.packets), &sent);
    });
}

#[test]
fn a_card_without_a_clock_leaves_the_stamps_to_the_system_and_says_so() {
    alone("changes::a_card_without_a_clock_leaves_the_stamps_to_the_system_and_says_so", || {
        connect();
        let before = Timestamp::now();
        let program = Program::start("-i far --hardware-time");
        let sent = numbered(300, 100);
        send(&sent, NEAR, FAR);
        let ended = program.stop();
        ended.assert_complete();
        assert!(
            ended.log.contains("far: the system's clock stamps packets, the card's cannot: "),
            "{}",
            ended.log
        );
        assert!(ended.packets[0].time >= before && ended.packets[299].time <= Timestamp::now());
        assert_same(&frames(ended.packets), &sent);
    });
}

#[test]
fn a_terminal_that_is_closed_ends_the_recording_in_order_unless_nohup_says_otherwise() {
    alone(
        "changes::a_terminal_that_is_closed_ends_the_recording_in_order_unless_nohup_says_otherwise",
        || {
            connect();
            let sent = numbered(50, 100);
            let program = Program::start("-i far");
            send(&sent, NEAR, FAR);
            program.signal(Signal::HUP);
            let ended = program.end();
            ended.assert_complete();
            assert_same(&frames(ended.packets), &sent);

            let program = Program::start_ignoring_hangup("-i far");
            send(&sent[..25], NEAR, FAR);
            program.signal(Signal::HUP);
            send(&sent[25..], NEAR, FAR);
            let ended = program.stop();
            ended.assert_complete();
            assert_same(&frames(ended.packets), &sent);
        },
    );
}

#[test]
fn packets_longer_than_what_is_kept_are_told() {
    alone("changes::packets_longer_than_what_is_kept_are_told", || {
        connect();
        let program = Program::start("-i far --snaplen 100");
        let mut sent = numbered(20, 100);
        sent.extend(numbered(30, 101));
        send(&sent, NEAR, FAR);
        program.logged(
            "packets are longer than --snaplen=100 and are cut there: --snaplen=0 keeps all of them",
            1,
        );
        let ended = program.stop();
        ended.assert_complete();
        assert!(ended.log.contains("50 packets recorded, 30 of them cut, "), "{}", ended.log);
        assert!(ended.packets.iter().all(|packet| packet.data.len() == 100));
        assert_eq!(ended.packets.iter().filter(|packet| packet.orig_len == 101).count(), 30);
    });
}
