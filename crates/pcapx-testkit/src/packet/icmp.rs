//! ICMP (RFC 792) and ICMPv6 (RFC 4443).

use super::checksum::internet;
use super::{Network, Payload, Pseudo};

/// An ICMP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp(Message);

/// An ICMPv6 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmpv6(Message);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    kind: u8,
    code: u8,
    rest: [u8; 4],
    body: Vec<u8>,
}

impl Message {
    fn echo(kind: u8, id: u16, sequence: u16, body: &[u8]) -> Self {
        let [a, b] = id.to_be_bytes();
        let [c, d] = sequence.to_be_bytes();
        Self { kind, code: 0, rest: [a, b, c, d], body: body.to_vec() }
    }

    fn encode(&self, checksum: impl FnOnce(&[u8]) -> u16) -> Vec<u8> {
        let mut bytes = vec![self.kind, self.code, 0, 0];
        bytes.extend_from_slice(&self.rest);
        bytes.extend_from_slice(&self.body);
        let sum = checksum(&bytes).to_be_bytes();
        bytes[2..4].copy_from_slice(&sum);
        bytes
    }
}

impl Icmp {
    /// An echo request with `body` behind identifier and sequence number.
    pub fn echo_request(id: u16, sequence: u16, body: &[u8]) -> Self {
        Self(Message::echo(8, id, sequence, body))
    }

    /// The answer to [`echo_request`](Self::echo_request).
    pub fn echo_reply(id: u16, sequence: u16, body: &[u8]) -> Self {
        Self(Message::echo(0, id, sequence, body))
    }

    /// Destination unreachable with `code` (3 is the port), quoting the first 28 bytes of `offender`.
    pub fn unreachable(code: u8, offender: &Network) -> Self {
        let quoted = &offender.bytes[..offender.bytes.len().min(28)];
        Self(Message { kind: 3, code, rest: [0; 4], body: quoted.to_vec() })
    }
}

impl Payload for Icmp {
    fn protocol(&self) -> u8 {
        1
    }

    fn encode(&self, _: &Pseudo) -> Vec<u8> {
        self.0.encode(internet)
    }
}

impl Icmpv6 {
    /// An echo request with `body` behind identifier and sequence number.
    pub fn echo_request(id: u16, sequence: u16, body: &[u8]) -> Self {
        Self(Message::echo(128, id, sequence, body))
    }

    /// The answer to [`echo_request`](Self::echo_request).
    pub fn echo_reply(id: u16, sequence: u16, body: &[u8]) -> Self {
        Self(Message::echo(129, id, sequence, body))
    }

    /// Destination unreachable with `code` (4 is the port), quoting the first 48 bytes of `offender`.
    pub fn unreachable(code: u8, offender: &Network) -> Self {
        let quoted = &offender.bytes[..offender.bytes.len().min(48)];
        Self(Message { kind: 1, code, rest: [0; 4], body: quoted.to_vec() })
    }
}

impl Payload for Icmpv6 {
    fn protocol(&self) -> u8 {
        58
    }

    fn encode(&self, pseudo: &Pseudo) -> Vec<u8> {
        self.0.encode(|bytes| pseudo.checksum(58, bytes))
    }
}
