//! What is kept of the packets that come: those that the filter matches, as many of their bytes as were asked for.
//!
//! It works where packets come in, in each capture thread of several; what it counts goes to the counters once for many
//! packets, since a counter that threads share costs as much as a small packet.

use pcapx_timeline::link::LinkType;
use pcapx_timeline::matcher::Matcher;
use pcapx_timeline::packet::PacketKeys;

use crate::counters::Counters;
use crate::options::Layer;
use crate::source::Packet;

/// What is kept of each packet.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// What packets begin with.
    pub link_type: LinkType,
    /// Packets that are kept; all where there is none.
    pub filter: Option<Matcher>,
    /// The last header that is kept; `None` keeps what is behind it, too.
    pub slicing: Option<Layer>,
    /// The most bytes kept.
    pub snaplen: u32,
}

/// Packets that have come and are not counted yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    received: u64,
    bytes: u64,
    filtered: u64,
    cut: u64,
}

impl Sieve {
    /// The bytes to keep of a packet; `None` when it is none to keep.
    #[inline]
    pub(crate) fn pass<'a>(&self, packet: &Packet<'a>, tally: &mut Tally) -> Option<&'a [u8]> {
        tally.received += 1;
        tally.bytes += u64::from(packet.orig_len);
        if let Some(filter) = &self.filter
            && !filter.matches(&PacketKeys::of(self.link_type, packet.data))
        {
            tally.filtered += 1;
            return None;
        }
        let kept = if let Some(layer) = self.slicing {
            layer.kept(self.link_type, packet.data)
        } else {
            tally.cut += u64::from(packet.orig_len > self.snaplen);
            packet.data.len()
        };
        Some(&packet.data[..kept.min(self.snaplen as usize)])
    }
}

impl Tally {
    /// Gives what was counted to the counters.
    pub(crate) fn settle(&mut self, counters: &Counters) {
        let Self { received, bytes, filtered, cut } = std::mem::take(self);
        if received > 0 {
            Counters::add(&counters.packets_received, received);
            Counters::add(&counters.bytes_received, bytes);
            Counters::add(&counters.packets_filtered, filtered);
            Counters::add(&counters.packets_cut, cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcapx_core::filter;
    use pcapx_core::time::Timestamp;
    use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn packets_longer_than_what_is_kept_are_counted_unless_headers_are_all_that_is_wanted() {
        let sieve = Sieve { link_type: LinkType::ETHERNET, filter: None, slicing: None, snaplen: 40 };
        let frame = Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&Udp::new(5, 6)));
        let (mut tally, counters) = (Tally::default(), Counters::default());
        for orig_len in [40, 41, 1000] {
            let packet = Packet { time: Timestamp::from_secs(1), data: &frame, orig_len };
            sieve.pass(&packet, &mut tally);
            Sieve { slicing: Some(Layer::Transport), ..sieve.clone() }.pass(&packet, &mut tally);
        }
        tally.settle(&counters);
        assert_eq!((counters.packets_received.load(Relaxed), counters.packets_cut.load(Relaxed)), (6, 2));
    }

    #[test]
    fn packets_are_chosen_cut_and_counted() {
        let frame = |port| {
            let udp = Udp::new(port, 53).payload(&[7; 100]);
            Ethernet::new().carry(&Ipv4::new([10, 0, 0, 1], [10, 0, 0, 2]).carry(&udp))
        };
        let sieve = Sieve {
            link_type: LinkType::ETHERNET,
            filter: Some(Matcher::new(&filter::parse("port 5").unwrap())),
            slicing: Some(Layer::Transport),
            snaplen: 40,
        };
        let (wanted, other) = (frame(5), frame(6));
        let packet = |data| Packet { time: Timestamp::from_secs(1), data, orig_len: 1000 };
        let mut tally = Tally::default();
        assert_eq!(sieve.pass(&packet(&wanted), &mut tally), Some(&wanted[..40]));
        assert_eq!(sieve.pass(&packet(&other), &mut tally), None);
        let whole = Sieve { snaplen: 1500, ..sieve };
        assert_eq!(whole.pass(&packet(&wanted), &mut tally), Some(&wanted[..42]));

        let counters = Counters::default();
        tally.settle(&counters);
        tally.settle(&counters);
        let counted = [&counters.packets_received, &counters.bytes_received, &counters.packets_filtered];
        assert_eq!(counted.map(|counter| counter.load(Relaxed)), [3, 3000, 1]);
    }
}
