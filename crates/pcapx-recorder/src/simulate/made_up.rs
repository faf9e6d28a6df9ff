//! Made-up packets, as fast as they are taken.

use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_timeline::link::LinkType;

use crate::source::{Counts, Packet, PacketSource, SourceError, Waited};

/// Different packets, used over and over: more bytes than a second-level cache has, as the packets of a ring are.
const FRAMES: u16 = 8192;
/// Conversations among them.
const FLOWS: u16 = 1024;
/// Packets visited in one call: what a block of a ring holds.
const BATCH_PACKETS: usize = 1024;
/// The smallest frame of Ethernet, without its checksum.
const SMALLEST_BYTES: usize = 60;
/// Lengths of usual packets: acknowledgements, full segments, and what is in between; 735 bytes in the mean.
const USUAL_BYTES: [usize; 8] = [66, 1514, 66, 1514, 594, 1514, 130, 482];
const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const UDP: u8 = 17;

/// What the packets are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Usual,
    Smallest,
}

impl Size {
    fn of(self, nth: u16) -> usize {
        match self {
            Self::Usual => USUAL_BYTES[usize::from(nth) % USUAL_BYTES.len()],
            Self::Smallest => SMALLEST_BYTES,
        }
    }
}

/// Gives packets until its time is over.
#[derive(Debug)]
pub(super) struct MadeUp {
    frames: Vec<Vec<u8>>,
    next: usize,
    until: Instant,
    received: u64,
    settled: Timestamp,
}

impl MadeUp {
    pub(super) fn new(size: Size, lasts: Duration) -> Self {
        Self {
            frames: (0..FRAMES).map(|nth| frame(nth, size.of(nth))).collect(),
            next: 0,
            until: Instant::now() + lasts,
            received: 0,
            settled: Timestamp::MIN,
        }
    }
}

/// Ethernet, IPv4 and UDP of one of the conversations.
fn frame(nth: u16, len: usize) -> Vec<u8> {
    let [high, low] = (nth % FLOWS).to_be_bytes();
    let ip_len = ((len - ETHERNET_BYTES) as u16).to_be_bytes();
    let udp_len = ((len - ETHERNET_BYTES - IPV4_BYTES) as u16).to_be_bytes();
    let mut frame = Vec::with_capacity(len);
    frame.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00]);
    frame.extend([0x45, 0, ip_len[0], ip_len[1], 0, 0, 0x40, 0, 64, UDP, 0, 0]);
    frame.extend([10, 0, high, low, 192, 0, 2, low]);
    frame.extend([0x80 | high, low, 0, 53, udp_len[0], udp_len[1], 0, 0]);
    frame.resize(len, low);
    frame
}

impl PacketSource for MadeUp {
    fn name(&self) -> &'static str {
        "made-up packets"
    }

    fn link_type(&self) -> LinkType {
        LinkType::ETHERNET
    }

    /// All packets of a call have come at once, a nanosecond apart.
    fn wait(&mut self, _: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError> {
        if Instant::now() >= self.until {
            return Ok(Waited::End);
        }
        let mut time = Timestamp::now().max(self.settled);
        for _ in 0..BATCH_PACKETS {
            let data = &self.frames[self.next];
            each(Packet { time, data, orig_len: data.len() as u32 });
            self.next = (self.next + 1) % self.frames.len();
            time = time.saturating_add(Duration::from_nanos(1));
        }
        self.settled = time;
        self.received += BATCH_PACKETS as u64;
        Ok(Waited::Packets(BATCH_PACKETS))
    }

    fn stop(&mut self) -> Result<(), SourceError> {
        self.until = Instant::now();
        Ok(())
    }

    fn settled(&self) -> Timestamp {
        self.settled
    }

    fn counts(&mut self) -> Result<Counts, SourceError> {
        Ok(Counts { received: self.received, ..Counts::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcapx_timeline::packet::{Network, PacketKeys, Pair, Ports};
    use std::collections::HashSet;

    #[test]
    fn packets_are_whole_and_of_many_flows() {
        for (size, mean) in [(Size::Usual, 735), (Size::Smallest, 60)] {
            let mut source = MadeUp::new(size, Duration::from_secs(60));
            let (mut flows, mut bytes, mut last) = (HashSet::new(), 0, Timestamp::MIN);
            for _ in 0..usize::from(FRAMES) / BATCH_PACKETS {
                source
                    .wait(Duration::ZERO, &mut |packet| {
                        let keys = PacketKeys::of(LinkType::ETHERNET, packet.data);
                        let (Network::V4(Pair { src, dst }), Ports::Both(Pair { src: port, .. })) =
                            (keys.network, keys.ports)
                        else {
                            panic!("{keys:?}")
                        };
                        flows.insert((src, dst, port));
                        bytes += packet.data.len();
                        assert!(packet.time > last);
                        last = packet.time;
                    })
                    .unwrap();
            }
            assert_eq!((flows.len(), bytes / usize::from(FRAMES)), (usize::from(FLOWS), mean));
            source.stop().unwrap();
            assert_eq!(source.wait(Duration::ZERO, &mut |_| ()).unwrap(), Waited::End);
        }
    }
}
