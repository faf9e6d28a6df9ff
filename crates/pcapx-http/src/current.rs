//! A value that can be replaced while it is in use.

use std::sync::{Arc, PoisonError, RwLock};

/// Whoever takes the value keeps what was current then; whoever comes later gets what is current later.
#[derive(Debug, Default)]
pub struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    /// `value` is current until it is replaced.
    pub fn new(value: T) -> Self {
        Current(RwLock::new(Arc::new(value)))
    }

    /// The current value.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From here on `value` is current.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }

    /// Replaces the value by what `newer` makes of it, if it makes something of it.
    pub fn update(&self, newer: impl FnOnce(&T) -> Option<T>) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = newer(&current) {
            *current = Arc::new(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_stays_what_it_was() {
        let current = Current::new(1);
        let taken = current.get();
        current.set(2);
        assert_eq!((*taken, *current.get()), (1, 2));
        current.update(|value| (*value == 2).then_some(3));
        current.update(|value| (*value == 2).then_some(4));
        assert_eq!(*current.get(), 3);
    }
}
