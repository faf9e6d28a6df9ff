//! The shapes of numbers, addresses and names in filter text: how many bytes of the text belong to each.
//!
//! libpcap's scanner takes the longest shape that fits at a place and, among equally long ones, the one listed first.
//! `1.2.3.4.5.6` is therefore an Ethernet address, `1.2.3.4.5` a name, and `::1or` an IPv6 address with the word `or`
//! right behind it. [`longest`] decides the same way. Every measure walks forward once, so that a text of any content
//! is cut into words in linear time.

/// What a piece of text looks like, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Six bytes: `00:11:22:33:44:55`, `0-11-22-33-44-55`, `0.11.22.33.44.55`, `0011.2233.4455` or `001122334455`.
    Mac,
    /// Decimal or octal digits, or `0x` and hexadecimal digits.
    Number,
    /// Two to four numbers with dots between them.
    Dotted,
    /// An IPv6 address.
    Ipv6,
    /// Bytes and colons that are neither a MAC nor an IPv6 address.
    BrokenMac,
    /// A word or a name.
    Word,
}

/// The longest shape at the start of `text`, with its length in bytes.
pub(super) fn longest(text: &[u8]) -> Option<(Shape, usize)> {
    let found = [
        (Shape::Mac, mac(text)),
        (Shape::Number, number(text)),
        (Shape::Dotted, dotted(text)),
        (Shape::Ipv6, ipv6(text)),
        (Shape::BrokenMac, broken_mac(text)),
        (Shape::Word, word(text)),
    ];
    let mut best: Option<(Shape, usize)> = None;
    for (shape, len) in found {
        if let Some(len) = len
            && best.is_none_or(|(_, longest)| len > longest)
        {
            best = Some((shape, len));
        }
    }
    best
}

/// How many bytes at the start of `text` satisfy `belongs`, at most `limit`.
fn run(text: &[u8], limit: usize, belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().take(limit).take_while(|&&byte| belongs(byte)).count()
}

fn hex_run(text: &[u8], limit: usize) -> usize {
    run(text, limit, |byte| byte.is_ascii_hexdigit())
}

fn number(text: &[u8]) -> Option<usize> {
    let digits = run(text, usize::MAX, |byte| byte.is_ascii_digit());
    if digits == 1 && text[0] == b'0' && matches!(text.get(1), Some(b'x' | b'X')) {
        let hex = hex_run(&text[2..], usize::MAX);
        if hex > 0 {
            return Some(2 + hex);
        }
    }
    (digits > 0).then_some(digits)
}

/// The length of `count` numbers with dots between them, or of as many as there are.
fn numbers(text: &[u8], count: usize) -> (usize, usize) {
    let Some(mut len) = number(text) else { return (0, 0) };
    let mut found = 1;
    while found < count && text.get(len) == Some(&b'.') {
        let Some(more) = number(&text[len + 1..]) else { break };
        len += 1 + more;
        found += 1;
    }
    (found, len)
}

fn dotted(text: &[u8]) -> Option<usize> {
    let (found, len) = numbers(text, 4);
    (found > 1).then_some(len)
}

fn mac(text: &[u8]) -> Option<usize> {
    let pairs = [b':', b'-', b'.'].map(|between| groups(text, 6, 1, 2, Some(between)));
    let fours = groups(text, 3, 4, 4, Some(b'.'));
    let plain = groups(text, 1, 12, 12, None);
    pairs.into_iter().chain([fours, plain]).flatten().max()
}

/// The length of `count` groups of hexadecimal digits with `between` between them; the last group may be cut short.
fn groups(text: &[u8], count: usize, min: usize, max: usize, between: Option<u8>) -> Option<usize> {
    let mut len = 0;
    for group in 0..count {
        if group > 0 {
            if text.get(len).copied() != between {
                return None;
            }
            len += 1;
        }
        let digits = hex_run(&text[len..], max);
        if digits < min {
            return None;
        }
        len += digits;
    }
    Some(len)
}

/// The longest beginning of `text` that is written like an IPv6 address; an IPv4 address at its end is not looked into.
fn ipv6(text: &[u8]) -> Option<usize> {
    let mut best = None;
    let mut len = 0;
    let mut groups = 0; // of 16 bits
    let mut gap = false; // `::` was seen
    if text.starts_with(b"::") {
        (len, gap, best) = (2, true, Some(2));
    }
    loop {
        let rest = &text[len..];
        // Six groups are written out before an IPv4 address, or at most five around a gap.
        let room_for_ipv4 = if gap { groups <= 5 } else { groups == 6 };
        if room_for_ipv4 && let (4, quad) = numbers(rest, 4) {
            best = Some(len + quad);
        }
        let full = groups == if gap { 7 } else { 8 };
        let digits = hex_run(rest, 4);
        if full || digits == 0 {
            return best;
        }
        len += digits;
        groups += 1;
        if gap || groups == 8 {
            best = best.max(Some(len));
        }
        if text[len..].starts_with(b"::") && !gap && groups < 8 {
            gap = true;
            len += 2;
            best = best.max(Some(len));
        } else if text.get(len) == Some(&b':') {
            len += 1;
        } else {
            return best;
        }
    }
}

fn broken_mac(text: &[u8]) -> Option<usize> {
    let mut best = None;
    let mut len = 0;
    let mut parts = 0;
    loop {
        let digits = hex_run(&text[len..], 2);
        let colons = run(&text[len + digits..], usize::MAX, |byte| byte == b':');
        if digits == 0 || colons == 0 {
            return best;
        }
        len += digits + colons;
        parts += 1;
        // The second part may also be made of the first one's colons, but it needs digits of its own.
        if parts > 1 {
            best = Some(len);
        }
    }
}

fn word(text: &[u8]) -> Option<usize> {
    if !text.first()?.is_ascii_alphanumeric() {
        return None;
    }
    let all = run(text, usize::MAX, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let joints = text[..all].iter().rev().take_while(|&&byte| matches!(byte, b'-' | b'_')).count();
    Some(all - joints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_shape_wins_and_the_first_of_equals() {
        let cases: &[(&str, Option<(Shape, usize)>)] = &[
            ("80", Some((Shape::Number, 2))),
            ("0x1F)", Some((Shape::Number, 4))),
            ("0x", Some((Shape::Word, 2))),
            ("80-90", Some((Shape::Word, 5))),
            ("10.1", Some((Shape::Dotted, 4))),
            ("1.2.3.4/8", Some((Shape::Dotted, 7))),
            ("1.2.3.4.5", Some((Shape::Word, 9))),
            ("1.2.3.4.5.6", Some((Shape::Mac, 11))),
            ("1.2.3.", Some((Shape::Word, 6))),
            ("001122334455", Some((Shape::Mac, 12))),
            ("0011223344556", Some((Shape::Number, 13))),
            ("0011.2233.4455", Some((Shape::Mac, 14))),
            ("0:1:2:3:4:5", Some((Shape::Mac, 11))),
            ("0-1-2-3-4-5", Some((Shape::Mac, 11))),
            ("0-1-2-3-4-5-6", Some((Shape::Word, 13))),
            ("::", Some((Shape::Ipv6, 2))),
            ("::1or", Some((Shape::Ipv6, 3))),
            ("::1and", Some((Shape::Ipv6, 4))),
            ("::1.2.3.4", Some((Shape::Ipv6, 9))),
            ("::ffff:1.2.3.4/96", Some((Shape::Ipv6, 14))),
            ("1:2:3:4:5:6:7:8/64", Some((Shape::Ipv6, 15))),
            ("1:2:3:4:5:6:7:8:9", Some((Shape::BrokenMac, 16))),
            ("1:2:3:4:5:6:7::", Some((Shape::Ipv6, 15))),
            ("1::2:3:4:5:6:7", Some((Shape::Ipv6, 14))),
            ("1::2:3:4:5:6:7:8", Some((Shape::BrokenMac, 15))),
            ("1:2:3:4:5:6:1.2.3.4", Some((Shape::Ipv6, 19))),
            ("2001:db8::12345", Some((Shape::Ipv6, 14))),
            ("1::2:", Some((Shape::BrokenMac, 5))),
            ("1:2:x", Some((Shape::BrokenMac, 4))),
            ("1:2", Some((Shape::Number, 1))),
            ("icmp-", Some((Shape::Word, 4))),
            ("ax.25", Some((Shape::Word, 5))),
            ("_a", None),
            ("", None),
            (":1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(longest(text.as_bytes()), *expected, "{text}");
        }
    }
}
