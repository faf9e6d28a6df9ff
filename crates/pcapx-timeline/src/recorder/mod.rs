//! What a recorder tells of itself, in a file of the timeline.
//!
//! ```text
//! pcapx-recorder ─► RecorderStatus::write ─► TIMELINE/.pcapx-recorder.json ─► RecorderStatus::read ─► whoever waits for packets,
//!                   once a second, by rename                                                           shows or measures
//! ```
//!
//! The file is an object of JSON; times are nanoseconds since 1970. Fields may be added and are passed over by those who
//! do not know them; none changes its meaning. The recorder replaces it as a whole, so nobody sees a part.
//!
//! Whoever reads it believes nothing: a recorder that was killed leaves its last word behind, and the file may be another
//! program's. [`RecorderStatus::state`] tells whether there is somebody behind it.

mod figures;
mod nanos;
mod status;
mod unsealed;

pub use figures::{Figure, FigureValue};
pub use status::{RecorderState, RecorderStatus, STATUS_NAME, StatusError};
pub use unsealed::Unsealed;
