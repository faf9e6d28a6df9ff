//! IPv4 (RFC 791) with options and fragments.

use std::net::Ipv4Addr;

use super::checksum::internet;
use super::{Network, Payload, Pseudo, length_field};

/// An IPv4 header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    id: u16,
    ttl: u8,
    options: Vec<u8>,
}

impl Ipv4 {
    /// From `src` to `dst`: identification 0, time to live 64, no options.
    pub fn new(src: impl Into<Ipv4Addr>, dst: impl Into<Ipv4Addr>) -> Self {
        Self { src: src.into(), dst: dst.into(), id: 0, ttl: 64, options: Vec::new() }
    }

    /// The identification, which fragments of one packet share.
    #[must_use]
    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    /// The time to live.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Options, at most 40 bytes, padded here with end-of-list to a multiple of four.
    ///
    /// # Panics
    /// When they are longer.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        assert!(options.len() <= 40, "an IPv4 header has room for 40 bytes of options");
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    /// The whole packet.
    pub fn carry(&self, payload: &impl Payload) -> Network {
        self.piece(payload.protocol(), &payload.encode(&self.pseudo()), 0, false)
    }

    /// The packet in fragments of at most `size` bytes of payload each, in order.
    ///
    /// # Panics
    /// When `size` is not a multiple of eight above zero.
    pub fn fragments(&self, payload: &impl Payload, size: usize) -> Vec<Network> {
        assert!(size > 0 && size.is_multiple_of(8), "fragments are cut at multiples of eight bytes");
        let body = payload.encode(&self.pseudo());
        let piece = |(i, chunk): (usize, &[u8])| {
            let offset = i * size;
            self.piece(payload.protocol(), chunk, offset, offset + chunk.len() < body.len())
        };
        body.chunks(size).enumerate().map(piece).collect()
    }

    /// One fragment as it is asked for: `offset` in bytes, a multiple of eight; `more` are to follow.
    pub fn piece(&self, protocol: u8, body: &[u8], offset: usize, more: bool) -> Network {
        let header_len = 20 + self.options.len();
        let mut bytes = Vec::with_capacity(header_len + body.len());
        bytes.extend_from_slice(&[0x40 | (header_len as u8 / 4), 0]);
        bytes.extend_from_slice(&length_field(header_len + body.len(), "IPv4 total length"));
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&(u16::from(more) << 13 | (offset / 8) as u16 & 0x1fff).to_be_bytes());
        bytes.extend_from_slice(&[self.ttl, protocol, 0, 0]);
        bytes.extend_from_slice(&self.src.octets());
        bytes.extend_from_slice(&self.dst.octets());
        bytes.extend_from_slice(&self.options);
        let sum = internet(&bytes).to_be_bytes();
        bytes[10..12].copy_from_slice(&sum);
        bytes.extend_from_slice(body);
        Network::new(0x0800, bytes)
    }

    fn pseudo(&self) -> Pseudo {
        Pseudo::V4 { src: self.src, dst: self.dst }
    }
}
