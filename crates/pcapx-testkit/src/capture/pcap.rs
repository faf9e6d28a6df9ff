//! The classic pcap format (libpcap's file format, pcap-savefile(5)).

use std::io::{self, Write};
use std::path::Path;

use super::{Order, Packet, link};

/// The form of a pcap file: byte order, precision, link type and snap length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcap {
    order: Order,
    nanos: bool,
    link: u32,
    snaplen: u32,
}

impl Default for Pcap {
    fn default() -> Self {
        Self::new()
    }
}

impl Pcap {
    /// Little-endian, microseconds, Ethernet, snap length 262 144.
    pub fn new() -> Self {
        Self { order: Order::Little, nanos: false, link: link::ETHERNET, snaplen: 262_144 }
    }

    /// All four forms of magic number: both byte orders, both precisions.
    pub fn forms() -> [Self; 4] {
        let plain = Self::new();
        [plain, plain.big_endian(), plain.nanos(), plain.big_endian().nanos()]
    }

    /// Big-endian.
    #[must_use]
    pub fn big_endian(mut self) -> Self {
        self.order = Order::Big;
        self
    }

    /// Time stamps in nanoseconds.
    #[must_use]
    pub fn nanos(mut self) -> Self {
        self.nanos = true;
        self
    }

    /// Another link type, of [`link`] or any other number.
    #[must_use]
    pub fn link_type(mut self, link: u32) -> Self {
        self.link = link;
        self
    }

    /// At most this many bytes of each packet are kept, and the header says so.
    #[must_use]
    pub fn snaplen(mut self, snaplen: u32) -> Self {
        self.snaplen = snaplen;
        self
    }

    /// Whether time stamps are nanoseconds.
    pub fn has_nanos(&self) -> bool {
        self.nanos
    }

    /// The 24 bytes a file begins with.
    pub fn header(&self) -> [u8; 24] {
        let magic = if self.nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut header = [0; 24];
        header[0..4].copy_from_slice(&self.order.u32(magic));
        header[4..6].copy_from_slice(&self.order.u16(2));
        header[6..8].copy_from_slice(&self.order.u16(4));
        header[16..20].copy_from_slice(&self.order.u32(self.snaplen));
        header[20..24].copy_from_slice(&self.order.u32(self.link));
        header
    }

    /// The 16 bytes in front of `packet`, `kept` of whose bytes follow.
    ///
    /// Times before 1970 or after 2106 wrap, as the format's 32-bit seconds do.
    pub fn record_header(&self, packet: &Packet, kept: u32) -> [u8; 16] {
        let nanos = packet.time.subsec_nanos();
        let fraction = if self.nanos { nanos } else { nanos / 1000 };
        let mut header = [0; 16];
        header[0..4].copy_from_slice(&self.order.u32(packet.time.as_secs().cast_unsigned() as u32));
        header[4..8].copy_from_slice(&self.order.u32(fraction));
        header[8..12].copy_from_slice(&self.order.u32(kept));
        header[12..16].copy_from_slice(&self.order.u32(packet.orig_len));
        header
    }

    /// A whole file in memory.
    pub fn encode(&self, packets: &[Packet]) -> Vec<u8> {
        let mut file = self.header().to_vec();
        for packet in packets {
            let kept = self.kept(packet);
            file.extend_from_slice(&self.record_header(packet, kept.len() as u32));
            file.extend_from_slice(kept);
        }
        file
    }

    /// A whole file on disk.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &Path, packets: &[Packet]) {
        if let Err(error) = std::fs::write(path, self.encode(packets)) {
            panic!("cannot write {}: {error}", path.display());
        }
    }

    fn kept<'a>(&self, packet: &'a Packet) -> &'a [u8] {
        &packet.data[..packet.data.len().min(self.snaplen as usize)]
    }
}

/// Writes a pcap file packet by packet.
#[derive(Debug)]
pub struct PcapWriter<W> {
    form: Pcap,
    sink: W,
}

impl<W: Write> PcapWriter<W> {
    /// Begins a file of the given form.
    pub fn new(form: Pcap, mut sink: W) -> io::Result<Self> {
        sink.write_all(&form.header())?;
        Ok(Self { form, sink })
    }

    /// Lets what was written so far be read by others.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// Appends `packet` and says how many bytes that took.
    pub fn packet(&mut self, packet: &Packet) -> io::Result<u64> {
        let kept = self.form.kept(packet);
        self.sink.write_all(&self.form.record_header(packet, kept.len() as u32))?;
        self.sink.write_all(kept)?;
        Ok(16 + kept.len() as u64)
    }

    /// Flushes, and gives the sink back.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }
}

#[cfg(test)]
mod tests {
    use pcapx_core::time::Timestamp;

    use super::*;

    fn packet() -> Packet {
        Packet::new(Timestamp::from_nanos(1_000_000_002_000_003_004), vec![7; 5])
    }

    #[test]
    fn little_endian_microseconds() {
        let file = Pcap::new().encode(&[packet()]);
        assert_eq!(file[..8], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
        assert_eq!(file[16..24], [0, 0, 4, 0, 1, 0, 0, 0]);
        assert_eq!(file[24..32], [2, 0xca, 0x9a, 0x3b, 3, 0, 0, 0]);
        assert_eq!(file[32..], [5, 0, 0, 0, 5, 0, 0, 0, 7, 7, 7, 7, 7]);
    }

    #[test]
    fn big_endian_nanoseconds() {
        let file = Pcap::new().big_endian().nanos().link_type(113).encode(&[packet()]);
        assert_eq!(file[..8], [0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4]);
        assert_eq!(file[20..32], [0, 0, 0, 113, 0x3b, 0x9a, 0xca, 2, 0, 0, 0x0b, 0xbc]);
    }

    #[test]
    fn the_snap_length_cuts_and_is_told() {
        let file = Pcap::new().snaplen(3).encode(&[packet()]);
        assert_eq!(file[16..20], [3, 0, 0, 0]);
        assert_eq!(file[32..], [3, 0, 0, 0, 5, 0, 0, 0, 7, 7, 7]);
    }

    #[test]
    fn the_writer_makes_the_same_file() {
        for form in Pcap::forms() {
            let mut writer = PcapWriter::new(form, Vec::new()).unwrap();
            assert_eq!(writer.packet(&packet()).unwrap(), 21);
            assert_eq!(writer.finish().unwrap(), form.encode(&[packet()]));
        }
    }
}
