//! The pcapng format (draft-ietf-opsawg-pcapng), block by block.

use pcapx_core::time::Timestamp;

use super::{Order, link};

/// What an interface description block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The link type, of [`link`] or any other number up to 65 535.
    pub link: u32,
    /// The snap length; 0 is "no limit".
    pub snaplen: u32,
    /// `if_tsresol` as it stands in the file: a negative power of ten, or of two with the top bit set. `None` leaves
    /// the option out, which means microseconds.
    pub resolution: Option<u8>,
    /// `if_tsoffset`: seconds to be added to every time stamp.
    pub offset_secs: Option<i64>,
    /// `if_name`.
    pub name: Option<String>,
}

impl Interface {
    /// Ethernet, no snap length, no options.
    pub fn new() -> Self {
        Self { link: link::ETHERNET, snaplen: 0, resolution: None, offset_secs: None, name: None }
    }

    /// The same with another time resolution.
    #[must_use]
    pub fn resolution(mut self, if_tsresol: u8) -> Self {
        self.resolution = Some(if_tsresol);
        self
    }

    /// The same with a time offset.
    #[must_use]
    pub fn offset_secs(mut self, seconds: i64) -> Self {
        self.offset_secs = Some(seconds);
        self
    }

    /// The same with another link type.
    #[must_use]
    pub fn link_type(mut self, link: u32) -> Self {
        self.link = link;
        self
    }

    /// The same with another snap length.
    #[must_use]
    pub fn snaplen(mut self, snaplen: u32) -> Self {
        self.snaplen = snaplen;
        self
    }

    /// `time` in the interface's units, rounded towards the past; times before its offset are 0.
    fn units(&self, time: Timestamp) -> u64 {
        let nanos = i128::from(time.as_nanos()) - i128::from(self.offset_secs.unwrap_or(0)) * 1_000_000_000;
        let code = self.resolution.unwrap_or(6);
        let per_second = |base: u128| base.checked_pow(u32::from(code & 0x7f)).unwrap_or(u128::MAX);
        let units_per_second = if code & 0x80 == 0 { per_second(10) } else { per_second(2) };
        let nanos = u128::try_from(nanos).unwrap_or(0);
        // Seconds and fraction apart: the product of all of it may pass 128 bits.
        let whole = (nanos / 1_000_000_000).saturating_mul(units_per_second);
        let fraction = (nanos % 1_000_000_000).saturating_mul(units_per_second) / 1_000_000_000;
        u64::try_from(whole.saturating_add(fraction)).unwrap_or(u64::MAX)
    }
}

impl Default for Interface {
    fn default() -> Self {
        Self::new()
    }
}

/// A pcapng file that grows block by block; it begins with a section header.
#[derive(Clone, Debug)]
pub struct Pcapng {
    order: Order,
    bytes: Vec<u8>,
    interfaces: Vec<Interface>,
}

impl Pcapng {
    /// Opens a little-endian section.
    pub fn little_endian() -> Self {
        Self { order: Order::Little, bytes: Vec::new(), interfaces: Vec::new() }.section(Order::Little)
    }

    /// Opens a big-endian section.
    pub fn big_endian() -> Self {
        Self { order: Order::Big, bytes: Vec::new(), interfaces: Vec::new() }.section(Order::Big)
    }

    /// Closes the section and opens another, little-endian one; the interfaces begin anew.
    #[must_use]
    pub fn next_section_little_endian(self) -> Self {
        self.section(Order::Little)
    }

    /// Closes the section and opens another, big-endian one; the interfaces begin anew.
    #[must_use]
    pub fn next_section_big_endian(self) -> Self {
        self.section(Order::Big)
    }

    fn section(mut self, order: Order) -> Self {
        self.order = order;
        self.interfaces.clear();
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend_from_slice(&order.u16(1));
        body.extend_from_slice(&order.u16(0));
        // The section's length is not told.
        body.extend_from_slice(&order.u64(u64::MAX));
        self.block(0x0a0d_0d0a, &body)
    }

    /// Describes one more interface; its number is the count of those before it in the section.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        let mut body = self.order.u16(interface.link as u16).to_vec();
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(&self.order.u32(interface.snaplen));
        let mut options = Vec::new();
        if let Some(name) = &interface.name {
            self.option(&mut options, 2, name.as_bytes());
        }
        if let Some(code) = interface.resolution {
            self.option(&mut options, 9, &[code]);
        }
        if let Some(seconds) = interface.offset_secs {
            self.option(&mut options, 14, &self.order.u64(seconds.cast_unsigned()));
        }
        self.end_of_options(&mut options);
        body.extend_from_slice(&options);
        self.interfaces.push(interface);
        self.block(1, &body)
    }

    /// An enhanced packet block: `data` whole, at `time` in the units of interface `number`.
    ///
    /// # Panics
    /// When the section has no such interface.
    #[must_use]
    pub fn packet(self, number: u32, time: Timestamp, data: &[u8]) -> Self {
        let units = self.interfaces[number as usize].units(time);
        self.packet_in_units(number, units, data, data.len() as u32, "")
    }

    /// An enhanced packet block with everything told: time in the interface's units, the length on the wire, and a
    /// comment when it is not empty.
    #[must_use]
    pub fn packet_in_units(self, number: u32, units: u64, data: &[u8], orig_len: u32, comment: &str) -> Self {
        let mut body = self.order.u32(number).to_vec();
        body.extend_from_slice(&self.order.u32((units >> 32) as u32));
        body.extend_from_slice(&self.order.u32(units as u32));
        body.extend_from_slice(&self.order.u32(data.len() as u32));
        body.extend_from_slice(&self.order.u32(orig_len));
        pad_to_32_bits(&mut body, data);
        if !comment.is_empty() {
            self.option(&mut body, 1, comment.as_bytes());
            self.end_of_options(&mut body);
        }
        self.block(6, &body)
    }

    /// A simple packet block: interface 0, no time; `data` is cut at the interface's snap length.
    ///
    /// # Panics
    /// When the section has no interface.
    #[must_use]
    pub fn simple_packet(self, data: &[u8]) -> Self {
        let mut body = self.order.u32(data.len() as u32).to_vec();
        let kept = match self.interfaces[0].snaplen as usize {
            0 => data.len(),
            snaplen => snaplen.min(data.len()),
        };
        pad_to_32_bits(&mut body, &data[..kept]);
        self.block(3, &body)
    }

    /// The obsolete packet block of old writers: 16-bit interface number and a count of `drops`.
    ///
    /// # Panics
    /// When the section has no such interface.
    #[must_use]
    pub fn obsolete_packet(self, number: u16, drops: u16, time: Timestamp, data: &[u8]) -> Self {
        let units = self.interfaces[usize::from(number)].units(time);
        let mut body = self.order.u16(number).to_vec();
        body.extend_from_slice(&self.order.u16(drops));
        body.extend_from_slice(&self.order.u32((units >> 32) as u32));
        body.extend_from_slice(&self.order.u32(units as u32));
        body.extend_from_slice(&self.order.u32(data.len() as u32));
        body.extend_from_slice(&self.order.u32(data.len() as u32));
        pad_to_32_bits(&mut body, data);
        self.block(2, &body)
    }

    /// Any block: a name resolution block (4), interface statistics (5), or one no reader knows.
    #[must_use]
    pub fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padded_len = body.len().next_multiple_of(4);
        let total = self.order.u32((12 + padded_len) as u32);
        self.bytes.extend_from_slice(&self.order.u32(kind));
        self.bytes.extend_from_slice(&total);
        pad_to_32_bits(&mut self.bytes, body);
        self.bytes.extend_from_slice(&total);
        self
    }

    /// The file so far.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn option(&self, into: &mut Vec<u8>, code: u16, value: &[u8]) {
        into.extend_from_slice(&self.order.u16(code));
        into.extend_from_slice(&self.order.u16(value.len() as u16));
        pad_to_32_bits(into, value);
    }

    fn end_of_options(&self, into: &mut Vec<u8>) {
        if !into.is_empty() {
            self.option(into, 0, &[]);
        }
    }
}

/// Appends `bytes` and zeros up to the next multiple of four of their own length.
fn pad_to_32_bits(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(bytes);
    into.resize(into.len() + bytes.len().next_multiple_of(4) - bytes.len(), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_header_is_28_bytes() {
        let file = Pcapng::little_endian().finish();
        assert_eq!(file[..12], [0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a]);
        assert_eq!((file.len(), &file[24..]), (28, &[28, 0, 0, 0][..]));
        assert_eq!(Pcapng::big_endian().finish()[8..12], [0x1a, 0x2b, 0x3c, 0x4d]);
    }

    #[test]
    fn times_are_counted_in_the_units_of_the_interface() {
        let time = Timestamp::from_nanos(3_250_000_001);
        assert_eq!(Interface::new().units(time), 3_250_000);
        assert_eq!(Interface::new().resolution(9).units(time), 3_250_000_001);
        assert_eq!(Interface::new().resolution(0x82).units(time), 13);
        assert_eq!(Interface::new().resolution(0).offset_secs(1).units(time), 2);
    }

    #[test]
    fn blocks_are_padded_and_close_with_their_length() {
        let file = Pcapng::big_endian()
            .interface(Interface::new().resolution(9))
            .packet(0, Timestamp::from_nanos(1 << 32 | 5), &[1, 2, 3, 4, 5])
            .finish();
        let packet = &file[28 + 32 - 4..];
        assert_eq!(file[28..36], [0, 0, 0, 1, 0, 0, 0, 28 + 4]);
        assert_eq!(packet.len(), 4 + 40);
        assert_eq!(packet[4..12], [0, 0, 0, 6, 0, 0, 0, 40]);
        assert_eq!(packet[16..24], [0, 0, 0, 1, 0, 0, 0, 5]);
        assert_eq!(packet[32..], [1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 40]);
    }
}
