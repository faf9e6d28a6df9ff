//! What follows from a search: the state of the evidence, and the reason for it.

use pcapx_core::manifest::{Failure, Manifest, State};
use pcapx_core::time::Timestamp;
use pcapx_timeline::catalog::REORDER;

use super::reach::Extent;
use crate::extractor::Haul;

/// Why an answer is not all although its window is over.
const ROTATED: &str =
    "packets have been rotated out since they were found: they are kept, and others may be missing";
/// Why an answer may not be all, although its window is over.
const SILENT: &str =
    "the recording ends before the window: what its recorder may still hold back is not there yet";

/// What a manifest tells now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// What was found before is kept: it is more.
    pub(super) is_kept: bool,
    /// Packets can be missing, since files could not be read.
    is_unread: bool,
}

/// Writes into `manifest` what was found.
pub(super) fn tell(haul: Haul, manifest: &mut Manifest) -> Told {
    let told = Told {
        is_kept: haul.file.is_none() && manifest.file.is_some(),
        is_unread: haul.report.as_ref().is_some_and(|report| report.unread.is_some()),
    };
    haul.tell(manifest);
    told
}

/// The state that follows from what was found.
pub(super) fn conclude(manifest: &mut Manifest, stays_open: bool, told: Told) {
    manifest.open = stays_open;
    let has_packets = manifest.file.is_some();
    manifest.state = match (stays_open || manifest.limit.is_some(), has_packets) {
        (true, _) => State::Partial,
        (false, true) => State::Complete,
        (false, false) => State::NoMatch,
    };
    if manifest.state == State::Complete && told.is_unread && !told.is_kept {
        manifest.state = State::Partial;
    }
    if manifest.state == State::Complete {
        manifest.reason = None;
        // What was found before had been all there was, or nobody knows.
        if told.is_kept && manifest.searched_up_to.is_none_or(|searched| searched < manifest.asked.to) {
            (manifest.state, manifest.reason) = (State::Partial, Some(ROTATED.to_owned()));
        }
    }
}

/// Up to when all is found, by a search while the recording reached that far. What is only guessed may still bring packets
/// that came after the newest one, or with it.
pub(super) fn searched_up_to(manifest: &Manifest, reach: Extent) -> Option<Timestamp> {
    let up_to = reach.up_to.min(manifest.asked.to);
    if reach.is_guessed { written_up_to(manifest).map(|written| written.min(up_to)) } else { Some(up_to) }
}

/// Up to when the files have all packets, if nobody tells more than they do.
fn written_up_to(manifest: &Manifest) -> Option<Timestamp> {
    manifest.recording.map(|recording| recording.to.saturating_sub(REORDER))
}

/// Nobody knows whether the recording that ends before the window is all that will be: the next question searches again.
pub(super) fn doubt(manifest: &mut Manifest) {
    let Some(newest) = manifest.recording.map(|recording| recording.to) else { return };
    if newest >= manifest.asked.to {
        return;
    }
    if manifest.limit.is_none() {
        manifest.searched_up_to = written_up_to(manifest);
    }
    if manifest.state == State::Complete {
        (manifest.state, manifest.reason) = (State::Partial, Some(SILENT.to_owned()));
    }
}

/// A job that failed keeps what it has.
pub(super) fn fail(manifest: &mut Manifest, failure: Failure, reason: Option<&str>) {
    manifest.open = false;
    manifest.failure = Some(failure);
    let sentence = failure.sentence();
    manifest.reason = Some(match reason {
        Some(reason) => format!("{reason}: {sentence}"),
        None => sentence.to_owned(),
    });
    manifest.state = if manifest.file.is_some() { State::Partial } else { State::Failed };
}
