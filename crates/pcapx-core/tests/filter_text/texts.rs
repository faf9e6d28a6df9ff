//! Random filter texts: written by the grammar, mutilated, or thrown together.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;

/// Values that stand for no name: none of them makes tcpdump ask a name server.
const VALUES: &[&str] = &[
    "0",
    "1",
    "10",
    "80",
    "443",
    "4095",
    "4096",
    "65535",
    "65536",
    "2560",
    "0x50",
    "0x0a000001",
    "010",
    "08",
    "00",
    "4294967295",
    "4294967296",
    "10.0",
    "10.1",
    "10.1.2",
    "10.0.0.1",
    "10.0.0.0",
    "192.168.1.7",
    "010.1.2.3",
    "0.0.0.0",
    "255.255.0.0",
    "255.0",
    "255.0.255.0",
    "256.1.1.1",
    "0x7f.1",
    "10.0.0.0/8",
    "10.0.0.0/33",
    "10.0.0.1/8",
    "10.1/16",
    "10/8",
    "0.0.0.0/0",
    "10.0.0.1/32",
    "10.0.0.0/0x8",
    "10.0.0.0 mask 255.0.0.0",
    "10.1 mask 255.255",
    "::1",
    "::",
    "2001:db8::1",
    "fe80::1:2",
    "::ffff:1.2.3.4",
    "::1/128",
    "::/0",
    "2001:db8::/32",
    "2001:db8::1/32",
    "::/129",
    "1::2:",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:1.2.3.4",
    "::1.2.3.04",
    "00:11:22:33:44:55",
    "0:1:2:3:4:5",
    "0-11-22-33-44-55",
    "0.1.2.3.4.5",
    "0011.2233.4455",
    "001122334455",
];

const RANGES: &[&str] = &["80-90", "90-80", "010-020", "0-65535", "1-65536", "5-5", "1024-", "80"];

/// Texts that a parser is likely to judge otherwise than libpcap, or to give another meaning.
pub(crate) const CORNERS: &[&str] = &[
    // Where a parenthesis of values may stand.
    "host (1.2.3.4)",
    "host ((1.2.3.4))",
    "port ((80))",
    "port (80 or (90 or 100))",
    "port ((80 or 90) or 443)",
    "port ((80 or 90))",
    "port 1 or ((80) or 90)",
    "port 1 or ((80 or 90) or 91)",
    "port (not (80 or 90))",
    "port not ((80))",
    "(80)",
    "(host 1.2.3.4 or 5.6.7.8)",
    "(1.2.3.4 or host 5.6.7.8)",
    "port 1 or (2 or port 3)",
    "port 1 or (port 2 or 3)",
    "host 1.1.1.1 or (port 80 or 2.2.2.2)",
    // Which words a bare value takes.
    "host 1.1.1.1 or ((host 2.2.2.2) or 3.3.3.3)",
    "port 80 or tcp or 90",
    "port 80 or (tcp) or 90",
    "port 80 or vlan or 90",
    "port 80 or (vlan 3) or 90",
    "not host 1.2.3.4 and 5.6.7.8",
    "not 1.2.3.4",
    "host not 1.2.3.4",
    "tcp and 80",
    "1.2.3.4",
    "tcp 80",
    "src 80",
    "tcp src 80",
    // Binding.
    "tcp or udp and port 53",
    "tcp or (udp and port 53)",
    "not tcp and udp",
    "not not tcp",
    "src and dst port 80 and dst and src host 1.2.3.4",
    "src or src port 80",
    // Numbers and addresses.
    "portrange 5-5",
    "portrange 80",
    "portrange 90-80",
    "portrange 010-020",
    "port 80 and not portrange 80-80",
    "port 010",
    "port 08",
    "net 0",
    "net 2560",
    "net 10/8",
    "net 10.0.0.0",
    "net 10 mask 255.0.0.0",
    "net 10.0 mask 255.255",
    "net 1.2.3.4/0",
    "host 10",
    "host 10.1",
    "host 010.1.1.1",
    "host 0x7f.1",
    "host ::1/128",
    "host ::1/64",
    "host ::1or host 1.2.3.4",
    "host 1::2:",
    "host 1.2.3.4.5.6",
    "ether host 1.2.3.4.5.6",
    "ether net 0:1:2:3:4:5",
    "host 0:1:2:3:4:5",
    "vlan (10)",
    "vlan (10) or 11",
    "vlan 4096",
    "ether proto 1501",
    "ip proto \\ip6",
    "ip proto \\tcp or \\udp",
];

const WORDS: &[&str] = &[
    "host",
    "net",
    "port",
    "portrange",
    "proto",
    "src",
    "dst",
    "src or dst",
    "src and dst",
    "dst or src",
    "vlan",
    "mask",
    "and",
    "or",
    "not",
    "&&",
    "||",
    "!",
    "(",
    ")",
    "/",
];

const LAYERS: &[&str] = &[
    "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "esp", "ah", "pim", "vrrp", "ip", "ip6", "arp", "rarp",
    "ether", "link",
];

/// What a mutilation puts in: words of the language that are refused, signs, and words run together.
const GARBAGE: &[&str] = &[
    "gateway",
    "len",
    "less",
    "broadcast",
    "tcp[0]",
    "=",
    "&",
    "|",
    "<",
    "-",
    "[",
    ":",
    "$1",
    "_",
    "\\",
    "/24",
    "/",
    "mask",
    "::1or",
    "::1and",
    "80)",
    "((",
    "))",
    "()",
    "!!",
    "not not",
    "vlan vlan",
    "and and",
    "src dst",
    "\\tcp",
    "0x",
    "1e3",
];

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

fn maybe(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), select(words).prop_map(|word| format!("{word} "))]
}

/// A test with the values that fit it.
fn fitting() -> impl Strategy<Value = String> {
    const DIRS: &[&str] = &["src", "dst", "src or dst", "src and dst", "dst and src"];
    const V4: &[&str] = &["10.0.0.1", "192.168.1.7", "10.1", "010.1.2.3", "0x0a000001"];
    const V6: &[&str] = &["::1", "2001:db8::1", "::ffff:1.2.3.4", "::1/128"];
    const NETS4: &[&str] =
        &["10.0.0.0/8", "10.1", "10", "2560", "0", "10.0.0.0 mask 255.255.0.0", "0.0.0.0/0", "10.1/16"];
    const NETS6: &[&str] = &["2001:db8::/32", "::1", "::/0", "fe80::/10"];
    const PORTS: &[&str] = &["80", "443", "0x50", "010", "65535", "0"];
    const SPANS: &[&str] = &["80-90", "90-80", "1024-65535", "010-020"];
    const PROTOS: &[&str] = &["6", "17", "1", "58", "0x2f", "\\tcp", "gre", "ospf", "\\icmp", "255"];
    const TYPES: &[&str] = &["0x0800", "0x88cc", "\\ip6", "\\arp", "loopback", "1501"];
    const MACS: &[&str] = &["00:11:22:33:44:55", "0-1-2-3-4-5", "0011.2233.4455", "001122334455"];
    prop_oneof![
        (maybe(&["ip", "arp", "rarp"]), maybe(DIRS), values(V4))
            .prop_map(|(layer, dir, value)| format!("{layer}{dir}host {value}")),
        (maybe(&["ip6"]), maybe(DIRS), values(V6))
            .prop_map(|(layer, dir, value)| format!("{layer}{dir}host {value}")),
        (maybe(&["ip", "arp"]), one_of(DIRS), values(V4))
            .prop_map(|(layer, dir, value)| format!("{layer}{dir} {value}")),
        (maybe(&["ip", "arp", "rarp"]), maybe(DIRS), values(NETS4))
            .prop_map(|(layer, dir, value)| format!("{layer}{dir}net {value}")),
        (maybe(&["ip6"]), maybe(DIRS), values(NETS6))
            .prop_map(|(layer, dir, value)| format!("{layer}{dir}net {value}")),
        (maybe(&["tcp", "udp", "sctp"]), maybe(DIRS), values(PORTS))
            .prop_map(|(layer, dir, value)| format!("{layer}{dir}port {value}")),
        (maybe(&["tcp", "udp", "sctp"]), maybe(DIRS), values(SPANS))
            .prop_map(|(layer, dir, value)| format!("{layer}{dir}portrange {value}")),
        (maybe(&["ip", "ip6"]), values(PROTOS)).prop_map(|(layer, value)| format!("{layer}proto {value}")),
        values(TYPES).prop_map(|value| format!("ether proto {value}")),
        (maybe(DIRS), values(MACS)).prop_map(|(dir, value)| format!("ether {dir}host {value}")),
        one_of(&["vlan", "vlan 10", "vlan 0xfff", "vlan (7)", "vlan ((7))"]),
        one_of(&LAYERS[..LAYERS.len() - 2]),
    ]
}

/// One value, or several that share the words in front of them.
fn values(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let one = one_of(words);
    let join = || one_of(&["and", "or", "&&", "||"]);
    let not = || maybe(&["not", "!"]);
    prop_oneof![
        4 => one,
        1 => (not(), one_of(words)).prop_map(|(not, one)| format!("{not}{one}")),
        1 => (not(), one_of(words), join(), not(), one_of(words))
            .prop_map(|(a, one, join, b, two)| format!("{a}{one} {join} {b}{two}")),
        1 => (one_of(words), join(), one_of(words), join(), not(), one_of(words))
            .prop_map(|(one, a, two, b, not, three)| format!("({one} {a} ({two} {b} {not}{three}))")),
        1 => (one_of(words), join(), one_of(words)).prop_map(|(one, join, two)| format!("({one}) {join} {two}")),
    ]
}

/// A filter, mostly one that tcpdump accepts.
pub(crate) fn filter() -> impl Strategy<Value = String> {
    nested(4)
}

fn nested(levels: u32) -> impl Strategy<Value = String> {
    let loose = (
        maybe(LAYERS),
        maybe(&["src", "dst", "src or dst"]),
        maybe(&["host", "net", "port", "proto"]),
        one_of(VALUES),
    )
        .prop_map(|(layer, dir, kind, value)| format!("{layer}{dir}{kind}{value}"));
    let range =
        (maybe(LAYERS), one_of(RANGES)).prop_map(|(layer, range)| format!("{layer}portrange {range}"));
    let leaf = prop_oneof![20 => fitting(), 1 => loose, 1 => range];
    leaf.prop_recursive(levels, 12, 3, |inner| {
        let join = || one_of(&["and", "or", "&&", "||"]);
        prop_oneof![
            3 => (inner.clone(), join(), inner.clone()).prop_map(|(a, join, b)| format!("{a} {join} {b}")),
            2 => (inner.clone(), join(), inner.clone()).prop_map(|(a, join, b)| format!("({a} {join} {b})")),
            1 => (inner.clone(), join(), one_of(VALUES)).prop_map(|(a, join, b)| format!("{a} {join} {b}")),
            1 => inner.clone().prop_map(|a| format!("not {a}")),
            1 => inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

#[derive(Clone, Debug)]
enum Mutilation {
    Drop,
    Double,
    Swap,
    Insert(&'static str),
    Replace(&'static str),
    /// Takes the blank behind the word away.
    Glue,
}

/// A filter with a few words dropped, doubled, swapped, replaced, or glued to the next one.
pub(crate) fn mutilated() -> impl Strategy<Value = String> {
    let words = || prop_oneof![select(WORDS), select(LAYERS), select(VALUES), select(GARBAGE)];
    let mutilation = prop_oneof![
        2 => Just(Mutilation::Drop),
        2 => Just(Mutilation::Double),
        2 => Just(Mutilation::Swap),
        3 => words().prop_map(Mutilation::Insert),
        3 => words().prop_map(Mutilation::Replace),
        1 => Just(Mutilation::Glue),
    ];
    let mutilations = prop::collection::vec((mutilation, any::<prop::sample::Index>()), 1..3);
    (nested(2), mutilations).prop_map(|(text, mutilations)| {
        let spaced = text.replace('(', "( ").replace(')', " )");
        let mut words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
        for (mutilation, index) in mutilations {
            if words.is_empty() {
                break;
            }
            let at = index.index(words.len());
            match mutilation {
                Mutilation::Drop => {
                    words.remove(at);
                }
                Mutilation::Double => words.insert(at, words[at].clone()),
                Mutilation::Swap => {
                    let next = (at + 1) % words.len();
                    words.swap(at, next);
                }
                Mutilation::Insert(word) => words.insert(at, word.to_owned()),
                Mutilation::Replace(word) => word.clone_into(&mut words[at]),
                Mutilation::Glue if at + 1 < words.len() => {
                    let next = words.remove(at + 1);
                    words[at].push_str(&next);
                }
                Mutilation::Glue => {}
            }
        }
        words.join(" ")
    })
}

/// A handful of words that need not make sense; short, so that the odd ones among them do.
pub(crate) fn loose_words() -> impl Strategy<Value = String> {
    const SHORT: &[&str] = &["80", "1.2.3.4", "::1", "10.0.0.0/8", "0:1:2:3:4:5"];
    let word = prop_oneof![
        3 => select(&["and", "or", "not"][..]),
        4 => select(&["(", ")"][..]),
        3 => select(&["host", "port", "net", "proto", "src", "dst", "vlan"][..]),
        2 => select(&["tcp", "ip", "ip6", "ether", "arp"][..]),
        4 => select(SHORT),
    ];
    prop::collection::vec(word, 0..9).prop_map(|words| words.join(" "))
}

/// Bytes that are far from a filter, and filters with such bytes inside.
pub(crate) fn garbage() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,80}",
        "[a-f0-9:.xX/-]{0,60}",
        (mutilated(), any::<prop::sample::Index>(), any::<char>()).prop_map(
            |(mut text, index, character)| {
                let at = index.index(text.len() + 1);
                text.insert(at, character);
                text
            }
        ),
    ]
}

/// Whether a refused text has a word that tcpdump could ask a name server about before it comes to the fault.
pub(crate) fn may_ask_a_name_server(text: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.\\:".contains(character);
    let is_safe = |word: &str| {
        word.parse::<IpAddr>().is_ok()
            || word.bytes().all(|byte| byte.is_ascii_digit())
            || [WORDS, LAYERS, VALUES].iter().any(|words| {
                words
                    .iter()
                    .flat_map(|words| words.split(|character| !is_part(character)))
                    .any(|part| part == word)
            })
    };
    text.split(|character| !is_part(character)).any(|word| !is_safe(word))
}

/// The names in a services file, each with a filter for its ports: `tcp port 22`, or `port 53` for TCP and UDP.
pub(crate) fn services(file: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, u16, Vec<String>)> = Vec::new();
    for line in file.lines() {
        let mut fields = line.split('#').next().unwrap_or_default().split_whitespace();
        let (Some(name), Some((port, transport))) =
            (fields.next(), fields.next().and_then(|field| field.split_once('/')))
        else {
            continue;
        };
        let Ok(port) = port.parse() else { continue };
        for name in std::iter::once(name).chain(fields) {
            match found.iter_mut().find(|row| row.0 == name && row.1 == port) {
                Some(row) => row.2.push(transport.to_owned()),
                None => found.push((name.to_owned(), port, vec![transport.to_owned()])),
            }
        }
    }
    let one_port = |name: &str| found.iter().filter(|row| row.0 == name).count() == 1;
    let meaning = |port: &u16, transports: &[String]| match transports {
        [transport] if transport == "tcp" || transport == "udp" => Some(format!("{transport} port {port}")),
        [a, b] if [a, b].map(String::as_str) == ["tcp", "udp"] => Some(format!("port {port}")),
        _ => None,
    };
    found
        .iter()
        .filter(|(name, ..)| one_port(name))
        .filter_map(|(name, port, transports)| Some((name.clone(), meaning(port, transports)?)))
        .collect()
}
