//! Floods of the smallest frames: 64 bytes on the wire, of which a capture has all but the four of the check sequence.

use super::dice::Dice;
use crate::packet::{Ethernet, Ipv4, MacAddr, Tcp, Udp, tcp_flags};

/// Who is flooded.
const SERVER: [u8; 4] = [11, 0, 0, 1];
/// Flows of a flood of few.
const FLOWS: u32 = 64;
/// Bytes of a datagram that fill the smallest frame: 60 without Ethernet, IPv4 and UDP headers.
const DATAGRAM_BYTES: usize = 18;
const ROUTER: MacAddr = [2, 0, 0, 0xff, 0, 1];
const SERVER_MAC: MacAddr = [2, 0, 0, 0, 0, 1];

/// Frames without end.
#[derive(Debug)]
pub(super) enum Flood {
    /// These senders, address and port.
    Few(Vec<([u8; 4], u16)>),
    /// Somebody else each time.
    Syn,
}

impl Flood {
    pub(super) fn of_few(dice: &mut Dice) -> Self {
        Self::Few((0..FLOWS).map(|_| sender(dice)).collect())
    }

    pub(super) fn frame(&self, dice: &mut Dice) -> Vec<u8> {
        let ethernet = Ethernet::between(ROUTER, SERVER_MAC).padded();
        match self {
            Self::Few(senders) => {
                let (address, port) = senders[dice.below(FLOWS) as usize];
                let datagram = Udp::new(port, 53).payload(&[0; DATAGRAM_BYTES]);
                ethernet.carry(&Ipv4::new(address, SERVER).carry(&datagram))
            }
            Self::Syn => {
                let (address, port) = sender(dice);
                let segment = Tcp::new(port, 443).flags(tcp_flags::SYN).sequence(dice.roll() as u32, 0);
                ethernet.carry(&Ipv4::new(address, SERVER).carry(&segment))
            }
        }
    }
}

/// One of 80 × 2²⁴ addresses, 12.0.0.0 to 91.255.255.255, and one of 64 512 ports: two alike are rare.
fn sender(dice: &mut Dice) -> ([u8; 4], u16) {
    let [b, c, d, ..] = dice.roll().to_le_bytes();
    ([dice.between(12, 92) as u8, b, c, d], dice.between(1024, 65_536) as u16)
}
