//! Random filters over packets of every shape, and over realistic traffic: our packets are tcpdump's.
//!
//! tcpdump is asked about the frames without their tags and without the IPv6 extension headers that hide the ports
//! from it, because to us both are transparent.
//!
//! The filters are the same in every run; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` make it others and more.

#[path = "oracle/expression.rs"]
mod expression;
#[path = "oracle/mod.rs"]
mod oracle;
#[path = "oracle/zoo.rs"]
mod zoo;

use std::cell::Cell;

use expression::{expression, term};
use oracle::Subject;
use pcapx_core::filter::parse;
use pcapx_testkit::capture::{Packet, Pcap, link};
use pcapx_testkit::strip;
use pcapx_testkit::tool::Tcpdump;
use pcapx_testkit::trace::Trace;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

/// Filters that are tried on each capture, unless `PROPTEST_CASES` says how many.
const CASES: u32 = 100;

/// Without tags and without extension headers.
fn plain(link_len: usize) -> impl Fn(u32, &Packet) -> Packet {
    move |link, packet| {
        let packet = strip::packet(link, packet);
        Packet { data: strip::extensions(link_len, &packet.data), ..packet }
    }
}

fn agree(tcpdump: &Tcpdump, packets: &[Packet], link: u32, link_len: usize, name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    Pcap::new().link_type(link).write(&file, packets);
    let subject = Subject::new(tcpdump, &file, plain(link_len));
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let cases = config.cases;
    let mut runner = TestRunner::new(config);
    let (matched, refused) = (Cell::new(0), Cell::new(0));
    let outcome = runner.run(&expression(term()), |filter| {
        let text = filter.to_string();
        // What is printed reads back as what was printed, in its plainest form.
        let filter = parse(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        match subject.compare(&filter, &text) {
            Ok((extra, missing)) => {
                let frames: Vec<_> = extra.iter().chain(&missing).take(1).map(|&n| &subject.plain[n]).collect();
                prop_assert!(
                    frames.is_empty(),
                    "{name}: {text}: only ours {extra:?}, only tcpdump's {missing:?}; the first is {frames:02x?}"
                );
                matched.update(|count| count + u32::from(!subject.ours(&filter).is_empty()));
            }
            Err(_) => refused.update(|count| count + 1),
        }
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
    let (matched, refused) = (matched.get(), refused.get());
    eprintln!(
        "{name}: {cases} filters, {matched} of them matched something, {refused} are not for the link type"
    );
    assert!(matched > cases / 4, "the filters hit too little to prove anything");
}

#[test]
fn packets_of_every_shape_answer_as_tcpdump_does() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    for (link, link_len) in zoo::LINKS {
        agree(&tcpdump, &zoo::packets(zoo::frames(link)), link, link_len, &format!("zoo-{link}.pcap"));
    }
}

#[test]
fn realistic_traffic_answers_as_tcpdump_does() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let mut packets: Vec<_> = Trace::new(11).bytes(1 << 20).packets().collect();
    packets.extend(zoo::packets(zoo::frames(link::ETHERNET)));
    agree(&tcpdump, &packets, link::ETHERNET, 14, "trace.pcap");
}

#[test]
fn snapped_packets_answer_as_tcpdump_does() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    // We make every test from left to right, as libpcap's program does before it is optimized.
    let tcpdump = tcpdump.without_optimizer();
    for (link, link_len) in zoo::LINKS {
        let whole = zoo::packets(zoo::frames(link));
        // Every length from behind the link header to the end of all headers, but three: inside a tag or an extension header,
        // which the plain frame then keeps and tcpdump takes for all there is; inside an IPv6 address, which tcpdump compares
        // in four pieces and may answer by the first, while to us half an address is none; and in front of the offset in a
        // fragment header, where tcpdump asks for the protocol behind it and we know none.
        let plain = plain(link_len);
        let is_asked_otherwise = |whole: &Packet, cut: &Packet| {
            let (whole, cut) = (plain(link, whole).data, plain(link, cut).data);
            let ip = cut.get(link_len..).unwrap_or_default();
            let is_v6 = ip.first().is_some_and(|byte| byte >> 4 == 6);
            !whole.starts_with(&cut)
                || is_v6
                    && (matches!(ip.len(), 9..=23 | 25..=39) || (ip.len() < 44 && ip.get(6) == Some(&44)))
        };
        let cut = whole.iter().zip((link_len + 1..=90).cycle());
        let cut = cut.map(|(packet, len)| (packet, packet.clone().cut(len)));
        let cut = cut.filter_map(|(whole, cut)| (!is_asked_otherwise(whole, &cut)).then_some(cut));
        let cut: Vec<_> = cut.collect();
        agree(&tcpdump, &cut, link, link_len, &format!("cut-{link}.pcap"));
    }
}
