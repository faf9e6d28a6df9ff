//! What loading finds to say about a configuration, collected to be told at once.

use super::keys::Key;
use super::{Problem, Warning};

/// Everything that is wrong or odd so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Required keys that are not there.
    pub missing: Vec<&'static str>,
    /// Values that cannot be used.
    pub invalid: Vec<Problem>,
    /// What stops nothing.
    pub warnings: Vec<Warning>,
}

impl Notes {
    /// Whether nothing is wrong.
    pub(super) fn is_usable(&self) -> bool {
        self.missing.is_empty() && self.invalid.is_empty()
    }

    /// A value cannot be used.
    pub(super) fn refuse(&mut self, key: &Key, from: Option<String>, reason: impl Into<String>) {
        self.invalid.push(Problem { key: key.name, from, reason: reason.into() });
    }

    /// A value is odd.
    pub(super) fn warn(&mut self, key: &Key, from: Option<String>, reason: impl Into<String>) {
        self.warnings.push(Warning::Value(Problem { key: key.name, from, reason: reason.into() }));
    }
}
