//! The rolling capture that all jobs share.

use std::path::PathBuf;
use std::sync::Arc;

use pcapx_timeline::catalog::{Catalog, TimelineError};

/// The folders that are listed.
#[derive(Debug)]
pub(crate) struct Timeline {
    roots: Vec<PathBuf>,
}

impl Timeline {
    pub(crate) fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots }
    }

    pub(crate) fn catalog(&self) -> Result<Arc<Catalog>, TimelineError> {
        Catalog::open(&self.roots).map(Arc::new)
    }
}
