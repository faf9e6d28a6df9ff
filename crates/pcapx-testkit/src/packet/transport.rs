//! TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), and any other protocol as raw bytes.

use super::checksum::crc32c;
use super::{Payload, Pseudo, length_field};

/// The flag bits of [`Tcp::flags`].
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Opens a connection.
    pub const SYN: u8 = 0x02;
    /// Resets a connection.
    pub const RST: u8 = 0x04;
    /// Hand over at once.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    ports: (u16, u16),
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
    options: Vec<u8>,
    payload: Vec<u8>,
}

impl Tcp {
    /// An empty segment from port `src` to port `dst` with only ACK set.
    pub fn new(src: u16, dst: u16) -> Self {
        Self {
            ports: (src, dst),
            sequence: 0,
            acknowledgement: 0,
            flags: tcp_flags::ACK,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// The flags, of [`tcp_flags`].
    #[must_use]
    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// Sequence and acknowledgement number.
    #[must_use]
    pub fn sequence(mut self, sequence: u32, acknowledgement: u32) -> Self {
        (self.sequence, self.acknowledgement) = (sequence, acknowledgement);
        self
    }

    /// Options, at most 40 bytes, padded here with end-of-list to a multiple of four.
    ///
    /// # Panics
    /// When they are longer.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        assert!(options.len() <= 40, "a TCP header has room for 40 bytes of options");
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    /// The data.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }
}

impl Payload for Tcp {
    fn protocol(&self) -> u8 {
        6
    }

    fn encode(&self, pseudo: &Pseudo) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let mut bytes = Vec::with_capacity(header_len + self.payload.len());
        bytes.extend_from_slice(&self.ports.0.to_be_bytes());
        bytes.extend_from_slice(&self.ports.1.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.acknowledgement.to_be_bytes());
        // The header's length in 32-bit words, the flags, a window of 65 535 bytes, no checksum yet, not urgent.
        bytes.extend_from_slice(&[(header_len as u8 / 4) << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend_from_slice(&self.options);
        bytes.extend_from_slice(&self.payload);
        let sum = pseudo.checksum(6, &bytes).to_be_bytes();
        bytes[16..18].copy_from_slice(&sum);
        bytes
    }
}

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    ports: (u16, u16),
    payload: Vec<u8>,
}

impl Udp {
    /// An empty datagram from port `src` to port `dst`.
    pub fn new(src: u16, dst: u16) -> Self {
        Self { ports: (src, dst), payload: Vec::new() }
    }

    /// The data.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }
}

impl Payload for Udp {
    fn protocol(&self) -> u8 {
        17
    }

    fn encode(&self, pseudo: &Pseudo) -> Vec<u8> {
        let len = 8 + self.payload.len();
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&self.ports.0.to_be_bytes());
        bytes.extend_from_slice(&self.ports.1.to_be_bytes());
        bytes.extend_from_slice(&length_field(len, "UDP length"));
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&self.payload);
        // A sum of zero would mean "no checksum".
        let sum = match pseudo.checksum(17, &bytes) {
            0 => u16::MAX,
            sum => sum,
        };
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
        bytes
    }
}

/// An SCTP packet with one DATA chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sctp {
    ports: (u16, u16),
    payload: Vec<u8>,
}

impl Sctp {
    /// From port `src` to port `dst`, with an empty chunk.
    pub fn new(src: u16, dst: u16) -> Self {
        Self { ports: (src, dst), payload: Vec::new() }
    }

    /// The data of the chunk.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }
}

impl Payload for Sctp {
    fn protocol(&self) -> u8 {
        132
    }

    fn encode(&self, _: &Pseudo) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(28 + self.payload.len());
        bytes.extend_from_slice(&self.ports.0.to_be_bytes());
        bytes.extend_from_slice(&self.ports.1.to_be_bytes());
        // Verification tag 1, checksum to come; then a DATA chunk, first and last of its message.
        bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 3]);
        bytes.extend_from_slice(&length_field(16 + self.payload.len(), "SCTP chunk length"));
        // Transmission number 1, stream 0, stream sequence 0, payload protocol 0.
        bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&self.payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let sum = crc32c(&bytes).to_le_bytes();
        bytes[8..12].copy_from_slice(&sum);
        bytes
    }
}

/// Any protocol: the bytes as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// IANA's protocol number.
    pub protocol: u8,
    /// The bytes behind the IP header.
    pub bytes: Vec<u8>,
}

impl Payload for Raw {
    fn protocol(&self) -> u8 {
        self.protocol
    }

    fn encode(&self, _: &Pseudo) -> Vec<u8> {
        self.bytes.clone()
    }
}
