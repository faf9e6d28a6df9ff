//! The Internet checksum (RFC 1071), the pseudo header, and SCTP's `CRC32c`.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The part of the IP header that TCP, UDP and ICMPv6 take into their checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pseudo {
    /// RFC 9293, section 3.1.
    V4 {
        /// The sender.
        src: Ipv4Addr,
        /// The receiver.
        dst: Ipv4Addr,
    },
    /// RFC 8200, section 8.1.
    V6 {
        /// The sender.
        src: Ipv6Addr,
        /// The final receiver, also where a routing header names another one first.
        dst: Ipv6Addr,
    },
}

impl Pseudo {
    /// The checksum of `bytes`, whose checksum field must be zero, as payload of `protocol`.
    pub fn checksum(&self, protocol: u8, bytes: &[u8]) -> u16 {
        let addresses = match self {
            Self::V4 { src, dst } => sum(&src.octets()) + sum(&dst.octets()),
            Self::V6 { src, dst } => sum(&src.octets()) + sum(&dst.octets()),
        };
        fold(addresses + u64::from(protocol) + bytes.len() as u64 + sum(bytes))
    }
}

/// The checksum of `bytes` alone: IPv4 headers and ICMP.
pub(super) fn internet(bytes: &[u8]) -> u16 {
    fold(sum(bytes))
}

/// The sum of big-endian 16-bit words, an odd last byte padded with zero. Four bytes are added at a time: the
/// ones' complement sum of halves equals the folded sum of wholes.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut total: u64 = words.iter().map(|&word| u64::from(u32::from_be_bytes(word))).sum();
    let (pairs, last) = rest.as_chunks::<2>();
    total += pairs.iter().map(|&pair| u64::from(u16::from_be_bytes(pair))).sum::<u64>();
    total += last.iter().map(|&byte| u64::from(byte) << 8).sum::<u64>();
    total
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    !(total as u16)
}

/// `CRC32c` (Castagnoli), as SCTP puts it on the wire in little-endian order (RFC 9260, appendix A).
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    // The reflected polynomial 0x1EDC6F41.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_worked_example_of_rfc_1071() {
        assert_eq!(internet(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn pads_an_odd_byte_with_zero() {
        assert_eq!(internet(&[1, 2, 3]), internet(&[1, 2, 3, 0]));
        assert_eq!(internet(&[1, 2, 3, 4, 5]), internet(&[1, 2, 3, 4, 5, 0]));
    }

    #[test]
    fn crc32c_has_the_catalogued_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
