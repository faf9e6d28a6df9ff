//! Sources of packets: a live interface, a capture file, or several of them in the order of time.
//!
//! ```text
//! Capture ─► PacketSource ───────────────────────────────────────────┐
//!                                                                    ├─► wait(visitor)
//! Capture ─► lane: a thread, sieve, batches ─┐                       │
//! Capture ─► lane                            ├─► Merged ─► PacketSource
//! FileSource ─► lane                         ┘   by time stamp
//! ```
//!
//! A source is waited on, and hands what has come to a visitor, one packet after another. A packet is borrowed for the
//! time of the visit only: a ring's block goes back to the kernel when its last packet was visited.

mod error;
mod file;
mod input;
mod lane;
mod merged;
mod packet;

use std::time::Duration;

use pcapx_core::time::Timestamp;
use pcapx_timeline::link::LinkType;

pub use error::SourceError;
pub use file::FileSource;
pub use input::InputSource;
pub use lane::LanePlan;
pub use merged::Merged;
pub use packet::Packet;

/// Where packets come from, one link type each.
pub trait PacketSource {
    /// The interface's or the file's name, as it was asked for.
    fn name(&self) -> &str;

    /// What the packets begin with.
    fn link_type(&self) -> LinkType;

    /// Waits for packets, at most for `timeout`, and visits those that have come: a block of the ring, a batch of the
    /// file. A signal that is handled ends the wait with [`Waited::Nothing`].
    fn wait(&mut self, timeout: Duration, each: &mut impl FnMut(Packet<'_>)) -> Result<Waited, SourceError>;

    /// Takes no packets any more from now on. Those taken before are still visited by [`wait`](Self::wait), which
    /// answers [`Waited::End`] behind the last one.
    fn stop(&mut self) -> Result<(), SourceError>;

    /// Every packet of an earlier time has been visited, as far as a source can tell: the kernel keeps a packet to itself
    /// until a block is full or old. Never goes back.
    fn settled(&self) -> Timestamp;

    /// What came so far, from the source's beginning.
    fn counts(&mut self) -> Result<Counts, SourceError>;

    /// How full the memory is in which packets wait to be visited, 0 to 1.
    fn fill(&self) -> f64 {
        0.0
    }
}

/// What a wait has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// So many packets were visited, at least one.
    Packets(usize),
    /// The time is over, or a signal came.
    Nothing,
    /// There are no more packets, and never will be.
    End,
}

/// What came and what was lost, from the source's beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets put into the ring or read from the file, those not yet visited included.
    pub received: u64,
    /// Packets that the kernel had to drop because the ring was full.
    pub dropped: u64,
    /// How often the ring was full.
    pub freezes: u64,
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            dropped: self.dropped + other.dropped,
            freezes: self.freezes + other.freezes,
        }
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), std::ops::Add::add)
    }
}
