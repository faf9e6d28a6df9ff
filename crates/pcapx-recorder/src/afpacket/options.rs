//! What a capture is asked for.

use std::time::Duration;

use pcapx_timeline::segment::MAX_PACKET_BYTES;

/// What a capture is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureOptions {
    /// Bytes of the ring, of each ring of a group; at least two blocks.
    pub ring_bytes: usize,
    /// The most bytes taken of a packet. The kernel copies no more.
    pub snaplen: u32,
    /// After this time the kernel hands over a block that is not full: what a packet waits at most, besides the reader.
    /// Between 1 ms and 1 s.
    pub retire_after: Duration,
    /// Whether to take what is sent to other machines too.
    pub promiscuous: bool,
    /// Whether to take what this machine sends. From a loopback it is never taken: there it comes back.
    pub outgoing: bool,
    /// Whether to prefer the stamps of the card's clock, which then must follow the system's (`phc2sys`). Where the card
    /// stamps nothing, where setting it up is not permitted (`CAP_NET_ADMIN`) or its clock is plainly wrong, the system's
    /// clock stamps, and the log says so once.
    pub hardware_time: bool,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            // A tenth of a second of 10 Gbit/s.
            ring_bytes: 128 << 20,
            snaplen: MAX_PACKET_BYTES,
            retire_after: Duration::from_millis(50),
            promiscuous: true,
            outgoing: false,
            hardware_time: false,
        }
    }
}
