//! Who spoke with whom.
//!
//! A conversation is two ends and a protocol, whichever way a packet went. When there are more than can be told apart, the
//! smaller half of them goes into the row of the others: what they sent is kept, how many they were only as "at least". One
//! that comes back after that begins anew, so that a large conversation can miss what it was while it was small; all rows
//! together always are all packets that have two ends.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::fast::FixedState;

use super::bins::add;
use super::protocols::{Protocols, Spoken};
use crate::packet::{Network, PacketKeys, Pair, Ports, Reach};
use pcapx_core::digest::{Amount, Conversation, End, Others};
use pcapx_core::time::Timestamp;

/// The most conversations that are told apart: about five megabytes.
const CONVERSATIONS_MOST: usize = 32_768;
/// The most rows of the table.
const ROWS_MOST: usize = 100;

/// All conversations so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversations {
    table: HashMap<Key, Entry, FixedState>,
    /// What those have sent that are not in the table any more.
    gone: Amount,
    /// The most that were in the table at once.
    most: usize,
}

/// Protocol and ends, the smaller one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    low: Half,
    high: Half,
    spoken: Spoken,
    is_v6: bool,
}

/// An address, IPv4 in the lower bits, and a port.
type Half = (u128, Option<u16>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    first: Timestamp,
    last: Timestamp,
    /// Whether the smaller end sent the first packet.
    is_low_first: bool,
    from_low: Amount,
    from_high: Amount,
}

impl Key {
    /// The conversation of a packet, and whether the smaller end has sent it. `None` without two ends.
    #[inline]
    fn of(keys: &PacketKeys) -> Option<(Self, bool)> {
        if keys.reach < Reach::Addresses {
            return None;
        }
        let wide = |pair: Pair<u32>| Pair { src: pair.src.into(), dst: pair.dst.into() };
        let (addresses, spoken, is_v6) = match keys.network {
            Network::V4(pair) => (wide(pair), Spoken::Ip(keys.protocol?), false),
            Network::V6(pair) => (pair, Spoken::Ip(keys.protocol?), true),
            Network::Arp(pair) => (wide(pair), Spoken::Arp, false),
            Network::None | Network::Rarp(_) => return None,
        };
        let (src, dst) = match keys.ports {
            Ports::Both(ports) => (Some(ports.src), Some(ports.dst)),
            Ports::None | Ports::Cut | Ports::Source(_) => (None, None),
        };
        let (from, to) = ((addresses.src, src), (addresses.dst, dst));
        let is_low = from <= to;
        let (low, high) = if is_low { (from, to) } else { (to, from) };
        Some((Self { low, high, spoken, is_v6 }, is_low))
    }

    fn end(&self, (address, port): Half) -> End {
        let address = if self.is_v6 {
            IpAddr::V6(Ipv6Addr::from_bits(address))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(address as u32))
        };
        End { address, port }
    }
}

impl Entry {
    fn total(&self) -> Amount {
        let mut total = self.from_low;
        add(&mut total, self.from_high);
        total
    }
}

impl Conversations {
    /// Counts a packet; `false` for one that has not two ends.
    #[inline]
    pub(super) fn add(
        &mut self,
        time: Timestamp,
        keys: &PacketKeys,
        bytes: u64,
        protocols: &mut Protocols,
    ) -> bool {
        let Some((key, is_low)) = Key::of(keys) else { return false };
        if self.table.len() > CONVERSATIONS_MOST {
            self.thin_out(protocols);
        }
        let entry = self.table.entry(key).or_insert(Entry {
            first: time,
            last: time,
            is_low_first: is_low,
            from_low: Amount::default(),
            from_high: Amount::default(),
        });
        if time < entry.first {
            (entry.first, entry.is_low_first) = (time, is_low);
        }
        entry.last = entry.last.max(time);
        let amount = if is_low { &mut entry.from_low } else { &mut entry.from_high };
        amount.packets += 1;
        amount.bytes += bytes;
        true
    }

    /// Takes the smaller half out of the table.
    #[cold]
    fn thin_out(&mut self, protocols: &mut Protocols) {
        self.most = self.most.max(self.table.len());
        let mut sizes: Vec<_> = self.table.iter().map(|(key, entry)| (entry.total().bytes, *key)).collect();
        let half = sizes.len() / 2;
        sizes.select_nth_unstable(half);
        for (_, key) in &sizes[..half] {
            if let Some(entry) = self.table.remove(key) {
                protocols.add_conversation(key.spoken, key.ports(), entry.total());
                add(&mut self.gone, entry.total());
            }
        }
    }

    /// The largest conversations, and the row of the others.
    pub(super) fn finish(self, protocols: &mut Protocols) -> (Vec<Conversation>, Option<Others>) {
        let most = self.most.max(self.table.len());
        let mut all: Vec<(Key, Entry)> = self.table.into_iter().collect();
        for (key, entry) in &all {
            protocols.add_conversation(key.spoken, key.ports(), entry.total());
        }
        // The largest first; of equals the earlier one.
        all.sort_unstable_by_key(|(key, entry)| {
            let Amount { packets, bytes } = entry.total();
            (u64::MAX - bytes, u64::MAX - packets, entry.first, *key)
        });
        let mut amount = self.gone;
        for (_, entry) in all.iter().skip(ROWS_MOST) {
            add(&mut amount, entry.total());
        }
        let others = most.saturating_sub(ROWS_MOST.min(all.len())) as u64;
        let rows = all.into_iter().take(ROWS_MOST).map(|(key, entry)| row(&key, &entry)).collect();
        (rows, (amount.packets > 0).then_some(Others { conversations: others, amount }))
    }
}

impl Key {
    fn ports(&self) -> [Option<u16>; 2] {
        [self.low.1, self.high.1]
    }
}

fn row(key: &Key, entry: &Entry) -> Conversation {
    let (low, high) = (key.end(key.low), key.end(key.high));
    let (a, b, a_to_b, b_to_a) = if entry.is_low_first {
        (low, high, entry.from_low, entry.from_high)
    } else {
        (high, low, entry.from_high, entry.from_low)
    };
    Conversation {
        protocol: key.spoken.to_string(),
        a,
        b,
        a_to_b,
        b_to_a,
        first: entry.first,
        last: entry.last,
    }
}
