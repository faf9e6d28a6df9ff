//! A map of bounded size that forgets what has not been used for longest.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Keeps at least the `half` entries used last, and at most twice as many.
///
/// Two halves: when the newer one is full it becomes the older one, and what was in the older one is forgotten. So
/// forgetting costs nothing, however fast new keys arrive.
#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    half: usize,
    newer: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Bounded<K, V> {
    pub(super) fn new(half: usize) -> Self {
        Bounded { half, newer: HashMap::new(), older: HashMap::new() }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.newer.get(key).or_else(|| self.older.get(key))
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.newer.len() >= self.half && !self.newer.contains_key(&key) {
            self.older = mem::take(&mut self.newer);
        }
        self.older.remove(&key);
        self.newer.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.newer.remove(key);
        self.older.remove(key);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_half_is_there_and_twice_as_much_at_most() {
        let mut map = Bounded::new(10);
        for key in 0..1000 {
            map.insert(key, key);
            assert!(map.len() <= 20);
            for newest in (0..=key).rev().take(10) {
                assert_eq!(map.get(&newest), Some(&newest));
            }
        }
        map.insert(999, 7);
        assert_eq!(map.get(&999), Some(&7));
        map.remove(&999);
        assert_eq!(map.get(&999), None);
    }
}
