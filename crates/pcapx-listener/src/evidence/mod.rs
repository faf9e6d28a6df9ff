//! The output folder: captures, their manifests, and how long they stay.
//!
//! ```text
//! folder      hidden name ─► written ─► synced ─► its own name        captures
//! manifests   the same for <name>.json: read, written, rewritten      the only state there is
//! names       which name an alert's evidence gets, and which evidence answers it already
//! aside       how an earlier answer makes room, and comes back
//! reconcile   what a job of an earlier run has left under its name
//! room        is there enough of the disk left?
//! retention   the oldest finished evidence goes
//! ```

mod aside;
mod folder;
mod manifests;
mod names;
mod reconcile;
mod retention;
mod room;

pub(crate) use folder::{EvidenceFolder, Hidden};
pub(crate) use manifests::Shelved;
pub(crate) use names::Standing;
pub(crate) use reconcile::sha256;
pub(crate) use retention::{Retention, RetentionRules};
