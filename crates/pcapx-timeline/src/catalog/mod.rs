//! The catalog: which segments a timeline has.
//!
//! [`Catalog::open`] lists every regular file below the given folders. n2disk's layout, where a file is reachable through
//! its dump folder and through a link in the timeline tree, and any other folder of capture files are read alike: links
//! are followed, each file counts once (by device and inode), and a name tells nothing about what a file is.
//!
//! Listing opens no file. Which of them can hold packets of a window is found out for each query by
//! `probe`, from the packets themselves.

mod discover;
pub(crate) mod probe;

use std::io;
use std::path::PathBuf;

use crate::query::Query;
use crate::warning::Warning;
use pcapx_core::filter::Expr;
use pcapx_core::time::Timestamp;
use pcapx_core::window::Window;

/// The segments found below some folders at one moment.
#[derive(Clone, Debug)]
pub struct Catalog {
    segments: Vec<Segment>,
    warnings: Vec<Warning>,
}

/// One capture file, as the file system describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first path by which it was found.
    pub path: PathBuf,
    /// The file itself: its path without links.
    pub file: PathBuf,
    /// Which of the catalog's folders it was found in.
    pub root: usize,
    /// Device and inode.
    pub file_id: (u64, u64),
    /// Length in bytes when it was listed.
    pub len: u64,
    /// When it was written last.
    pub modified: Timestamp,
    /// Whether its name says that it is being written (`….tmp`).
    pub is_open: bool,
    /// The time that its name tells, where it is n2disk's `<seconds>.<microseconds>.pcap`.
    pub named_time: Option<Timestamp>,
}

impl Segment {
    pub(crate) fn span(&self) -> Result<probe::Span, crate::segment::SegmentError> {
        probe::span(self, crate::segment::SegmentReader::open(&self.path)?)
    }

    pub(crate) fn known_span(&self) -> Option<probe::Span> {
        None
    }

    pub(crate) fn set_span(&self, _: probe::Span) {}

    pub(crate) fn is_state_of(&self, file: &std::fs::File) -> bool {
        file.metadata().is_ok_and(|m| {
            crate::index::Identity::of(&m)
                == crate::index::Identity { len: self.len, modified: self.modified, inode: self.file_id.1 }
        })
    }
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
        let mut found = discover::Discovery::default();
        for (number, root) in roots.iter().enumerate() {
            found.add_root(number, root.clone().into())?;
        }
        Ok(Self { segments: found.segments, warnings: found.warnings })
    }

    /// The segments, in the order of their paths within each root.
    pub fn segments(&self) -> &[Segment] {
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
