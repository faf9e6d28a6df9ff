//! The catalog: which segments a timeline has.
//!
//! [`Catalog::open`] lists every regular file below the given folders. n2disk's layout, where a file is reachable through
//! its dump folder and through a link in the timeline tree, and any other folder of capture files are read alike: links
//! are followed, each file counts once (by device and inode), and a name tells nothing about what a file is.
//!
//! Listing opens no file. Which of them can hold packets of a window is found out for each query by
//! `probe`, from the packets themselves.
//!
//! Who asks more than once keeps a [`Timeline`]: it hands out a catalog as it is now, at the price of what has changed.
//!
//! ```text
//! Timeline ─► memory ─► plan: which folders ─► folder: which files ─► changed? ─► walk ─► Catalog (a snapshot)
//!             (disk)                                                              resolve: links
//! ```

mod disk;
mod folder;
mod memory;
mod oldest;
mod plan;
pub(crate) mod probe;
mod resolve;
mod segment;
mod tail;
mod timeline;
mod walk;
mod watermark;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::query::Query;
use crate::warning::Warning;
use pcapx_core::filter::Expr;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

pub use disk::Looks;
pub(crate) use folder::QUIET;
pub(crate) use segment::Learned;
pub use segment::Segment;
pub use timeline::Timeline;
pub use watermark::{Basis, REORDER, SETTLE, Watermark};

/// The segments found below some folders at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    segments: Vec<Arc<Segment>>,
    warnings: Vec<Warning>,
}

/// Why a timeline cannot be opened at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimelineError {
    /// A folder that was asked for is missing or closed to us.
    #[error("the timeline {path:?} cannot be read: {source}", path = .path)]
    Root {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl Catalog {
    /// Lists the capture files below `roots`; a root may be a single file. What is unreadable further down is a
    /// [warning](Self::warnings), not an error.
    pub fn open<P: Into<PathBuf> + Clone>(roots: &[P]) -> Result<Self, TimelineError> {
        let roots: Vec<PathBuf> = roots.iter().cloned().map(Into::into).collect();
        let catalog = memory::Memory::default().refresh(&roots, Timestamp::now())?;
        Ok(Arc::unwrap_or_clone(catalog))
    }

    /// The segments, in the order of their paths within each root.
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// What could not be listed.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Asks for the packets of `window` of which `filter` is true; no filter is true of all.
    pub fn query(&self, filter: Option<Expr>, window: Window) -> Query<'_> {
        Query::new(self, filter, window)
    }
}
