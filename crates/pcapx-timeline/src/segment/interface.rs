//! Interfaces: what a packet needs to be understood and written again.

use crate::link::LinkType;
use pcapx_core::time::{NANOS_PER_SEC, Timestamp};

/// A source of packets within a segment: pcapng names any number, a pcap file is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    /// What the packets begin with.
    pub link_type: LinkType,
    /// The most bytes kept of a packet; 0 is no limit.
    pub snaplen: u32,
    /// The unit of the time stamps.
    pub resolution: Resolution,
    /// Seconds to be added to each time stamp (pcapng's `if_tsoffset`).
    pub offset_secs: i64,
    /// The interface's name, where the file tells it.
    pub name: Option<String>,
}

/// The unit of a time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// 10⁻ⁿ seconds, n ≤ 127.
    Decimal(u8),
    /// 2⁻ⁿ seconds, n ≤ 127.
    Binary(u8),
}

impl Resolution {
    /// Microseconds.
    pub const MICROS: Self = Self::Decimal(6);
    /// Nanoseconds.
    pub const NANOS: Self = Self::Decimal(9);

    /// From pcapng's `if_tsresol` octet: the top bit tells base 2 from base 10.
    pub const fn from_octet(octet: u8) -> Self {
        if octet & 0x80 == 0 { Self::Decimal(octet) } else { Self::Binary(octet & 0x7f) }
    }

    /// Whether microseconds hold every time stamp of this resolution exactly.
    pub const fn fits_micros(self) -> bool {
        match self {
            // Halves of a second down to 2⁻⁶ have at most six decimals.
            Self::Decimal(n) | Self::Binary(n) => n <= 6,
        }
    }

    /// Time of `ticks` of this unit, `offset_secs` later. What lies outside of [`Timestamp`]'s range becomes its end;
    /// parts of a nanosecond are dropped.
    pub fn time(self, ticks: u64, offset_secs: i64) -> Timestamp {
        let nanos = match self {
            Self::NANOS => i128::from(ticks),
            Self::Decimal(n) if n < 9 => i128::from(ticks) * 10_i128.pow(9 - u32::from(n)),
            // 2^64 ticks of 10⁻²⁹ s are less than a nanosecond.
            Self::Decimal(n) => {
                10_i128.checked_pow(u32::from(n) - 9).map_or(0, |unit| i128::from(ticks) / unit)
            }
            // ticks < 2^64 and 10^9 < 2^30, so the product stays below 2^94.
            Self::Binary(n) => (i128::from(ticks) * i128::from(NANOS_PER_SEC)) >> n,
        };
        let nanos = nanos + i128::from(offset_secs) * i128::from(NANOS_PER_SEC);
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl Interface {
    /// The only interface of a pcap file.
    pub(crate) fn of_pcap(link_type: LinkType, snaplen: u32, resolution: Resolution) -> Self {
        Self { link_type, snaplen, resolution, offset_secs: 0, name: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_becomes_nanoseconds() {
        let second = Timestamp::from_secs(1);
        assert_eq!(Resolution::from_octet(0).time(1, 0), second);
        assert_eq!(Resolution::from_octet(6).time(1_000_000, 0), second);
        assert_eq!(Resolution::from_octet(9).time(1_000_000_000, 0), second);
        assert_eq!(Resolution::from_octet(12).time(1_000_000_000_999, 0), second);
        assert_eq!(Resolution::from_octet(0x8a).time(1024, 0), second);
        assert_eq!(Resolution::from_octet(0x94).time(1 << 20, -1), Timestamp::from_secs(0));
        assert_eq!(Resolution::from_octet(127).time(u64::MAX, 0), Timestamp::from_secs(0));
        assert_eq!(Resolution::from_octet(0xff).time(u64::MAX, 0), Timestamp::from_secs(0));
    }

    #[test]
    fn what_cannot_be_told_is_the_end_of_the_range() {
        assert_eq!(Resolution::from_octet(0).time(u64::MAX, i64::MAX), Timestamp::MAX);
        assert_eq!(Resolution::from_octet(9).time(0, i64::MIN), Timestamp::MIN);
    }
}
