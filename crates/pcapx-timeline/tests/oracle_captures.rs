//! Real captures, asked with filters made of their own hosts and ports: our packets are tcpdump's.
//!
//! tcpdump is asked about the frames without their tags, because to us tags are transparent. What else differs is
//! listed in [`DIFFERENCES`], with the reason; anything that is not listed is a failure, and so is a listed difference
//! that has gone.

#[path = "oracle/mod.rs"]
mod oracle;
#[path = "oracle/vocabulary.rs"]
mod vocabulary;

use std::collections::BTreeMap;
use std::path::PathBuf;

use oracle::Subject;
use pcapx_core::filter::parse;
use pcapx_testkit::strip;
use pcapx_testkit::tool::{Tcpdump, require_captures};
use vocabulary::Vocabulary;

/// Filters of one capture whose answers are not tcpdump's.
struct Difference {
    capture: &'static str,
    /// The filters, as the vocabulary makes them.
    filters: &'static [&'static str],
    why: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        capture: "ndpi-anyconnect-vpn.pcap",
        filters: &["icmp6", "ip6 proto 58", "ip6 and (port 443 or icmp6 or host ff02::1)"],
        why: "two multicast listener reports stand behind hop-by-hop options; tcpdump looks for a protocol in the fixed \
              header only, we walk over extension headers",
    },
    Difference {
        capture: "ndpi-dns_fragmented.pcap",
        filters: &[
            "port 53",
            "src port 53",
            "udp port 53",
            "port 53 or port 39005",
            "portrange 53-39005",
            "not port 53",
        ],
        why: "three answers over IPv6 are fragmented; their first fragments have ports behind the fragment header, where \
              tcpdump does not look in IPv6 though it does in IPv4",
    },
    Difference {
        capture: "tcpdump-mpls-label-heapoverflow.pcap",
        filters: &[
            "not host 192.0.2.1",
            "not (src net ::/48 or host 2001:db8::1)",
            "not port 9",
            "not (tcp or udp)",
        ],
        why: "the packet ends inside its stack of labels; tcpdump looks for no IP there, to us it is open what the labels \
              would have led to",
    },
];

#[test]
fn real_captures_answer_as_tcpdump_does() {
    let (Some(tcpdump), Some(folder)) = (Tcpdump::require(), require_captures()) else { return };
    let mut captures: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "pcap" || ending == "pcapng"))
        .collect();
    captures.sort();

    let (mut asked, mut refused, mut differing) = (0, 0, BTreeMap::new());
    for path in &captures {
        let subject = Subject::new(&tcpdump, path, strip::packet);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for text in Vocabulary::of(subject.capture.link, &subject.plain).filters() {
            let filter = parse(&text).unwrap();
            match subject.compare(&filter, &text) {
                Ok((extra, missing)) if extra.is_empty() && missing.is_empty() => asked += 1,
                Ok(difference) => {
                    differing.insert((name.clone(), text), difference);
                }
                // Some link types have no Ethernet addresses to ask for.
                Err(_) => refused += 1,
            }
        }
    }
    eprintln!(
        "{} captures: {asked} answers equal, {} differ as listed, {refused} filters are not for the link type",
        captures.len(),
        differing.len()
    );
    for difference in DIFFERENCES {
        for &text in difference.filters {
            let found = differing.remove(&(difference.capture.to_owned(), text.to_owned()));
            assert!(
                found.is_some() || !captures.iter().any(|path| path.ends_with(difference.capture)),
                "{}: {text}: does not differ any more, though {}",
                difference.capture,
                difference.why
            );
        }
    }
    let unlisted: Vec<_> = differing
        .iter()
        .map(|((name, text), (extra, missing))| {
            format!("{name}: {text}: only ours {extra:?}, only tcpdump's {missing:?}")
        })
        .collect();
    assert!(unlisted.is_empty(), "{} answers differ:\n{}", unlisted.len(), unlisted.join("\n"));
}
