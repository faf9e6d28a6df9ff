//! What becomes of evidence, in a word.

use maud::{Markup, html};
use pcapx_core::manifest::State;

/// A word, and the class that the style knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    class: &'static str,
    word: &'static str,
}

impl Mark {
    /// Of a file that no manifest tells of.
    pub const BARE: Self = Self::without_state("file only");

    /// Of a manifest's state.
    pub fn of(state: State, open: bool) -> Self {
        let (class, word) = match state {
            State::Queued => ("queued", "queued"),
            State::Partial if open => ("open", "collecting"),
            State::Partial => ("partial", "partial"),
            State::Complete => ("complete", "complete"),
            State::NoMatch => ("no_match", "no match"),
            State::Failed => ("failed", "failed"),
        };
        Self { class, word }
    }

    /// Of something whose state nobody knows.
    pub const fn without_state(word: &'static str) -> Self {
        Self { class: "bare", word }
    }

    /// The mark on a page.
    pub fn markup(self) -> Markup {
        html! { span .state .(self.class) { (self.word) } }
    }
}
