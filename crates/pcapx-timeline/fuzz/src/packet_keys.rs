//! Packets: any bytes have keys, and fewer bytes of the same packet never have a different answer.
//!
//! A packet that was cut may leave a question open, and then matches neither the filter nor its opposite. What it does
//! answer is what the whole packet answers.

use pcapx_core::filter::Expr;
use pcapx_timeline::link::LinkType;
use pcapx_timeline::matcher::Matcher;
use pcapx_timeline::packet::{MAX_VLANS, Network, PacketKeys, Ports, Reach};

use crate::questions::questions;
use crate::stretch::Stretched;

/// Tags, options and extension headers up to the ports are shorter in any packet that makes sense.
const MAX_CUT_BYTES: usize = 400;
/// No packet on a wire is longer.
const MAX_DATA_BYTES: usize = 65_535;

/// The link types that are taken apart, and two that are not.
pub const LINK_TYPES: [LinkType; 15] = [
    LinkType::ETHERNET,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::RAW,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::PPP,
    LinkType::PPP_HDLC,
    LinkType::C_HDLC,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::RAW_BSD,
    LinkType::RAW_OPENBSD,
    LinkType(147),
    LinkType(u16::MAX),
];

/// Takes apart the packet that `input` stands for: its first byte chooses the link type, the others are the packet.
pub fn check(input: &[u8]) {
    let Some((&choice, input)) = input.split_first() else { return };
    let link = LINK_TYPES[usize::from(choice) % LINK_TYPES.len()];
    let data = Stretched::new(input, MAX_DATA_BYTES).bytes;
    let whole = PacketKeys::of(link, &data);
    let mut cuts: Vec<_> =
        (0..data.len().min(MAX_CUT_BYTES)).map(|len| PacketKeys::of(link, &data[..len])).collect();
    cuts.push(whole);
    cuts.dedup();
    for keys in &cuts {
        in_itself(keys);
        assert!(keys.reach <= whole.reach, "fewer bytes reach further: {keys:?}, whole {whole:?}");
    }
    for question in questions(&whole) {
        one_answer(&question, &cuts);
    }
}

/// What the documentation of the keys promises.
fn in_itself(keys: &PacketKeys) {
    assert!(usize::from(keys.vlan_count) <= MAX_VLANS, "{keys:?}");
    assert!(keys.protocol.is_some() || keys.ports == Ports::None, "ports of no protocol: {keys:?}");
    let (src, dst) = match keys.network {
        Network::None => (0, 0),
        Network::V4(pair) | Network::Arp(pair) | Network::Rarp(pair) => (pair.src.into(), pair.dst.into()),
        Network::V6(pair) => (pair.src, pair.dst),
    };
    assert!(keys.reach >= Reach::Source || src == 0, "an address that was not captured: {keys:?}");
    assert!(keys.reach >= Reach::Addresses || dst == 0, "an address that was not captured: {keys:?}");
}

/// Asks packets that are longer and longer; the first answer is the answer.
fn one_answer(question: &Expr, cuts: &[PacketKeys]) {
    let (is, is_not) = (Matcher::new(question), Matcher::new(&Expr::Not(Box::new(question.clone()))));
    let mut first: Option<(bool, &PacketKeys)> = None;
    for keys in cuts {
        let answer = match (is.matches(keys), is_not.matches(keys)) {
            (true, true) => panic!("{question} and its opposite are true of {keys:?}"),
            (false, false) => None,
            (is, _) => Some(is),
        };
        if let Some((first, by)) = first {
            assert_eq!(answer, Some(first), "{question}: the answer by {by:?} is another by {keys:?}");
        } else if let Some(answer) = answer {
            first = Some((answer, keys));
        }
    }
}
