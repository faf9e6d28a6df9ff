//! Which clock stamps the packets, and whether it is to be believed.

use std::time::Duration;

use pcapx_core::time::Timestamp;

use super::interface::Interface;
use super::layout::Frame;
use super::socket::Socket;

/// Further than this from the system's clock, a card's is not set by anybody. It is more than packets can wait in the ring
/// of a reader that keeps up, and less than the 37 seconds that a clock in TAI is ahead.
const BELIEVED: Duration = Duration::from_secs(10);

/// Which clock stamps the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// The system's, or the card's after its first stamp was seen to be right.
    Believed,
    /// The card's, of which no stamp was seen.
    Unseen,
    /// The card's, and wrong: it was told to stop, and packets it has stamped before are still in the ring.
    Wrong,
}

impl Clock {
    /// Has the card stamp packets, where it can.
    pub(super) fn of_card(interface: &Interface, socket: &Socket) -> Self {
        let name = &interface.name;
        match interface.stamp_packets(socket).and_then(|()| socket.prefer_hardware_stamps(true)) {
            Ok(()) => {
                log::info!("{name}: the card's clock stamps packets");
                Self::Unseen
            }
            Err(why) => {
                log::info!("{name}: the system's clock stamps packets, the card's cannot: {why}");
                Self::Believed
            }
        }
    }

    /// The card's clock is wrong: back to the system's.
    #[cold]
    pub(super) fn leave_card(interface: &Interface, socket: &Socket) {
        let name = &interface.name;
        match socket.prefer_hardware_stamps(false) {
            Ok(()) => {
                log::warn!("{name}: the card's clock is wrong (does phc2sys run?), the system's stamps now");
            }
            Err(why) => log::warn!("{name}: the card's clock is wrong and cannot be left: {why}"),
        }
    }

    /// The time of a packet.
    #[inline]
    pub(super) fn time(&mut self, frame: &Frame, now: impl FnOnce() -> Timestamp) -> Timestamp {
        if *self == Self::Believed || !frame.has_hardware_time {
            return frame.time;
        }
        let now = now();
        if *self == Self::Unseen {
            let is_near =
                frame.time >= now.saturating_sub(BELIEVED) && frame.time <= now.saturating_add(BELIEVED);
            *self = if is_near { Self::Believed } else { Self::Wrong };
        }
        if *self == Self::Wrong { now } else { frame.time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(time: Timestamp, has_hardware_time: bool) -> Frame {
        Frame { time, has_hardware_time, ..Frame::default() }
    }

    #[test]
    fn a_card_is_believed_by_its_first_stamp() {
        let now = Timestamp::from_secs(1_700_000_000);
        let right = now.saturating_sub(Duration::from_millis(30));
        let mut clock = Clock::Unseen;
        assert_eq!(clock.time(&frame(right, true), || now), right);
        assert_eq!(clock, Clock::Believed);
    }

    #[test]
    fn a_clock_in_tai_or_at_the_epoch_is_not_believed() {
        let now = Timestamp::from_secs(1_700_000_000);
        for wrong in [Timestamp::from_secs(100), now.saturating_add(Duration::from_secs(37))] {
            let mut clock = Clock::Unseen;
            // What the system has stamped says nothing of the card.
            assert_eq!(clock.time(&frame(wrong, false), || now), wrong);
            assert_eq!(clock, Clock::Unseen);
            assert_eq!(clock.time(&frame(wrong, true), || now), now);
            assert_eq!(clock, Clock::Wrong);
            assert_eq!(clock.time(&frame(now, false), || wrong), now);
        }
    }
}
