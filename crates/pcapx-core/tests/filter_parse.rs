//! What each part of the filter language means, and what is said of a text that is no filter.

use pcapx_core::filter::{Expr, MAX_DEPTH, MAX_TERMS, MAX_TEXT_BYTES, ParseError, parse};

/// The text of the expression that `text` is read as: every implied word is written out in it.
fn read(text: &str) -> String {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

fn error(text: &str) -> ParseError {
    match parse(text) {
        Ok(expr) => panic!("{text:?} was read as {expr}"),
        Err(error) => error,
    }
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(read(text), *expected, "{text}");
    }
}

fn check_errors(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(error(text).to_string(), *expected, "{text}");
    }
}

#[test]
fn a_blank_filter_is_true_of_every_packet() {
    for text in ["", " ", "\t\r\n "] {
        assert_eq!(parse(text), Ok(Expr::And(vec![])), "{text:?}");
        assert_eq!(text.parse(), Ok(Expr::And(vec![])), "{text:?}");
    }
}

#[test]
fn the_filters_of_alerts_read_as_they_are() {
    for text in [
        "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443",
        "udp and host 10.0.0.20 and port 53",
        "host 2001:db8::5",
        "icmp6 and host 2001:db8::5",
        "(host 10.0.0.1 or host 10.0.0.2) and host 10.0.0.3",
        "port 443",
    ] {
        assert_eq!(read(text), text);
    }
}

#[test]
fn a_value_takes_the_words_of_the_test_before_it() {
    check(&[
        ("port 80 or 443", "port 80 or port 443"),
        ("tcp port 80 or 443", "tcp port 80 or tcp port 443"),
        (
            "tcp src port 80 or 443 and not 22",
            "(tcp src port 80 or tcp src port 443) and not tcp src port 22",
        ),
        ("src host 1.2.3.4 or 5.6.7.8", "src host 1.2.3.4 or src host 5.6.7.8"),
        ("net 10.0.0.0/8 or 192.168.0.0/16", "net 10.0.0.0/8 or net 192.168.0.0/16"),
        ("ip proto 6 or 17", "ip proto 6 or ip proto 17"),
        ("host 1.2.3.4 or ::1", "host 1.2.3.4 or host ::1"),
        ("port (80 or 443)", "port 80 or port 443"),
        ("port (80 or (81 or 82)) and tcp", "(port 80 or port 81 or port 82) and tcp"),
        ("port ((80))", "port 80"),
        ("port 80 and (443 or 8080)", "port 80 and (port 443 or port 8080)"),
        ("host not 1.2.3.4", "not host 1.2.3.4"),
        ("host (not 1.2.3.4)", "not host 1.2.3.4"),
        // A parenthesis hands on the words from in front of it.
        ("port 80 or (tcp) or 90", "port 80 or tcp or port 90"),
        ("port 80 or (host 1.2.3.4 and udp) or 90", "port 80 or (host 1.2.3.4 and udp) or port 90"),
        ("host 1.1.1.1 or ((host 2.2.2.2) or 3.3.3.3)", "host 1.1.1.1 or host 2.2.2.2 or host 3.3.3.3"),
    ]);
}

#[test]
fn and_binds_no_tighter_than_or_and_not_binds_to_one_test() {
    check(&[
        ("tcp or udp and port 53", "(tcp or udp) and port 53"),
        ("tcp and port 80 or port 443", "(tcp and port 80) or port 443"),
        ("tcp and (port 80 or port 443)", "tcp and (port 80 or port 443)"),
        ("not host 1.2.3.4 and 5.6.7.8", "not host 1.2.3.4 and host 5.6.7.8"),
        ("not (tcp or udp) and ip", "not (tcp or udp) and ip"),
        ("not not tcp", "not not tcp"),
        ("!tcp&&!udp||arp", "(not tcp and not udp) or arp"),
        ("((tcp)) and ((port 80) and (port 81))", "tcp and port 80 and port 81"),
    ]);
}

#[test]
fn protocol_words_mean_what_tcpdump_means() {
    check(&[
        ("ip proto 6", "ip proto 6"),
        ("proto 6", "tcp"),
        ("proto \\tcp", "tcp"),
        ("ip proto 1", "icmp"),
        ("proto 1", "proto 1"),
        ("ip6 proto 58", "icmp6"),
        ("ip proto gre", "ip proto 47"),
        ("ip proto 112", "vrrp"),
        ("ether proto 0x0800", "ip"),
        ("ether proto \\arp", "arp"),
        ("link proto 0x88cc", "ether proto 0x88cc"),
        ("ip and ip6 and arp and rarp", "ip and ip6 and arp and rarp"),
        ("igmp or esp or ah or pim or sctp", "igmp or esp or ah or pim or sctp"),
    ]);
}

#[test]
fn addresses_have_short_and_long_forms() {
    check(&[
        ("net 10", "net 10.0.0.0/8"),
        ("net 10.1", "net 10.1.0.0/16"),
        ("net 10.0.0.0", "net 10.0.0.0/32"),
        ("net 2560", "net 10.0.0.0/16"),
        ("net 0", "net 0.0.0.0/32"),
        ("net 10.0.0.0 mask 255.128.0.0", "net 10.0.0.0/9"),
        ("net 10.1 mask 255.255", "net 10.1.0.0/16"),
        ("net 0.0.0.0/0", "net 0.0.0.0/0"),
        ("net 2001:db8::/32", "net 2001:db8::/32"),
        ("net ::1", "net ::1/128"),
        ("host ::1/128", "host ::1"),
        ("host 10", "host 0.0.0.10"),
        ("host 10.1", "net 10.1.0.0/16"),
        ("host 010.0.0.08", "host 10.0.0.8"),
        ("host 0x7f000001", "host 127.0.0.1"),
        ("src 1.2.3.4 and dst ::1", "src host 1.2.3.4 and dst host ::1"),
        ("src or dst 1.2.3.4", "host 1.2.3.4"),
        ("dst and src net 10", "src and dst net 10.0.0.0/8"),
        ("ip host 1.2.3.4 or arp host 1.2.3.4", "ip host 1.2.3.4 or arp host 1.2.3.4"),
        ("ip6 src host ::1", "ip6 src host ::1"),
        ("ether src 00:11:22:33:44:55", "ether src host 00:11:22:33:44:55"),
        ("ether host 0011.2233.4455", "ether host 00:11:22:33:44:55"),
        ("host ::1or host 1.2.3.4", "host ::1 or host 1.2.3.4"),
    ]);
}

#[test]
fn ports_are_numbers_ranges_and_a_few_names() {
    check(&[
        ("port 0x50", "port 80"),
        ("port 010", "port 8"),
        ("portrange 1-2", "portrange 1-2"),
        ("tcp src portrange 2-1", "tcp src portrange 1-2"),
        ("portrange 010-020", "portrange 10-20"),
        ("portrange 80", "port 80"),
        ("portrange 7-7", "port 7"),
        ("port http", "tcp port 80"),
        ("port domain", "port 53"),
        ("udp port domain", "udp port 53"),
        ("src port ntp", "udp src port 123"),
        ("portrange ssh-telnet", "tcp portrange 22-23"),
        ("portrange http-90", "portrange 80-90"),
    ]);
}

#[test]
fn vlan_may_have_an_id() {
    check(&[
        ("vlan", "vlan"),
        ("vlan 0", "vlan 0"),
        ("vlan 4095 and tcp", "vlan 4095 and tcp"),
        ("vlan ((7))", "vlan 7"),
        ("not vlan and (vlan 3 or udp)", "not vlan and (vlan 3 or udp)"),
    ]);
}

#[test]
fn an_error_names_the_place_and_the_way_out() {
    check_errors(&[
        (
            "tcp and",
            "position 8: expected a test such as \"host 10.0.0.1\" or \"tcp\", found the end of the filter",
        ),
        ("tcp 80", "position 5: expected \"and\", \"or\" or the end of the filter, found \"80\""),
        (
            "10.0.0.1",
            "position 1: expected \"host\" in front of an address, or \"net\" in front of a network, found \"10.0.0.1\"",
        ),
        (
            "00:11:22:33:44:55",
            "position 1: expected \"ether host\" in front of an Ethernet address, found \"00:11:22:33:44:55\"",
        ),
        ("(tcp", "position 5: expected \"and\", \"or\" or \")\", found the end of the filter"),
        ("()", "position 2: expected a test such as \"host 10.0.0.1\" or \"tcp\", found \")\""),
        ("src or src host 1.2.3.4", "position 8: expected \"dst\", found \"src\""),
        (
            "tcp and 80",
            "position 9: \"80\" cannot stand here: the test before it has no word that it could take: write \"host\", \"net\" or \"port\" in front",
        ),
        (
            "host example.org",
            "position 6: \"example.org\" is a name and names of hosts and networks are not looked up: write the address",
        ),
        (
            "port gopher",
            "position 6: \"gopher\" is a name and this port name is not known here: write the number",
        ),
        (
            "udp port http",
            "position 10: \"http\" cannot stand here: this name is a port of another transport: write the number",
        ),
        ("port 80-90", "position 6: \"80-90\" cannot stand here: write \"portrange\" in front of a range"),
        ("port 65536", "position 6: 65536 is no port: the highest is 65535"),
        ("portrange 1-65536", "position 11: 65536 is no port: the highest is 65535"),
        (
            "portrange 80-90abc",
            "position 11: \"80-90abc\" is no range of ports: write two decimal numbers, such as 8000-8080",
        ),
        ("vlan 4096", "position 6: 4096 is no VLAN id: the highest is 4095"),
        ("proto 256", "position 7: 256 is no IP protocol number: the highest is 255"),
        ("net 10.0.0.0/33", "position 5: 33 is no IPv4 prefix length: the highest is 32"),
        (
            "net 10.0.0.1/8",
            "position 5: \"10.0.0.1/8\" has bits set behind the prefix: clear them, or write a longer prefix",
        ),
        (
            "net 2001:db8::1/32",
            "position 5: \"2001:db8::1/32\" has bits set behind the prefix: clear them, or write a longer prefix",
        ),
        ("80 or tcp", "position 1: expected a test such as \"host 10.0.0.1\" or \"tcp\", found \"80\""),
        (
            "host 10.0.0.0/8",
            "position 6: \"10.0.0.0/8\" cannot stand here: write \"net\" in front of a network",
        ),
        (
            "tcp host 1.2.3.4",
            "position 10: \"1.2.3.4\" cannot stand here: an address belongs to ip, ip6, arp or rarp: write \"tcp and host ADDRESS\" for both tests",
        ),
        ("ip6 host 1.2.3.4", "position 10: \"1.2.3.4\" cannot stand here: \"ip6\" wants an IPv6 address"),
        (
            "ip port 80",
            "position 9: \"80\" cannot stand here: ports belong to tcp, udp or sctp: write \"ip and port N\" for both tests",
        ),
        (
            "tcp proto 6",
            "position 11: \"6\" cannot stand here: \"proto\" goes alone or with ip, ip6 or ether",
        ),
        (
            "host 256.1.1.1",
            "position 6: \"256.1.1.1\" is no IPv4 address: each part is a decimal number up to 255",
        ),
        ("port 08", "position 6: \"08\" is no octal number, which a leading 0 makes it: leave the 0 out"),
        ("port 4294967296", "position 6: \"4294967296\" is too large: numbers go up to 4294967295"),
        ("host 1::2:", "position 6: \"1::2:\" is neither an Ethernet address nor an IPv6 address"),
        ("tcp; udp", "position 4: expected a word of the filter language, found \";\""),
    ]);
}

#[test]
fn the_rest_of_the_language_is_refused_by_name() {
    const TESTS: &str =
        "the tests are host, net, port, portrange, proto, vlan, ether host and protocol names";
    const NUMBERS: &str =
        "calculations and comparisons with header bytes are not part of this filter language";
    for (text, position, word, advice) in [
        ("gateway gw", 1, "gateway", TESTS),
        ("ip broadcast", 4, "broadcast", TESTS),
        ("tcp and less 100", 9, "less", TESTS),
        ("greater 100", 1, "greater", TESTS),
        ("len > 100", 1, "len", TESTS),
        ("tcp[13] = 2", 4, "[", NUMBERS),
        ("tcp[tcpflags] & tcp-syn != 0", 4, "[", NUMBERS),
        ("port tcp-syn", 6, "tcp-syn", TESTS),
        ("mpls 5 and tcp", 1, "mpls", TESTS),
        ("pppoes and ip", 1, "pppoes", TESTS),
        ("ip and geneve", 8, "geneve", TESTS),
        ("inbound", 1, "inbound", TESTS),
        ("ip protochain 6", 4, "protochain", TESTS),
        ("port 80 and 443 + 1 = 444", 17, "+", NUMBERS),
        ("tcp & udp", 5, "&", NUMBERS),
        (
            "net 10/8",
            7,
            "/",
            "a prefix length goes behind an address with dots or colons, such as 10.0.0.0/8",
        ),
        (
            "net 10.0.0.0 mask 255.0.255.0",
            5,
            "10.0.0.0 mask 255.0.255.0",
            "a mask has its ones in front: write networks with a prefix length",
        ),
        (
            "ether proto 66",
            13,
            "66",
            "numbers up to 1500 are IEEE 802.2 service access points, not Ethernet types",
        ),
        ("ether proto 0x809b", 13, "0x809b", "AppleTalk in IEEE 802.2 frames is not looked into"),
    ] {
        let found = error(text);
        assert!(matches!(found, ParseError::Unsupported { .. }), "{text}: {found:?}");
        assert_eq!(
            found.to_string(),
            format!("position {position}: \"{word}\" is not supported; {advice}"),
            "{text}"
        );
        assert_eq!(found.position() + 1, position, "{text}");
    }
}

/// libpcap compares any two numbers; a number that begins such a comparison was called a value out of place.
#[test]
fn a_comparison_of_plain_numbers_is_refused_as_arithmetic() {
    for (text, position) in [
        ("1 = 1", 3),
        ("not (110= 0)", 9),
        ("((1)) = 1", 7),
        ("tcp and 1 < 2", 11),
        ("tcp and not not 1 = 1", 19),
        ("ether host 0:1:2:3:4:5 or 00<1", 29),
        ("port 80 or (70000) = 70000", 20),
        ("port 80 or ((4 / 2) = 2)", 16),
        ("port 80 or 4 / 2 = 2", 14),
    ] {
        let found = error(text);
        assert!(matches!(found, ParseError::Unsupported { .. }), "{text}: {found}");
        assert_eq!(found.position() + 1, position, "{text}");
    }
}

#[test]
fn an_attack_pasted_behind_an_address_is_an_error_or_a_plain_filter() {
    assert_eq!(read("host 1.1.1.1 or net 0.0.0.0/0"), "host 1.1.1.1 or net 0.0.0.0/0");
    for text in
        ["host 1.1.1.1; rm -rf /", "host $(id)", "host `id`", "-w /tmp/x", "host 1.1.1.1\0or tcp", "host %00"]
    {
        error(text);
    }
}

#[test]
fn an_error_repeats_no_raw_bytes_and_no_more_than_a_piece() {
    assert_eq!(
        error("host \\a\u{1b}[2J\u{202e}\u{7}").to_string(),
        "position 6: \"\\a\\u{1b}[2J\\u{202e}\\u{7}\" is a name and names of hosts and networks are not looked up: write the address",
    );
    let long = format!("host {}", "a".repeat(60_000));
    let message = error(&long).to_string();
    assert!(message.starts_with(&format!("position 6: \"{}...\" is a name", "a".repeat(40))), "{message}");
    // Cut in the middle of a character of several bytes, nothing breaks.
    assert_eq!(error("tcp é").position(), 4);
}

#[test]
fn the_length_of_a_text_is_bounded() {
    let text = format!("tcp{}", " ".repeat(MAX_TEXT_BYTES - 3));
    assert_eq!(read(&text), "tcp");
    let error = error(&format!("{text} "));
    assert_eq!(error, ParseError::TooLong { bytes: MAX_TEXT_BYTES + 1 });
    assert_eq!(
        error.to_string(),
        "the filter has 65537 bytes and the limit is 65536: use fewer or wider terms"
    );
}

#[test]
fn the_depth_of_a_text_is_bounded() {
    let nested =
        |open: &str, depth: usize, close: &str| format!("{}tcp{}", open.repeat(depth), close.repeat(depth));
    assert_eq!(read(&nested("(", MAX_DEPTH - 1, ")")), "tcp");
    read(&nested("!", MAX_DEPTH - 1, ""));
    read(&nested("!(udp or (", 80, "))"));
    for text in [
        nested("(", MAX_DEPTH, ")"),
        nested("!", MAX_DEPTH, ""),
        nested("not(", 10_000, ")"),
        nested("(", 30_000, ""),
        format!("port {}80", "(".repeat(60_000)),
        format!("vlan {}1", "(".repeat(60_000)),
    ] {
        assert!(matches!(error(&text), ParseError::TooDeep { .. }), "{}", &text[..40]);
    }
    // Each change between the two words is a level of the expression, without a single parenthesis.
    let alternating = |changes: usize| format!("tcp{}", " and udp or tcp".repeat(changes / 2));
    read(&alternating(MAX_DEPTH - 2));
    assert!(matches!(error(&alternating(MAX_DEPTH)), ParseError::TooDeep { .. }));
}

#[test]
fn the_number_of_tests_is_bounded() {
    let text = format!("port 1{}", " or 1".repeat(MAX_TERMS - 1));
    let Ok(Expr::Or(terms)) = parse(&text) else { panic!() };
    assert_eq!(terms.len(), MAX_TERMS);
    let at = text.len() + " or ".len();
    assert_eq!(error(&format!("{text} or 1")), ParseError::TooManyTerms { at });
}
