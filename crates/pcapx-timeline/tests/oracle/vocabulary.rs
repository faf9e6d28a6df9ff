//! The hosts and ports that occur in a capture, and the filters made of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{Ipv4Addr, Ipv6Addr};

use pcapx_testkit::capture::link;

/// The most frequent values of a capture, the most frequent first.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub(crate) v4: Vec<Ipv4Addr>,
    pub(crate) v6: Vec<Ipv6Addr>,
    pub(crate) ports: Vec<u16>,
    pub(crate) macs: Vec<[u8; 6]>,
}

impl Vocabulary {
    /// Of frames without tags.
    pub(crate) fn of(link: u32, frames: &[Vec<u8>]) -> Self {
        let (mut v4, mut v6, mut ports, mut macs) =
            (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        let header = match link {
            link::ETHERNET => 14,
            link::LINUX_SLL => 16,
            link::LINUX_SLL2 => 20,
            link::NULL | link::LOOP | link::PPP => 4,
            _ => 0,
        };
        for frame in frames {
            if let (link::ETHERNET, Some(macs_of)) = (link, frame.get(..12)) {
                macs_of.as_chunks::<6>().0.iter().for_each(|&mac| count(&mut macs, mac));
            }
            let ip = frame.get(header..).unwrap_or_default();
            let transport = match ip.first().map(|byte| byte >> 4) {
                Some(4) if ip.len() >= 20 => {
                    ip[12..20]
                        .as_chunks::<4>()
                        .0
                        .iter()
                        .for_each(|&addr| count(&mut v4, Ipv4Addr::from(addr)));
                    matches!(ip[9], 6 | 17 | 132).then_some(usize::from(ip[0] & 15) * 4)
                }
                Some(6) if ip.len() >= 40 => {
                    ip[8..40]
                        .as_chunks::<16>()
                        .0
                        .iter()
                        .for_each(|&addr| count(&mut v6, Ipv6Addr::from(addr)));
                    matches!(ip[6], 6 | 17 | 132).then_some(40)
                }
                _ => None,
            };
            if let Some(pair) = transport.and_then(|at| ip.get(at..at + 4)) {
                pair.as_chunks::<2>().0.iter().for_each(|&port| count(&mut ports, u16::from_be_bytes(port)));
            }
        }
        Self { v4: ranked(v4), v6: ranked(v6), ports: ranked(ports), macs: ranked(macs) }
    }

    /// Filters over these values, and where the capture has none, over values that it has not.
    pub(crate) fn filters(&self) -> Vec<String> {
        let host = |rank: usize| self.v4.get(rank).copied().unwrap_or(Ipv4Addr::new(192, 0, 2, 1));
        let (a, b) = (host(0), host(1));
        let net = |addr: Ipv4Addr, bits: u8| {
            let mask = u32::MAX << (32 - u32::from(bits));
            format!("{}/{bits}", Ipv4Addr::from(addr.to_bits() & mask))
        };
        let (a8, a16, a24, b24) = (net(a, 8), net(a, 16), net(a, 24), net(b, 24));
        let c = self.v6.first().copied().unwrap_or(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        let d = self.v6.get(1).copied().unwrap_or(Ipv6Addr::LOCALHOST);
        let c64 = format!("{}/64", Ipv6Addr::from_bits(c.to_bits() & u128::MAX << 64));
        let d48 = format!("{}/48", Ipv6Addr::from_bits(d.to_bits() & u128::MAX << 80));
        let port = |rank: usize| self.ports.get(rank).copied().unwrap_or(9);
        let (p, q) = (port(0), port(1));
        let (low, high) = (p.min(q), p.max(q));
        let [m0, m1, m2, m3, m4, m5] = self.macs.first().copied().unwrap_or([2, 0, 0, 0, 0, 1]);
        let mac = format!("{m0:02x}:{m1:02x}:{m2:02x}:{m3:02x}:{m4:02x}:{m5:02x}");
        let mut filters: Vec<String> = [
            "tcp",
            "udp",
            "icmp",
            "icmp6",
            "arp",
            "ip",
            "ip6",
            "sctp",
            "igmp",
            "ip proto 47",
            "ip6 proto 58",
        ]
        .map(str::to_owned)
        .to_vec();
        filters.extend([
            format!("host {a}"),
            format!("src host {a}"),
            format!("dst host {b}"),
            format!("src and dst host {a}"),
            format!("host {a} and host {b}"),
            format!("host {a} or {b}"),
            format!("not host {a}"),
            format!("ip host {b}"),
            format!("arp host {a}"),
            format!("net {a24}"),
            format!("src net {b24}"),
            format!("dst net {a16} and not src net {b24}"),
            format!("host {c}"),
            format!("src host {c} or dst host {d}"),
            format!("net {c64}"),
            format!("not (src net {d48} or host {c})"),
            format!("port {p}"),
            format!("src port {p}"),
            format!("dst port {q}"),
            format!("tcp port {p} or {q}"),
            format!("udp port {p}"),
            format!("port {p} or port {q}"),
            format!("not port {p}"),
            format!("portrange {low}-{high}"),
            "src portrange 1024-65535".to_owned(),
            format!("udp dst portrange {low}-{high}"),
            format!("tcp and host {a} and host {b} and port {p}"),
            format!("udp and host {b} and port {q}"),
            format!("(host {a} or host {b}) and not (port {p} or port {q})"),
            format!("host {a} && !port {p} || icmp"),
            "not (tcp or udp)".to_owned(),
            "ip and not tcp".to_owned(),
            format!("(tcp or udp) and dst port {p} and src net {a8}"),
            format!("ip6 and (port {p} or icmp6 or host {d})"),
            format!("ether host {mac}"),
            "ether proto 0x0800 or ether proto 0x86dd".to_owned(),
        ]);
        filters
    }
}

fn count<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    *counts.entry(key).or_default() += 1;
}

/// The most frequent first, the smaller one where two are alike.
fn ranked<K: Hash + Eq + Ord>(counts: HashMap<K, usize>) -> Vec<K> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
    counts.into_iter().map(|(key, _)| key).collect()
}
