//! The open connections: how many, which of them wait for a request, and for how long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// All slots of a server.
#[derive(Debug)]
pub(crate) struct Slots {
    start: Instant,
    open: Mutex<HashMap<u64, Arc<Slot>>>,
    /// Told whenever a connection becomes idle.
    pub(crate) became_idle: Notify,
}

/// One connection. Idle means: no request is being answered and no bytes wait to be sent.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    /// Reasons why the connection is not idle: a request under way, blocked writing.
    busy: AtomicU32,
    /// Since when it has been idle, in µs after `Slots::start`.
    idle_since_us: AtomicU64,
    /// Told when the connection must give way to another.
    pub(crate) evicted: Notify,
}

/// Ends the connection's place in the list when dropped.
#[derive(Debug)]
pub(crate) struct Place(pub(crate) Arc<Slot>);

/// Keeps a connection from counting as idle while it lives.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Slot>);

impl Slots {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Slots { start: Instant::now(), open: Mutex::default(), became_idle: Notify::new() })
    }

    fn now_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Slot>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for connection `number`, idle from now on.
    pub(crate) fn place(self: &Arc<Self>, number: u64) -> Place {
        let slot = Arc::new(Slot {
            slots: Arc::clone(self),
            number,
            busy: AtomicU32::new(0),
            idle_since_us: AtomicU64::new(self.now_us()),
            evicted: Notify::new(),
        });
        self.open().insert(number, Arc::clone(&slot));
        Place(slot)
    }

    /// Tells the connection that has been idle longest to end and takes it off the list. `false`: none is idle.
    pub(crate) fn evict_longest_idle(&self) -> bool {
        let mut open = self.open();
        let longest = open
            .values()
            .filter(|slot| slot.is_idle())
            .min_by_key(|slot| slot.idle_since_us.load(Ordering::Relaxed))
            .map(|slot| slot.number);
        longest.and_then(|number| open.remove(&number)).is_some_and(|slot| {
            slot.evicted.notify_one();
            true
        })
    }
}

impl Slot {
    pub(crate) fn is_idle(&self) -> bool {
        self.busy.load(Ordering::Acquire) == 0
    }

    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let slot = &self.0;
        slot.idle_since_us.store(slot.slots.now_us(), Ordering::Relaxed);
        if slot.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            slot.slots.became_idle.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.slots.open().remove(&self.0.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_connection_gives_way_and_busy_ones_never_do() {
        let slots = Slots::new();
        let (first, second) = (slots.place(1), slots.place(2));
        first.0.idle_since_us.store(10, Ordering::Relaxed);
        second.0.idle_since_us.store(5, Ordering::Relaxed);
        let busy = second.0.busy();
        assert!(slots.evict_longest_idle(), "the first is idle");
        assert!(!slots.open().contains_key(&1));
        assert!(!slots.evict_longest_idle(), "the second is busy");
        drop(busy);
        assert!(slots.evict_longest_idle());
        drop((first, second));
        assert!(slots.open().is_empty());
    }
}
