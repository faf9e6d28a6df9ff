//! A timeline that is asked again and again.
//!
//! Looking at all of ten thousand files takes longer than most queries. So a [`Timeline`] remembers what it has seen,
//! and [`Timeline::catalog`] looks only where something can have changed:
//!
//! * **Folders.** A folder is listed again when its times have changed, or when it was written to less than 2 s before
//!   it was listed. A new name, or another inode under a known name, is looked at.
//! * **Files that grow.** Names that end in `.tmp`. In each folder the files from the one written to last downwards,
//!   until one that is unchanged and had been quiet for a minute: recorders write to the newest.
//! * **Rings** (`tcpdump -W`) begin their oldest file anew, under the same inode, and no folder's time changes. So the
//!   files are looked at from the one written to first upwards, too, until one that is unchanged.
//! * **Trees of dates.** Where more than 64 folders whose names are numbers stand together, those written to last and
//!   first are looked at with the folders above them, by the same rule.
//! * **Links** are read once. What they lead to is remembered in the folder where it lies, and follows the same rules.
//! * **All**, when a minute has passed since it was done last: what nobody does with a rolling capture – to write to a
//!   file of middle age, to turn a link to a folder – is seen then.
//!
//! Hence what is created, replaced, removed or renamed, and what is written to the newest, the oldest and the open file
//! of a folder, is in the catalog that is handed out next; anything else is at most a minute late.
//!
//! A catalog is a snapshot. Those of one timeline share their [`Segment`](super::Segment)s as long as the files stay as
//! they are, and so what one query has learned of a file serves the next.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::Looks;
use super::memory::Memory;
use super::{Catalog, TimelineError};
use pcapx_core::time::Timestamp;

/// A rolling capture that is kept an eye on. Any number of threads may use it.
#[derive(Debug)]
pub struct Timeline {
    roots: Vec<PathBuf>,
    memory: Mutex<Memory>,
}

impl Timeline {
    /// The capture files below `roots`, as for [`Catalog::open`]. Looks at nothing yet.
    pub fn new<P: Into<PathBuf>>(roots: impl IntoIterator<Item = P>) -> Self {
        Self { roots: roots.into_iter().map(Into::into).collect(), memory: Mutex::default() }
    }

    /// The folders, as they were given.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// The segments there are now: the same catalog as before, if nothing has changed.
    ///
    /// It fails as [`Catalog::open`] does, when a root is missing or closed, and works again when that is over. Once a
    /// minute it looks at all; who asks from time to time in the background keeps that from a query.
    pub fn catalog(&self) -> Result<Arc<Catalog>, TimelineError> {
        let mut memory = self.memory.lock().unwrap_or_else(|poisoned| {
            // Nobody knows what was being done.
            let mut memory = poisoned.into_inner();
            *memory = Memory::default();
            self.memory.clear_poison();
            memory
        });
        memory.refresh(&self.roots, Timestamp::now())
    }

    /// How often the file system has been asked since the beginning.
    pub fn looks(&self) -> Looks {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).disk.looks
    }
}
