//! The words of pcap-filter(7): those this crate understands, and those it knows only to refuse them.

/// A word with a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
    Src,
    Dst,
    Host,
    Net,
    Mask,
    Port,
    PortRange,
    Proto,
    Vlan,
    /// A protocol, alone or in front of another test.
    Layer(Layer),
    /// A word of pcap-filter(7) that is not understood here.
    Unsupported,
}

/// The protocols that may stand alone or qualify a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Ether,
    Ip,
    Ip6,
    Arp,
    Rarp,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    Igmp,
    Esp,
    Ah,
    Pim,
    Vrrp,
}

/// Looks a word up; capital letters make another word, as in libpcap.
pub(super) fn keyword(word: &str) -> Option<Keyword> {
    Some(match word {
        "and" => Keyword::And,
        "or" => Keyword::Or,
        "not" => Keyword::Not,
        "src" => Keyword::Src,
        "dst" => Keyword::Dst,
        "host" => Keyword::Host,
        "net" => Keyword::Net,
        "mask" => Keyword::Mask,
        "port" => Keyword::Port,
        "portrange" => Keyword::PortRange,
        "proto" => Keyword::Proto,
        "vlan" => Keyword::Vlan,
        "ether" | "link" => Keyword::Layer(Layer::Ether),
        "ip" => Keyword::Layer(Layer::Ip),
        "ip6" => Keyword::Layer(Layer::Ip6),
        "arp" => Keyword::Layer(Layer::Arp),
        "rarp" => Keyword::Layer(Layer::Rarp),
        "tcp" => Keyword::Layer(Layer::Tcp),
        "udp" => Keyword::Layer(Layer::Udp),
        "sctp" => Keyword::Layer(Layer::Sctp),
        "icmp" => Keyword::Layer(Layer::Icmp),
        "icmp6" => Keyword::Layer(Layer::Icmp6),
        "igmp" => Keyword::Layer(Layer::Igmp),
        "esp" => Keyword::Layer(Layer::Esp),
        "ah" => Keyword::Layer(Layer::Ah),
        "pim" => Keyword::Layer(Layer::Pim),
        "vrrp" => Keyword::Layer(Layer::Vrrp),
        _ if is_unsupported(word) => Keyword::Unsupported,
        _ => return None,
    })
}

/// Words that libpcap reads and this crate refuses. A word missing here would be taken for a name and refused as
/// one, so the list makes messages better, not the parser safer. One line for each family.
fn is_unsupported(word: &str) -> bool {
    const WORDS: &[&[&str]] = &[
        &["ppp", "slip", "fddi", "tr", "wlan", "radio"],
        &["igrp", "carp", "protochain", "gateway", "less", "greater", "byte", "len", "length"],
        &["broadcast", "multicast", "inbound", "outbound", "ifindex"],
        &["mpls", "pppoed", "pppoes", "geneve", "vxlan", "batadv"],
        &["atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl", "ipx", "netbeui", "stp", "llc"],
        &["iso", "esis", "es-is", "isis", "is-is", "clnp", "l1", "l2", "iih", "lsp", "snp", "csnp", "psnp"],
        &["type", "subtype", "direction", "dir", "ra", "ta"],
        &["address1", "address2", "address3", "address4", "addr1", "addr2", "addr3", "addr4"],
        &["on", "ifname", "rset", "ruleset", "rnr", "rulenum", "srnr", "subrulenum", "reason", "action"],
        &["lane", "metac", "bcc", "oam", "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "vpi", "vci"],
        &["connectmsg", "metaconnect"],
        &["fisu", "lssu", "lsu", "msu", "hfisu", "hlssu", "hmsu"],
        &["sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls"],
        &["icmptype", "icmpcode", "icmp6type", "icmp6code", "tcpflags"],
    ];
    // `icmp-echo`, `icmp6-redirect`, `tcp-syn` stand for numbers.
    const NUMBERS: [&str; 3] = ["icmp-", "icmp6-", "tcp-"];
    WORDS.iter().any(|family| family.contains(&word)) || NUMBERS.iter().any(|start| word.starts_with(start))
}
