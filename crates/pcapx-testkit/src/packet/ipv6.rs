//! IPv6 (RFC 8200) with extension headers and fragments.

use std::net::Ipv6Addr;

use super::{Network, Payload, Pseudo, length_field};

/// An IPv6 header with any chain of extension headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    src: Ipv6Addr,
    dst: Ipv6Addr,
    hop_limit: u8,
    extensions: Vec<Extension>,
}

/// One extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Hop-by-hop options (0): a router alert.
    HopByHop,
    /// Destination options (60): padding, `blocks` times eight bytes past the first eight.
    Destination {
        /// The header's own length field.
        blocks: u8,
    },
    /// A segment routing header (43, type 4) with one segment, already reached.
    Routing {
        /// The only segment.
        segment: Ipv6Addr,
    },
    /// A fragment header (44).
    Fragment {
        /// Offset in bytes, a multiple of eight; 0 is the first fragment.
        offset: u16,
        /// Whether more fragments follow.
        more: bool,
        /// The identification, which fragments of one packet share.
        id: u32,
    },
    /// An authentication header (51) with a check value of 12 bytes.
    Authentication,
}

impl Ipv6 {
    /// From `src` to `dst`: hop limit 64, no extension headers.
    pub fn new(src: impl Into<Ipv6Addr>, dst: impl Into<Ipv6Addr>) -> Self {
        Self { src: src.into(), dst: dst.into(), hop_limit: 64, extensions: Vec::new() }
    }

    /// The hop limit.
    #[must_use]
    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// One more extension header behind those already there.
    #[must_use]
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// The whole packet.
    pub fn carry(&self, payload: &impl Payload) -> Network {
        self.piece(payload.protocol(), &payload.encode(&self.pseudo()))
    }

    /// The packet in fragments of at most `size` bytes of payload each, in order; the extension headers given
    /// so far stand in front of each fragment header.
    ///
    /// # Panics
    /// When `size` is not a multiple of eight above zero.
    pub fn fragments(&self, payload: &impl Payload, size: usize, id: u32) -> Vec<Network> {
        assert!(size > 0 && size.is_multiple_of(8), "fragments are cut at multiples of eight bytes");
        let body = payload.encode(&self.pseudo());
        let piece = |(i, chunk): (usize, &[u8])| {
            let offset = i * size;
            let more = offset + chunk.len() < body.len();
            let header = Extension::Fragment { offset: offset as u16, more, id };
            self.clone().extension(header).piece(payload.protocol(), chunk)
        };
        body.chunks(size).enumerate().map(piece).collect()
    }

    /// The header chain with `body` as it is behind it.
    pub fn piece(&self, protocol: u8, body: &[u8]) -> Network {
        let followers = self.extensions.iter().skip(1).map(Extension::number).chain([protocol]);
        let chain: Vec<u8> =
            self.extensions.iter().zip(followers).flat_map(|(header, next)| header.encode(next)).collect();
        let mut bytes = Vec::with_capacity(40 + chain.len() + body.len());
        bytes.extend_from_slice(&[0x60, 0, 0, 0]);
        bytes.extend_from_slice(&length_field(chain.len() + body.len(), "IPv6 payload length"));
        bytes.push(self.extensions.first().map_or(protocol, Extension::number));
        bytes.push(self.hop_limit);
        bytes.extend_from_slice(&self.src.octets());
        bytes.extend_from_slice(&self.dst.octets());
        bytes.extend_from_slice(&chain);
        bytes.extend_from_slice(body);
        Network::new(0x86dd, bytes)
    }

    fn pseudo(&self) -> Pseudo {
        Pseudo::V6 { src: self.src, dst: self.dst }
    }
}

impl Extension {
    /// IANA's protocol number.
    pub fn number(&self) -> u8 {
        match self {
            Self::HopByHop => 0,
            Self::Routing { .. } => 43,
            Self::Fragment { .. } => 44,
            Self::Authentication => 51,
            Self::Destination { .. } => 60,
        }
    }

    fn encode(&self, next: u8) -> Vec<u8> {
        match *self {
            Self::HopByHop => vec![next, 0, 5, 2, 0, 0, 1, 0],
            Self::Destination { blocks } => {
                let body_len = usize::from(blocks) * 8 + 6;
                let mut bytes = vec![next, blocks];
                // PadN options hold at most 255 bytes each, Pad1 fills what is left.
                while bytes.len() < 2 + body_len {
                    let left = 2 + body_len - bytes.len();
                    if left == 1 {
                        bytes.push(0);
                    } else {
                        let data = (left - 2).min(255);
                        bytes.extend_from_slice(&[1, data as u8]);
                        bytes.resize(bytes.len() + data, 0);
                    }
                }
                bytes
            }
            Self::Routing { segment } => {
                // Two blocks of eight bytes behind the first; type 4, no segment left, last entry 0.
                let mut bytes = vec![next, 2, 4, 0, 0, 0, 0, 0];
                bytes.extend_from_slice(&segment.octets());
                bytes
            }
            Self::Fragment { offset, more, id } => {
                let mut bytes = vec![next, 0];
                bytes.extend_from_slice(&(offset & !7 | u16::from(more)).to_be_bytes());
                bytes.extend_from_slice(&id.to_be_bytes());
                bytes
            }
            Self::Authentication => {
                // The length counts 32-bit words without the first two: (12 + 12) / 4 - 2.
                let mut bytes = vec![next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
                bytes.resize(24, 0xa5);
                bytes
            }
        }
    }
}
