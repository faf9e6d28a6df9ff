//! The header of an export packet: which protocol it is, and where its time stands.
//!
//! All fields are big-endian and begin with a 16-bit version:
//!
//! | version | header | time, seconds since 1970 | source |
//! |---|---|---|---|
//! | 5 | 24 bytes | 8..12 | Cisco, NetFlow Export Datagram Format |
//! | 9 | 20 bytes | 8..12 | RFC 3954, 5.1 |
//! | 10, IPFIX | 16 bytes | 4..8 | RFC 7011, 3.1 |
//!
//! In versions 5 and 9 bytes 4..8 are `SysUptime`, the base of the flows' times: a collector adds the difference to the
//! export time, so moving that moves the flows. Version 5's nanoseconds (12..16) stay: they belong to the same instant
//! of the exporter's clock as `SysUptime`.

use std::ops::Range;

/// An export protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    V5,
    V9,
    Ipfix,
}

impl Protocol {
    /// The protocol of a UDP payload; `None` when it is another one, or too short for its header.
    pub(crate) fn of(payload: &[u8]) -> Option<Self> {
        let protocol = match payload.first_chunk().map(|version| u16::from_be_bytes(*version))? {
            5 => Self::V5,
            9 => Self::V9,
            10 => Self::Ipfix,
            _ => return None,
        };
        (payload.len() >= protocol.header_bytes()).then_some(protocol)
    }

    const fn header_bytes(self) -> usize {
        match self {
            Self::V5 => 24,
            Self::V9 => 20,
            Self::Ipfix => 16,
        }
    }

    const fn time_field(self) -> Range<usize> {
        match self {
            Self::V5 | Self::V9 => 8..12,
            Self::Ipfix => 4..8,
        }
    }
}

/// Writes `unix_secs` into the time field of an export packet; any other payload is left as it is.
pub(crate) fn restamp(payload: &mut [u8], unix_secs: u32) {
    if let Some(protocol) = Protocol::of(payload) {
        payload[protocol.time_field()].copy_from_slice(&unix_secs.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 0xA1B2_C3D4;

    /// A payload whose bytes all differ, so that a byte changed by mistake shows.
    fn payload(version: u16, len: u8) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len).collect();
        bytes[..2].copy_from_slice(&version.to_be_bytes());
        bytes
    }

    fn changed(version: u16, len: u8) -> Vec<(usize, u8)> {
        let before = payload(version, len);
        let mut after = before.clone();
        restamp(&mut after, NOW);
        (0..before.len()).filter(|&i| before[i] != after[i]).map(|i| (i, after[i])).collect()
    }

    #[test]
    fn version_5_and_9_carry_the_time_in_bytes_8_to_12() {
        let expected = [(8, 0xA1), (9, 0xB2), (10, 0xC3), (11, 0xD4)];
        assert_eq!(changed(9, 40), expected);
        assert_eq!(changed(5, 72), expected);
    }

    #[test]
    fn ipfix_carries_the_time_in_bytes_4_to_8() {
        assert_eq!(changed(10, 40), [(4, 0xA1), (5, 0xB2), (6, 0xC3), (7, 0xD4)]);
    }

    #[test]
    fn a_header_alone_is_enough_and_a_byte_less_is_not() {
        for (version, header) in [(5, 24), (9, 20), (10, 16)] {
            assert!(Protocol::of(&payload(version, header)).is_some(), "{version}");
            assert_eq!(Protocol::of(&payload(version, header - 1)), None, "{version}");
            assert_eq!(changed(version, header - 1), [], "{version}");
        }
    }

    #[test]
    fn other_payloads_are_no_export_packets_and_stay() {
        assert_eq!(Protocol::of(&[]), None);
        assert_eq!(Protocol::of(&[0]), None);
        for version in [0, 1, 7, 8, 11, 0x0900, 0xffff] {
            assert_eq!(Protocol::of(&payload(version, 64)), None, "{version}");
            assert_eq!(changed(version, 64), [], "{version}");
        }
    }
}
