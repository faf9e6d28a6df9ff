//! A packet, for as long as it is looked at.

use pcapx_core::time::Timestamp;

/// A packet, for as long as it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it came.
    pub time: Timestamp,
    /// Its bytes as they were on the wire, VLAN tags in their places; no more than the source's snap length.
    pub data: &'a [u8],
    /// How many bytes it had on the wire; not less than `data` has.
    pub orig_len: u32,
}
