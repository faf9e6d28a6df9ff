//! Interfaces come and go, and are of several kinds.

use std::slice;

use pcapx_recorder::afpacket::{Capture, CaptureOptions, Sender};
use pcapx_recorder::source::{PacketSource, SourceError, Waited};
use pcapx_testkit::process::{PATIENCE, poll};
use pcapx_timeline::link::LinkType;

use crate::namespace::{alone, ip};
use crate::veth::{FAR, all, assert_same, connect, feed, frames, numbered, open, options, up, wait};

/// Waits until the capture fails; the packets before that go to `packets`.
fn failure(capture: &mut Capture, packets: &mut Vec<pcapx_testkit::capture::Packet>) -> SourceError {
    let error = poll(PATIENCE, || wait(capture, packets).err());
    error.unwrap_or_else(|| panic!("no error after {} packets", packets.len()))
}

#[test]
fn a_removed_interface_is_gone_behind_its_last_packet() {
    alone("interface::a_removed_interface_is_gone_behind_its_last_packet", || {
        connect();
        let sent = numbered(2000, 1000);
        let mut capture = open(FAR, options());
        feed(&sent, slice::from_mut(&mut capture));
        ip("link del far");
        let mut came = Vec::new();
        let error = failure(&mut capture, &mut came);
        assert!(matches!(error, SourceError::Gone { .. }), "{error}");
        assert!(!error.is_passing());
        assert_same(&frames(came), &sent);
        let again = wait(&mut capture, &mut Vec::new()).unwrap_err();
        assert_eq!(again.to_string(), "far is gone");
        assert_eq!(capture.counts().unwrap().received, 2000);
    });
}

#[test]
fn an_interface_that_goes_down_is_told_once_and_goes_on() {
    alone("interface::an_interface_that_goes_down_is_told_once_and_goes_on", || {
        connect();
        let sent = numbered(100, 100);
        let mut capture = open(FAR, options());
        for _ in 0..2 {
            feed(&sent, slice::from_mut(&mut capture));
            ip("link set far down");
            let mut came = Vec::new();
            let error = failure(&mut capture, &mut came);
            assert!(matches!(error, SourceError::Down { .. }) && error.is_passing(), "{error}");
            assert_same(&frames(came), &sent);
            assert_eq!(wait(&mut capture, &mut Vec::new()).unwrap(), Waited::Nothing);
            ip("link set far mtu 1500");
            up(FAR);
        }
        feed(&sent, slice::from_mut(&mut capture));
        ip("link set far down");
        let mut came = Vec::new();
        assert!(matches!(failure(&mut capture, &mut came), SourceError::Down { .. }));
        assert_same(&frames(came), &sent);
        // Removed while it is down.
        ip("link del far");
        let error = failure(&mut capture, &mut Vec::new());
        assert!(matches!(error, SourceError::Gone { .. }), "{error}");
    });
}

#[test]
fn an_interface_that_is_down_from_the_beginning_is_waited_for() {
    alone("interface::an_interface_that_is_down_from_the_beginning_is_waited_for", || {
        connect();
        ip("link set far down");
        let mut capture = open(FAR, options());
        let error = failure(&mut capture, &mut Vec::new());
        assert!(matches!(error, SourceError::Down { .. }), "{error}");
        up(FAR);
        let sent = numbered(10, 60);
        feed(&sent, slice::from_mut(&mut capture));
        assert_same(&frames(all(&mut capture)), &sent);
    });
}

#[test]
fn a_renamed_interface_stays_the_same() {
    alone("interface::a_renamed_interface_stays_the_same", || {
        connect();
        let mut capture = open(FAR, options());
        ip("link set far down");
        ip("link set far name other");
        up("other");
        assert!(matches!(failure(&mut capture, &mut Vec::new()), SourceError::Down { .. }));
        let sent = numbered(10, 60);
        feed(&sent, slice::from_mut(&mut capture));
        assert_same(&frames(all(&mut capture)), &sent);
    });
}

#[test]
fn an_interface_takes_what_is_for_others_while_it_is_captured_from() {
    alone("interface::an_interface_takes_what_is_for_others_while_it_is_captured_from", || {
        connect();
        let promiscuity = || {
            let link = ip("-d link show far");
            let (_, rest) = link.split_once("promiscuity ").expect("ip tells the promiscuity");
            rest.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(promiscuity(), "0");
        let capture = open(FAR, options());
        assert_eq!(promiscuity(), "1");
        let modest = open(FAR, CaptureOptions { promiscuous: false, ..options() });
        assert_eq!(promiscuity(), "1");
        drop((capture, modest));
        assert_eq!(promiscuity(), "0");
    });
}

#[test]
fn a_loopback_is_ethernet_and_gives_each_packet_once() {
    alone("interface::a_loopback_is_ethernet_and_gives_each_packet_once", || {
        ip("link set lo up");
        let options = CaptureOptions { outgoing: true, ..options() };
        let mut capture = open("lo", options);
        assert_eq!(capture.link_type(), LinkType::ETHERNET);
        let sent = numbered(50, 100);
        Sender::open("lo").unwrap().send(&sent).unwrap();
        let arrived = poll(PATIENCE, || (capture.counts().unwrap().received >= 50).then_some(()));
        assert!(arrived.is_some());
        assert_same(&frames(all(&mut capture)), &sent);
    });
}

#[test]
fn a_tunnel_without_a_link_header_is_raw_ip() {
    alone("interface::a_tunnel_without_a_link_header_is_raw_ip", || {
        let tool = pcapx_testkit::tool::find("ip").unwrap();
        if !tool.run(["tuntap", "add", "name", "tun9", "mode", "tun"]).status.success() {
            pcapx_testkit::tool::skipped("no tunnel to be had");
            return;
        }
        let capture = open("tun9", options());
        assert_eq!(capture.link_type(), LinkType::RAW);
        assert_eq!(capture.name(), "tun9");
    });
}
